"""The rate limit and the circuit that all workers share through one row."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from backoffice.remote.errors import RetryLater
from backoffice.sync import limits
from backoffice.sync.limits import FAILURES_TO_OPEN, SharedBreaker, SharedLimiter
from crm_bridge.models import ConnectionHealth
from tests import factories


@pytest.fixture
def health(db: None) -> ConnectionHealth:
    return ConnectionHealth.objects.create(connection=factories.connection())


def test_two_workers_share_one_rate(health: ConnectionHealth) -> None:
    waits: list[float] = []
    workers = [SharedLimiter(health, 4, sleep=waits.append) for _worker in range(2)]
    for turn in range(8):
        workers[turn % 2].acquire(time.monotonic() + 60)
    assert max(waits) == pytest.approx(7 / 4, abs=0.4), "eight calls at four per second end after 1.75 s"


def test_turn_beyond_the_deadline_is_refused_and_not_taken(health: ConnectionHealth) -> None:
    limiter = SharedLimiter(health, 1, sleep=lambda seconds: None)
    for _turn in range(3):
        limiter.acquire(time.monotonic() + 60)
    before = ConnectionHealth.objects.get().next_request_at
    with pytest.raises(RetryLater, match="no free turn"):
        limiter.acquire(time.monotonic() + 1)
    assert ConnectionHealth.objects.get().next_request_at == before


def test_circuit_opens_for_every_worker_and_lets_one_probe_through(
    health: ConnectionHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LOOK_AGAIN", 0)  # a worker trusts a closed circuit for a second
    one, other = SharedBreaker(health), SharedBreaker(health)
    for _failure in range(FAILURES_TO_OPEN):
        other.check()
        one.failed()
    with pytest.raises(RetryLater, match="could not reach it"):
        other.check()
    ConnectionHealth.objects.update(open_until=timezone.now() - timedelta(seconds=1))
    other.check()
    with pytest.raises(RetryLater):
        one.check()
    other.succeeded()
    one.check()
    row = ConnectionHealth.objects.get()
    assert (row.failures, row.open_until) == (0, None)
    assert row.last_ok_at is not None
