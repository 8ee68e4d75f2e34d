"""amoCRM's list of contacts: order, filters, search and pages."""

import re
from typing import Any

from . import amocrm_words as words
from .amocrm_book import DELETED, LIVE, Book
from .amocrm_shapes import Refused, Shapes, encode, invalid, nothing, problem
from .switches import Switches
from .wire import Answer, Request

MOST = 250
SORTABLE = ("created_at", "updated_at", "id")
WITH = ("catalog_elements", "leads", "customers")
_INDEX = re.compile(r"\[\d*\]$")
CACHED_RECORDS = 250_000


def many(query: dict[str, str], name: str) -> list[str]:
    """All values of `name`, `name[]` and `name[0]`, `name[1]` …"""
    return [value for key, value in query.items() if key == name or _INDEX.sub("", key) == name]


def numbers(query: dict[str, str], name: str) -> list[int]:
    """The same as whole numbers. Raises Refused."""
    values = many(query, name)
    if not all(value.lstrip("-").isdecimal() for value in values):
        raise Refused(invalid([("0", "InvalidType", name, "This value should be of type int.")]))
    return [int(value) for value in values]


def one(query: dict[str, str], name: str) -> int | None:
    """One whole number, or None."""
    return next(iter(numbers(query, name)), None)


def paging(query: dict[str, str], default: int, most: int, cut: int) -> tuple[int, int]:
    """(page, limit). A limit above the documented one is refused, one above `cut` silently cut."""
    page, limit = one(query, "page"), one(query, "limit")
    if limit is not None and limit > most:
        raise Refused(problem(422, f"The limit must not be above {most}."))
    return max(1, page or 1), min(max(1, limit or default), cut)


def query_text(query: dict[str, str]) -> str:
    """The query of `_links`, without the page."""
    return "&".join(f"{key}={value}" for key, value in query.items() if key != "page")


class Lists:
    """Answers `GET /contacts`."""

    def __init__(self, book: Book, switches: Switches, shapes: Shapes) -> None:
        self._book, self._switches, self._shapes = book, switches, shapes
        self._bytes: dict[int, bytes] = {}
        self._orders: dict[tuple[str, bool], tuple[int, list[int]]] = {}

    def forget(self, position: int) -> None:
        """A changed record is serialised anew when it is next shown."""
        self._bytes.pop(position, None)

    def forget_all(self) -> None:
        """Any record may look different from now on."""
        self._bytes.clear()

    def warm(self) -> None:
        """Serialise now, so that a bench measures its client."""
        for position in range(min(len(self._book), CACHED_RECORDS)):
            self._shown(position, ())

    def contacts(self, request: Request) -> Answer:
        """One page."""
        query = request.query
        page, limit = paging(query, self._switches["default_limit"], MOST, self._switches["most_per_page"])
        with_ = self.with_(query)
        found = self._matching(query)
        if lag := request.hints.get("lag"):
            found = [position for position in found if not self._book.younger_than(position, lag)]
        chosen = found[(page - 1) * limit : page * limit]
        if not chosen:
            return nothing()
        more = len(found) > page * limit or self._switches["next_on_last"] == "yes"
        items = [self._shown(position, with_) for position in chosen]
        return self._shapes.page(
            "contacts", items, path="/api/v4/contacts", page=page, query=query_text(query), more=more
        )

    @staticmethod
    def with_(query: dict[str, str]) -> tuple[str, ...]:
        """What the `with` parameter asks for; unknown words are ignored."""
        asked = query.get("with", "").split(",")
        return tuple(word for word in WITH if word in asked)

    def _shown(self, position: int, with_: tuple[str, ...]) -> bytes:
        if with_:
            return self._encoded(position, with_)
        shown = self._bytes.get(position)
        if shown is None:
            shown = self._encoded(position, ())
            if len(self._bytes) < CACHED_RECORDS:
                self._bytes[position] = shown
        return shown

    def _encoded(self, position: int, with_: tuple[str, ...]) -> bytes:
        gone = self._book.states[position] != LIVE
        return encode(self._shapes.contact(position, with_, deleted=gone)).encode("utf-8", "surrogatepass")

    # ------------------------------------------------------------------ which and in what order

    def _matching(self, query: dict[str, str]) -> list[int]:
        book, states = self._book, self._book.states
        shown = {LIVE, DELETED} if self._switches["deleted_by_id"] == "flag" else {LIVE}
        ids = numbers(query, "filter[id]") if self._switches["id_filter"] == "honour" else []
        if ids:
            listed = {DELETED} if self._switches["deleted_by_id"] == "listed" else set()
            at = [book.at(number) for number in ids]
            found = [p for p in at if p is not None and states[p] in shown | listed]
            return sorted(set(found), key=lambda position: book.numbers[position])
        found = [position for position in self._ordered(query) if states[position] in shown]
        if self._switches["updated_filter"] == "honour":
            first, last = (one(query, f"filter[updated_at][{end}]") for end in ("from", "to"))
            if first is not None:
                found = [position for position in found if book.updated[position] >= first]
            if last is not None:
                found = [position for position in found if book.updated[position] <= last]
        if (text := query.get("query", "").strip()) and self._switches["search"] != "ignore":
            found = [position for position in found if self._has(position, text)]
        return found

    def _ordered(self, query: dict[str, str]) -> list[int]:
        """All positions in the order asked for; remembered until something changes."""
        key, descending = "id", False
        for name, value in query.items():
            if name.startswith("order["):
                key = name[6:].rstrip("]")
                if key not in SORTABLE or value not in ("asc", "desc"):
                    raise Refused(
                        invalid([("0", "NotSupportedChoice", name, "The list cannot be sorted like this.")])
                    )
                descending = value == "desc"
        if self._switches["order"] == "ignore":
            key, descending = "id", False
        book = self._book
        version, known = self._orders.get((key, descending), (-1, []))
        if version != book.version:
            dates: Any = {"created_at": book.created, "updated_at": book.updated, "id": book.numbers}[key]
            known = sorted(
                range(len(book)), key=lambda position: (dates[position], position), reverse=descending
            )
            self._orders[key, descending] = (book.version, known)
        return known

    def _has(self, position: int, text: str) -> bool:
        fields = self._book.get(position)
        values = fields["values"] if isinstance(fields["values"], dict) else {}
        wanted = text.casefold()
        digits = "".join(filter(str.isdecimal, text))
        for field, items in values.items():
            for each in items:
                value = str(each["value"])
                if wanted in value.casefold():
                    return True
                by_digits = field == words.PHONE and self._switches["search"] == "digits" and len(digits) > 4
                if by_digits and digits in "".join(filter(str.isdecimal, value)):
                    return True
        return wanted in fields["name"].casefold()
