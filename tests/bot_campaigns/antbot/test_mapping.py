"""AntBOT's records in our words: states, times, numbers behind gateways, identities."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.remote.walk import RawItem, Unreadable
from bot_campaigns.antbot import mapping, payloads
from bot_campaigns.antbot.mapping import PrefixRule, contact_number, dialled_number, numbers_behind
from bot_campaigns.records import (
    AlarmStatus,
    Command,
    ReportedStatus,
    SubscriberStatus,
    certainly_stopped,
    dialling,
    may_resume,
    status_label,
)
from tests.bot_campaigns.antbot.test_payloads import sample


def items(name: str, family: str = "x") -> list[RawItem]:
    return payloads.split_page(sample(name), family).items


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


# States


def test_the_two_tables_of_campaign_numbers_are_apart() -> None:
    assert [(each.name, each.value) for each in ReportedStatus] == [
        ("STARTED", 1), ("WAITING", 2), ("STOPPED", 3), ("ENDED", 4), ("COMPLETED", 5),
    ]  # fmt: skip
    assert [(each.name, each.value) for each in Command] == [
        ("START", 1), ("PAUSE", 2), ("ABORT", 3), ("END", 4),
    ]  # fmt: skip
    assert [command.stops for command in Command] == [False, True, True, True]


@pytest.mark.parametrize(
    ("number", "text", "dials", "stopped", "resumes"),
    [
        (1, "Started", True, False, False),
        (2, "Waiting", False, False, True),
        (3, "Stopped", False, False, True),
        (4, "Ended", False, True, False),
        (5, "Completed", False, True, False),
        (0, "unknown (0)", False, False, True),
        (6, "unknown (6)", False, False, True),
        (-1, "unknown (-1)", False, False, True),
        (None, "unknown", False, False, True),
    ],
)
def test_what_a_reported_number_promises(
    number: int | None, text: str, dials: bool, stopped: bool, resumes: bool
) -> None:
    assert status_label(ReportedStatus, number) == text
    assert (dialling(number), certainly_stopped(number), may_resume(number)) == (dials, stopped, resumes)


@given(st.none() | st.integers())
def test_every_number_has_a_label_and_exactly_one_promise(number: int | None) -> None:
    for table in (ReportedStatus, Command, SubscriberStatus, AlarmStatus):
        assert status_label(table, number)
    assert [dialling(number), certainly_stopped(number), may_resume(number)].count(True) == 1


# Records


def test_campaigns() -> None:
    first, odd, bare = (mapping.to_campaign(item) for item in items("campaigns"))
    assert (first.remote_id, first.name, first.description) == ("1201", "Ưu đãi tháng 11 L-17", "")
    assert (first.phonebook_ids, first.gateway_id, first.survey_id) == (("293", "294"), "23", "951")
    assert first.starts_at == at(2026, 11, 20, 1, 0, 0, 45000)
    assert (first.daily_start, first.daily_stop) == (time(8), time(17))
    assert (first.status, first.status_text) == (1, "Started")
    assert (odd.phonebook_ids, odd.gateway_id, odd.frequency) == (("295",), "24", 3)
    assert (odd.starts_at, odd.expires_at) == (at(2026, 11, 20, 1), at(2026, 11, 22, 1))
    assert (odd.status, odd.status_text) == (9, "unknown (9)")
    assert (bare.name, bare.status, bare.status_text) == ("Chỉ có tên", None, "unknown")
    assert may_resume(bare.status)


def test_gateways() -> None:
    sampled, second = (mapping.to_gateway(item) for item in items("gateways"))
    assert (sampled.active, sampled.is_trial, sampled.most_calls) == (True, True, None)
    assert sampled.created_at == at(2025, 12, 26, 4, 17, 12, 673711)
    assert (second.remote_id, second.active, second.most_calls) == ("24", False, 30)
    assert mapping.prefix_rule(second) == PrefixRule("9", ("0", "+84"))


def test_contacts_keep_the_vendors_number_and_get_ours_beside_it() -> None:
    found = [mapping.to_contact(item) for item in items("contacts")[:3]]
    assert [(each.number, each.e164) for each in found] == [
        ("0912000001", "+84912000001"), ("84912000002", "+84912000002"), ("số cũ", ""),
    ]  # fmt: skip
    assert [each.active for each in found] == [True, False, True]
    assert [each.variables for each in found] == [{"so_tien": "120000"}, {"a": 1}, {"": "không phải JSON"}]


def test_subscribers_by_id_number_or_whole_contact() -> None:
    identified = [mapping.identify_subscriber(item) for item in items("subscribers")]
    assert [item.remote_id for item in identified] == [
        "80001", "80002", "1201-50003", "1201-84912000004", "",
    ]  # fmt: skip
    found = [mapping.to_subscriber(item) for item in identified[:4]]
    assert [(each.contact_id, each.e164) for each in found] == [
        ("50001", ""), ("", "+84912000002"), ("50003", "+84912000003"), ("", "+84912000004"),
    ]  # fmt: skip
    assert [each.status_text for each in found] == ["Completed", "Not authorized", "unknown (42)", "unknown"]
    with pytest.raises(Unreadable):
        mapping.to_subscriber(identified[4])


def test_calls_and_their_identity() -> None:
    first, second, other_leg, again = (mapping.identify_call(item) for item in items("calls"))
    assert first.remote_id == "610001"
    assert second.remote_id.startswith("x")
    assert len(second.remote_id) == 40
    assert second.remote_id != other_leg.remote_id
    assert second.remote_id == again.remote_id  # the same moment in another zone, the leg as a number
    call = mapping.to_call(first)
    assert (call.number, call.e164, call.started_at) == (
        "0912000001", "+84912000001", at(2026, 11, 20, 2, 0, 0, 123456),
    )  # fmt: skip
    assert (call.duration, call.talk_seconds, call.sip_status) == (34, 21, "200")
    assert (call.is_alarm, call.is_otp, call.campaign_id, call.gateway_id) == (None, False, "1201", "23")
    odd = mapping.to_call(second, [PrefixRule("9")])
    assert (odd.e164, odd.talk_seconds, odd.is_alarm, odd.is_otp) == ("+84912000002", None, True, True)
    assert (odd.campaign_id, odd.gateway_id) == ("1201", "")


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"phone_number": "0912000001"},
        {"starting_date": "2026-11-20T02:00:00Z"},
        {"callid": "a", "starting_date": "hôm qua"},
    ],
)
def test_a_call_that_nothing_tells_from_others_is_set_aside(raw: dict[str, Any]) -> None:
    item = mapping.identify_call(RawItem("calls", "", raw, "id is missing"))
    assert item.remote_id == ""
    assert item.problem


@pytest.mark.parametrize("text", ["hôm qua", "2026-13-01T00:00:00Z", "25:00"])
def test_times_that_are_none_name_their_field(text: str) -> None:
    with pytest.raises(Unreadable, match="startingdate: "):
        mapping.to_campaign(RawItem("campaigns", "1", {"id": 1, "startingdate": text}))
    with pytest.raises(Unreadable, match="daily_start_time: "):
        mapping.to_campaign(RawItem("campaigns", "1", {"id": 1, "daily_start_time": "25:00"}))


# Numbers behind gateways


@pytest.mark.parametrize(
    ("dialled", "rule", "number"),
    [
        ("0912000001", PrefixRule(), "+84912000001"),
        ("90912000001", PrefixRule("9"), "+84912000001"),
        ("9912000001", PrefixRule("9", ("0",)), "+84912000001"),
        ("84912000001", PrefixRule("84", ("0",)), "+84912000001"),
        ("84912000001", PrefixRule("84", ("+84", "0")), "+84912000001"),
        ("990912000001", PrefixRule("99", ("+84",)), "+84912000001"),
        ("0912000001", PrefixRule("777"), "+84912000001"),
        ("113", PrefixRule("9"), ""),
        ("", PrefixRule("9"), ""),
    ],
)
def test_the_contacts_number_behind_a_dialled_one(dialled: str, rule: PrefixRule, number: str) -> None:
    assert contact_number(dialled, [rule]) == number


def test_two_numbers_that_would_be_dialled_alike_are_not_guessed() -> None:
    rules = [PrefixRule("0", ("09",)), PrefixRule("0", ("03",))]
    assert dialled_number("0987654321", rules[0]) == dialled_number("0387654321", rules[1]) == "087654321"
    assert numbers_behind("087654321", rules) == ("+84987654321", "+84387654321")
    assert contact_number("087654321", rules) == ""
    assert contact_number("087654321", rules[:1]) == "+84987654321"


PREFIXES = st.sampled_from(["", "9", "99", "0", "84", "777", "1"])
FORMS = st.sampled_from(["0{}", "84{}", "+84{}"])


@given(
    subscriber=st.from_regex(r"9[0-4][0-9]{7}", fullmatch=True),
    form=FORMS,
    add=PREFIXES,
    remove=st.lists(st.sampled_from(["0", "84", "+84", "9"]), max_size=3, unique=True),
)
def test_a_number_is_always_among_those_behind_what_its_gateway_dials(
    subscriber: str, form: str, add: str, remove: list[str]
) -> None:
    rule = PrefixRule(add, tuple(remove))
    dialled = dialled_number(form.format(subscriber), rule)
    assert f"+84{subscriber}" in numbers_behind(dialled, [rule])
