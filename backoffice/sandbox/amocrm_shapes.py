"""What amoCRM shows: contacts, collections (HAL) and errors (problem+json)."""

import json
from collections.abc import Sequence
from typing import Any

from . import amocrm_words as words
from .amocrm_book import STATE_NAMES, Book
from .switches import Switches
from .wire import Answer

HAL, PROBLEM = "application/hal+json", "application/problem+json"
TITLES = {
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 422: "Unprocessable Entity", 429: "Too Many Requests",
}  # fmt: skip
BLOCKED = "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"
encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Refused(Exception):
    """The vendor says no; the answer to send."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def hal(value: Any, status: int = 200) -> Answer:
    """A successful answer."""
    body = encode(value).encode("utf-8", "surrogatepass")
    return Answer(status, body, content_type=HAL)


def nothing() -> Answer:
    """204: the end of a list, or nobody under an id."""
    return Answer(204, b"", content_type=HAL)


def problem(status: int, detail: str, **more: Any) -> Answer:
    """An error in words."""
    value = {
        "title": TITLES[status],
        "type": f"https://httpstatus.es/{status}",
        "status": status,
        "detail": detail,
    }
    return Answer(status, encode(more | value).encode(), content_type=PROBLEM)


def invalid(errors: Sequence[tuple[str, str, str, str]]) -> Answer:
    """400 with (request_id, code, path, detail) of each mistake; the whole request was refused."""
    found: dict[str, list[dict[str, str]]] = {}
    for request_id, code, path, detail in errors:
        found.setdefault(request_id, []).append({"code": code, "path": path, "detail": detail})
    listed = [{"request_id": key, "errors": value} for key, value in found.items()]
    return problem(400, "Request validation failed", **{"validation-errors": listed})


class Shapes:
    """Shows the contacts of one book."""

    def __init__(self, book: Book, switches: Switches, base: str) -> None:
        self._book, self._switches, self.base = book, switches, base

    def link(self, kind: str, number: Any) -> dict[str, Any]:
        """`_links` of one entity."""
        return {"self": {"href": f"{self.base}/api/v4/{kind}/{number}"}}

    def contact(self, position: int, with_: Sequence[str] = (), *, deleted: bool = False) -> dict[str, Any]:
        """One contact as lists and single reads show it."""
        book, fields = self._book, self._book.get(position)
        number = book.numbers[position]
        embedded: dict[str, Any] = {
            "tags": [{"id": tag, "name": book.tags[tag], "color": None} for tag in fields["tags"]],
            "companies": self._linked("companies", [fields["company"]] if fields["company"] else []),
        }
        for key in ("leads", "customers"):
            if key in with_:
                embedded[key] = self._linked(key, fields[key])
        if "catalog_elements" in with_:
            embedded["catalog_elements"] = fields["elements"]
        shown = {
            "id": number,
            "name": fields["name"],
            "first_name": fields["first_name"],
            "last_name": fields["last_name"],
            "responsible_user_id": fields["responsible_user_id"],
            "group_id": fields["group_id"],
            "created_by": fields["created_by"],
            "updated_by": fields["updated_by"],
            "created_at": book.created[position],
            "updated_at": book.updated[position],
            "closest_task_at": fields["closest_task_at"],
            "is_deleted": deleted,
            "is_unsorted": False,
            "custom_fields_values": self._values(fields["values"]),
            "account_id": words.ACCOUNT_ID,
            "_links": self.link("contacts", number),
            "_embedded": embedded,
        }
        return shown | fields["extra"]

    def _linked(self, kind: str, numbers: Sequence[int]) -> list[dict[str, Any]]:
        return [{"id": number, "_links": self.link(kind, number)} for number in numbers]

    def _values(self, values: Any) -> Any:
        if not isinstance(values, dict):
            return values  # stored by a test as it is
        shown = [
            {
                "field_id": field,
                "field_name": words.NAMES[field],
                "field_code": words.CODES[field],
                "field_type": words.TYPES[field],
                "values": [self._value(field, each) for each in items],
            }
            for field, items in values.items()
            if items
        ]
        return shown or (None if self._switches["empty_fields"] == "null" else [])

    def _value(self, field: int, stored: dict[str, Any]) -> dict[str, Any]:
        code = _code(field, stored)
        if code is None:
            return stored
        names = self._switches["enum_key"]
        return (
            stored
            | ({"enum": code} if names != "enum_code" else {})
            | ({"enum_code": code} if names != "enum" else {})
        )

    def page(self, key: str, items: list[bytes], *, path: str, page: int, query: str, more: bool) -> Answer:
        """A page of a collection, from items that are JSON already."""
        here = f"{self.base}{path}?{query}"
        links: dict[str, Any] = {"self": {"href": f"{here}&page={page}"}}
        if more:
            links["next"] = {"href": f"{here}&page={page + 1}"}
        head = encode({"_page": page, "_links": links})[:-1]
        return Answer(
            body=b"".join(
                [head.encode(), b',"_embedded":{"', key.encode(), b'":[', b",".join(items), b"]}}"]
            ),
            content_type=HAL,
        )

    def truth(self, position: int) -> dict[str, Any]:
        """Everything about one contact, for tests."""
        book, fields = self._book, self._book.get(position)
        reach = {"phones": words.PHONE, "emails": words.EMAIL}
        values = fields["values"] if isinstance(fields["values"], dict) else {}
        survivor = book.survivors.get(position)
        return {
            **{key: fields[key] for key in fields if key not in ("values", "tags", "extra")},
            "id": book.numbers[position],
            "state": STATE_NAMES[book.states[position]],
            "tags": [book.tags[tag] for tag in fields["tags"]],
            **{
                name: [{"value": each["value"], "enum": _code(field, each)} for each in values.get(field, ())]
                for name, field in reach.items()
            },
            "fields": {str(field): [each["value"] for each in items] for field, items in values.items()},
            "created_at": book.created[position],
            "updated_at": book.updated[position],
            "survivor": None if survivor is None else book.numbers[survivor],
        }  # fmt: skip


def _code(field: int, stored: dict[str, Any]) -> str | None:
    """The code of a stored value's kind, such as MOB; None where the field has no kinds with codes."""
    kind = stored.get("enum_id")
    return next((each.get("code") for each in words.ENUMS[field] if each["id"] == kind), None)
