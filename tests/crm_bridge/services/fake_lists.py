"""A remote list in memory: the Walk protocol and the connector around it, without HTTP."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from backoffice.remote.errors import BadResponse
from backoffice.remote.walk import Position, RawItem, RawPage, Unreadable
from crm_bridge.connectors.antcrm.connector import AntCrmConnector
from crm_bridge.connectors.base import Capabilities, Deletions, Stream
from crm_bridge.records import ContactRecord, DeletionRecord, Email, Identity, Kind, MergeRecord, Phone

BORN = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """Stands for SIGKILL: nothing may catch it."""


@dataclass
class FakeList:
    """What the remote system holds in one list, newest first, and how it misbehaves."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 5
    total: bool = False
    before_fetch: Callable[[int], None] = lambda page: None
    ignore_page: bool = False
    ignore_filter: bool = False
    fetched: list[int] = field(default_factory=list)

    def page(self, number: int, since: date | None) -> bytes:
        self.fetched.append(number)
        self.before_fetch(number)
        rows = self.rows
        if since is not None and not self.ignore_filter:
            rows = [row for row in rows if row["updated"][:10] >= since.isoformat()]
        start = 0 if self.ignore_page else (number - 1) * self.page_size
        page: dict[str, Any] = {"data": rows[start : start + self.page_size]}
        if self.total:
            page["total"] = len(rows)
        return orjson.dumps(page)


@dataclass
class FakeWalk:
    source: FakeList
    to_record: Callable[[dict[str, Any]], Any]
    since: date | None = None
    key: str = "all"
    numbered: bool = True
    first: Position = 1
    empty_pages_at_end: int = 2

    def fetch(self, position: Position) -> bytes:
        return self.source.page(int(position), self.since)

    def split(self, body: bytes) -> RawPage:
        try:
            page = orjson.loads(body)
            items = [RawItem("one", str(row.get("id") or ""), row) for row in page["data"]]
        except (orjson.JSONDecodeError, KeyError) as error:
            raise BadResponse("not a page") from error
        following: Position | None = None
        if not self.numbered:
            following = None
        return RawPage(items, page.get("total"), following)

    def read(self, item: RawItem) -> Any:
        return self.to_record(item.raw)


@dataclass
class TokenWalk(FakeWalk):
    """The same list by tokens: only an answer tells where the next page is."""

    numbered: bool = False
    first: Position = ""

    def fetch(self, position: Position) -> bytes:
        return self.source.page(int(str(position or "t1")[1:]), self.since)

    def split(self, body: bytes) -> RawPage:
        page = super().split(body)
        number = self.source.fetched[-1]
        more = number * self.source.page_size < len(self.source.rows)
        return replace(page, next=f"t{number + 1}" if more else None, ended=not more)


def row(number: int, **values: Any) -> dict[str, Any]:
    """One remote contact."""
    return {
        "id": number,
        "name": f"Người {number}",
        "phones": [f"0934{number:06d}"],
        "emails": [f"n{number}@example.com"],
        "tags": ["một", f"t{number % 3}"],
        "updated": (BORN + timedelta(minutes=number)).isoformat(),
        **values,
    }


def to_contact(raw: dict[str, Any]) -> ContactRecord:
    if raw.get("broken"):
        raise Unreadable(f"broken: {raw['broken']}")
    return ContactRecord(
        identity=Identity("one", str(raw["id"])),
        kind=Kind.CONTACT,
        name=raw["name"],
        uid=raw.get("uid", ""),
        aliases=tuple(Identity("one", str(number)) for number in raw.get("was", ())),
        phones=tuple(Phone(value, "Work") for value in raw["phones"]),
        emails=tuple(Email(value, "Work") for value in raw["emails"]),
        tags=tuple(raw["tags"]),
        note=raw.get("note", ""),
        stage=raw.get("stage", ""),
        custom_fields=raw.get("custom", {}),
        created_at=BORN,
        updated_at=datetime.fromisoformat(raw["updated"]),
    )


def to_deletion(raw: dict[str, Any]) -> DeletionRecord:
    trashed = raw.get("trashed")
    return DeletionRecord(
        to_contact(raw), datetime.fromisoformat(trashed) if trashed else None, "lan@example.com"
    )


def to_merge(raw: dict[str, Any]) -> MergeRecord:
    into = raw.get("into", {})
    return MergeRecord(
        loser=to_contact(raw),
        survivor_uid=into.get("uid", ""),
        survivor_name=into.get("name", ""),
        survivor_phones=tuple(Phone(value) for value in into.get("phones", ())),
        survivor_emails=tuple(Email(value) for value in into.get("emails", ())),
        merged_at=datetime.fromisoformat(raw["merged"]) if raw.get("merged") else None,
    )


class FakeConnector:
    """A vendor whose account is three lists in memory."""

    kind, label = "antcrm", "Fake"
    mapping_version = 1
    walk_class: type[FakeWalk] = FakeWalk

    def __init__(self, contacts: Sequence[dict[str, Any]] = ()) -> None:
        self.capabilities: Capabilities = AntCrmConnector.capabilities
        self.contacts = FakeList(list(contacts))
        self.deleted, self.merged = FakeList(), FakeList()
        self.gets: list[Identity] = []
        self.get_finds = True
        self.closed = 0

    def walks(self, stream: Stream, *, since: date | None = None) -> list[FakeWalk]:
        source, read = {
            Stream.CONTACTS: (self.contacts, to_contact),
            Stream.DELETED: (self.deleted, to_deletion),
            Stream.MERGED: (self.merged, to_merge),
        }[stream]
        return [self.walk_class(source, read, since)]

    def get(self, identity: Identity) -> ContactRecord | None:
        self.gets.append(identity)
        rows = [each for each in self.contacts.rows if str(each["id"]) == identity.remote_id]
        return to_contact(rows[0]) if rows and self.get_finds else None

    def by_lookup(self) -> None:
        self.capabilities = replace(self.capabilities, deletions=Deletions.BY_LOOKUP)

    def close(self) -> None:
        self.closed += 1
