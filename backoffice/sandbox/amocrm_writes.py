"""What amoCRM accepts in an add or an update: checks as validation-errors, then stored fields."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from . import amocrm_words as words
from .amocrm_book import Book
from .switches import Switches

TEXTS = ("name", "first_name", "last_name")
NUMBERS = ("responsible_user_id", "created_by", "updated_by", "created_at", "updated_at")
PLAIN = ("text", "textarea", "url", "streetaddress")
DATES = ("date", "birthday", "date_time")
CHOICES = ("select", "radiobutton", "multiselect")
Mistake = tuple[str, str, str]  # code, path, detail


class Mistakes(Exception):
    """One item of a request cannot be stored; what is wrong with it."""

    def __init__(self, found: list[Mistake]) -> None:
        super().__init__(found)
        self.found = found


class Intake:
    """Turns one item of a request into stored fields."""

    def __init__(self, book: Book, switches: Switches) -> None:
        self._book, self._switches = book, switches

    def stored(self, item: Any, before: dict[str, Any] | None) -> dict[str, Any]:
        """The fields to store; `before` is what an update starts from. Raises Mistakes."""
        if not isinstance(item, dict):
            raise Mistakes([("InvalidType", "", "This value should be of type object.")])
        mistakes: list[Mistake] = []
        fields: dict[str, Any] = {}
        for key in TEXTS:
            if item.get(key) is not None:
                if isinstance(item[key], str):
                    fields[key] = item[key]
                else:
                    mistakes.append(("InvalidType", key, "This value should be of type string."))
        for key in NUMBERS:
            if item.get(key) is not None:
                if isinstance(item[key], int) and not isinstance(item[key], bool):
                    fields[key] = item[key]
                else:
                    mistakes.append(("InvalidType", key, "This value should be of type int."))
        user = fields.get("responsible_user_id")
        if user is not None and user not in [number for number, *_ in words.USERS]:
            mistakes.append(("NotSupportedChoice", "responsible_user_id", "The user does not exist."))
        if "custom_fields_values" in item:
            fields["values"] = self._values(item["custom_fields_values"], before, mistakes)
        tags = item.get("_embedded", {})
        if not isinstance(tags, dict):
            mistakes.append(("InvalidType", "_embedded", "This value should be of type object."))
        elif "tags" in tags:
            self._tags(tags["tags"], fields, mistakes)
        if mistakes:
            raise Mistakes(mistakes)
        return self._named(fields, before)

    def _named(self, fields: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
        """The server composes the full name from its parts, and may take a full name apart."""
        if "name" in fields and "first_name" not in fields and "last_name" not in fields:
            if self._switches["name_split"] == "split":
                first, _, last = fields["name"].partition(" ")
                fields |= {"first_name": first, "last_name": last}
        elif "name" not in fields and ("first_name" in fields or "last_name" in fields):
            whole = (before or {}) | fields
            fields["name"] = f"{whole.get('first_name', '')} {whole.get('last_name', '')}".strip()
        return fields

    def _tags(self, tags: Any, fields: dict[str, Any], mistakes: list[Mistake]) -> None:
        if tags is None:
            fields["tags"] = []
            return
        if not isinstance(tags, list):
            mistakes.append(("InvalidType", "_embedded.tags", "This value should be of type array."))
            return
        if not tags:
            if self._switches["empty_tags"] == "clears":
                fields["tags"] = []
            return
        chosen: list[int] = []
        for index, tag in enumerate(tags):
            name, number = (tag.get("name"), tag.get("id")) if isinstance(tag, dict) else (None, None)
            if isinstance(number, int) and number in self._book.tags:
                chosen.append(number)
            elif isinstance(name, str) and name:
                chosen.append(self._book.tag_id(name))
            else:
                mistakes.append(("NotBlank", f"_embedded.tags.{index}", "A tag needs an id or a name."))
        fields["tags"] = list(dict.fromkeys(chosen))

    # ------------------------------------------------------------------ custom fields

    def _values(self, given: Any, before: dict[str, Any] | None, mistakes: list[Mistake]) -> dict[int, Any]:
        """A field that is sent replaces its whole value list; one that is not sent stays."""
        kept = dict((before or {}).get("values") or {})
        if given is None:
            return {}
        if not isinstance(given, list):
            mistakes.append(("InvalidType", "custom_fields_values", "This value should be of type array."))
            return kept
        for index, item in enumerate(given):
            path = f"custom_fields_values.{index}"
            field = self._field(item)
            if field is None:
                mistakes.append(("NotSupportedChoice", f"{path}.field_id", "The field does not exist."))
                continue
            values = item.get("values")
            if values is None or values == []:
                kept.pop(field, None)
                continue
            if not isinstance(values, list):
                mistakes.append(("InvalidType", f"{path}.values", "This value should be of type array."))
                continue
            stored = []
            for number, value in enumerate(values):
                try:
                    stored.append(self._value(field, value))
                except ValueError as problem:
                    mistakes.append(("InvalidType", f"{path}.values.{number}.value", str(problem)))
            kept[field] = stored
        order = list(words.NAMES)
        return dict(sorted(kept.items(), key=lambda pair: order.index(pair[0])))

    @staticmethod
    def _field(item: Any) -> int | None:
        if not isinstance(item, dict):
            return None
        number = item.get("field_id") or words.IDS_BY_CODE.get(str(item.get("field_code")))
        return number if isinstance(number, int) and number in words.NAMES else None

    def _value(self, field: int, given: Any) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise ValueError("This value should be of type object.")
        kind, value = words.TYPES[field], given.get("value")
        if kind in CHOICES or kind == "multitext":
            return self._enumerated(field, kind, given)
        writers: dict[str, Callable[[Any], Any]] = {
            "numeric": _number, "checkbox": _flag, **dict.fromkeys(PLAIN, _text)
        }  # fmt: skip
        if kind in DATES:
            return {"value": self._moment(kind, value)}
        if kind not in writers:
            return dict(given)
        return {"value": writers[kind](value)}

    def _enumerated(self, field: int, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        enums = words.ENUMS[field]
        value, number, code = given.get("value"), given.get("enum_id"), given.get("enum_code")
        if kind == "multitext":
            if not isinstance(value, str) or not value.strip():
                raise ValueError("This value should be a string that is not blank.")
            if number is None and code is None:
                code = self._switches["enum_missing"]
            found = next((e for e in enums if number == e["id"] or (code and code == e.get("code"))), None)
            if found is None:
                raise ValueError("The enum does not exist.")
            return {"value": value, "enum_id": found["id"]}
        found = next((e for e in enums if number == e["id"] or value == e["value"]), None)
        if found is None:
            raise ValueError("The value is none of the choices.")
        return {"value": found["value"], "enum_id": found["id"]}

    def _moment(self, kind: str, value: Any) -> int:
        """Unix seconds or RFC 3339; dates are kept as midnight in the account's zone."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError("This value should be a date.")
        if isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                raise ValueError("This value should be a date (RFC 3339) or a timestamp.") from None
            if moment.tzinfo is None:
                raise ValueError("This value should be a date with a time zone (RFC 3339).")
        else:
            moment = datetime.fromtimestamp(value, UTC)
        if kind != "date_time":
            moment = moment.astimezone(timezone(timedelta(hours=self._switches["zone_hours"])))
            moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return int(moment.timestamp())


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("This value should be of type string.")
    return str(value)


def _number(value: Any) -> str:
    if isinstance(value, bool):
        raise ValueError("This value should be of type numeric.")
    try:
        float(value)
    except (TypeError, ValueError):
        raise ValueError("This value should be of type numeric.") from None
    return str(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("This value should be of type bool.")
    return value
