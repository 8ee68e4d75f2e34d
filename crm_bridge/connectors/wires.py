"""What reading any vendor's JSON has in common: typed parsing, ids, custom values. Pure."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from backoffice.remote.walk import Unreadable

W = TypeVar("W", bound=BaseModel)


def parse_wire(model: type[W], raw: Any) -> W:
    """A payload as its model. Raises Unreadable naming the field, never its value."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if not _names_a_type(part))
        raise Unreadable(f"{place or 'contact'}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def _names_a_type(part: object) -> bool:
    """Pydantic adds the tried type of a union to the place; nobody wants to read that."""
    return isinstance(part, str) and ("[" in part or part in {"str", "int", "float"} or part.endswith("Wire"))


def usable_id(value: Any) -> str:
    """An id as text: 12, "12", "012" and 12.0 are the same; "" when there is none."""
    if type(value) is int:
        return str(value) if value > 0 else ""
    if type(value) is str:
        text = value.strip()
        return text.lstrip("0") if text.isascii() and text.isdigit() and len(text) <= 20 else ""
    if type(value) is float and value.is_integer() and 0 < value < 2**53:
        return str(int(value))
    return ""


def custom_value(value: Any) -> Any:
    """A custom field's value as it compares: texts trimmed, numbers as texts."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if value == int(value) and abs(value) < 2**53 else str(value)
    return value
