"""Where a token that is got and renewed lives, and what all its users share."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class TokenState:
    """What all users of one credential share. Times are those of the store's clock."""

    token: str = field(default="", repr=False)
    generation: int = 0
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """What the next renewal needs and the last one brought, such as a refresh token."""
    renewed_at: list[float] = field(default_factory=list)
    failures: int = 0
    not_before: float = 0.0
    """No renewal is tried before this."""
    refused: bool = False
    """The last failure was a clear no, not a disturbance."""
    reason: str = ""


class TokenStore(Protocol):
    """Where a token lives. One in memory serves one process; a table would serve all workers."""

    def now(self) -> float:
        """The clock that all users of this store go by."""

    def current(self) -> tuple[str, int]:
        """Token ("" when there is none) and generation, without waiting for anybody."""

    def exclusive(self) -> AbstractContextManager[TokenState]:
        """Waits for its turn; what is changed in the state is kept, also when it raises."""


class MemoryTokens:
    """Shared by the threads of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._state, self._turn, self._clock = TokenState(), threading.Lock(), clock
        self._current = ("", 0)

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock()

    def current(self) -> tuple[str, int]:
        """The last kept token."""
        return self._current

    @contextmanager
    def exclusive(self) -> Iterator[TokenState]:
        """One thread at a time."""
        with self._turn:
            try:
                yield self._state
            finally:
                self._current = self._state.token, self._state.generation


_stores: dict[str, MemoryTokens] = {}
_stores_lock = threading.Lock()


def process_tokens(*identity: str) -> MemoryTokens:
    """The store of one credential in this process, however many sessions are built for it.

    `identity` names address, user and password: with a new password everything starts anew.
    """
    key = hashlib.sha256("\0".join(identity).encode()).hexdigest()
    with _stores_lock:
        return _stores.setdefault(key, MemoryTokens())


def forget_process_tokens() -> None:
    """Every credential of this process logs in anew when it is used next."""
    with _stores_lock:
        _stores.clear()
