"""In which zone the bot reads a campaign's daily hours: no document says, a person confirms it.

Before that nothing is launched (``preflight.brakes``). What helps to find out: the calls
that were made under known daily hours, and a call to a telephone of one's own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from bot_campaigns import rules as arithmetic
from bot_campaigns.models import BotConnection, Call
from bot_campaigns.records import Leg
from bot_campaigns.services import calling_rules, preflight

CONFIRM = "bot_campaigns.change_botconnection"
LIKELY = ("UTC", "Asia/Ho_Chi_Minh")
"""What the ancestor of the bot uses by default, and where the vendor is."""
LOOK_AT = 5_000
"""So many of the newest calls are held against their campaigns' hours."""
WHOLE_DAY = timedelta(hours=23)
"""A window longer than this tells no zones apart."""
TAIL = timedelta(minutes=2)
"""Calls planned before the end of the hours still go out after it."""
TRY_FOR = timedelta(minutes=20)


def confirm(connection: BotConnection, *, zone: str, evidence: str, by: Any) -> BotConnection:
    """State the zone, and how it was found out. Raises ``ValidationError`` by field.

    Campaigns whose hours were told on another clock are held against the rules at once.
    """
    _allow(by)
    errors = {}
    if arithmetic.zone(zone) is None:
        errors["zone"] = [_("The time zone “%s” is not known here.") % zone]
    if not evidence.strip():
        errors["evidence"] = [_("Say how it was found out: it is what a later doubt is settled by.")]
    if errors:
        raise ValidationError(errors)
    with transaction.atomic():
        row = BotConnection.objects.select_for_update().defer("credentials").get(pk=connection.pk)
        rules = preflight.rules_of(row)
        known = calling_rules.broken_now(row, rules)
        before = row.vendor_zone
        row.vendor_zone, row.zone_confirmed_at, row.zone_confirmed_by = zone, timezone.now(), by
        row.save(update_fields=["vendor_zone", "zone_confirmed_at", "zone_confirmed_by", "updated_at"])
        audit.record(
            "connection.zone.confirm", row, by=by, summary=evidence.strip(), before=before, after=zone
        )
        if before != zone:
            calling_rules.stop_offenders(row, rules, known)
    connection.refresh_from_db(fields=["vendor_zone", "zone_confirmed_at", "zone_confirmed_by"])
    return connection


def forget(connection: BotConnection, *, by: Any, why: str) -> None:
    """Another host may have another clock: nothing is launched until it is confirmed again."""
    with transaction.atomic():
        row = BotConnection.objects.select_for_update().defer("credentials").get(pk=connection.pk)
        if not row.vendor_zone and row.zone_confirmed_at is None:
            return
        before = row.vendor_zone
        row.vendor_zone, row.zone_confirmed_at, row.zone_confirmed_by = "", None, None
        row.save(update_fields=["vendor_zone", "zone_confirmed_at", "zone_confirmed_by", "updated_at"])
        audit.record("connection.zone.forget", row, by=by, summary=why, before=before, after="")


def _allow(by: Any) -> None:
    if by is None or not by.has_perm(CONFIRM):
        raise PermissionDenied(CONFIRM)


# --- what helps to find out --------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """One zone that it may be."""

    zone: str
    there: datetime
    """What its clock shows now."""
    inside: int
    outside: int
    """Calls within and without their campaign's daily hours, if these are read in this zone."""
    opens: time
    closes: time
    """Daily hours that are open now if it is this zone, and closed in the others."""

    @property
    def clashes(self) -> bool:
        """Calls were made that this zone does not allow."""
        return self.outside > 0


def candidates(connection: BotConnection) -> list[str]:
    """The zones worth looking at, the confirmed one first."""
    rules = preflight.rules_of(connection)
    return list(dict.fromkeys(each for each in (connection.vendor_zone, *LIKELY, rules.zone) if each))


def readings(connection: BotConnection, zones: Sequence[str] | None = None) -> list[Reading]:
    """What speaks for each candidate; costs two queries."""
    now = timezone.now()
    calls = _calls_with_hours(connection)
    found = []
    for name in zones or candidates(connection):
        info = arithmetic.zone(name)
        if info is None:
            continue
        there = now.astimezone(info)
        inside = sum(_within(at.astimezone(info), opens, closes) for at, opens, closes in calls)
        found.append(Reading(name, there, inside, len(calls) - inside, *_around(there)))
    return found


def _around(local: datetime) -> tuple[time, time]:
    """Hours around this moment that do not cross midnight."""
    before, after = local - TRY_FOR, local + TRY_FOR
    opens = before.time() if before.date() == local.date() else time(0)
    closes = after.time() if after.date() == local.date() else time(23, 59, 59)
    return opens.replace(second=0, microsecond=0), closes.replace(microsecond=0)


def _calls_with_hours(connection: BotConnection) -> list[tuple[datetime, time, time]]:
    """The newest calls by campaigns whose daily hours are shorter than the day."""
    calls = Call.objects.filter(
        connection=connection, started_at__isnull=False, leg=Leg.CALLEE, is_alarm=False, is_otp=False,
        campaign__daily_start__isnull=False, campaign__daily_stop__isnull=False,
    )  # fmt: skip
    rows = calls.order_by("-started_at", "-id").values_list(
        "started_at", "campaign__daily_start", "campaign__daily_stop"
    )[:LOOK_AT]
    return [row for row in _timed(rows) if timedelta(0) < _span(row[1], row[2]) < WHOLE_DAY]


def _timed(rows: Iterable[Any]) -> Iterable[tuple[datetime, time, time]]:
    return ((at, opens, closes) for at, opens, closes in rows if at and opens and closes)


def _span(opens: time, closes: time) -> timedelta:
    day = datetime(2000, 1, 1)  # noqa: DTZ001  a time of day has no zone
    return datetime.combine(day, closes) - datetime.combine(day, opens)


def _within(local: datetime, opens: time, closes: time) -> bool:
    day = local.date()
    start = datetime.combine(day, opens, local.tzinfo)
    return start <= local <= datetime.combine(day, closes, local.tzinfo) + TAIL
