"""amoCRM's payloads ↔ our records: each field, each type, and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from backoffice.remote.walk import RawItem
from crm_bridge.connectors.amocrm import changes, fields, mapping, payloads
from crm_bridge.connectors.amocrm.changes import Inexpressible
from crm_bridge.connectors.amocrm.payloads import FieldWire
from crm_bridge.records import Change, Email, FieldType, Identity, Kind, Operation, Phone
from tests.crm_bridge.connectors.amocrm.test_payloads import sample

FULL, SPARSE, OLDER = range(3)


def record(number: int) -> Any:
    return mapping.to_record(payloads.split_page(sample("list.json")).items[number])


def test_every_field_of_a_full_contact_is_mapped() -> None:
    full = record(FULL)
    assert full.identity == Identity("contact", "41")
    assert (full.kind, full.name, full.responsible) == (Kind.CONTACT, "Nguyễn Thị Mẫu", "504141")
    assert full.phones == (Phone("0900 000 001", "Mobile", "+84900000001"),)
    assert full.emails == (Email("mau@example.com", "Private"),)
    assert full.tags == ("VIP",)
    assert full.custom_fields == {
        "POSITION": "CEO",
        "600": "5000000",
        "601": True,
        "602": "2026-01-01",
        "603": "Vàng",
        "604": ["Zalo", "SMS"],
    }
    assert full.created_at == datetime(2020, 2, 19, 13, 2, 11, tzinfo=UTC)
    assert full.updated_at == datetime(2020, 5, 31, 16, 52, 9, tzinfo=UTC)
    assert full.extra == {
        "first_name": "Mẫu",
        "last_name": "Nguyễn",
        "company": "900",
        "created_by": "504141",
        "closest_task_at": "2020-06-01T08:26:39+00:00",
        "Địa chỉ": "12 Lê Lợi, Huế",
    }


def test_nulls_and_empty_values_are_nothing() -> None:
    sparse = record(SPARSE)
    assert sparse.identity == Identity("contact", "42")
    assert (sparse.name, sparse.responsible, sparse.tags, sparse.phones) == ("", "", (), ())
    assert (sparse.custom_fields, sparse.extra) == ({}, {})
    assert sparse.created_at is None
    assert sparse.updated_at == datetime(2020, 4, 8, 15, 26, 30, tzinfo=UTC)


def test_older_answers_name_the_kind_of_a_phone_otherwise_or_not_at_all() -> None:
    assert [(phone.value, phone.type) for phone in record(OLDER).phones] == [
        ("+14155550132", "Work"),
        ("0900000003", "Work"),
    ]


@pytest.mark.parametrize("field", [payloads.PHONE, payloads.EMAIL])
def test_kinds_of_phones_and_e_mails_come_back_the_same(field: str) -> None:
    for code in [*fields.KINDS[field], "OWN_KIND"]:
        word = fields.kind_word(field, payloads.ValueWire(enum_code=code))
        assert fields.kind_code(field, word) == code
    assert fields.kind_code(field, "") == "WORK"
    assert fields.kind_code(field, "work") == "WORK"
    with pytest.raises(Inexpressible, match="Work"):
        fields.kind_code(field, "Văn phòng")


@pytest.mark.parametrize("offset", range(-11, 12))
def test_a_day_is_the_same_in_every_zone(offset: int) -> None:
    """Dates begin at midnight of an account whose zone nobody tells."""
    midnight = datetime(2026, 2, 28, tzinfo=UTC) - timedelta(hours=offset)
    wire = FieldWire(field_type="date", values=[payloads.ValueWire(value=int(midnight.timestamp()))])
    assert fields.read_value(wire) == "2026-02-28"
    written = fields.build_field("602", "2026-02-28", {"602": "date"})["values"][0]["value"]
    local = datetime.fromisoformat(written) + timedelta(hours=offset)
    assert local.date() == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("kind", "wire", "canonical"),
    [
        ("text", " a ", "a"),
        ("numeric", 5.0, "5"),
        ("numeric", "5.50", "5.50"),
        ("checkbox", "1", True),
        ("checkbox", False, False),
        ("date_time", 1767214800, "2025-12-31T21:00:00+00:00"),
        ("date_time", "2026-01-01T00:00:00+03:00", "2025-12-31T21:00:00+00:00"),
        ("date", "not a date", "not a date"),
        ("birthday", 10**30, str(10**30)),
        ("select", None, ""),
        ("text", {"a": 1}, ""),
    ],
)
def test_values_are_canonical(kind: str, wire: Any, canonical: Any) -> None:
    assert fields.read_value(FieldWire(field_type=kind, values=[payloads.ValueWire(value=wire)])) == canonical


# Changes


def body(values: dict[str, Any], before: dict[str, Any] | None = None, **types: str) -> dict[str, Any]:
    change = Change(
        Operation.EDIT, Kind.CONTACT, Identity("contact", "41"), values=values, before=before or {}
    )
    return changes.to_edit(change, types)


def test_only_custom_fields_that_differ_travel_and_removed_ones_are_cleared() -> None:
    before = {"custom_fields": {"600": "5", "601": True, "POSITION": "CEO"}}
    sent = body({"custom_fields": {"600": "6", "601": True}}, before)
    assert sent == {
        "custom_fields_values": [
            {"field_id": 600, "values": [{"value": "6"}]},
            {"field_code": "POSITION", "values": None},
        ]
    }


def test_a_list_is_sent_whole_with_its_codes() -> None:
    phones = [
        {"value": " 0900 ", "type": "Mobile"},
        {"value": "", "type": "Work"},
        {"value": "1", "type": ""},
    ]
    assert body({"phones": phones, "emails": []}) == {
        "custom_fields_values": [
            {
                "field_code": "PHONE",
                "values": [{"value": "0900", "enum_code": "MOB"}, {"value": "1", "enum_code": "WORK"}],
            },
            {"field_code": "EMAIL", "values": None},
        ]
    }


def test_name_tags_and_responsible_have_their_own_places() -> None:
    assert body({"name": " An ", "tags": ["a", "a", " "], "responsible": "504141"}) == {
        "name": "An",
        "_embedded": {"tags": [{"name": "a"}]},
        "responsible_user_id": 504141,
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "nothing"),
        ({"stage": "x"}, "no field for “stage”"),
        ({"responsible": "lan@example.com"}, "number of a user"),
        ({"custom_fields": {"Mã hợp đồng": "x"}}, "by number or code"),
        ({"custom_fields": {"PHONE": "0900"}}, "by number or code"),
        ({"custom_fields": {"602": "31/12/2026"}}, "not a date"),
        ({"custom_fields": {"605": "Huế"}}, "shape of its own"),
    ],
)
def test_what_amocrm_cannot_be_told_is_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(Inexpressible, match=words):
        body(values, None, **{"602": "date", "605": "smart_address"})


def test_a_create_carries_what_pairs_it_with_its_answer() -> None:
    change = Change(Operation.CREATE, Kind.CONTACT, None, code="ours", values={"name": "An", "phones": []})
    assert changes.to_create(change, {}) == {"name": "An", "request_id": "ours"}
    with pytest.raises(Inexpressible, match="own code"):
        changes.to_create(Change(Operation.CREATE, Kind.CONTACT, None, values={"name": "An"}), {})
    with pytest.raises(Inexpressible, match="people"):
        changes.to_create(Change(Operation.CREATE, Kind.LEAD, None, code="c", values={"name": "An"}), {})


@pytest.mark.parametrize(
    "identity", [None, Identity("contact", ""), Identity("contact", "x"), Identity("lead", "5")]
)
def test_an_id_of_another_family_is_none_of_amocrms(identity: Identity | None) -> None:
    with pytest.raises(Inexpressible, match="id"):
        changes.contact_number(Change(Operation.EDIT, Kind.CONTACT, identity))


# Extras


def test_linked_entities_are_shown_by_their_ids() -> None:
    raw = payloads.split_page(sample("list.json")).items[FULL].raw
    assert [(e.title, e.ref) for e in mapping.to_linked_entries(raw, "companies")] == [("Company 900", "900")]
    assert [e.ref for e in mapping.to_linked_entries(raw, "leads")] == ["1", "3916883"]
    (element,) = mapping.to_linked_entries(raw, "catalog_elements")
    assert (element.ref, element.text) == ("77", "List 4521, quantity 2")


def test_chats_are_read_and_anything_else_is_not() -> None:
    (chat,) = mapping.to_chat_entries(mapping.chats_of(sample("chats.json")))
    assert chat.ref == "6cbab3d5-c4c1-46ff-b710-ad59ad10805f"
    assert mapping.chats_of(None) == []
    with pytest.raises(ValueError, match="list of chats"):
        mapping.chats_of({"_embedded": {}})


def test_definitions_are_typed_and_phones_are_none_of_them() -> None:
    raw = sample("definitions.json")["_embedded"]["custom_fields"]
    phone, position, rank, place = map(mapping.to_definition, raw)
    assert phone is None
    assert position is not None
    assert (position.key, position.label, position.type) == ("POSITION", "Position", FieldType.TEXT)
    assert rank is not None
    assert [choice.value for choice in rank.choices] == ["Vàng", "Bạc"]
    assert place is not None
    assert (place.editable, place.choices) == (False, ())


def test_event_of_a_deletion_tells_who_and_when() -> None:
    first, second = sample("events.json")["_embedded"]["events"]
    deletion = mapping.to_deletion(RawItem("contact", "41", first))
    assert (deletion.trashed_by, deletion.contact.identity) == ("user 504141", Identity("contact", "41"))
    assert deletion.trashed_at == datetime(2020, 5, 31, 17, 14, 8, tzinfo=UTC)
    assert mapping.to_deletion(RawItem("contact", "42", second)).trashed_by == "amoCRM"
