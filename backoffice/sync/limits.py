"""Rate limit and circuit breaker on one row, so that all workers share them.

Each touches its row with one short statement by the database's clock and never sleeps or
talks to a remote system while holding it. Calls come from prefetch threads too: a thread
that had no database connection is left without one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from backoffice.remote.errors import RetryLater
from backoffice.sync.models import AbstractHealth
from backoffice.sync.visit import visit

SLICE_SECONDS = 0.2
"""Turns reserved at once; what a process does not use of them is lost, not saved up."""
FAILURES_TO_OPEN = 5
COOLDOWN = 30.0
LONGEST_COOLDOWN = 600.0
LOOK_AGAIN = 1.0
"""Seconds for which a worker trusts that the circuit is closed."""
OK_AGAIN = 30.0


class _Row:
    """The health row of one connection, by its own short statements."""

    def __init__(self, health: AbstractHealth) -> None:
        self.table = health._meta.db_table
        self.pk = health.pk

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        with visit(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            yield cursor

    @property
    def clock(self) -> str:
        """SQL of the database's clock in epoch seconds."""
        if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
            return "extract(epoch from clock_timestamp())::float8"
        return "((julianday('now') - 2440587.5) * 86400.0)"

    @property
    def greatest(self) -> str:
        return "greatest" if connections[DEFAULT_DB_ALIAS].vendor == "postgresql" else "max"


class SharedLimiter:
    """Evenly spaced calls of all workers together (GCRA); see ``remote.limits.Limiter``."""

    def __init__(
        self, health: AbstractHealth, per_second: float, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if per_second <= 0:
            raise ValueError("A rate limit needs more than 0 calls per second.")
        self._row = _Row(health)
        self._interval = 1 / per_second
        self._slice = max(1, int(per_second * SLICE_SECONDS))
        self._turns: list[float] = []
        self._lock = threading.Lock()
        self._sleep = sleep

    def acquire(self, deadline: float) -> None:
        """Take the next turn and sleep until it comes."""
        with self._lock:
            if not self._turns:
                self._turns = self._reserve(deadline)
            turn = self._turns[0]
            now = time.monotonic()
            if turn > deadline:
                raise self._no_turn(turn - now)
            del self._turns[0]
        if turn > now:
            self._sleep(turn - now)

    def _reserve(self, deadline: float) -> list[float]:
        """Turns as monotonic times. Nothing is reserved when the first is too late."""
        left = deadline - time.monotonic()
        clock, greatest = self._row.clock, self._row.greatest
        statement = (
            f"UPDATE {self._row.table}"
            f" SET next_request_at = {greatest}(next_request_at, {clock}) + %s"
            f" WHERE id = %s AND next_request_at <= {clock} + %s"
            f" RETURNING next_request_at, {clock}"
        )
        span = self._interval * self._slice
        with self._row.cursor() as cursor:
            cursor.execute(statement, [span, self._row.pk, left])
            row = cursor.fetchone()
        if row is None:
            raise self._no_turn(left)
        wait = max(0.0, row[0] - span - row[1])
        first = time.monotonic() + wait
        return [first + number * self._interval for number in range(self._slice)]

    @staticmethod
    def _no_turn(seconds: float) -> RetryLater:
        return RetryLater.in_seconds("our own rate limit has no free turn in time", max(0.0, seconds))


class SharedBreaker:
    """A circuit for all workers; see ``remote.limits.CircuitBreaker``."""

    def __init__(self, health: AbstractHealth) -> None:
        self._row = _Row(health)
        self._rows: Any = type(health)._default_manager
        self._lock = threading.Lock()
        self._looked = self._said_ok = float("-inf")
        self._troubled = True

    def check(self) -> None:
        """Let calls pass while closed; while open one probe per cool-down time."""
        now = time.monotonic()
        with self._lock:
            if now - self._looked < LOOK_AGAIN:
                return
        with self._row.cursor() as cursor:
            cursor.execute(f"SELECT failures FROM {self._row.table} WHERE id = %s", [self._row.pk])
            row = cursor.fetchone()
            failures = row[0] if row else 0
            if failures >= FAILURES_TO_OPEN:
                self._probe(cursor, failures)
        with self._lock:
            self._troubled = failures > 0
            if not failures:
                self._looked = now

    def _probe(self, cursor: Any, failures: int) -> None:
        """Go on as the one probe, or raise."""

        mine = self._rows.filter(pk=self._row.pk, failures__gte=FAILURES_TO_OPEN)
        if mine.exclude(open_until__gt=Now()).update(open_until=Now() + timedelta(seconds=COOLDOWN)):
            return
        until = self._rows.filter(pk=self._row.pk).values_list("open_until", flat=True).first()
        wait = max(1.0, (until - timezone.now()).total_seconds()) if until else COOLDOWN
        raise RetryLater.in_seconds(f"not called: the last {failures} calls could not reach it", wait)

    def succeeded(self) -> None:
        """Close the circuit. Says so in the row only when that is news."""

        now = time.monotonic()
        with self._lock:
            if not self._troubled and now - self._said_ok < OK_AGAIN:
                return
            self._troubled, self._said_ok = False, now
        with self._row.cursor():
            mine = self._rows.filter(pk=self._row.pk)
            # without failures a pause is not the circuit's: the vendor asked for it
            mine.filter(failures__gt=0).update(failures=0, open_until=None)
            mine.update(last_ok_at=Now())

    def failed(self) -> None:
        """Count; the last straw opens the circuit, each further one for longer."""

        with self._lock:
            self._troubled, self._looked = True, float("-inf")
        with self._row.cursor():
            mine = self._rows.filter(pk=self._row.pk)
            mine.update(failures=F("failures") + 1)
            failures = mine.values_list("failures", flat=True).first() or 0
            if failures >= FAILURES_TO_OPEN:
                pause = min(LONGEST_COOLDOWN, COOLDOWN * 2 ** min(10, failures - FAILURES_TO_OPEN))
                mine.update(open_until=Now() + timedelta(seconds=pause))
