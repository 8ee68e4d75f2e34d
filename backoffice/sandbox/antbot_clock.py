"""The vendor's time: real time × speed, set or moved by tests, and what is due when."""

import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def wire_time(value: datetime) -> str:
    """A moment with six fractional digits and Z."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Clock:
    """Simulated time; a speed of 0 stands still until moved."""

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        self.speed = speed
        self._base, self._anchor = start, time.monotonic()

    def now(self) -> datetime:
        """The vendor's present."""
        return self._base + timedelta(seconds=(time.monotonic() - self._anchor) * self.speed)

    def set(self, now: datetime) -> None:
        """Make it this time."""
        self._base, self._anchor = now, time.monotonic()

    def set_speed(self, speed: float) -> None:
        """Run faster or slower from here on."""
        if not 0 <= speed <= 100_000:
            raise ValueError("speed must be from 0 to 100000")
        self.set(self.now())
        self.speed = float(speed)


class Schedule:
    """Actions in order of their time, then of their making."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._made = 0

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Do this then."""
        self._made += 1
        heapq.heappush(self._heap, (when, self._made, action))

    def next_time(self) -> datetime | None:
        """When the next action is due."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Callable[[], None]:
        """Take the next action."""
        return heapq.heappop(self._heap)[2]

    def shift(self, by: timedelta) -> None:
        """Move everything along when the clock is set: nothing happens in between."""
        self._heap = [(when + by, made, action) for when, made, action in self._heap]
