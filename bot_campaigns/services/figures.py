"""How far campaigns are, in numbers, and exactly the rows behind each of them.

A page about one campaign asks the rows. Lists read what was counted when the
subscribers were last read; both are the same conditions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, Count, Exists, F, Func, Max, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from bot_campaigns import outcomes
from bot_campaigns.models import Call, Campaign, Launch, LaunchNumber, Subscriber
from bot_campaigns.records import Leg, SubscriberStatus

ANSWERED = outcomes.words_of(outcomes.ANSWERED)
NO_ANSWER = outcomes.words_of(outcomes.NO_ANSWER, outcomes.BUSY, outcomes.CANCELLED)
"""Outcomes as the report says them; where it carries the raw cause, that. All others failed."""

OUTCOMES = (("answered", _("answered")), ("no_answer", _("no answer")), ("failed", _("failed")))

GROUPS = (
    ("to_dial", _("to dial")),
    ("in_progress", _("in progress")),
    ("connected", _("connected")),
    ("failed", _("failed")),
    ("aborted", _("aborted")),
    ("withdrawn", _("withdrawn before it was dialled")),
)
"""Every subscriber is in exactly one of these."""

_STATUS = {
    "in_progress": (SubscriberStatus.IN_PROCESS,),
    "connected": (SubscriberStatus.SENT, SubscriberStatus.COMPLETED),
    "failed": (SubscriberStatus.FAILED, SubscriberStatus.NOT_AUTHORIZED),
    "aborted": (SubscriberStatus.ABORTED,),
}
_SETTLED = tuple(status for statuses in _STATUS.values() for status in statuses)
_WITHDRAWN = (LaunchNumber.Withdrawal.DONE, LaunchNumber.Withdrawal.TOO_LATE)


# --- subscribers ---------------------------------------------------------------------------


def taken_out() -> Exists:
    """A subscriber whose number was taken back before it was dialled."""
    return Exists(
        LaunchNumber.objects.filter(
            launch__campaign=OuterRef("campaign_id"),
            e164=OuterRef("e164"),
            withdrawal=LaunchNumber.Withdrawal.DONE,
        )
    )


def in_group(rows: QuerySet[Subscriber], group: str) -> QuerySet[Subscriber]:
    """Exactly the subscribers that a number on a page counts. ``dialled``: at least one attempt."""
    if group == "dialled":
        return rows.filter(attempts__gt=0)
    if group in _STATUS:
        return rows.filter(status__in=_STATUS[group])
    waiting = rows.filter(Q(status__isnull=True) | ~Q(status__in=_SETTLED))
    return waiting.filter(taken_out() if group == "withdrawn" else ~taken_out())


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of one campaign; ``total`` is the sum of the groups."""

    total: int = 0
    to_dial: int = 0
    in_progress: int = 0
    connected: int = 0
    failed: int = 0
    aborted: int = 0
    withdrawn: int = 0
    dialled: int = 0
    started: bool = True
    """False: the bot has made no subscribers yet; ``to_dial`` are numbers that were handed over."""

    @property
    def share(self) -> int:
        """Per cent of the numbers that need no further call."""
        done = self.total - self.to_dial - self.in_progress
        return min(100, done * 100 // self.total) if self.total else 0

    @property
    def answer_rate(self) -> int | None:
        """Per cent of the numbers that are settled which were connected; None before there is one."""
        settled = self.connected + self.failed
        return round(100 * self.connected / settled) if settled else None


def count(campaigns: Iterable[int] | None = None) -> dict[int, dict[str, int]]:
    """Numbers by group for campaigns that have subscribers; all campaigns where none are named."""
    rows = Subscriber.objects.order_by()
    if campaigns is not None:
        rows = rows.filter(campaign__in=list(campaigns))
    found: dict[int, dict[str, int]] = {}
    by_status = rows.values_list("campaign", "status").annotate(
        n=Count("pk"), tried=Count("pk", filter=Q(attempts__gt=0))
    )
    groups = {status: name for name, statuses in _STATUS.items() for status in statuses}
    for campaign, status, number, tried in by_status:
        counts = found.setdefault(campaign, dict.fromkeys((name for name, _label in GROUPS), 0))
        counts[groups.get(status, "to_dial")] += number
        counts["dialled"] = counts.get("dialled", 0) + tried
    withdrawing = LaunchNumber.objects.filter(withdrawal=LaunchNumber.Withdrawal.DONE)
    affected = set(
        withdrawing.filter(launch__campaign__in=list(found)).values_list("launch__campaign", flat=True)
    )
    out = in_group(rows.filter(campaign__in=affected), "withdrawn") if affected else rows.none()
    for campaign, number in out.values_list("campaign").annotate(n=Count("pk")):
        found[campaign]["withdrawn"] = number
        found[campaign]["to_dial"] -= number
    return found


def figures(campaign: Campaign) -> Figures:
    """The numbers of one campaign as its rows are now."""
    counts = count([campaign.pk]).get(campaign.pk)
    return _figures(counts) if counts else _handed(campaign.pk).get(campaign.pk, Figures(started=False))


def kept_figures(campaigns: Iterable[Campaign]) -> dict[int, Figures]:
    """For lists: what was counted when each was last read; one query for those not started."""
    found = {campaign.pk: _figures(campaign.counts) for campaign in campaigns if campaign.counts}
    unknown = [campaign.pk for campaign in campaigns if campaign.pk not in found]
    if unknown:
        found |= {pk: _figures(counts) for pk, counts in count(unknown).items()}
        found |= _handed(*(pk for pk in unknown if pk not in found))
    return {campaign.pk: found.get(campaign.pk, Figures(started=False)) for campaign in campaigns}


def _figures(counts: Mapping[str, int]) -> Figures:
    groups = {name: counts.get(name, 0) for name, _label in GROUPS}
    return Figures(total=sum(groups.values()), dialled=counts.get("dialled", 0), started=True, **groups)


def handed_over() -> QuerySet[LaunchNumber]:
    """Numbers that stand at the bot and were not taken back."""
    rows = LaunchNumber.objects.filter(verdict=LaunchNumber.Verdict.DIAL, handed_at__isnull=False)
    return rows.exclude(withdrawal__in=_WITHDRAWN)


def _handed(*campaigns: int) -> dict[int, Figures]:
    rows = handed_over().filter(launch__campaign__in=campaigns).order_by().values_list("launch__campaign")
    return {
        campaign: Figures(total=number, to_dial=number, started=False)
        for campaign, number in rows.annotate(n=Count("pk"))
        if campaign is not None
    }


# --- calls ---------------------------------------------------------------------------------


def calls_to_people() -> QuerySet[Call]:
    """Calls that campaigns made, without transfers, reminders and one-time passwords."""
    return Call.objects.filter(leg=Leg.CALLEE, is_alarm=False, is_otp=False)


def with_outcome(rows: QuerySet[Call], outcome: str) -> QuerySet[Call]:
    """Calls that were answered, not answered, or failed."""
    if outcome == "answered":
        return rows.filter(disposition__in=ANSWERED)
    if outcome == "no_answer":
        return rows.filter(disposition__in=NO_ANSWER)
    return rows.exclude(disposition__in=(*ANSWERED, *NO_ANSWER))


def outcome_of(disposition: str) -> str:
    """Which of ``OUTCOMES`` a report's word is."""
    if disposition in ANSWERED:
        return "answered"
    return "no_answer" if disposition in NO_ANSWER else "failed"


class _Minute(Func):
    """The UTC minute of a moment as text: cheap to group by, and any zone's hours are whole minutes."""

    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="SUBSTR(%(expressions)s, 1, 16)", **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "TO_CHAR(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')"
        return self.as_sql(compiler, connection, template=template, **extra)


def by_minute(rows: QuerySet[Call]) -> list[tuple[str, str, int, int]]:
    """(UTC minute, disposition, number, highest id) of calls, in no order."""
    minute = _Minute(F("started_at"), output_field=CharField())
    counted = rows.order_by().annotate(minute=minute).values_list("minute", "disposition")
    return list(counted.annotate(n=Count("pk"), last=Max("pk")))


def launches_of(campaigns: Iterable[int]) -> dict[int, Launch]:
    """The launch that made each campaign."""
    rows = Launch.objects.filter(campaign__in=list(campaigns), confirmed_at__isnull=False).order_by("-pk")
    return {row.campaign_id: row for row in rows if row.campaign_id is not None}
