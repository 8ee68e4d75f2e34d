"""Reading and building Udesk's JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.udesk import mapping, payloads
from crm_bridge.connectors.udesk.payloads import CustomerWire, PhoneWire, parse
from tests.crm_bridge.connectors.udesk.samples import sample

# Lists and batches


def test_list_is_cut_into_customers_with_its_total() -> None:
    page = payloads.split_list(sample("customers_odd"))
    assert [item.remote_id for item in page.items] == ["42", "43", "44", "45", "46", "", ""]
    assert [bool(item.problem) for item in page.items] == [False] * 5 + [True] * 2
    assert page.total == 7


@pytest.mark.parametrize("data", [None, [], "x", {}, {"customers": {}}, {"code": 1000, "customers": None}])
def test_what_is_no_list_is_refused(data: Any) -> None:
    for split in (payloads.split_list, payloads.split_export):
        with pytest.raises(ValueError, match="no list of customers"):
            split(data)


def test_batch_names_the_next_one_and_no_total_that_could_end_the_walk() -> None:
    page = payloads.split_export({"scroll_id": "abc:d==", "total": 2, "customers": [{"id": 7}, {"id": 8}]})
    assert (page.total, page.next, page.ended) == (None, "8:abc:d==", False)
    assert payloads.cursor_of(str(page.next)) == "abc:d=="


def test_same_cursor_makes_another_position_for_another_batch() -> None:
    batches = [{"scroll_id": "same", "customers": [{"id": number}]} for number in (1, 2)]
    first, second = (payloads.split_export(batch).next for batch in batches)
    assert first != second


def test_empty_batch_is_the_end_and_tells_the_total() -> None:
    page = payloads.split_export({"scroll_id": None, "total": "9", "customers": []})
    assert (page.items, page.total) == ([], 9)
    assert page.next is not None


def test_batch_without_a_cursor_is_refused() -> None:
    for cursor in (None, "", 5):
        with pytest.raises(ValueError, match="no cursor"):
            payloads.split_export({"scroll_id": cursor, "customers": [{"id": 1}]})


@pytest.mark.parametrize(
    ("value", "read"),
    [(12, "12"), ("12", "12"), ("012", "12"), (12.0, "12"), (12.5, ""), (0, ""), (-1, ""), ("", ""),
     (None, ""), ("12a", ""), (True, ""), ([12], ""), (10**20, ""), ("１２", "")],
)  # fmt: skip
def test_usable_ids(value: Any, read: str) -> None:
    assert payloads.usable_id(value) == read


# One customer


def test_three_forms_of_a_phone_are_read() -> None:
    wire = parse(CustomerWire, {"cellphones": [{"id": 3, "content": " 1 "}, [4, "2"], "3"]})
    assert [(each.id, each.content) for each in wire.cellphones] == [(3, "1"), (4, "2"), (None, "3")]


def test_missing_null_and_empty_are_the_same() -> None:
    names = (*CustomerWire.model_fields,)
    lists = [name for name in names if isinstance(getattr(CustomerWire(), name), list)]
    for value in (None, ""):
        wire = parse(CustomerWire, dict.fromkeys([*lists, "custom_fields"], value))
        assert wire == CustomerWire()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cellphones", "0912"),
        ("nick_name", ["An"]),
        ("tags", {"a": 1}),
        ("custom_fields", "x"),
        ("weixins", [1]),
    ],
)
def test_wrong_type_names_its_field_and_never_its_value(field: str, value: Any) -> None:
    with pytest.raises(Unreadable) as told:
        parse(CustomerWire, {"id": 1, field: value})
    assert str(told.value).startswith(field)
    assert "0912" not in str(told.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*CustomerWire.model_fields, "other"]), json_values, max_size=6))
def test_odd_customers_are_read_or_refused_and_nothing_else(raw: dict[str, Any]) -> None:
    try:
        record = mapping.to_record(RawItem("customer", "1", raw))
    except Unreadable:
        return
    assert isinstance(record.name, str)
    assert all(phone.value for phone in record.phones)


# Building


def test_pairs_keep_the_ids_of_what_is_there() -> None:
    present = [PhoneWire(id=3, content="1"), PhoneWire(id=4, content="2"), PhoneWire(id=5, content="2")]
    assert payloads.build_pairs(["2", "9", "1", "2", "2"], present) == [
        (4, "2"), (None, "9"), (3, "1"), (5, "2"), (None, "2"),
    ]  # fmt: skip


def test_tags_and_other_emails_stand_beside_the_customer() -> None:
    body = payloads.build_body(
        {"nick_name": "A"}, other_emails=[(3, "b@x.vn"), (None, "c@x.vn")], tags=["a", "b"]
    )
    assert body == {
        "customer": {"nick_name": "A"}, "other_emails": [[3, "b@x.vn"], [None, "c@x.vn"]], "tags": "a,b",
    }  # fmt: skip
    assert payloads.build_body({}, tags=[]) == {"tags": ""}
    assert payloads.build_body({"level": "vip"}) == {"customer": {"level": "vip"}}


def test_comma_in_a_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="“a,b” would become several"):
        payloads.build_tags(["x", "a,b"])


def test_import_takes_plain_texts_and_no_actions() -> None:
    body = payloads.build_body(
        {
            "nick_name": "A",
            "email": "a@x.vn",
            "cellphones": [[None, "1"], [None, "2"]],
            "weixins": [{"action": "new", "appid": "w", "openid": "o"}],
        },
        other_emails=[(None, "b@x.vn")],
        tags=["t"],
    )
    assert payloads.build_import_item(body) == {
        "nick_name": "A", "emails": ["a@x.vn", "b@x.vn"], "cellphones": ["1", "2"], "tags": "t",
        "weixins": [{"appid": "w", "openid": "o"}],
    }  # fmt: skip
    assert body["customer"]["email"] == "a@x.vn"
    for name in ("weixin_works", "web_token", "is_blocked"):
        with pytest.raises(ValueError, match=name):
            payloads.build_import_item({"customer": {"nick_name": "A", name: "x"}})


def test_merge_spells_keys_its_own_way() -> None:
    ends = payloads.build_merge(("token", "t"), ("weixin_mini_openid", "o"))
    assert ends == {
        "from_type": "customer_token", "from_content": "t",
        "to_type": "weixin_mini_openid", "to_content": "o",
    }  # fmt: skip
    for name in ("id", "weixin_work_identifier"):
        with pytest.raises(KeyError):
            payloads.build_merge((name, "1"), ("email", "a@x.vn"))
