"""Creates while answers get lost, under every undocumented policy: exact, or shown to a person."""

import uuid
from collections import Counter

import pytest

from crm_bridge.models import Contact, ContactChange
from crm_bridge.services import contacts, push
from tests import factories
from tests.flows.mirrored import connected, mirrored

pytestmark = pytest.mark.django_db
PUT_UNKNOWN = {"error": "fails", "success0": "fails", "noop": "passes", "upsert": "passes"}
"""The switch of the sandbox → what a capability probe would have measured."""


@pytest.fixture
def connection(sandbox, settings, monkeypatch):
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    connection = connected(sandbox)
    mirrored(sandbox, connection, phones=[{"type": "Work", "value": "0999888777"}])
    return connection


@pytest.fixture
def staff(db):
    return factories.user()


def values(number: int, marker: str) -> dict:
    return {"name": f"{marker} {number}", "phones": [{"value": f"09{number:08}", "type": "Work"}]}


def lost_answers(sandbox, seed: int) -> None:
    sandbox.faults(
        [
            {"kind": "cut_after", "method": "POST", "probability": 0.4},
            {"kind": "cut_before", "method": "POST", "probability": 0.2},
            {"kind": "status_after", "method": "POST", "code": 422, "probability": 0.1},
            {"kind": "cut_after", "method": "PUT", "probability": 0.3},
        ],
        seed=seed,
    )


def push_until_still(connection) -> None:
    for _round in range(12):
        if not push.push_due(connection).total:
            return


def check_exact(sandbox, connection, marker: str, count: int) -> None:
    there = Counter(each["name"] for each in sandbox.contacts(state="live") if marker in each["name"])
    assert set(there.values()) <= {1}, f"duplicates: {[name for name, times in there.items() if times > 1]}"
    review = Contact.objects.filter(changes__status__in=("held", "rejected"), connection=connection).count()
    linked = Contact.objects.filter(name__startswith=marker, remote_id__isnull=False).count()
    assert linked + review == count
    assert len(there) >= linked
    assert not ContactChange.objects.filter(status__in=("waiting", "sending", "unknown")).exists()


def run(sandbox, connection, staff, duplicate_code, put_unknown, count, seed):
    sandbox.switches(duplicate_code=duplicate_code, put_unknown=put_unknown)
    connection.measured = {"put_unknown_code": PUT_UNKNOWN[put_unknown]}
    connection.save()
    marker = uuid.uuid4().hex
    for number in range(count):
        contacts.create(connection=connection, kind="lead", values=values(number, marker), by=staff)
    lost_answers(sandbox, seed)
    push_until_still(connection)
    sandbox.clear()
    push_until_still(connection)
    check_exact(sandbox, connection, marker, count)
    assert Contact.objects.filter(remote_id=None).count() <= count // 5, "too much is left to people"


@pytest.mark.parametrize("put_unknown", PUT_UNKNOWN)
@pytest.mark.parametrize("duplicate_code", ["duplicate", "reject", "upsert"])
def test_lost_answers_make_no_duplicates(sandbox, connection, staff, duplicate_code, put_unknown):
    run(sandbox, connection, staff, duplicate_code, put_unknown, count=12, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("put_unknown", PUT_UNKNOWN)
@pytest.mark.parametrize("duplicate_code", ["duplicate", "reject", "upsert"])
def test_many_lost_answers_make_no_duplicates(sandbox, connection, staff, duplicate_code, put_unknown, seed):
    run(sandbox, connection, staff, duplicate_code, put_unknown, count=400, seed=seed)


@pytest.mark.parametrize("bulk", ["none", "short", "long", "shuffled", "reject_all_after_some"])
def test_a_bulk_answer_that_does_not_fit_makes_no_duplicates(sandbox, connection, staff, bulk):
    sandbox.switches(bulk=bulk)
    marker = uuid.uuid4().hex
    rows = [("lead", values(number, marker)) for number in range(25)]
    contacts.create_many(connection=connection, rows=rows, by=staff)
    push_until_still(connection)
    check_exact(sandbox, connection, marker, 25)
    assert Contact.objects.filter(remote_id=None).count() == 0
    for contact in Contact.objects.filter(name__startswith=marker):
        assert str(sandbox.contact(code=contact.code)["leadId"]) == contact.remote_id


@pytest.mark.parametrize("fault", ["cut_after", "cut_before", "truncate", "html"])
def test_a_bulk_with_a_lost_answer_makes_no_duplicates(sandbox, connection, staff, fault):
    sandbox.fault(fault, method="POST", path="/contacts/package", times=1)
    marker = uuid.uuid4().hex
    rows = [("contact", values(number, marker)) for number in range(25)]
    contacts.create_many(connection=connection, rows=rows, by=staff)
    push_until_still(connection)
    check_exact(sandbox, connection, marker, 25)
    assert Contact.objects.filter(remote_id=None).count() == 0


def test_a_search_that_lags_is_not_believed_at_once(sandbox, connection, staff, settings):
    """The write is applied, the look-up does not show it yet: no second create."""
    values_ = {"name": "Một Người", "phones": [{"value": "0911222333", "type": "Work"}]}
    contact = contacts.create(connection=connection, kind="lead", values=values_, by=staff)
    sandbox.faults(
        [
            {"kind": "cut_after", "method": "POST", "times": 1},
            {"kind": "lag", "method": "GET", "seconds": 3600.0},
        ]
    )
    push.push_due(connection, limit=2)
    assert contact.changes.get().status == "unknown"
    sandbox.clear()
    push_until_still(connection)
    assert contact.changes.get().status == "done"
    assert len([each for each in sandbox.contacts(state="live") if each["name"] == "Một Người"]) == 1
