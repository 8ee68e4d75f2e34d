"""The token all workers share: one renewal however many ask, and a pair that is never lost."""

import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from backoffice.remote.auth import MemoryTokens, Outgoing
from backoffice.remote.errors import ConnectionBroken, RemoteError, RetryLater
from backoffice.remote.oauth import RefreshedToken
from backoffice.sync import tokens as module
from backoffice.sync.tokens import SharedTokens, adopt
from crm_bridge.models import Connection, ConnectionToken
from crm_bridge.records import Identity
from crm_bridge.services.connecting import connect_to
from tests import factories, processes
from tests.sandbox_fixture import SandboxControl

pytestmark = pytest.mark.django_db(transaction=True)

OAUTH = {
    "client_id": "sandbox-amocrm-client",
    "client_secret": "sandbox-amocrm-secret",
    "refresh_token": "sandbox-amocrm-refresh",
    "redirect_uri": "https://backoffice.example.com/amocrm",
}
WORKERS, THREADS_EACH = 3, 8


@pytest.fixture
def crm(sandbox: SandboxControl) -> Connection:
    return factories.connection(vendor="amocrm", base_url=sandbox.base("amocrm"), credentials=OAUTH)


def shared(crm: Connection, credentials: Mapping[str, str] = OAUTH, **parts: Any) -> SharedTokens:
    return SharedTokens(ConnectionToken, crm, credentials, **parts)


def logins(sandbox: SandboxControl) -> tuple[int, int]:
    """How many refresh tokens were traded in, and how many were tried a second time."""
    state = sandbox.control("GET", "amocrm/access")
    return state["granted"], state["reused"]


def expire(sandbox: SandboxControl, **what: bool) -> None:
    sandbox.control("POST", "amocrm/access", what)


@contextlib.contextmanager
def connected(crm: Connection) -> Iterator[Any]:
    connector = connect_to(crm)
    try:
        yield connector
    finally:
        connector.close()


def check(crm: Connection) -> str:
    with connected(crm) as connector:
        return str(connector.check())


# One renewal


def at_once(crm: Connection, count: int) -> list[str]:
    """What so many workers get that start together, each with a connector of its own."""
    start = threading.Barrier(count)

    def one(_: int) -> str:
        start.wait()
        try:
            return check(crm)
        except RemoteError as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_64_workers_with_a_dead_token_renew_it_once(sandbox: SandboxControl, crm: Connection) -> None:
    sandbox.latency(30)
    for renewals in (1, 2, 3):
        answers = at_once(crm, 64)
        assert all("accepts the token" in answer for answer in answers), answers
        assert logins(sandbox) == (renewals, 0)
        expire(sandbox, access=True)
    assert ConnectionToken.objects.get().generation == 3


CHILD = f"""
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from crm_bridge.models import Connection
from crm_bridge.services.connecting import connect_to
crm = Connection.objects.get()
print("ready", flush=True)
sys.stdin.readline()
start = threading.Barrier({THREADS_EACH})
def one(_):
    start.wait()
    connector = connect_to(crm)
    try:
        return connector.check()
    finally:
        connector.close()
with ThreadPoolExecutor({THREADS_EACH}) as pool:
    for words in pool.map(one, range({THREADS_EACH})):
        assert "accepts the token" in words, words
print("done", flush=True)
"""


def test_several_processes_renew_once_together(
    sandbox: SandboxControl, crm: Connection, tmp_path: Path
) -> None:
    sandbox.latency(50)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", f"import django; django.setup()\n{CHILD}"],
            env=processes.environment(tmp_path),
            cwd=processes.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(WORKERS)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            assert child.communicate(timeout=60)[0] == "done\n"
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert logins(sandbox) == (1, 0)


def test_worker_with_an_old_token_takes_the_new_one_without_renewing(
    sandbox: SandboxControl, crm: Connection
) -> None:
    with connected(crm) as late:
        late.check()
        expire(sandbox, access=True)
        check(crm)
        assert logins(sandbox) == (2, 0)
        late.check()
    assert logins(sandbox) == (2, 0)


def test_write_that_meets_a_dead_token_is_sent_once(sandbox: SandboxControl, crm: Connection) -> None:
    from crm_bridge.records import Change, Kind, Operation

    with connected(crm) as connector:
        connector.check()
        expire(sandbox, access=True)
        change = Change(Operation.CREATE, Kind.CONTACT, None, code="c-1", values={"name": "An"})
        made = connector.push(change).identity
        assert isinstance(made, Identity)
    assert len(sandbox.writes(vendor="amocrm")) == 1


def test_no_transaction_is_open_while_the_vendor_is_asked(crm: Connection) -> None:
    store = shared(crm)
    with store.exclusive() as state:
        assert not connection.in_atomic_block
        # anybody can write the row meanwhile, the lease is all that holds it
        assert ConnectionToken.objects.update(renewed_at=timezone.now()) == 1
        state.token, state.generation = "a", state.generation + 1
    assert shared(crm).current() == ("a", 1)


# What is kept


def test_new_pair_is_stored_before_anybody_uses_it(sandbox: SandboxControl, crm: Connection) -> None:
    seen: list[str] = []

    def post(body: Mapping[str, Any]) -> Any:
        return {
            "access_token": f"access-{body['refresh_token']}",
            "refresh_token": f"{body['refresh_token']}x",
        }

    auth = RefreshedToken(post, **{**OAUTH, "refresh_token": "r"}, store=shared(crm))
    auth.apply(Outgoing("GET", "/"))
    row = ConnectionToken.objects.get()
    seen.append(row.secret["token"])
    assert row.secret["secrets"] == {"refresh_token": "rx"}
    assert seen == ["access-r"]


def test_pair_is_encrypted_and_nowhere_in_the_open(crm: Connection) -> None:
    with shared(crm).exclusive() as state:
        state.token, state.generation = "access-canary", 1
        state.secrets["refresh_token"] = "refresh-canary"
        state.reason = "it was slow"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {ConnectionToken._meta.db_table}")
        text = repr(cursor.fetchall())
    assert "it was slow" in text
    for canary in ("canary", OAUTH["refresh_token"], OAUTH["client_secret"]):
        assert canary not in text


def test_failure_is_shared_by_all_workers(sandbox: SandboxControl, crm: Connection) -> None:
    expire(sandbox, refresh=True)
    for _worker in range(4):
        with pytest.raises(ConnectionBroken, match=r"connect the account again|next try is in"):
            check(crm)
    state = sandbox.control("GET", "amocrm/access")
    assert (state["granted"], state["refused"]) == (0, 1)


def test_new_credentials_start_anew_at_once(sandbox: SandboxControl, crm: Connection) -> None:
    expire(sandbox, refresh=True)
    with pytest.raises(ConnectionBroken):
        check(crm)
    sandbox.switches("amocrm", refresh_token="from-the-person")
    crm.credentials = OAUTH | {"refresh_token": "from-the-person"}
    crm.save()
    assert "accepts the token" in check(crm)
    assert logins(sandbox)[0] == 1


def test_same_credentials_entered_again_keep_the_pair(sandbox: SandboxControl, crm: Connection) -> None:
    check(crm)
    crm.credentials, crm.name = dict(OAUTH), "Other name"
    crm.save()
    expire(sandbox, access=True)
    check(crm)
    assert logins(sandbox) == (2, 0)


def test_token_of_one_host_is_not_sent_to_another(sandbox: SandboxControl, crm: Connection) -> None:
    check(crm)
    assert shared(crm).current()[0]
    crm.base_url = "https://other.kommo.com"
    assert shared(crm).current()[0] == ""


def test_what_a_check_brought_is_kept_with_the_connection(sandbox: SandboxControl, crm: Connection) -> None:
    found = MemoryTokens()
    with found.exclusive() as state:
        state.token, state.generation, state.secrets = "access", 1, {"refresh_token": "the-only-one"}
    adopt(shared(crm), found)
    assert shared(crm).current() == ("access", 1)
    with shared(crm).exclusive() as state:
        assert state.secrets == {"refresh_token": "the-only-one"}


def test_check_that_renewed_nothing_leaves_the_row_alone(crm: Connection) -> None:
    adopt(shared(crm), MemoryTokens())
    assert not ConnectionToken.objects.exists()


# The lease


def test_lease_of_a_killed_worker_ends_by_itself(sandbox: SandboxControl, crm: Connection) -> None:
    with shared(crm).exclusive() as state:
        state.reason = "kept"
    ConnectionToken.objects.update(lease_until=timezone.now() + timedelta(seconds=0.4), lease_token="0" * 32)
    started = time.monotonic()
    assert "accepts the token" in check(crm)
    assert time.monotonic() - started > 0.2


def test_worker_waits_for_its_turn_and_then_comes_back_later(crm: Connection) -> None:
    ConnectionToken.objects.create(
        connection=crm, lease_until=timezone.now() + timedelta(seconds=60), lease_token="0" * 32
    )
    started = time.monotonic()
    with pytest.raises(RetryLater, match="still logging in"), shared(crm, patience=0.3).exclusive():
        pass
    assert 0.2 < time.monotonic() - started < 5


def test_lease_is_longer_than_a_call_may_take(crm: Connection) -> None:
    with connected(crm) as connector:
        assert connector._login._deadline < module.LEASE.total_seconds() / 2


def test_pair_that_was_got_counts_although_the_lease_ran_out(crm: Connection) -> None:
    """The vendor gives one pair only: a slow worker's is the one that works."""
    with shared(crm).exclusive() as state:
        ConnectionToken.objects.update(lease_token="0" * 32)  # somebody took over
        state.token, state.generation = "slow but right", 1
    assert shared(crm).current() == ("slow but right", 1)


def test_pair_of_a_worker_that_is_too_late_is_not_stored_over_a_newer_one(crm: Connection) -> None:
    def late() -> None:
        with shared(crm).exclusive() as state:
            ConnectionToken.objects.update(generation=5)
            state.token, state.generation = "late", 1

    with pytest.raises(RetryLater, match="another worker has logged in"):
        late()
    assert ConnectionToken.objects.get().generation == 5


def test_failure_of_a_worker_without_lease_is_not_written(crm: Connection) -> None:
    with shared(crm).exclusive() as state:
        ConnectionToken.objects.update(lease_token="0" * 32)
        state.failures = 9
    assert "failures" not in ConnectionToken.objects.get().state


def test_pair_survives_a_database_that_is_away_for_a_moment(
    crm: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    store = shared(crm, sleep=pauses.append)
    real, failures = store._row, [OperationalError("away"), OperationalError("away")]

    def row() -> Any:
        if failing and failures:
            raise failures.pop()
        return real()

    failing = False
    monkeypatch.setattr(store, "_row", row)
    with store.exclusive() as state:
        state.token, state.generation, failing = "kept", 1, True
    assert shared(crm).current() == ("kept", 1)
    assert len(pauses) == 2


def test_lost_answer_to_a_renewal_is_told_to_a_person(sandbox: SandboxControl, crm: Connection) -> None:
    """The vendor has rotated and the answer is lost: the token we hold is spent, nothing can help."""
    sandbox.faults([{"kind": "cut_after", "path": "/oauth2/*", "times": 1}], vendor="amocrm")
    with pytest.raises(ConnectionBroken, match="connect the account again with a new one"):
        check(crm)
    assert logins(sandbox) == (1, 1)


def test_unreadable_row_is_told_in_words(crm: Connection, settings: Any) -> None:
    with shared(crm).exclusive() as state:
        state.token, state.generation = "a", 1
    settings.CREDENTIAL_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    with pytest.raises(ConnectionBroken, match="CREDENTIAL_KEYS"):
        shared(crm).current()
    with pytest.raises(ConnectionBroken, match="CREDENTIAL_KEYS"), shared(crm).exclusive():
        pass


def test_rotating_the_credential_key_takes_the_pair_along(crm: Connection, settings: Any) -> None:
    old, new = settings.CREDENTIAL_KEYS[0], "bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleSE="
    with shared(crm).exclusive() as state:
        state.token, state.generation = "kept", 1
    settings.CREDENTIAL_KEYS = [new, old]
    call_command("rotate_credentials")
    settings.CREDENTIAL_KEYS = [new]
    assert shared(crm).current() == ("kept", 1)


def test_secrets_stay_out_of_logs_errors_and_reprs(
    sandbox: SandboxControl, crm: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with connected(crm) as connector:
        connector.check()
        text = repr(connector) + repr(vars(connector))
    pair = ConnectionToken.objects.get().secret
    expire(sandbox, access=True, refresh=True)
    with pytest.raises(ConnectionBroken) as told:
        check(crm)
    error = told.value
    text += caplog.text + str(error) + error.excerpt + error.words + repr(error)
    for secret in (OAUTH["client_secret"], OAUTH["refresh_token"], pair["token"], *pair["secrets"].values()):
        assert secret not in text
