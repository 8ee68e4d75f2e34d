"""What really happened: the log of applied writes and the counters of requests.

Tests ask it instead of the product: it is the witness for "sent once", "never too fast".
"""

import threading
import time
from collections import Counter, deque
from typing import Any


class WriteLog:
    """Every applied write in order; `by` tells the API from remote staff."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[dict[str, Any]] = []
        self._seq = 0

    def add(
        self, vendor: str, operation: str, *, selector: Any, body: Any, result: Any, by: str = "api"
    ) -> None:
        """Note one write that has been applied."""
        with self._lock:
            self._seq += 1
            self._entries.append(
                {
                    "seq": self._seq,
                    "time": time.time(),
                    "vendor": vendor,
                    "operation": operation,
                    "selector": selector,
                    "body": body,
                    "result": result,
                    "by": by,
                }
            )

    def since(self, seq: int, by: str = "api", vendor: str = "") -> list[dict[str, Any]]:
        """Entries after `seq`; `by="all"` includes what the control API did."""
        with self._lock:
            return [
                entry
                for entry in self._entries
                if entry["seq"] > seq and by in ("all", entry["by"]) and vendor in ("", entry["vendor"])
            ]

    def clear(self) -> None:
        """Forget the entries; sequence numbers go on rising."""
        with self._lock:
            self._entries.clear()


class Counters:
    """Requests per route and status, the busiest second and the most at one time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Start counting anew; requests being answered stay counted as in flight."""
        with self._lock:
            self._routes: Counter[str] = Counter()
            self._statuses: Counter[str] = Counter()
            self._recent: deque[float] = deque()
            self._busiest_second = 0
            self._most_concurrent = self._in_flight
            self._connections = 0
            self._faults: Counter[str] = Counter()

    def connected(self) -> None:
        """A client opened a connection."""
        with self._lock:
            self._connections += 1

    def begin(self, route: str) -> int:
        """A request arrived; answers how many came within the last second."""
        now = time.monotonic()
        with self._lock:
            self._routes[route] += 1
            self._in_flight += 1
            if self._in_flight > self._most_concurrent:
                self._most_concurrent = self._in_flight
            recent = self._recent
            recent.append(now)
            while recent[0] <= now - 1.0:
                recent.popleft()
            if len(recent) > self._busiest_second:
                self._busiest_second = len(recent)
            return len(recent)

    def end(self, status: str) -> None:
        """A request was answered, or cut."""
        with self._lock:
            self._statuses[status] += 1
            self._in_flight -= 1

    def fault(self, kind: str) -> None:
        """A fault rule fired."""
        with self._lock:
            self._faults[kind] += 1

    def as_dict(self) -> dict[str, Any]:
        """The counters as the control API shows them."""
        with self._lock:
            return {
                "requests": sum(self._routes.values()),
                "routes": dict(self._routes),
                "statuses": dict(self._statuses),
                "faults": dict(self._faults),
                "max_per_second": self._busiest_second,
                "max_concurrent": self._most_concurrent,
                "in_flight": self._in_flight,
                "connections": self._connections,
            }
