"""Checks of request bodies and query filters, with answers shaped as Django REST framework does."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import time as day_time
from typing import Any

from .antbot_tables import Row, Tables

Check = Callable[[Any, Tables], Any]
Match = Callable[[Row], bool]


class Invalid(ValueError):
    """One value the vendor does not take; the text is its message."""


class Errors(ValueError):
    """A 400 answer: messages per field."""

    def __init__(self, messages: dict[str, list[str]]) -> None:
        super().__init__(str(messages))
        self.messages = messages


@dataclass(frozen=True)
class Field:
    """One field of a body: how it is checked, whether a create needs it, what it is otherwise."""

    check: Check
    required: bool = False
    default: Any = None


def checked(fields: dict[str, Field], body: Any, tables: Tables, create: bool) -> Row:
    """The fields of a body in stored form; a create gets the defaults, too."""
    if not isinstance(body, dict):
        raise Errors({"non_field_errors": [f"Invalid data. Expected a dictionary, but got {_kind(body)}."]})
    values: Row = {}
    problems: dict[str, list[str]] = {}
    for name, field in fields.items():
        if name in body:
            try:
                values[name] = field.check(body[name], tables)
            except Invalid as problem:
                problems[name] = [str(problem)]
        elif create and field.required:
            problems[name] = ["This field is required."]
        elif create:
            values[name] = field.default
    if problems:
        raise Errors(problems)
    return values


def _kind(value: Any) -> str:
    return type(value).__name__


def text(limit: int, blank: bool = True, null: bool = False) -> Check:
    """A text of so many characters at most; numbers are taken as their digits."""

    def check(value: Any, tables: Tables) -> str | None:
        if value is None and null:
            return None
        if value is None:
            raise Invalid("This field may not be null.")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Invalid("Not a valid string.")
        found = str(value).strip()
        if "\x00" in found:
            raise Invalid("Null characters are not allowed.")
        if not found and not blank:
            raise Invalid("This field may not be blank.")
        if len(found) > limit:
            raise Invalid(f"Ensure this field has no more than {limit} characters.")
        return found

    return check


def whole(low: int = 0, high: int = 2**31 - 1) -> Check:
    """An integer, also as digits in a text."""

    def check(value: Any, tables: Tables) -> int:
        number = _integer(value)
        if number is None:
            raise Invalid("A valid integer is required.")
        if number < low:
            raise Invalid(f"Ensure this value is greater than or equal to {low}.")
        if number > high:
            raise Invalid(f"Ensure this value is less than or equal to {high}.")
        return number

    return check


def one_of(*choices: Any) -> Check:
    """One of the choices; digits stand for their number."""

    def check(value: Any, tables: Tables) -> Any:
        number = _integer(value)
        for choice in choices:
            if value == choice or (number is not None and number == choice):
                return choice
        raise Invalid(f'"{value}" is not a valid choice.')

    return check


def ref(table: str, null: bool = False) -> Check:
    """The id of a row that exists."""

    def check(value: Any, tables: Tables) -> int | None:
        if value is None and null:
            return None
        number = _integer(value)
        if number is None:
            raise Invalid(f"Incorrect type. Expected pk value, received {_kind(value)}.")
        if tables[table].get(number) is None:
            raise Invalid(f'Invalid pk "{number}" - object does not exist.')
        return number

    return check


def refs(table: str) -> Check:
    """A list of ids of rows that exist."""
    one = ref(table)

    def check(value: Any, tables: Tables) -> list[int]:
        if not isinstance(value, list):
            raise Invalid(f'Expected a list of items but got type "{_kind(value)}".')
        if not value:
            raise Invalid("This list may not be empty.")
        return list(dict.fromkeys(one(item, tables) for item in value))

    return check


def boolean(value: Any, tables: Tables) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Invalid("Must be a valid boolean.")
    return value


def moment(value: Any, tables: Tables) -> datetime:
    """A date and time; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Invalid(
            "Datetime has wrong format. Use one of these formats instead: "
            "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
        ) from None


def clock_time(value: Any, tables: Tables) -> day_time:
    """A time of day without a zone."""
    try:
        found = day_time.fromisoformat(value)
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is not None:
        raise Invalid("Time has wrong format. Use one of these formats instead: hh:mm[:ss[.uuuuuu]].")
    return found


def json_text(value: Any, tables: Tables) -> str:
    """A JSON document inside a text."""
    if not isinstance(value, str):
        raise Invalid("Value must be valid JSON.")
    try:
        json.loads(value or "{}")
    except ValueError:
        raise Invalid("Value must be valid JSON.") from None
    return value


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 20:
        return int(value)
    return None


# ---------------------------------------------------------------------- query filters


def same_number(key: str) -> Callable[[str], Match]:
    """Rows whose number equals the parameter."""

    def build(value: str) -> Match:
        number = _integer(value)
        if number is None:
            raise Invalid("Enter a number.")
        return lambda row: bool(row.get(key) == number)

    return build


def same_text(key: str) -> Callable[[str], Match]:
    """Rows whose text equals the parameter."""
    return lambda value: lambda row: str(row.get(key) or "") == value


def has_text(key: str) -> Callable[[str], Match]:
    """Rows whose text contains the parameter, in any case."""
    return lambda value: lambda row: value.lower() in str(row.get(key) or "").lower()


def contains_id(key: str) -> Callable[[str], Match]:
    """Rows whose list of ids holds the parameter."""

    def build(value: str) -> Match:
        number = _integer(value)
        if number is None:
            raise Invalid(f"“{value}” is not a valid value.")
        return lambda row: number in row[key]

    return build


def is_true(key: str) -> Callable[[str], Match]:
    """Rows with this flag; words other than true and false choose nothing."""
    words = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}

    def build(value: str) -> Match:
        wanted = words.get(value)
        return lambda row: wanted is None or bool(row.get(key)) == wanted

    return build


def not_before(key: str) -> Callable[[str], Match]:
    """Rows at or after a moment."""
    return _dated(key, lambda at, limit: at >= limit)


def not_after(key: str) -> Callable[[str], Match]:
    """Rows at or before a moment."""
    return _dated(key, lambda at, limit: at <= limit)


def _dated(key: str, compare: Callable[[datetime, datetime], bool]) -> Callable[[str], Match]:
    def build(value: str) -> Match:
        try:
            limit = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
        except ValueError:
            raise Invalid("Enter a valid date/time.") from None
        limit = limit.replace(tzinfo=UTC) if limit.tzinfo is None else limit
        return lambda row: compare(row[key], limit)

    return build


def search(*keys: str) -> Callable[[str], Match]:
    """Rows in which every word of the parameter stands in one of the fields."""

    def build(value: str) -> Match:
        words = value.lower().replace(",", " ").split()
        return lambda row: all(any(word in str(row.get(key) or "").lower() for key in keys) for word in words)

    return build
