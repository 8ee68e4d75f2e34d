"""Concord's connector on its sandbox: the contract and what only this vendor does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Forbidden,
    Gone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RetryLater,
)
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Account, Connector, Stream, with_features
from crm_bridge.records import (
    Address,
    Change,
    Email,
    Identity,
    Kind,
    Operation,
    Phone,
    Relation,
    RelationAction,
    canonical,
    canonical_value,
)
from tests.crm_bridge.connectors.contract import (
    QUICK,
    ConnectorContract,
    Ending,
    by_identity,
    pages,
    read_all,
)
from tests.remote.rawserver import RawServer, answer
from tests.sandbox.concord_api import TOKEN, ConcordStaff
from tests.sandbox_fixture import SandboxControl

#: Faults that spoil a body: an answer that has none stays what it is.
_SPOIL_BODIES = {"truncate", "wrong_content_type", "nan"}


class TestConcordConnector(ConnectorContract):
    kind: ClassVar[str] = "concord"
    credentials: ClassVar[dict[str, str]] = {"token": TOKEN}
    wrong_credentials: ClassVar[dict[str, str]] = {"token": "another-token"}
    family_of: ClassVar[dict[Kind, str]] = {Kind.CONTACT: "contact"}
    name_key: ClassVar[str] = "first_name"
    spoiled: ClassVar[tuple[tuple[str, Any], ...]] = (
        ("phones", "0912"), ("first_name", ["An"]), ("updated_at", "soon"), ("tags", {"a": 1}),
    )  # fmt: skip
    says_success: ClassVar[bool] = False

    def live(self, sandbox: SandboxControl) -> dict[Identity, str]:
        return {
            Identity("contact", number): " ".join(each["name"].split())
            for number, each in ConcordStaff(sandbox).visible().items()
        }

    def trash(self, sandbox: SandboxControl, identity: Identity) -> None:
        ConcordStaff(sandbox).act("trash", identity.remote_id)

    def full_values(self, connector: Connector, sandbox: SandboxControl, mark: str) -> dict[str, Any]:
        values = {
            "name": f"Nguyễn Thử {mark}",
            "phones": (Phone(f"09340000{mark}", "work"), Phone(f"+84 912 000 0{mark}", "")),
            "emails": (Email(f"thu{mark}@example.com"),),
            "addresses": (Address(street_name="12A Lê Lợi", district="Quận 3", city="Huế", country="704"),),
            "tags": ("VIP", "Hẹn gọi lại"),
            "source": "2",
            "responsible": "3",
            "custom_fields": {
                "contract_number": "HD-2025-001",
                "interests": ["vinhos"],
                "job_title": "Giám đốc",
            },
        }
        return {name: canonical_value(value) for name, value in values.items()}

    def edited(self, connector: Connector, sandbox: SandboxControl) -> dict[str, Any]:
        return self.full_values(connector, sandbox, "22") | {
            "tags": ["mới"],
            "addresses": [],
            "source": "5",
            "custom_fields": {"credit_limit": "5", "newsletter": True},
        }

    def write_ending(
        self, operation: Operation, fault: str, options: dict[str, Any], usual: Ending
    ) -> Ending:
        if options.get("code") == 403 and fault == "status":
            return Forbidden  # the list still answers, so it is this contact, not the token
        if options.get("code") == 404 and fault == "status" and operation is not Operation.CREATE:
            return Gone
        if operation is Operation.DELETE and fault in _SPOIL_BODIES:
            return None
        return usual

    # Shapes nobody documents

    @pytest.mark.parametrize(
        "switches",
        [
            {"paging": "flat"},
            {"paging": "simple"},
            {"paging": "bare"},
            {"per_page": "ignore"},
            {"per_page": "ignore", "paging": "simple"},
            {"one_as": "data"},
            {"timestamps": "second"},
            {"timestamps": "space"},
            {"numbers": "text"},
            {"nested": "no"},
            {"list_associations": "yes"},
            {"list_associations": "yes", "associations": "ids"},
            {"associations": "absent"},
            {"order": "ignore"},
            {"order": "refuse"},
            {"usual_order": "created_desc", "order": "ignore"},
        ],
        ids=str,
    )
    def test_records_are_the_same_in_every_shape(
        self, connector: Connector, sandbox: SandboxControl, switches: dict[str, str]
    ) -> None:
        def seen() -> dict[Identity, Any]:
            found = by_identity(read_all(connector, Stream.CONTACTS))
            return {
                key: (canonical(each), each.updated_at and each.updated_at.replace(microsecond=0))
                for key, each in found.items()
            }

        usual = seen()
        one = next(iter(usual))
        sandbox.switches(**switches)
        assert seen() == usual
        record = connector.get(one)
        assert record is not None
        assert canonical(record) == usual[one][0]

    def test_total_ends_the_list_and_an_empty_page_does_not(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        walk = connector.walks(Stream.CONTACTS)[0]
        assert walk.split(walk.fetch(1)).total == len(self.live(sandbox))
        sandbox.fault("empty_page", page=1)
        assert not walk.split(walk.fetch(1)).ended
        sandbox.clear()
        sandbox.switches(paging="simple")
        assert [walk.split(walk.fetch(page)).ended for page in (1, 2)] == [False, True]

    # Changes

    def changed(self, connector: Connector) -> tuple[set[str], int]:
        """Ids that a walk for changes hands on, and how many pages it took."""
        walk = connector.walks(Stream.CONTACTS, since=datetime.now(UTC).date() - timedelta(days=2))[0]
        found = list(pages(walk))
        return {item.remote_id for page in found for item in page}, len(found)

    def recent(self, sandbox: SandboxControl) -> set[str]:
        days = datetime.now(UTC) - timedelta(days=2, hours=13)  # just after midnight no more is sure
        return {
            number
            for number, each in ConcordStaff(sandbox).visible().items()
            if datetime.fromisoformat(each["updated_at"]) > days
        }

    def test_walk_for_changes_ends_at_the_day_asked_for(
        self, build: Callable[..., Connector], sandbox: SandboxControl
    ) -> None:
        staff = ConcordStaff(sandbox)
        for each in list(staff.visible())[:9]:
            staff.patch(each, job_title="Chefe")
        connector = build(options={"page_size": 4})
        sandbox.reset_stats()
        found, count = self.changed(connector)
        assert self.recent(sandbox) <= found < set(staff.visible())
        assert count < 10
        assert sandbox.stats()["requests"] == count + 1  # the order is put to the test once

    @pytest.mark.parametrize(
        "switches",
        [
            {"order": "ignore"},
            {"order": "ignore", "usual_order": "created_desc"},
            {"order": "created_only", "usual_order": "created_desc"},
            {"order": "refuse"},
            {"updated_at": "absent"},
        ],
        ids=str,
    )
    def test_without_the_order_asked_for_everything_is_handed_on(
        self, connector: Connector, sandbox: SandboxControl, switches: dict[str, str]
    ) -> None:
        sandbox.switches(**switches)
        found, _count = self.changed(connector)
        assert found == set(ConcordStaff(sandbox).visible())

    def test_pages_that_only_look_sorted_do_not_end_the_walk(
        self, build: Callable[..., Connector], sandbox: SandboxControl
    ) -> None:
        """Nobody was edited but the oldest contact: by creation, newest first, all pages but the last are
        sorted by update as well."""
        staff = ConcordStaff(sandbox)
        for number, each in staff.visible().items():
            staff.patch(number, updated_at=each["created_at"])
        edited = next(iter(staff.visible()))
        staff.patch(edited, job_title="Chefe")
        sandbox.switches(order="ignore", usual_order="created_desc")
        found, _count = self.changed(build(options={"page_size": 10}))
        assert edited in found

    # Proof of absence

    def test_contact_out_of_sight_is_no_contact_that_is_gone(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        identity = next(iter(self.live(sandbox)))
        ConcordStaff(sandbox).act("hide", identity.remote_id)
        with pytest.raises(Forbidden, match="may not see"):
            connector.get(identity)
        for operation in (Operation.EDIT, Operation.DELETE):
            with pytest.raises(Forbidden) as told:
                connector.push(Change(operation, Kind.CONTACT, identity, values={"name": "An"}))
            assert told.value.words == "This action is unauthorized."
        assert sandbox.writes() == []

    def test_token_without_any_right_breaks_the_connection(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.fault("status", code=403, body={"message": "no API access"})
        with pytest.raises(ConnectionBroken):
            connector.get(next(iter(self.live(sandbox))))

    def test_404_proves_absence_only_when_it_speaks_of_the_contact(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        identity = Identity("contact", "987654")
        sandbox.switches(missing_message="blank")
        assert connector.get(identity) is None
        for fault in (
            {"kind": "html", "code": 404},
            {"kind": "status", "code": 404, "body": "nothing here"},
            {
                "kind": "status",
                "code": 404,
                "body": {"message": "The route api/contacts could not be found."},
            },
            {"kind": "status", "code": 404, "body": {}},
            {"kind": "status", "code": 404, "body": []},
        ):
            sandbox.faults([fault])
            with pytest.raises(Rejected) as told:
                connector.get(identity)
            assert type(told.value) is Rejected, fault
        for number in ("", "  ", "abc", "0", "1e3"):
            assert connector.get(Identity("contact", number)) is None

    @pytest.mark.parametrize("status", [400, 405, 409, 410, 422])
    def test_no_other_status_means_gone(
        self, connector: Connector, sandbox: SandboxControl, status: int
    ) -> None:
        sandbox.fault("status", code=status, body={"message": "There is no such contact."})
        with pytest.raises(Rejected) as told:
            connector.get(Identity("contact", "1"))
        assert not isinstance(told.value, Gone)

    def test_wrong_address_is_told_with_what_is_wrong(self, sandbox: SandboxControl) -> None:
        account = Account("Test account", f"{sandbox.url}/concord", self.credentials)
        connector = registry.build("concord", account, **QUICK)
        with pytest.raises(ConnectionBroken, match="usually ends in /api"):
            connector.check()
        connector.close()

    # Look-ups

    def test_account_that_ignores_search_fields_still_finds_the_right_one(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        staff = ConcordStaff(sandbox)
        right = staff.create("Ana", phones=[{"number": "0934 111 222", "type": "work"}])
        staff.create("Bia 0934 111 222", phones=[{"number": "0934 111 2223", "type": "work"}])
        sandbox.switches(search_fields="ignore")
        assert [each.identity.remote_id for each in connector.find(phone="0934 111 222")] == [str(right)]
        sandbox.fault("ignore_filter")
        assert connector.find(phone="0999999999") == []

    def test_look_up_is_by_kind_and_day_of_creation_too(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        number = str(ConcordStaff(sandbox).create("Ana", email="Ana@Example.com"))
        today = datetime.now(UTC).date()
        day = timedelta(days=1)

        def found(**given: Any) -> list[str]:
            return [each.identity.remote_id for each in connector.find(email="ana@example.com", **given)]

        assert found() == found(kind=Kind.CONTACT) == [number]
        assert found(created_from=today - day, created_to=today + day) == [number]
        assert found(created_to=today - day) == found(created_from=today + day) == found(kind=Kind.LEAD) == []

    @pytest.mark.parametrize("switches", [{}, {"search_as": "data"}, {"search_items": "brief"}], ids=str)
    def test_search_takes_as_many_as_asked_for(
        self, connector: Any, sandbox: SandboxControl, switches: dict[str, str]
    ) -> None:
        staff = ConcordStaff(sandbox)
        numbers = {str(staff.create("Procurada", last_name=f"Silva {n}")) for n in range(5)}
        sandbox.switches(**switches)
        found = {each.identity.remote_id: each.name for each in connector.search("procurada")}
        assert found.keys() == numbers
        assert all(name.startswith("Procurada Silva") for name in found.values())
        assert len(connector.search("procurada", take=2)) == 2

    # Writes

    def test_writing_back_every_contact_changes_nothing_there(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        staff = ConcordStaff(sandbox)
        before = staff.visible()
        for identity, record in by_identity(read_all(connector, Stream.CONTACTS)).items():
            values = canonical(record, list(connector.capabilities.writable))
            connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values=values, before=values))
        after = staff.visible()
        for number, was in before.items():
            for key in was.keys() - {"updated_at"}:
                assert (after[number][key] or None) == (was[key] or None), (number, key)

    def test_edit_sends_the_whole_contact_and_no_associations(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        staff = ConcordStaff(sandbox)
        number = staff.create(
            "Ana", last_name="Silva", email="ana@example.com", city="Santos", tags=["VIP"], companies=[1, 2],
            phones=[{"number": "+55 11 98888-7777", "type": "mobile"}], custom={"credit_limit": 12500.5},
        )  # fmt: skip
        sandbox.switches(put_omitted="clear")
        identity = Identity("contact", str(number))
        connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values={"tags": ["novo"]}))
        held = staff.contact(number)
        assert (held["first_name"], held["last_name"], held["email"]) == ("Ana", "Silva", "ana@example.com")
        assert (held["city"], held["tags"], held["companies"]) == ("Santos", ["novo"], [1, 2])
        assert held["phones"] == [{"number": "+55 11 98888-7777", "type": "mobile"}]
        assert held["custom"]["credit_limit"] == 12500.5
        assert not {"companies", "deals", "activities"} & sandbox.writes()[0]["body"].keys()

    def test_contact_changed_meanwhile_is_merged_anew_and_not_overwritten(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        staff = ConcordStaff(sandbox)
        number = staff.create("Ana", tags=["VIP"])
        change = Change(
            Operation.EDIT, Kind.CONTACT, Identity("contact", str(number)),
            values={"tags": ["VIP", "novo"]}, before={"tags": ["VIP"]},
        )  # fmt: skip
        staff.patch(number, tags=["VIP", "outro"])
        with pytest.raises(RetryLater, match="merged anew"):
            connector.push(change)
        assert sandbox.writes() == []
        assert staff.contact(number)["tags"] == ["VIP", "outro"]

    def test_refusal_names_each_field_in_the_vendors_words(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        values = {"name": "An", "responsible": "77", "custom_fields": {"renewal_date": "soon"}}
        with pytest.raises(Rejected) as told:
            connector.push(Change(Operation.CREATE, Kind.CONTACT, None, values=values))
        assert told.value.words == (
            "user_id: The selected user id is invalid.; "
            "renewal_date: The renewal date field is not a valid date."
        )

    def test_limit_is_waited_for_as_long_as_told(self, connector: Connector, sandbox: SandboxControl) -> None:
        sandbox.switches(rate_per_minute=3)
        for _call in range(3):
            connector.check()
        with pytest.raises(RateLimited) as told:
            connector.check()
        assert told.value.after is not None
        assert 50 < told.value.after <= 60

    # Associations

    def relate(
        self, connector: Connector, number: int, panel: str, action: RelationAction, *refs: str
    ) -> None:
        values = Relation(panel, action, refs).to_values()
        connector.push(
            Change(Operation.RELATE, Kind.CONTACT, Identity("contact", str(number)), values=values)
        )

    @pytest.mark.parametrize(
        "switches", [{}, {"associate_answer": "empty"}, {"associations": "ids"}], ids=str
    )
    def test_attach_detach_and_replace_reach_the_right_verb(
        self, connector: Any, sandbox: SandboxControl, switches: dict[str, str]
    ) -> None:
        sandbox.switches(**switches)
        staff = ConcordStaff(sandbox)
        number = staff.create("Ana", companies=[3], deals=[4], activities=[5])
        self.relate(connector, number, "companies", RelationAction.ATTACH, "7", "3")
        self.relate(connector, number, "deals", RelationAction.REPLACE, "8", "9")
        self.relate(connector, number, "activities", RelationAction.DETACH, "5", "6")
        held = staff.contact(number)
        assert (held["companies"], held["deals"], held["activities"]) == ([3, 7], [8, 9], [])
        assert [(each["operation"], each["body"]) for each in sandbox.writes()] == [
            ("attach", {"companies": [7, 3]}),
            ("sync", {"deals": [8, 9]}),
            ("detach", {"activities": [5, 6]}),
        ]

    def test_detach_whose_body_is_dropped_is_not_taken_for_done(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        number = ConcordStaff(sandbox).create("Ana", companies=[3])
        sandbox.switches(detach_body="dropped")
        with pytest.raises(Rejected, match="replace the whole list"):
            self.relate(connector, number, "companies", RelationAction.DETACH, "3")

    def test_unknown_association_is_refused_in_words(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        number = ConcordStaff(sandbox).create("Ana")
        with pytest.raises(Rejected, match=r"companies\.0"):
            self.relate(connector, number, "companies", RelationAction.ATTACH, "999")
        for panel, ref in (("companies", "Acme"), ("tickets", "1")):
            with pytest.raises(Rejected, match=ref if panel == "companies" else panel):
                self.relate(connector, number, panel, RelationAction.ATTACH, ref)

    def test_panel_that_is_not_shown_is_not_an_empty_one(
        self, connector: Any, sandbox: SandboxControl
    ) -> None:
        number = ConcordStaff(sandbox).create("Ana", companies=[1])
        identity = Identity("contact", str(number))
        entry = connector.panel(identity, "companies").entries[0]
        assert (entry.title, entry.ref, entry.kind) == ("Silva Ltda.", "1", "company")
        sandbox.switches(associations="ids")
        assert [each.title for each in connector.panel(identity, "companies").entries] == ["company 1"]
        sandbox.switches(associations="absent")
        with pytest.raises(BadResponse, match="does not show"):
            connector.panel(identity, "companies")

    # What only some accounts have

    @pytest.mark.parametrize(
        ("style", "path"),
        [("trashed_contacts", "/trashed/contacts"), ("contacts_trashed", "/contacts/trashed")],
    )
    def test_trash_is_proven_by_whichever_address_answers(
        self, connector: Any, sandbox: SandboxControl, style: str, path: str
    ) -> None:
        staff = ConcordStaff(sandbox)
        gone = next(iter(staff.visible()))
        staff.act("trash", gone)
        sandbox.switches(trash_routes=style)
        count = staff.counts()["trashed"]
        assert connector.prove("trash") == f"{path} answers and lists {count} deleted contacts."
        assert Stream.DELETED in with_features(connector.capabilities, ["trash"]).streams
        deletions = read_all(connector, Stream.DELETED)
        assert len(deletions) == count
        found = next(each for each in deletions if each.contact.identity.remote_id == gone)
        assert datetime.now(UTC) - found.trashed_at < timedelta(minutes=1)
        assert sandbox.writes() == []
        assert connector.prove("restore").endswith("restored and deleted again.")
        connector.restore(Identity("contact", gone))
        assert staff.contact(gone)["status"] == "live"
        assert {each["name"] for each in staff.contacts() if each["status"] == "trashed"} >= {
            "Disposable check"
        }
        with pytest.raises(Gone):
            connector.restore(Identity("contact", gone))

    def test_account_without_a_trash_does_not_prove_one_and_nothing_is_written(
        self, connector: Any, sandbox: SandboxControl
    ) -> None:
        for feature in ("trash", "restore"):
            with pytest.raises(Rejected, match="no list of deleted contacts"):
                connector.prove(feature)
        with pytest.raises(Rejected):
            connector.restore(Identity("contact", "1"))
        assert sandbox.writes() == []

    def test_account_that_leaves_alone_what_is_not_named_is_sent_only_what_changes(
        self, build: Callable[..., Any], sandbox: SandboxControl
    ) -> None:
        staff = ConcordStaff(sandbox)
        assert build().prove("partial_update").endswith("when only its name was updated.")
        assert {each["status"] for each in staff.contacts() if "Disposable" in each["name"]} == {"trashed"}
        number = staff.create("Ana", last_name="Silva", city="Santos", tags=["VIP"])
        edit = Change(
            Operation.EDIT, Kind.CONTACT, Identity("contact", str(number)), values={"tags": ["novo"]}
        )
        sandbox.fault("remote_event", method="PUT", event="edit", changes={"city": "Rio"})
        build(options={"features": {"partial_update": "seen"}}).push(edit)
        assert sandbox.writes()[-1]["body"] == {"first_name": "Ana", "last_name": "Silva", "tags": ["novo"]}
        assert (staff.contact(number)["city"], staff.contact(number)["tags"]) == ("Rio", ["novo"])

    def test_account_that_clears_what_is_not_named_does_not_prove_otherwise(
        self, connector: Any, sandbox: SandboxControl
    ) -> None:
        sandbox.switches(put_omitted="clear")
        with pytest.raises(Rejected, match="also changed phones, addresses, tags, custom_fields"):
            connector.prove("partial_update")
        states = {each["status"] for each in ConcordStaff(sandbox).contacts() if "Disposable" in each["name"]}
        assert states == {"trashed"}

    def test_list_of_the_living_is_never_taken_for_the_trash(self) -> None:
        page = '{"data": [{"id": 7, "first_name": "An"}], "meta": {"total": 1}}'
        with RawServer(answer(page)) as server:
            account = Account("Test", server.url, {"token": "t"})
            connector: Any = registry.build("concord", account, allow_loopback=True)
            with pytest.raises(BadResponse, match="do not say they are deleted"):
                connector.prove("trash")
            connector.close()

    def test_trash_that_lists_somebody_who_is_still_there_is_none(self) -> None:
        living = '{"id": 7, "first_name": "An", "deleted_at": "2026-11-24T10:00:00Z"}'
        with RawServer(answer(f'{{"data": [{living}]}}'), answer(living)) as server:
            account = Account("Test", server.url, {"token": "t"})
            connector: Any = registry.build("concord", account, allow_loopback=True)
            with pytest.raises(BadResponse, match="still there"):
                connector.prove("trash")
            connector.close()

    def test_report_tells_what_was_seen(self, connector: Any, sandbox: SandboxControl) -> None:
        sandbox.switches(rate_per_minute=300)
        findings = {finding.key: finding for finding in connector.probe()}
        assert all(finding.ok for finding in findings.values())
        assert findings["rate"].words.startswith("300 requests a minute; ")
        for switches, words in (
            ({"order": "ignore", "rate_per_minute": 0}, "not sorted by update"),
            ({"order": "refuse"}, "cannot be sorted"),
            ({"order": "honour", "updated_at": "absent"}, "do not tell when"),
        ):
            sandbox.switches(**switches)
            findings = {finding.key: finding for finding in connector.probe()}
            assert {key: finding.ok for key, finding in findings.items()} == {
                "sorts_by_update": False, "rate": None, "search": True,
            }  # fmt: skip
            assert words in findings["sorts_by_update"].words


# Answers no sandbox gives

CREATE = Change(Operation.CREATE, Kind.CONTACT, None, values={"name": "An"})
DELETE = Change(Operation.DELETE, Kind.CONTACT, Identity("contact", "7"))
ATTACH = Change(
    Operation.RELATE, Kind.CONTACT, Identity("contact", "7"),
    values=Relation("deals", RelationAction.ATTACH, ("1",)).to_values(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "status", "body"),
    [
        (CREATE, 202, '{"id": 7}'),
        (CREATE, 204, ""),
        (CREATE, 201, "{}"),
        (CREATE, 201, "[]"),
        (CREATE, 201, '{"data": {}}'),
        (CREATE, 201, '{"data": [{"id": 7}]}'),
        (CREATE, 201, '{"id": null}'),
        (CREATE, 200, '{"message": "queued"}'),
        (DELETE, 202, "{}"),
        (DELETE, 201, '{"id": 7}'),
        (ATTACH, 202, "{}"),
    ],
)
def test_anything_but_a_plain_yes_is_unclear(change: Change, status: int, body: str) -> None:
    with RawServer(answer(body, status)) as server:
        connector = registry.build(
            "concord", Account("Test", server.url, {"token": "t"}), allow_loopback=True
        )
        with pytest.raises(OutcomeUnknown):
            connector.push(change)
        connector.close()
    assert len(server.requests) == 1


def test_update_that_answers_with_another_contact_is_unclear() -> None:
    replies = [answer(f'{{"id": {number}, "first_name": "An"}}') for number in (7, 8)]
    with RawServer(*replies) as server:
        connector = registry.build(
            "concord", Account("Test", server.url, {"token": "t"}), allow_loopback=True
        )
        change = Change(Operation.EDIT, Kind.CONTACT, Identity("contact", "7"), values={"name": "Bình"})
        with pytest.raises(OutcomeUnknown, match="another contact"):
            connector.push(change)
        connector.close()
