"""The outbox engine: claims, leases, fencing, the outcome table, fairness."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Gone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteConflict,
    RetryLater,
)
from backoffice.sync import push
from backoffice.sync.models import AbstractOutboxEntry
from backoffice.sync.push import LostLease, after_failure, fairly
from crm_bridge.models import ConnectionHealth, ContactChange
from crm_bridge.services.outbox import OUTBOX
from tests import factories

Status = AbstractOutboxEntry.Status
AGO = timedelta(seconds=1)


@pytest.fixture
def connection(db):
    return factories.connection()


@pytest.fixture
def row(connection):
    def make(contact=None, **fields) -> ContactChange:
        contact = contact or factories.contact(connection)
        values = {"operation": "edit", "new": {"name": "B"}, "base": {"name": "A"}, **fields}
        return ContactChange.objects.create(connection=contact.connection, contact=contact, **values)

    return make


def expire(entry: ContactChange) -> None:
    ContactChange.objects.filter(pk=entry.pk).update(lease_until=timezone.now() - AGO)


def test_a_claim_counts_the_attempt_before_the_work_and_happens_once(row):
    entry = OUTBOX.claim(row().pk)
    assert (entry.status, entry.attempts, entry.sent_at) == (Status.SENDING, 1, None)
    assert entry.lease_until > timezone.now()
    assert OUTBOX.claim(entry.pk) is None


def test_an_unclear_row_is_looked_up_by_one_worker_at_a_time(row):
    entry = OUTBOX.claim(row(status=Status.UNKNOWN, sent_at=timezone.now()).pk)
    assert (entry.status, entry.attempts) == (Status.UNKNOWN, 1)
    assert OUTBOX.claim(entry.pk) is None
    OUTBOX.settle(entry, Status.UNKNOWN)
    assert OUTBOX.claim(entry.pk) is not None


def test_what_is_not_due_is_not_claimed(row):
    assert OUTBOX.claim(row(not_before=timezone.now() + timedelta(minutes=1)).pk) is None
    for status in (Status.DONE, Status.CONFLICT, Status.REJECTED, Status.HELD, Status.CANCELLED):
        assert OUTBOX.claim(row(status=status).pk) is None


@pytest.mark.parametrize(
    "trouble", [{"needs_attention": True}, {"open_until": timezone.now() + timedelta(hours=1)}]
)
def test_a_paused_connection_gives_nothing_out(row, connection, trouble):
    entry = row()
    ConnectionHealth.objects.create(connection=connection, **trouble)
    assert OUTBOX.claim(entry.pk) is None
    ConnectionHealth.objects.update(needs_attention=False, open_until=timezone.now() - AGO)
    assert OUTBOX.claim(entry.pk) is not None


@pytest.mark.parametrize("ahead", [Status.SENDING, Status.UNKNOWN, Status.HELD])
def test_one_contact_goes_in_order(row, ahead):
    first = row(status=ahead, lease_token=uuid.uuid4(), lease_until=timezone.now() + timedelta(hours=1))
    behind = row(first.contact)
    assert OUTBOX.claim(behind.pk) is None
    ContactChange.objects.filter(pk=first.pk).update(status=Status.DONE)
    assert OUTBOX.claim(behind.pk) is not None


def test_nothing_overtakes_a_refused_create(row):
    first = row(status=Status.REJECTED, operation="create")
    assert OUTBOX.claim(row(first.contact).pk) is None
    other = row(status=Status.REJECTED)
    assert OUTBOX.claim(row(other.contact).pk) is not None


def test_a_dead_worker_before_the_first_byte_leaves_a_waiting_row(row):
    entry = OUTBOX.claim(row().pk)
    assert OUTBOX.release_expired() == {}
    expire(entry)
    assert OUTBOX.release_expired() == {"waiting": 1}
    assert OUTBOX.claim(entry.pk).attempts == 2


def test_a_dead_worker_after_the_first_byte_leaves_an_unknown_row(row):
    entry = OUTBOX.claim(row().pk)
    OUTBOX.mark_sent(entry)
    expire(entry)
    assert OUTBOX.release_expired() == {"unknown": 1}
    fresh = ContactChange.objects.get(pk=entry.pk)
    assert fresh.not_before >= fresh.sent_at + timedelta(seconds=push.settle_seconds())


def test_a_row_that_kills_its_worker_three_times_is_held(row):
    entry = row()
    for round_ in (1, 2, 3):
        claimed = OUTBOX.claim(entry.pk)
        expire(claimed)
        OUTBOX.release_expired()
        entry.refresh_from_db()
        assert entry.status == (Status.HELD if round_ == 3 else Status.WAITING)
    assert "3 times" in entry.words


def test_a_dead_worker_keeps_the_place_ahead_of_a_later_edit(row):
    first = OUTBOX.claim(row().pk)
    behind = row(first.contact)
    expire(first)
    assert OUTBOX.release_expired()
    first.refresh_from_db()
    assert (first.status, first.sent_at) == (Status.UNKNOWN, None)
    assert OUTBOX.claim(behind.pk) is None
    assert OUTBOX.claim(first.pk) is not None


def test_going_back_to_waiting_keeps_the_place_ahead_of_a_later_edit(row):
    first = OUTBOX.claim(row().pk)
    behind = row(first.contact)
    OUTBOX.settle(first, Status.WAITING)
    assert OUTBOX.claim(behind.pk) is None
    assert OUTBOX.claim(first.pk) is not None


@pytest.mark.parametrize("write", ["mark_sent", "settle"])
def test_a_zombie_writes_nothing(row, write):
    zombie = OUTBOX.claim(row().pk)
    expire(zombie)
    OUTBOX.release_expired()
    owner = OUTBOX.claim(zombie.pk)
    with pytest.raises(LostLease):
        OUTBOX.mark_sent(zombie) if write == "mark_sent" else OUTBOX.settle(zombie, Status.DONE)
    fresh = ContactChange.objects.get(pk=owner.pk)
    assert (fresh.status, fresh.lease_token, fresh.sent_at) == (Status.SENDING, owner.lease_token, None)


def test_an_expired_lease_alone_refuses_the_result(row):
    entry = OUTBOX.claim(row().pk)
    expire(entry)
    with pytest.raises(LostLease):
        OUTBOX.mark_sent(entry)


def test_a_worker_that_stood_still_after_its_mark_does_not_send(row, monkeypatch):
    entry = OUTBOX.claim(row().pk)
    moments = iter([timezone.now(), timezone.now() + timedelta(seconds=push.lease_seconds())])
    monkeypatch.setattr(push, "database_now", lambda: next(moments))
    with pytest.raises(LostLease):
        OUTBOX.mark_sent(entry)


@pytest.mark.parametrize(
    ("error", "reading", "writing"),
    [
        (RetryLater("x"), Status.WAITING, Status.WAITING),
        (RateLimited("x"), Status.WAITING, Status.WAITING),
        (ConnectionBroken("x"), Status.WAITING, Status.WAITING),
        (OutcomeUnknown("x"), Status.WAITING, Status.UNKNOWN),
        (BadResponse("x"), Status.WAITING, Status.UNKNOWN),
        (Rejected("x"), Status.REJECTED, Status.REJECTED),
        (Gone("x"), Status.REJECTED, Status.REJECTED),
        (RemoteConflict("x"), Status.REJECTED, Status.REJECTED),
        (ValueError("x"), Status.WAITING, Status.UNKNOWN),
    ],
)
def test_the_outcome_table(error, reading, writing):
    assert after_failure(error, writing=False, attempts=1).status == reading
    assert after_failure(error, writing=True, attempts=1).status == writing


def test_only_a_limited_or_broken_connection_gives_the_attempt_back():
    limited = RateLimited("x")
    limited.after = 7
    failure = after_failure(limited, writing=True, attempts=3)
    assert (failure.spent, failure.pause, failure.broken) == (False, 7, False)
    failure = after_failure(ConnectionBroken("x"), writing=False, attempts=3)
    assert (failure.spent, failure.pause, failure.broken) == (False, 0, True)
    assert after_failure(RetryLater("x"), writing=False, attempts=3).spent


def test_back_off_grows_is_capped_and_jittered():
    few = [push.backoff(1) for _ in range(200)]
    many = [push.backoff(50) for _ in range(200)]
    assert max(few) <= 4
    assert 600 < max(many) <= push.LONGEST_WAIT
    assert len(set(many)) > 100
    assert min(many) < 200, "full jitter starts at zero"


def test_connections_take_turns():
    assert fairly([(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)]) == [10, 20, 30, 11, 31, 12]


@pytest.mark.django_db(transaction=True)
def test_many_workers_on_the_same_rows_claim_each_once(row):
    """Real threads with their own connections; both databases."""
    pks = [row().pk for _ in range(40)]
    claimed: list[int] = []
    start = threading.Barrier(8)

    def work() -> None:
        try:
            start.wait()
            for pk in pks:
                if OUTBOX.claim(pk) is not None:
                    claimed.append(pk)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(claimed) == pks
    assert set(ContactChange.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
def test_two_rows_of_one_contact_are_never_in_flight_together(row):
    first = row()
    ContactChange.objects.filter(pk=first.pk).update(status=Status.REJECTED)
    second = row(first.contact)
    ContactChange.objects.filter(pk=second.pk).update(status=Status.UNKNOWN)
    ContactChange.objects.filter(pk=first.pk).update(status=Status.WAITING)
    won: list[int] = []
    start = threading.Barrier(2)

    def work(pk: int) -> None:
        try:
            start.wait()
            if OUTBOX.claim(pk) is not None:
                won.append(pk)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=(pk,)) for pk in (first.pk, second.pk)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert won == [second.pk]


def test_the_claim_is_one_update_on_the_table_itself(row):
    """A subselect of the rows themselves would let PostgreSQL claim one twice."""
    entry = row()
    with CaptureQueriesContext(database) as queries:
        OUTBOX.claim(entry.pk)
    updates = [each["sql"] for each in queries if each["sql"].startswith("UPDATE")]
    assert len(updates) == 1
    assert '"id" IN (SELECT' not in updates[0]
