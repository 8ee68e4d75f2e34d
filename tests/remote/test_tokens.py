"""Tokens that are got and renewed: one renewal for all, and a fitting place for OAuth."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backoffice.remote.auth import MemoryTokens, Outgoing, PasswordToken, RenewedToken
from backoffice.remote.errors import ConnectionBroken, OutcomeUnknown, RemoteError, RetryLater
from tests.remote.conftest import Open
from tests.remote.rawserver import RawServer, answer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def login(post: Callable[[Mapping[str, Any]], Any], clock: Clock | None = None) -> PasswordToken:
    return PasswordToken(post, "user", "secret", MemoryTokens(clock or Clock()))


def used(auth: RenewedToken) -> str:
    request = Outgoing("GET", "/")
    auth.apply(request)
    return request.headers["Authorization"]


def counting() -> tuple[list[int], Callable[[Mapping[str, Any]], Any]]:
    calls: list[int] = []

    def post(body: Mapping[str, Any]) -> Any:
        calls.append(len(calls) + 1)
        time.sleep(0.05)
        return {"access": f"token-{calls[-1]}"}

    return calls, post


def test_the_first_use_logs_in_and_the_next_does_not() -> None:
    calls, post = counting()
    auth = login(post)
    assert [used(auth), used(auth)] == ["Bearer token-1", "Bearer token-1"]
    assert calls == [1]


def test_many_that_saw_one_generation_refused_renew_it_once() -> None:
    calls, post = counting()
    auth = login(post)
    seen = auth.apply(Outgoing("GET", "/"))
    start = threading.Barrier(64)

    def refused(_: int) -> str:
        start.wait()
        assert auth.refresh(seen)
        return used(auth)

    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(refused, range(64))) == {"Bearer token-2"}
    assert calls == [1, 2]


def test_a_straggler_with_an_older_generation_takes_what_there_is() -> None:
    calls, post = counting()
    auth = login(post)
    first = auth.apply(Outgoing("GET", "/"))
    auth.refresh(first)
    auth.refresh(first)
    assert calls == [1, 2]


def test_two_objects_with_one_store_share_its_token() -> None:
    calls, post = counting()
    store = MemoryTokens()
    one, two = (PasswordToken(post, "user", "secret", store) for _ in range(2))
    seen = one.apply(Outgoing("GET", "/"))
    two.refresh(seen)
    assert used(one) == used(two) == "Bearer token-2"
    assert calls == [1, 2]


def test_a_token_that_works_outlives_a_failed_renewal() -> None:
    ends: list[Any] = [{"token": "good"}, ConnectionBroken("no")]

    def post(body: Mapping[str, Any]) -> Any:
        end = ends.pop(0)
        if isinstance(end, RemoteError):
            raise end
        return end

    auth = login(post)
    used(auth)
    with pytest.raises(ConnectionBroken):
        auth.renew()
    assert used(auth) == "Bearer good"


def test_disturbances_wait_shorter_than_refusals_and_are_forgotten_after_a_success() -> None:
    clock, fails = Clock(), [RetryLater("down"), RetryLater("down"), OutcomeUnknown("lost"), None]
    fails += [ConnectionBroken("no"), None]

    def post(body: Mapping[str, Any]) -> Any:
        failure = fails.pop(0)
        if failure:
            raise failure
        return {"token": "t"}

    auth = login(post, clock)
    for wait in (1, 2, 4):
        with pytest.raises(RetryLater):
            auth.renew()
        clock.now += wait - 0.1
        left = len(fails)
        with pytest.raises(RetryLater, match="next try"):
            auth.renew()
        assert len(fails) == left
        clock.now += 0.2
    auth.renew()
    with pytest.raises(ConnectionBroken):
        auth.renew()
    clock.now += 29
    with pytest.raises(ConnectionBroken, match="next try"):
        auth.renew()
    clock.now += 2
    auth.renew()


def test_a_wait_that_was_asked_for_is_kept() -> None:
    clock = Clock()

    def post(body: Mapping[str, Any]) -> Any:
        raise RetryLater.in_seconds("slow down", 120.0)

    auth = login(post, clock)
    with pytest.raises(RetryLater):
        auth.renew()
    clock.now += 119
    with pytest.raises(RetryLater, match="next try is in 1 s") as caught:
        auth.renew()
    assert caught.value.after == pytest.approx(1.0)


@pytest.mark.parametrize("given", [None, [], {}, {"token": None}, {"token": 5}, {"token": ""}, "token"])
def test_an_answer_without_a_token_breaks_the_connection(given: Any) -> None:
    with pytest.raises(ConnectionBroken, match="no token"):
        used(login(lambda body: given))


@pytest.mark.parametrize("token", ["a\nb", "tokën", "  "])
def test_a_token_that_no_header_can_hold_breaks_the_connection(token: str) -> None:
    with pytest.raises(ConnectionBroken, match="cannot be sent"):
        used(login(lambda body: {"token": token}))


class Rotating(RenewedToken):
    """As OAuth does it: every renewal spends the refresh token and brings the next one."""

    spent: list[str]

    def obtain(self, secrets: dict[str, str]) -> str:
        self.spent.append(secrets["refresh_token"])
        secrets["refresh_token"] = f"refresh-{len(self.spent)}"
        return f"access-{len(self.spent)}"


def test_a_rotating_refresh_token_is_spent_once_each() -> None:
    store = MemoryTokens()
    with store.exclusive() as state:
        state.secrets["refresh_token"] = "refresh-0"
    auth = Rotating(store)
    auth.spent = []
    start = threading.Barrier(16)

    def call(_: int) -> None:
        seen = auth.apply(Outgoing("GET", "/"))
        start.wait()
        auth.refresh(seen)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(call, range(16)))
    assert auth.spent == ["refresh-0", "refresh-1"]
    assert used(auth) == "Bearer access-2"


@pytest.mark.parametrize(("renew_on", "ends_well"), [({401}, False), ({401, 403}, True)])
def test_which_statuses_mean_an_expired_token_is_for_the_connection_to_say(
    open_session: Open, renew_on: set[int], ends_well: bool
) -> None:
    calls, post = counting()
    with RawServer(answer("{}", 403), answer('{"a": 1}')) as server:
        session = open_session(server.url, auth=login(post), renew_on=renew_on)
        if ends_well:
            assert session.get_json("/x", operation="read").data == {"a": 1}
        else:
            with pytest.raises(ConnectionBroken):
                session.get_json("/x", operation="read")
        assert len(calls) == 1 + ends_well


def test_a_failed_renewal_is_told_with_the_call_it_was_for(open_session: Open) -> None:
    tokens: list[Any] = [{"token": "a"}]

    def post(body: Mapping[str, Any]) -> Any:
        if tokens:
            return tokens.pop()
        raise RetryLater("down")

    with RawServer(answer("{}", 401)) as server:
        session = open_session(server.url, auth=login(post))
        with pytest.raises(RetryLater, match="Test CRM, write: down"):
            session.send_json("POST", "/x", {}, operation="write")
        assert len(server.requests) == 1
