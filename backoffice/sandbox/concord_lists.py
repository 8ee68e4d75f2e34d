"""Concord's list, search and trash: order, select, q with its fields, pages."""

from collections.abc import Callable
from typing import Any

from . import concord_shapes as shapes
from .concord_book import ConcordBook, Fields
from .concord_seed import LIVE, TRASHED
from .concord_writes import Invalid
from .state import digits
from .switches import Switches
from .wire import Answer, Request, json_answer

USUAL_SIZE, LARGEST = 15, 100
CACHED = 250_000
SORTABLE = ("id", "created_at", "updated_at", *shapes.TEXTS)
SEARCHED = ("first_name", "last_name", "email", "job_title", "city", "phones.number")
USUAL_SEARCH = "first_name:like;last_name:like;email:like;phones.number:like"


class ConcordLists:
    """Answers the list requests of one account."""

    def __init__(self, book: ConcordBook, switches: Switches) -> None:
        self._book, self._switches = book, switches
        self._bytes: dict[int, bytes] = {}
        self._orders: dict[str, tuple[int, list[int]]] = {}

    def forget(self, position: int) -> None:
        """A changed contact is serialised anew when it is next shown."""
        self._bytes.pop(position, None)

    def forget_all(self) -> None:
        """Any contact may look different from now on."""
        self._bytes.clear()
        self._orders.clear()

    def warm(self) -> None:
        """Serialise now, so that a bench measures its client."""
        for position in self._book.live()[:CACHED]:
            self._shown(position)

    # ------------------------------------------------------------------ requests

    def page(self, request: Request, base: str) -> Answer:
        """`GET /contacts`."""
        found = self._found(request)
        number, size = self._page_of(request)
        positions = found[(number - 1) * size : number * size]
        return shapes.page_answer(
            self._joined(positions, request.query.get("select", "")),
            style=self._switches["paging"],
            base=base,
            page=number,
            size=size,
            count=len(found),
            shown=len(positions),
        )

    def search(self, request: Request) -> Answer:
        """`GET /contacts/search`: no pages, `take` at most."""
        if not request.query.get("q", "").strip():
            raise Invalid({"q": ["The q field is required."]})
        found = self._found(request)
        if "take" in request.query:
            found = found[: _whole(request.query, "take", least=1)]
        if self._switches["search_items"] == "brief":
            body = shapes.encode([shapes.brief(self._book, position) for position in found]).encode()
        else:
            body = b"[" + self._joined(found, request.query.get("select", "")) + b"]"
        return Answer(body=b'{"data":' + body + b"}" if self._switches["search_as"] == "data" else body)

    def trashed(self, request: Request, base: str) -> Answer:
        """The list of deleted contacts, where the account has one."""
        found = [p for p, state in enumerate(self._book.states) if state == TRASHED]
        number, size = self._page_of(request)
        positions = found[(number - 1) * size : number * size]
        return shapes.page_answer(
            self._joined(positions, ""),
            style=self._switches["paging"], base=base, page=number, size=size, count=len(found),
            shown=len(positions),
        )  # fmt: skip

    # ------------------------------------------------------------------ which contacts, in what order

    def _found(self, request: Request) -> list[int]:
        query = request.query
        found = self._ordered(query.get("order", ""))
        if words := query.get("q", "").strip():
            fits, candidates = self._matcher(words, query)
            if candidates is not None:
                found = [position for position in found if position in candidates]
            found = [position for position in found if fits(self._book.get(position))]
        if lag := request.hints.get("lag"):
            found = [position for position in found if not self._book.younger_than(position, lag)]
        return found

    def _ordered(self, order: str) -> list[int]:
        """Live positions; `order` is `field` or `field|desc`."""
        field, _, direction = order.partition("|")
        taken = self._switches["order"]
        strange = field not in ("id", "created_at")
        if taken == "refuse" and field and strange:
            raise Invalid({"order": [f"The contacts cannot be sorted by {field}."]})
        if not field or taken == "ignore" or (taken == "created_only" and strange):
            field, direction = ("created_at", "desc") if self._switches["usual_order"] != "id" else ("id", "")
        if field not in SORTABLE:
            raise Invalid({"order": [f"The contacts cannot be sorted by {field}."]})
        known, found = self._orders.get(f"{field}|{direction}", (-1, []))
        if known != self._book.version:
            found = self._sorted(field, direction.lower() == "desc")
            self._orders[f"{field}|{direction}"] = (self._book.version, found)
        return found

    def _sorted(self, field: str, descending: bool) -> list[int]:
        book = self._book
        dates = {"created_at": book.created, "updated_at": book.updated}.get(field)
        key: Callable[[int], Any]
        if dates is not None:
            key = dates.__getitem__
        elif field == "id":
            key = int
        else:
            key = lambda position: str(book.get(position)[field] or "").casefold()  # noqa: E731
        return sorted(book.live(), key=key, reverse=descending)

    def _matcher(self, words: str, query: dict[str, str]) -> tuple[Callable[[Fields], bool], set[int] | None]:
        """A test of stored fields, and the only positions that can pass where an index tells."""
        wanted = query.get("search_fields") or USUAL_SEARCH
        if self._switches["search_fields"] == "ignore":
            wanted = USUAL_SEARCH
        tests = []
        for part in wanted.split(";"):
            field, _, operator = part.strip().partition(":")
            if field not in SEARCHED or operator not in ("", "=", "like"):
                raise Invalid({"search_fields": [f"The search by {part} is not possible."]})
            tests.append((field, operator or "="))
        together = all if query.get("search_match", "").lower() == "and" else any
        candidates = None
        exact = [field for field, operator in tests if operator == "="]
        if len(tests) == 1 and (exact == ["email"] or (exact == ["phones.number"] and digits(words))):
            candidates = set(self._book.candidates(exact[0], words))
        return lambda fields: together(_fits(fields, *test, words) for test in tests), candidates

    # ------------------------------------------------------------------ bytes

    def _page_of(self, request: Request) -> tuple[int, int]:
        query = request.query
        number = _whole(query, "page", least=1) if query.get("page") else 1
        size = USUAL_SIZE
        if query.get("per_page") and self._switches["per_page"] == "honour":
            size = min(_whole(query, "per_page", least=1), LARGEST)
        return number, size

    def _joined(self, positions: list[int], select: str) -> bytes:
        if not select:
            return b",".join([self._shown(position) for position in positions])
        keys = [key.strip() for key in select.split(";")]
        records = [shapes.contact(self._book, position, self._switches) for position in positions]
        return b",".join([_bytes({key: record[key] for key in keys if key in record}) for record in records])

    def _shown(self, position: int) -> bytes:
        shown = self._bytes.get(position)
        if shown is None:
            shown = _bytes(shapes.contact(self._book, position, self._switches))
            if len(self._bytes) < CACHED:
                self._bytes[position] = shown
        return shown

    def counts(self) -> dict[str, int]:
        """Records by state."""
        states = self._book.states
        return {name: states.count(state) for state, name in shapes.STATE_NAMES.items()} | {
            "visible": sum(1 for position in self._book.live() if states[position] == LIVE)
        }


def one_not_found(switches: Switches, number: str) -> Answer:
    """The answer for an id nobody has, or nobody has any more."""
    named = switches["missing_message"] == "named"
    return json_answer({"message": f"There is no contact {number}." if named else ""}, 404)


def _bytes(value: Any) -> bytes:
    return shapes.encode(value).encode("utf-8", "surrogatepass")


def _fits(fields: Fields, field: str, operator: str, words: str) -> bool:
    if field == "phones.number":
        values = [str(phone.get("number")) for phone in fields["phones"] or () if isinstance(phone, dict)]
    else:
        values = [str(fields[field] or "")]
    wanted = words.casefold()
    if operator == "like":
        return any(wanted in value.casefold() for value in values)
    return any(wanted == value.casefold() for value in values)


def _whole(query: dict[str, str], key: str, *, least: int) -> int:
    text = query[key]
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < least:
        raise Invalid({key: [f"The {key} field must be an integer of at least {least}."]})
    return int(text)
