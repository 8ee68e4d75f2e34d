"""When a number may be called: pure arithmetic of hours and zones.

A call is allowed while the local time in *every* zone its number may be in lies in
the hours, on an allowed weekday; the end is exclusive. An unknown zone is the
strictest one: no time suits it. Everything is worked out on instants, so a clock
that jumps or repeats an hour needs no special case.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers.timezone import time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA

OPENS_WITHIN = timedelta(days=15)

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class Hours(Protocol):
    """Hours of every allowed day, in local time. ``CallingRules`` is one."""

    @property
    def window_start(self) -> time: ...
    @property
    def window_end(self) -> time: ...
    @property
    def weekdays(self) -> str: ...


class Window(NamedTuple):
    """From ``start`` up to, not including, ``end``; both UTC."""

    start: datetime
    end: datetime


# --- zones -------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo | None:
    """The zone of that name; None when the time zone database has none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=65_536)
def zones_of(e164: str) -> tuple[str, ...]:
    """Every zone that the number may be in; empty when nobody can tell."""
    country = next((e164[1:end] for end in (2, 3, 4) if e164[1:end] in _countries()), "")
    if known := _countries().get(country):
        return known
    try:
        zones = time_zones_for_number(phonenumbers.parse(e164))
    except phonenumbers.NumberParseException:
        return ()
    return tuple(name for name in zones if name != "Etc/Unknown")


@lru_cache(maxsize=1)
def _countries() -> dict[str, tuple[str, ...]]:
    """Country codes, with the zones where all numbers of one share them (the fast way)."""
    found: dict[str, set[tuple[str, ...]]] = {
        str(code): set() for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    }
    for prefix, zones in TIMEZONE_DATA.items():
        code = next((prefix[:end] for end in (1, 2, 3) if prefix[:end] in found), None)
        if code:
            found[code].add(tuple(zones))
    return {code: next(iter(sets)) if len(sets) == 1 else () for code, sets in found.items()}


@lru_cache(maxsize=16_384)
def _stretches(name: str, day: date) -> tuple[tuple[datetime, datetime, timedelta], ...]:
    """One UTC day cut where the zone's offset changes: (start, end, offset)."""
    info = ZoneInfo(name)
    midnight = datetime.combine(day, time.min, UTC)
    cuts = [midnight]
    for before, after in pairwise(midnight + timedelta(hours=hour) for hour in range(25)):
        if _offset(info, before) != _offset(info, after):
            while after - before > _SECOND:
                middle = before + (after - before) // (2 * _SECOND) * _SECOND
                if _offset(info, middle) == _offset(info, before):
                    before = middle
                else:
                    after = middle
            cuts.append(after)
    cuts.append(midnight + _DAY)
    return tuple((start, end, _offset(info, start)) for start, end in pairwise(cuts) if start < end)


def _offset(info: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(info).utcoffset()
    return offset if offset is not None else timedelta()


# --- windows -----------------------------------------------------------------------------


def window_now(hours: Hours, zones: Sequence[str], at: datetime) -> bool:
    """Whether somebody in any of the zones may be called at this moment."""
    return bool(zones) and all(_open(hours, name, at) for name in zones)


def _open(hours: Hours, name: str, at: datetime) -> bool:
    info = zone(name)
    if info is None:
        return False
    local = at.astimezone(info)
    allowed = str(local.isoweekday()) in hours.weekdays
    return allowed and hours.window_start <= local.time() < hours.window_end


def next_opening(
    hours: Hours, zones: Sequence[str], at: datetime, *, within: timedelta = OPENS_WITHIN
) -> datetime | None:
    """The first moment from ``at`` on when calls are allowed; None when none comes soon."""
    first = next(windows_between(hours, zones, at, at + within), None)
    return first.start if first else None


def windows_between(hours: Hours, zones: Sequence[str], start: datetime, end: datetime) -> Iterator[Window]:
    """All stretches between two moments in which calls are allowed, in order."""
    if not zones or any(zone(name) is None for name in zones):
        return
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    pending: Window | None = None
    day = start.date()
    while day <= end.date():
        for found in _intersected([list(_of_day(hours, name, day)) for name in dict.fromkeys(zones)]):
            window = Window(max(found.start, start), min(found.end, end))
            if window.start >= window.end:
                continue
            if pending and pending.end == window.start:  # cut only by midnight UTC
                pending = Window(pending.start, window.end)
            else:
                if pending:
                    yield pending
                pending = window
        day += _DAY
    if pending:
        yield pending


def _of_day(hours: Hours, name: str, day: date) -> Iterator[Window]:
    """What one zone allows of one UTC day."""
    for start, end, offset in _stretches(name, day):
        local_day = (start + offset).date()
        while local_day <= (end + offset).date():
            if str(local_day.isoweekday()) in hours.weekdays:
                opens = datetime.combine(local_day, hours.window_start, UTC) - offset
                closes = datetime.combine(local_day, hours.window_end, UTC) - offset
                if max(opens, start) < min(closes, end):
                    yield Window(max(opens, start), min(closes, end))
            local_day += _DAY


def _intersected(lists: list[list[Window]]) -> list[Window]:
    common, *others = lists
    for other in others:
        common = [
            Window(max(one.start, two.start), min(one.end, two.end))
            for one in common
            for two in other
            if max(one.start, two.start) < min(one.end, two.end)
        ]
    return common


def fits(hours: Hours, zones: Sequence[str], windows: Iterable[Window]) -> bool:
    """Whether every moment of the windows is allowed in all of the zones."""
    return all([window] == list(windows_between(hours, zones, *window)) for window in windows)


# --- how long it takes -------------------------------------------------------------------


class Dialling(NamedTuple):
    duration: timedelta
    """Time spent dialling; nights do not count."""
    ends_at: datetime | None
    """When the last number was dialled once; None when the windows do not suffice."""
    fits: int
    """How many of the numbers the windows hold."""


def dialling_time(count: int, frequency: int, windows: Iterable[Window]) -> Dialling:
    """How long ``count`` numbers take at ``frequency`` a minute, each dialled once."""
    duration = left = timedelta(minutes=-(-count // frequency))
    dialled = 0
    for window in windows:
        if left <= window.end - window.start:
            return Dialling(duration, window.start + left, count)
        left -= window.end - window.start
        dialled += (window.end - window.start) // timedelta(minutes=1) * frequency
    return Dialling(duration, None, min(dialled, count)) if left else Dialling(duration, None, count)
