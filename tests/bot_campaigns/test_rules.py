"""Calling hours against an oracle: the C library's clock, asked minute by minute."""

import os
import random
import time as clock
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from bot_campaigns.models import CallingRules
from bot_campaigns.plan import DailyHours
from bot_campaigns.rules import (
    Window,
    dialling_time,
    fits,
    next_opening,
    window_now,
    windows_between,
    zones_of,
)

FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
HANOI = ["Asia/Ho_Chi_Minh"]
ODD = [
    "Asia/Ho_Chi_Minh", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata",
    "Asia/Kathmandu", "Pacific/Chatham", "America/St_Johns", "Africa/Casablanca", "Pacific/Kiritimati",
    "Pacific/Pago_Pago", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "America/Havana",
]  # fmt: skip


@pytest.fixture(autouse=True)
def own_clock() -> Iterator[None]:
    """The oracle turns the process's zone; it is put back."""
    before = os.environ.get("TZ")
    yield
    if before is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = before
    clock.tzset()


@contextmanager
def at_home_in(zone: str) -> Iterator[None]:
    os.environ["TZ"] = zone
    clock.tzset()
    yield


def allowed(hours: DailyHours, zone_clock: clock.struct_time) -> bool:
    """The oracle's reading of one local clock."""
    minutes = zone_clock.tm_hour * 60 + zone_clock.tm_min
    opens = hours.window_start.hour * 60 + hours.window_start.minute
    closes = hours.window_end.hour * 60 + hours.window_end.minute
    return str(zone_clock.tm_wday + 1) in hours.weekdays and opens <= minutes < closes


def open_minutes(hours: DailyHours, zones: list[str], start: datetime, end: datetime) -> list[int]:
    """Every minute, as a timestamp, in which all zones allow a call."""
    minutes = range(int(start.timestamp()), int(end.timestamp()), 60)
    for zone in zones:
        with at_home_in(zone):
            minutes = [at for at in minutes if allowed(hours, clock.localtime(at))]
    return list(minutes)


def minutes_of(windows: list[Window]) -> list[int]:
    for window in windows:
        assert window.start < window.end
        assert window.start.second == window.end.second == 0
    for before, after in pairwise(windows):
        assert before.end < after.start, "neighbours are one window"
    return [
        at
        for window in windows
        for at in range(int(window.start.timestamp()), int(window.end.timestamp()), 60)
    ]


def some_hours(rng: random.Random) -> DailyHours:
    start, end = sorted(rng.sample(range(24 * 60), 2))
    days = "".join(sorted(rng.sample("1234567", rng.choice([7, 7, 6, 5, 1]))))
    return DailyHours(time(*divmod(start, 60)), time(*divmod(end, 60)), days)


def some_minute(rng: random.Random) -> datetime:
    return FIRST + timedelta(minutes=rng.randrange((LAST - FIRST) // timedelta(minutes=1)))


# --- 100,000 random cases ----------------------------------------------------------------


def test_100_000_random_moments_agree_with_the_c_library():
    rng = random.Random(20260101)
    zones = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})
    cases = []
    for _ in range(100_000):
        asked = rng.sample(zones if rng.random() < 0.5 else ODD, rng.choice([1, 1, 1, 2, 3]))
        cases.append((some_hours(rng), asked, some_minute(rng) + timedelta(seconds=rng.randrange(60))))
    expected = [True] * len(cases)
    by_zone: dict[str, list[int]] = {}
    for index, (_hours, asked, _at) in enumerate(cases):
        for zone in asked:
            by_zone.setdefault(zone, []).append(index)
    for zone, indexes in by_zone.items():
        with at_home_in(zone):
            for index in indexes:
                hours, _asked, at = cases[index]
                expected[index] &= allowed(hours, clock.localtime(int(at.timestamp())))
    wrong = [case for case, truth in zip(cases, expected, strict=True) if window_now(*case) is not truth]
    assert wrong == []
    assert 10_000 < sum(expected) < 60_000, "both answers are well represented"


def windows_agree(rng: random.Random) -> None:
    hours, zones = some_hours(rng), rng.sample(ODD, rng.choice([1, 1, 2, 3]))
    start = some_minute(rng)
    end = start + timedelta(minutes=rng.randrange(1, 4 * 24 * 60))
    expected = open_minutes(hours, zones, start, end)
    windows = list(windows_between(hours, zones, start, end))
    assert minutes_of(windows) == expected, (hours, zones, start, end)
    opening = next_opening(hours, zones, start, within=end - start)
    assert (opening and int(opening.timestamp())) == (expected[0] if expected else None)
    count, frequency = rng.randrange(1, 5000), rng.randrange(1, 40)
    taken = -(-count // frequency)
    dialling = dialling_time(count, frequency, windows)
    assert dialling.duration == timedelta(minutes=taken)
    if taken <= len(expected):
        assert dialling.ends_at is not None
        assert int(dialling.ends_at.timestamp()) == expected[taken - 1] + 60
        assert dialling.fits == count
    else:
        assert dialling.ends_at is None
        assert dialling.fits == len(expected) * frequency


def test_random_windows_agree_with_a_walk_minute_by_minute():
    rng = random.Random(7)
    for _ in range(400):
        windows_agree(rng)


@pytest.mark.soak
def test_100_000_random_windows_agree_with_a_walk_minute_by_minute():
    rng = random.Random(11)
    for _ in range(100_000):
        windows_agree(rng)


# --- all days on which a clock is changed ------------------------------------------------


def clock_changes(zone: str) -> tuple[datetime, ...]:
    """UTC midnights before a change of the zone's offset, 2025 to 2030, by the C library."""
    days = range(int(FIRST.timestamp()), int(LAST.timestamp()), 86_400)
    with at_home_in(zone):
        offsets = [clock.localtime(day).tm_gmtoff for day in days]
    pairs = zip(days, offsets, offsets[1:], strict=False)
    return tuple(datetime.fromtimestamp(day, UTC) for day, before, after in pairs if before != after)


def changing_zones(distinct: bool) -> dict[str, tuple[datetime, ...]]:
    """Zones whose clock is changed; of those that share days and offset only one."""
    found, seen = {}, set()
    for zone in sorted(available_timezones() - {"localtime", "posixrules", "Factory"}):
        changes = clock_changes(zone)
        offset = ZoneInfo(zone).utcoffset(datetime(2025, 1, 1))  # noqa: DTZ001  local time of the zone
        if changes and not (distinct and (changes, offset) in seen):
            found[zone] = changes
            seen.add((changes, offset))
    return found


AROUND_A_CHANGE = [
    DailyHours(time(8), time(17)),
    DailyHours(time(0), time(4)),
    DailyHours(time(1, 30), time(2, 30)),
    DailyHours(time(2), time(3)),
    DailyHours(time(23), time(23, 59)),
]


def changes_agree(distinct: bool) -> int:
    days = 0
    for zone, changes in changing_zones(distinct).items():
        for midnight in changes:
            days += 1
            start, end = midnight - timedelta(hours=6), midnight + timedelta(hours=30)
            with at_home_in(zone):
                walk = [
                    (at, clock.localtime(at))
                    for at in range(int(start.timestamp()), int(end.timestamp()), 60)
                ]
            for hours in AROUND_A_CHANGE:
                expected = [at for at, local in walk if allowed(hours, local)]
                found = minutes_of(list(windows_between(hours, [zone], start, end)))
                assert found == expected, (zone, midnight, hours)
    return days


def test_every_day_of_a_clock_change_2025_to_2030():
    assert changes_agree(distinct=True) > 250


@pytest.mark.soak
def test_every_day_of_a_clock_change_in_every_zone():
    assert changes_agree(distinct=False) > 1500


# --- the rules by example ----------------------------------------------------------------

DECREE = CallingRules()


@pytest.mark.parametrize(
    ("at", "may"),
    [
        ("2026-11-23T07:59:59.999999+07:00", False),
        ("2026-11-23T08:00:00+07:00", True),
        ("2026-11-23T16:59:59.999999+07:00", True),
        ("2026-11-23T17:00:00+07:00", False),
        ("2026-11-23T08:30:00+00:00", True),
        ("2026-11-23T12:00:00+00:00", False),
    ],
)
def test_strict_profile_is_eight_to_five_local_with_an_exclusive_end(at, may):
    assert window_now(DECREE, HANOI, datetime.fromisoformat(at)) is may


def test_every_zone_must_be_open():
    at = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
    assert window_now(DECREE, ["Asia/Ho_Chi_Minh", "Asia/Tokyo"], at)
    assert not window_now(DECREE, ["Asia/Ho_Chi_Minh", "Europe/London"], at)
    common = next(windows_between(DECREE, ["Asia/Ho_Chi_Minh", "Asia/Tokyo"], at, at + timedelta(days=1)))
    assert common.end.astimezone(ZoneInfo("Asia/Tokyo")).hour == 17


@pytest.mark.parametrize("zones", [[], ["Etc/Unknown"], ["Asia/Ho_Chi_Minh", "Mars/Base"], ["../etc/passwd"]])
def test_unknown_zone_is_never_open(zones):
    at = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
    assert not window_now(DECREE, zones, at)
    assert next_opening(DECREE, zones, at) is None
    assert not fits(DECREE, zones, [Window(at, at + timedelta(minutes=1))])


def test_weekday_is_the_one_where_the_phone_rings():
    rules = DailyHours(time(0), time(23, 59), weekdays="1")
    at = datetime.fromisoformat("2026-11-23T01:00:00+07:00")  # Monday in Hanoi, Sunday in London
    assert window_now(rules, HANOI, at)
    assert not window_now(rules, ["Europe/London"], at)


def test_expected_end_skips_the_nights():
    """The example of the design: 7,730 numbers at 10 a minute take 12 h 53 min."""
    start = datetime.fromisoformat("2026-11-22T13:02:00+07:00")
    windows = windows_between(DECREE, HANOI, start, start + timedelta(days=5))
    dialling = dialling_time(7_730, 10, windows)
    assert dialling.duration == timedelta(hours=12, minutes=53)
    assert dialling.ends_at == datetime.fromisoformat("2026-11-23T16:55:00+07:00")


def test_windows_of_a_zone_far_east_are_not_cut_at_midnight_utc():
    start = datetime(2026, 11, 23, tzinfo=UTC)
    hours = DailyHours(time(8), time(17))
    windows = list(
        windows_between(hours, ["Asia/Tokyo"], start - timedelta(days=1), start + timedelta(days=1))
    )
    assert [window.end - window.start for window in windows[1:-1]] == [timedelta(hours=9)]


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+84934890883", ("Asia/Ho_Chi_Minh",)),
        ("+12025550123", ("America/New_York",)),
        ("+919876543210", ("Asia/Calcutta",)),
        ("+881612345678", ()),
        ("+80012345678", ()),
        ("nonsense", ()),
        ("", ()),
    ],
)
def test_zones_of_a_number(number, zones):
    assert zones_of(number) == zones


def test_number_without_a_place_has_all_zones_of_its_country():
    assert {"America/New_York", "Pacific/Honolulu"} <= set(zones_of("+18005550123"))
    assert {"Australia/Perth", "Australia/Lord_Howe"} <= set(zones_of("+61412345678"))
