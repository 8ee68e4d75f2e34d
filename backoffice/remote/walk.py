"""What one walk through a remote list looks like, whatever the vendor.

A connector offers walks, the pull engine drives them: ``fetch`` runs in worker
threads and does HTTP only; ``split`` and ``read`` are pure. The three steps are
apart so that an unchanged page is never parsed (its bytes are compared) and an
unchanged record is never mapped (its raw content is compared).
"""

from dataclasses import dataclass
from typing import Any, Protocol

Position = int | str
"""A page number for numbered lists, the vendor's token for the others."""


@dataclass(frozen=True, slots=True)
class RawItem:
    """One element of a page before it is mapped."""

    family: str
    remote_id: str
    raw: Any
    problem: str = ""
    """Why the element has no usable id; such an element goes to quarantine."""


@dataclass(frozen=True, slots=True)
class RawPage:
    items: list[RawItem]
    total: int | None = None
    """How many the whole list holds, where the vendor says so."""
    next: Position | None = None
    """Where to go on (token lists only); numbered walks count by themselves."""
    ended: bool = False
    """The vendor itself proved the end (no next link, empty scroll)."""


class Unreadable(ValueError):
    """One element cannot be mapped; its message names the field and the reason."""


class Walk(Protocol):
    """One list, or one partition of it, read from its first page to a proven end."""

    key: str
    """Stable name of the partition (``lead``, ``customer``): page marks hang on it."""
    numbered: bool
    """Pages have numbers and may be asked for before the one before has answered."""
    first: Position
    empty_pages_at_end: int
    """How many empty pages in a row prove the end where no total is given."""

    def fetch(self, position: Position) -> bytes:
        """Read one page. Raises the errors of ``backoffice.remote.errors``."""

    def split(self, body: bytes) -> RawPage:
        """Cut a page into raw elements. Raises ``BadResponse`` on another shape."""

    def read(self, item: RawItem) -> Any:
        """Map one element to a record. Raises ``Unreadable``."""
