"""Reading and building AntCRM's JSON, on invented samples in tests/payloads/antcrm."""

from __future__ import annotations

import json
import locale
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.antcrm import mapping, payloads

SAMPLES = Path(__file__).parents[3] / "payloads" / "antcrm"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


# Pages


@pytest.mark.parametrize("name", ["list_array.json", "list_envelope.json", "list_lone_object.json"])
def test_page_is_understood_in_each_form(name: str) -> None:
    page = payloads.split_page(sample(name), "customer")
    assert [(item.family, item.remote_id, item.problem) for item in page.items] == [("customer", "41", "")]
    assert page.total == (1 if name == "list_envelope.json" else None)
    assert page.items[0].raw["futureField"] == {"nested": [1, 2]}


@pytest.mark.parametrize(
    ("total", "read"), [(5, 5), ("5", 5), (None, None), ("many", None), (-1, None), (True, None), (5.0, None)]
)
def test_total_is_taken_only_where_it_is_a_number(total: Any, read: int | None) -> None:
    assert payloads.split_page({"success": True, "total": total, "data": []}).total == read


@pytest.mark.parametrize(
    "data",
    [None, 5, "text", {}, {"success": 1}, {"success": False, "data": []}, {"data": {}}, {"message": "no"}],
)
def test_anything_else_is_no_page(data: Any) -> None:
    with pytest.raises(ValueError, match="list"):
        payloads.split_page(data)


def test_elements_without_a_usable_id_keep_their_place_and_reason() -> None:
    page = payloads.split_page(sample("list_bad_records.json"), "lead")
    problems = {position: item.problem for position, item in enumerate(page.items) if item.problem}
    assert problems == {
        9: "leadId is missing or unusable",
        10: "leadId is missing or unusable",
        11: "leadId is missing or unusable",
        12: "leadId is missing or unusable",
        13: "contactType is neither lead nor customer",
        14: "not an object",
        15: "not an object",
    }
    assert len(page.items) == 17


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12, "12"),
        ("12", "12"),
        (" 012 ", "12"),
        (12.0, "12"),
        (0, ""),
        (-3, ""),
        ("", ""),
        ("0", ""),
        (None, ""),
        (True, ""),
        ("12a", ""),
        (12.5, ""),
        ("٣", ""),
        (1e30, ""),
        ([12], ""),
    ],
)
def test_ids_are_the_same_however_they_are_written(value: Any, text: str) -> None:
    assert payloads.usable_id(value) == text


def test_family_follows_the_record_not_the_question() -> None:
    data = [{"contactType": "customer", "customerId": 3}, {"customerId": 4, "leadId": 9}, {"leadId": 5}]
    items = payloads.split_page(data).items
    assert [(item.family, item.remote_id) for item in items] == [
        ("customer", "3"),
        ("customer", "4"),
        ("lead", "5"),
    ]
    asked_for_leads = payloads.split_page(data, "lead").items
    assert [item.family for item in asked_for_leads] == ["customer", "lead", "lead"]


# Records


def test_bad_records_are_refused_one_by_one_with_the_field() -> None:
    page = payloads.split_page(sample("list_bad_records.json"), "lead")
    reasons: dict[int, str] = {}
    for position, item in enumerate(page.items):
        try:
            mapping.to_record(item)
        except Unreadable as error:
            reasons[position] = str(error)
    assert {position: reason.split(":")[0] for position, reason in reasons.items() if position < 9} == {
        1: "phones",
        2: "phones",
        3: "name",
        4: "updatedAt",
        5: "gender",
        6: "scoreRank",
        7: "emails.0",
        8: "type",
    }
    assert set(range(17)) - set(reasons) == {0, 16}
    assert not any("0934" in reason or "hôm qua" in reason for reason in reasons.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("12"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from([*(f.alias or n for n, f in payloads.ContactWire.model_fields.items()), "inTrash"])


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(keys, json_values, max_size=8))
def test_whatever_comes_is_read_or_refused_by_name(raw: dict[str, Any]) -> None:
    item = payloads.split_page([raw], "lead").items[0]
    for read in (mapping.to_record, mapping.to_deletion, mapping.to_merge):
        try:
            read(item)
        except Unreadable as error:
            assert str(error)  # noqa: PT017  any other exception fails the test


@given(json_values)
def test_whatever_page_comes_is_split_or_refused(data: Any) -> None:
    try:
        payloads.split_page(data, "lead")
    except ValueError as error:
        assert "list" in str(error)  # noqa: PT017


# Answers to writes


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1, True),
        (True, True),
        ("1", True),
        ("true", True),
        (0, False),
        (False, False),
        ("0", False),
        (None, None),
        ("", None),
        ("ok", None),
        (2, None),
        ([1], None),
        ({}, None),
    ],
)
def test_success_is_read_by_a_closed_table(value: Any, said: bool | None) -> None:
    assert payloads.said_success(value) is said


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        ({"leadId": 5}, ["5"]),
        ({"leadId": "5"}, ["5"]),
        ({"leadId": [5, 6]}, ["5", "6"]),
        ({"leadId": []}, []),
        ({"leadId": [5, None]}, None),
        ({"customerId": 5}, None),
        ({}, None),
        ([], None),
    ],
)
def test_written_ids(data: Any, ids: list[str] | None) -> None:
    assert payloads.written_ids(data, "lead") == ids


# Building


def test_birth_date_is_english_in_every_locale() -> None:
    before = locale.setlocale(locale.LC_ALL)
    try:
        for name in ("vi_VN.UTF-8", "de_DE.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
            assert payloads.build_birth_date(date(2000, 3, 15)) == "March 15, 2000"
    finally:
        locale.setlocale(locale.LC_ALL, before)
    assert payloads.build_birth_date(date(985, 5, 1)) == "May 1, 0985"
    assert payloads.build_birth_date(None) == ""


def test_birth_date_reads_back_for_every_day_of_a_leap_year() -> None:
    for days in range(366):
        day = date(2004, 1, 1) + timedelta(days)
        assert payloads.parse_long_date(payloads.build_birth_date(day)) == day


@pytest.mark.parametrize(
    "text", ["", "March 2000", "Tháng 3 15, 2000", "March 32, 2000", "2000-03-15", "M 1, 2000"]
)
def test_other_texts_are_no_long_date(text: str) -> None:
    assert payloads.parse_long_date(text) is None


def test_selector_is_exactly_one_and_never_empty() -> None:
    assert payloads.build_selector("lead", "7", "code") == {"leadId": 7}
    assert payloads.build_selector("customer", "7", "") == {"customerId": 7}
    assert payloads.build_selector("lead", "", "code") == {"customerIdApiRing": "code"}
    for family, number, code in (
        ("lead", "", ""),
        ("lead", "0", "code"),
        ("lead", "x1", ""),
        ("other", "5", ""),
    ):
        with pytest.raises(ValueError, match="id"):
            payloads.build_selector(family, number, code)


def test_raw_item_of_a_lone_element_is_whole() -> None:
    raw = sample("list_lone_object.json")
    assert payloads.split_page(raw).items == [RawItem("customer", "41", raw)]
