"""What Concord accepts in the body of a contact: checks with the framework's kind of words, then storing."""

import re
from datetime import date
from typing import Any

from .concord_book import ConcordBook, Fields
from .concord_seed import COUNTRIES, CUSTOM, LIVE, POOLS, SOURCES, USERS
from .concord_shapes import NUMBERS, TEXTS
from .switches import Switches

EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")
LONGEST = 191
KNOWN = {
    "user_id": {number for number, *_ in USERS},
    "source_id": {number for number, _ in SOURCES},
    "country_id": {number for number, _ in COUNTRIES},
}
BLANK: Fields = dict.fromkeys((*TEXTS, *NUMBERS)) | {"phones": [], "tags": []}


class Invalid(Exception):
    """A body that is refused with 422; `errors` has lists of messages by field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(text for texts in errors.values() for text in texts))
        self.errors = errors


def checked(
    book: ConcordBook, body: dict[str, Any], switches: Switches, *, at: int | None = None
) -> tuple[Fields, dict[str, list[int]]]:
    """Stored fields and associations of a body. Raises Invalid naming every wrong field."""
    body = _trimmed(body, blank="" if switches["blanks"] == "text" else None)
    errors: dict[str, list[str]] = {}
    fields: Fields = {}
    if not body.get("first_name"):
        errors["first_name"] = ["The first name field is required."]
    for key in TEXTS:
        if key in body and key not in errors:
            fields[key] = body[key]
            _check_text(key, body[key], errors)
    if fields.get("email") and "email" not in errors:
        _check_email(book, fields["email"], switches, at, errors)
    for key in NUMBERS:
        if key in body:
            fields[key] = _number(key, body[key], errors)
    if "phones" in body:
        fields["phones"] = _phones(body["phones"], switches, errors)
    if "tags" in body:
        fields["tags"] = _tags(body["tags"], errors)
    custom = {key: _custom(key, body[key], errors) for key in CUSTOM if key in body}
    related: dict[str, list[int]] = {}
    for pool in ("companies", "deals"):
        if pool in body:
            related[pool] = _ids(pool, body[pool], errors)
    if errors:
        raise Invalid(errors)
    held = book.get(at)["custom"] if at is not None and switches["put_omitted"] == "keep" else {}
    fields["custom"] = held | custom
    return fields, related


def merged(old: Fields, new: Fields, switches: Switches) -> Fields:
    """What an update stores: lists replaced or merged, fields that are not named kept or cleared."""
    changes = dict(new)
    if switches["put_lists"] == "merge":
        for key, same in (("phones", lambda item: item["number"]), ("tags", lambda item: item)):
            if key in changes:
                known = {same(item) for item in changes[key]}
                changes[key] = [item for item in old[key] if same(item) not in known] + changes[key]
    if switches["put_omitted"] == "clear":
        changes = {key: blank for key, blank in BLANK.items() if key not in new} | changes
    return changes


def associations(body: Any) -> dict[str, list[int]]:
    """The three lists of an associations call. Raises Invalid."""
    errors: dict[str, list[str]] = {}
    body = body if isinstance(body, dict) else {}
    found = {pool: _ids(pool, body[pool], errors) for pool in POOLS if pool in body}
    if errors:
        raise Invalid(errors)
    return found


def _trimmed(body: dict[str, Any], blank: str | None) -> dict[str, Any]:
    """As the framework takes in every request: texts trimmed, empty ones null."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return value.strip() or blank
        if isinstance(value, list):
            return [clean(item) for item in value]
        return {key: clean(item) for key, item in value.items()} if isinstance(value, dict) else value

    return {key: clean(value) for key, value in body.items()}


def _words(key: str) -> str:
    return key.replace("_", " ")


def _check_text(key: str, value: Any, errors: dict[str, list[str]]) -> None:
    if value is not None and not isinstance(value, str):
        errors[key] = [f"The {_words(key)} field must be a string."]
    elif value and len(value) > LONGEST:
        errors[key] = [f"The {_words(key)} field must not be greater than {LONGEST} characters."]


def _check_email(
    book: ConcordBook, email: str, switches: Switches, at: int | None, errors: dict[str, list[str]]
) -> None:
    if not EMAIL.fullmatch(email):
        errors["email"] = ["The email field must be a valid email address."]
    elif switches["unique_email"] == "yes":
        for other in book.candidates("email", email):
            holds = str(book.get(other)["email"]).lower() == email.lower()
            if other != at and book.states[other] == LIVE and holds:
                errors["email"] = ["The email has already been taken."]


def _number(key: str, value: Any, errors: dict[str, list[str]]) -> int | None:
    if value is None or value == "":
        return None
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        errors[key] = [f"The {_words(key)} field must be an integer."]
        return None
    if int(text) not in KNOWN[key]:
        errors[key] = [f"The selected {_words(key)} is invalid."]
    return int(text)


def _phones(value: Any, switches: Switches, errors: dict[str, list[str]]) -> list[dict[str, str]]:
    if not isinstance(value, list):
        if value is not None:
            errors["phones"] = ["The phones field must be an array."]
        return []
    stored = []
    for index, item in enumerate(value):
        number = item.get("number") if isinstance(item, dict) else None
        kind = (item.get("type") if isinstance(item, dict) else None) or "other"
        if not isinstance(number, str):
            errors[f"phones.{index}.number"] = [f"The phones.{index}.number field is required."]
        elif len(number) > LONGEST:
            errors[f"phones.{index}.number"] = [f"The phones.{index}.number field must not be greater."]
        elif not isinstance(kind, str) or (
            switches["phone_types"] == "three" and kind not in ("mobile", "work", "other")
        ):
            errors[f"phones.{index}.type"] = [f"The selected phones.{index}.type is invalid."]
        else:
            stored.append({"number": number, "type": kind})
    return stored


def _tags(value: Any, errors: dict[str, list[str]]) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        errors["tags"] = ["The tags field must be an array."]
        return []
    for index, item in enumerate(value):
        if not isinstance(item, str):
            errors[f"tags.{index}"] = [f"The tags.{index} field must be a string."]
    return list(dict.fromkeys(item for item in value if isinstance(item, str)))


def _ids(key: str, value: Any, errors: dict[str, list[str]]) -> list[int]:
    if value is None:
        return []
    if not isinstance(value, list):
        errors[key] = [f"The {key} field must be an array."]
        return []
    numbers = []
    for index, item in enumerate(value):
        text = str(item)
        if isinstance(item, bool) or not text.isdecimal() or not 0 < int(text) <= POOLS[key]:
            errors[f"{key}.{index}"] = [f"The selected {key}.{index} is invalid."]
        else:
            numbers.append(int(text))
    return numbers


def _custom(key: str, value: Any, errors: dict[str, list[str]]) -> Any:
    """A custom field's value by its type; a number may come as text."""
    kind = CUSTOM[key]
    if value is None or value == "":
        return [] if kind == "many" else None
    try:
        if kind == "number" and not isinstance(value, bool):
            number = float(value)
            return int(number) if number.is_integer() else number
        if kind == "date":
            return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        pass
    fits = (
        (kind == "boolean" and isinstance(value, bool))
        or (kind == "many" and isinstance(value, list) and all(isinstance(item, str) for item in value))
        or (kind == "text" and isinstance(value, str))
    )
    if not fits:
        errors[key] = [f"The {_words(key)} field is not a valid {kind}."]
    return value
