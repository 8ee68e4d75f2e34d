"""Workers that die or stand still at every boundary of an outbox row: real processes, real HTTP.

A child process pushes with a failpoint patched in by this file and is killed with
SIGKILL there; what it left behind is then found by the sweep, as in production.
"""

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from backoffice.sync.push import Outbox
from crm_bridge.connectors.antcrm.connector import AntCrmConnector
from crm_bridge.models import Contact, ContactChange
from crm_bridge.services import contacts, push, settling
from tests import factories
from tests.flows.mirrored import connected, mirrored, remote

pytestmark = pytest.mark.django_db(transaction=True)
KILLED, DONE = -signal.SIGKILL, ContactChange.Status.DONE


@pytest.fixture
def connection(sandbox, settings, monkeypatch):
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    connection = connected(sandbox)
    mirrored(sandbox, connection, phones=[{"type": "Work", "value": "0999888777"}])  # for control look-ups
    return connection


@pytest.fixture
def staff(db):
    return factories.user()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stand_still() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def before(owner: type, name: str, what: Callable[[], None]) -> None:
    real = getattr(owner, name)

    def patched(*args, **kwargs):
        what()
        return real(*args, **kwargs)

    setattr(owner, name, patched)


def after(owner: type, name: str, what: Callable[[], None]) -> None:
    real = getattr(owner, name)

    def patched(*args, **kwargs):
        result = real(*args, **kwargs)
        what()
        return result

    setattr(owner, name, patched)


class Settling:
    """Stands in for the contact's write inside the settling transaction."""

    def __init__(self, what: Callable[[], None]) -> None:
        self.real, self.what = settling.write_values, what

    def __call__(self, *args, **kwargs):
        self.real(*args, **kwargs)
        self.what()


BOUNDARIES: dict[str, Callable[[Callable[[], None]], None]] = {
    "before the claim": lambda what: before(Outbox, "claim", what),
    "claimed": lambda what: after(Outbox, "claim", what),
    "read": lambda what: after(AntCrmConnector, "get", what),
    "before the mark": lambda what: before(Outbox, "mark_sent", what),
    "marked": lambda what: after(Outbox, "mark_sent", what),
    "sent": lambda what: after(AntCrmConnector, "push", what),
    "in the settling transaction": lambda what: setattr(settling, "write_values", Settling(what)),
    "before settling": lambda what: before(Outbox, "settle", what),
    "settled": lambda what: after(Outbox, "settle", what),
}


def child(work: Callable[[], object]) -> int:
    """Run work in a process of its own with its own database connection; returns its pid."""
    connections.close_all()
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def leases_end() -> None:
    ContactChange.objects.exclude(lease_until=None).update(lease_until=timezone.now() - timedelta(seconds=1))


def recover(connection) -> None:
    """What sweeps and workers do from now on."""
    for _round in range(6):
        leases_end()
        push.sweep()
        ContactChange.objects.filter(status__in=("waiting", "unknown")).update(not_before=timezone.now())
        push.push_due(connection)


def save(operation: str, sandbox, connection, staff) -> Contact:
    if operation == "create":
        values = {"name": "Một Người", "phones": [{"value": "0911222333", "type": "Work"}]}
        return contacts.create(connection=connection, kind="lead", values=values, by=staff)
    contact = mirrored(sandbox, connection, name="Một Người", stage="new")
    if operation == "edit":
        contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    else:
        contacts.delete(contact=contact, by=staff)
    return contact


def check_effect(operation: str, sandbox, contact: Contact) -> None:
    """Exactly one effect there, and the same seen here."""
    contact.refresh_from_db()
    there = [each for each in sandbox.contacts(state="live") if each["name"] == "Một Người"]
    if operation == "delete":
        assert (there, contact.state) == ([], Contact.State.TRASHED)
        return
    assert len(there) == 1
    assert str(there[0]["leadId"]) == contact.remote_id
    if operation == "edit":
        assert (there[0]["stage"], contact.stage, contact.base) == ("won", "won", None)


@pytest.mark.parametrize("operation", ["edit", "create", "delete"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_worker_killed_at_any_boundary_loses_and_doubles_nothing(
    sandbox, connection, staff, boundary, operation
):
    contact = save(operation, sandbox, connection, staff)
    (pk,) = contact.changes.values_list("pk", flat=True)

    def work() -> None:
        BOUNDARIES[boundary](die)
        push.push_one(pk)

    status = ended(child(work))
    reads_nothing = boundary == "read" and operation == "create"
    assert status == KILLED or reads_nothing, status
    recover(connection)
    change = ContactChange.objects.get(pk=pk)
    assert change.status == DONE, (change.status, change.words)
    check_effect(operation, sandbox, contact)


@pytest.mark.soak
@pytest.mark.parametrize("round_", range(8))
@pytest.mark.parametrize("operation", ["edit", "create", "delete"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_two_hundred_kills(sandbox, connection, staff, boundary, operation, round_):
    test_a_worker_killed_at_any_boundary_loses_and_doubles_nothing(
        sandbox, connection, staff, boundary, operation
    )


def test_a_row_that_kills_every_worker_is_held_after_three(sandbox, connection, staff):
    contact = save("edit", sandbox, connection, staff)
    (pk,) = contact.changes.values_list("pk", flat=True)

    def work() -> None:
        BOUNDARIES["claimed"](die)
        push.push_one(pk)

    for _attempt in range(3):
        assert ended(child(work)) == KILLED
        leases_end()
        push.sweep()
    change = ContactChange.objects.get(pk=pk)
    assert (change.status, sandbox.writes()) == (ContactChange.Status.HELD, [])
    push.retry(change=change, by=staff)
    assert push.push_due(connection).done == 1


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A child that has stopped itself; woken and waited for at the end."""
    _pid, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), status
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        ended(pid)


@pytest.mark.parametrize(
    ("boundary", "operation"),
    [
        (boundary, operation)
        for boundary in ("claimed", "read", "before the mark", "sent")
        for operation in ("edit", "create", "delete")
        if (boundary, operation) != ("read", "create")  # a create reads nothing first
    ],
)
def test_a_zombie_is_refused(sandbox, connection, staff, boundary, operation):
    """A worker stops past its lease; another finishes the row; the first wakes up."""
    contact = save(operation, sandbox, connection, staff)
    (pk,) = contact.changes.values_list("pk", flat=True)

    def work() -> None:
        BOUNDARIES[boundary](stand_still)
        push.push_one(pk)

    with stopped(child(work)):
        recover(connection)
        finished = ContactChange.objects.get(pk=pk)
        assert finished.status == DONE
        writes = len(sandbox.writes())
    after_wake = ContactChange.objects.get(pk=pk)
    assert (after_wake.status, after_wake.finished_at) == (DONE, finished.finished_at)
    assert len(sandbox.writes()) == writes, "the zombie sent after it had lost the row"
    check_effect(operation, sandbox, contact)


def test_workers_side_by_side_send_every_row_once(sandbox, connection, staff):
    made = [mirrored(sandbox, connection, stage="new") for _ in range(10)]
    for contact in made:
        contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    pks = list(ContactChange.objects.values_list("pk", flat=True))
    start = time.time() + 0.5

    def work() -> None:
        time.sleep(max(0.0, start - time.time()))
        for pk in pks:
            push.push_one(pk)

    assert [ended(pid) for pid in [child(work) for _ in range(4)]] == [0, 0, 0, 0]
    assert len(sandbox.writes()) == 10
    assert set(ContactChange.objects.values_list("status", "attempts")) == {(DONE, 1)}
    assert {remote(sandbox, contact)["stage"] for contact in made} == {"won"}


def test_the_same_form_sent_by_many_processes_is_one_contact(sandbox, connection, staff):
    def work() -> None:
        contacts.create(
            connection=connection, kind="lead", values={"name": "Một Người"}, by=staff, nonce="form-1"
        )

    assert {ended(pid) for pid in [child(work) for _ in range(12)]} == {0}
    assert Contact.objects.filter(name="Một Người").count() == 1
    assert ContactChange.objects.count() == 1
