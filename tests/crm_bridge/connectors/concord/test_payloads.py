"""Reading and building Concord's JSON, on invented samples in tests/payloads/concord."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.concord import mapping, payloads
from crm_bridge.connectors.concord.mapping import Names
from crm_bridge.connectors.wires import custom_value
from crm_bridge.records import Address, Email, Identity, Kind, Phone

SAMPLES = Path(__file__).parents[3] / "payloads" / "concord"
CUSTOM = {
    "job_title": "Diretora",
    "contract_number": "BR-00123",
    "credit_limit": "12500.5",
    "points": "0",
    "newsletter": False,
    "interests": ["vinhos", "7"],
}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def maria() -> RawItem:
    return payloads.split_one(sample("one_bare"))


# Pages


@pytest.mark.parametrize(
    ("name", "total", "more"),
    [
        ("list_meta", 3, True),
        ("list_flat", 3, True),
        ("list_simple", None, True),
        ("list_bare", None, None),
        ("list_sparse", 3, False),
        ("search_brief", None, None),
    ],
)
def test_page_is_understood_in_each_form(name: str, total: int | None, more: bool | None) -> None:
    page = payloads.split_page(sample(name))
    assert (page.total, page.more) == (total, more)
    assert [(item.family, item.problem) for item in page.items] == [("contact", "")] * len(page.items)
    assert page.items[0].remote_id == ("1" if name == "list_sparse" else "41")


@pytest.mark.parametrize(
    ("links", "more"),
    [({"next": None}, False), ({"next": "https://x/?page=2"}, True), ({}, None), (None, None)],
)
def test_without_numbers_the_link_tells_whether_more_follows(links: Any, more: bool | None) -> None:
    assert payloads.split_page({"data": [], "links": links}).more is more
    flat = {} if links is None or "next" not in links else {"next_page_url": links["next"]}
    assert payloads.split_page({"data": [], **flat}).more is more


@pytest.mark.parametrize(
    "data",
    [None, 5, "text", {}, {"data": {}}, {"data": None}, {"message": "no"}, {"id": 1}, {"contacts": []}],
)
def test_anything_else_is_no_page(data: Any) -> None:
    with pytest.raises(ValueError, match="page of contacts"):
        payloads.split_page(data)


@pytest.mark.parametrize("total", [None, "many", -1, True, 5.0, [3]])
def test_total_is_taken_only_where_it_is_a_number(total: Any) -> None:
    assert payloads.split_page({"data": [], "meta": {"total": total}}).total is None


def test_one_contact_comes_bare_or_wrapped() -> None:
    assert payloads.split_one(sample("one_wrapped")) == payloads.split_one(sample("one_bare"))
    assert payloads.split_one({"id": 5, "data": {"id": 9}}).remote_id == "5"
    for data in (None, [], {}, {"data": []}, {"data": {}}, {"id": None}, {"message": "gone"}, [{"id": 1}]):
        with pytest.raises(ValueError, match="no contact"):
            payloads.split_one(data)


# Records


def test_every_field_is_read_canonically() -> None:
    record = mapping.to_record(maria())
    assert (record.identity, record.kind) == (Identity("contact", "41"), Kind.CONTACT)
    assert record.name == "Maria Clara d'Ávila"
    assert record.phones == (
        Phone("+55 11 98888-7777", "mobile", "+5511988887777"),
        Phone("(11) 3333-4444", "work", ""),
        Phone("0934 890 883", "", "+84934890883"),
    )
    assert record.emails == (Email("Maria@Example.com.br"),)
    assert record.addresses == (
        Address(street_name="Av. Paulista, 1578", district="SP", city="São Paulo", country="30",
                postal_code="1310100"),
    )  # fmt: skip
    assert record.tags == ("VIP", "não ligar")
    assert (record.source, record.responsible) == ("2", "3")
    assert record.custom_fields == CUSTOM
    assert record.extra == {
        "owner": "Trần Thu Hà", "source": "Indicação", "next_activity": "2026-12-01 09:00:00",
    }  # fmt: skip
    assert record.created_at == datetime(2025, 3, 1, 12, tzinfo=UTC)
    assert record.updated_at == datetime(2026, 11, 20, 8, 30, 15, 123456, tzinfo=UTC)


def test_numbers_and_keys_are_named_where_an_admin_has_told() -> None:
    names = Names(
        users={"3": "Hà"}, sources={"2": "Indicação"}, countries={"30": "Brasil"},
        custom_fields={"contract_number": "Số hợp đồng", "points": "Điểm"},
    )  # fmt: skip
    record = mapping.to_record(maria(), names)
    assert (record.responsible, record.source, record.addresses[0].country) == ("Hà", "Indicação", "Brasil")
    assert record.custom_fields == {"job_title": "Diretora", "Số hợp đồng": "BR-00123", "Điểm": "0"}


def test_missing_null_and_empty_read_alike() -> None:
    bare, odd, third = (mapping.to_record(item) for item in payloads.split_page(sample("list_sparse")).items)
    assert (bare.name, odd.name, third.name) == ("An", "Souza", "Bình")
    for record in (bare, odd):
        assert (record.phones, record.emails, record.addresses, record.tags) == ((), (), (), ())
        assert (record.custom_fields, record.created_at) == ({}, None)
    assert third.tags == ("VIP",)
    assert third.identity.remote_id == "3"


def test_hit_of_a_search_has_at_least_a_name() -> None:
    record = mapping.to_record(payloads.split_page(sample("search_brief")).items[0])
    assert (record.identity.remote_id, record.name) == ("41", "Maria Clara d'Ávila")


def test_bad_records_are_refused_one_by_one_with_the_field() -> None:
    page = payloads.split_page(sample("list_bad_records"))
    reasons: dict[int, str] = {}
    for position, item in enumerate(page.items):
        try:
            mapping.to_record(item)
        except Unreadable as error:
            reasons[position] = str(error)
    assert {position: reason.split(":")[0] for position, reason in reasons.items()} == {
        1: "first_name",
        2: "phones",
        3: "phones.0",
        4: "tags",
        5: "created_at",
        6: "updated_at",
        7: "user_id",
        8: "user",
        9: "id is missing or unusable",
        10: "id is missing or unusable",
        11: "id is missing or unusable",
        12: "id is missing or unusable",
        13: "not an object",
        14: "not an object",
    }
    assert not any("0934" in reason or "hôm qua" in reason for reason in reasons.values())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T08:30:15.123456Z", datetime(2026, 11, 20, 8, 30, 15, 123456, tzinfo=UTC)),
        ("2026-11-20T08:30:15Z", datetime(2026, 11, 20, 8, 30, 15, tzinfo=UTC)),
        ("2026-11-20T05:30:15-03:00", datetime(2026, 11, 20, 8, 30, 15, tzinfo=UTC)),
        ("2026-11-20 08:30:15", datetime(2026, 11, 20, 8, 30, 15, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_in_utc(text: str | None, moment: datetime | None) -> None:
    assert mapping.to_moment(text, "updated_at") == moment


def test_only_a_date_of_deletion_makes_an_element_of_the_trash_a_deletion() -> None:
    gone, living = payloads.split_page(sample("trashed")).items
    deletion = mapping.to_deletion(gone)
    assert deletion.contact.name == "Maria Clara d'Ávila"
    assert (deletion.trashed_at, deletion.trashed_by) == (
        datetime(2026, 11, 24, 10, tzinfo=UTC),
        "Trần Thu Hà",
    )
    with pytest.raises(Unreadable, match="deleted_at"):
        mapping.to_deletion(living)


def test_associations_are_read_as_objects_and_as_ids() -> None:
    raw = maria().raw
    found = {pool: mapping.to_entries(raw, pool) for pool in payloads.POOLS}
    assert [(entry.title, entry.ref) for entry in found["companies"] or ()] == [("Silva Ltda.", "7")]
    assert [(entry.title, entry.ref) for entry in found["deals"] or ()] == [("deal 9", "9")]
    assert found["activities"] == ()
    assert mapping.to_entries({}, "deals") is None
    assert mapping.to_entries({"deals": None}, "deals") is None
    assert mapping.to_entries({"deals": [{"id": None}, "x"]}, "deals") == ()


# Custom fields


def test_custom_fields_are_foreign_keys_with_plain_values() -> None:
    assert payloads.custom_keys(maria().raw) == [
        "contract_number", "credit_limit", "points", "newsletter", "interests", "renewal_date", "observacao",
    ]  # fmt: skip
    assert payloads.custom_keys(maria().raw, ["points", "tier", "first"]) == ["points"]
    assert payloads.custom_keys({"a": [{"id": 1}], "b": {}, "deals_count": 1, "photo_url": "x"}) == []


@pytest.mark.parametrize(
    ("value", "canonical"),
    [(5, "5"), (5.0, "5"), (5.5, "5.5"), (" a ", "a"), (True, True), (None, None), (10**20, str(10**20))],
)
def test_custom_values_compare_as_texts(value: Any, canonical: Any) -> None:
    assert custom_value(value) == canonical


# Building


def test_update_starts_from_everything_the_vendor_holds() -> None:
    item = maria()
    body = payloads.build_update(item.raw, payloads.parse_contact(item.raw))
    assert body == {
        "first_name": "Maria  Clara", "last_name": "d'Ávila", "email": "Maria@Example.com.br",
        "job_title": "Diretora", "street": "Av. Paulista, 1578", "city": "São Paulo", "state": "SP",
        "postal_code": "1310100", "user_id": 3, "source_id": 2, "country_id": 30,
        "phones": [
            {"number": "+55 11 98888-7777", "type": "mobile"}, {"number": "(11) 3333-4444", "type": "Work"},
            {"number": "0934 890 883", "type": "other"},
        ],
        "tags": ["VIP", "não ligar"], "contract_number": "BR-00123", "credit_limit": 12500.5, "points": 0,
        "newsletter": False, "interests": ["vinhos", 7], "renewal_date": None, "observacao": "  ",
    }  # fmt: skip


@pytest.mark.parametrize(("pool", "refs"), [("tickets", ["1"]), ("deals", ["1", "x"]), ("deals", [""])])
def test_associations_that_cannot_be_told_are_refused(pool: str, refs: list[str]) -> None:
    with pytest.raises(ValueError, match="tickets" if pool == "tickets" else "no number"):
        payloads.build_ids(pool, refs)


def test_associations_are_numbers() -> None:
    assert payloads.build_ids("deals", ["7", " 08 "]) == {"deals": [7, 8]}
    assert payloads.build_ids("deals", []) == {"deals": []}
