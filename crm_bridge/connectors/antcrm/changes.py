"""Our changes → AntCRM's request bodies. Pure; shares its rules with `mapping`.

Raises `Inexpressible` only for what the vendor has no way to be told; whatever can be said
is for the vendor to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from backoffice.remote.walk import RawItem
from crm_bridge.connectors.antcrm import payloads
from crm_bridge.connectors.antcrm.mapping import DEFAULT_TYPE, to_record
from crm_bridge.connectors.wires import custom_value
from crm_bridge.records import Change, Gender, Identity, Kind, canonical, canonical_value

_GENDER_NUMBERS = {Gender.MALE: 0, Gender.FEMALE: 1, Gender.OTHER: 2}


class Inexpressible(ValueError):
    """AntCRM has no way to be told this; the message is for staff."""


def contact_type_of(kind: Kind) -> str:
    """The vendor's word for a kind, which is also the family its ids count in."""
    return payloads.LEAD if kind is Kind.LEAD else payloads.CUSTOMER


def to_create(change: Change) -> dict[str, Any]:
    """The body of a create. Raises Inexpressible."""
    if not change.code:
        raise Inexpressible("a new contact needs our own code")
    values = {name: value for name, value in change.values.items() if value not in ("", None, [], (), {})}
    if not values.get("name"):
        raise Inexpressible("a contact needs a name")
    fields = to_fields(values, {})
    return payloads.build_create(
        change.code, contact_type_of(change.kind), change.kind is Kind.ACCOUNT, fields
    )


def to_edit(change: Change) -> dict[str, Any]:
    """The body of an edit: one selector and what changes. Raises Inexpressible."""
    if not change.values:
        raise Inexpressible("nothing is to be changed")
    if "group" in change.values:
        raise Inexpressible("the group can be given when a contact is created, but not later")
    return _selector(change) | to_fields(change.values, change.before)


def to_delete(change: Change) -> dict[str, Any]:
    """The body of a delete. Raises Inexpressible."""
    return _selector(change)


def _selector(change: Change) -> dict[str, Any]:
    identity = change.identity or Identity("", "")
    try:
        return payloads.build_selector(identity.family, identity.remote_id.strip(), change.code.strip())
    except ValueError as error:
        raise Inexpressible(str(error)) from None


def to_fields(values: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Canonical values as the vendor's fields; lists are sent whole. Raises Inexpressible."""
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if name not in _WRITERS:
            raise Inexpressible(f"AntCRM has no field for “{name}”")
        key, write = _WRITERS[name]
        fields[key] = write(canonical_value(value))
    if "custom_fields" in values:
        # a field that was taken away is blanked by name, in case the list is merged, not replaced
        gone = [name for name in before.get("custom_fields") or {} if name not in values["custom_fields"]]
        fields["cusFields"] += [{"name": name, "value": ""} for name in gone]
    return fields


def canonical_sent(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a read after writing these values must show, as `records.canonical` has it."""
    wires = {
        key: value
        for name, value in values.items()
        if name != "group"
        for key, value in to_fields({name: value}, {}).items()
    }
    item = RawItem(payloads.LEAD, "1", wires)
    record = to_record(item)
    return canonical(record, [name for name in values if name != "group"])


def _write_text(value: Any) -> str:
    return str(value or "").strip()


def _write_name(value: Any) -> str:
    if not (name := _write_text(value)):
        raise Inexpressible("a contact needs a name")
    return name


def _write_gender(value: Any) -> int:
    try:
        return _GENDER_NUMBERS[Gender(value)]
    except (KeyError, ValueError):
        raise Inexpressible("AntCRM knows male, female and other; choose one") from None


def _write_birth_date(value: Any) -> str:
    try:
        return payloads.build_birth_date(date.fromisoformat(value) if value else None)
    except ValueError:
        raise Inexpressible("the birth date is not a date") from None


def _write_typed(values: Any) -> list[dict[str, str]]:
    return [
        {"type": _write_text(each.get("type")) or DEFAULT_TYPE, "value": value}
        for each in values or ()
        if (value := _write_text(each.get("value")))
    ]


def _write_addresses(values: Any) -> list[dict[str, Any]]:
    return [_write_address({key: _write_text(text) for key, text in each.items()}) for each in values or ()]


def _write_address(each: dict[str, str]) -> dict[str, Any]:
    address: dict[str, Any] = {
        "type": each.get("type") or DEFAULT_TYPE,
        "street": each.get("street", ""),
        "streetName": each.get("street_name", ""),
        "wards": each.get("ward", ""),
        "state": each.get("district", ""),
        "city": each.get("city", ""),
        "country": {"code": each.get("country_code", ""), "name": each.get("country", "")},
    }
    if each.get("postal_code"):
        address["zip"] = each["postal_code"]
    return address


def _write_social_accounts(values: Any) -> list[dict[str, str]]:
    return [
        {"protocol": _write_text(each.get("protocol")), "value": value}
        for each in values or ()
        if (value := _write_text(each.get("value")))
    ]


def _write_tags(values: Any) -> list[str]:
    return list(dict.fromkeys(text for each in values or () if (text := _write_text(each))))


def _write_responsible(value: Any) -> str:
    return _write_text(value).lower()


def _write_custom_fields(values: Any) -> list[dict[str, Any]]:
    unnamed = [name for name in values or {} if _is_storage_id(name)]
    if unnamed:
        raise Inexpressible(
            "AntCRM shows these custom fields by number only, but takes them by name; "
            "an administrator has to name them in the connection first"
        )
    return [
        {"name": name, "value": value}
        for name, given in (values or {}).items()
        if (value := custom_value(given)) not in ("", None)
    ]


def _is_storage_id(text: str) -> bool:
    return len(text) == 24 and all(char in "0123456789abcdef" for char in text)


_WRITERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", _write_name),
    "gender": ("gender", _write_gender),
    "birth_date": ("dateOfBirth", _write_birth_date),
    "phones": ("phones", _write_typed),
    "emails": ("emails", _write_typed),
    "addresses": ("addresses", _write_addresses),
    "social_accounts": ("im", _write_social_accounts),
    "industry": ("industry", _write_text),
    "note": ("bgInfo", _write_text),
    "stage": ("stage", _write_text),
    "tags": ("tags", _write_tags),
    "source": ("sourceContact", _write_text),
    "responsible": ("responsibleStaff", _write_responsible),
    "custom_fields": ("cusFields", _write_custom_fields),
    "group": ("group", _write_text),
}
