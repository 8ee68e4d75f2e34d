"""AntCRM's records in memory: seeded ones made on demand, touched ones kept.

Positions number all records in order of insertion. Arrays hold what every list must look at
(kind, state, dates, numbers); the fields of a record are built when read and kept once changed.
Not thread-safe by itself: the vendor's lock is held around every call.
"""

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from .seed import CONTACT, CONVERTED, LEAD, LIVE, MERGED, PURGED, TRASHED, SeedData

STATE_NAMES = {LIVE: "live", TRASHED: "trashed", MERGED: "merged", CONVERTED: "converted", PURGED: "purged"}


class Trashed(NamedTuple):
    """When and by whom a record went to the trash, and the id of that note."""

    at: int
    by: str
    oid: str


@dataclass(slots=True)
class Record:
    """One record's fields with its place; change fields only through `ContactBook.edit`."""

    position: int
    oid: str
    fields: dict[str, Any]
    code: str | None = None


class ContactBook:
    """All records of one AntCRM account and what can happen to them."""

    def __init__(self, data: SeedData) -> None:
        self.data = data
        self.kinds, self.states, self.numbers = data.kinds, data.states, data.numbers
        self.created, self.updated = data.created, data.updated
        self.survivors = dict(data.survivors)
        self.staff_ids = {email.lower(): oid for oid, email, _ in data.staff}
        self.staff_emails = {oid: email for oid, email, _ in data.staff}
        self.definitions = dict(data.definitions)
        self.skew_ms = 0
        self.version = 0  # rises with every change
        self.membership = 0  # rises when a list gains or loses a record
        self.moved: dict[int, int] = {}  # position → order of its last edit, for shifting natural order
        self.changed: Callable[[int], None] = lambda position: None
        self._kept: dict[int, Record] = {}
        self._codes: dict[str, list[int]] = {}
        self._born: dict[int, float] = {}
        self._trash = {
            position: Trashed(at, data.staff[position % len(data.staff)][0], data.make_oid(at, position))
            for position, at in data.trashed_at.items()
        }
        self._by_number = {False: array("I"), True: array("I")}
        for position, kind in enumerate(self.kinds):
            self._by_number[kind != LEAD].append(position)
        self._phones: dict[str, list[int]] | None = None
        self._emails: dict[str, list[int]] | None = None

    # ------------------------------------------------------------------ reading

    def now_ms(self) -> int:
        """The account's clock, which may be wrong on purpose."""
        return int(time.time() * 1000) + self.skew_ms

    def get(self, position: int) -> Record:
        """The record at a position; kept ones as they are, seeded ones freshly built."""
        kept = self._kept.get(position)
        return kept or Record(position, self.data.oid(position), self.data.fields(position))

    def oid(self, position: int) -> str:
        """The document id at a position; it never changes, whatever happens to the dates."""
        kept = self._kept.get(position)
        return kept.oid if kept else self.data.oid(position)

    def by_number(self, number: int, customer: bool) -> int | None:
        """The position with this leadId or customerId, in whatever state."""
        positions = self._by_number[customer]
        return positions[number - 1] if 0 < number <= len(positions) else None

    def by_code(self, code: str) -> list[int]:
        """Positions created with this customerIdApiRing, oldest first."""
        return list(self._codes.get(code, ()))

    def by_oid(self, oid: str) -> int | None:
        """The position of a document id."""
        position = int(oid[-6:], 16) if len(oid) == 24 else -1
        return position if 0 <= position < len(self.kinds) and self.oid(position) == oid else None

    def trash_note(self, position: int) -> Trashed | None:
        """The note of a trashed record."""
        return self._trash.get(position)

    def younger_than(self, position: int, seconds: float) -> bool:
        """Whether it was created while the sandbox runs, less than so many seconds ago."""
        born = self._born.get(position)
        return born is not None and time.monotonic() - born < seconds

    def with_phone(self, value: str) -> list[int]:
        """Candidates whose phone has the same digits; the caller checks the exact rule."""
        self._build_indexes()
        return list(dict.fromkeys((self._phones or {}).get(digits(value), ())))

    def with_email(self, value: str) -> list[int]:
        """Candidates with this e-mail in any letter case."""
        self._build_indexes()
        return list(dict.fromkeys((self._emails or {}).get(value.strip().lower(), ())))

    def _build_indexes(self) -> None:
        if self._phones is not None:
            return
        self._phones, self._emails = {}, {}
        for position in range(len(self.kinds)):
            kept = self._kept.get(position)
            if kept:
                self._index(kept)
                continue
            identity = self.data.identity(position)
            for phone in identity.phones:
                self._phones.setdefault(digits(phone), []).append(position)
            for email in identity.emails:
                self._emails.setdefault(email.lower(), []).append(position)

    def _index(self, record: Record) -> None:
        if self._phones is None or self._emails is None:
            return
        for value in values(record.fields["phones"]):
            self._phones.setdefault(digits(value), []).append(record.position)
        for value in values(record.fields["emails"]):
            self._emails.setdefault(value.lower(), []).append(record.position)

    # ------------------------------------------------------------------ writing

    def create(self, fields: dict[str, Any], *, kind: int, code: str | None) -> Record:
        """A new live record with the next number of its counter."""
        position = len(self.kinds)
        now = self.now_ms()
        self.kinds.append(kind)
        self.states.append(LIVE)
        self.created.append(now)
        self.updated.append(now)
        counter = self._by_number[kind != LEAD]
        counter.append(position)
        self.numbers.append(len(counter))
        record = Record(position, self.data.oid(position), fields, code)
        self._kept[position] = record
        if code:
            self._codes.setdefault(code, []).append(position)
        self._born[position] = time.monotonic()
        self._index(record)
        self._touch(position, membership=True)
        return record

    def edit(self, position: int, changes: dict[str, Any]) -> Record:
        """Set fields of a record; its updatedAt rises."""
        record = self._keep(position)
        record.fields.update(changes)
        self._index(record)
        self._touch(position)
        return record

    def trash(self, position: int, by: str = "") -> None:
        """Move a live record to the trash; the note is minted a moment before updatedAt."""
        self._keep(position)
        now = self.now_ms()
        self.states[position] = TRASHED
        self._trash[position] = Trashed(now, by or self.data.staff[0][0], self.new_oid(now))
        self._touch(position, membership=True, at=now + 17)

    def restore(self, position: int) -> None:
        """Bring a trashed record back."""
        self.states[position] = LIVE
        self._trash.pop(position, None)
        self._touch(position, membership=True)

    def purge(self, position: int) -> None:
        """Remove a record for good; no list shows it again."""
        self.states[position] = PURGED
        self._trash.pop(position, None)
        self._touch(position, membership=True)

    def merge(self, loser: int, survivor: int) -> None:
        """Merge one record into another: phones and e-mails flow to the survivor."""
        gone, kept = self._keep(loser), self._keep(survivor)
        for name in ("phones", "emails"):
            known = values(kept.fields[name])
            added = [item for item in gone.fields[name] or () if item["value"] not in known]
            kept.fields[name] = (kept.fields[name] or []) + added
        self.states[loser] = MERGED
        self.survivors[loser] = survivor
        self._index(kept)
        self._touch(loser, membership=True)
        self._touch(survivor)

    def convert(self, lead: int) -> Record:
        """Turn a lead into a contact: a new document and customerId; the lead leaves every list."""
        record = self._keep(lead)
        fields = dict(record.fields, sourceLead=lead)
        contact = self.create(fields, kind=CONTACT, code=None)
        self.states[lead] = CONVERTED
        self._touch(lead, membership=True)
        if record.code:
            self._codes[record.code].append(contact.position)
            contact.code = record.code
        return contact

    def set_dates(self, position: int, *, created: int | None = None, updated: int | None = None) -> None:
        """Force dates, for records from the future or the far past."""
        self._keep(position)
        self._touch(position)
        if created is not None:
            self.created[position] = created
        if updated is not None:
            self.updated[position] = updated

    def new_oid(self, at_ms: int | None = None) -> str:
        """A fresh sub-document id."""
        self.version += 1
        return self.data.make_oid(self.now_ms() if at_ms is None else at_ms, 0xA00000 + self.version)

    def definition_id(self, name: str) -> str:
        """The id of a custom field by display name; an unknown name becomes a new definition."""
        for oid, known in self.definitions.items():
            if known == name:
                return oid
        oid = self.new_oid()
        self.definitions[oid] = name
        return oid

    def _keep(self, position: int) -> Record:
        record = self._kept[position] = self.get(position)
        return record

    def _touch(self, position: int, *, membership: bool = False, at: int | None = None) -> None:
        self.version += 1
        if membership:
            self.membership += 1
        self.updated[position] = self.now_ms() if at is None else at
        self.moved[position] = self.version
        self.changed(position)


def digits(phone: str) -> str:
    """The digits of a phone, the national 0 and +84 made alike."""
    found = "".join(filter(str.isdecimal, phone))
    return "84" + found[1:] if found.startswith("0") and len(found) > 8 else found


def values(items: Any) -> list[str]:
    """The values of a phone or e-mail list; remote staff may have stored something else there."""
    if not isinstance(items, list):
        return []
    return [str(item["value"]) for item in items if isinstance(item, dict) and "value" in item]
