"""Our changes → Udesk's request bodies. Pure; shares its rules with `mapping`.

Raises `Inexpressible` only for what the vendor has no proven way to be told: above all emptying
a field. Lists are sent whole, with the ids of what is already there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from crm_bridge.connectors.udesk import mapping, payloads
from crm_bridge.connectors.udesk.mapping import NETWORKS, Definitions
from crm_bridge.connectors.udesk.payloads import CustomerWire
from crm_bridge.records import Change, FieldType, canonical, canonical_value

LONGEST = 255
#: Fields whose new value can only be said by who knows the present one.
NEEDS_PRESENT = frozenset({"phones", "emails", "social_accounts", "custom_fields"})
_TEXTS = {
    "name": ("nick_name", "the name"),
    "note": ("description", "the note"),
    "stage": ("level", "the level"),
}
_NUMBERS = re.compile(r"\D*(\d{1,18})\D+(\d{1,18})\D*")
_NOBODY = CustomerWire()


class Inexpressible(ValueError):
    """Udesk has no proven way to be told this; the message is for staff."""


def key_of(change: Change) -> tuple[str, str]:
    """What names the customer of a change. Raises Inexpressible."""
    number = change.identity.remote_id.strip() if change.identity else ""
    if number:
        if not payloads.usable_id(number):
            raise Inexpressible("the id is none of Udesk's")
        return "id", number
    if change.code.strip():
        return "token", change.code.strip()
    raise Inexpressible("neither an id nor our code is known")


def to_create(change: Change, definitions: Definitions) -> dict[str, Any]:
    """The body of a create, with our code as the external id. Raises Inexpressible."""
    if not change.code.strip():
        raise Inexpressible("a new contact needs our own code")
    values = {name: value for name, value in change.values.items() if value not in ("", None, [], (), {})}
    if not values.get("name"):
        raise Inexpressible("a contact needs a name")
    body = _body(values, _NOBODY, {}, definitions)
    body["customer"]["open_api_token"] = change.code.strip()
    return body


def to_update(change: Change, present: CustomerWire | None, definitions: Definitions) -> dict[str, Any]:
    """The body of an update: only what changes. Raises Inexpressible."""
    if not change.values:
        raise Inexpressible("nothing is to be changed")
    return _body(change.values, present or _NOBODY, change.before, definitions)


def canonical_sent(values: Mapping[str, Any], definitions: Definitions) -> dict[str, Any]:
    """What a read after creating with these values must show, as `records.canonical` has it."""
    body = _body(values, _NOBODY, {}, definitions)
    raw = dict(body.get("customer") or {})
    raw["cellphones"] = [{"content": text} for _, text in raw.get("cellphones", [])]
    raw["other_emails"] = body.get("other_emails") or []
    raw["tags"] = [{"name": name} for name in (body.get("tags") or "").split(",")]
    item = payloads.raw_item({"id": 1, **raw})
    return canonical(mapping.to_record(item, definitions), list(values))


def _body(
    values: Mapping[str, Any], present: CustomerWire, before: Mapping[str, Any], definitions: Definitions
) -> dict[str, Any]:
    customer: dict[str, Any] = {}
    other_emails: list[tuple[int | None, str]] | None = None
    tags: list[str] | None = None
    for name, given in values.items():
        value = canonical_value(given)
        if name in _TEXTS:
            customer |= _text(name, value, before)
        elif name == "emails":
            customer["email"], other_emails = _emails(value, present)
        elif name == "tags":
            tags = _texts(value)
        elif name in _WRITERS:
            customer |= _WRITERS[name](value, present, before, definitions)
        else:
            raise Inexpressible(f"Udesk has no field for “{name}”")
    if customer.get("email") == "":
        del customer["email"]
    try:
        return payloads.build_body(customer, other_emails=other_emails, tags=tags)
    except ValueError as error:
        raise Inexpressible(str(error)) from None


def _text(name: str, value: Any, before: Mapping[str, Any]) -> dict[str, str]:
    key, words = _TEXTS[name]
    text = _clean(value)
    if not text:
        if name == "name":
            raise Inexpressible("a contact needs a name")
        _refuse_emptying(words, before.get(name, "something"))
        return {}
    if len(text) > LONGEST:
        raise Inexpressible(f"{words} is longer than the {LONGEST} characters that Udesk keeps")
    return {key: text}


def _refuse_emptying(words: str, before: Any) -> None:
    """No document says how a field is emptied, and a wrong guess would show as "sent"."""
    if before not in ("", None, [], {}):
        raise Inexpressible(
            f"Udesk tells no way to empty a field; empty {words} there, or write something else"
        )


def _emails(value: Any, present: CustomerWire) -> tuple[str, list[tuple[int | None, str]]]:
    """The first address is the primary one. It cannot be emptied, only replaced."""
    texts = _texts([each.get("value") for each in value or ()])
    if not texts:
        _refuse_emptying("the e-mail", present.email)
        return "", []
    if present.email in texts:  # stays the primary one wherever it stands in the list
        texts.remove(present.email)
        texts.insert(0, present.email)
    return texts[0], payloads.build_pairs(texts[1:], present.other_emails)


def _phones(
    value: Any, present: CustomerWire, before: Mapping[str, Any], definitions: Definitions
) -> dict[str, Any]:
    texts = _texts([each.get("value") for each in value or ()])
    return {"cellphones": [list(pair) for pair in payloads.build_pairs(texts, present.cellphones)]}


def _social_accounts(
    value: Any, present: CustomerWire, before: Mapping[str, Any], definitions: Definitions
) -> dict[str, Any]:
    """Adds and deletes, list by list; what stays is not named."""
    wanted: dict[str, list[str]] = {name: [] for name in NETWORKS}
    for each in value or ():
        name = next((key for key, label in NETWORKS.items() if label == _clean(each.get("protocol"))), "")
        if not name:
            raise Inexpressible(f"Udesk takes {', '.join(NETWORKS.values())} only")
        parts = payloads.IDENTITY_PARTS[name]
        text = _clean(each.get("value"))
        if len(list(filter(None, text.split("/")))) != len(parts):
            raise Inexpressible(f"a {NETWORKS[name]} account is written {'/'.join(parts)}")
        wanted[name].append(text)
    fields: dict[str, Any] = {}
    for name, texts in wanted.items():
        held = {mapping.identity_text(name, each): each for each in getattr(present, name)}
        gone = [_identity("delete", name, text) for text in held if text and text not in texts]
        new = [_identity("new", name, text) for text in dict.fromkeys(texts) if text not in held]
        if gone or new:
            fields[name] = gone + new
    return fields


def _identity(action: str, name: str, text: str) -> dict[str, str]:
    return {"action": action, **dict(zip(payloads.IDENTITY_PARTS[name], text.split("/"), strict=True))}


def _responsible(
    value: Any, present: CustomerWire, before: Mapping[str, Any], definitions: Definitions
) -> dict[str, Any]:
    text = _clean(value)
    if not text:
        _refuse_emptying("who is responsible", before.get("responsible", "somebody"))
        return {}
    found = _NUMBERS.fullmatch(text)
    if not found:
        raise Inexpressible("Udesk wants two numbers for who is responsible, as in “agent 12, group 3”")
    return {"owner_id": int(found[1]), "owner_group_id": int(found[2])}


def _custom_fields(
    value: Any, present: CustomerWire, before: Mapping[str, Any], definitions: Definitions
) -> dict[str, Any]:
    """All fields that have a value, for what is left out may be lost."""
    filled = {name: item for name, item in (value or {}).items() if item not in ("", None, [])}
    for name, raw in present.custom_fields.items():
        if name not in filled and mapping.to_value(name, raw, definitions) not in ("", None, []):
            _refuse_emptying(f"“{label_of(name, definitions)}”", raw)
    return {"custom_fields": {name: _wire_value(name, item, definitions) for name, item in filled.items()}}


def label_of(name: str, definitions: Definitions) -> str:
    """What staff call a custom field."""
    definition = definitions.by_name.get(name)
    return definition.label if definition else name


def _wire_value(name: str, value: Any, definitions: Definitions) -> Any:
    """Choices are always an array of texts, even a single one; everything else is a text."""
    if name.startswith(mapping.SELECT_PREFIX):
        return [str(each) for each in (value if isinstance(value, list) else [value])]
    if not name.startswith("TextField"):
        known = ", ".join(sorted(definitions.by_name)) or "TextField_1, SelectField_1 and so on"
        raise Inexpressible(f"Udesk has no custom field “{name}”; it has {known}")
    text = str(value)
    if definitions.type_of(name) is FieldType.DATETIME:
        return text.replace("T", " ")[:16]
    return text.replace("\n", "\r\n") if definitions.type_of(name) is FieldType.LONG_TEXT else text


def _texts(values: Any) -> list[str]:
    return list(dict.fromkeys([text for each in values or () if (text := _clean(each))]))


def _clean(value: Any) -> str:
    return str(value or "").strip()


_WRITERS: dict[str, Callable[[Any, CustomerWire, Mapping[str, Any], Definitions], dict[str, Any]]] = {
    "phones": _phones,
    "social_accounts": _social_accounts,
    "responsible": _responsible,
    "custom_fields": _custom_fields,
}
