"""One list of AntBOT from page 1 to a proven end, for the pull engine and for look-ups.

Pages are asked for by number; `next` is never followed, for behind a proxy it may name
another host. The end is an empty page, the framework's 404 for a page out of range, or the
list's own count reached. A short page proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from xxhash import xxh3_128_hexdigest

from backoffice.remote.errors import BadResponse, Rejected
from backoffice.remote.pages import PageWatch
from backoffice.remote.session import RemoteSession
from backoffice.remote.walk import Position, RawItem, RawPage, Unreadable
from bot_campaigns.antbot import payloads

R = TypeVar("R")

_NO_MORE = b"[]"


class NotOffered(Rejected):
    """The account has no such list; what is known of its records comes from our own writes."""


def _as_it_is(item: RawItem) -> RawItem:
    return item


@dataclass(slots=True)
class ListWalk(Generic[R]):
    """One list. `key` names it with its filters, so that page marks do not mix."""

    key: str
    family: str
    load: Callable[[int], bytes]
    map: Callable[[RawItem], R]
    session: RemoteSession
    identify: Callable[[RawItem], RawItem] = _as_it_is
    documented: bool = True
    whole: bool = False
    """Comes in one answer unless that has a count; asking for page 2 would repeat it."""
    lone: bool = False
    """A single record may stand for a list of one."""
    numbered: bool = True
    first: Position = 1
    empty_pages_at_end: int = 2

    def fetch(self, position: Position) -> bytes:
        """One page as bytes; a page out of range is an empty one."""
        page = int(position)
        try:
            return self.load(page)
        except Rejected as error:
            # only the framework's own JSON says "out of range"; a proxy's 404 proves nothing
            if page > 1 and error.status == 404 and error.words:
                return _NO_MORE
            if page == 1 and not self.documented and error.status in {404, 405}:
                raise NotOffered(
                    "this account does not offer the list",
                    connection=error.connection,
                    operation=error.operation,
                    status=error.status,
                ) from error
            raise

    def split(self, body: bytes) -> RawPage:
        """Its elements. Raises BadResponse on another shape, Rejected when it says no."""
        operation = f"read list of {self.family}"
        data = self.session.parse(body, operation=operation)
        try:
            page = payloads.split_page(data, self.family, lone=self.lone)
        except payloads.Refused as error:
            raise Rejected(
                "it refused this", connection=self.session.label, operation=operation, words=str(error)
            ) from error
        except ValueError as error:
            raise self._bad(f"its answer is no list: {error}") from error
        items = [self.identify(item) for item in page.items]
        return RawPage(items, page.total, ended=self.whole and page.total is None)

    def read(self, item: RawItem) -> R:
        """One element as a record. Raises Unreadable."""
        return self.map(item)

    def read_all(self, most_pages: int = 10_000, passes: int = 3) -> list[R]:
        """Every record, once each. Raises BadResponse when the list cannot be had whole.

        For look-ups and short lists; the mirror reads long ones through the pull engine. No
        order is promised, so a list that moved while it was read is read again.
        """
        found: dict[str, RawItem] = {}
        for _ in range(passes):
            rows, total = self._read_pass(found, most_pages)
            if total is None or len(found) >= total:
                break
        else:
            raise self._bad(f"the list showed {rows} rows but only {len(found)} of {total} records")
        try:
            return [self.read(item) for item in found.values()]
        except Unreadable as error:
            raise self._bad(f"a record in its answer cannot be read: {error}") from error

    def _read_pass(self, found: dict[str, RawItem], most_pages: int) -> tuple[int, int | None]:
        """One pass over the pages, adding to `found`; how many rows and records there are."""
        watch, number, rows, empty = PageWatch(most_pages), int(self.first), 0, 0
        total: int | None = None
        while empty < self.empty_pages_at_end:
            page = self.split(self.fetch(number))
            total = page.total if page.total is not None else total
            for item in page.items:
                found[item.remote_id or f"row {number}.{rows}"] = item
            empty, rows = 0 if page.items else empty + 1, rows + len(page.items)
            if page.ended or (total is not None and rows >= total):
                break
            if page.items:
                self._see(watch, number, page)
            number += 1
        return rows, total

    def _see(self, watch: PageWatch, number: int, page: RawPage) -> None:
        try:
            watch.see(number, xxh3_128_hexdigest(repr([item.raw for item in page.items]).encode()))
        except BadResponse as error:
            raise self._bad(error.reason) from error

    def _bad(self, reason: str) -> BadResponse:
        return BadResponse(reason, connection=self.session.label, operation=f"read list of {self.family}")
