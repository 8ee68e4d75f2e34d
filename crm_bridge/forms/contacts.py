"""The contact form: what was shown, what was typed, what of it changed.

No Django form: the values are lists of rows, they are shown from and read into
canonical values, and the service judges them. Rows come as repeated fields
(``phones-value``), so adding and removing them needs no script.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.core import signing
from django.http import QueryDict
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from crm_bridge import choices
from crm_bridge.forms import custom_fields
from crm_bridge.labels import field_label
from crm_bridge.models import Contact, CustomField
from crm_bridge.records import EDITABLE_FIELDS
from crm_bridge.validation import CUSTOM

SALT = "crm_bridge.contact-form"
SPARE_ROWS = 2

ROWS: dict[str, tuple[str, ...]] = {
    "phones": ("value", "type"),
    "emails": ("value", "type"),
    "social_accounts": ("protocol", "value"),
    "addresses": (
        "type", "street", "street_name", "ward", "district", "city", "postal_code", "country", "country_code",
    ),
    "custom_fields": ("name", "value"),
}  # fmt: skip

SLOT_LABELS = {
    "value": _("Value"), "type": _("Type"), "protocol": _("Network"), "name": _("Name"),
    "street": _("House number"), "street_name": _("Street"), "ward": _("Ward"), "district": _("District"),
    "city": _("City"), "postal_code": _("Postal code"), "country": _("Country"),
    "country_code": _("Country code"),
}  # fmt: skip

GROUPS = (
    (_("Identity"), ("name", "gender", "birth_date", "industry")),
    (_("Phones and e-mails"), ("phones", "emails", "social_accounts")),
    (_("Sales"), ("stage", "responsible", "source", "tags")),
    (_("Addresses"), ("addresses",)),
    (_("Custom fields"), ("custom_fields",)),
    (_("Note"), ("note",)),
)
SUGGESTED = ("stage", "source", "responsible")


class ContactForm:
    """One form. ``seen`` is what the page showed when it was opened."""

    def __init__(
        self,
        *,
        writable: frozenset[str],
        crm: str,
        seen: Mapping[str, Any],
        typed: Mapping[str, Any] | None = None,
        custom: Sequence[CustomField] = (),
        why_not: Mapping[str, str] | None = None,
    ) -> None:
        self.custom, self.why_not = custom, why_not or {}
        self.writable = writable & set(EDITABLE_FIELDS)
        self.crm = crm
        self.seen = dict(seen)
        self.typed = dict(typed if typed is not None else seen)
        self.errors: dict[str, str] = {}

    @classmethod
    def posted(
        cls,
        data: QueryDict,
        *,
        writable: frozenset[str],
        crm: str,
        seen: Mapping[str, Any],
        custom: Sequence[CustomField] = (),
        why_not: Mapping[str, str] | None = None,
    ) -> "ContactForm":
        typed = {field: _read(field, data, seen.get(field)) for field in writable & set(EDITABLE_FIELDS)}
        if custom and "custom_fields" in typed:
            typed["custom_fields"] = custom_fields.read(custom, data, seen.get("custom_fields") or {})
        return cls(
            writable=writable, crm=crm, seen=seen, typed={**seen, **typed}, custom=custom, why_not=why_not
        )

    def changes(self) -> dict[str, Any]:
        """Only the fields that were touched: the others are nobody's edit."""
        return {
            field: self.typed[field]
            for field in sorted(self.writable)
            if not _same(field, self.typed.get(field), self.seen.get(field))
        }

    def rebase(self, now: Mapping[str, Any]) -> None:
        """Stand on the values of now: touched fields keep what was typed, the others follow."""
        touched = self.changes()
        self.seen = dict(now)
        self.typed = {**now, **touched}

    def signed_seen(self) -> str:
        return signing.dumps(
            {field: self.seen.get(field) for field in self.writable}, salt=SALT, compress=True
        )

    # --- for the template --------------------------------------------------------------------

    def groups(self) -> list[tuple[Any, list[dict[str, Any]]]]:
        return [(title, [self._field(name) for name in names]) for title, names in GROUPS]

    def other_errors(self) -> list[str]:
        """Messages for what has no place of its own in the form."""
        return [
            f"{field_label(field)}: {message}" for field, message in self.errors.items()
            if field not in EDITABLE_FIELDS and not (self.custom and field.startswith(CUSTOM))
        ]  # fmt: skip

    def _field(self, name: str) -> dict[str, Any]:
        value = self.typed.get(name)
        can = name in self.writable
        why = self.why_not.get(name) or _g("%s does not take this field from us.") % self.crm
        shown: dict[str, Any] = {
            "name": name,
            "label": field_label(name),
            "error": self.errors.get(name, ""),
            "why": "" if can else why,
        }
        if name == "custom_fields" and self.custom:
            shown["inputs"] = custom_fields.inputs(self.custom, value or {}, self.errors, shown["why"])
            return shown
        if name in ROWS:
            rows = _rows_shown(name, value)
            shown["slots"] = ROWS[name]
            shown["rows"] = [_slots_shown(name, row) for row in rows]
            shown["spare"] = [_slots_shown(name, {})] * (SPARE_ROWS if can else 0)
        else:
            shown["value"] = "\n".join(value or []) if name == "tags" else ("" if value is None else value)
            shown["suggestions"] = choices.values_of(name) if name in SUGGESTED and can else []
            shown["choices"] = Contact.Gender.choices if name == "gender" else []
        return shown


def opened(text: str, fallback: Mapping[str, Any]) -> dict[str, Any]:
    """What the page showed, as it was signed then; the present values when that was lost."""
    try:
        seen = signing.loads(text, salt=SALT)
    except signing.BadSignature:
        return dict(fallback)
    return {**fallback, **seen} if isinstance(seen, dict) else dict(fallback)


# --- reading and showing values ----------------------------------------------------------


def _read(field: str, data: QueryDict, seen: Any) -> Any:
    if field == "custom_fields":
        return _custom_fields(data, seen or {})
    if field in ROWS:
        columns = [data.getlist(f"{field}-{slot}") for slot in ROWS[field]]
        rows = [dict(zip(ROWS[field], row, strict=True)) for row in zip(*columns, strict=False)]
        return [row for row in rows if any(text.strip() for text in row.values())]
    text = data.get(field, "").replace("\r\n", "\n")
    if field == "tags":
        return [line.strip() for line in text.split("\n") if line.strip()]
    return text.strip() or (None if field == "birth_date" else "")


def _custom_fields(data: QueryDict, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and lists come back as text: an untouched one keeps its kind, a new one is read as JSON."""
    found: dict[str, Any] = {}
    for name, text in zip(
        data.getlist("custom_fields-name"), data.getlist("custom_fields-value"), strict=False
    ):
        text = text.replace("\r\n", "\n")
        before = seen.get(name)
        if not name.strip() and not text.strip():
            continue
        if name in seen and _as_text(before) == text:
            found[name] = before
        elif before is not None and not isinstance(before, str):
            found[name.strip()] = _from_json(text)
        else:
            found[name.strip()] = text
    return found


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _rows_shown(field: str, value: Any) -> list[dict[str, str]]:
    if field == "custom_fields":
        return [{"name": name, "value": _as_text(item)} for name, item in (value or {}).items()]
    return [
        {slot: _as_text(row.get(slot)) for slot in ROWS[field]}
        for row in value or []
        if isinstance(row, dict)
    ]


def _slots_shown(field: str, row: Mapping[str, str]) -> list[tuple[str, str, Any]]:
    return [(slot, row.get(slot, ""), SLOT_LABELS[slot]) for slot in ROWS[field]]


def _same(field: str, typed: Any, seen: Any) -> bool:
    """Whether the form still holds what it showed: line ends and outer spaces do not count."""
    if field == "custom_fields":
        return (typed or {}) == (seen or {})
    if field in ROWS:
        return [_stripped(row) for row in _rows_shown(field, typed)] == [
            _stripped(row) for row in _rows_shown(field, seen)
        ]
    if field == "tags":
        return [str(item).strip() for item in typed or []] == [str(item).strip() for item in seen or []]
    return _stripped_text(typed) == _stripped_text(seen)


def _stripped(row: Mapping[str, str]) -> dict[str, str]:
    return {slot: _stripped_text(text) for slot, text in row.items()}


def _stripped_text(value: Any) -> str:
    return str(value or "").replace("\r\n", "\n").replace("\r", "\n").strip()
