"""What staff typed → canonical values, or one message per field. Pure.

Refuses what cannot be expressed or stored; whether a stage or an employee
exists is for the CRM to judge.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from crm_bridge.custom_values import clean_custom
from crm_bridge.phones import digits
from crm_bridge.records import EDITABLE_FIELDS, FieldDefinition, Gender

TEXT_LENGTHS = {"name": 500, "stage": 200, "source": 200, "responsible": 254, "industry": 200, "note": 20_000}
ITEMS_ALLOWED = 100
EMAIL = re.compile(r"[^@\s<>,;\"']+@[^@\s<>,;\"']+\.[^@\s<>,;.\"']+")
_SLOTS = {
    "phones": ("value", "type"),
    "emails": ("value", "type"),
    "social_accounts": ("protocol", "value"),
    "addresses": (
        "street", "street_name", "ward", "district", "city", "country_code", "country", "postal_code", "type",
    ),
}  # fmt: skip
_SLOT_LENGTHS = {"type": 60, "protocol": 60, "country_code": 10, "postal_code": 20}
_VALUE_LENGTHS = {"phones": 200, "emails": 320}


class Invalid(ValueError):
    """Values that cannot be saved; ``errors`` has one message per field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in errors.items()))
        self.errors = dict(errors)


CUSTOM = "custom_fields:"
"""Before the key of a custom field in ``Invalid.errors``; its message names the field."""


@dataclass(frozen=True, slots=True)
class CustomRules:
    """The custom fields of an account, and what the contact holds of them; ``None``: a new contact."""

    definitions: Sequence[FieldDefinition] = ()
    before: Mapping[str, Any] | None = None

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(definition.key for definition in self.definitions)

    def known(self, values: Any) -> dict[str, Any]:
        """The values that a definition judges."""
        return {key: values[key] for key in self.keys & values.keys()} if isinstance(values, Mapping) else {}

    def unknown(self, values: Any) -> Any:
        """The others, which are only looked at in general."""
        if not isinstance(values, Mapping):
            return values
        return {key: value for key, value in values.items() if key not in self.keys}

    def clean(self, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """(values, messages by field) of what is defined; the rest is let pass as it is."""
        cleaned, errors = clean_custom(values, self.definitions, self.before or {}, new=self.before is None)
        return {**self.unknown(values), **cleaned}, {CUSTOM + key: words for key, words in errors.items()}


def clean(
    values: Mapping[str, Any],
    *,
    allowed: frozenset[str],
    label: str,
    custom: CustomRules = CustomRules(),
) -> dict[str, Any]:
    """Canonical values of what may be written. Raises ``Invalid`` naming every wrong field."""
    cleaned: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field, value in values.items():
        if field not in EDITABLE_FIELDS and field != "group":
            errors[field] = _("There is no such field.")
        elif field not in allowed:
            errors[field] = _("%s does not take this field.") % label
        else:
            try:
                if field == "custom_fields":
                    cleaned[field] = _custom_fields(custom.unknown(value), field) | custom.known(value)
                else:
                    cleaned[field] = _CLEANERS[field](value, field)
            except _Wrong as wrong:
                errors[field] = str(wrong)
    judged = custom.definitions and "custom_fields" in allowed and "custom_fields" not in errors
    if judged and ("custom_fields" in cleaned or custom.before is None):
        held, wrong_ones = custom.clean(cleaned.get("custom_fields", {}))
        errors |= wrong_ones
        if held or "custom_fields" in cleaned:
            cleaned["custom_fields"] = held
    if errors:
        raise Invalid(errors)
    return cleaned


class _Wrong(ValueError):
    """The message for one field."""


def _text(value: Any, field: str, *, length: int | None = None) -> str:
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise _Wrong(_("This must be a text."))
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    breaks = "\n\t" if field == "note" else ""
    if any((unicodedata.category(char) in ("Cc", "Cs")) and char not in breaks for char in text):
        raise _Wrong(_("This holds characters that cannot be stored."))
    most = length or TEXT_LENGTHS.get(field, 500)
    if len(text) > most:
        raise _Wrong(_("This is longer than %d characters.") % most)
    return text


def _name(value: Any, field: str) -> str:
    text = _text(value, field)
    if not text:
        raise _Wrong(_("A name is needed."))
    return text


def _gender(value: Any, field: str) -> str:
    try:
        return Gender(value or "").value
    except ValueError:
        raise _Wrong(_("This must be male, female, other or empty.")) from None


def _birth_date(value: Any, field: str) -> str | None:
    if value in (None, ""):
        return None
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Wrong(_("This must be a date like 2000-03-15.")) from None
    if not 1850 <= day.year <= date.today().year + 1:  # noqa: DTZ011  the year alone matters
        raise _Wrong(_("This year cannot be right."))
    return day.isoformat()[:10]


def _items(value: Any) -> list[Any]:
    items = [] if value is None else value
    if not isinstance(items, list | tuple):
        raise _Wrong(_("This must be a list."))
    if len(items) > ITEMS_ALLOWED:
        raise _Wrong(_("These are more than %d entries.") % ITEMS_ALLOWED)
    return list(items)


def _rows(value: Any, field: str) -> list[dict[str, str]]:
    """List items with their slots; an item without content is left out."""
    rows = []
    for item in _items(value):
        if not isinstance(item, Mapping) or set(item) - set(_SLOTS[field]):
            raise _Wrong(_("Each entry must have only: %s.") % ", ".join(_SLOTS[field]))
        row = {
            slot: _text(
                item.get(slot), slot, length=_SLOT_LENGTHS.get(slot) or _VALUE_LENGTHS.get(field)
            ) for slot in _SLOTS[field]
        }  # fmt: skip
        if any(text for slot, text in row.items() if slot not in ("type", "protocol")):
            rows.append(row)
    return rows


def _phones(value: Any, field: str) -> list[dict[str, str]]:
    rows = _rows(value, field)
    for row in rows:
        if not digits(row["value"]):
            raise _Wrong(_("“%s” has no digits.") % row["value"])
    return rows


def _emails(value: Any, field: str) -> list[dict[str, str]]:
    rows = _rows(value, field)
    for row in rows:
        if not EMAIL.fullmatch(row["value"]):
            raise _Wrong(_("“%s” is not an e-mail address.") % row["value"])
    return rows


def _tags(value: Any, field: str) -> list[str]:
    names = [_text(item, field, length=200) for item in _items(value)]
    return list(dict.fromkeys(name for name in names if name))


def _custom_fields(value: Any, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > ITEMS_ALLOWED:
        raise _Wrong(_("This must map at most %d names to values.") % ITEMS_ALLOWED)
    cleaned: dict[str, Any] = {}
    for name, item in value.items():
        key = _text(name, "custom field", length=200)
        if not key:
            raise _Wrong(_("Each custom field needs a name."))
        try:
            cleaned[key] = _custom_value(item)
        except _Wrong as wrong:
            raise _Wrong(f"{key}: {wrong}") from None
    return cleaned


def _custom_value(item: Any) -> Any:
    if isinstance(item, str):
        return _text(item, "note", length=5000)
    if isinstance(item, list):
        return [_custom_value(part) for part in _items(item)]
    if item is None or isinstance(item, bool | int | float):
        return item
    raise _Wrong(_("A custom field must be a text, a number or a list of them."))


_CLEANERS: dict[str, Callable[[Any, str], Any]] = {
    "name": _name,
    "gender": _gender,
    "birth_date": _birth_date,
    "phones": _phones,
    "emails": _emails,
    "addresses": _rows,
    "social_accounts": _rows,
    "industry": _text,
    "note": _text,
    "stage": _text,
    "tags": _tags,
    "source": _text,
    "responsible": _text,
    "group": _text,
}
