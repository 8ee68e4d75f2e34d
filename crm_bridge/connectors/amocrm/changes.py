"""Our changes → amoCRM's request bodies. Pure; shares its rules with `mapping`.

Raises `Inexpressible` only for what the vendor has no way to be told; whatever can be said is for
the vendor to judge. A field that is sent replaces its whole list of values, one that is not sent
stays; so of the custom fields only those travel that differ from what the vendor holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_bridge.connectors.amocrm import fields, payloads
from crm_bridge.connectors.amocrm.fields import Inexpressible
from crm_bridge.connectors.wires import usable_id
from crm_bridge.records import Change, Kind, canonical_value

WRITABLE = ("name", "phones", "emails", "tags", "responsible", "custom_fields")

__all__ = ["WRITABLE", "Inexpressible", "contact_number", "request_id", "to_create", "to_edit"]


def to_create(change: Change, types: Mapping[str, str]) -> dict[str, Any]:
    """The body of a create. Raises Inexpressible."""
    if change.kind is not Kind.CONTACT:
        raise Inexpressible("amoCRM's contacts are people; leads and companies cannot be created from here")
    values = {name: value for name, value in change.values.items() if value not in ("", None, [], (), {})}
    return to_fields(values, {}, types) | {"request_id": request_id(change)}


def to_edit(change: Change, types: Mapping[str, str]) -> dict[str, Any]:
    """What an edit changes, without the id. Raises Inexpressible."""
    if not change.values:
        raise Inexpressible("nothing is to be changed")
    return to_fields(change.values, change.before, types)


def contact_number(change: Change) -> int:
    """The id of the contact that a change is about. Raises Inexpressible."""
    number = usable_id(change.identity.remote_id) if change.identity else ""
    if not number or (change.identity and change.identity.family != payloads.FAMILY):
        raise Inexpressible("the id is none of amoCRM's")
    return int(number)


def request_id(change: Change) -> str:
    """What pairs an item with its answer. Raises Inexpressible."""
    if not (change.request_id or change.code):
        raise Inexpressible("a new contact needs our own code")
    return change.request_id or change.code


def to_fields(
    values: Mapping[str, Any], before: Mapping[str, Any], types: Mapping[str, str]
) -> dict[str, Any]:
    """Canonical values in the vendor's words. Raises Inexpressible."""
    body: dict[str, Any] = {}
    custom: list[dict[str, Any]] = []
    for name, given in values.items():
        value = canonical_value(given)
        if name == "name":
            body["name"] = str(value or "").strip()
        elif name == "tags":
            tags = [text for each in value or () if (text := str(each).strip())]
            body["_embedded"] = payloads.build_tags(list(dict.fromkeys(tags)))
        elif name == "responsible":
            body["responsible_user_id"] = _responsible(value)
        elif name == "phones":
            custom.append(_reach(payloads.PHONE, value))
        elif name == "emails":
            custom.append(_reach(payloads.EMAIL, value))
        elif name == "custom_fields":
            custom += _custom(value or {}, before.get("custom_fields") or {}, types)
        else:
            raise Inexpressible(f"amoCRM has no field for “{name}”")
    return body | {"custom_fields_values": custom} if custom else body


def _responsible(value: Any) -> int:
    number = usable_id(value)
    if not number:
        raise Inexpressible("amoCRM needs somebody responsible, by the number of a user")
    return int(number)


def _reach(field: str, values: Any) -> dict[str, Any]:
    built = [
        payloads.build_value(text, fields.kind_code(field, str(each.get("type") or "")))
        for each in values or ()
        if (text := str(each.get("value") or "").strip())
    ]
    return payloads.build_field(field, built)


def _custom(
    values: Mapping[str, Any], before: Mapping[str, Any], types: Mapping[str, str]
) -> list[dict[str, Any]]:
    changed = {key: value for key, value in values.items() if key not in before or before[key] != value}
    gone = [key for key in before if key not in values]
    return [
        *(fields.build_field(key, value, types) for key, value in changed.items()),
        *(fields.build_field(key, "", types) for key in gone),
    ]
