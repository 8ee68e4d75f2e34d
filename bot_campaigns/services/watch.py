"""The calls that were made, held against the rules: the independent witness of a campaign.

Each call is looked at once. One that the rules do not allow becomes an incident, and its
campaign is paused.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from bot_campaigns import rules as arithmetic
from bot_campaigns.models import Call, CallingRules, Campaign, Incident, Suppression
from bot_campaigns.records import Leg
from bot_campaigns.services import commands, preflight

CHUNK = 500
Kind = Incident.Kind


def check_calls(limit: int = 20_000) -> int:
    """Look at the calls that were not looked at yet. Returns how many incidents were found."""
    found = 0
    seen = 0
    while seen < limit:
        unchecked = Call.objects.filter(checked_at__isnull=True).select_related("connection", "campaign")
        calls = list(unchecked.order_by("started_at", "pk")[:CHUNK])
        if not calls:
            break
        found += _check(calls)
        seen += len(calls)
    return found


def _check(calls: Sequence[Call]) -> int:
    rules = {call.connection_id: preflight.rules_of(call.connection) for call in calls}
    silent = _silences({call.e164 for call in calls if call.e164})
    incidents: list[Incident] = []
    broken: dict[int, tuple[Campaign, str]] = {}
    for call in calls:
        if not _matters(call):
            continue
        for kind, words in _breaches(call, rules[call.connection_id], silent.get(call.e164, [])):
            incidents.append(
                Incident(
                    connection=call.connection,
                    campaign=call.campaign,
                    call=call,
                    kind=kind,
                    summary=words[:300],
                )
            )
            if call.campaign is not None:
                broken.setdefault(call.campaign.pk, (call.campaign, words))
    with transaction.atomic():
        Incident.objects.bulk_create(incidents, ignore_conflicts=True, batch_size=500)
        for campaign, words in broken.values():
            commands.pause_for(campaign, words)
        Call.objects.filter(pk__in=[call.pk for call in calls]).update(checked_at=timezone.now())
    return len(incidents)


def _matters(call: Call) -> bool:
    """Calls to people by campaigns, since we watch: no reminders, transfers or history."""
    if call.started_at is None or call.leg != Leg.CALLEE or call.is_alarm or call.is_otp:
        return False
    return call.campaign is not None and call.started_at >= call.connection.created_at - timedelta(hours=1)


def _breaches(call: Call, rules: CallingRules, silent: list[Suppression]) -> Iterator[tuple[str, str]]:
    at = call.started_at
    if at is None:
        return
    if not arithmetic.window_now(rules, [rules.zone], at):
        yield Kind.OUTSIDE_WINDOW, _("Called at %s, outside the calling hours.") % _local(rules, at)
    elif call.e164 and not arithmetic.window_now(rules, arithmetic.zones_of(call.e164), at):
        yield (
            Kind.OUTSIDE_WINDOW,
            _("Called at %s, outside the calling hours where the number is.") % _local(rules, at),
        )
    if any(each.since <= at and (each.lifted_at is None or each.lifted_at > at) for each in silent):
        yield Kind.SUPPRESSED, _("Called at %s although the number is suppressed.") % _local(rules, at)
    if call.e164:
        yield from _repeated(call, rules, at)


def _repeated(call: Call, rules: CallingRules, at: datetime) -> Iterator[tuple[str, str]]:
    earlier = Call.objects.filter(
        Q(started_at__lt=at) | Q(started_at=at, pk__lt=call.pk),
        e164=call.e164, leg=Leg.CALLEE, is_alarm=False, is_otp=False,
    ).exclude(callid=call.callid, campaign=call.campaign, started_at=at)  # fmt: skip
    if earlier.filter(campaign=call.campaign).exists():
        yield Kind.TWICE, _("Called a second time by the same campaign, at %s.") % _local(rules, at)
    elif rules.hours_between_calls:
        since = at - timedelta(hours=rules.hours_between_calls)
        if earlier.filter(started_at__gt=since).exists():
            yield (
                Kind.TOO_SOON,
                _("Called again at %(at)s, within %(hours)d hours of another campaign's call.")
                % {"at": _local(rules, at), "hours": rules.hours_between_calls},
            )


def _silences(e164s: set[str]) -> dict[str, list[Suppression]]:
    found: dict[str, list[Suppression]] = {}
    for row in Suppression.objects.filter(e164__in=e164s):
        found.setdefault(row.e164, []).append(row)
    return found


def _local(rules: CallingRules, at: datetime) -> str:
    return f"{timezone.localtime(at, arithmetic.zone(rules.zone)):%d.%m. %H:%M:%S}"
