"""Concord's contacts in memory: seeded ones made on demand, touched ones kept.

Not thread-safe by itself: the vendor's lock is held around every call.
"""

import time
from collections.abc import Callable
from typing import Any

from .concord_seed import LIVE, POOLS, PURGED, TRASHED, ConcordSeed
from .state import digits

STATE_NAMES = {LIVE: "live", TRASHED: "trashed", PURGED: "purged"}
Fields = dict[str, Any]


class ConcordBook:
    """All contacts of one account by position; the id of a contact is its position plus one."""

    def __init__(self, data: ConcordSeed) -> None:
        self.data = data
        self.states, self.created, self.updated = data.states, data.created, data.updated
        self.deleted_at = dict(data.deleted_at)
        self.hidden: set[int] = set()
        """Positions that the token's user may not see."""
        self.skew_us = 0
        self.version = 0
        self.changed: Callable[[int], None] = lambda position: None
        self._kept: dict[int, Fields] = {}
        self._born: dict[int, float] = {}
        self._index: dict[str, dict[str, list[int]]] | None = None

    # ------------------------------------------------------------------ reading

    def now_us(self) -> int:
        """The account's clock, which may be wrong on purpose."""
        return time.time_ns() // 1000 + self.skew_us

    def get(self, position: int) -> Fields:
        """The stored fields at a position; change them only through `edit`."""
        kept = self._kept.get(position)
        return self.data.fields(position) if kept is None else kept

    def find(self, number: int) -> int | None:
        """The position of an id, in whatever state."""
        return number - 1 if 0 < number <= len(self.states) else None

    def live(self) -> list[int]:
        """Positions of all live contacts that the token may see."""
        return [p for p, state in enumerate(self.states) if state == LIVE and p not in self.hidden]

    def younger_than(self, position: int, seconds: float) -> bool:
        """Whether it was created while the sandbox runs, less than so many seconds ago."""
        born = self._born.get(position)
        return born is not None and time.monotonic() - born < seconds

    def candidates(self, field: str, text: str) -> list[int]:
        """Positions that may have exactly this e-mail or number; the caller checks."""
        if self._index is None:
            self._index = {"email": {}, "phones.number": {}}
            for position in range(len(self.states)):
                kept = self._kept.get(position)
                if kept is not None:
                    self._note(position, kept)
                    continue
                person = self.data.person(position)
                self._note_texts(position, person.email, person.phones)
        key = text.strip().lower() if field == "email" else digits(text)
        return sorted(set(self._index[field].get(key, ())))

    def _note(self, position: int, fields: Fields) -> None:
        numbers = [phone.get("number") for phone in fields["phones"] or () if isinstance(phone, dict)]
        self._note_texts(position, fields["email"], numbers)

    def _note_texts(self, position: int, email: Any, numbers: Any) -> None:
        if self._index is None:
            return
        if email:
            self._index["email"].setdefault(str(email).strip().lower(), []).append(position)
        for number in numbers:
            self._index["phones.number"].setdefault(digits(str(number)), []).append(position)

    # ------------------------------------------------------------------ writing

    def create(self, fields: Fields) -> int:
        """A new live contact with the next id."""
        position, now = len(self.states), self.now_us()
        self.states.append(LIVE)
        self.created.append(now)
        self.updated.append(now)
        self._kept[position] = {pool: [] for pool in POOLS} | fields
        self._born[position] = time.monotonic()
        self._note(position, self._kept[position])
        self._touch(position)
        return position

    def edit(self, position: int, changes: Fields) -> None:
        """Set fields; `updated_at` rises."""
        fields = self._kept[position] = self.get(position) | changes
        self._note(position, fields)
        self._touch(position)

    def relate(self, position: int, pool: str, ids: list[int]) -> None:
        """The associations of one pool; whether that counts as an update nobody says: here it does not."""
        self._kept[position] = self.get(position) | {pool: sorted(set(ids))}
        self.version += 1
        self.changed(position)

    def trash(self, position: int) -> None:
        """Soft-delete a contact."""
        self._kept[position] = self.get(position)
        self.states[position] = TRASHED
        self.deleted_at[position] = self.now_us()
        self._touch(position)

    def restore(self, position: int) -> None:
        """Bring a deleted contact back."""
        self._kept[position] = self.get(position)
        self.states[position] = LIVE
        self.deleted_at.pop(position, None)
        self._touch(position)

    def purge(self, position: int) -> None:
        """Remove a contact for good."""
        self.states[position] = PURGED
        self.deleted_at.pop(position, None)
        self._touch(position)

    def hide(self, position: int, hidden: bool) -> None:
        """Take a contact out of what the token's user may see, or put it back."""
        (self.hidden.add if hidden else self.hidden.discard)(position)
        self.version += 1

    def set_dates(self, position: int, *, created: int | None, updated: int | None) -> None:
        """Force dates, in microseconds."""
        self._touch(position)
        if created is not None:
            self.created[position] = created
        if updated is not None:
            self.updated[position] = updated

    def _touch(self, position: int) -> None:
        self.version += 1
        self.updated[position] = self.now_us()
        self.changed(position)
