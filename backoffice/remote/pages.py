"""Walks through pages: read ahead in order, and stop when a list goes round in circles."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from backoffice.remote.errors import BadResponse

P = TypeVar("P")
R = TypeVar("R")


def prefetch(
    fetch: Callable[[P], R],
    positions: Iterable[P],
    window: int,
    threads: int | None = None,
    sure: int | None = None,
) -> Iterator[R]:
    """Yields `fetch(position)` in order, with at most `window` pages in flight or waiting.

    For vendors whose pages can be asked for independently. `positions` may be endless: stop
    consuming and the rest is cancelled. The first failing page ends the walk with its error,
    and once a page has failed no further one is asked for. `threads` (default: window) is how
    many calls run at once; a window about twice that keeps them busy behind one slow page.

    `sure` says how many pages there are at least. Beyond them only about as many are asked
    for ahead as have come already, so that a short list is not asked for dozens of pages
    that it does not have, and a long one is soon read at full speed.
    """
    failed = threading.Event()

    def guarded(position: P) -> R:
        try:
            return fetch(position)
        except BaseException:
            failed.set()
            raise

    todo = iter(positions)
    waiting: deque[Future[R]] = deque()
    asked = came = 0
    pool = ThreadPoolExecutor(max_workers=threads or window, thread_name_prefix="prefetch")
    try:
        while True:
            if not failed.is_set():
                room = window - len(waiting)
                if sure is not None:
                    room = min(room, max(1, sure) + 2 * came - asked)
                ahead = [pool.submit(guarded, position) for position in itertools.islice(todo, max(0, room))]
                waiting.extend(ahead)
                asked += len(ahead)
            if not waiting:
                return
            page = waiting.popleft().result()
            came += 1
            yield page
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class PageWatch:
    """Notices a list that never ends: a page seen before, or more pages than can be true."""

    def __init__(self, max_pages: int = 100_000) -> None:
        self._max_pages = max_pages
        self._seen: dict[Hashable, object] = {}

    def see(self, position: object, fingerprint: Hashable) -> None:
        """Call for every page that is not empty, with its record ids or a digest of them."""
        earlier = self._seen.setdefault(fingerprint, position)
        if earlier != position:
            raise BadResponse(f"page {position} repeats page {earlier}: the list goes round in circles")
        if len(self._seen) > self._max_pages:
            raise BadResponse(f"more than {self._max_pages} pages: the list does not seem to end")
