"""Our changes → Concord's request bodies. Pure; shares its rules with `mapping`.

Raises `Inexpressible` only for what the vendor has no way to be told; whatever can be said
is for the vendor to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backoffice.remote.walk import RawItem
from crm_bridge.connectors.concord import payloads
from crm_bridge.connectors.concord.mapping import (
    JOB_TITLE,
    NO_NAMES,
    Names,
    phone_type,
    to_custom_fields,
    to_name,
    to_record,
)
from crm_bridge.connectors.wires import usable_id
from crm_bridge.records import Change, Relation, canonical_value

Body = dict[str, Any]


class Inexpressible(ValueError):
    """Concord has no way to be told this; the message is for staff."""


def to_create(change: Change, names: Names = NO_NAMES) -> Body:
    """The body of a create. Raises Inexpressible."""
    values = {name: value for name, value in change.values.items() if value not in ("", None, [], (), {})}
    if "name" not in values:
        raise Inexpressible("a contact needs a name")
    return _written({}, values, RawItem(payloads.FAMILY, "1", {}), names)


def to_update(change: Change, item: RawItem, names: Names = NO_NAMES, *, partial: bool = False) -> Body:
    """The whole contact as it is held now (`item`), with what changes. Raises Inexpressible, Unreadable.

    `partial` is for accounts that were seen to leave alone what an update does not name: then only the
    name goes along, which is required, and an edit made there in between is not undone.
    """
    if not change.values:
        raise Inexpressible("nothing is to be changed")
    body = payloads.build_update(item.raw, payloads.parse_contact(item.raw), names.custom_keys)
    if partial:
        body = {key: body[key] for key in ("first_name", "last_name")}
    body = _written(body, change.values, item, names)
    if not str(body.get("first_name") or "").strip():
        # required, but some contacts have only a last name: then its first word is the first name
        body["first_name"], body["last_name"] = split_name(to_record(item, names).name, "", "")
    if not body["first_name"]:
        raise Inexpressible("Concord needs a first name and this contact has no name at all; give it one")
    return body


def to_associations(change: Change) -> tuple[Relation, dict[str, list[int]]]:
    """What an associations call does, and its body. Raises Inexpressible."""
    try:
        relation = Relation.from_values(change.values)
        return relation, payloads.build_ids(relation.panel, relation.refs)
    except (KeyError, TypeError):
        raise Inexpressible("it is not said what is to be attached or detached") from None
    except ValueError as error:
        raise Inexpressible(str(error)) from None


def split_name(name: str, first: str, last: str) -> tuple[str, str | None]:
    """First and last name for a full name, with what was held before (`first`, `last`) as a guide.

    A part that still stands where it stood keeps its place: only the other part changes. Otherwise
    the first word is the first name. Both parts together always give the name again.
    """
    name, first, last = to_name(name, None), to_name(first, None), to_name(last, None)
    if first and name == to_name(first, last):
        return first, last or None
    if last and name.endswith(f" {last}"):
        return name.removesuffix(f" {last}"), last
    if first and name.startswith(f"{first} "):
        return first, name.removeprefix(f"{first} ")
    front, _, rest = name.partition(" ")
    return front, rest or None


def _written(body: Body, values: Mapping[str, Any], item: RawItem, names: Names) -> Body:
    for name, value in values.items():
        if name not in _WRITERS:
            raise Inexpressible(f"Concord has no field for “{name}”")
        body |= _WRITERS[name](canonical_value(value), item, names)
    return body


def _text(value: Any) -> str:
    return str(value or "").strip()


def _write_name(value: Any, item: RawItem, names: Names) -> Body:
    wire = payloads.parse_contact(item.raw)
    if not to_name(_text(value), None):
        raise Inexpressible("a contact needs a name")
    if wire.first_name and to_name(_text(value), None) == to_name(wire.first_name, wire.last_name):
        return {}
    first, last = split_name(_text(value), wire.first_name or "", wire.last_name or "")
    return {"first_name": first, "last_name": last}


def _write_phones(values: Any, item: RawItem, names: Names) -> Body:
    phones = [
        payloads.build_phone(number, phone_type(each.get("type")))
        for each in values or ()
        if (number := _text(each.get("value")))
    ]
    return {"phones": phones}


def _write_emails(values: Any, item: RawItem, names: Names) -> Body:
    addresses = [text for each in values or () if (text := _text(each.get("value")))]
    if len(addresses) > 1:
        raise Inexpressible("Concord keeps one e-mail address for a contact; leave only one")
    return {"email": addresses[0] if addresses else None}


def _write_addresses(values: Any, item: RawItem, names: Names) -> Body:
    """House number, street and ward become the vendor's one line for the street."""
    slots = [{key: _text(text) for key, text in each.items()} for each in values or ()]
    slots = [each for each in slots if any(text for key, text in each.items() if key != "type")]
    if len(slots) > 1:
        raise Inexpressible("Concord keeps one address for a contact; leave only one")
    given = slots[0] if slots else {}
    if given.get("country_code") and not given.get("country"):
        raise Inexpressible("Concord has no place for a country code; choose the country by its number")
    line = " ".join(filter(None, (given.get("street"), given.get("street_name"))))
    return {
        "street": ", ".join(filter(None, (line, given.get("ward")))) or None,
        "city": given.get("city") or None,
        "state": given.get("district") or None,
        "postal_code": given.get("postal_code") or None,
        "country_id": _number(given.get("country", ""), names.countries, "country"),
    }


def _write_tags(values: Any, item: RawItem, names: Names) -> Body:
    return {"tags": list(dict.fromkeys(text for each in values or () if (text := _text(each))))}


def _write_source(value: Any, item: RawItem, names: Names) -> Body:
    return {"source_id": _number(_text(value), names.sources, "source")}


def _write_responsible(value: Any, item: RawItem, names: Names) -> Body:
    return {"user_id": _number(_text(value), names.users, "responsible person")}


def _number(text: str, names: Mapping[str, str], what: str) -> int | None:
    """The number that a name or a number stands for."""
    if not text:
        return None
    named = [number for number, name in names.items() if name.casefold() == text.casefold()]
    number = usable_id(named[0] if len(named) == 1 else text)
    if not number:
        raise Inexpressible(f"Concord takes the {what} by its number; “{text}” is none")
    return int(number)


def _write_custom_fields(values: Any, item: RawItem, names: Names) -> Body:
    """What is new or different, by key; what was taken away is sent as null."""
    given: Mapping[str, Any] = values or {}
    held = to_custom_fields(item.raw, payloads.parse_contact(item.raw), names)
    keys = {label: key for key, label in names.custom_fields.items()}
    body: Body = {}
    for label in dict.fromkeys((*given, *held)):
        value = given.get(label)
        if value == held.get(label):
            continue
        key = keys.get(label, label)
        if key != JOB_TITLE and payloads.is_own(key):
            raise Inexpressible(f"“{label}” is a field of Concord's own and no custom field")
        body[key] = None if value in ("", None, []) else value
    return body


_WRITERS: dict[str, Callable[[Any, RawItem, Names], Body]] = {
    "name": _write_name,
    "phones": _write_phones,
    "emails": _write_emails,
    "addresses": _write_addresses,
    "tags": _write_tags,
    "source": _write_source,
    "responsible": _write_responsible,
    "custom_fields": _write_custom_fields,
}
FIELDS = frozenset(_WRITERS)
"""What can be written at all."""
