"""Rate limit and circuit breaker of one process, on a clock the test turns."""

from __future__ import annotations

import threading
import time

import pytest

from backoffice.remote.errors import RetryLater
from backoffice.remote.limits import ProcessBreaker, ProcessLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_calls_are_spaced_evenly_after_the_burst() -> None:
    clock = Clock()
    limiter = ProcessLimiter(5, burst=3, clock=clock, sleep=clock.sleep)
    times = []
    for _ in range(6):
        limiter.acquire(deadline=1000)
        times.append(round(clock.now - 100, 3))
    assert times == [0, 0, 0, 0.2, 0.4, 0.6]


def test_idle_time_saves_up_no_more_than_the_burst() -> None:
    clock = Clock()
    limiter = ProcessLimiter(10, burst=2, clock=clock, sleep=clock.sleep)
    clock.now += 60
    start = clock.now
    for _ in range(4):
        limiter.acquire(deadline=1000)
    assert clock.now - start == pytest.approx(0.2)


def test_turn_after_the_deadline_is_refused_and_not_used_up() -> None:
    clock = Clock()
    limiter = ProcessLimiter(1, clock=clock, sleep=clock.sleep)
    limiter.acquire(deadline=1000)
    for _ in range(3):
        with pytest.raises(RetryLater) as told:
            limiter.acquire(deadline=clock.now + 0.5)
        assert told.value.after == pytest.approx(1.0)
    limiter.acquire(deadline=clock.now + 1.5)
    assert clock.now == pytest.approx(101)


def test_threads_share_one_limit() -> None:
    limiter = ProcessLimiter(100)
    done: list[float] = []

    def work() -> None:
        for _ in range(5):
            limiter.acquire(time.monotonic() + 5)
            done.append(time.monotonic())

    start = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 30
    assert max(done) - start >= 0.28


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (5, 0)])
def test_senseless_limit_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="rate limit"):
        ProcessLimiter(rate, burst)


def test_circuit_opens_after_failures_in_a_row_only() -> None:
    breaker = ProcessBreaker(failures=3, cooldown=30, clock=Clock())
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
        breaker.check()
    for _ in range(3):
        breaker.failed()
    with pytest.raises(RetryLater, match="could not reach") as told:
        breaker.check()
    assert told.value.after == 30


def test_one_probe_decides_after_the_cool_down() -> None:
    clock = Clock()
    breaker = ProcessBreaker(failures=1, cooldown=30, clock=clock)
    breaker.failed()
    clock.now += 30
    breaker.check()  # the probe
    with pytest.raises(RetryLater):
        breaker.check()  # everyone else waits for it
    breaker.failed()
    clock.now += 29
    with pytest.raises(RetryLater):
        breaker.check()
    clock.now += 1
    breaker.check()
    breaker.succeeded()
    breaker.check()
    breaker.check()


def test_lost_probe_does_not_keep_the_circuit_open_for_ever() -> None:
    clock = Clock()
    breaker = ProcessBreaker(failures=1, cooldown=30, clock=clock)
    breaker.failed()
    clock.now += 30
    breaker.check()
    clock.now += 30
    breaker.check()
