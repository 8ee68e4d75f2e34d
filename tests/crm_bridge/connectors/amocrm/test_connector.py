"""amoCRM's connector on its sandbox: the contract and what only this vendor does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Gone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
)
from backoffice.remote.limits import ProcessLimiter
from backoffice.sandbox import amocrm_words as words
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Account, Connector, Stream, with_features
from crm_bridge.records import (
    Change,
    FieldType,
    Identity,
    Kind,
    Operation,
    Relation,
    RelationAction,
    canonical,
)
from tests.crm_bridge.connectors.contract import (
    QUICK,
    ConnectorContract,
    Ending,
    by_identity,
    pages,
    read_all,
)
from tests.sandbox_fixture import SandboxControl

Build = Callable[..., Any]


def number(identity: Identity) -> int:
    return int(identity.remote_id)


def contacts(sandbox: SandboxControl, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.control("GET", "amocrm/contacts", **filters)
    return found


def truth(sandbox: SandboxControl, identity: Identity | None) -> dict[str, Any]:
    assert identity is not None
    (found,) = contacts(sandbox, id=identity.remote_id)
    return found


class TestAmoCrmConnector(ConnectorContract):
    kind: ClassVar[str] = "amocrm"
    credentials: ClassVar[dict[str, str]] = {"token": "sandbox-amocrm-token"}
    wrong_credentials: ClassVar[dict[str, str]] = {"token": "another-token"}
    family_of: ClassVar[dict[Kind, str]] = {Kind.CONTACT: "contact"}
    spoiled: ClassVar[tuple[tuple[str, Any], ...]] = (
        ("custom_fields_values", "0912"), ("name", ["An"]), ("updated_at", "soon"),
        ("_embedded", {"tags": {"a": 1}}),
    )  # fmt: skip
    says_success: ClassVar[bool] = False

    def live(self, sandbox: SandboxControl) -> dict[Identity, str]:
        return {
            Identity("contact", str(each["id"])): each["name"]
            for each in contacts(sandbox, state="live", brief=1)
        }

    def trash(self, sandbox: SandboxControl, identity: Identity) -> None:
        sandbox.control("POST", "amocrm/trash", {"id": number(identity)})

    def merge(self, sandbox: SandboxControl, loser: Identity, survivor: Identity) -> str:
        sandbox.control("POST", "amocrm/merge", {"loser": number(loser), "survivor": number(survivor)})
        return ""

    def staff_email(self, sandbox: SandboxControl) -> str:
        return str(words.USERS[2][0])

    def full_values(self, connector: Connector, sandbox: SandboxControl, mark: str) -> dict[str, Any]:
        values = super().full_values(connector, sandbox, mark)
        return values | {"custom_fields": {"POSITION": "Kế toán", str(words.CONTRACT): "HD-2025-001"}}

    def edited(self, connector: Connector, sandbox: SandboxControl) -> dict[str, Any]:
        return self.full_values(connector, sandbox, "22") | {
            "phones": [{"value": "0934000022", "type": "Mobile"}, {"value": "028 3822 0000", "type": "Fax"}],
            "emails": [{"value": "thu22@example.com", "type": "Private"}],
            "tags": ["mới"],
            "responsible": str(words.USERS[1][0]),
            "custom_fields": {str(words.CONTRACT): "HD-2", str(words.REMARK): "Dòng một\nDòng hai"},
        }

    def change(self, connector: Connector, sandbox: SandboxControl, operation: Operation) -> Change:
        change = super().change(connector, sandbox, operation)
        if operation is not Operation.RELATE:
            return change
        chat = next(key for key, contact in self.chats(sandbox).items() if contact is None)
        values = Relation("chats", RelationAction.ATTACH, (chat,)).to_values()
        return Change(operation, change.kind, change.identity, values=values)

    def chats(self, sandbox: SandboxControl) -> dict[str, int | None]:
        found: dict[str, int | None] = sandbox.control("GET", "amocrm/chats")
        return found

    def refs_of(self, sandbox: SandboxControl, panel: str) -> tuple[str, str]:
        free = [chat for chat, contact in self.chats(sandbox).items() if contact is None]
        return (free[0], free[1]) if panel == "chats" else ("4711", "4712")

    def write_ending(
        self, operation: Operation, fault: str, options: dict[str, Any], usual: Ending
    ) -> Ending:
        if operation is Operation.RELATE and fault == "status" and options["code"] == 403:
            return Rejected  # said in words it is about the right to see chats, not about the account
        return usual

    @pytest.fixture
    def proven(self, sandbox: SandboxControl) -> Iterator[Build]:
        """A connector on which these features were proven; further options as keywords."""
        built: list[Connector] = []

        def make(*features: str, **options: Any) -> Connector:
            measured = {"features": {feature: "seen" for feature in features}, **options}
            account = Account("Test account", sandbox.base(), self.credentials, 2, measured)
            built.append(registry.build(self.kind, account, **QUICK))
            return built[-1]

        yield make
        for connector in built:
            connector.close()

    # Lists

    def test_long_list_is_read_through_its_next_links(self, proven: Build, sandbox: SandboxControl) -> None:
        connector = proven(page_size=25)
        assert by_identity(read_all(connector, Stream.CONTACTS)).keys() == self.live(sandbox).keys()
        assert sandbox.stats()["requests"] == 5
        sandbox.switches(next_on_last="yes", most_per_page=20)
        assert by_identity(read_all(connector, Stream.CONTACTS)).keys() == self.live(sandbox).keys()

    @pytest.mark.parametrize(
        "switches", [{"enum_key": "enum"}, {"enum_key": "enum_code"}, {"empty_fields": "list"}], ids=str
    )
    def test_records_are_the_same_in_every_shape(
        self, connector: Connector, sandbox: SandboxControl, switches: dict[str, str]
    ) -> None:
        usual = by_identity(read_all(connector, Stream.CONTACTS))
        sandbox.switches(**switches)
        assert by_identity(read_all(connector, Stream.CONTACTS)) == usual

    def test_contact_shown_as_deleted_counts_as_gone(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.switches(deleted_by_id="flag")
        identity = next(iter(self.live(sandbox)))
        self.trash(sandbox, identity)
        assert identity not in by_identity(read_all(connector, Stream.CONTACTS))
        assert connector.get(identity) is None

    def test_204_by_id_is_no_proof_while_the_list_shows_the_contact(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        identity = next(iter(self.live(sandbox)))
        self.trash(sandbox, identity)
        sandbox.switches(deleted_by_id="listed")
        assert connector.get(identity) is None  # the list itself says that it is deleted
        sandbox.control("POST", "amocrm/restore", {"id": number(identity)})
        sandbox.faults([{"kind": "status", "code": 204, "body": "", "path": "/api/v4/contacts/*"}])
        record = connector.get(identity)
        assert record is not None
        assert record.identity == identity

    def test_where_the_id_filter_is_ignored_a_missing_contact_is_asked_for_twice(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        identity = next(iter(self.live(sandbox)))
        sandbox.switches(id_filter="ignore")
        sandbox.faults(
            [{"kind": "status", "code": 204, "body": "", "path": "/api/v4/contacts/*", "times": 1}]
        )
        assert connector.get(identity) is not None
        self.trash(sandbox, identity)
        sandbox.reset_stats()
        assert connector.get(identity) is None
        assert sandbox.stats()["routes"][f"GET /amocrm/api/v4/contacts/{identity.remote_id}"] == 2

    # Changes

    def changed_since(self, connector: Connector, days: int = 2) -> set[Identity]:
        since = datetime.now(UTC).date() - timedelta(days=days)
        return set(by_identity(read_all(connector, Stream.CONTACTS, since)))

    def test_changes_end_at_the_first_older_contact(self, proven: Build, sandbox: SandboxControl) -> None:
        connector = proven(page_size=10)
        made = connector.push(self.created(connector, sandbox)).identity
        old = (datetime.now(UTC) - timedelta(days=4)).timestamp()
        expected = {each["id"] for each in contacts(sandbox, state="live") if each["updated_at"] > old}
        sandbox.reset_stats()
        changed = self.changed_since(connector)
        assert made in changed
        assert {number(each) for each in changed} <= expected
        assert sandbox.stats()["requests"] == 1

    def test_unsorted_list_is_never_cut_short(self, proven: Build, sandbox: SandboxControl) -> None:
        connector = proven(page_size=10)
        sandbox.switches(order="ignore")
        assert self.changed_since(connector) == self.live(sandbox).keys()

    def test_proven_filter_is_asked_for_and_still_verified(
        self, proven: Build, sandbox: SandboxControl
    ) -> None:
        connector = proven("updated_filter", page_size=10)
        made = connector.push(self.created(connector, sandbox)).identity
        walk = connector.walks(Stream.CONTACTS, since=datetime.now(UTC).date())[0]
        page = walk.split(walk.fetch(1))
        assert page.ended
        assert {item.remote_id for item in page.items} == {made.remote_id}
        sandbox.switches(updated_filter="ignore")
        assert self.changed_since(connector, 0) == {made}

    # Custom fields

    def test_each_type_of_custom_field_is_read_and_written_back(
        self, proven: Build, sandbox: SandboxControl
    ) -> None:
        connector = proven("field_definitions")
        values = {
            str(words.LIMIT): "5000000",
            str(words.CHECKED): True,
            str(words.RENEWAL): "2026-02-28",
            str(words.RANK): "Vàng",
            str(words.CHANNELS): ["Zalo", "SMS"],
            str(words.GENDER): "женский",
            str(words.SITE): "https://shop.example.com",
            str(words.LAST_CALL): "2026-03-01T08:30:00+00:00",
            str(words.BIRTHDAY): "1990-05-01",
        }
        for zone in (3, 7, -5, 11, -11):
            sandbox.switches(zone_hours=zone)
            change = Change(
                Operation.CREATE, Kind.CONTACT, None, code=f"c{zone}", values={"custom_fields": values}
            )
            identity = connector.push(change).identity
            record = connector.get(identity)
            assert record.custom_fields == values
        edit = {str(words.CHECKED): False, str(words.RENEWAL): "2026-12-31", str(words.RANK): "Bạc"}
        connector.push(
            Change(
                Operation.EDIT,
                Kind.CONTACT,
                identity,
                values={"custom_fields": edit},
                before={"custom_fields": values},
            )
        )
        assert connector.get(identity).custom_fields == edit
        assert truth(sandbox, identity)["fields"][str(words.CHECKED)] == [False]

    def test_types_seen_on_a_contact_are_enough_to_write_its_dates(
        self, connector: Any, sandbox: SandboxControl
    ) -> None:
        record = next(
            each for each in read_all(connector, Stream.CONTACTS) if str(words.RENEWAL) in each.custom_fields
        )
        record = connector.get(record.identity)
        before = canonical(record)["custom_fields"]
        wanted = before | {str(words.RENEWAL): "2027-01-31"}
        connector.push(
            Change(
                Operation.EDIT, Kind.CONTACT, record.identity,
                values={"custom_fields": wanted}, before={"custom_fields": before},
            )
        )  # fmt: skip
        assert canonical(connector.get(record.identity))["custom_fields"] == wanted
        (write,) = sandbox.writes(vendor="amocrm")
        assert [each["field_id"] for each in write["body"]["custom_fields_values"]] == [words.RENEWAL]

    def test_field_with_a_shape_of_its_own_is_shown_and_not_written(
        self, connector: Any, sandbox: SandboxControl
    ) -> None:
        record = next(each for each in read_all(connector, Stream.CONTACTS) if "Адрес" in each.extra)
        record = connector.get(record.identity)
        assert record.extra["Адрес"] == "Lê Lợi 12, Huế"
        values = {"custom_fields": {**record.custom_fields, str(words.PLACE): "Huế"}}
        change = Change(
            Operation.EDIT, Kind.CONTACT, record.identity, values=values,
            before={"custom_fields": dict(record.custom_fields)},
        )  # fmt: skip
        with pytest.raises(Rejected, match="shape of its own"):
            connector.push(change)
        assert sandbox.writes(vendor="amocrm") == []

    def test_field_that_nobody_defined_is_refused_in_the_vendors_words(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        identity = next(iter(self.live(sandbox)))
        change = Change(Operation.EDIT, Kind.CONTACT, identity, values={"custom_fields": {"999": "x"}})
        with pytest.raises(Rejected) as told:
            connector.push(change)
        assert told.value.words == "custom_fields_values.0.field_id: The field does not exist."

    def test_definitions_come_typed_with_their_choices(self, connector: Any) -> None:
        found = {each.key: each for each in connector.field_definitions()}
        assert not {"PHONE", "EMAIL"} & found.keys()
        assert found["POSITION"].type is FieldType.TEXT
        rank = found[str(words.RANK)]
        assert (rank.label, rank.type) == ("Hạng khách", FieldType.SELECT)
        assert [choice.value for choice in rank.choices] == ["Bạc", "Vàng", "Kim cương"]
        assert not found[str(words.PLACE)].editable

    @pytest.mark.parametrize("search", ["digits", "text"])
    @pytest.mark.parametrize(
        ("stored", "asked", "found"),
        [
            ("8 (912) 345-67-89", "+79123456789", {"digits"}),
            ("+7 912 345-67-89", "8 912 345 67 89", {"digits"}),
            ("+84 977 123 459", "0977123459", {"digits"}),
            ("0977123459", "+84977123459", {"digits", "text"}),
            ("0977 123 459", "0977 123 459", {"digits", "text"}),
            ("1900 1", "1900 1", {"digits", "text"}),
            ("máy bàn hỏng", "Máy bàn hỏng", {"digits", "text"}),
            ("0977123459", "97712", set()),
        ],
    )
    def test_number_is_found_however_it_is_spelled(
        self,
        connector: Connector,
        sandbox: SandboxControl,
        stored: str,
        asked: str,
        found: set[str],
        search: str,
    ) -> None:
        sandbox.switches(search=search)
        values = {"name": "An", "phones": [{"value": stored, "type": "Work"}]}
        made = connector.push(Change(Operation.CREATE, Kind.CONTACT, None, code="c", values=values)).identity
        shown = [each.identity for each in connector.find(phone=asked)]
        assert shown == ([made] if search in found else [])

    def test_search_that_is_ignored_finds_nobody_else(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.switches(search="ignore")
        assert connector.find(phone="0999999999") == []
        assert connector.find(email="nobody@nowhere.example") == []

    # Writes

    def test_phone_of_an_unknown_kind_is_refused_here_with_the_kinds_there_are(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        values = {"name": "An", "phones": [{"value": "0934000001", "type": "Văn phòng"}]}
        with pytest.raises(Rejected, match="Work, Work direct, Mobile"):
            connector.push(Change(Operation.CREATE, Kind.CONTACT, None, code="c", values=values))
        assert sandbox.stats()["requests"] == 0

    def test_a_sent_list_replaces_the_whole_list(self, connector: Any, sandbox: SandboxControl) -> None:
        identity = connector.push(self.created(connector, sandbox)).identity
        for values in ({"phones": []}, {"tags": []}, {"emails": []}, {"custom_fields": {}}):
            before = {name: canonical(connector.get(identity))[name] for name in values}
            connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values=values, before=before))
        held = truth(sandbox, identity)
        assert (held["phones"], held["tags"], held["emails"], held["fields"]) == ([], [], [], {})

    @pytest.mark.parametrize("answer", ["bare", "wrapped"])
    def test_both_answers_to_an_update_are_understood(
        self, connector: Connector, sandbox: SandboxControl, answer: str
    ) -> None:
        sandbox.switches(patch_answer=answer)
        identity = next(iter(self.live(sandbox)))
        connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values={"name": "Tên khác"}))
        assert truth(sandbox, identity)["name"] == "Tên khác"

    @pytest.mark.parametrize("code", ["400", "404"])
    def test_update_of_nobody_is_refused(
        self, connector: Connector, sandbox: SandboxControl, code: str
    ) -> None:
        sandbox.switches(patch_unknown=code)
        with pytest.raises(Rejected) as told:
            connector.push(
                Change(Operation.EDIT, Kind.CONTACT, Identity("contact", "99"), values={"name": "A"})
            )
        assert type(told.value) is Rejected
        assert "not found" in told.value.words

    # Batches

    def batch(self, connector: Connector, sandbox: SandboxControl) -> list[Change]:
        return [self.created(connector, sandbox, str(10 + index)) for index in range(6)]

    def test_batch_answered_in_another_order_is_paired_by_request_id(
        self, connector: Any, sandbox: SandboxControl
    ) -> None:
        sandbox.switches(batch="shuffled")
        changes = self.batch(connector, sandbox)
        for change, result in zip(changes, connector.push_bulk(changes), strict=True):
            assert truth(sandbox, result.identity)["name"] == change.values["name"]

    @pytest.mark.parametrize("batch", ["short", "long", "no_request_ids", "errors", "reject_after_some"])
    def test_batch_that_does_not_pair_one_to_one_is_unknown(
        self, connector: Connector, sandbox: SandboxControl, batch: str
    ) -> None:
        sandbox.switches(batch=batch)
        with pytest.raises(OutcomeUnknown):
            connector.push_bulk(self.batch(connector, sandbox))

    def test_refused_batch_names_the_item_and_creates_nobody(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        changes = self.batch(connector, sandbox)
        changes[2].values["phones"] = [{"value": "1", "type": "NONSENSE"}]  # type: ignore[index]
        changes[4].values["responsible"] = "77"  # type: ignore[index]
        before = self.live(sandbox)
        with pytest.raises(OutcomeUnknown) as told:
            connector.push_bulk(changes)
        assert "item code-12, custom_fields_values.0.values.0.value: The enum" in told.value.words
        assert "item code-14, responsible_user_id" in told.value.words
        assert self.live(sandbox) == before

    def test_many_are_edited_in_one_call(self, connector: Connector, sandbox: SandboxControl) -> None:
        chosen = list(self.live(sandbox))[:5]
        changes = [
            Change(Operation.EDIT, Kind.CONTACT, identity, values={"name": f"Số {index}"})
            for index, identity in enumerate(chosen)
        ]
        sandbox.switches(batch="shuffled")
        assert [result.identity for result in connector.push_bulk(changes)] == chosen
        assert [truth(sandbox, each)["name"] for each in chosen] == [f"Số {index}" for index in range(5)]
        assert sandbox.stats()["requests"] == 1
        sandbox.switches(batch="short")
        with pytest.raises(OutcomeUnknown):
            connector.push_bulk(changes)

    # Chats, panels, links

    def test_panels_show_what_a_contact_is_linked_with(self, connector: Any, sandbox: SandboxControl) -> None:
        held = next(
            each
            for each in contacts(sandbox, state="live")
            if each["company"] and each["leads"] and each["id"] in self.chats(sandbox).values()
        )
        identity = Identity("contact", str(held["id"]))
        assert [e.ref for e in connector.panel(identity, "companies").entries] == [str(held["company"])]
        assert [e.ref for e in connector.panel(identity, "leads").entries] == list(map(str, held["leads"]))
        chats = [key for key, contact in self.chats(sandbox).items() if contact == held["id"]]
        assert [e.ref for e in connector.panel(identity, "chats").entries] == chats
        self.trash(sandbox, identity)
        for panel in connector.capabilities.panels:
            with pytest.raises(Gone):
                connector.panel(identity, panel.key)

    def relate(self, identity: Identity, panel: str, action: RelationAction, *refs: str) -> Change:
        values = Relation(panel, action, refs).to_values()
        return Change(Operation.RELATE, Kind.CONTACT, identity, values=values)

    def test_chat_is_linked_once_however_often(self, connector: Any, sandbox: SandboxControl) -> None:
        identity = next(iter(self.live(sandbox)))
        chat = next(key for key, contact in self.chats(sandbox).items() if contact is None)
        for _time in range(2):
            connector.push(self.relate(identity, "chats", RelationAction.ATTACH, chat))
        assert self.chats(sandbox)[chat] == number(identity)
        assert len(sandbox.writes(vendor="amocrm")) == 1
        assert chat in [entry.ref for entry in connector.panel(identity, "chats").entries]

    def test_chat_of_another_contact_is_not_taken_away(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        held = {key: contact for key, contact in self.chats(sandbox).items() if contact}
        chat, owner = next(iter(held.items()))
        other = next(each for each in self.live(sandbox) if number(each) != owner)
        with pytest.raises(Rejected, match=f"belongs to contact {owner}"):
            connector.push(self.relate(other, "chats", RelationAction.ATTACH, chat))
        assert self.chats(sandbox)[chat] == owner

    def test_chats_for_administrators_only_are_refused_in_words_and_break_nothing(
        self, connector: Any, sandbox: SandboxControl
    ) -> None:
        sandbox.switches(chats="forbidden")
        identity = next(iter(self.live(sandbox)))
        with pytest.raises(Rejected, match="administrators") as told:
            connector.panel(identity, "chats")
        assert "administrator users" in told.value.words
        assert connector.panel(identity, "leads").key == "leads"

    def test_links_are_changed_only_where_that_was_proven(
        self, connector: Connector, proven: Build, sandbox: SandboxControl
    ) -> None:
        identity = next(iter(self.live(sandbox)))
        attach = self.relate(identity, "leads", RelationAction.ATTACH, "4711")
        with pytest.raises(Rejected, match="cannot attach leads"):
            connector.push(attach)
        able = proven("links")
        for _time in range(2):
            able.push(attach)
        assert truth(sandbox, identity)["leads"].count(4711) == 1
        for _time in range(2):
            able.push(self.relate(identity, "leads", RelationAction.DETACH, "4711"))
        assert 4711 not in truth(sandbox, identity)["leads"]
        panels = {each.key: each for each in with_features(able.capabilities, {"links"}).panels}
        assert RelationAction.DETACH in panels["leads"].actions
        assert RelationAction.DETACH not in panels["chats"].actions

    # Features

    @pytest.mark.parametrize(
        ("feature", "switches"),
        [
            ("field_definitions", {"definitions": "off"}),
            ("updated_filter", {"updated_filter": "ignore"}),
            ("deletion_events", {"events": "off"}),
            ("deletion_events", {"id_filter": "ignore"}),
            ("links", {"links": "off"}),
        ],
    )
    def test_feature_is_proven_where_it_works_and_refused_where_not(
        self, connector: Any, sandbox: SandboxControl, feature: str, switches: dict[str, str]
    ) -> None:
        assert connector.prove(feature).endswith(".")
        sandbox.switches(**switches)
        with pytest.raises((Rejected, BadResponse)):
            connector.prove(feature)
        assert sandbox.writes(vendor="amocrm") == []

    def test_probe_looks_at_everything_and_writes_nothing(
        self, connector: Any, sandbox: SandboxControl
    ) -> None:
        found = {each.key: each for each in connector.probe()}
        assert all(each.ok for each in found.values()), found
        sandbox.switches(
            order="ignore", id_filter="ignore", chats="forbidden", webhooks="unpaid", events="off"
        )
        found = {each.key: each.ok for each in connector.probe()}
        refused = {key for key, ok in found.items() if ok is False}
        assert refused == {"order", "id_filter", "deletion_events", "merge_events", "chats", "webhooks"}
        assert sandbox.writes(vendor="amocrm") == []

    @pytest.mark.parametrize("order", ["on", "oldest_first"])
    def test_deletion_events_tell_who_and_when_and_bury_nobody_who_is_there(
        self, proven: Build, sandbox: SandboxControl, order: str
    ) -> None:
        sandbox.switches(events=order)
        connector = proven("deletion_events")
        gone, back = list(self.live(sandbox))[:2]
        for identity in (gone, back):
            sandbox.control("POST", "amocrm/trash", {"id": number(identity), "by": 504207})
        sandbox.control("POST", "amocrm/restore", {"id": number(back)})
        deletions = {each.contact.identity: each for each in read_all(connector, Stream.DELETED)}
        deleted = {each["id"] for each in contacts(sandbox, state="deleted", brief=1)}
        assert {number(identity) for identity in deletions} == deleted
        assert deletions[gone].trashed_by == "user 504207"
        assert back not in deletions

    # Limits and errors

    def test_documented_rate_is_never_exceeded(self, build: Build, sandbox: SandboxControl) -> None:
        sandbox.switches(rate_limit=7)
        connector = build(limiter=ProcessLimiter(6), deadline=30)
        assert len(read_all(connector, Stream.CONTACTS)) == len(self.live(sandbox))
        for identity in list(self.live(sandbox))[:12]:
            connector.get(identity)
        stats = sandbox.stats()
        assert stats["max_per_second"] <= 7
        assert "429" not in stats["statuses"]

    def test_429_waits_as_long_as_its_body_says(self, connector: Connector, sandbox: SandboxControl) -> None:
        sandbox.fault("status", code=429, body={"title": "Too Many Requests", "retry_after": 300})
        with pytest.raises(RateLimited) as told:
            connector.check()
        assert told.value.after == 300

    def test_block_is_told_at_once_and_not_hammered(self, connector: Any, sandbox: SandboxControl) -> None:
        sandbox.fault("html", code=403)
        sandbox.reset_stats()
        with pytest.raises(ConnectionBroken):
            connector.probe()
        with pytest.raises(ConnectionBroken):
            connector.panel(next(iter(self.live(sandbox))), "chats")
        assert sandbox.stats()["requests"] == 2

    def test_unpaid_account_breaks_the_connection_in_words(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.fault("status", code=402, body={"title": "Payment Required", "detail": "Pay first"})
        with pytest.raises(ConnectionBroken, match="not paid"):
            connector.check()

    @pytest.mark.parametrize(
        "host", ["crm.example.com", "evil-kommo.com", "amocrm.ru", "kommo.com.example.com"]
    )
    def test_foreign_host_never_gets_the_token(self, host: str) -> None:
        with pytest.raises(ConnectionBroken, match=r"must end with \.amocrm\.ru"):
            registry.build(self.kind, Account("Test account", f"https://{host}", self.credentials))
        for host in ("a.amocrm.ru", "a.amocrm.com", "a.kommo.com"):
            registry.build(self.kind, Account("Test account", f"https://{host}", self.credentials)).close()

    def test_pages_stop_at_204(self, proven: Build, sandbox: SandboxControl) -> None:
        sandbox.switches(next_on_last="yes")
        walk = proven(page_size=60).walks(Stream.CONTACTS)[0]
        assert [len(page) for page in pages(walk)] == [60, 60, 0]
