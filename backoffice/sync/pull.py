"""Reads the walks of one stream, page by page, and hands what changed to a sink.

Knows no vendor and no app. The order of things keeps a kill at any point harmless: rows,
page marks, counts and the place to go on are stored in one transaction per batch, and no
transaction is open while pages are fetched.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from django.db import transaction
from django.utils import timezone
from xxhash import xxh3_128_hexdigest

from backoffice.remote.errors import BadResponse
from backoffice.remote.pages import PageWatch, prefetch
from backoffice.remote.walk import Position, RawItem, RawPage, Unreadable, Walk
from backoffice.sync.lease import Lease
from backoffice.sync.marks import Marks, fingerprint
from backoffice.sync.models import AbstractRun
from backoffice.sync.quarantine import Shelf

BATCH = 500
"""Elements compared and written together."""
ROWS_AHEAD = 1000
"""Read ahead while a batch is written, as pages in flight or waiting."""
NO_LATENCY = 0.004
"""Seconds: a list whose pages come within this is read faster by one thread than by many."""
MAX_PAGES = 200_000
FILTER_SLACK = timedelta(days=2)
"""How far outside of ``since`` a record may be before the filter counts as ignored."""
COUNTS = ("seen", "created", "changed", "unchanged", "trashed", "merged", "rejected", "requests", "pages")

# What an odd payload can make a mapping raise besides saying so: the record is set aside.
_UNMAPPABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class FilterIgnored(Exception):
    """The vendor returned everything although only changes were asked for."""


@dataclass(slots=True)
class Entry:
    """One element on its way from a page into the mirror."""

    key: str
    item: RawItem
    content_hash: str
    raw: bytes
    asked_at: datetime
    """Before the page was asked for: how old the evidence may be."""
    updated_at: datetime | None = None
    prepared: Any = None
    problem: str = ""
    """Why it cannot be read."""


@dataclass(slots=True)
class Applied:
    """What a sink did with a batch."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    trashed: int = 0
    merged: int = 0
    again: set[str] = field(default_factory=set)
    """Keys that could not be settled now: their pages are read again next time."""


class Sink(Protocol):
    """Where the records of one stream go."""

    def dirty(self) -> set[str]:
        """Keys whose rows were changed on our side since they were read."""

    def known(self, keys: Sequence[str]) -> Mapping[str, tuple[str, datetime | None]]:
        """Content hash and update time of the rows that are settled, by key."""

    def prepare(self, entry: Entry, record: Any) -> None:
        """Fill ``prepared`` and ``updated_at``; raises ``Unreadable``. No database."""

    def apply(self, entries: Sequence[Entry]) -> Applied:
        """Write a batch without repeated keys, inside the caller's transaction."""


@dataclass(slots=True)
class Place:
    """How far a walk got: enough to go on after a kill."""

    walk: str
    ordinal: int = 0
    position: Position | None = None
    rows: int = 0

    def to_json(self) -> dict[str, Any]:
        return {"walk": self.walk, "ordinal": self.ordinal, "position": self.position, "rows": self.rows}


@dataclass(slots=True)
class _Page:
    ordinal: int
    position: Position
    asked_at: datetime
    body: bytes
    raw: RawPage | None = None
    entries: list[Entry] | None = None
    took: float = 0.0
    """Seconds until it was here."""
    mapped: Future[None] | None = None


class Pull:
    """Reading for one run. ``save_place`` tells what to store as the place to go on."""

    def __init__(
        self,
        *,
        lease: Lease,
        run: AbstractRun,
        marks: Marks,
        shelf: Shelf,
        sink: Sink,
        parallel: int,
        page_size: int,
        version: int,
        save_place: Callable[[Place | None], Mapping[str, Any]],
        progress: Callable[[AbstractRun], None] | None = None,
    ) -> None:
        self.run, self.sink, self.marks = run, sink, marks
        self._lease, self._shelf, self._parallel, self._version = lease, shelf, max(1, parallel), version
        self._ahead = ROWS_AHEAD // max(1, page_size)
        self._save_place, self._progress = save_place, progress
        self._counting = threading.Lock()
        self._batch: list[Entry] = []
        self._walking: Walk | None = None
        self._eager = False
        self._since: datetime | None = None
        self._use_marks = True
        self.changed_pages = 0
        """Pages of this pass that were not as in the pass before."""
        self.newest: datetime | None = None
        """Latest update time read in this run."""

    def read(
        self, walks: Iterable[Walk], *, place: Place | None = None, since: datetime | None = None
    ) -> None:
        """All walks to their proven ends, from ``place`` on. Raises when one cannot be read."""
        self._since, self._use_marks, self.changed_pages = since, since is None, 0
        todo = list(walks)
        if place is not None and any(walk.key == place.walk for walk in todo):
            while todo[0].key != place.walk:
                del todo[0]
        else:
            place = None
        for walk in todo:
            self._walk(walk, place or Place(walk.key))
            place = None

    def drop(self) -> None:
        """Forget what was read but not written."""
        self._batch = []

    def _walk(self, walk: Walk, place: Place) -> None:
        self._walking = walk
        self.marks.start(walk.key, self.sink.dirty() if self._use_marks else set())
        known = self.marks.pages() if self._use_marks else 0
        # with nothing to compare pages with, every record is mapped: by a thread of its own, which
        # works while this one waits for the database
        self._eager = walk.numbered and not known
        watch = PageWatch(MAX_PAGES)
        empty, total, first, largest = 0, None, True, 0
        with closing(self._pages(walk, place, known)) as pages:
            for page in pages:
                rows, problem_free, raw = 0, True, None
                digest = self.marks.digest(page.body)
                keys = self.marks.unchanged(page.ordinal, digest) if self._may_skip(walk, first) else None
                if keys:
                    rows = keys.count("\n") + 1
                    self.run.unchanged += rows
                else:
                    raw = self._split(walk, page)
                    total = raw.total if raw.total is not None else total
                    rows = len(raw.items)
                    keys, problem_free = self._collect(raw, page)
                empty = 0 if rows else empty + 1
                first = False
                if rows:
                    watch.see(page.ordinal, fingerprint(keys) if keys else digest)
                    self.run.pages += 1
                    self.run.seen += rows
                    place.rows += rows
                    largest = max(largest, rows)
                if raw is not None and self._use_marks and (rows or self.marks.has(page.ordinal)):
                    self.changed_pages += self.marks.put(page.ordinal, digest, keys, problem_free)
                place.ordinal, place.position = page.ordinal + 1, raw.next if raw else None
                if total is not None:
                    self.run.expected = max(self.run.expected or 0, total)
                if self._ended(walk, raw, place, empty, total, largest):
                    break
                if len(self._batch) >= BATCH or self._lease.due:
                    self.flush(place)
        self.flush(place)
        if self._use_marks:
            self.changed_pages += self.marks.forget_after(place.ordinal - 1 - empty)

    def _may_skip(self, walk: Walk, first: bool) -> bool:
        """The first page is always read, for its total; token pages for the next token."""
        return self._use_marks and walk.numbered and not first

    @staticmethod
    def _ended(
        walk: Walk, raw: RawPage | None, place: Place, empty: int, total: int | None, largest: int
    ) -> bool:
        """Whether the end is proven. A short page never proves it."""
        if raw is not None and raw.ended:
            return True
        if total is not None and place.rows >= total:
            return True
        if not walk.numbered and (raw is None or raw.next is None):
            raise BadResponse("the list stopped without proving its end")
        if empty < walk.empty_pages_at_end:
            return False
        if total is not None and place.rows + largest < total:
            raise BadResponse(f"the list ended after {place.rows} of {total} records")
        return True

    # --- pages -----------------------------------------------------------------------------

    def _pages(self, walk: Walk, place: Place, known: int) -> Generator[_Page, None, None]:
        return self._numbered(walk, place, known) if walk.numbered else self._by_token(walk, place)

    def _numbered(self, walk: Walk, place: Place, known: int) -> Generator[_Page, None, None]:
        """As many at once as allowed, at first as many as the last walk found."""
        first = int(walk.first)

        def fetch(ordinal: int) -> _Page:
            asked_at, began = timezone.now(), time.monotonic()
            page = _Page(ordinal, first + ordinal, asked_at, self._fetch(walk, first + ordinal))
            page.took = time.monotonic() - began
            return page

        start = place.ordinal
        yield fetch(start)  # may have had to connect, so the ones after it tell how quick the list is
        took = 0.0
        while took < NO_LATENCY and not self._eager:
            start += 1
            page = fetch(start)
            took += (page.took - took) / (8 if took else 1)
            yield page
        window = max(self._ahead, 2 * self._parallel) if self._parallel > 1 else 1
        sure = max(walk.empty_pages_at_end, known + walk.empty_pages_at_end - start - 1)
        with ThreadPoolExecutor(1, "understand") as mapper:

            def fetch_and_map(ordinal: int) -> _Page:
                page = fetch(ordinal)
                page.mapped = mapper.submit(self._map, walk, page)
                return page

            get = fetch_and_map if self._eager else fetch
            yield from prefetch(get, itertools.count(start + 1), window, self._parallel, sure)

    def _by_token(self, walk: Walk, place: Place) -> Generator[_Page, None, None]:
        position = walk.first if place.position is None else place.position
        ordinal = place.ordinal
        while True:
            asked_at = timezone.now()
            page = _Page(ordinal, position, asked_at, self._fetch(walk, position))
            yield page
            if page.raw is None or page.raw.next is None:
                return
            position, ordinal = page.raw.next, ordinal + 1

    def _fetch(self, walk: Walk, position: Position) -> bytes:
        """Ask for a page, from any thread; one that is asked for ahead and never read counts as well."""
        with self._counting:
            self.run.requests += 1
        return walk.fetch(position)

    def _map(self, walk: Walk, page: _Page) -> None:
        """Cut a page and map its elements; pure. A damaged page is dealt with when its turn comes."""
        with suppress(BadResponse):
            page.raw = walk.split(page.body)
            page.entries = [self._entry(item, page.asked_at) for item in page.raw.items]
            for entry in page.entries:
                self._understand(walk, entry)

    def _split(self, walk: Walk, page: _Page) -> RawPage:
        """Cut a page; one that came damaged is asked for once more."""
        if page.mapped is not None:
            page.mapped.result()
        if page.raw is None:
            try:
                page.raw = walk.split(page.body)
            except BadResponse:
                page.asked_at = timezone.now()
                page.body = self._fetch(walk, page.position)
                page.raw = walk.split(page.body)
        return page.raw

    def _collect(self, raw: RawPage, page: _Page) -> tuple[str, bool]:
        """Put the elements of a page into the batch; returns its keys and whether all have one."""
        entries = page.entries
        if entries is None:
            entries = [self._entry(item, page.asked_at) for item in raw.items]
        keyed = [entry for entry in entries if entry.key]
        for entry in entries:
            if not entry.key:
                self._set_aside(entry)
        self._batch += keyed
        return "\n".join([entry.key for entry in keyed]), len(keyed) == len(entries)

    def _entry(self, item: RawItem, asked_at: datetime) -> Entry:
        """An element with its hash; without a key where it has no usable id."""
        if problem := item.problem or _id_problem(item):
            return Entry("", item, "", b"", asked_at, problem=problem)
        content = orjson.dumps(item.raw, option=orjson.OPT_SORT_KEYS)
        content_hash = xxh3_128_hexdigest(content, self._version)
        return Entry(f"{item.family} {item.remote_id}", item, content_hash, content, asked_at)

    def _understand(self, walk: Walk, entry: Entry) -> None:
        """Map an element and build its rows, once. Pure, so any thread may do it."""
        if entry.prepared is not None or entry.problem:
            return
        try:
            self.sink.prepare(entry, walk.read(entry.item))
        except Unreadable as error:
            entry.problem = str(error)
        except _UNMAPPABLE as error:
            entry.problem = f"cannot be read ({type(error).__name__})"

    # --- writing ---------------------------------------------------------------------------

    def flush(self, place: Place | None) -> None:
        """Write the batch, the marks, the counts and the place, all or nothing."""
        entries, self._batch = self._batch, []
        changed, unread = self._changed(entries)
        with transaction.atomic():
            applied = self.sink.apply(changed) if changed else Applied()
            self._shelf.write()
            self.marks.write(applied.again | unread)
            for name in ("created", "changed", "unchanged", "trashed", "merged"):
                setattr(self.run, name, getattr(self.run, name) + getattr(applied, name))
            self.run.heartbeat_at = timezone.now()
            self.run.save(update_fields=[*COUNTS, "heartbeat_at", "expected"])
            self._lease.save(**self._save_place(place))
        if self._progress:
            self._progress(self.run)

    def _changed(self, entries: Sequence[Entry]) -> tuple[list[Entry], set[str]]:
        """Entries to write, and the keys of unreadable ones; what the mirror holds is counted."""
        unread: set[str] = set()
        known = self.sink.known([entry.key for entry in entries]) if entries else {}
        latest: dict[str, Entry] = {}
        outside = dated = 0
        for entry in entries:
            content_hash, updated_at = known.get(entry.key, ("", None))
            if content_hash == entry.content_hash:
                self.run.unchanged += 1
                self._shelf.readable(entry.item)
            elif self._prepare(entry):
                updated_at = entry.updated_at
                before = latest.get(entry.key)
                if before is None or _not_older(entry, before):
                    latest[entry.key] = entry
            else:
                unread.add(entry.key)
            if updated_at is not None:
                self.newest = updated_at if self.newest is None else max(self.newest, updated_at)
                if self._since is not None:
                    dated += 1
                    outside += updated_at < self._since - FILTER_SLACK
        if outside * 2 > dated:
            raise FilterIgnored
        return list(latest.values()), unread

    def _prepare(self, entry: Entry) -> bool:
        assert self._walking is not None
        self._understand(self._walking, entry)
        if entry.problem:
            self._set_aside(entry)
            return False
        self._shelf.readable(entry.item)
        return True

    def _set_aside(self, entry: Entry) -> None:
        self.run.rejected += 1
        self._shelf.put(entry.item, entry.problem)


def _not_older(entry: Entry, before: Entry) -> bool:
    """The same record twice in a batch: the newer update wins, else the later sighting."""
    if entry.updated_at is None or before.updated_at is None:
        return True
    return entry.updated_at >= before.updated_at


def _id_problem(item: RawItem) -> str:
    remote_id = item.remote_id
    if not remote_id:
        return "it has no id"
    if len(remote_id) > 64 or not (remote_id.isalnum() or (remote_id.isprintable() and " " not in remote_id)):
        return "its id is not one we can keep"
    return ""
