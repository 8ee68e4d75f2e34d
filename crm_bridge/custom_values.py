"""Values of custom fields by their definitions: from people, for people, for the index. Pure.

Canonical values are as ``FieldDefinition`` says: text for most types, a bool, one choice's
value, or a list of choice values.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from crm_bridge.folding import fold
from crm_bridge.records import FieldDefinition, FieldType

TEXT_LENGTH, LONG_LENGTH = 1000, 20_000
INDEXED_LENGTH = 200
_NUMBER = re.compile(r"[+-]?\d{1,30}([.,]\d{1,20})?")
_WEB = re.compile(r"https?://[^\s<>\"'\\]+", re.IGNORECASE)
CHOSEN = (FieldType.SELECT, FieldType.RADIO)


class Wrong(ValueError):
    """What is wrong with one value, in words for who typed it."""


def is_empty(value: Any) -> bool:
    return value is None or value == "" or value == []


def clean_custom(
    values: Mapping[str, Any], definitions: Iterable[FieldDefinition], before: Mapping[str, Any], *, new: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """(canonical values of the defined fields, messages by key).

    A value that is as it was ``before`` is let pass, whatever the CRM holds there. A required
    field has to be filled on a ``new`` contact and cannot be emptied later.
    """
    cleaned: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for definition in definitions:
        key, was = definition.key, before.get(definition.key)
        if key not in values and not (new and definition.required):
            continue
        value = values.get(key)
        try:
            cleaned[key] = value if _unchanged(value, was) and not new else _clean(definition, value)
            if not _unchanged(cleaned[key], was) and not definition.editable:
                raise Wrong(_("This field cannot be changed from here."))
            if definition.required and is_empty(cleaned[key]) and (new or not is_empty(was)):
                raise Wrong(_("This is required."))
        except Wrong as wrong:
            errors[key] = f"{definition.label}: {wrong}"
    return {key: value for key, value in cleaned.items() if not (new and is_empty(value))}, errors


def _unchanged(value: Any, was: Any) -> bool:
    return bool(value == was) or (is_empty(value) and is_empty(was))


def _clean(definition: FieldDefinition, value: Any) -> Any:
    kind = definition.type
    if kind is FieldType.CHECKBOX:
        return _choices(definition, value)
    if kind is FieldType.BOOLEAN:
        return _bool(value)
    if is_empty(value):
        return ""
    if kind in CHOSEN:
        return _choice(definition, value)
    text = _text(value, LONG_LENGTH if kind is FieldType.LONG_TEXT else TEXT_LENGTH, kind)
    return _CLEANERS[kind](text) if kind in _CLEANERS and text else text


def _text(value: Any, most: int, kind: FieldType) -> str:
    if isinstance(value, bool | list | dict):
        raise Wrong(_("This must be a text."))
    text = unicodedata.normalize("NFC", str(value).replace("\r\n", "\n").replace("\r", "\n")).strip()
    breaks = "\n\t" if kind is FieldType.LONG_TEXT else ""
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in breaks for char in text):
        raise Wrong(_("This holds characters that cannot be stored."))
    if len(text) > most:
        raise Wrong(_("This is longer than %d characters.") % most)
    return text


def _bool(value: Any) -> bool | None:
    if is_empty(value):
        return None
    if isinstance(value, bool):
        return value
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return known[str(value).strip().lower()]
    except KeyError:
        raise Wrong(_("This must be yes or no.")) from None


def _choice(definition: FieldDefinition, value: Any) -> str:
    text = str(value)
    if text not in {choice.value for choice in definition.choices}:
        raise Wrong(_("“%s” is not one of the choices.") % text[:60])
    return text


def _choices(definition: FieldDefinition, value: Any) -> list[str]:
    asked = value if isinstance(value, list | tuple) else [] if is_empty(value) else [value]
    chosen = {_choice(definition, item) for item in asked}
    return [choice.value for choice in definition.choices if choice.value in chosen]


def _number(text: str) -> str:
    plain = text.replace(" ", "").replace(" ", "")
    if not _NUMBER.fullmatch(plain):
        raise Wrong(_("This must be a number like 1250 or 12.5."))
    return plain.replace(",", ".").removeprefix("+")


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Wrong(_("This must be a date like 2000-03-15.")) from None


def _time(text: str) -> str:
    try:
        moment = time.fromisoformat(text)
    except ValueError:
        raise Wrong(_("This must be a time like 09:30.")) from None
    return moment.isoformat("seconds" if moment.second else "minutes")


def _datetime(text: str) -> str:
    moment = as_moment(text)
    if moment is None:
        raise Wrong(_("This must be a date and time like 2026-03-15 09:30."))
    return moment.isoformat(timespec="seconds")


def _link(text: str) -> str:
    if not _WEB.fullmatch(text):
        raise Wrong(_("This must be an address that begins with http:// or https://."))
    return text


_CLEANERS = {
    FieldType.NUMBER: _number,
    FieldType.DATE: _date,
    FieldType.TIME: _time,
    FieldType.DATETIME: _datetime,
    FieldType.LINK: _link,
}


def as_moment(text: Any) -> datetime | None:
    """A moment; one without a zone is of the company's."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else timezone.make_aware(moment, _zone())


def _zone() -> ZoneInfo:
    return timezone.get_default_timezone()  # type: ignore[return-value]


# --- for people --------------------------------------------------------------------------


def shown(definition: FieldDefinition | None, value: Any) -> Any:
    """A value as people read it: choices by their labels, moments in the company's zone."""
    if definition is None:
        return value
    labels = {choice.value: choice.label for choice in definition.choices}
    if isinstance(value, list):
        return [labels.get(str(item), item) for item in value]
    if definition.type in CHOSEN:
        return labels.get(str(value), value)
    if definition.type is FieldType.DATETIME and (moment := as_moment(value)) is not None:
        return f"{moment.astimezone(_zone()):%Y-%m-%d %H:%M}"
    return value


def labelled(values: Mapping[str, Any], definitions: Mapping[str, FieldDefinition]) -> dict[str, Any]:
    """Values by label instead of key, in the CRM's order; two fields of one label keep their keys too."""
    known = [key for key in definitions if key in values]
    names = [definitions[key].label for key in known]
    found: dict[str, Any] = {}
    for key, name in zip(known, names, strict=True):
        found[f"{name} ({key})" if names.count(name) > 1 else name] = shown(definitions[key], values[key])
    for key, value in values.items():
        if key not in definitions:
            found[key] = value
    return found


def from_labels(values: Mapping[str, Any], definitions: Sequence[FieldDefinition]) -> dict[str, Any]:
    """What a spreadsheet says (label: text) by key; several choices are divided by ``;`` or ``,``."""
    by_name = {fold(name): each for each in definitions for name in (each.label, each.key)}
    found: dict[str, Any] = {}
    for name, text in values.items():
        definition = by_name.get(fold(name))
        if definition is None:
            found[name] = text
            continue
        values_of = {fold(choice.label): choice.value for choice in definition.choices}
        if definition.type is FieldType.CHECKBOX:
            parts = [part.strip() for part in re.split("[;,]", str(text)) if part.strip()]
            found[definition.key] = [values_of.get(fold(part), part) for part in parts]
        elif definition.type in CHOSEN:
            found[definition.key] = values_of.get(fold(str(text)), text)
        else:
            found[definition.key] = text
    return found


# --- for the index -----------------------------------------------------------------------


def indexed(kind: FieldType, value: Any) -> list[tuple[str, float | None]]:
    """(text, number) of each thing a list can be filtered by; nothing for an empty value."""
    if is_empty(value):
        return []
    if isinstance(value, list):
        return [(str(item)[:INDEXED_LENGTH], None) for item in value]
    if isinstance(value, bool):
        return [("true" if value else "false", None)]
    text = str(value)
    if kind is FieldType.NUMBER:
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            number = math.nan
        return [(text[:INDEXED_LENGTH], number if math.isfinite(number) else None)]
    if kind is FieldType.DATETIME:
        moment = as_moment(text)
        return [(index_moment(moment), None)] if moment else []
    if kind in (*CHOSEN, FieldType.DATE):
        return [(text[:INDEXED_LENGTH], None)]
    return [(fold(text)[:INDEXED_LENGTH], None)]


def index_moment(moment: datetime) -> str:
    """A moment as the index holds it: UTC, so that texts sort as the moments do."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
