"""Changed credentials that open another organisation's account: nothing is read, nothing is sent."""

import pytest

from backoffice.remote.errors import ConnectionBroken
from crm_bridge.models import Connection, ConnectionHealth, Contact, ContactChange, Run
from crm_bridge.services import contacts, pull, push
from crm_bridge.services.connecting import connect_to
from tests import factories
from tests.flows.mirrored import connected
from tests.sandbox_fixture import SandboxControl

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def crm(sandbox: SandboxControl) -> Connection:
    """Mirrored once, so that its account is known."""
    sandbox.reset(seed=1, contacts=40)
    connection = connected(sandbox)
    assert {run.status for run in pull.pull_connection(connection)} == {Run.Status.OK}
    return connection


def move(connection: Connection, sandbox: SandboxControl) -> Connection:
    """The same connection with other credentials, as its form or the command stores them."""
    credentials = {"api_key": sandbox.key, "changed": "yes"}
    Connection.objects.filter(pk=connection.pk).update(credentials=credentials)
    return Connection.objects.get(pk=connection.pk)


def test_another_organisations_key_reads_nothing(sandbox: SandboxControl, crm: Connection) -> None:
    before = list(Contact.objects.order_by("pk").values_list("pk", "name", "state"))
    sandbox.reset(seed=2, contacts=25)
    runs = pull.pull_connection(move(crm, sandbox), full=True)
    assert {run.status for run in runs} == {Run.Status.FAILED}
    assert "another account" in runs[0].error
    assert list(Contact.objects.order_by("pk").values_list("pk", "name", "state")) == before
    assert ConnectionHealth.objects.get(connection=crm).needs_attention


def test_another_organisations_key_gets_no_edit(sandbox: SandboxControl, crm: Connection) -> None:
    contact = Contact.objects.live().filter(connection=crm).first()
    assert contact is not None
    sandbox.reset(seed=2, contacts=25)
    move(crm, sandbox)
    contact.refresh_from_db()
    change = contacts.edit(contact=contact, changes={"note": "ours"}, by=factories.user())
    assert change is not None
    push.push_due(crm)
    change.refresh_from_db()
    assert change.status == ContactChange.Status.WAITING
    assert change.attempts == 0
    assert sandbox.writes() == []


def test_a_new_key_of_the_same_account_goes_on(sandbox: SandboxControl, crm: Connection) -> None:
    runs = pull.pull_connection(move(crm, sandbox), full=True)
    assert {run.status for run in runs} == {Run.Status.OK}


def test_most_of_the_known_contacts_may_be_gone(sandbox: SandboxControl, crm: Connection) -> None:
    live = list(Contact.objects.live().filter(connection=crm).order_by("pk"))
    for contact in live[1:]:
        key = "leadId" if contact.family == "lead" else "customerId"
        sandbox.trash(**{key: int(contact.remote_id or 0)})
    connect_to(move(crm, sandbox)).close()


def test_the_proof_is_asked_for_once(sandbox: SandboxControl, crm: Connection) -> None:
    moved = move(crm, sandbox)
    connect_to(moved).close()
    sandbox.reset_stats()
    connect_to(Connection.objects.get(pk=crm.pk)).close()
    assert sandbox.stats()["requests"] == 0


def test_an_empty_mirror_takes_any_account(sandbox: SandboxControl, crm: Connection) -> None:
    Contact.objects.all().delete()
    sandbox.reset(seed=2, contacts=25)
    connect_to(move(crm, sandbox)).close()


def test_the_refusal_says_what_to_do(sandbox: SandboxControl, crm: Connection) -> None:
    sandbox.reset(seed=2, contacts=25)
    with pytest.raises(ConnectionBroken, match="connection of its own"):
        connect_to(move(crm, sandbox))
