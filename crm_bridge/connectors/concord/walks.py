"""Concord's lists page by page: the whole one, and its newest part.

Records change while pages are read. The whole list is read in order of creation, where an edit moves
nobody and a new contact comes last. The newest part is read in order of update until the day that was
asked for; the account must prove that it sorts so, otherwise everything is handed on and the engine
notices that no changes were picked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from backoffice.remote.errors import Rejected
from backoffice.remote.walk import Position, RawItem, RawPage, Unreadable
from crm_bridge.connectors.concord.mapping import Names, to_moment
from crm_bridge.connectors.concord.payloads import FAMILY, Listed

Load = Callable[[int], bytes]
Split = Callable[[bytes], Listed]
#: A day begins nowhere earlier than so long before it begins in UTC.
EARLIEST_ZONE = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class ListWalk:
    """A list from page 1 to its total, its last page or an empty page, whichever it tells."""

    load: Load
    cut: Split
    map: Callable[[RawItem, Names], Any]
    names: Names
    key: str = FAMILY
    numbered: bool = True
    first: Position = 1
    empty_pages_at_end: int = 2

    def fetch(self, position: Position) -> bytes:
        """One page as bytes."""
        return self.load(int(position))

    def split(self, body: bytes) -> RawPage:
        """Its elements. Raises BadResponse on another shape."""
        page = self.cut(body)
        # where there is a total, an empty page before it must not pass for the last one
        return RawPage(page.items, page.total, ended=page.total is None and page.more is False)

    def read(self, item: RawItem) -> Any:
        """One element as a record. Raises Unreadable."""
        return self.map(item, self.names)


@dataclass(slots=True)
class NewestWalk:
    """Contacts updated since a day, newest first; pages come one after the other.

    `oldest` loads the list in the opposite order: if the newest contact is not newer than the one at
    its head, the account does not sort by update, however sorted its pages may look. `plain` loads it in
    another order, for accounts that refuse to be asked for this one.
    """

    load: Load
    oldest: Callable[[], bytes]
    plain: Load
    cut: Split
    map: Callable[[RawItem, Names], Any]
    names: Names
    since: date
    key: str = FAMILY
    numbered: bool = False
    first: Position = 1
    empty_pages_at_end: int = 2
    _sorts: bool | None = field(default=None, init=False)
    _refused: bool = field(default=False, init=False)
    _page: int = field(default=1, init=False)
    _last: datetime | None = field(default=None, init=False)

    def fetch(self, position: Position) -> bytes:
        """One page as bytes; before the first one the order is put to the test."""
        self._page = int(position)
        if self._sorts is None:
            try:
                body = self.load(self._page)
                head = body if self._page == 1 else self.load(1)
                self._sorts = is_newer(self.cut(head), self.cut(self.oldest()))
                return body
            except Rejected:
                self._sorts, self._refused = False, True
        return (self.plain if self._refused else self.load)(self._page)

    def split(self, body: bytes) -> RawPage:
        """Its elements down to the day asked for; all of them once the order was broken."""
        page = self.cut(body)
        dates = updated(page.items)
        if not self._goes_on(dates):
            self._sorts = False
            return RawPage(page.items, next=self._page + 1, ended=page.more is False)
        floor = datetime.combine(self.since, time(), UTC) - EARLIEST_ZONE
        fresh = [item for item, at in zip(page.items, dates, strict=True) if at and at >= floor]
        reached = len(fresh) < len(page.items)
        return RawPage(fresh, next=self._page + 1, ended=reached or page.more is False)

    def read(self, item: RawItem) -> Any:
        """One element as a record. Raises Unreadable."""
        return self.map(item, self.names)

    def _goes_on(self, dates: Sequence[datetime | None]) -> bool:
        """Whether this page follows the one before it in falling order of update."""
        before = self._last
        for at in dates:
            if at is None or (before is not None and at > before):
                return False
            before = at
        self._last = before
        return bool(self._sorts)


def updated(items: Sequence[RawItem]) -> list[datetime | None]:
    """When each was updated; None where it does not say so."""
    return [_updated(item) for item in items]


def is_newer(newest: Listed, oldest: Listed) -> bool:
    """Whether the head of one list was updated after the head of the other."""
    heads = [updated(page.items[:1]) for page in (newest, oldest)]
    first, last = (dates[0] if dates else None for dates in heads)
    return first is not None and last is not None and first > last


def _updated(item: RawItem) -> datetime | None:
    value = item.raw.get("updated_at") if isinstance(item.raw, dict) else None
    try:
        return to_moment(value, "updated_at") if isinstance(value, str) else None
    except Unreadable:
        return None
