"""How often and whether a connection may be called: rate limit and circuit breaker.

Both are protocols. The in-process versions here serve one process; a version shared by
all workers needs a table and lives with the tables.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from backoffice.remote.errors import RetryLater


class Limiter(Protocol):
    """Asked before every single attempt, retries included."""

    def acquire(self, deadline: float) -> None:
        """Waits for a turn; raises RetryLater when it would come after `deadline` (monotonic)."""


class CircuitBreaker(Protocol):
    """Stops calling a system that cannot be reached, and tries again with one call."""

    def check(self) -> None:
        """Raises RetryLater while the circuit is open."""

    def succeeded(self) -> None:
        """An answer came, whatever it said."""

    def failed(self) -> None:
        """No answer came: connection refused, lost or timed out."""


class NoLimit:
    """For calls that need no limit, such as tests and one-off checks."""

    def acquire(self, deadline: float) -> None:
        """Never waits."""


class ProcessLimiter:
    """Evenly spaced calls with a small burst (GCRA), shared by the threads of one process."""

    def __init__(
        self,
        per_second: float,
        burst: int = 1,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("A rate limit needs more than 0 calls per second and a burst of at least 1.")
        self._interval = 1 / per_second
        self._tolerance = self._interval * (burst - 1)
        self._next = clock()
        self._lock = threading.Lock()
        self._clock, self._sleep = clock, sleep

    def acquire(self, deadline: float) -> None:
        """Takes the next free turn and sleeps until it comes."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            start = max(now, turn - self._tolerance)
            if start > deadline:
                raise RetryLater.in_seconds("our own rate limit has no free turn in time", start - now)
            self._next = turn + self._interval
        if start > now:
            self._sleep(start - now)


class NoBreaker:
    """A circuit that never opens."""

    def check(self) -> None:
        """Always closed."""

    def succeeded(self) -> None:
        """Nothing to remember."""

    def failed(self) -> None:
        """Nothing to remember."""


class ProcessBreaker:
    """Opens after some connection failures in a row; then lets one probe through at a time."""

    def __init__(
        self, failures: int = 5, cooldown: float = 30.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._cooldown, self._clock = failures, cooldown, clock
        self._failures = 0
        self._probe_at = 0.0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Lets calls pass while closed; while open one probe per cool-down time."""
        with self._lock:
            if self._failures < self._limit:
                return
            now = self._clock()
            if now < self._probe_at:
                raise RetryLater.in_seconds(
                    f"not called: the last {self._failures} calls could not reach it", self._probe_at - now
                )
            # this call is the probe; should it never report back, the next may go after a cool-down
            self._probe_at = now + self._cooldown

    def succeeded(self) -> None:
        """Closes the circuit."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """Counts; the last straw opens the circuit."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limit:
                self._probe_at = self._clock() + self._cooldown
