"""Changing the calling rules of a connection: checked, logged, and at once in force.

What dials at that moment and breaks the new rules is paused; launches that were checked
under the old ones have to be checked again (``preflight.stale``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from bot_campaigns.models import BotConnection, CallingRules, Campaign, Incident
from bot_campaigns.plan import profile_errors
from bot_campaigns.profiles import FIELDS
from bot_campaigns.records import ReportedStatus
from bot_campaigns.services import commands, remote_edits
from bot_campaigns.services.verdicts import live_campaigns

CHANGE = "bot_campaigns.change_callingrules"


@dataclass(frozen=True)
class Change:
    """What a change came to."""

    rules: CallingRules
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Rule → before and after."""
    paused: list[Campaign] = field(default_factory=list)


def change(connection: BotConnection, values: Mapping[str, Any], *, by: Any) -> Change:
    """Set rules; those not named stay. Raises ``ValidationError`` by field, and then changes nothing."""
    if by is None or not by.has_perm(CHANGE):
        raise PermissionDenied(CHANGE)
    if unknown := set(values) - set(FIELDS):
        raise ValueError(f"no calling rules: {sorted(unknown)}")
    CallingRules.objects.get_or_create(connection=connection)  # the strict profile where there are none
    with transaction.atomic():
        rules = CallingRules.objects.select_for_update().get(connection=connection)
        known = broken_now(connection, rules)
        changed = {}
        for name, value in values.items():
            before = getattr(rules, name)
            setattr(rules, name, value)
            if before != value:
                changed[name] = (before, value)
        if errors := profile_errors(rules):
            raise ValidationError({name: [words] for name, words in errors.items()})
        rules.full_clean(exclude=["connection"])
        if not changed:
            return Change(rules)
        rules.save()
        audit.record(
            "rules.change", rules, by=by, summary=str(connection), connection=connection.pk,
            before={name: _plain(before) for name, (before, _after) in changed.items()},
            after={name: _plain(after) for name, (_before, after) in changed.items()},
        )  # fmt: skip
        paused = stop_offenders(connection, rules, known)
    return Change(rules, changed, paused)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


# --- what dials at that moment -----------------------------------------------------------


def broken_now(connection: BotConnection, rules: CallingRules) -> dict[int, list[str]]:
    """Campaign → the rules it breaks, of those that dial or were told to."""
    now = timezone.now()
    return {row.pk: remote_edits.broken(row, rules, now) for row in _dialling(connection)}


def stop_offenders(
    connection: BotConnection, rules: CallingRules, known: Mapping[int, Iterable[str]]
) -> list[Campaign]:
    """Pause what breaks a rule that it did not break before, each with an incident."""
    now, paused = timezone.now(), []
    for campaign in _dialling(connection):
        standing = set(known.get(campaign.pk, ()))
        new = [words for words in remote_edits.broken(campaign, rules, now) if words not in standing]
        if not new:
            continue
        summary = (_("The rules were changed while it dials: %s") % " ".join(new))[:300]
        Incident.objects.create(
            connection=connection, campaign=campaign, kind=Incident.Kind.RULES, summary=summary
        )
        commands.pause_for(campaign, summary)
        paused.append(campaign)
    return paused


def _dialling(connection: BotConnection) -> list[Campaign]:
    dials = Q(reported_status=ReportedStatus.STARTED) | Q(desired=Campaign.Desired.START)
    rows = live_campaigns(timezone.now()).filter(dials, connection=connection)
    return list(rows.select_related("connection").order_by("pk"))
