"""AntCRM's connector on its sandbox: the contract and what only this vendor does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from backoffice.remote.errors import BadResponse, OutcomeUnknown, Rejected
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Account, Connector, Stream
from crm_bridge.records import Change, Identity, Kind, Operation, canonical
from tests.crm_bridge.connectors.contract import ConnectorContract, by_identity, pages, read_all
from tests.remote.rawserver import RawServer, answer
from tests.sandbox_fixture import SandboxControl


def key_of(identity: Identity) -> dict[str, Any]:
    return {"leadId" if identity.family == "lead" else "customerId": int(identity.remote_id)}


class TestAntCrmConnector(ConnectorContract):
    kind: ClassVar[str] = "antcrm"
    credentials: ClassVar[dict[str, str]] = {"api_key": SandboxControl.key}
    wrong_credentials: ClassVar[dict[str, str]] = {"api_key": "another-key"}
    family_of: ClassVar[dict[Kind, str]] = {
        Kind.LEAD: "lead",
        Kind.CONTACT: "customer",
        Kind.ACCOUNT: "customer",
    }

    def live(self, sandbox: SandboxControl) -> dict[Identity, str]:
        return {
            Identity(each["contactType"], str(each["id"])): each["name"]
            for each in sandbox.contacts(state="live")
        }

    def trash(self, sandbox: SandboxControl, identity: Identity) -> None:
        sandbox.trash(**key_of(identity))

    def merge(self, sandbox: SandboxControl, loser: Identity, survivor: Identity) -> str:
        sandbox.merge(key_of(loser), key_of(survivor))
        found = sandbox.contact(kind=self._kind(sandbox, survivor), id=int(survivor.remote_id))
        return str(found["_id"])

    def _kind(self, sandbox: SandboxControl, identity: Identity) -> str:
        return next(
            each["kind"]
            for each in sandbox.contacts()
            if (each["contactType"], str(each["id"])) == (identity.family, identity.remote_id)
        )

    def staff_email(self, sandbox: SandboxControl) -> str:
        return sandbox.staff()[0]["email"]

    # Undocumented shapes of the lists

    @pytest.mark.parametrize(
        "switches",
        [
            {"list_as": "envelope"},
            {"list_as": "object-if-one"},
            {"timestamps": "text_ms"},
            {"timestamps": "iso"},
            {"timestamps": "iso_naive"},
            {"numbers": "text"},
            {"birth_date": "iso"},
            {"list_custom_fields": "name_value"},
            {"sort": "updated_desc"},
            {"sort": "created"},
        ],
        ids=str,
    )
    def test_records_are_the_same_in_every_shape(
        self, connector: Connector, sandbox: SandboxControl, switches: dict[str, str]
    ) -> None:
        usual = by_identity(read_all(connector, Stream.CONTACTS))
        one = next(iter(usual))
        sandbox.switches(**switches)
        assert by_identity(read_all(connector, Stream.CONTACTS)) == usual
        assert connector.get(one) == usual[one]

    def test_envelope_tells_the_total(self, connector: Connector, sandbox: SandboxControl) -> None:
        sandbox.switches(list_as="envelope")
        walks = connector.walks(Stream.CONTACTS)
        totals = [walk.split(walk.fetch(1)).total for walk in walks]
        assert sum(total or 0 for total in totals) == len(self.live(sandbox))

    def test_storage_id_is_kept_where_shown(self, connector: Connector, sandbox: SandboxControl) -> None:
        sandbox.switches(list_id="yes")
        assert all(len(record.uid) == 24 for record in read_all(connector, Stream.CONTACTS))

    def test_staff_shown_by_id_is_named_where_known(
        self, build: Callable[..., Connector], sandbox: SandboxControl
    ) -> None:
        connector = build()
        by_email = {r.identity: r.responsible for r in read_all(connector, Stream.CONTACTS)}
        sandbox.switches(list_staff="id")
        shown = [r.responsible for r in read_all(connector, Stream.CONTACTS) if r.responsible]
        assert all(len(each) == 24 for each in shown)
        connector._names = type(connector._names)(  # type: ignore[attr-defined]
            {each["_id"]: each["email"] for each in sandbox.staff()}, {}
        )
        assert {r.identity: r.responsible for r in read_all(connector, Stream.CONTACTS)} == by_email

    def test_fields_shown_by_number_only_are_not_written_under_it(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.switches(list_custom_fields="id_value")
        record = next(r for r in read_all(connector, Stream.CONTACTS) if r.custom_fields)
        values = {"custom_fields": canonical(record)["custom_fields"]}
        with pytest.raises(Rejected, match="by name"):
            connector.push(Change(Operation.EDIT, record.kind, record.identity, values=values))
        assert sandbox.writes() == []

    def test_converted_lead_is_an_alias_only_where_it_is_certain(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        lead = next(identity for identity in self.live(sandbox) if identity.family == "lead")
        customer = Identity("customer", str(sandbox.convert(int(lead.remote_id))["customerId"]))
        record = connector.get(customer)
        assert record is not None
        assert record.aliases == (lead,)
        assert connector.get(lead) is None
        sandbox.switches(source_lead="source")
        record = connector.get(customer)
        assert record is not None
        assert record.aliases == ()

    # Look-ups

    def test_ignored_filter_is_noticed(self, connector: Connector, sandbox: SandboxControl) -> None:
        """A list of everybody is no proof about anybody."""
        sandbox.fault("ignore_filter")
        with pytest.raises(BadResponse, match="other contacts"):
            connector.get(Identity("lead", "987654"))
        with pytest.raises(BadResponse, match="other contacts"):
            connector.find(phone="0999999999")
        with pytest.raises(BadResponse, match="other contacts"):
            connector.find(email="nobody@example.com")

    def test_phone_is_found_however_it_is_written(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.switches(phone_match="digits")
        made = sandbox.create(name="An", phones=[{"type": "Work", "value": "+84 934 890 883"}])
        found = connector.find(phone="0934890883")
        assert Identity("lead", str(made["leadId"])) in [each.identity for each in found]

    # Writes

    @pytest.mark.parametrize("policy", ["error", "success0"])
    def test_edit_of_nobody_is_refused_with_the_vendors_words(
        self, connector: Connector, sandbox: SandboxControl, policy: str
    ) -> None:
        sandbox.switches(put_unknown=policy)
        for operation in (Operation.EDIT, Operation.DELETE):
            change = Change(operation, Kind.LEAD, Identity("lead", "987654"), values={"name": "An"})
            with pytest.raises(Rejected) as told:
                connector.push(change)
            assert type(told.value) is Rejected
            assert told.value.words == "customer not found"

    @pytest.mark.parametrize("mode", ["short", "long", "shuffled", "reject_all_after_some"])
    def test_odd_bulk_answer_leaves_every_item_unknown(
        self, connector: Connector, sandbox: SandboxControl, mode: str
    ) -> None:
        sandbox.switches(bulk=mode)
        changes = [self.created(connector, sandbox, str(10 + number)) for number in range(9)]
        with pytest.raises(OutcomeUnknown):
            connector.push_bulk(changes)

    def test_bulk_of_two_families_or_with_a_group_is_refused_here(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        lead, contact = (
            Change(Operation.CREATE, kind, None, code=kind, values={"name": "An"})
            for kind in (Kind.LEAD, Kind.CONTACT)
        )
        with pytest.raises(ValueError, match="one family"):
            connector.push_bulk([lead, contact])
        grouped = Change(
            Operation.CREATE, Kind.LEAD, None, code="g", values={"name": "An", "group": "Miền Nam"}
        )
        with pytest.raises(Rejected, match="group"):
            connector.push_bulk([grouped])
        assert sandbox.stats()["requests"] == 0
        connector.push(grouped)
        assert sandbox.writes()[0]["body"]["group"] == "Miền Nam"

    def test_custom_field_taken_away_is_gone_even_where_lists_are_merged(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.switches(put_arrays="merge")
        change = self.created(connector, sandbox)
        identity = connector.push(change).identity
        edit = Change(
            Operation.EDIT,
            Kind.LEAD,
            identity,
            values={"custom_fields": {}},
            before={"custom_fields": change.values["custom_fields"]},
        )
        connector.push(edit)
        assert identity is not None
        record = connector.get(identity)
        assert record is not None
        assert record.custom_fields == {}

    def test_wire_form_of_an_edit(self, connector: Connector, sandbox: SandboxControl) -> None:
        """One selector, the vendor's spelling, and nothing that was not asked for."""
        identity = connector.push(self.created(connector, sandbox)).identity
        values = {
            "birth_date": "2000-03-05",
            "social_accounts": [{"protocol": "Zalo", "value": "z"}],
            "gender": "male",
        }
        connector.push(Change(Operation.EDIT, Kind.LEAD, identity, code="code-11", values=values))
        assert identity is not None
        assert sandbox.writes()[1]["body"] == {
            "leadId": int(identity.remote_id),
            "dateOfBirth": "March 5, 2000",
            "im": [{"protocol": "Zalo", "value": "z"}],
            "gender": 0,
        }

    def test_pages_hold_at_most_what_the_page_says(self, connector: Connector) -> None:
        for stream in connector.capabilities.streams:
            for walk in connector.walks(stream):
                assert max(len(page) for page in pages(walk)) <= 20


# Answers no sandbox gives

CREATE = Change(Operation.CREATE, Kind.LEAD, None, code="c-1", values={"name": "An"})
EDIT = Change(Operation.EDIT, Kind.LEAD, Identity("lead", "7"), values={"name": "An"})
DELETE = Change(Operation.DELETE, Kind.LEAD, Identity("lead", "7"))


@pytest.mark.parametrize(
    ("change", "status", "body"),
    [
        (CREATE, 201, '{"success": 1, "leadId": 7}'),
        (CREATE, 202, '{"success": 1, "leadId": 7}'),
        (CREATE, 200, '{"success": 1}'),
        (CREATE, 200, '{"success": 1, "leadId": null}'),
        (CREATE, 200, '{"success": 1, "leadId": [7, 8]}'),
        (CREATE, 200, '{"success": 1, "customerId": 7}'),
        (CREATE, 200, "[]"),
        (EDIT, 200, '{"success": 1, "leadId": 8}'),
        (EDIT, 200, '{"success": 1, "leadId": [7, 8]}'),
        (EDIT, 204, ""),
        (DELETE, 200, '"deleted"'),
        (DELETE, 200, "null"),
    ],
)
def test_anything_but_a_plain_yes_is_unclear(change: Change, status: int, body: str) -> None:
    with RawServer(answer(body, status)) as server:
        connector = registry.build(
            "antcrm", Account("Test", server.url, {"api_key": "key"}), allow_loopback=True
        )
        with pytest.raises(OutcomeUnknown):
            connector.push(change)
        connector.close()
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", ['{"success": 1}', '{"success": true, "leadId": "7"}'])
def test_edit_and_delete_need_no_id_in_the_answer(body: str) -> None:
    with RawServer(answer(body)) as server:
        connector = registry.build(
            "antcrm", Account("Test", server.url, {"api_key": "key"}), allow_loopback=True
        )
        assert [connector.push(change).identity for change in (EDIT, DELETE)] == [EDIT.identity] * 2
        connector.close()
