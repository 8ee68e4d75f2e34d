"""What each page of a list looked like when it was last applied.

A page whose bytes give the same digest is not even parsed. Three things keep that from
ever hiding a change: the digest is stored in the transaction of the page's rows; a page
with a record that is not settled is stored without one; and a page that holds a *dirty*
key (a row that was changed on our side since it was read) is never taken as unchanged.
"""

from __future__ import annotations

from typing import Any

from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

from backoffice.sync.bulk import Bulk

CHUNK = 500
KEYS = "pulled_keys"


class Marks:
    """The page marks of one stream; reads them in chunks, so memory stays flat."""

    def __init__(self, model: Any, state_id: int, version: int, bulk: Bulk) -> None:
        self._model, self._state_id, self._version, self._bulk = model, state_id, version, bulk
        self._walk, self._chunk = "", -1
        self._loaded: dict[int, tuple[str, str]] = {}
        self._new: list[tuple[int, str, str, str, bool]] = []
        self.dirty: set[str] = set()

    def start(self, walk: str, dirty: set[str]) -> None:
        """Begin (or go on) with a walk; ``dirty`` are keys that must be read again."""
        self._walk, self._chunk, self.dirty = walk, -1, dirty
        self._loaded, self._new = {}, []

    def digest(self, body: bytes) -> str:
        """Changes with the mapping, so that a better mapping reads everything again."""
        return xxh3_128_hexdigest(body, self._version)

    def unchanged(self, position: int, digest: str) -> str | None:
        """The page's keys if it is as it was and may be skipped, else None."""
        known, keys = self._known(position)
        if known != digest or not self.dirty.isdisjoint(keys.split("\n")):
            return None
        return keys

    def has(self, position: int) -> bool:
        """Whether the pass before showed records here: a page now empty must not keep them."""
        return bool(self._known(position)[1])

    def put(self, position: int, digest: str, keys: str, skippable: bool) -> bool:
        """Remember a page until ``write``; returns whether it is another than before.

        A page with something unsettled keeps a digest that never matches, so it is read
        again next time, but a list that stands still can be told from one that moves.
        """
        before = self._known(position)[0]
        self._new.append((position, before, digest, keys, skippable))
        return before not in (digest, _unsettled(digest))

    def write(self, again: set[str]) -> None:
        """Store what was put; pages holding a key of ``again`` count as unsettled."""
        rows = []
        for position, before, digest, keys, skippable in self._new:
            settled = skippable and (not again or again.isdisjoint(keys.split("\n")))
            stored = digest if settled else _unsettled(digest)
            if stored != before:
                rows.append((self._state_id, self._walk, position, stored, keys))
        self._bulk.upsert(
            self._model._meta.db_table,
            ("state_id", "walk", "position", "digest", "keys"),
            rows,
            key=("state_id", "walk", "position"),
        )
        self._new = []

    def pages(self) -> int:
        """How many pages this walk had when it was last read."""
        count: int = self._rows(self._walk).exclude(keys="").count()
        return count

    def forget_after(self, position: int) -> int:
        """The list ended here: drops later pages of an earlier pass; returns how many."""
        stale = self._rows(self._walk).filter(position__gt=position)
        return stale.delete()[0] if stale.exists() else 0

    def forget_walks_but(self, walks: list[str]) -> None:
        """Walks that the connector no longer has prove nothing."""
        stale = self._model._default_manager.filter(state_id=self._state_id).exclude(walk__in=walks)
        if stale.exists():
            stale.delete()

    def to_table(self) -> str:
        """All keys of all pages in a temporary table; returns its name."""
        table = self._model._meta.db_table
        query = f"SELECT keys FROM {table} WHERE state_id = %s AND keys <> ''"  # noqa: S608  our own table
        self._bulk.lines(KEYS, query, [self._state_id])
        return KEYS

    def _rows(self, walk: str) -> Any:
        return self._model._default_manager.filter(state_id=self._state_id, walk=walk)

    def _known(self, position: int) -> tuple[str, str]:
        if position // CHUNK != self._chunk:
            self._load(position // CHUNK)
        return self._loaded.get(position, ("", ""))

    def _load(self, chunk: int) -> None:
        wanted = self._rows(self._walk).filter(position__gte=chunk * CHUNK, position__lt=(chunk + 1) * CHUNK)
        self._chunk = chunk
        self._loaded = {row[0]: row[1:] for row in wanted.values_list("position", "digest", "keys")}


def _unsettled(digest: str) -> str:
    return f"!{digest[1:]}"


def fingerprint(keys: str) -> int:
    """Of a page by the set of its keys, whatever their order."""
    return xxh3_64_intdigest("\n".join(sorted(keys.split("\n"))).encode())
