"""The launch form against the calling rules, and the vendor's clock."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot_campaigns.models import CallingRules
from bot_campaigns.plan import Plan, Unclear, form_errors, profile_errors, vendor_hours

MINUTE = timedelta(minutes=1)
NOW = datetime.fromisoformat("2026-11-23T10:00:00+07:00")  # a Monday
RULES = CallingRules()
GOOD = Plan(
    starts_at=NOW,
    expires_at=NOW + timedelta(days=3),
    daily_start=time(8),
    daily_stop=time(17),
    frequency=10,
    gateway_active=True,
    sections=1,
    vendor_zone="Asia/Ho_Chi_Minh",
)


def test_good_form_has_no_errors():
    assert form_errors(GOOD, RULES, NOW) == {}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"starts_at": None}, "starts_at", "dates"),
        ({"expires_at": None}, "expires_at", "dates"),
        ({"expires_at": NOW}, "expires_at", "after the start"),
        ({"starts_at": NOW - timedelta(days=2), "expires_at": NOW}, "expires_at", "passed"),
        ({"expires_at": NOW + timedelta(days=367)}, "expires_at", "366"),
        (
            {"starts_at": NOW + timedelta(days=400), "expires_at": NOW + timedelta(days=401)},
            "starts_at",
            "366",
        ),
        ({"daily_start": None}, "daily_start", "hours"),
        ({"daily_stop": None}, "daily_stop", "hours"),
        ({"daily_start": time(9), "daily_stop": time(9)}, "daily_stop", "within one day"),
        ({"daily_start": time(16), "daily_stop": time(9)}, "daily_stop", "within one day"),
        ({"daily_start": time(7, 59)}, "daily_start", "08:00"),
        ({"daily_stop": time(17, 1)}, "daily_stop", "17:00"),
        ({"frequency": 0}, "frequency", "at least 1"),
        ({"frequency": 61}, "frequency", "60"),
        ({"gateway_active": None}, "gateway", "Choose"),
        ({"gateway_active": False}, "gateway", "not active"),
        ({"sections": None}, "template", "Choose"),
        ({"sections": 0}, "template", "no section"),
        ({"starts_at": NOW.replace(hour=18), "expires_at": NOW.replace(hour=23)}, "expires_at", "No hour"),
    ],
)
def test_each_fault_is_named_by_its_field(change, field, words):
    errors = form_errors(replace(GOOD, **change), RULES, NOW)
    assert errors.keys() == {field}
    assert words in errors[field]


def test_limits_themselves_are_allowed():
    edge = replace(GOOD, frequency=60, expires_at=NOW + timedelta(days=366))
    assert form_errors(edge, RULES, NOW) == {}


def test_days_without_calls_are_refused_because_the_bot_knows_no_weekdays():
    weekdays = CallingRules(weekdays="12345")
    to_friday = replace(GOOD, expires_at=datetime.fromisoformat("2026-11-28T07:00:00+07:00"))
    assert form_errors(to_friday, weekdays, NOW) == {}
    to_saturday = replace(GOOD, expires_at=datetime.fromisoformat("2026-11-28T08:01:00+07:00"))
    assert "Saturday 28 Nov 2026" in form_errors(to_saturday, weekdays, NOW)["expires_at"]


def test_consent_without_a_tag_and_a_company_without_a_zone_are_errors():
    assert form_errors(GOOD, CallingRules(consent_required=True), NOW).keys() == {"consent_tag"}
    assert form_errors(GOOD, CallingRules(zone="Asia/Nowhere"), NOW).keys() == {"daily_start"}


# --- the vendor's clock ------------------------------------------------------------------


def told(
    start: time, end: time, zone: str, *, rules=RULES, day=date(2026, 11, 23), days=3
) -> tuple[time, time]:
    return vendor_hours(start, end, rules=rules, vendor_zone=zone, first=day, last=day + timedelta(days=days))


def test_hours_on_the_vendors_clock_end_before_ours():
    """The vendor's end still counts as inside, and a minute's calls follow it."""
    assert told(time(8), time(17), "Asia/Ho_Chi_Minh") == (time(8), time(16, 58, 59))
    assert told(time(8), time(12), "Asia/Ho_Chi_Minh") == (time(8), time(11, 59, 59))
    assert told(time(8), time(17), "UTC") == (time(1), time(9, 58, 59))
    assert told(time(9), time(11), "Asia/Kolkata") == (time(7, 30), time(9, 29, 59))


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [("America/New_York", time(8), time(17)), ("Pacific/Auckland", time(8), time(20))],
)
def test_hours_that_cross_midnight_there_are_refused(zone, start, end):
    with pytest.raises(Unclear, match="midnight"):
        told(start, end, zone, rules=CallingRules(window_end=time(21)))


def test_hours_that_a_clock_change_moves_are_refused_with_the_day():
    # London leaves summer time on 25 October 2026
    with pytest.raises(Unclear, match="25 Oct 2026"):
        told(time(8), time(17), "Europe/London", day=date(2026, 10, 20), days=10)
    assert told(time(8), time(17), "Europe/London", day=date(2026, 10, 20), days=4)[0] == time(2)
    assert told(time(8), time(17), "Europe/London", day=date(2026, 10, 26), days=4)[0] == time(1)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_hours_that_do_not_exist_or_exist_twice_are_refused(day):
    paris = CallingRules(zone="Europe/Paris", window_start=time(0), window_end=time(23))
    with pytest.raises(Unclear, match="clock"):
        told(time(2, 30), time(9), "UTC", rules=paris, day=day, days=0)


@pytest.mark.parametrize("zone", ["", "Mars/Base"])
def test_unknown_zone_of_the_vendor_is_refused(zone):
    with pytest.raises(Unclear, match="not known"):
        told(time(8), time(17), zone)


def test_hours_shorter_than_what_the_vendor_dials_after_its_end_are_refused():
    with pytest.raises(Unclear, match="short"):
        told(time(16, 59), time(17), "Asia/Ho_Chi_Minh")


def test_form_shows_what_the_vendors_clock_forbids():
    assert "midnight" in form_errors(replace(GOOD, vendor_zone="America/New_York"), RULES, NOW)["daily_start"]


ZONES = [
    "UTC", "Asia/Ho_Chi_Minh", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Chatham", "America/St_Johns", "Africa/Casablanca",
]  # fmt: skip


@pytest.mark.parametrize("ours", ZONES)
@pytest.mark.parametrize("theirs", ZONES)
def test_what_is_told_never_dials_outside_our_hours(ours, theirs):
    """On every day of a year, each minute that the vendor may dial in lies in the rules' window."""
    rules = CallingRules(zone=ours)
    home, vendor = ZoneInfo(ours), ZoneInfo(theirs)
    day, dialled = date(2026, 1, 1), 0
    while day < date(2027, 1, 1):
        for start, end in ((time(8), time(17)), (time(10), time(12))):
            try:
                opens, closes = vendor_hours(
                    start, end, rules=rules, vendor_zone=theirs, first=day, last=day + timedelta(days=2)
                )
            except Unclear:
                continue
            for there in (day + timedelta(days=ahead) for ahead in range(-1, 5)):
                first = datetime.combine(there, opens, vendor).astimezone(home)
                last = (datetime.combine(there, closes, vendor).astimezone(UTC) + MINUTE).astimezone(home)
                if day <= first.date() <= day + timedelta(days=2):
                    dialled += 1
                    assert time(8) <= first.time() < last.time() < time(17), (day, start, end)
        day += timedelta(days=1)
    assert dialled or ours != theirs


# --- the rules themselves ----------------------------------------------------------------


def test_strict_profile_is_sound():
    assert profile_errors(RULES) == {}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"zone": "Hanoi"}, "zone"),
        ({"window_start": time(17), "window_end": time(8)}, "window_end"),
        ({"window_end": time(8)}, "window_end"),
        ({"weekdays": ""}, "weekdays"),
        ({"weekdays": "18"}, "weekdays"),
        ({"weekdays": "11"}, "weekdays"),
        ({"frequency_cap": 0}, "frequency_cap"),
        ({"consent_required": True, "consent_tag": " "}, "consent_tag"),
    ],
)
def test_each_fault_of_the_rules_is_named_by_its_field(change, field):
    assert profile_errors(CallingRules(**change)).keys() == {field}
