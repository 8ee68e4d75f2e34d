"""Our changes as Concord's bodies, above all how a changed name is split."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.remote.walk import RawItem
from crm_bridge.connectors.concord import payloads
from crm_bridge.connectors.concord.changes import (
    Inexpressible,
    split_name,
    to_associations,
    to_create,
    to_update,
)
from crm_bridge.connectors.concord.mapping import Names, to_name, to_record
from crm_bridge.records import Change, Identity, Kind, Operation, canonical

ID = Identity("contact", "41")
HELD: dict[str, Any] = {
    "id": 41, "first_name": "Ana", "last_name": "Souza", "email": "ana@example.com", "country_id": 30,
    "phones": [{"number": "+55 11 98888-7777", "type": "mobile"}], "user_id": 3, "city": "Santos",
    "credit_limit": 5, "note_key": "x", "job_title": "Chefe",
}  # fmt: skip


def edit(values: dict[str, Any], raw: dict[str, Any] = HELD, names: Names | None = None) -> dict[str, Any]:
    item = payloads.raw_item(raw)
    return to_update(Change(Operation.EDIT, Kind.CONTACT, ID, values=values), item, names or Names())


def create(values: dict[str, Any], names: Names | None = None) -> dict[str, Any]:
    return to_create(Change(Operation.CREATE, Kind.CONTACT, None, values=values), names or Names())


# Names


@pytest.mark.parametrize(
    ("name", "first", "last", "parts"),
    [
        # nothing known before: the first word is the first name
        ("Ana Souza", "", "", ("Ana", "Souza")),
        ("Ana", "", "", ("Ana", None)),
        ("Ana Lúcia de Souza", "", "", ("Ana", "Lúcia de Souza")),
        ("  Ana   Souza ", "", "", ("Ana", "Souza")),
        # not changed: the parts stay as they were
        ("Ana Lúcia Souza", "Ana Lúcia", "Souza", ("Ana Lúcia", "Souza")),
        ("Nguyễn Văn An", "Nguyễn Văn An", "", ("Nguyễn Văn An", None)),
        # the last name stands: the rest is the first name
        ("Ana Lúcia Souza", "Ana", "Souza", ("Ana Lúcia", "Souza")),
        ("Bia de Souza e Silva", "Ana", "de Souza e Silva", ("Bia", "de Souza e Silva")),
        ("Trần Văn An", "Nguyễn Văn", "An", ("Trần Văn", "An")),
        # the first name stands: the rest is the last name
        ("Ana Lúcia Côrtes", "Ana Lúcia", "Souza", ("Ana Lúcia", "Côrtes")),
        ("Nguyễn Văn Bình", "Nguyễn Văn", "An", ("Nguyễn Văn", "Bình")),
        ("Ana Souza", "Ana", "", ("Ana", "Souza")),
        # the last name was taken away, or neither stands
        ("Ana", "Ana", "Souza", ("Ana", None)),
        ("Souza", "Ana", "Souza", ("Souza", None)),
        ("Bia Côrtes", "Ana", "Souza", ("Bia", "Côrtes")),
        # parts are whole words
        ("Anabela Souza", "Ana", "Lima", ("Anabela", "Souza")),
        ("Ana Desouza", "Bia", "souza", ("Ana", "Desouza")),
        # one contact has only a last name there
        ("Souza", "", "Souza", ("Souza", None)),
        ("Ana Souza", "", "Souza", ("Ana", "Souza")),
    ],
)
def test_changed_name_is_split_with_the_former_parts_as_a_guide(
    name: str, first: str, last: str, parts: tuple[str, str | None]
) -> None:
    assert split_name(name, first, last) == parts


WORD = st.text("abAB ôễ'-\t\u00a0", max_size=8)


@given(name=WORD.filter(str.strip), first=WORD, last=WORD)
@settings(max_examples=1000, deadline=None)
def test_name_read_written_and_read_again_is_the_same(name: str, first: str, last: str) -> None:
    parts = split_name(name, first, last)
    assert parts[0]
    assert to_name(*parts) == to_name(name, None)
    assert (
        split_name(to_name(*parts), parts[0], parts[1] or "") == parts
    )  # and writing it again moves nothing


def test_untouched_name_is_sent_as_it_is_held() -> None:
    raw = {**HELD, "first_name": "Maria  Clara", "last_name": "d'Ávila"}
    for values in ({"name": "Maria Clara d'Ávila"}, {"tags": ["a"]}):
        body = edit(values, raw)
        assert (body["first_name"], body["last_name"]) == ("Maria  Clara", "d'Ávila")


def test_contact_without_a_first_name_gets_one_from_its_name() -> None:
    body = edit({"tags": ["a"]}, {**HELD, "first_name": None, "last_name": "Souza e Silva"})
    assert (body["first_name"], body["last_name"]) == ("Souza", "e Silva")
    with pytest.raises(Inexpressible, match="first name"):
        edit({"tags": ["a"]}, {"id": 41})


# Whole bodies


def test_edit_of_one_field_keeps_all_others() -> None:
    body = edit({"tags": ["VIP", "VIP", " "]})
    assert body == {
        "first_name": "Ana", "last_name": "Souza", "email": "ana@example.com", "job_title": "Chefe",
        "street": None, "city": "Santos", "state": None, "postal_code": None, "user_id": 3, "source_id": None,
        "country_id": 30, "phones": HELD["phones"], "tags": ["VIP"], "credit_limit": 5, "note_key": "x",
    }  # fmt: skip


def test_create_sends_only_what_is_given() -> None:
    values = {"name": "Ana Souza", "phones": [], "emails": [], "tags": [], "source": "", "addresses": []}
    assert create(values) == {"first_name": "Ana", "last_name": "Souza"}
    phones = [{"value": "0934", "type": "Work"}, {"value": "1", "type": ""}]
    assert create({"name": "An", "phones": phones}) == {
        "first_name": "An", "last_name": None,
        "phones": [{"number": "0934", "type": "work"}, {"number": "1", "type": "other"}],
    }  # fmt: skip


def test_house_number_street_and_ward_share_one_line() -> None:
    address = {"street": "12A", "street_name": "Lê Lợi", "ward": "Phường 5", "district": "Quận 3",
               "city": "Huế", "country": "704", "postal_code": "49000", "type": "Work"}  # fmt: skip
    assert create({"name": "An", "addresses": [address]}) == {
        "first_name": "An", "last_name": None, "street": "12A Lê Lợi, Phường 5", "state": "Quận 3",
        "city": "Huế", "postal_code": "49000", "country_id": 704,
    }  # fmt: skip
    assert edit({"addresses": []})["country_id"] is None


def test_names_stand_for_numbers_where_an_admin_has_told() -> None:
    names = Names({"3": "Hà", "4": "Íris"}, {"2": "Feira"}, {"30": "Brasil"}, {"credit_limit": "Hạn mức"})
    values = {
        "responsible": "íris", "source": "Feira", "addresses": [{"city": "Rio", "country": "brasil"}],
        "custom_fields": {"Hạn mức": "7", "job_title": "Sócia"},
    }  # fmt: skip
    body = edit(values, names=names)
    assert (body["user_id"], body["source_id"], body["country_id"]) == (4, 2, 30)
    assert (body["credit_limit"], body["job_title"]) == ("7", "Sócia")
    assert edit({"responsible": "4"}, names=names)["user_id"] == 4


def test_custom_field_is_sent_when_it_differs_and_null_when_it_was_taken_away() -> None:
    held = {"credit_limit": "5", "note_key": "x", "job_title": "Chefe"}
    assert edit({"custom_fields": held})["credit_limit"] == 5  # as it was read: nobody changed it
    body = edit({"custom_fields": {"credit_limit": "6", "interests": ["a"], "newsletter": False}})
    assert (body["credit_limit"], body["interests"], body["newsletter"]) == ("6", ["a"], False)
    assert (body["note_key"], body["job_title"]) == (None, None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "nothing is to be changed"),
        ({"name": "  "}, "needs a name"),
        ({"stage": "new"}, "no field for “stage”"),
        ({"emails": [{"value": "a@example.com"}, {"value": "b@example.com"}]}, "one e-mail"),
        ({"addresses": [{"city": "Huế"}, {"city": "Rio"}]}, "one address"),
        ({"addresses": [{"city": "Huế", "country_code": "VN"}]}, "country code"),
        ({"addresses": [{"city": "Huế", "country": "Vietnam"}]}, "country by its number; “Vietnam”"),
        ({"responsible": "ha@example.com"}, "responsible person by its number"),
        ({"source": "Feira"}, "source by its number"),
        ({"custom_fields": {"user_id": "1"}}, "“user_id” is a field of Concord's own"),
        ({"custom_fields": {"deleted_at": "now"}}, "field of Concord's own"),
        ({"custom_fields": {"companies": ["1"]}}, "field of Concord's own"),
    ],
    ids=str,
)
def test_what_cannot_be_told_is_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(Inexpressible, match=words):
        edit(values)


def test_name_that_means_two_people_is_no_name() -> None:
    with pytest.raises(Inexpressible, match="by its number"):
        edit({"responsible": "Hà"}, names=Names({"3": "Hà", "4": "hà"}))


def test_everything_written_reads_back_the_same() -> None:
    values = {
        "name": "Nguyễn Thử", "emails": [{"value": "a@example.com", "type": ""}], "tags": ["VIP"],
        "phones": [{"value": "0934 000 011", "type": "work"}, {"value": "1", "type": ""}], "source": "2",
        "responsible": "3",
        "custom_fields": {"job_title": "Sócia", "points": "5", "flag": True, "many": ["a"]},
        "addresses": [{"street": "", "street_name": "12A Lê Lợi", "ward": "", "district": "Quận 3",
                       "city": "Huế", "country_code": "", "country": "704", "postal_code": "", "type": ""}],
    }  # fmt: skip
    record = to_record(RawItem("contact", "41", create(values)))
    assert canonical(record, list(values)) == values


@pytest.mark.parametrize("values", [{}, {"panel": "deals"}, {"panel": "deals", "action": "burn", "refs": []}])
def test_association_that_does_not_say_what_to_do_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(Inexpressible):
        to_associations(Change(Operation.RELATE, Kind.CONTACT, ID, values=values))
