"""A CRM in memory for tests of the engine: records, switches, and a log of what was applied."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from backoffice.remote.errors import Gone, RemoteError
from crm_bridge.connectors.base import Capabilities, Changes, Deletions, Merges, Stream
from crm_bridge.records import (
    EDITABLE_FIELDS,
    Address,
    Change,
    ContactRecord,
    Email,
    Gender,
    Identity,
    Kind,
    Operation,
    Phone,
    PushResult,
    SocialAccount,
)

_ITEMS = {"phones": Phone, "emails": Email, "addresses": Address, "social_accounts": SocialAccount}


def slots(values: dict[str, Any]) -> dict[str, Any]:
    """Canonical values → the slots of a record."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        if name in _ITEMS:
            made[name] = tuple(_ITEMS[name](**item) for item in value)
        elif name == "tags":
            made[name] = tuple(value)
        elif name == "gender":
            made[name] = Gender(value)
        elif name == "birth_date":
            made[name] = date.fromisoformat(value) if value else None
        elif name in EDITABLE_FIELDS:
            made[name] = value
    return made


@dataclass
class FakeCrm:
    """Plays the connector and the CRM behind it.

    ``faults`` hold one entry per coming write: None, ``("before", error)`` (not
    applied) or ``("after", error)`` (applied, answer lost).
    """

    label: ClassVar[str] = "FakeCRM"
    kind: ClassVar[str] = "antcrm"
    capabilities: ClassVar[Capabilities] = Capabilities(
        streams=(Stream.CONTACTS,),
        changes=Changes.NONE,
        deletions=Deletions.LISTED,
        merges=Merges.NONE,
        kinds=tuple(Kind),
        creatable=frozenset(EDITABLE_FIELDS),
        writable=frozenset(EDITABLE_FIELDS),
        page_size=20,
        bulk_create=100,
        own_key=True,
    )
    records: dict[str, ContactRecord] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    writes: list[Change] = field(default_factory=list)
    bulks: list[int] = field(default_factory=list)
    faults: list[tuple[str, RemoteError] | None] = field(default_factory=list)
    before_write: Callable[[Change], None] | None = None
    read_error: RemoteError | None = None
    truncate_name: int = 0
    clear_omitted: bool = False
    search_works: bool = True
    next_id: int = 1

    def add(self, **values: Any) -> ContactRecord:
        """A record that is simply there."""
        number = str(self.next_id)
        self.next_id += 1
        record = ContactRecord(
            identity=Identity("lead", number),
            kind=Kind(values.pop("kind", "lead")),
            created_at=datetime.now(UTC),
            **{"name": "Somebody", **slots(values)},
        )
        self.records[number] = record
        return record

    def change(self, remote_id: str, **values: Any) -> None:
        """A remote edit by somebody else."""
        self.records[remote_id] = replace(self.records[remote_id], **slots(values))

    # --- the connector -------------------------------------------------------------------

    def get(self, identity: Identity) -> ContactRecord | None:
        if self.read_error is not None:
            raise self.read_error
        return self.records.get(identity.remote_id)

    def find(
        self, *, phone="", email="", kind=None, created_from=None, created_to=None
    ) -> list[ContactRecord]:
        if self.read_error is not None:
            raise self.read_error
        if not self.search_works:
            return []
        found = []
        for record in self.records.values():
            values = [each.value for each in (record.phones if phone else record.emails)]
            if (phone or email) in values and kind in (None, record.kind):
                found.append(record)
        return found

    def push(self, change: Change) -> PushResult:
        if self.before_write is not None:
            self.before_write(change)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and fault[0] == "before":
            raise fault[1]
        result = self._apply(change)
        if fault is not None:
            raise fault[1]
        return result

    def push_bulk(self, changes: list[Change]) -> list[PushResult]:
        self.bulks.append(len(changes))
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and fault[0] == "before":
            raise fault[1]
        if fault is not None and fault[0] == "half":
            for change in changes[: len(changes) // 2]:
                self._apply(change)
            raise fault[1]
        results = [self._apply(change) for change in changes]
        if fault is not None:
            raise fault[1]
        return results

    def close(self) -> None:
        pass

    def _apply(self, change: Change) -> PushResult:
        values = dict(change.values)
        if self.truncate_name and "name" in values:
            values["name"] = values["name"][: self.truncate_name]
        if change.operation is Operation.CREATE:
            record = self.add(kind=change.kind.value, **values)
            self.codes[change.code] = record.identity.remote_id
            self.writes.append(change)
            return PushResult(record.identity)
        number = change.identity.remote_id if change.identity else self.codes.get(change.code, "")
        if number not in self.records:
            raise Gone("the record does not exist there")
        self.writes.append(change)
        if change.operation is Operation.DELETE:
            del self.records[number]
            return PushResult(Identity("lead", number))
        if self.clear_omitted:
            blank = {name: [] for name in ("phones", "emails", "tags", "addresses", "social_accounts")}
            blank |= {"note": "", "stage": "", "source": "", "industry": "", "responsible": ""}
            values = {**blank, **values}
        self.change(number, **values)
        return PushResult(Identity("lead", number))
