"""Inputs for custom fields by their definitions: shown from and read into canonical values."""

from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _g

from crm_bridge.custom_values import as_moment, is_empty
from crm_bridge.models import CustomField
from crm_bridge.validation import CUSTOM

PREFIX = "cf-"
KINDS = {
    "text": "text", "number": "text", "link": "text", "long_text": "textarea", "boolean": "select",
    "select": "select", "radio": "radio", "checkbox": "checkbox", "date": "date", "time": "time",
    "datetime": "datetime-local",
}  # fmt: skip
MODES = {"number": "decimal", "link": "url"}


def read(fields: Sequence[CustomField], data: QueryDict, seen: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, by key. A value that the form showed and got back is the value that was there."""
    typed = dict(seen)  # what no field of ours shows stays as it is
    for field in fields:
        name = f"{PREFIX}{field.pk}"
        if not field.editable or (name not in data and f"{name}-shown" not in data):
            continue
        before = seen.get(field.key)
        if field.type == CustomField.Type.CHECKBOX:
            chosen = data.getlist(name)
            value: Any = before if sorted(chosen) == sorted(_many(before)) else chosen
        else:
            text = data.get(name, "").replace("\r\n", "\n")
            value = before if text == _entered(field, before) else _value(field, text)
        if is_empty(value) and field.key not in seen:
            continue
        typed[field.key] = value
    return typed


def _value(field: CustomField, text: str) -> Any:
    if field.type == CustomField.Type.BOOLEAN:
        return {"true": True, "false": False}.get(text)
    return text.strip()


def inputs(
    fields: Sequence[CustomField], values: Mapping[str, Any], errors: Mapping[str, str], why: str
) -> list[dict[str, Any]]:
    """What the template needs of each field; ``why`` says why none of them can be changed."""
    return [_input(field, values.get(field.key), errors.get(CUSTOM + field.key, ""), why) for field in fields]


def _input(field: CustomField, value: Any, error: str, why: str) -> dict[str, Any]:
    kind = KINDS[field.type]
    entered = _entered(field, value)
    shown: dict[str, Any] = {
        "name": f"{PREFIX}{field.pk}",
        "label": field.label,
        "help": field.help,
        "required": field.required,
        "kind": kind,
        "mode": MODES.get(field.type, ""),
        "value": entered,
        "error": error,
        "why": why or ("" if field.editable else _g("This field cannot be changed from here.")),
        "wide": kind in ("textarea", "checkbox"),
    }
    if kind in ("date", "time", "datetime-local") and entered and not _fits(field.type, entered):
        shown["kind"] = "text"  # the CRM holds what the browser's own input would not show
    if field.type == CustomField.Type.BOOLEAN:
        shown["choices"] = _options([("true", _g("yes")), ("false", _g("no"))], [entered])
    elif kind in ("select", "radio"):
        shown["choices"] = _options(field.choices, [entered] if entered else [])
    elif kind == "checkbox":
        shown["choices"] = _options(field.choices, _many(value))
    return shown


def _options(offered: Sequence[Any], chosen: Sequence[str]) -> list[tuple[str, str, bool]]:
    """(value, label, chosen); what is chosen and no longer offered stays visible."""
    known = [str(value) for value, _label in offered]
    options = [(str(value), str(label), str(value) in chosen) for value, label in offered]
    for value in chosen:
        if value and value not in known:
            options.append((value, _g("%s (no longer offered)") % value, True))
    return options


def _many(value: Any) -> list[str]:
    if is_empty(value):
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _entered(field: CustomField, value: Any) -> str:
    """A canonical value as its input shows it."""
    if is_empty(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if field.type == CustomField.Type.DATETIME and (moment := as_moment(value)) is not None:
        local = moment.astimezone(timezone.get_default_timezone())
        return f"{local:%Y-%m-%dT%H:%M}"
    return ", ".join(_many(value)) if isinstance(value, list) else str(value)


def _fits(kind: str, text: str) -> bool:
    try:
        if kind == CustomField.Type.DATE:
            return date.fromisoformat(text).isoformat() == text
        if kind == CustomField.Type.TIME:
            time.fromisoformat(text)
            return True
    except ValueError:
        return False
    return as_moment(text) is not None
