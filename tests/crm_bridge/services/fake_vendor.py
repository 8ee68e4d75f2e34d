"""A vendor with everything that a CRM may offer: definitions, panels, merges, features, probing.

Registered as the kind ``fake`` by the fixture ``vendor``; every connector built of it talks to the
one world in ``FakeVendor.world``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import orjson
import pytest

from backoffice.remote.errors import Gone, Rejected, RemoteError
from backoffice.remote.walk import Position, RawItem, RawPage
from backoffice.sync import registry as accounts
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import (
    Account,
    Capabilities,
    Changes,
    CredentialField,
    Deletions,
    Feature,
    Finding,
    Merges,
    PanelSpec,
    Stream,
)
from crm_bridge.records import (
    EDITABLE_FIELDS,
    Change,
    ContactRecord,
    FieldChoice,
    FieldDefinition,
    FieldType,
    Identity,
    Kind,
    Operation,
    Panel,
    PanelEntry,
    PushResult,
    Relation,
    RelationAction,
    canonical,
)
from tests.crm_bridge.services.fake_crm import FakeCrm, slots

DEFINITIONS = (
    FieldDefinition("f_budget", "Budget", FieldType.NUMBER),
    FieldDefinition(
        "f_size", "Shirt size", FieldType.SELECT,
        (FieldChoice("1", "Small"), FieldChoice("2", "Large")), required=True,
    ),
    FieldDefinition(
        "f_plan", "Plan", FieldType.RADIO, (FieldChoice("a", "Monthly"), FieldChoice("b", "Yearly"))
    ),
    FieldDefinition(
        "f_likes", "Likes", FieldType.CHECKBOX,
        (FieldChoice("t", "Tea"), FieldChoice("c", "Coffee"), FieldChoice("w", "Water")),
    ),
    FieldDefinition("f_since", "Customer since", FieldType.DATE),
    FieldDefinition("f_time", "Best time", FieldType.TIME),
    FieldDefinition("f_seen", "Last visit", FieldType.DATETIME),
    FieldDefinition("f_site", "Website", FieldType.LINK),
    FieldDefinition("f_vip", "VIP", FieldType.BOOLEAN),
    FieldDefinition("f_text", "Nickname", FieldType.TEXT, help="What friends say"),
    FieldDefinition("f_story", "Story", FieldType.LONG_TEXT),
    FieldDefinition("f_score", "Score", FieldType.NUMBER, editable=False),
)  # fmt: skip


@dataclass
class FakeWorld(FakeCrm):
    """What the account holds; ``FakeCrm`` is the part with records, faults and the log of writes."""

    definitions: list[FieldDefinition] = field(default_factory=lambda: list(DEFINITIONS))
    relations: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """(contact's number, panel) → refs."""
    history: dict[str, list[PanelEntry]] = field(default_factory=dict)
    panel_error: RemoteError | None = None
    panel_reads: int = 0
    finds_by_code: bool = True
    has_trash: bool = True
    account_findings: list[Finding] = field(default_factory=list)

    def add(self, **values: Any) -> ContactRecord:
        record = super().add(**values)
        record = replace(record, identity=Identity("one", record.identity.remote_id))
        self.records[record.identity.remote_id] = record
        return record

    def _apply(self, change: Change) -> PushResult:
        number = change.identity.remote_id if change.identity else ""
        if change.operation is Operation.MERGE:
            survivor = change.values["survivor"]
            if number not in self.records or survivor not in self.records:
                raise Gone("one of them does not exist there")
            loser = self.records.pop(number)
            kept = self.records[survivor]
            self.records[survivor] = replace(kept, phones=(*kept.phones, *loser.phones))
            self.writes.append(change)
            return PushResult(change.identity)
        if change.operation is Operation.RELATE:
            if number not in self.records:
                raise Gone("the contact does not exist there")
            self._relate(number, Relation.from_values(change.values))
            self.writes.append(change)
            return PushResult(change.identity)
        result = super()._apply(change)
        return PushResult(Identity("one", result.identity.remote_id)) if result.identity else result

    def _relate(self, number: str, relation: Relation) -> None:
        if any(not ref.isdecimal() for ref in relation.refs):
            raise Rejected("a reference is no number", words="The selected companies is invalid.")
        held = self.relations.setdefault((number, relation.panel), [])
        if relation.action is RelationAction.REPLACE:
            held[:] = relation.refs
        for ref in relation.refs:
            if relation.action is RelationAction.ATTACH and ref not in held:
                held.append(ref)
            elif relation.action is RelationAction.DETACH and ref in held:
                held.remove(ref)


@dataclass(slots=True)
class _World:
    key: str
    world: FakeWorld
    since: date | None
    first: Position = 1
    numbered: bool = True
    empty_pages_at_end: int = 1

    def fetch(self, position: Position) -> bytes:
        rows = list(self.world.records.values())
        start = (int(position) - 1) * FakeVendor.capabilities.page_size
        page = rows[start : start + FakeVendor.capabilities.page_size]
        items = [{"id": each.identity.remote_id, **canonical(each)} for each in page]
        return orjson.dumps({"items": items, "total": len(rows)})

    def split(self, body: bytes) -> RawPage:
        page = orjson.loads(body)
        return RawPage([RawItem("one", item["id"], item) for item in page["items"]], page["total"])

    def read(self, item: RawItem) -> Any:
        return self.world.records.get(item.remote_id) or ContactRecord(
            Identity("one", item.remote_id), Kind.CONTACT, item.raw["name"]
        )


class FakeVendor:
    """The connector; cheap to build, all of them share ``world``."""

    kind: ClassVar[str] = "fake"
    label: ClassVar[str] = "FakeCRM"
    default_base_url: ClassVar[str] = "https://SUB.fake.example/api"
    host_suffixes: ClassVar[tuple[str, ...]] = (".fake.example",)
    mapping_version: ClassVar[int] = 1
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField("token", "Long-lived token", group="token"),
        CredentialField("client_id", "Client id", secret=False, group="oauth"),
        CredentialField("client_secret", "Client secret", group="oauth"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        streams=(Stream.CONTACTS,),
        changes=Changes.NONE,
        deletions=Deletions.BY_LOOKUP,
        merges=Merges.NONE,
        kinds=(Kind.CONTACT,),
        creatable=frozenset(EDITABLE_FIELDS),
        writable=frozenset(EDITABLE_FIELDS),
        page_size=10,
        can_merge=True,
        custom_field_definitions=True,
        code_readable=True,
        panels=(
            PanelSpec(
                "companies", "Companies", actions=frozenset(RelationAction), ref_label="Company number"
            ),
            PanelSpec("history", "History", timeline=True),
            PanelSpec("chats", "Chats", why_not="Chats are joined by the CRM itself."),
        ),
        features=(
            Feature(
                "trash", "List of deleted contacts", help="Told of in a forum.", streams=(Stream.DELETED,),
                brings={"deletions": Deletions.LISTED},
            ),
            Feature("restore", "Restores deleted contacts", writes=True, brings={"can_restore": True}),
        ),
        contacts_every=3600,
        requests_per_second=3,
        why_not={"industry": "Its API has no industry."},
        unproven={"order": "newest first is assumed"},
    )  # fmt: skip
    world: ClassVar[FakeWorld] = FakeWorld()

    def __init__(self, account: Account, **session_parts: Any) -> None:
        self.account, self.parts = account, session_parts

    def check(self) -> str:
        if self.account.credentials.get("token") == "wrong":
            raise Rejected("it refused the token", connection=self.account.label)
        return f"{self.account.label} accepts the token."

    def walks(self, stream: Stream, *, since: date | None = None) -> Sequence[_World]:
        if stream is Stream.DELETED:
            return [_World("deleted", FakeWorld(), None)]
        return [_World("all", self.world, since)]

    def get(self, identity: Identity) -> ContactRecord | None:
        return self.world.get(identity)

    def find(self, **filters: Any) -> list[ContactRecord]:
        return self.world.find(**filters)

    def get_by_code(self, code: str) -> ContactRecord | None:
        if not self.world.finds_by_code:
            raise RemoteError("it does not answer")
        return self.world.records.get(self.world.codes.get(code, ""))

    def push(self, change: Change) -> PushResult:
        return self.world.push(change)

    def push_bulk(self, changes: Sequence[Change]) -> list[PushResult]:
        return self.world.push_bulk(list(changes))

    def field_definitions(self) -> list[FieldDefinition]:
        return list(self.world.definitions)

    def panel(self, identity: Identity, key: str, page: int = 1) -> Panel:
        world = self.world
        world.panel_reads += 1
        if world.panel_error is not None:
            raise world.panel_error
        if identity.remote_id not in world.records:
            raise Gone("there is no such contact")
        if key == "history":
            return Panel(key, tuple(world.history.get(identity.remote_id, ())))
        held = world.relations.get((identity.remote_id, key), [])
        shown = held[(page - 1) * 3 : page * 3]
        entries = tuple(PanelEntry(f"Company {ref}", ref=ref, kind="company") for ref in shown)
        return Panel(key, entries, page + 1 if len(held) > page * 3 else None)

    def prove(self, feature: str) -> str:
        if feature == "trash" and not self.world.has_trash:
            raise Rejected("there is no such address", connection=self.account.label, status=404)
        return "its list of deleted contacts answered with 0 records"

    def probe(self) -> list[Finding]:
        return [
            Finding("limits", "Requests per minute", None, "it names no limit"),
            *self.world.account_findings,
        ]

    def close(self) -> None:
        pass


def moment(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, settings: Any) -> FakeWorld:
    """The fake vendor is known to the product; returns its fresh world."""
    path = f"{__name__}.FakeVendor"
    monkeypatch.setitem(registry._CONNECTORS, "fake", ("FakeCRM", path))
    registry.connector_class.cache_clear()
    side = accounts.vendors()["antcrm"]
    monkeypatch.setitem(side.vendors, "fake", lambda: FakeVendor)  # type: ignore[arg-type]
    monkeypatch.setattr(FakeVendor, "world", FakeWorld())
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    yield FakeVendor.world
    registry.connector_class.cache_clear()


__all__ = ["DEFINITIONS", "FakeVendor", "FakeWorld", "moment", "slots", "vendor"]
