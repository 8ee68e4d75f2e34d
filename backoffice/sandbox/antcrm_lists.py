"""AntCRM's three lists: filters, pages, and the bytes of records kept ready.

Benches read thousands of pages, so a page is joined from records serialised once.
"""

import json
from datetime import UTC, datetime, timedelta

from . import antcrm_shapes as shapes
from .antcrm_writes import Refused
from .seed import LIVE, MERGED, TRASHED
from .selection import Chosen, Selector
from .state import ContactBook
from .switches import Switches
from .wire import Answer, Request, json_answer

PAGE_MAX = 20
CACHED_RECORDS = 250_000
encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Lists:
    """Answers the list requests of one account."""

    def __init__(self, book: ContactBook, switches: Switches) -> None:
        self._book = book
        self._switches = switches
        self._selector = Selector(book)
        self._bytes: dict[int, bytes] = {}

    def forget_all(self) -> None:
        """Any record may look different from now on."""
        self._bytes.clear()

    def warm(self) -> None:
        """Serialise (as far as the cache goes) and index now, so that a bench measures its client."""
        self._book.with_phone("0")
        for position in range(len(self._book.kinds)):
            if len(self._bytes) >= CACHED_RECORDS:
                break
            if self._book.states[position] == LIVE:
                self._shown(position)

    def live(self, request: Request) -> Answer:
        """`GET /contacts`, all twelve parameters."""
        query = request.query
        number = customer = None
        for key, is_customer in (("leadId", False), ("customerId", True)):
            if query.get(key):
                if number is not None:
                    return self._page_answer(request, [], envelope=self._switches["list_as"] == "envelope")
                number, customer = whole_number(query, key), is_customer
        if kind := query.get("contactType"):
            wanted = _contact_type(kind) == "customer"
            if number is not None and wanted is not customer:
                return self._page_answer(request, [], envelope=self._switches["list_as"] == "envelope")
            customer = wanted
        chosen = Chosen(
            customer=customer,
            type=_account_flag(query["type"]) if query.get("type") else None,
            number=number,
            phone=query.get("phone", ""),
            phone_match=self._switches["phone_match"],
            email=query.get("email", ""),
            created=self._days(query, "createdAtf", "createdAtt"),
            updated=self._days(query, "updateAtf", "updateAtt"),
        )
        found = self._ordered(chosen, request)
        if lag := request.hints.get("lag"):
            found = [position for position in found if not self._book.younger_than(position, lag)]
        return self._page_answer(request, found, envelope=self._switches["list_as"] == "envelope")

    def _ordered(self, chosen: Chosen, request: Request) -> list[int]:
        return self._selector.positions(
            chosen,
            self._switches["sort"],
            shifting=self._switches["order_shifts"] == "yes",
            first_page=request.query.get("page", "1") in ("", "0", "1"),
        )

    def _page_answer(self, request: Request, found: list[int], *, envelope: bool) -> Answer:
        page, limit, positions = self._page(request.query, found)
        parts = b",".join([self._shown(position) for position in positions])
        if envelope:
            head = json.dumps({"success": True, "page": page, "limit": limit, "total": len(found)})
            return Answer(body=head[:-1].encode() + b',"data":[' + parts + b"]}")
        if self._switches["list_as"] == "object-if-one" and len(positions) == 1:
            return Answer(body=parts)
        return Answer(body=b"[" + parts + b"]")

    def _page(self, query: dict[str, str], found: list[int]) -> tuple[int, int, list[int]]:
        page = max(1, whole_number(query, "page")) if query.get("page") else 1
        limit = whole_number(query, "limit") if query.get("limit") else PAGE_MAX
        if limit < 1 or (limit > PAGE_MAX and self._switches["limit_above_20"] == "cap"):
            limit = PAGE_MAX
        return page, limit, found[(page - 1) * limit : page * limit]

    def forget(self, position: int) -> None:
        """A changed record is serialised anew when it is next shown."""
        self._bytes.pop(position, None)

    def _shown(self, position: int) -> bytes:
        shown = self._bytes.get(position)
        if shown is None:
            value = shapes.list_shape(self._book, self._book.get(position), self._switches)
            shown = encode(value).encode("utf-8", "surrogatepass")
            if len(self._bytes) < CACHED_RECORDS:
                self._bytes[position] = shown
        return shown

    def _days(self, query: dict[str, str], first: str, last: str) -> tuple[int, int] | None:
        """The bounds of a date filter in ms: first day's midnight to the end of the last."""
        if not query.get(first) and not query.get(last):
            return None
        end_days = 1 if self._switches["date_end"] == "inclusive" else 0
        start = self._midnight(first, query[first], 0) if query.get(first) else 0
        end = self._midnight(last, query[last], end_days) if query.get(last) else 2**62
        return start, end

    def _midnight(self, key: str, text: str, add_days: int) -> int:
        try:
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
            day += timedelta(days=add_days, hours=-self._switches["date_zone_hours"])
        except (ValueError, OverflowError):
            raise Refused(f"{key} must look like 2025-05-30") from None
        return int(day.timestamp()) * 1000

    def deleted(self, request: Request) -> Answer:
        """`GET /contacts/list-deleted`."""
        states = {TRASHED, MERGED} if self._switches["merged_in_deleted"] == "yes" else {TRASHED}
        kind = request.query.get("contactType")
        customer = _contact_type(kind) == "customer" if kind else None
        return self._raw_list(request, Chosen(states=frozenset(states), customer=customer))

    def merged(self, request: Request) -> Answer:
        """`GET /contacts/merged`."""
        return self._raw_list(request, Chosen(states=frozenset({MERGED})))

    def _raw_list(self, request: Request, chosen: Chosen) -> Answer:
        query = request.query
        found = self._ordered(
            chosen._replace(
                phone=query.get("phone", ""),
                phone_match=self._switches["phone_match"],
                email=query.get("email", ""),
                name=query.get("name", ""),
            ),
            request,
        )
        page, limit, positions = self._page(query, found)
        merged = chosen.states == {MERGED}
        data = [
            shapes.raw_shape(self._book, self._book.get(position), merged=merged) for position in positions
        ]
        return json_answer({"success": True, "page": page, "limit": limit, "total": len(found), "data": data})


def _contact_type(value: str) -> str:
    if value not in ("lead", "customer"):
        raise Refused('contactType must be "lead" or "customer"')
    return value


def _account_flag(value: str) -> int:
    if value not in ("0", "1"):
        raise Refused("type must be 0 or 1")
    return int(value)


def whole_number(query: dict[str, str], key: str) -> int:
    """The parameter as a number that is not negative."""
    text = query[key]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refused(f"{key} must be a whole number")
    return int(text)
