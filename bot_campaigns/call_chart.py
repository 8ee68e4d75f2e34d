"""Outcomes over time: bars and the table beside them, for exactly the calls that are filtered."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import Count, QuerySet, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from bot_campaigns import outcomes
from bot_campaigns.filters.calls import midnight
from bot_campaigns.models import Call

DEFAULT_DAYS = 14
MOST_BARS = 62


@dataclass
class Bar:
    """One stretch of time; ``counts`` are by outcome group."""

    start: datetime
    end: datetime
    label: str
    counts: dict[str, int]
    since: date
    until: date

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass
class Chart:
    bars: list[Bar]
    unit: str
    highest: int

    @property
    def total(self) -> int:
        return sum(bar.total for bar in self.bars)

    @property
    def links(self) -> bool:
        """A bar is a whole number of days, so its calls can be listed."""
        return self.unit != _("hour")

    @property
    def totals(self) -> list[tuple[str, Any, int]]:
        """(group, its word, how many) of the whole chart."""
        return [
            (group, words, sum(bar.counts.get(group, 0) for bar in self.bars))
            for group, words in outcomes.GROUPS.items()
        ]


def chart(calls: "QuerySet[Call]", since: date | None, until: date | None, *, narrowed: bool = True) -> Chart:
    """The filtered calls in bars. Without a period: the fortnight up to the newest of them.

    ``narrowed`` False says that nothing but time is filtered: each outcome is
    then counted in its own index, however many calls there are.
    """
    if until is None:
        newest = _newest(calls)
        last = timezone.localtime(newest).date() if newest else timezone.localdate()
        until = max(last, since) if since else last
    since = since or until - timedelta(days=DEFAULT_DAYS - 1)
    if since > until:
        return Chart([], "", 0)
    bars, unit = _bars(since, until)
    calls = calls.order_by()
    if not narrowed:
        calls = calls.filter(disposition__in=[*outcomes.values_now("disposition"), ""])
    for number, disposition, count in _counted(calls, bars):
        group = outcomes.group_of(disposition)
        counts = bars[number].counts
        counts[group] = counts.get(group, 0) + count
    return Chart(bars, unit, max((bar.total for bar in bars), default=0))


def _counted(calls: "QuerySet[Call]", bars: list[Bar]) -> "QuerySet[Any]":
    """(bar, disposition, how many): each bar is a range of the index, all of them one question."""
    ranges = [
        calls.filter(started_at__gte=bar.start, started_at__lt=bar.end)
        .annotate(bar=Value(number))
        .values_list("bar", "disposition")
        .annotate(n=Count("*"))
        for number, bar in enumerate(bars)
    ]
    return ranges[0].union(*ranges[1:], all=True)


def _newest(calls: "QuerySet[Call]") -> datetime | None:
    started = calls.values_list("started_at", flat=True)
    # where a call without a start comes first, it has to be left out; else that only costs
    return started.first() or started.exclude(started_at=None).first()


def _bars(since: date, until: date) -> tuple[list[Bar], str]:
    """Hours of one or two days, else days, weeks or months, so that they fit."""
    days = (until - since).days + 1
    if days <= 2:
        edges = [midnight(since) + timedelta(hours=hour) for hour in range(days * 24 + 1)]
        return [
            _bar(start, end, f"{timezone.localtime(start):%H:00}", start, start)
            for start, end in pairwise(edges)
        ], _("hour")
    starts, unit = [since], _("day")
    if days > MOST_BARS * 7:
        unit = _("month")
        while (following := (starts[-1].replace(day=1) + timedelta(days=32)).replace(day=1)) <= until:
            starts.append(following)
        starts = starts[-MOST_BARS:]
    else:
        step = 1 if days <= MOST_BARS else 7
        unit = unit if step == 1 else _("week")
        starts = [since + timedelta(days=day) for day in range(0, days, step)]
    ends = [*starts[1:], until + timedelta(days=1)]
    form = "%m/%Y" if unit == _("month") else "%d/%m"
    return [
        _bar(
            midnight(start),
            midnight(end),
            f"{start:{form}}",
            midnight(start),
            midnight(end - timedelta(days=1)),
        )
        for start, end in zip(starts, ends, strict=True)
    ], unit


def _bar(start: datetime, end: datetime, label: str, since: datetime, until: datetime) -> Bar:
    return Bar(start, end, label, {}, timezone.localtime(since).date(), timezone.localtime(until).date())
