"""Reading ahead keeps order, bounds and errors; circles are noticed."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from backoffice.remote.errors import BadResponse
from backoffice.remote.pages import PageWatch, prefetch


def test_pages_come_in_order_though_they_answer_out_of_order() -> None:
    def fetch(page: int) -> int:
        time.sleep(0.02 if page % 3 == 0 else 0)
        return page * 10

    assert list(prefetch(fetch, range(20), window=6)) == [page * 10 for page in range(20)]


def test_never_more_than_the_window_ahead_nor_more_than_the_threads_at_once() -> None:
    started: list[int] = []
    running, most, lock = 0, 0, threading.Lock()

    def fetch(page: int) -> int:
        nonlocal running, most
        with lock:
            started.append(page)
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1
        return page

    for page in prefetch(fetch, itertools.count(1), window=6, threads=3):
        time.sleep(0.01)
        assert max(started) <= page + 6
        if page == 15:
            break
    assert most == 3


def test_pages_are_fetched_side_by_side() -> None:
    start = time.monotonic()
    assert sum(1 for _ in prefetch(lambda page: time.sleep(0.05), range(16), window=8)) == 16
    assert time.monotonic() - start < 0.4


def test_first_failing_page_ends_the_walk_after_the_pages_before_it() -> None:
    asked: list[int] = []

    def fetch(page: int) -> int:
        asked.append(page)
        time.sleep(0.01)
        if page == 5:
            raise BadResponse("page 5")
        return page

    got: list[int] = []
    with pytest.raises(BadResponse, match="page 5"):
        got.extend(prefetch(fetch, range(1000), window=4))
    time.sleep(0.05)
    assert max(asked) <= 9


def test_no_page_is_asked_for_once_one_has_failed() -> None:
    asked: list[int] = []

    def fetch(page: int) -> int:
        asked.append(page)
        if page == 1:
            raise BadResponse("page 1")
        time.sleep(0.1)
        return page

    with pytest.raises(BadResponse, match="page 1"):
        list(prefetch(fetch, range(100), window=4))
    assert sorted(asked) == [0, 1, 2, 3]


def test_consumer_that_stops_early_leaves_no_thread_behind() -> None:
    asked: list[int] = []

    def fetch(page: int) -> int:
        asked.append(page)
        time.sleep(0.01)
        return page

    before = threading.active_count()
    walk = prefetch(fetch, itertools.count(), window=8, threads=2)
    assert next(walk) == 0
    walk.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    count = len(asked)
    time.sleep(0.05)
    assert len(asked) == count < 8


def test_repeated_page_is_noticed_and_named() -> None:
    watch = PageWatch()
    watch.see(1, (1, 2))
    watch.see(2, (3, 4))
    watch.see(2, (3, 4))  # the same page read again after an interruption
    with pytest.raises(BadResponse, match="page 7 repeats page 1"):
        watch.see(7, (1, 2))


def test_list_without_end_is_stopped() -> None:
    watch = PageWatch(max_pages=10)
    for page in range(10):
        watch.see(page, page)
    with pytest.raises(BadResponse, match="more than 10 pages"):
        watch.see(10, 10)
