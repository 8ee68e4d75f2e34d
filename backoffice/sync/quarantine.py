"""Elements that cannot be read: kept with their reason, shown, and let go when readable."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from django.utils import timezone
from xxhash import xxh3_128_hexdigest

from backoffice.remote.walk import RawItem

SAMPLE = 2000


class Shelf:
    """The quarantine of one stream of one connection during one run."""

    def __init__(self, model: Any, connection_id: int, stream: str) -> None:
        self._model, self._connection_id, self._stream = model, connection_id, stream
        self._open: set[str] = set(
            self._rows().filter(resolved_at=None).values_list("fingerprint", flat=True)
        )
        self._found: dict[str, tuple[RawItem, str]] = {}
        self._readable: set[str] = set()

    def put(self, item: RawItem, reason: str) -> None:
        """Set an element aside, until ``write``."""
        self._found[fingerprint(item)] = (item, reason)

    def readable(self, item: RawItem) -> None:
        """This element was read well; if it is on the shelf, it may go."""
        if self._open:
            self._readable.add(fingerprint(item))

    def write(self) -> None:
        """Store what was put, resolve what became readable. Call inside the page's transaction."""
        now = timezone.now()
        for mark, (item, reason) in self._found.items():
            self._model._default_manager.update_or_create(
                connection_id=self._connection_id,
                stream=self._stream,
                fingerprint=mark,
                defaults={
                    "remote_id": item.remote_id[:64],
                    "reason": reason[:500],
                    "sample": _dump(item.raw)[:SAMPLE],
                    "last_seen_at": now,
                    "resolved_at": None,
                },
            )
        if gone := (self._readable & self._open) - self._found.keys():
            self._rows().filter(fingerprint__in=gone, resolved_at=None).update(resolved_at=now)
        self._open = (self._open - self._readable) | self._found.keys()
        self._found, self._readable = {}, set()

    def not_seen_since(self, moment: datetime) -> None:
        """A complete walk is over: what it did not show any more is settled."""
        if self._open:
            self._rows().filter(resolved_at=None, last_seen_at__lt=moment).update(resolved_at=timezone.now())

    def _rows(self) -> Any:
        return self._model._default_manager.filter(connection_id=self._connection_id, stream=self._stream)


def fingerprint(item: RawItem) -> str:
    """Of an element: by its id where it has one, else by what it says."""
    if item.remote_id:
        return xxh3_128_hexdigest(f"{item.family} {item.remote_id}".encode())
    return xxh3_128_hexdigest(_dump(item.raw).encode())


def _dump(raw: Any) -> str:
    return orjson.dumps(raw, option=orjson.OPT_SORT_KEYS).decode()
