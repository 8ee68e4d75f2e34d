"""Values of custom fields: amoCRM's shapes ↔ our canonical values, one rule per field type. Pure.

Phones and e-mails are custom fields too, with codes for their kinds. Ids of fields and of choices
differ per account, so nothing here knows any: a field goes by its code where it has one, else by its
number, and a choice by its text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_bridge.connectors.amocrm import payloads
from crm_bridge.connectors.amocrm.payloads import FieldWire, ValueWire
from crm_bridge.connectors.wires import custom_value, usable_id
from crm_bridge.records import FieldType

#: Our words for the vendor's codes, by the field they belong to.
KINDS = {
    payloads.PHONE: {
        "WORK": "Work", "WORKDD": "Work direct", "MOB": "Mobile", "FAX": "Fax", "HOME": "Home",
        "OTHER": "Other",
    },
    payloads.EMAIL: {"WORK": "Work", "PRIV": "Private", "OTHER": "Other"},
}  # fmt: skip
DEFAULT_CODE = "WORK"

#: How fields are entered and shown. Types that are not here have a shape of their own: shown, not written.
TYPES = {
    "text": FieldType.TEXT,
    "streetaddress": FieldType.TEXT,
    "textarea": FieldType.LONG_TEXT,
    "numeric": FieldType.NUMBER,
    "url": FieldType.LINK,
    "checkbox": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "birthday": FieldType.DATE,
    "date_time": FieldType.DATETIME,
    "select": FieldType.SELECT,
    "radiobutton": FieldType.RADIO,
    "multiselect": FieldType.CHECKBOX,
}
_CODE = re.compile(r"[A-Z][A-Z0-9_]*")
_KEY = re.compile(r"[1-9][0-9]{0,18}|[A-Z][A-Z0-9_]*")
#: A day begins at midnight of the account's zone, which nobody tells. The day that this much later
#: belongs to in UTC is right for every zone less than half a day away from it.
_HALF_A_DAY = timedelta(hours=12) - timedelta(seconds=1)


class Inexpressible(ValueError):
    """amoCRM has no way to be told this; the message is for staff."""


# Kinds of phones and e-mails


def kind_word(field: str, value: ValueWire) -> str:
    """ "Mobile" for MOB; a code of the account's own stays as it is, none at all is "Work"."""
    code = value.enum_code or value.enum or DEFAULT_CODE
    return KINDS[field].get(code.upper(), code)


def kind_code(field: str, word: str) -> str:
    """MOB for "Mobile". Raises Inexpressible naming what there is."""
    wanted = word.strip().casefold()
    for code, known in KINDS[field].items():
        if wanted in (known.casefold(), code.casefold()):
            return code
    if not wanted:
        return DEFAULT_CODE
    if _CODE.fullmatch(word.strip()):
        return word.strip()
    what = "phones" if field == payloads.PHONE else "e-mails"
    raise Inexpressible(f"amoCRM knows {what} of the kinds {', '.join(KINDS[field].values())}, not “{word}”")


# Reading


def key_of(wire: FieldWire) -> str:
    """Under what a field goes in `ContactRecord.custom_fields`; "" for one that cannot be told."""
    if wire.field_code and _CODE.fullmatch(wire.field_code):
        return wire.field_code
    return usable_id(wire.field_id)


def read_value(wire: FieldWire) -> Any:
    """The canonical value of a field of a type in TYPES; empty ones are "" or []."""
    values = [each.value for each in wire.values or ()]
    kind = wire.field_type or ""
    if kind == "multiselect":
        return [text for text in map(as_text, values) if text]
    value = values[0] if values else ""
    if kind == "checkbox":
        return value if isinstance(value, bool) else as_text(value).casefold() in {"1", "true"}
    if kind in {"date", "birthday"}:
        moment = _moment(value)
        return (moment + _HALF_A_DAY).date().isoformat() if moment else as_text(value)
    if kind == "date_time":
        moment = _moment(value)
        return moment.isoformat() if moment else as_text(value)
    return as_text(value)


def shown_value(wire: FieldWire) -> str:
    """A field with a shape of its own, on one line for reading only."""
    return ", ".join(text for text in (as_text(each.value) for each in wire.values or ()) if text)[:500]


def as_text(value: Any) -> str:
    """A value as it compares: texts trimmed, numbers as texts, structures not at all."""
    plain = custom_value(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return plain if isinstance(plain, str) else ""


def _moment(value: Any) -> datetime | None:
    """Unix seconds, as number or text, or RFC 3339; aware, in UTC."""
    number = payloads.seconds(value)
    try:
        if number is not None:
            return datetime.fromtimestamp(number, UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment.astimezone(UTC) if moment and moment.tzinfo else None


# Writing


def build_field(key: str, value: Any, types: Mapping[str, str]) -> dict[str, Any]:
    """One field with its whole new list of values; empty clears it. Raises Inexpressible.

    `types` are the vendor's types of fields as far as they were seen: dates need them.
    """
    if not _KEY.fullmatch(key) or key in KINDS:
        raise Inexpressible(f"amoCRM knows its custom fields by number or code; “{key}” is neither")
    kind = types.get(key, "")
    if kind and kind not in TYPES:
        raise Inexpressible(
            f"field {key} has a shape of its own ({kind}), which can be changed in amoCRM only"
        )
    if value in ("", None, [], ()):
        return payloads.build_field(key, [])
    values = value if isinstance(value, list | tuple) else [value]
    return payloads.build_field(key, [payloads.build_value(_wire_value(each, kind, key)) for each in values])


def _wire_value(value: Any, kind: str, key: str) -> Any:
    if isinstance(value, str):
        value = value.strip()
        try:
            if kind in {"date", "birthday"}:
                # noon: the same day in every zone
                return f"{date.fromisoformat(value).isoformat()}T12:00:00+00:00"
            if kind == "date_time":
                moment = datetime.fromisoformat(value)
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
        except ValueError:
            raise Inexpressible(f"the value of field {key} is not a date") from None
    if kind == "checkbox" and not isinstance(value, bool):
        return as_text(value).casefold() in {"1", "true"}
    return value
