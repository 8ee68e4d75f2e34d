"""Campaigns that were changed inside the bot: held against the calling rules.

A change that breaks a rule becomes an incident, and the campaign is paused.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from bot_campaigns.models import CallingRules, Campaign, Incident
from bot_campaigns.plan import DIALS_ON, DailyHours
from bot_campaigns.records import certainly_stopped
from bot_campaigns.rules import Window, fits, windows_between, zone

LOOKS_AHEAD = timedelta(days=14)
_WATCHED = ("frequency", "starts_at", "expires_at", "daily_start", "daily_stop")


def check(campaign: Campaign, before: Campaign) -> Incident | None:
    """Record what a remote edit broke; call it inside the transaction that stores the edit.

    Only what the campaign did not break before counts, and an open incident is not repeated.
    """
    if all(getattr(campaign, name) == getattr(before, name) for name in _WATCHED):
        return None
    if certainly_stopped(campaign.reported_status):
        return None
    rules = CallingRules.objects.filter(connection=campaign.connection).first() or CallingRules(
        connection=campaign.connection
    )
    now = timezone.now()
    known = broken(before, rules, now)
    new = [words for words in broken(campaign, rules, now) if words not in known]
    if not new:
        return None
    summary = _("Changed inside the bot: %s") % " ".join(new)
    standing = Incident.objects.filter(
        campaign=campaign, kind=Incident.Kind.CHANGED, summary=summary[:300], closed_at__isnull=True
    )
    if found := standing.first():
        return found
    incident = Incident.objects.create(
        connection=campaign.connection,
        campaign=campaign,
        kind=Incident.Kind.CHANGED,
        summary=summary[:300],
    )
    transaction.on_commit(lambda: _pause(campaign, summary))
    return incident


def broken(campaign: Campaign, rules: CallingRules, now: datetime) -> list[str]:
    """The rules that a campaign breaks as it stands, as sentences."""
    found = []
    if campaign.frequency is not None and campaign.frequency > rules.frequency_cap:
        found.append(
            _("%(now)d calls a minute, at most %(most)d are allowed.")
            % {"now": campaign.frequency, "most": rules.frequency_cap}
        )
    starts, ends = campaign.starts_at, campaign.expires_at
    if starts is None or ends is None:
        found.append(_("It has no dates."))
    elif ends <= starts:
        found.append(_("It ends before it starts."))
    opens, closes = campaign.daily_start, campaign.daily_stop
    if opens is None or closes is None:
        found.append(_("It has no hours of the day."))
    elif opens >= closes:
        found.append(_("Its hours of the day cross midnight."))
    elif starts is not None and ends is not None and starts < ends:
        name = campaign.connection.vendor_zone or rules.zone
        first = max(now, starts)
        hours = DailyHours(opens, closes)
        span = min(ends, first + LOOKS_AHEAD)
        dials = [
            Window(each.start, min(each.end + DIALS_ON, ends + DIALS_ON))
            for each in windows_between(hours, [name], first, max(first, span))
        ]
        if zone(name) is None or not fits(rules, [rules.zone], dials):
            found.append(
                _("It calls outside %(start)s–%(end)s (%(zone)s).")
                % {
                    "start": f"{rules.window_start:%H:%M}",
                    "end": f"{rules.window_end:%H:%M}",
                    "zone": rules.zone,
                }
            )
    return found


def _pause(campaign: Campaign, reason: str) -> None:
    """Commands give commands; asked for here, because they in turn read what is mirrored."""
    if find_spec("bot_campaigns.services.commands") is None:
        return
    commands = import_module("bot_campaigns.services.commands")
    pause_for = cast("Callable[[Campaign, str], Any]", commands.pause_for)
    pause_for(campaign, reason)
