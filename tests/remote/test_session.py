"""RemoteSession against a server that misbehaves on purpose."""

from __future__ import annotations

import gzip
import logging
import os
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from backoffice.remote.auth import Outgoing
from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Gone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteConflict,
    RemoteError,
    RetryLater,
)
from backoffice.remote.limits import ProcessBreaker
from backoffice.remote.session import RemoteSession, Timeouts
from tests.remote.conftest import KEY, Open
from tests.remote.rawserver import RawServer, answer, drip, hang, raw_bytes, reset, slow

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

READERS = ("get", "fetch")
SLOW_DOWN = answer("{}", 429, Retry_After="0")


def read(session: RemoteSession, how: str = "get", path: str = "/contacts") -> object:
    if how == "fetch":
        return session.parse(session.fetch(path, operation="list"), operation="list")
    return session.get_json(path, operation="list").data


def write(session: RemoteSession) -> object:
    return session.send_json("POST", "/contacts", {"name": "An"}, operation="create").data


# What goes out


@pytest.mark.parametrize("how", READERS)
def test_request_carries_key_query_and_asks_for_plain_bytes(open_session: Open, how: str) -> None:
    with RawServer(answer('{"ok": 1}')) as server:
        session = open_session(server.url + "/api/", user_agent="our-product/1")
        call = session.fetch if how == "fetch" else session.get_json
        call("/contacts", {"phone": "+84 9&x=1", "page": 2, "email": None}, operation="list")
    head = server.requests[0].lower()
    assert head.startswith("get /api/contacts?phone=%2b84%209%26x%3d1&page=2 http/1.1")
    assert f"apikey: {KEY}" in head
    assert "accept-encoding: identity" in head
    assert "user-agent: our-product/1" in head


def test_write_sends_json_once(open_session: Open) -> None:
    with RawServer(answer('{"success": 1}')) as server:
        assert write(open_session(server.url)) == {"success": 1}
    assert len(server.requests) == 1
    assert "content-type: application/json" in server.requests[0].lower()
    assert server.requests[0].endswith('{"name":"An"}')


def test_path_cannot_lead_to_another_host(open_session: Open) -> None:
    with RawServer(answer()) as server:
        session = open_session(server.url)
        for path in ("//evil.example/x", "https://evil.example/", "@evil.example/"):
            with pytest.raises(ValueError, match="one slash"):
                session.get_json(path, operation="list")
    assert server.requests == []


def test_environment_proxies_and_netrc_are_ignored(
    open_session: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    netrc = os.path.join(tmp_path, "netrc")
    with open(netrc, "w") as file:
        file.write("machine 127.0.0.1 login somebody password something\n")
    with RawServer(answer('{"from": "proxy"}')) as proxy, RawServer(answer('{"from": "us"}')) as server:
        monkeypatch.setenv("NETRC", netrc)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        session = open_session(server.url)
        assert [read(session, how) for how in READERS] == [{"from": "us"}] * 2
    assert proxy.requests == []
    assert "authorization" not in server.requests[0].lower()


def test_cookies_of_the_vendor_are_not_kept(open_session: Open) -> None:
    with RawServer(answer(Set_Cookie="a=b; Path=/")) as server:
        session = open_session(server.url)
        read(session)
        read(session)
    assert "cookie" not in server.requests[1].lower()


def test_connection_is_reused(open_session: Open) -> None:
    with RawServer(answer()) as server:
        session = open_session(server.url)
        for how in READERS * 3:
            read(session, how)
    assert server.connections == 1


def test_no_more_calls_run_at_once_than_allowed(open_session: Open) -> None:
    with RawServer(slow(0.1, answer())) as server:
        session = open_session(server.url, parallel=2)
        threads = [threading.Thread(target=read, args=(session, "fetch")) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.requests) == 6
    assert server.busiest == 2


def test_waiting_for_a_free_connection_ends_at_the_deadline(open_session: Open) -> None:
    with RawServer(hang) as server:
        session = open_session(server.url, parallel=1, deadline=0.3)
        with ThreadPoolExecutor() as pool:
            first = pool.submit(read, session)
            time.sleep(0.1)
            session._deadline = 0.1
            with pytest.raises(RetryLater, match="busy"):
                write(session)
            assert isinstance(first.exception(), RetryLater)
    assert len(server.requests) == 1


# Time


@pytest.mark.parametrize(
    "before",
    [b"", HEAD, HEAD + b"Content-Length: 99999\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;"],
    ids=["status line", "headers", "body", "chunk header"],
)
@pytest.mark.parametrize("how", [*READERS, "write"])
def test_dripping_server_ends_at_the_deadline(open_session: Open, before: bytes, how: str) -> None:
    with RawServer(drip(before)) as server:
        session = open_session(server.url, deadline=0.6)
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown if how == "write" else RetryLater, match="in time"):
            write(session) if how == "write" else read(session, how)
    assert 0.5 < time.monotonic() - started < 1.5


@pytest.mark.parametrize("how", READERS)
def test_silent_server_ends_at_the_read_timeout(open_session: Open, how: str) -> None:
    with RawServer(hang) as server:
        session = open_session(server.url, deadline=20, timeouts=Timeouts(0.5, 0.3))
        started = time.monotonic()
        with pytest.raises(RetryLater, match="in time"):
            read(session, how)
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("how", READERS)
def test_deadline_rules_over_a_longer_read_timeout(open_session: Open, how: str) -> None:
    with RawServer(drip(HEAD, every=3)) as server:
        session = open_session(server.url, deadline=0.4, timeouts=Timeouts(5, 20))
        started = time.monotonic()
        with pytest.raises(RetryLater, match="in time"):
            read(session, how)
    assert time.monotonic() - started < 1.2


@pytest.mark.parametrize("how", READERS)
def test_server_that_never_pauses_ends_at_the_deadline(open_session: Open, how: str) -> None:
    flood = drip(HEAD + b"X-Long: ", every=0.0005)
    with RawServer(flood) as server, pytest.raises(RetryLater, match="in time"):
        read(open_session(server.url, deadline=0.4), how)


def test_retries_share_one_deadline(open_session: Open) -> None:
    with RawServer(hang) as server:
        session = open_session(server.url, deadline=0.8, read_attempts=50, timeouts=Timeouts(0.3, 0.3))
        started = time.monotonic()
        with pytest.raises(RetryLater):
            read(session)
    assert time.monotonic() - started < 1.6


# Size and shape


@pytest.mark.parametrize("how", READERS)
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bomb_stops_at_the_cap(open_session: Open, how: str, coding: str) -> None:
    bomb = (
        gzip.compress(b"0" * 200_000_000)
        if coding == "gzip"
        else __import__("zlib").compress(b"0" * 200_000_000)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with RawServer(answer(bomb, Content_Encoding=coding)) as server:
        session = open_session(server.url, max_bytes=1_000_000)
        with pytest.raises(BadResponse, match="larger than 1,000,000"):
            read(session, how)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize("how", [*READERS, "write"])
def test_announced_or_endless_size_stops_at_the_cap(open_session: Open, how: str) -> None:
    endless = HEAD + b"\r\n" + b"1" * 3_000_000
    for behaviour in (answer(b"[]", Content_Length=2 * 1024**3), raw_bytes(endless)):
        with RawServer(behaviour) as server:
            session = open_session(server.url, max_bytes=1_000_000)
            with pytest.raises(OutcomeUnknown if how == "write" else BadResponse, match="larger"):
                write(session) if how == "write" else read(session, how)


@pytest.mark.parametrize("how", READERS)
@pytest.mark.parametrize(
    ("kind", "words"), [("text/html; charset=utf-8", "text/html"), ("application/octet-stream", "octet")]
)
def test_wrong_content_type_is_refused(open_session: Open, how: str, kind: str, words: str) -> None:
    with RawServer(answer("[]", Content_Type=kind)) as server:
        session = open_session(server.url)
        with pytest.raises(BadResponse, match=words):
            read(session, how)
        with pytest.raises(OutcomeUnknown, match=words):
            write(session)


@pytest.mark.parametrize("body", ["<html>log in</html>", '{"a": ', '{"a": NaN}', b'"\xff"', "[" * 100_000])
def test_unreadable_json_is_bad_for_reads_and_unknown_for_writes(open_session: Open, body: str) -> None:
    with RawServer(answer(body)) as server:
        session = open_session(server.url)
        for how in READERS:
            with pytest.raises(BadResponse, match="not JSON"):
                read(session, how)
        with pytest.raises(OutcomeUnknown, match="may or may not be applied"):
            write(session)


@pytest.mark.parametrize("how", READERS)
def test_empty_read_is_bad_but_empty_write_is_an_answer(open_session: Open, how: str) -> None:
    with RawServer(answer(b"", 204, Content_Type=None)) as server:
        session = open_session(server.url)
        with pytest.raises(BadResponse, match="empty"):
            read(session, how)
        assert write(session) is None


WHOLE = HEAD + b'Content-Length: 11\r\n\r\n{"a": 1234}'
CHUNKED = HEAD + b'Transfer-Encoding: chunked\r\n\r\n6\r\n{"a":1\r\n1\r\n}\r\n0\r\n\r\n'


def test_empty_read_is_an_answer_where_declared(open_session: Open) -> None:
    with RawServer(answer("", 204), answer("", 204), answer("", 200)) as server:
        session = open_session(server.url, empty_reads=True)
        assert session.get_json("/x", operation="read").data is None
        assert session.fetch("/x", operation="list") == b""
        with pytest.raises(BadResponse, match="empty"):
            session.get_json("/x", operation="read")


@pytest.mark.parametrize("whole", [WHOLE, CHUNKED], ids=["length", "chunked"])
def test_answer_cut_at_any_byte_is_never_taken_as_whole(open_session: Open, whole: bytes) -> None:
    for cut in range(len(whole) - (4 if whole is CHUNKED else 0)):
        with RawServer(raw_bytes(whole[:cut], close=True)) as server:
            session = open_session(server.url)
            with pytest.raises((RetryLater, BadResponse)):
                read(session, "fetch" if cut % 2 else "get")
            with pytest.raises(OutcomeUnknown):
                write(session)


def test_headers_that_break_off_leave_a_write_unknown(open_session: Open) -> None:
    cut = raw_bytes(b"HTTP/1.1 204 No Content\r\nContent-", close=True)
    with RawServer(cut) as server, pytest.raises(OutcomeUnknown):
        write(open_session(server.url))


# Which error


@pytest.mark.parametrize("how", READERS)
def test_lost_connection_is_retry_for_reads_and_unknown_for_writes(open_session: Open, how: str) -> None:
    with RawServer(reset) as server:
        session = open_session(server.url)
        with pytest.raises(RetryLater, match="lost"):
            read(session, how)
        with pytest.raises(OutcomeUnknown, match="lost"):
            write(session)


@pytest.mark.parametrize("how", [*READERS, "write"])
def test_refused_connection_was_certainly_not_sent(open_session: Open, how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    session = open_session(f"http://127.0.0.1:{port}")
    with pytest.raises(RetryLater, match="not called: it does not accept connections"):
        write(session) if how == "write" else read(session, how)


def test_unknown_host_was_certainly_not_sent(open_session: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(RetryLater, match="host name could not be found"):
        write(open_session("https://crm.example.com"))


def test_an_older_failure_does_not_colour_the_next_one(open_session: Open) -> None:
    """A lost write inside the handler of a refused one is still unknown."""
    with RawServer(reset) as server:
        dead, alive = open_session("http://127.0.0.1:1"), open_session(server.url)
        try:
            write(dead)
        except RetryLater:
            with pytest.raises(OutcomeUnknown):
                write(alive)


@pytest.mark.parametrize(
    ("status", "for_read", "for_write"),
    [
        (400, Rejected, Rejected),
        (401, ConnectionBroken, ConnectionBroken),
        (403, ConnectionBroken, ConnectionBroken),
        (404, Rejected, Rejected),
        (408, RetryLater, OutcomeUnknown),
        (409, RemoteConflict, RemoteConflict),
        (422, Rejected, Rejected),
        (429, RateLimited, RateLimited),
        (500, RetryLater, OutcomeUnknown),
        (502, RetryLater, OutcomeUnknown),
        (503, RetryLater, OutcomeUnknown),
        (504, RetryLater, OutcomeUnknown),
        (302, ConnectionBroken, ConnectionBroken),
        (307, ConnectionBroken, ConnectionBroken),
    ],
)
def test_status_decides_the_error(
    open_session: Open, status: int, for_read: type[RemoteError], for_write: type[RemoteError]
) -> None:
    body = '{"message": "Không được", "phone": "0912 345 678"}'
    location = "http://10.0.0.1/" if status < 400 else None
    with RawServer(answer(body, status, X_Request_Id="r-1", Location=location)) as server:
        session = open_session(server.url)
        for how in READERS:
            with pytest.raises(RemoteError) as told:
                read(session, how)
            assert type(told.value) is for_read
        with pytest.raises(RemoteError) as told:
            write(session)
    assert type(told.value) is for_write
    assert (told.value.status, told.value.request_id, told.value.words) == (status, "r-1", "Không được")
    assert told.value.excerpt == '{"message": "Không được", "phone": "***678"}'
    assert str(told.value).startswith("Test CRM, create: ")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"message": "No. (and 1 more)", "errors": {"name": ["Needed."], "tags.0": ["A text.", "Short."]}}',
         "name: Needed.; tags.0: A text.; Short."),
        ('{"message": "No.", "errors": {}}', "No."),
        ('{"message": "No.", "errors": {"name": null}}', "No."),
        ('{"message": "No.", "errors": ["a"]}', "No."),
        ('{"errors": ["a", {"detail": "b"}]}', "a; b"),
    ],
)  # fmt: skip
def test_words_name_the_fields_where_the_answer_does(open_session: Open, body: str, words: str) -> None:
    with RawServer(answer(body, 422)) as server, pytest.raises(Rejected) as told:
        write(open_session(server.url))
    assert told.value.words == words


def test_gone_is_what_the_caller_says(open_session: Open) -> None:
    with RawServer(answer("{}", 404)) as server:
        session = open_session(server.url)
        with pytest.raises(Gone):
            session.get_json("/contacts/1", operation="read", gone={404, 410})
        with pytest.raises(Gone):
            session.send_json("DELETE", "/contacts/1", operation="delete", gone={404})
        with pytest.raises(Rejected) as told:
            read(session)
    assert type(told.value) is Rejected


@pytest.mark.parametrize(
    ("given", "after"),
    [("7", 7.0), ("0", 0.0), ("315360000", 900.0), ("soon", None), ("-5", None), (None, None), ("٣", None)],
)
def test_429_says_how_long_to_wait(open_session: Open, given: str | None, after: float | None) -> None:
    header = given.encode().decode("latin-1") if given else given
    with RawServer(answer("{}", 429, Retry_After=header)) as server, pytest.raises(RateLimited) as told:
        write(open_session(server.url))
    assert told.value.after == after


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ('{"retry_after": 300}', 300.0), ('{"retry_after": 5000}', 900.0), ('{"retry_after": "soon"}', None),
        ('{"retry_after": true}', None), ('{"retry_after": -1}', None), ("busy", None), ("[]", None),
    ],
)  # fmt: skip
def test_429_may_say_in_its_body_how_long_to_wait(open_session: Open, body: str, after: float | None) -> None:
    with RawServer(answer(body, 429)) as server, pytest.raises(RateLimited) as caught:
        open_session(server.url).send_json("POST", "/x", {}, operation="write")
    assert caught.value.after == after


def test_words_of_an_error_are_found_where_the_vendor_puts_them(open_session: Open) -> None:
    with RawServer(answer('{"why": "too long"}', 400)) as server:
        session = open_session(server.url, words=lambda body: f"said {len(body)} bytes")
        with pytest.raises(Rejected) as caught:
            session.send_json("POST", "/x", {}, operation="write")
    assert caught.value.words == "said 19 bytes"


def test_503_is_throttling_for_reads_that_are_told_so_and_where_declared(open_session: Open) -> None:
    with RawServer(answer("{}", 503, Retry_After="3")) as server:
        with pytest.raises(RateLimited):
            read(open_session(server.url))
        with pytest.raises(OutcomeUnknown):  # may come from a proxy that gave up waiting
            write(open_session(server.url))
        with pytest.raises(RateLimited):
            write(open_session(server.url, throttling={429, 503}))


# Retries


@pytest.mark.parametrize("how", READERS)
@pytest.mark.parametrize(
    "fault", [reset, answer("{}", 503), answer("{}", 500), answer("{}", 429, Retry_After="0")]
)
def test_read_is_tried_again(open_session: Open, how: str, fault: object) -> None:
    with RawServer(fault, fault, answer("[1]")) as server:  # type: ignore[arg-type]
        assert read(open_session(server.url, read_attempts=3, deadline=10), how) == [1]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "fault", [reset, answer("{}", 503), answer("{}", 429, Retry_After="0"), answer("<html>")]
)
def test_write_is_never_tried_again(open_session: Open, fault: object) -> None:
    with RawServer(fault, answer("[1]")) as server:  # type: ignore[arg-type]
        with pytest.raises(RemoteError):
            write(open_session(server.url, read_attempts=5))
        assert len(server.requests) == 1


def test_read_attempts_are_bounded(open_session: Open) -> None:
    with RawServer(answer("{}", 500)) as server, pytest.raises(RetryLater):
        read(open_session(server.url, read_attempts=3, deadline=30))
    assert len(server.requests) == 3


def test_429_waits_as_long_as_told(open_session: Open) -> None:
    with RawServer(answer("{}", 429, Retry_After="1"), answer("[1]")) as server:
        started = time.monotonic()
        assert read(open_session(server.url, read_attempts=2, deadline=5)) == [1]
    assert 1.0 <= time.monotonic() - started < 2


def test_longer_429_goes_to_the_caller_at_once(open_session: Open) -> None:
    with RawServer(answer("{}", 429, Retry_After="60")) as server:
        started = time.monotonic()
        with pytest.raises(RateLimited) as told:
            read(open_session(server.url, read_attempts=5, deadline=100))
    assert told.value.after == 60
    assert time.monotonic() - started < 1
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", READERS)
def test_idle_connection_closed_meanwhile_is_replaced_for_reads(open_session: Open, how: str) -> None:
    """The server closes only when the second request is already on its way."""
    with RawServer(answer("[1]"), reset, answer("[2]")) as server:
        session = open_session(server.url, read_attempts=2)
        started = time.monotonic()
        assert [read(session, how), read(session, how)] == [[1], [2]]
    assert (len(server.requests), server.connections) == (3, 2)
    assert time.monotonic() - started < 0.2


def test_idle_connection_closed_meanwhile_leaves_a_write_unknown(open_session: Open) -> None:
    with RawServer(answer("[1]"), reset, answer("[2]")) as server:
        session = open_session(server.url, read_attempts=2)
        read(session)
        with pytest.raises(OutcomeUnknown):
            write(session)
    assert len(server.requests) == 2


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_write_never_follows_a_redirect(open_session: Open, status: int) -> None:
    moved = answer("{}", status, Location="/contacts/")
    with RawServer(moved) as server, pytest.raises(ConnectionBroken, match="redirect"):
        write(open_session(server.url))
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", READERS)
def test_read_follows_within_its_host_only(open_session: Open, how: str) -> None:
    with RawServer(answer()) as other:
        moved = answer("{}", 302, Location=f"{other.url}/contacts")
        with RawServer(answer("{}", 301, Location="/new?page=2"), answer("[1]"), moved) as server:
            session = open_session(server.url)
            assert read(session, how) == [1]
            with pytest.raises(ConnectionBroken, match="another host"):
                read(session, how)
    assert server.requests[1].startswith("GET /new?page=2 ")
    assert KEY in server.requests[1]
    assert other.requests == []


def test_circle_of_redirects_ends(open_session: Open) -> None:
    with RawServer(answer("{}", 302, Location="/contacts")) as server, pytest.raises(ConnectionBroken):
        read(open_session(server.url))
    assert len(server.requests) == 4


# Limit, circuit, credentials


class _Count:
    def __init__(self) -> None:
        self.turns = 0

    def acquire(self, deadline: float) -> None:
        self.turns += 1


def test_limiter_is_asked_before_every_attempt(open_session: Open) -> None:
    limiter = _Count()
    with RawServer(answer("{}", 429, Retry_After="0"), answer("[]")) as server:
        session = open_session(server.url, limiter=limiter, read_attempts=2)
        read(session, "fetch")
        write(session)
    assert limiter.turns == len(server.requests) == 3


def test_open_circuit_spares_the_vendor(open_session: Open) -> None:
    with RawServer(reset) as server:
        session = open_session(server.url, breaker=ProcessBreaker(failures=2, cooldown=60))
        for _ in range(5):
            with pytest.raises((RetryLater, OutcomeUnknown)):
                write(session)
        with pytest.raises(RetryLater, match="not called"):
            write(session)
    assert len(server.requests) == 2


def test_answers_with_errors_keep_the_circuit_closed(open_session: Open) -> None:
    with RawServer(answer("{}", 500)) as server:
        session = open_session(server.url, breaker=ProcessBreaker(failures=1, cooldown=60))
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                write(session)
    assert len(server.requests) == 3


class _Signer:
    """Signs each attempt anew and can renew its token, as later vendors will."""

    def __init__(self) -> None:
        self.generation = 1
        self.attempts = 0
        self._lock = threading.Lock()
        self.logins = 0

    def apply(self, request: Outgoing) -> int:
        with self._lock:
            self.attempts += 1
            request.params.append(("sign", f"{self.generation}-{self.attempts}"))
            return self.generation

    def refresh(self, seen: int) -> bool:
        with self._lock:
            if seen == self.generation:
                self.generation, self.logins = seen + 1, self.logins + 1
            return True


def test_signature_is_fresh_for_every_attempt(open_session: Open) -> None:
    with RawServer(answer("{}", 500), answer("[]")) as server:
        read(open_session(server.url, auth=_Signer(), read_attempts=2, deadline=5))
    assert [line.split()[1] for line in server.requests] == ["/contacts?sign=1-1", "/contacts?sign=1-2"]


def test_401_renews_the_credential_once(open_session: Open) -> None:
    with RawServer(answer("{}", 401), answer('{"success": 1}'), answer("{}", 401)) as server:
        session = open_session(server.url, auth=_Signer())
        assert write(session) == {"success": 1}
        with pytest.raises(ConnectionBroken):
            write(session)
    assert len(server.requests) == 4


def test_many_threads_renew_an_expired_credential_once(open_session: Open) -> None:
    signer = _Signer()

    def expired(client: socket.socket, request: str) -> None:
        answer("[]" if "sign=2-" in request else "{}", 200 if "sign=2-" in request else 401)(client, request)

    with RawServer(expired) as server:
        session = open_session(server.url, auth=signer, parallel=16)
        threads = [threading.Thread(target=read, args=(session, "fetch")) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert signer.logins == 1


# Log


def test_one_line_per_attempt_without_query_body_or_key(
    open_session: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with RawServer(answer('{"message": "canary-body"}', 500), answer('["canary-body"]')) as server:
        session = open_session(server.url, read_attempts=2, label="Sai\nGon", deadline=5)
        session.get_json("/contacts/0912345678", {"phone": "0912345678"}, operation="find")
        session.send_json("POST", "/contacts", {"name": "canary-body"}, operation="create")
    ours = [record.getMessage() for record in caplog.records if record.name == "backoffice.remote"]
    assert len(ours) == 3
    assert ours[0].startswith(
        "call connection=Sai\\nGon operation=find method=GET path=/contacts/***678"
        " status=500 outcome=ok duration_ms="
    )
    assert ours[1].endswith("attempt=2")
    everything = "\n".join(ours)
    assert all(word not in everything for word in (KEY, "canary-body", "0912345678", "phone"))


# The page lane


def test_ordinary_pages_need_no_general_parser(open_session: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("an ordinary answer took the long way")

    monkeypatch.setattr("backoffice.remote.lane.DeadlineResponse", refuse)
    kept = answer('{"a": 1}', Connection="keep-alive", Date="Mon, 01 Jan 2026 00:00:00 GMT", X_Request_Id="7")
    with RawServer(kept) as server:
        session = open_session(server.url)
        assert [session.fetch("/contacts", operation="list") for _ in range(3)] == [b'{"a": 1}'] * 3
    assert server.connections == 1


@pytest.mark.parametrize(
    "whole",
    [
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n',
        HEAD + b'Content-Length: 8\r\nContent-Length: 8\r\n\r\n{"a": 1}',
        HEAD.replace(b"\r\n", b"\n") + b'Content-Length: 8\n\n{"a": 1}',
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 28\r\n\r\n" + gzip.compress(b'{"a": 1}', mtime=0),
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b'Content-Length: 8\r\n\r\n{"a": 1}',
        HEAD + b'X-Name: \xc3\xa9\r\nContent-Length: 8\r\n\r\n{"a": 1}',
        HEAD + b'Connection: close\r\nContent-Length: 8\r\n\r\n{"a": 1}',
        HEAD.replace(b"1.1", b"1.0") + b'\r\n{"a": 1}',
    ],
    ids=["chunked", "length twice", "bare LF", "gzip", "100 first", "not ASCII", "close", "until closed"],
)
def test_unusual_but_whole_answers_are_read_in_any_pieces(open_session: Open, whole: bytes) -> None:
    def in_pieces(size: int) -> object:
        def behave(client: socket.socket, request: str) -> None:
            for start in range(0, len(whole), size):
                client.sendall(whole[start : start + size])
                time.sleep(0.001)
            if b"close" in whole or b"HTTP/1.0" in whole:
                client.close()

        return behave

    for size in (1, 7, 10_000):
        with RawServer(in_pieces(size)) as server:  # type: ignore[arg-type]
            session = open_session(server.url)
            assert [read(session, "fetch") for _ in range(2)] == [{"a": 1}] * 2


def test_bytes_after_an_answer_never_begin_the_next(open_session: Open) -> None:
    doubled = HEAD + b'Content-Length: 8\r\n\r\n{"a": 1}' + HEAD + b'Content-Length: 8\r\n\r\n{"a": 2}'
    with RawServer(raw_bytes(doubled), answer('{"a": 3}')) as server:
        session = open_session(server.url)
        assert [read(session, "fetch"), read(session, "fetch")] == [{"a": 1}, {"a": 3}]
    assert server.connections == 2


def test_head_without_end_is_not_read_for_ever(open_session: Open) -> None:
    endless = HEAD + b"X-More: 1234567890\r\n" * 100_000
    with RawServer(raw_bytes(endless)) as server, pytest.raises((RetryLater, BadResponse)):
        read(open_session(server.url), "fetch")


def test_redirect_to_an_odd_path_is_still_one_request(open_session: Open) -> None:
    moved = answer(b"", 302, Location="/n\u00e9w page")
    with RawServer(moved, answer('{"a": 1}')) as server:
        assert read(open_session(server.url), "fetch") == {"a": 1}
    assert len(server.requests) == 2
    assert " HTTP/1.1\r\n" in server.requests[1]
    assert len(server.requests[1].splitlines()[0].split(" ")) == 3


def test_header_cannot_be_smuggled_into_a_read(open_session: Open) -> None:
    with RawServer(answer()) as server:
        session = open_session(server.url, user_agent="a\r\nX-Evil: 1")
        with pytest.raises(ValueError, match="cannot be sent"):
            session.fetch("/contacts", operation="list")
        for path in ("/a b", "/a\r\nX-Evil: 1"):
            with pytest.raises(ValueError, match="cannot be sent"):
                open_session(server.url).fetch(path, operation="list")
    assert server.requests == []
