"""Signed queries, and answers that are judged by their body; on a socket the test controls."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

from backoffice.remote.answers import Received
from backoffice.remote.auth import Outgoing
from backoffice.remote.errors import (
    ConnectionBroken,
    OutcomeUnknown,
    Rejected,
    RemoteError,
    RetryLater,
    StaleCredential,
)
from backoffice.remote.signing import SignedQuery, signature
from tests.remote.conftest import Open
from tests.remote.rawserver import RawServer, answer

# Computed by programs of their own: the first with sha256sum, the second with openssl dgst -sha256.
VECTORS = [
    (
        ("admin@example.com", "11111111-2222-3333-4444-555555555555", "1494474404",
         "2d931510-d99f-494a-8c67-87feb05e1594", "v2"),
        "0476452a938bb447079b2b52a70ef02ecefdcc4b7b2b8a46437367d25740987a",
    ),
    (
        ("admin+api@example.com", "t0ken", "1764109339", "n-1", "v2"),
        "2369731b16c0c257fd8a1002b0befe48522b8ecc5a28c3cd1eb58324ff852fd6",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "wanted"), VECTORS)
def test_signature_vectors(parts: tuple[str, ...], wanted: str) -> None:
    assert signature(*parts) == wanted


@pytest.mark.parametrize(("parts", "wanted"), VECTORS)
def test_five_parameters_are_added_and_the_raw_user_is_signed(parts: tuple[str, ...], wanted: str) -> None:
    user, secret, stamp, nonce, _version = parts
    request = Outgoing("GET", "/customers", [("type", "email"), ("content", "other@example.com")])
    auth = SignedQuery(user, secret, clock=lambda: int(stamp) + 0.9, nonce=lambda: nonce)
    auth.apply(request)
    query = parse_qs(urlsplit(request.target()).query)
    assert query == {
        "type": ["email"], "content": ["other@example.com"], "email": [user], "timestamp": [stamp],
        "nonce": [nonce], "sign": [wanted], "sign_version": ["v2"],
    }  # fmt: skip
    assert "%2B" in request.target() or "+" not in user
    assert secret not in repr(auth)
    assert secret not in request.target()


def test_each_signature_is_new() -> None:
    auth = SignedQuery("a@example.com", "t")
    requests = [Outgoing("GET", "/") for _ in range(200)]
    for request in requests:
        auth.apply(request)
    queries = [dict(request.params) for request in requests]
    assert len({query["nonce"] for query in queries}) == 200
    assert all(uuid.UUID(query["nonce"]) for query in queries)
    assert all(len(query["timestamp"]) == 10 for query in queries)
    assert abs(int(queries[0]["timestamp"]) - time.time()) < 5


@pytest.mark.parametrize(("user", "secret"), [("", "t"), ("a@example.com", " "), ("a", "t\n")])
def test_credential_that_cannot_sign_is_refused(user: str, secret: str) -> None:
    if secret.endswith("\n"):
        secret = "t\nu"
    with pytest.raises(ValueError, match="The user or the secret"):
        SignedQuery(user, secret)


# Judged by the body


def by_code(received: Received, *, read: bool) -> RemoteError | bool:
    try:
        code = json.loads(received.body).get("code")
    except ValueError:
        return False
    if code == "stale":
        return StaleCredential("it is too old")
    return True if code == 1 else Rejected("no") if code == 0 else False


def test_every_attempt_is_signed_anew(open_session: Open) -> None:
    nonces = itertools.count()
    auth = SignedQuery("a@example.com", "t", nonce=lambda: f"n{next(nonces)}")
    with RawServer(answer("{}", 500), answer("{}", 502), answer('{"code": 1}')) as server:
        session = open_session(server.url, auth=auth, read_attempts=4, judge=by_code)
        session.get_json("/x", operation="read")
    assert [f"nonce=n{number}&" in request for number, request in enumerate(server.requests)] == [True] * 3


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_stale_signature_is_made_anew_once_even_for_a_write(open_session: Open, method: str) -> None:
    auth = SignedQuery("a@example.com", "t")
    stale, yes = answer('{"code": "stale"}'), answer('{"code": 1}')
    for behaviours, asked in (((stale, yes), 2), ((stale, stale, yes), 2)):
        with RawServer(*behaviours) as server:
            session = open_session(server.url, auth=auth, read_attempts=4, judge=by_code)

            def call(session=session) -> object:
                if method == "GET":
                    return session.get_json("/x", operation="call")
                return session.send_json(method, "/x", {}, operation="call")

            if behaviours[1] is yes:
                call()
            else:
                with pytest.raises(ConnectionBroken, match="too old"):
                    call()
        assert len(server.requests) == asked
        assert len({request.split("nonce=")[1][:36] for request in server.requests}) == asked


@pytest.mark.parametrize("status", [200, 201, 400, 404, 500])
def test_body_rules_over_the_status(open_session: Open, status: int) -> None:
    with RawServer(answer('{"code": 1}', status), answer('{"code": 0, "message": "nope"}', status)) as server:
        session = open_session(server.url, judge=by_code)
        assert session.send_json("POST", "/x", {}, operation="write").status == status
        with pytest.raises(Rejected) as told:
            session.send_json("POST", "/x", {}, operation="write")
    assert (told.value.status, told.value.words) == (status, "nope")


@pytest.mark.parametrize(
    ("body", "status", "ending"),
    [("{}", 500, OutcomeUnknown), ("oops", 502, OutcomeUnknown), ('{"code": 1}', 302, ConnectionBroken)],
)
def test_status_tells_where_the_body_does_not(
    open_session: Open, body: str, status: int, ending: type[RemoteError]
) -> None:
    with RawServer(answer(body, status)) as server:
        session = open_session(server.url, judge=by_code)
        with pytest.raises(ending):
            session.send_json("POST", "/x", {}, operation="write")


def test_read_that_moves_a_cursor_is_asked_once(open_session: Open) -> None:
    with RawServer(answer("{}", 500)) as server:
        session = open_session(server.url, read_attempts=4)
        with pytest.raises(RetryLater):
            session.fetch("/x", operation="scroll", repeatable=False)
        assert len(server.requests) == 1
        with pytest.raises(RetryLater):
            session.fetch("/x", operation="list")
    assert len(server.requests) == 5
