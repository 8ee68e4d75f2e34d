"""From our changes to Udesk's bodies: partial, with ids of what stays, and nothing emptied."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_bridge.connectors.udesk.changes import Inexpressible, canonical_sent, key_of, to_create, to_update
from crm_bridge.connectors.udesk.mapping import NO_DEFINITIONS
from crm_bridge.connectors.udesk.payloads import CustomerWire, parse
from crm_bridge.records import Change, Identity, Kind, Operation
from tests.crm_bridge.connectors.udesk.samples import definitions, sample

SEVEN = Identity("customer", "7")


def edit(values: dict[str, Any], **parts: Any) -> Change:
    return Change(Operation.EDIT, Kind.CONTACT, SEVEN, values=values, **parts)


def present() -> CustomerWire:
    return parse(CustomerWire, sample("customer_full")["customer"])


def test_create_carries_our_code_and_only_what_has_a_value() -> None:
    values = {"name": " An ", "note": "", "tags": [], "phones": [{"value": "1"}], "stage": None}
    change = Change(Operation.CREATE, Kind.CONTACT, None, code="c-1", values=values)
    assert to_create(change, NO_DEFINITIONS) == {
        "customer": {"nick_name": "An", "cellphones": [[None, "1"]], "open_api_token": "c-1"}
    }


def test_edit_says_only_what_changes() -> None:
    assert to_update(edit({"name": "An"}), None, NO_DEFINITIONS) == {"customer": {"nick_name": "An"}}
    assert to_update(edit({"tags": []}), None, NO_DEFINITIONS) == {"tags": ""}
    assert to_update(edit({"responsible": "12 / 3"}), None, NO_DEFINITIONS) == {
        "customer": {"owner_id": 12, "owner_group_id": 3}
    }


def test_primary_e_mail_stays_the_primary_one_wherever_it_stands() -> None:
    emails = [{"value": text} for text in ("new@x.vn", "customer@sample.example", "customer2@qq.example")]
    assert to_update(edit({"emails": emails}), present(), NO_DEFINITIONS) == {
        "customer": {"email": "customer@sample.example"},
        "other_emails": [[None, "new@x.vn"], [4, "customer2@qq.example"]],
    }


def test_custom_fields_are_sent_whole_in_the_vendors_forms() -> None:
    values = {
        "TextField_2": "a\nb",
        "TextField_5": "2026-11-25T14:30:00",
        "TextField_7": 13,
        "SelectField_1": "1",
        "SelectField_3": ["0", "3"],
    }
    body = to_update(edit({"custom_fields": values}), CustomerWire(), definitions())
    assert body["customer"]["custom_fields"] == {
        "TextField_2": "a\r\nb",
        "TextField_5": "2026-11-25 14:30",
        "TextField_7": "13",
        "SelectField_1": ["1"],
        "SelectField_3": ["0", "3"],
    }


def test_custom_field_that_would_be_emptied_is_named_by_its_label() -> None:
    with pytest.raises(Inexpressible, match="“Single-line text field”"):
        to_update(edit({"custom_fields": {"TextField_2": "x"}}), present(), definitions())


def test_key_is_the_id_else_our_code() -> None:
    assert key_of(edit({})) == ("id", "7")
    assert key_of(Change(Operation.DELETE, Kind.CONTACT, None, code="c-1")) == ("token", "c-1")
    for identity, code in ((None, ""), (None, "  "), (Identity("customer", "x"), "c")):
        with pytest.raises(Inexpressible):
            key_of(Change(Operation.DELETE, Kind.CONTACT, identity, code=code))


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(str.strip)


@settings(max_examples=150, deadline=None)
@given(
    name=texts,
    note=texts,
    tags=st.lists(texts.filter(lambda text: "," not in text), max_size=3),
    phones=st.lists(texts, max_size=3),
    emails=st.lists(texts, min_size=1, max_size=3),
)
def test_what_is_sent_reads_back_as_itself(
    name: str, note: str, tags: list[str], phones: list[str], emails: list[str]
) -> None:
    """canonical ∘ read ∘ write is the identity on what it has produced once."""
    values = {
        "name": name,
        "note": note,
        "tags": tags,
        "phones": [{"value": text, "type": ""} for text in phones],
        "emails": [{"value": text, "type": ""} for text in emails],
    }
    once = canonical_sent(values, NO_DEFINITIONS)
    assert canonical_sent(once, NO_DEFINITIONS) == once
