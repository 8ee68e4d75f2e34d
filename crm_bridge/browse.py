"""One page of contacts, cheap at a million rows.

Contacts are listed by ``(touched_at, id)``. Pages are cut by the place of their
neighbour, not by an offset; the last page is the first one of the reversed
order; the count stops at ``COUNT_LIMIT``. A search walks the newest rows first,
which fills a page of a common name at once, and asks the index only when that
did not suffice.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from django.db import connections
from django.db.models import F, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from crm_bridge.models import Contact
from crm_bridge.search import Search, Way

COUNT_LIMIT = 1_000
ENOUGH_TO_COUNT = 50
GLANCE = 500
"""Rows looked at first: how often a name comes there tells whether walking on can fill a page."""
WALK = 5_000
LONG_WALK = 20_000
"""Rows looked at when no index can help (a single letter)."""
DEEPEST_OFFSET = 600_000
DEEPEST_SEARCH_OFFSET = 10_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """Where a contact stands in the list."""

    touched_at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.touched_at - _EPOCH) // timedelta(microseconds=1)}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Place | None":
        """The place written in an address; None for anything else."""
        head, _dot, tail = text.partition(".")
        if not (head.lstrip("-").isdecimal() and tail.isdecimal() and len(text) < 40):
            return None
        try:
            return cls(_EPOCH + timedelta(microseconds=int(head)), min(int(tail), 2**63 - 1))
        except (OverflowError, ValueError):
            return None


@dataclass(frozen=True)
class Count:
    number: int
    more: bool = False
    """There are more than ``number``: counting stopped."""


@dataclass(frozen=True)
class Page:
    places: list[Place]
    has_next: bool
    has_previous: bool
    count: Count | None = None
    """Known on the first page only, where it costs nothing extra."""
    partial: bool = False
    """Only the newest rows were looked at."""

    @property
    def ids(self) -> list[int]:
        return [place.id for place in self.places]


class TooDeep(ValueError):
    """A page number beyond what one request may skip."""


class Browser:
    """The list of one filtered set, newest change first (or oldest first).

    ``walk`` is the set that a search walks for its first hits: ``contacts``, or
    a wider one where only that comes in list order from an index. ``way`` picks
    one reading of the search, else the first with a hit (``way_used``).
    """

    def __init__(
        self,
        contacts: "QuerySet[Contact]",
        *,
        walk: "QuerySet[Contact]",
        search: Search,
        way: str = "",
        oldest_first: bool = False,
    ) -> None:
        self.contacts = contacts.order_by()
        self.walk = walk.order_by()
        self.search = search
        self.ways = search.way(way) if search else ()
        self.way_used: Way | None = None
        self.oldest_first = oldest_first
        self.partial = False
        self._bounds: dict[tuple[Place | None, bool, int], Place | None] = {}

    # --- pages -----------------------------------------------------------------------------

    def first(self, size: int) -> Page:
        places = self._take(max(COUNT_LIMIT, size) + 1, enough=size)
        return Page(places[:size], len(places) > size, False, self._count_of(places), self.partial)

    def last(self, size: int) -> Page:
        places = self._take(size + 1, enough=size, reverse=True)
        return Page(places[:size][::-1], False, len(places) > size, partial=self.partial)

    def after(self, place: Place, size: int) -> Page:
        places = self._take(size + 1, enough=size, place=place)
        return Page(places[:size], len(places) > size, True, partial=self.partial)

    def before(self, place: Place, size: int) -> Page:
        places = self._take(size + 1, enough=size, place=place, reverse=True)
        return Page(places[:size][::-1], True, len(places) > size, partial=self.partial)

    def numbered(self, number: int, size: int) -> Page:
        """A page by its number. Skipping costs time, so there is an end to it."""
        offset = (number - 1) * size
        if offset > (DEEPEST_SEARCH_OFFSET if self.search else DEEPEST_OFFSET):
            raise TooDeep(number)
        places = self._take(offset + size + 1, enough=size, skip=offset)
        return Page(places[:size], len(places) > size, number > 1, partial=self.partial)

    def count(self) -> Count:
        """How many there are, up to ``COUNT_LIMIT``."""
        if self.search:
            return self._count_of(self._take(COUNT_LIMIT + 1, enough=ENOUGH_TO_COUNT))
        number = self.contacts.values("pk")[: COUNT_LIMIT + 1].count()
        return Count(min(number, COUNT_LIMIT), number > COUNT_LIMIT)

    def exact_count(self) -> int:
        """Counts every row: behind a link, never part of a page."""
        return self.matching().count()

    def matching(self) -> "QuerySet[Contact]":
        """The whole set, for exports and bulk actions; in no order."""
        if not self.search:
            return self.contacts
        way = self._deciding_way()
        if way.indexable:
            return way.by_index(self.contacts, self._vendor)
        return self.contacts.filter(way.condition)

    def _count_of(self, places: list[Place]) -> Count:
        more = self._stopped_early or len(places) > COUNT_LIMIT
        return Count(len(places) - more, more)

    # --- taking places in order --------------------------------------------------------------

    _stopped_early = False

    def _take(
        self, limit: int, *, enough: int, place: Place | None = None, reverse: bool = False, skip: int = 0
    ) -> list[Place]:
        """Up to ``limit - skip`` places after ``place``, in (reversed) list order.

        A search may stop with fewer once it has more than ``enough``.
        """
        self._stopped_early = False
        newest_first = self.oldest_first == reverse
        if not self.search:
            return self._places(self._beyond(self.contacts, place, newest_first), newest_first, limit, skip)
        for way in self.ways:
            places = self._take_way(way, limit, enough, place, newest_first, skip)
            if places or way is self.ways[-1]:
                self.way_used = way
                return places
        return []

    def _take_way(
        self, way: Way, limit: int, enough: int, place: Place | None, newest_first: bool, skip: int
    ) -> list[Place]:
        contacts = self._beyond(self.contacts, place, newest_first)
        for budget in self._budgets(way, skip):
            bound = self._bound(place, newest_first, budget)
            window = contacts.filter(way.condition)
            if bound is not None:
                window = self._beyond(window, bound, not newest_first, inclusive=True)
            # More than a full page is looked for only where the list ends within the walk.
            most = limit if bound is None else min(limit, skip + enough + 1)
            places = self._places(window, newest_first, most, skip)
            if bound is None:
                return places
            if not way.indexable:
                self.partial = True
                return places
            if len(places) > enough:
                self._stopped_early = most < limit
                return places
            if len(places) * WALK <= enough * budget:
                break
        return self._places(way.by_index(contacts, self._vendor), newest_first, limit, skip)

    @staticmethod
    def _budgets(way: Way, skip: int) -> tuple[int, ...]:
        """How many rows are walked, in turn, before the index is asked."""
        if way.ending:
            return ()
        if not way.indexable:
            return (LONG_WALK,)
        return (WALK,) if skip or WALK <= GLANCE else (GLANCE, WALK)

    def _bound(self, place: Place | None, newest_first: bool, budget: int) -> Place | None:
        """The place ``budget`` rows further on; None when the list ends before."""
        key = (place, newest_first, budget)
        if key not in self._bounds:
            rows = self._beyond(self.walk, place, newest_first)
            found = self._places(rows, newest_first, budget + 1, budget)
            self._bounds[key] = found[0] if found else None
        return self._bounds[key]

    def _deciding_way(self) -> Way:
        if self.way_used is None:
            self._take(1, enough=0)
        return self.way_used or self.ways[-1]

    @cached_property
    def _vendor(self) -> str:
        return connections[self.contacts.db].vendor

    @staticmethod
    def _beyond(
        contacts: "QuerySet[Contact]", place: Place | None, newest_first: bool, inclusive: bool = False
    ) -> "QuerySet[Contact]":
        """What comes after a place (and the place itself).

        The plain range repeats what the tuple says: SQLite gets the tuple as an OR,
        from which it would not see where in the index to begin.
        """
        if place is None:
            return contacts
        shift = int(inclusive) if newest_first else -int(inclusive)
        here = (place.touched_at, place.id + shift)
        row = Tuple(F("touched_at"), F("id"))
        if newest_first:
            return contacts.filter(TupleLessThan(row, here), touched_at__lte=place.touched_at)
        return contacts.filter(TupleGreaterThan(row, here), touched_at__gte=place.touched_at)

    @staticmethod
    def _places(contacts: "QuerySet[Contact]", newest_first: bool, limit: int, skip: int = 0) -> list[Place]:
        order = ("-touched_at", "-id") if newest_first else ("touched_at", "id")
        rows = contacts.order_by(*order).values_list("touched_at", "id")[skip:limit]
        return [Place(touched_at, id) for touched_at, id in rows]
