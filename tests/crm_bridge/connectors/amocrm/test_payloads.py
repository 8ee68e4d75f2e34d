"""Reading and building amoCRM's JSON, on invented samples in tests/payloads/amocrm."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.amocrm import mapping, payloads

SAMPLES = Path(__file__).parents[3] / "payloads" / "amocrm"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def body(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


# Pages


def test_page_with_a_next_link_goes_on() -> None:
    page = payloads.split_page(sample("list.json"))
    assert [(item.family, item.remote_id, item.problem) for item in page.items] == [
        ("contact", "41", ""),
        ("contact", "42", ""),
        ("contact", "43", ""),
    ]
    assert (page.next, page.ended, page.total) == (2, False, None)
    assert page.items[0].raw["futureField"] == {"nested": [1, 2]}


def test_page_without_a_next_link_is_the_last_and_leaves_out_who_is_deleted() -> None:
    page = payloads.split_page(sample("list_last.json"))
    assert [item.remote_id for item in page.items] == ["43"]
    assert page.ended


def test_204_is_an_empty_end() -> None:
    page = payloads.split_page(None)
    assert (page.items, page.ended) == ([], True)


@pytest.mark.parametrize(
    "data",
    [
        5, "text", [], {}, {"_embedded": {}}, {"_embedded": {"contacts": {}}},
        {"_embedded": {"contacts": []}},
        {"_embedded": {"leads": []}, "_links": {}}, {"title": "Unauthorized", "status": 401},
    ],
)  # fmt: skip
def test_anything_else_is_no_page(data: Any) -> None:
    with pytest.raises(ValueError, match=r"list of contacts|links"):
        payloads.split_page(data)


@pytest.mark.parametrize(
    "address",
    ["https://a.amocrm.com/api/v4/contacts", "?page=x", "?page=1&page=2", "?page=-1", 5, {"href": 0}],
)
def test_next_link_that_names_no_page_is_no_page(address: Any) -> None:
    with pytest.raises(ValueError, match="next link"):
        payloads.next_page({"next": address})


def test_next_link_of_any_host_gives_no_more_than_a_number() -> None:
    assert payloads.next_page({"next": {"href": "https://evil.example/steal?page=7"}}) == 7


def test_elements_without_a_usable_id_are_told_apart() -> None:
    page = payloads.split_page(sample("list_bad_records.json"))
    assert [item.problem for item in page.items] == ["not an object", *["id is missing or unusable"] * 4, ""]


# Records


def test_wrong_types_name_the_field_and_never_its_value() -> None:
    for field, value, place in (
        ("name", ["An"], "name"),
        ("custom_fields_values", "0934000000", "custom_fields_values"),
        ("custom_fields_values", [{"values": "x"}], "custom_fields_values.0.values"),
        ("_embedded", {"tags": 5}, "_embedded.tags"),
        ("created_at", "hôm qua", "created_at"),
    ):
        raw = sample("list.json")["_embedded"]["contacts"][0] | {field: value}
        with pytest.raises(Unreadable) as told:
            mapping.to_record(RawItem("contact", "41", raw))
        assert str(told.value).startswith(f"{place}: ")
        assert "0934000000" not in str(told.value)
        assert "hôm qua" not in str(told.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(sample("list.json")["_embedded"]["contacts"][0])), JSON)
def test_any_value_anywhere_is_read_or_refused(field: str, value: Any) -> None:
    raw = sample("list.json")["_embedded"]["contacts"][0] | {field: value}
    page = payloads.split_page({"_embedded": {"contacts": [raw]}, "_links": {}})
    for item in page.items:
        with suppress(Unreadable):  # anything else that is raised fails
            mapping.to_record(item)


# Answers and errors


def test_answers_to_writes_are_read_wrapped_and_bare() -> None:
    assert [each["request_id"] for each in payloads.written(sample("created.json"))] == ["b", "a"]
    assert payloads.written(sample("updated.json"))[0]["id"] == 3
    assert payloads.written(sample("updated_bare.json"))[0]["id"] == 3
    for nothing in (None, [], {}, {"status": 200}, {"_embedded": {"contacts": 5}}):
        assert payloads.written(nothing) == []


def test_errors_beside_an_answer_are_seen() -> None:
    assert payloads.errors_beside(sample("created_with_errors.json")) == "A contact could not be stored"
    assert payloads.errors_beside({"_embedded": {"errors": [{}]}}) == "errors"
    assert payloads.errors_beside(sample("created.json")) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "problem_validation.json",
            "item 0, custom_fields_values.0.field_id: This value should be of type int.; "
            "item 7, id: FieldMissing",
        ),
        ("problem_unauthorized.json", "Unauthorized: Wrong token"),
        ("problem_oauth.json", "Bad Request: Cannot decrypt the refresh token: Token has been revoked"),
    ],
)
def test_errors_are_told_in_the_vendors_words(name: str, words: str) -> None:
    assert payloads.words_of_problem(body(name)) == words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"<html>403</html>", ""),
        (b"", ""),
        (b"[]", ""),
        (b'"busy"', "busy"),
        (b'{"message": "busy"}', "busy"),
        (b'{"validation-errors": 5, "title": "Bad Request"}', "Bad Request"),
        (b'{"validation-errors": [{"errors": [{"path": 3}]}]}', "3: invalid"),
    ],
)
def test_errors_of_another_shape_are_told_as_far_as_possible(given: bytes, words: str) -> None:
    assert payloads.words_of_problem(given) == words


def test_many_mistakes_are_cut_with_their_number() -> None:
    errors = [{"path": f"field{number}", "detail": "wrong"} for number in range(9)]
    words = payloads.words_of_problem(json.dumps({"validation-errors": [{"errors": errors}]}).encode())
    assert words.endswith("field4: wrong and 4 more")


# Building


def test_fields_go_by_code_or_number_and_are_cleared_by_null() -> None:
    assert payloads.build_field("PHONE", [{"value": "1"}]) == {
        "field_code": "PHONE",
        "values": [{"value": "1"}],
    }
    assert payloads.build_field("600", []) == {"field_id": 600, "values": None}
    assert payloads.build_tags([]) == {"tags": None}
    assert payloads.build_tags(["a"]) == {"tags": [{"name": "a"}]}
