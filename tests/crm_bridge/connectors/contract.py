"""What every connector must do, on its vendor's sandbox. Inherit and fill in the hooks.

The class is not collected here (its name does not begin with Test); a vendor's test class
inherits it, says how its sandbox is asked for the truth, and gets all of these tests.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import pytest

from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteError,
    RetryLater,
)
from backoffice.remote.limits import ProcessLimiter
from backoffice.remote.session import Timeouts
from backoffice.remote.walk import Unreadable, Walk
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Account, Changes, Connector, Stream
from crm_bridge.records import (
    Address,
    Change,
    ContactRecord,
    DeletionRecord,
    Email,
    Gender,
    Identity,
    Kind,
    MergeRecord,
    Operation,
    Phone,
    SocialAccount,
    canonical,
    canonical_value,
)
from tests.sandbox_fixture import SandboxControl

QUICK: dict[str, Any] = {
    "allow_loopback": True,
    "timeouts": Timeouts(connect=2, read=1.2),
    "deadline": 3.0,
    "read_attempts": 1,
    "max_bytes": 2_000_000,
}

#: fault, its options, what a read ends with, what a write ends with (None: it works)
Ending = type[RemoteError] | None
FAULTS: list[tuple[str, dict[str, Any], Ending, Ending]] = [
    ("status", {"code": 500}, RetryLater, OutcomeUnknown),
    ("status", {"code": 502}, RetryLater, OutcomeUnknown),
    ("status", {"code": 503}, RetryLater, OutcomeUnknown),
    ("status", {"code": 504}, RetryLater, OutcomeUnknown),
    ("status", {"code": 429, "retry_after": 3600}, RateLimited, RateLimited),
    ("status", {"code": 401}, ConnectionBroken, ConnectionBroken),
    ("status", {"code": 403}, ConnectionBroken, ConnectionBroken),
    ("status", {"code": 400}, Rejected, Rejected),
    ("status", {"code": 404}, Rejected, Rejected),
    ("status", {"code": 422, "body": "no, thanks"}, Rejected, Rejected),
    ("status_after", {"code": 500}, RetryLater, OutcomeUnknown),
    ("status_after", {"code": 503, "retry_after": 1}, RateLimited, OutcomeUnknown),
    ("hang", {"seconds": 5}, RetryLater, OutcomeUnknown),
    ("hang", {"seconds": 5, "applied": True}, RetryLater, OutcomeUnknown),
    ("drip", {"interval": 0.1}, RetryLater, OutcomeUnknown),
    ("cut_before", {}, RetryLater, OutcomeUnknown),
    ("cut_after", {}, RetryLater, OutcomeUnknown),
    ("truncate", {"bytes": 5}, RetryLater, OutcomeUnknown),
    ("html", {}, BadResponse, OutcomeUnknown),
    ("html", {"code": 502}, RetryLater, OutcomeUnknown),
    ("redirect", {"code": 301}, ConnectionBroken, ConnectionBroken),
    ("redirect", {"code": 307}, ConnectionBroken, ConnectionBroken),
    ("wrong_content_type", {}, BadResponse, OutcomeUnknown),
    ("gzip_bomb", {"size": 32 * 1024**2}, BadResponse, OutcomeUnknown),
    ("gzip_bomb", {"size": 32 * 1024**2, "layers": 2}, BadResponse, OutcomeUnknown),
    ("huge", {}, BadResponse, OutcomeUnknown),
    ("deep_json", {}, BadResponse, OutcomeUnknown),
    ("nan", {}, BadResponse, OutcomeUnknown),
    ("nul", {}, None, None),
    ("lone_surrogate", {}, None, None),
    ("close_after_idle", {}, None, None),
]


def pages(walk: Walk, stop: int = 500) -> Iterator[list[Any]]:
    """The raw elements of each page up to the proven end."""
    position, empty, seen = walk.first, 0, 0
    while empty < walk.empty_pages_at_end:
        page = walk.split(walk.fetch(position))
        seen += 1
        assert seen < stop, "the list does not end"
        empty = 0 if page.items else empty + 1
        yield page.items
        if page.ended or (not walk.numbered and page.next is None):
            return
        position = page.next if page.next is not None else int(position) + 1


def read_all(connector: Connector, stream: Stream, since: date | None = None) -> list[Any]:
    """Every record of a stream."""
    return [
        walk.read(item)
        for walk in connector.walks(stream, since=since)
        for page in pages(walk)
        for item in page
    ]


def by_identity(records: list[ContactRecord]) -> dict[Identity, ContactRecord]:
    """Records by their identity."""
    return {record.identity: record for record in records}


class ConnectorContract:
    """See the module's docstring."""

    kind: ClassVar[str]
    """The vendor kind in the registry, which is also the sandbox's prefix."""
    credentials: ClassVar[dict[str, str]]
    wrong_credentials: ClassVar[dict[str, str]]
    family_of: ClassVar[dict[Kind, str]]
    """In which family the vendor counts each kind."""
    wrong_types: ClassVar[tuple[tuple[str, Any], ...]] = (
        ("phones", "0912"), ("name", ["An"]), ("updatedAt", "soon"), ("tags", {"a": 1}),
    )  # fmt: skip
    """The vendor's names of fields, with values that make a record unreadable."""
    said_success: ClassVar[str] = "success"
    """Where an answer says whether a write was applied."""
    not_quite: ClassVar[tuple[tuple[Any, type[RemoteError]], ...]] = (
        (False, Rejected), (0, Rejected), ("maybe", OutcomeUnknown), (2, OutcomeUnknown),
    )  # fmt: skip
    """What may stand there instead of a yes, and what it means."""

    # Hooks: how the sandbox is asked and steered

    def live(self, sandbox: SandboxControl) -> dict[Identity, str]:
        """Name by identity of every live contact the vendor holds."""
        raise NotImplementedError

    def trash(self, sandbox: SandboxControl, identity: Identity) -> None:
        """Remote staff move a contact to the trash."""
        raise NotImplementedError

    def merge(self, sandbox: SandboxControl, loser: Identity, survivor: Identity) -> str:
        """Remote staff merge two contacts; the uid of the survivor."""
        raise NotImplementedError

    def staff_email(self, sandbox: SandboxControl) -> str:
        """An employee of the vendor's account, as `responsible` takes it."""
        raise NotImplementedError

    def other_values(self, connector: Connector, sandbox: SandboxControl) -> dict[str, Any]:
        """A second value for every writable field, to be edited one after the other."""
        return self.full_values(connector, sandbox, "22") | {
            "gender": "other", "birth_date": "2004-02-29", "note": "", "tags": ["mới"], "addresses": [],
            "industry": "", "stage": "Đã chốt", "source": "Zalo", "custom_fields": {"Hạn mức": "5"},
        }  # fmt: skip

    # Building

    @pytest.fixture
    def build(self, sandbox: SandboxControl) -> Iterator[Callable[..., Connector]]:
        """Makes connectors to the sandbox; session parts as keywords."""
        built: list[Connector] = []

        def make(credentials: dict[str, str] | None = None, parallel: int = 4, **parts: Any) -> Connector:
            account = Account(
                "Test account", sandbox.base(self.kind), credentials or self.credentials, parallel
            )
            built.append(registry.build(self.kind, account, **(QUICK | parts)))
            return built[-1]

        yield make
        for connector in built:
            connector.close()

    @pytest.fixture
    def connector(self, build: Callable[..., Connector]) -> Connector:
        return build()

    def full_values(self, connector: Connector, sandbox: SandboxControl, mark: str) -> dict[str, Any]:
        """A value for every field this vendor can create, as staff would give it."""
        values = {
            "name": f"Nguyễn Thử {mark}",
            "gender": Gender.FEMALE,
            "birth_date": date(1990, 2, 28),
            "phones": (Phone(f"09340000{mark}", "Work"), Phone(f"+84 912 000 0{mark}", "Work")),
            "emails": (Email(f"thu{mark}@example.com", "Work"),),
            "addresses": (
                Address("12A", "Lê Lợi", "Phường 5", "Quận 3", "Hồ Chí Minh", "VN", "Vietnam", type="Work"),
            ),
            "social_accounts": (SocialAccount("Facebook", f"https://social.example.com/{mark}"),),
            "industry": "Bán lẻ",
            "note": "Dòng một\nDòng hai “ngoặc” <b>",
            "stage": "Khách mới",
            "tags": ("VIP", "Hẹn gọi lại"),
            "source": "Website",
            "responsible": self.staff_email(sandbox),
            "custom_fields": {"Mã hợp đồng": "HD-2025-001"},
        }
        return {
            name: canonical_value(value)
            for name, value in values.items()
            if name in connector.capabilities.creatable
        }

    def created(self, connector: Connector, sandbox: SandboxControl, mark: str = "11") -> Change:
        """A create of the connector's first kind with every field."""
        return Change(
            Operation.CREATE,
            connector.capabilities.kinds[0],
            None,
            code=f"code-{mark}",
            values=self.full_values(connector, sandbox, mark),
        )

    # Reading

    def test_check_says_yes_in_a_sentence(self, connector: Connector) -> None:
        assert connector.check().endswith(".")

    def test_every_live_contact_is_read_and_nobody_else(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        records = read_all(connector, Stream.CONTACTS)
        truth = self.live(sandbox)
        assert by_identity(records).keys() == truth.keys()
        assert len(records) == len(truth)
        for record in records:
            assert record.name == truth[record.identity].strip()

    def test_second_read_is_the_same(self, connector: Connector) -> None:
        for stream in connector.capabilities.streams:
            assert read_all(connector, stream) == read_all(connector, stream)

    def test_reading_one_record_twice_gives_the_same(self, connector: Connector) -> None:
        for walk in connector.walks(Stream.CONTACTS):
            for item in next(iter(pages(walk))):
                assert walk.read(item) == walk.read(item)

    def test_walks_have_names_of_their_own(self, connector: Connector) -> None:
        for stream in connector.capabilities.streams:
            keys = [walk.key for walk in connector.walks(stream)]
            assert len(set(keys)) == len(keys) > 0

    def test_records_belong_to_the_kinds_it_declares(self, connector: Connector) -> None:
        for record in read_all(connector, Stream.CONTACTS):
            assert record.kind in connector.capabilities.kinds
            assert record.identity.family == self.family_of[record.kind]

    def test_changes_since_today_hold_what_changed_today(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        if connector.capabilities.changes is Changes.NONE:
            pytest.skip("this vendor cannot tell what changed")
        result = connector.push(self.created(connector, sandbox))
        since = datetime.now(UTC).date() - timedelta(days=2)
        changed = by_identity(read_all(connector, Stream.CONTACTS, since))
        assert result.identity in changed
        assert len(changed) < len(self.live(sandbox))

    def test_one_contact_is_read_by_its_id(self, connector: Connector, sandbox: SandboxControl) -> None:
        for identity, name in list(self.live(sandbox).items())[:5]:
            record = connector.get(identity)
            assert record is not None
            assert (record.identity, record.name) == (identity, name.strip())

    def test_nobody_under_an_id_is_none(self, connector: Connector, sandbox: SandboxControl) -> None:
        family = next(iter(self.live(sandbox))).family
        assert connector.get(Identity(family, "987654321")) is None

    def test_contact_is_found_by_phone_and_by_e_mail(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        change = self.created(connector, sandbox, "12")
        identity = connector.push(change).identity
        phone = change.values["phones"][0]["value"]
        email = change.values["emails"][0]["value"]
        for given in ({"phone": phone}, {"email": email}, {"phone": phone, "kind": change.kind}):
            assert [each.identity for each in connector.find(**given)] == [identity]
        assert connector.find(phone="0999999999") == []
        with pytest.raises(ValueError, match="phone"):
            connector.find()

    def test_deleted_contact_is_reported_and_gone(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        identity = next(iter(self.live(sandbox)))
        self.trash(sandbox, identity)
        if Stream.DELETED not in connector.capabilities.streams:
            assert connector.get(identity) is None
            assert identity not in by_identity(read_all(connector, Stream.CONTACTS))
            return
        deletions = [
            each for each in read_all(connector, Stream.DELETED) if each.contact.identity == identity
        ]
        assert len(deletions) == 1
        assert isinstance(deletions[0], DeletionRecord)
        assert deletions[0].trashed_at is not None
        assert abs(deletions[0].trashed_at.timestamp() - time.time()) < 60
        assert connector.get(identity) is None
        assert identity not in by_identity(read_all(connector, Stream.CONTACTS))

    def test_merged_contact_names_its_survivor(self, connector: Connector, sandbox: SandboxControl) -> None:
        if Stream.MERGED not in connector.capabilities.streams:
            pytest.skip("this vendor lists no merges")
        loser, survivor = list(self.live(sandbox))[:2]
        name = self.live(sandbox)[survivor]
        uid = self.merge(sandbox, loser, survivor)
        merges = [each for each in read_all(connector, Stream.MERGED) if each.loser.identity == loser]
        assert len(merges) == 1
        assert isinstance(merges[0], MergeRecord)
        assert merges[0].survivor_uid == uid
        assert merges[0].survivor_name == name.strip()
        assert connector.get(loser) is None

    # Writing

    def test_create_round_trips_every_field(self, connector: Connector, sandbox: SandboxControl) -> None:
        change = self.created(connector, sandbox)
        result = connector.push(change)
        assert result.identity is not None
        record = connector.get(result.identity)
        assert record is not None
        assert record.kind is change.kind
        assert canonical(record, list(change.values)) == change.values
        assert len(sandbox.writes(vendor=self.kind)) == 1

    def test_each_kind_is_created_as_itself(self, connector: Connector) -> None:
        for number, kind in enumerate(connector.capabilities.kinds):
            values = {"name": f"Loại {kind}"}
            result = connector.push(Change(Operation.CREATE, kind, None, code=f"k{number}", values=values))
            assert result.identity is not None
            record = connector.get(result.identity)
            assert record is not None
            assert (record.kind, record.name) == (kind, f"Loại {kind}")

    def test_each_field_is_edited_alone_and_leaves_the_others(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        identity = connector.push(self.created(connector, sandbox, "21")).identity
        assert identity is not None
        record = connector.get(identity)
        assert record is not None
        held = canonical(record)
        wanted = self.other_values(connector, sandbox)
        for name in sorted(connector.capabilities.writable):
            change = Change(
                Operation.EDIT,
                record.kind,
                identity,
                values={name: wanted[name]},
                before={name: held[name]},
            )
            connector.push(change)
            held = held | {name: wanted[name]}
            after = connector.get(identity)
            assert after is not None
            assert canonical(after) == held, name

    def test_writing_back_what_was_read_changes_nothing(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        """The fixed point: pull, push, pull shows no difference, for every seeded contact."""
        writable = [name for name in connector.capabilities.writable]
        records = by_identity(read_all(connector, Stream.CONTACTS))
        refused: list[Rejected] = []
        for identity, record in list(records.items())[:60]:
            values = {name: value for name, value in canonical(record, writable).items() if value}
            change = Change(Operation.EDIT, record.kind, identity, values=values, before=values)
            try:
                connector.push(change)
            except Rejected as error:
                refused.append(error)
                continue
            after = connector.get(identity)
            assert after is not None
            assert canonical(after) == canonical(record)
        assert all(error.words for error in refused), "only the vendor may refuse what it showed itself"
        assert len(refused) < 6

    def test_own_code_selects_a_contact(self, connector: Connector, sandbox: SandboxControl) -> None:
        if not connector.capabilities.own_key:
            pytest.skip("this vendor does not keep our code")
        change = self.created(connector, sandbox)
        identity = connector.push(change).identity
        assert identity is not None
        edit = Change(Operation.EDIT, change.kind, None, code=change.code, values={"name": "Tên khác"})
        assert connector.push(edit).identity == identity
        record = connector.get(identity)
        assert record is not None
        assert record.name == "Tên khác"
        connector.push(Change(Operation.DELETE, change.kind, None, code=change.code))
        assert connector.get(identity) is None

    def test_delete_makes_it_gone(self, connector: Connector, sandbox: SandboxControl) -> None:
        identity, other = list(self.live(sandbox))[:2]
        kind = next(kind for kind, family in self.family_of.items() if family == identity.family)
        connector.push(Change(Operation.DELETE, kind, identity))
        assert connector.get(identity) is None
        assert connector.get(other) is not None
        assert [each["operation"] for each in sandbox.writes()] == ["delete"]

    def test_write_without_anybody_selected_is_refused_here(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        kind = connector.capabilities.kinds[0]
        family = self.family_of[kind]
        for identity in (None, Identity(family, ""), Identity(family, "  ")):
            for operation in (Operation.EDIT, Operation.DELETE):
                with pytest.raises(Rejected):
                    connector.push(Change(operation, kind, identity, values={"name": "An"}))
        with pytest.raises(Rejected):
            connector.push(Change(Operation.CREATE, kind, None, code="", values={"name": "An"}))
        assert sandbox.stats(self.kind)["requests"] == 0

    def test_unknown_field_is_refused_here(self, connector: Connector, sandbox: SandboxControl) -> None:
        identity = next(iter(self.live(sandbox)))
        kind = connector.capabilities.kinds[0]
        with pytest.raises(Rejected, match="score"):
            connector.push(Change(Operation.EDIT, kind, identity, values={"score_rank": 5}))

    def test_bulk_create_pairs_each_contact_with_its_id(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        size = connector.capabilities.bulk_create
        if not size:
            pytest.skip("this vendor has no bulk create")
        changes = [self.created(connector, sandbox, str(10 + number)) for number in range(12)]
        results = connector.push_bulk(changes)
        for change, result in zip(changes, results, strict=True):
            assert result.identity is not None
            record = connector.get(result.identity)
            assert record is not None
            assert record.name == change.values["name"]
        assert len(sandbox.writes()) == 12
        with pytest.raises(ValueError, match="Bulk"):
            connector.push_bulk([changes[0]] * (size + 1))

    # Faults

    @pytest.mark.parametrize(
        ("fault", "options", "ending"), [(kind, options, read) for kind, options, read, _ in FAULTS]
    )
    def test_read_survives_fault(
        self,
        connector: Connector,
        sandbox: SandboxControl,
        fault: str,
        options: dict[str, Any],
        ending: Ending,
    ) -> None:
        walk = connector.walks(Stream.CONTACTS)[0]
        sandbox.fault(fault, vendor=self.kind, method="GET", **options)
        started = time.monotonic()
        if ending is None:
            items = walk.split(walk.fetch(walk.first)).items
            assert items
            for item in items:
                record = walk.read(item)
                assert "\0" not in record.name
                record.name.encode()
        else:
            with pytest.raises(ending) as told:
                walk.split(walk.fetch(walk.first))
            assert type(told.value) is ending
            assert str(told.value).startswith("Test account")
        assert time.monotonic() - started < 6
        sandbox.clear()
        assert walk.split(walk.fetch(walk.first)).items

    @pytest.mark.parametrize(
        ("fault", "options", "ending"), [(kind, options, write) for kind, options, _, write in FAULTS]
    )
    @pytest.mark.parametrize("operation", [Operation.CREATE, Operation.EDIT, Operation.DELETE])
    def test_write_survives_fault(
        self,
        connector: Connector,
        sandbox: SandboxControl,
        fault: str,
        options: dict[str, Any],
        ending: Ending,
        operation: Operation,
    ) -> None:
        identity = next(iter(self.live(sandbox)))
        kind = next(kind for kind, family in self.family_of.items() if family == identity.family)
        change = Change(operation, kind, identity, values={"name": "An"})
        if operation is Operation.CREATE:
            change = dataclasses.replace(change, identity=None, code="c-1")
        sandbox.reset_stats()
        sandbox.fault(fault, vendor=self.kind, **options)
        if ending is None:
            connector.push(change)
        else:
            with pytest.raises(ending) as told:
                connector.push(change)
            assert type(told.value) is ending
        assert sandbox.stats(self.kind)["requests"] == 1, "a write was repeated"

    def test_success_that_is_none_is_never_taken_for_one(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        change = self.created(connector, sandbox)
        for value, ending in self.not_quite:
            sandbox.fault("success", vendor=self.kind, key=self.said_success, value=value)
            with pytest.raises(ending) as told:
                connector.push(change)
            assert type(told.value) is ending
        sandbox.fault("success", vendor=self.kind, key=self.said_success, remove=True)
        with pytest.raises(OutcomeUnknown):
            connector.push(change)

    def test_wrong_types_spoil_one_record_and_not_its_page(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        walk = connector.walks(Stream.CONTACTS)[0]
        for field, value in self.wrong_types:
            sandbox.fault("wrong_types", vendor=self.kind, field=field, value=value, records=1)
            readable, refused = 0, []
            for item in walk.split(walk.fetch(walk.first)).items:
                try:
                    walk.read(item)
                    readable += 1
                except Unreadable as error:
                    refused.append(str(error))
            assert len(refused) == 1
            assert refused[0].startswith(field), refused
            assert readable > 5

    def test_wrong_credentials_break_the_connection(self, build: Callable[..., Connector]) -> None:
        connector = build(self.wrong_credentials)
        with pytest.raises(ConnectionBroken, match="credentials"):
            connector.check()
        with pytest.raises(ConnectionBroken):
            connector.push(
                Change(
                    Operation.CREATE, connector.capabilities.kinds[0], None, code="c", values={"name": "An"}
                )
            )

    def test_unusable_key_or_address_breaks_the_connection_in_words(self) -> None:
        empty = dict.fromkeys(self.credentials, "")
        for url, credentials, parts in (
            ("https://crm.example.com", empty, {}),
            ("http://crm.example.com", self.credentials, {}),
            ("http://127.0.0.1:9", self.credentials, {"allow_loopback": False}),
        ):
            with pytest.raises(ConnectionBroken, match=r"Test account, connect: The .*\."):
                registry.build(self.kind, Account("Test account", url, credentials), **parts)

    def test_secrets_and_personal_data_stay_out_of_logs_and_reprs(
        self, build: Callable[..., Connector], sandbox: SandboxControl, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        connector = build()
        connector.push(self.created(connector, sandbox))
        connector.find(phone="0934000011")
        connector.find(email="thu11@example.com")
        text = caplog.text + repr(connector) + repr(vars(connector))
        for canary in (*self.credentials.values(), "0934000011", "thu11", "Nguyễn Thử"):
            assert canary not in text

    # Limits

    def test_rate_limit_and_parallel_limit_hold_at_the_vendor(
        self, build: Callable[..., Connector], sandbox: SandboxControl
    ) -> None:
        sandbox.latency(60)
        connector = build(parallel=3, limiter=ProcessLimiter(20), deadline=20)
        walk = connector.walks(Stream.CONTACTS)[0]
        sandbox.reset_stats()
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(walk.fetch, [walk.first] * 40))
        stats = sandbox.stats(self.kind)
        sandbox.latency(0)
        assert stats["requests"] == 40
        assert stats["max_concurrent"] <= 3
        assert stats["max_per_second"] <= 21
        assert stats["connections"] <= 3
