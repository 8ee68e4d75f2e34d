"""What every CRM has beyond its contacts, through the product's own services, over real HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from backoffice.management.commands.demo import DEMO_ACCOUNTS, DemoAccount
from crm_bridge.connectors import registry
from crm_bridge.connectors.udesk.definitions import forget_definitions
from crm_bridge.models import AccountCheck, Connection, Contact, ContactChange, CustomField, Merge
from crm_bridge.records import Relation, RelationAction
from crm_bridge.services import contacts, custom_fields, panels, probing, pull, push
from crm_bridge.services.same_person import shared_with
from tests import factories
from tests.sandbox_fixture import SandboxControl

pytestmark = pytest.mark.django_db(transaction=True)
ACCOUNTS = {each.kind: each for each in DEMO_ACCOUNTS if each.kind in dict(registry.kinds())}
LISTS = {"antcrm": "contacts", "concord": "contacts", "udesk": "customers", "amocrm": "contacts"}
"""What the sandbox's control calls the records of each vendor."""


@pytest.fixture(autouse=True)
def afresh(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    cache.clear()
    forget_definitions()
    yield
    cache.clear()


def connect(sandbox: SandboxControl, account: DemoAccount) -> Connection:
    return factories.connection(
        vendor=account.kind,
        name=account.kind,
        base_url=sandbox.url + account.path,
        credentials=dict(account.credentials),
        parallel_requests=4,
    )


def mirrored(sandbox: SandboxControl, kind: str) -> Connection:
    sandbox.of(kind).reset(seed=1, contacts=60)
    connection = connect(sandbox, ACCOUNTS[kind])
    runs = pull.pull_connection(connection)
    assert [run.error for run in runs] == [""] * len(runs)
    return connection


@pytest.fixture(params=sorted(ACCOUNTS))
def crm(request: pytest.FixtureRequest, sandbox: SandboxControl) -> Connection:
    """Each CRM in turn, mirrored."""
    return mirrored(sandbox, request.param)


def check(connection: Connection, kind: str, feature: str = "") -> AccountCheck:
    asked = probing.start(connection, kind, by=factories.user(), feature=feature)
    done = probing.run(asked.pk)
    assert done is not None
    done.refresh_from_db()
    return done


def sent(sandbox: SandboxControl, connection: Connection) -> list[Any]:
    return sandbox.writes(vendor=connection.vendor)


def test_looking_at_an_account_ends_and_changes_nothing(sandbox: SandboxControl, crm: Connection) -> None:
    before = len(sent(sandbox, crm))
    done = check(crm, "read")
    assert (done.status, done.error) == ("done", "")
    assert done.findings
    assert len(sent(sandbox, crm)) == before


def test_trying_writes_leaves_nothing_behind_where_it_can_delete(
    sandbox: SandboxControl, crm: Connection
) -> None:
    done = check(crm, "write")
    assert (done.status, done.error) == ("done", "")
    assert {each["key"]: each["ok"] for each in done.findings}["create"] is True
    live = sandbox.control("GET", f"{crm.vendor}/{LISTS[crm.vendor]}", state="live")
    left = [each for each in live if "Back-office check" in str(each)]
    assert bool(left) is not crm.capabilities.can_delete


def test_each_feature_ends_proven_or_refused_in_words(sandbox: SandboxControl, crm: Connection) -> None:
    for feature in registry.connector_class(crm.vendor).capabilities.features:
        done = check(crm, "feature", feature.key)
        crm.refresh_from_db()
        proven = feature.key in (crm.measured.get("features") or {})
        assert proven or done.error or any(each["words"] for each in done.findings), feature.key


def test_every_panel_of_a_contact_can_be_read(crm: Connection) -> None:
    contact = Contact.objects.live().filter(connection=crm).order_by("pk").first()
    assert contact is not None
    for spec in crm.capabilities.panels:
        reading = panels.read(contact, spec)
        assert reading.problem == "", (spec.key, reading.problem)


def test_a_company_attached_here_is_attached_there(sandbox: SandboxControl) -> None:
    crm = mirrored(sandbox, "concord")
    contact = Contact.objects.live().filter(connection=crm).order_by("pk")[0]
    spec = next(spec for spec in crm.capabilities.panels if spec.key == "companies")
    for action, held in ((RelationAction.REPLACE, {"3"}), (RelationAction.ATTACH, {"3", "5"})):
        refs = ("3",) if action is RelationAction.REPLACE else ("5",)
        change = contacts.relate(
            contact=contact, relation=Relation("companies", action, refs), by=factories.user()
        )
        push.push_due(crm)
        change.refresh_from_db()
        assert (change.status, change.words) == (ContactChange.Status.DONE, "")
        reading = panels.read(contact, spec, fresh=True)
        assert reading.panel is not None
        assert {entry.ref for entry in reading.panel.entries} == held


def test_two_customers_merged_here_are_one_there_and_in_the_ledger(sandbox: SandboxControl) -> None:
    crm = mirrored(sandbox, "udesk")
    rows = Contact.objects.live().filter(connection=crm).exclude(emails=None).exclude(phones=None)
    loser, survivor = rows.distinct().order_by("pk")[:2]
    change = contacts.merge(loser=loser, survivor=survivor, by=factories.user())
    push.push_due(crm)
    change.refresh_from_db()
    assert change.status == ContactChange.Status.DONE, change.words
    there = sandbox.control("GET", "udesk/customers", state="live", brief=1)
    ids = {str(each["id"]) for each in there}
    assert loser.remote_id not in ids
    assert survivor.remote_id in ids
    merge = Merge.objects.get(loser=loser)
    assert merge.survivor == survivor
    assert merge.proof == Merge.Proof.PROVEN
    assert merge.snapshot["name"] == loser.name
    loser.refresh_from_db()
    assert loser.state == Contact.State.MERGED
    runs = pull.pull_connection(crm, full=True)
    assert [run.error for run in runs] == [""]
    loser.refresh_from_db()
    assert (loser.state, loser.survivor) == (Contact.State.MERGED, survivor)


def test_a_typed_custom_field_edited_here_is_stored_there(sandbox: SandboxControl) -> None:
    crm = mirrored(sandbox, "udesk")
    custom_fields.refresh(crm)
    field = CustomField.objects.filter(connection=crm, type="select", gone_at=None).first()
    assert field is not None
    choice, _label = field.choices[-1]
    contact = Contact.objects.live().filter(connection=crm).order_by("pk")[1]
    wanted = {**contact.custom_fields, field.key: choice}
    change = contacts.edit(contact=contact, changes={"custom_fields": wanted}, by=factories.user())
    assert change is not None
    push.push_due(crm)
    change.refresh_from_db()
    assert change.status == ContactChange.Status.DONE, change.words
    (there,) = sandbox.control("GET", "udesk/customers", id=contact.remote_id)
    assert there["custom_fields"][field.key] == [choice]


def test_the_same_person_is_found_in_another_crm_with_the_reason(sandbox: SandboxControl) -> None:
    mirrored(sandbox, "antcrm")
    crm = mirrored(sandbox, "udesk")
    found = [
        match
        for contact in Contact.objects.live().filter(connection=crm).order_by("pk")[:20]
        for match in shared_with(contact).matches
        if match.contact.connection.vendor == "antcrm"
    ]
    assert found
    assert all(match.reasons for match in found)
