"""Logging in: once however many ask, never in a storm, and never in place of a write's outcome."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backoffice.remote.auth import MemoryTokens
from backoffice.remote.errors import ConnectionBroken, RateLimited, RemoteError, RetryLater
from bot_campaigns.antbot.connector import AntBotConnector
from tests.bot_campaigns.antbot.conftest import PASSWORD, Connect
from tests.sandbox_fixture import SandboxControl

THREADS = 64


def logins(sandbox: SandboxControl) -> tuple[int, int]:
    """Accepted and refused."""
    counts = sandbox.control("GET", "antbot/state")["logins"]
    return counts["accepted"], counts["refused"]


def at_once(call: Callable[[], Any]) -> list[Any]:
    """What 64 threads that start together get: a result, or the error."""
    start = threading.Barrier(THREADS)

    def one(_: int) -> Any:
        start.wait()
        try:
            return call()
        except RemoteError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


@pytest.mark.parametrize("dead", [401, 403])
def test_64_threads_with_a_dead_token_log_in_once(
    connect: Connect, sandbox: SandboxControl, dead: int
) -> None:
    sandbox.switches("antbot", auth_status=dead)
    bot = connect(parallel=THREADS, deadline=30.0)
    first = at_once(lambda: bot.phonebook("293"))
    assert all(not isinstance(each, RemoteError) for each in first)
    assert logins(sandbox) == (1, 0)
    for renewals in (2, 3):
        sandbox.control("POST", "antbot/expire_tokens", {})
        assert all(not isinstance(each, RemoteError) for each in at_once(lambda: bot.phonebook("293")))
        assert logins(sandbox) == (renewals, 0)


def test_a_dead_token_delays_a_write_and_doubles_none(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    sandbox.control("POST", "antbot/expire_tokens", {})
    bot.create_phonebook(name="Một lần")
    assert len(bot.find_phonebooks("Một lần")) == 1


def test_connectors_of_one_process_share_a_token(connect: Connect, sandbox: SandboxControl) -> None:
    for _ in range(5):
        connect(tokens=None).phonebook("293")
    assert logins(sandbox) == (1, 0)
    sandbox.switches("antbot", password="đổi-rồi")
    sandbox.control("POST", "antbot/expire_tokens", {})
    connect(tokens=None, password="đổi-rồi").phonebook("293")
    assert logins(sandbox) == (2, 0)


def test_logins_that_end_each_other_do_not_play_ping_pong(connect: Connect, sandbox: SandboxControl) -> None:
    sandbox.switches("antbot", single_login="yes")
    one, two = connect(tokens=None), connect(tokens=None)
    for _ in range(4):
        one.phonebook("293")
        two.phonebook("293")
    assert logins(sandbox) == (1, 0)


@pytest.mark.parametrize("status", [401, 400])
def test_a_wrong_password_is_tried_once_by_64_threads(
    connect: Connect, sandbox: SandboxControl, status: int
) -> None:
    sandbox.switches("antbot", login_refusal=status)
    bot = connect(parallel=THREADS, password="sai", deadline=30.0)
    for _ in range(2):
        assert all(isinstance(each, ConnectionBroken) for each in at_once(lambda: bot.phonebook("293")))
    with pytest.raises(ConnectionBroken, match="next try"):
        bot.check()
    with pytest.raises(ConnectionBroken, match="next try"):
        bot.create_phonebook(name="Không")
    assert logins(sandbox) == (0, 1)


def test_a_wrong_password_waits_longer_each_time(connect: Connect, sandbox: SandboxControl) -> None:
    now = [1000.0]
    bot = connect(password="sai", tokens=MemoryTokens(lambda: now[0]))
    tried = []
    for second in range(0, 1000, 5):
        now[0] = 1000.0 + second
        before = logins(sandbox)[1]
        with pytest.raises(ConnectionBroken):
            bot.phonebook("293")
        if logins(sandbox)[1] > before:
            tried.append(second)
    assert tried == [0, 30, 90, 210, 450, 930]


def test_the_words_of_a_refused_login_are_shown_without_the_password(
    connect: Connect, sandbox: SandboxControl, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bot = connect(password="mật-khẩu-sai")
    with pytest.raises(ConnectionBroken, match="No active account") as caught:
        bot.check()
    shown = f"{caught.value} {caught.value.excerpt} {caplog.text} {bot._auth!r}"
    assert "mật-khẩu-sai" not in shown


def test_neither_token_nor_password_is_logged(
    connect: Connect, sandbox: SandboxControl, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = MemoryTokens()
    connect(tokens=store).check()
    token, _ = store.current()
    assert token
    assert token not in caplog.text
    assert PASSWORD not in caplog.text
    with store.exclusive() as state:
        assert token not in repr(state)


def test_a_login_that_is_down_is_not_stormed_either(connect: Connect, sandbox: SandboxControl) -> None:
    sandbox.faults([{"kind": "status", "code": 500, "path": "*/get-token/"}], vendor="antbot")
    bot = connect(parallel=THREADS, deadline=30.0)
    sandbox.reset_stats()
    ends = at_once(lambda: bot.create_phonebook(name="Không"))
    # a write that was never sent is not unknown
    assert all(isinstance(each, RetryLater) for each in ends)
    assert sandbox.stats("antbot")["requests"] <= 2
    sandbox.clear()
    assert connect().find_phonebooks("Không") == []


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        ({"kind": "status", "code": 500}, RetryLater),
        ({"kind": "cut_after"}, RetryLater),
        ({"kind": "hang", "seconds": 5}, RetryLater),
        ({"kind": "html"}, RetryLater),
        ({"kind": "truncate"}, RetryLater),
        ({"kind": "status", "code": 429, "retry_after": 7}, RateLimited),
        ({"kind": "status", "code": 404, "body": "no"}, ConnectionBroken),
        ({"kind": "status", "code": 423, "body": {"detail": "locked"}}, ConnectionBroken),
        ({"kind": "status", "code": 200, "body": {"result": "hello"}}, ConnectionBroken),
        ({"kind": "status", "code": 200, "body": {"access": "two\nlines"}}, ConnectionBroken),
        ({"kind": "redirect"}, ConnectionBroken),
    ],
)
def test_a_spoiled_login_never_makes_a_write_unknown(
    connect: Connect, sandbox: SandboxControl, fault: dict[str, Any], ending: type[RemoteError]
) -> None:
    bot = connect()
    sandbox.faults([fault | {"path": "*/get-token/"}], vendor="antbot")
    with pytest.raises(ending) as caught:
        bot.create_phonebook(name="Không")
    assert type(caught.value) is ending
    assert str(caught.value).startswith("Bot, ")
    sandbox.clear()
    assert connect().find_phonebooks("Không") == []


def test_tokens_that_never_last_are_not_renewed_without_end(
    connect: Connect, sandbox: SandboxControl
) -> None:
    bot = connect()
    refusing = {"kind": "status", "code": 401, "path": "*/phonebook/*"}
    sandbox.faults([refusing], vendor="antbot")
    for _ in range(30):
        with pytest.raises(ConnectionBroken):
            bot.phonebook("293")
    assert logins(sandbox)[0] <= 10


@pytest.mark.parametrize("key", ["access_token", "access", "token"])
def test_the_token_is_found_under_each_name(connect: Connect, sandbox: SandboxControl, key: str) -> None:
    sandbox.switches("antbot", token_key=key)
    assert "accepts the login" in connect().check()


def test_the_login_is_found_at_either_address(connect: Connect, sandbox: SandboxControl) -> None:
    sandbox.switches("antbot", token_path="/get-token/")
    with pytest.raises(ConnectionBroken, match="no login at this address"):
        connect().check()
    assert "accepts the login" in connect(options={"login_path": "beside"}).check()


@pytest.mark.parametrize(
    ("username", "password", "words"), [("", "x", "empty"), ("x", "", "empty"), ("  ", "x", "empty")]
)
def test_a_login_that_cannot_be_used_says_so(
    connect: Connect, username: str, password: str, words: str
) -> None:
    with pytest.raises(ConnectionBroken, match=words):
        connect(username=username, password=password)


def test_without_a_trial_the_connection_is_broken_not_the_login(
    connect: Connect, sandbox: SandboxControl
) -> None:
    sandbox.switches("antbot", trial="none")
    with pytest.raises(ConnectionBroken, match="permission"):
        connect().check()
