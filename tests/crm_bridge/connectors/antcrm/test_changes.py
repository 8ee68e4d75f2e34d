"""Our changes in AntCRM's words: said exactly, and read back as they were meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_bridge.connectors.antcrm import changes
from crm_bridge.connectors.antcrm.changes import Inexpressible
from crm_bridge.records import (
    EDITABLE_FIELDS,
    Address,
    Change,
    ContactRecord,
    Email,
    Gender,
    Identity,
    Kind,
    Operation,
    Phone,
    SocialAccount,
    canonical,
)

LEAD = Identity("lead", "1")

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
some = words.filter(lambda text: text.strip() != "")
emails = st.builds(Email, some, st.sampled_from(["Work", "Home"]))
phones = st.builds(Phone, some, st.sampled_from(["Work", "Mobile"]))
addresses = st.builds(
    Address, words, words, words, words, some, words, words, words, st.sampled_from(["Work", "Home"])
)
records = st.builds(
    ContactRecord,
    identity=st.just(LEAD),
    kind=st.just(Kind.LEAD),
    name=some,
    gender=st.sampled_from([Gender.MALE, Gender.FEMALE, Gender.OTHER]),
    birth_date=st.none() | st.dates(),
    phones=st.lists(phones, max_size=3).map(tuple),
    emails=st.lists(emails, max_size=3).map(tuple),
    addresses=st.lists(addresses, max_size=2).map(tuple),
    social_accounts=st.lists(st.builds(SocialAccount, words, some), max_size=2).map(tuple),
    industry=words,
    note=words,
    stage=words,
    tags=st.lists(words, max_size=4).map(tuple),
    source=words,
    responsible=words,
    custom_fields=st.dictionaries(some.map(str.strip), words | st.integers(-999, 999), max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(records)
def test_written_and_read_again_is_a_fixed_point(given_record: ContactRecord) -> None:
    """One pass may tidy up what staff typed; a second pass changes nothing more."""
    once = changes.canonical_sent(canonical(given_record))
    assert changes.canonical_sent(once) == once
    assert set(once) == set(EDITABLE_FIELDS)
    for name in ("gender", "birth_date"):
        assert once[name] == canonical(given_record)[name]


def test_tidying_follows_one_rule_per_field() -> None:
    tidy = changes.canonical_sent(
        {
            "name": "  An ",
            "phones": [{"value": " 0934 ", "type": ""}, {"value": "  ", "type": "Work"}],
            "tags": ["VIP", " VIP ", ""],
            "responsible": "Lan@Example.com",
            "custom_fields": {"Hạn mức": 5, "Trống": " ", "Đúng": 2.0},
        }
    )
    assert tidy == {
        "name": "An",
        "phones": [{"value": "0934", "type": "Work"}],
        "tags": ["VIP"],
        "responsible": "lan@example.com",
        "custom_fields": {"Hạn mức": "5", "Đúng": "2"},
    }


def change(operation: Operation = Operation.EDIT, **parts: Any) -> Change:
    return Change(
        **({"operation": operation, "kind": Kind.LEAD, "identity": LEAD, "values": {"name": "An"}} | parts)
    )


def test_create_always_says_its_kind() -> None:
    for kind, contact_type, number in (
        (Kind.LEAD, "lead", 0),
        (Kind.CONTACT, "customer", 0),
        (Kind.ACCOUNT, "customer", 1),
    ):
        body = changes.to_create(change(Operation.CREATE, kind=kind, identity=None, code="c-1"))
        assert body == {"customerIdApiRing": "c-1", "contactType": contact_type, "type": number, "name": "An"}


def test_create_leaves_out_what_staff_left_empty() -> None:
    values = {"name": "An", "gender": "", "birth_date": None, "phones": [], "note": "", "custom_fields": {}}
    body = changes.to_create(change(Operation.CREATE, identity=None, code="c", values=values))
    assert set(body) == {"customerIdApiRing", "contactType", "type", "name"}


def test_edit_can_empty_everything_that_may_be_empty() -> None:
    values: dict[str, Any] = {name: "" for name in ("industry", "note", "stage", "source", "responsible")}
    values |= {"phones": [], "emails": [], "addresses": [], "social_accounts": [], "tags": []}
    values |= {"birth_date": None, "custom_fields": {}}
    body = changes.to_edit(change(values=values, before={"custom_fields": {"Mã": "1"}}))
    assert body == {
        "leadId": 1,
        "industry": "",
        "bgInfo": "",
        "stage": "",
        "sourceContact": "",
        "responsibleStaff": "",
        "phones": [],
        "emails": [],
        "addresses": [],
        "im": [],
        "tags": [],
        "dateOfBirth": "",
        "cusFields": [{"name": "Mã", "value": ""}],
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": " "}, "needs a name"),
        ({"gender": ""}, "choose one"),
        ({"gender": "robot"}, "choose one"),
        ({"birth_date": "5/3/1994"}, "not a date"),
        ({"group": "A"}, "not later"),
        ({"rank_name": "Vàng"}, "rank_name"),
        ({"custom_fields": {"67aa00000000000000000005": "x"}}, "by name"),
        ({}, "nothing"),
    ],
)
def test_what_cannot_be_said_is_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(Inexpressible, match=words):
        changes.to_edit(change(values=values))


def test_create_needs_code_and_name() -> None:
    for parts in ({"code": ""}, {"code": "c", "values": {"note": "x"}}):
        with pytest.raises(Inexpressible):
            changes.to_create(change(Operation.CREATE, identity=None, **parts))
