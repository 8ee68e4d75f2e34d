"""RemoteSession: the only way this product talks HTTP to anyone.

It keeps the promises that single calls forget: a fixed and checked host, a verified
certificate, no surprise proxies or redirects, a deadline for the whole call, a cap on the
body, the rate limit before every attempt, retries for reads only, one tree of errors and
one redacted log line per attempt.
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import orjson
from urllib3.response import BaseHTTPResponse

from backoffice.remote.answers import Judge, Received, error_for, receive, refusal, with_evidence
from backoffice.remote.auth import Auth, Outgoing
from backoffice.remote.body import NotJson, TooBig, parse_json
from backoffice.remote.errors import ConnectionBroken, RemoteError, RetryLater, StaleCredential
from backoffice.remote.limits import CircuitBreaker, Limiter, NoBreaker, NoLimit
from backoffice.remote.redact import one_line, redact
from backoffice.remote.target import check_base_url
from backoffice.remote.transport import BROKEN, Transports, failure_of
from backoffice.remote.wire import attempt

logger = logging.getLogger("backoffice.remote")

Params = Mapping[str, object]
Send = Callable[[Outgoing, tuple[float, float]], BaseHTTPResponse]

_READS = frozenset({"GET", "HEAD"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for one connect and one read; the deadline of the call rules over both."""

    connect: float = 5.0
    read: float = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer; `data` is None when the body was empty."""

    status: int
    data: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Call:
    operation: str
    send: Send
    ends: float
    read: bool
    attempts: int


class RemoteSession:
    """One per credential, safe to share between threads; see the module's docstring."""

    def __init__(
        self,
        base_url: str,
        auth: Auth,
        *,
        label: str,
        limiter: Limiter | None = None,
        breaker: CircuitBreaker | None = None,
        timeouts: Timeouts | None = None,
        deadline: float = 60.0,
        max_bytes: int = 16 * 1024 * 1024,
        parallel: int = 2,
        user_agent: str = "crm-backoffice",
        allow_loopback: bool = False,
        throttling: Collection[int] = frozenset({429}),
        renew_on: Collection[int] = frozenset({401}),
        content_types: Collection[str] = frozenset({"application/json"}),
        judge: Judge | None = None,
        read_attempts: int = 4,
        longest_wait: float = 10.0,
        ca_file: str | None = None,
    ) -> None:
        self.label = label
        self._target = check_base_url(base_url, allow_loopback=allow_loopback)
        self._auth = auth
        self._limiter: Limiter = limiter or NoLimit()
        self._breaker: CircuitBreaker = breaker or NoBreaker()
        self._timeouts, self._deadline, self._max_bytes = timeouts or Timeouts(), deadline, max_bytes
        self._throttling, self._renew_on, self._content_types = throttling, renew_on, content_types
        self._judge, self._read_attempts, self._longest_wait = judge, read_attempts, longest_wait
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        self._slots = threading.BoundedSemaphore(parallel)
        self._transports = Transports(self._target, parallel, ca_file)

    def __enter__(self) -> RemoteSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the idle connections."""
        self._transports.close()

    def get_json(
        self, path: str, params: Params | None = None, *, operation: str, gone: Collection[int] = ()
    ) -> Answer:
        """Reads one thing; `gone` lists the statuses that mean the record does not exist."""
        request = self._outgoing("GET", path, params)
        received = self._call(request, operation, self._transports.by_requests, gone)
        return Answer(received.status, self.parse(received.body, operation=operation), received.headers)

    def send_json(
        self,
        method: str,
        path: str,
        json: Any = None,
        params: Params | None = None,
        *,
        operation: str,
        gone: Collection[int] = (),
    ) -> Answer:
        """Writes once, never twice; an unclear end raises OutcomeUnknown."""
        body = None if json is None else orjson.dumps(json)
        request = self._outgoing(method, path, params, body)
        received = self._call(request, operation, self._transports.by_requests, gone)
        data: Any = None
        if received.body.strip():
            try:
                data = parse_json(received.body)
            except NotJson as error:
                raise self._told(refusal(False, str(error)), operation, received) from error
        return Answer(received.status, data, received.headers)

    def fetch(
        self, path: str, params: Params | None = None, *, operation: str, repeatable: bool = True
    ) -> bytes:
        """Reads one page of a long walk as bytes: same promises, less overhead; see `parse`.

        A read that is not `repeatable` moves a cursor on the other side: it is asked once only.
        """
        request = self._outgoing("GET", path, params)
        attempts = self._read_attempts if repeatable else 1
        return self._call(request, operation, self._transports.by_pool, (), attempts).body

    def parse(self, body: bytes, *, operation: str) -> Any:
        """JSON data of a body that was read; raises BadResponse."""
        try:
            return parse_json(body)
        except NotJson as error:
            raise self._told(refusal(True, str(error)), operation, Received(200, {}, body)) from error

    def _outgoing(
        self, method: str, path: str, params: Params | None = None, body: bytes | None = None
    ) -> Outgoing:
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"A path begins with one slash, unlike {path!r}.")
        pairs = [(key, str(value)) for key, value in (params or {}).items() if value is not None]
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        return Outgoing(method, self._target.path + path, pairs, headers, body)

    def _call(
        self,
        request: Outgoing,
        operation: str,
        send: Send,
        gone: Collection[int],
        attempts: int | None = None,
    ) -> Received:
        """Attempts until there is an answer to return, an error to raise or no time left."""
        ends, read = time.monotonic() + self._deadline, request.method in _READS
        call = _Call(operation, send, ends, read, attempts or self._read_attempts)
        renewed, redirects = False, 0
        for number in itertools.count(1):
            error: RemoteError | None
            try:
                received, generation = self._attempt(request, call, number)
            except RemoteError as failure:
                error = failure
            else:
                error = self._verdict(received, call.read, gone)
                if error is None:
                    return received
                with_evidence(error, received)
                stale = received.status in self._renew_on or isinstance(error, StaleCredential)
                if stale and not renewed and self._refreshed(generation, call):
                    renewed = True
                    continue
                if received.status in _REDIRECTS and call.read and redirects < _MAX_REDIRECTS:
                    redirects += 1
                    request = self._follow(request, received, operation)
                    continue
            wait = self._wait_before_retry(error, number, call)
            if wait is None:
                raise self._told(error, operation)
            time.sleep(wait)
        raise AssertionError("unreachable")

    def _refreshed(self, generation: int, call: _Call) -> bool:
        """Whether a newer credential is ready; a renewal that fails ends the call."""
        try:
            return self._auth.refresh(generation)
        except RemoteError as failure:
            raise self._told(failure, call.operation) from failure.__cause__

    def _attempt(self, request: Outgoing, call: _Call, number: int) -> tuple[Received, int]:
        self._breaker.check()
        if not self._slots.acquire(timeout=max(0.0, call.ends - time.monotonic())):
            raise RetryLater("not called: all our connections to it are busy")
        started, received, outcome = time.monotonic(), None, "ok"
        try:
            self._limiter.acquire(call.ends)
            signed = replace(request, params=[*request.params], headers={**request.headers})
            generation = self._auth.apply(signed)
            started = time.monotonic()
            left = call.ends - started
            if left <= 0:
                raise RetryLater("not called: no time was left")
            attempt.begin(call.ends, self._timeouts.read)
            timeout = min(self._timeouts.connect, left), min(self._timeouts.read, left)
            received = receive(call.send(signed, timeout), self._max_bytes)
        except RemoteError as error:
            outcome = type(error).__name__
            raise
        except TooBig as error:
            outcome = "TooBig"
            raise refusal(call.read, f"it is larger than {self._max_bytes:,} bytes") from error
        except BROKEN as error:
            outcome = type(error).__name__
            lost, unreachable = failure_of(error, read=call.read)
            if unreachable:
                self._breaker.failed()
            raise lost from error
        finally:
            self._slots.release()
            self._log(request, call, number, started, received, outcome)
        self._breaker.succeeded()
        return received, generation

    def _verdict(self, received: Received, read: bool, gone: Collection[int]) -> RemoteError | None:
        """What the answer means: by its body where a judge can tell, by its status otherwise."""
        unfit = self._unfit(received, read)
        if self._judge is not None and unfit is None and received.status not in _REDIRECTS:
            said = self._judge(received, read=read)
            if said is not False:
                return None if said is True else said
        return error_for(received, read=read, gone=gone, throttling=self._throttling) or unfit

    def _unfit(self, received: Received, read: bool) -> RemoteError | None:
        """A 2xx answer that cannot be what was asked for."""
        if not received.body.strip():
            # without a length nobody can tell an empty answer from a lost one
            whole = received.status == 204 or received.headers.get("Content-Length") == "0"
            return None if whole and not read else refusal(read, "it is empty")
        kind = received.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if not kind or kind in self._content_types or kind.endswith("+json"):
            return None
        return refusal(read, f"it is {one_line(kind)[:60]}, not JSON")

    def _follow(self, request: Outgoing, received: Received, operation: str) -> Outgoing:
        """The same read at the address within our host that a redirect names."""
        here = self._target.origin + request.path
        there = urlsplit(urljoin(here, received.headers.get("Location", "")))
        try:
            same = check_base_url(f"{there.scheme}://{there.netloc}", allow_loopback=True).origin
        except ValueError:
            same = ""
        if same != self._target.origin:
            broken = ConnectionBroken(
                "it redirects to another host, which we do not follow; check the base URL"
            )
            raise self._told(broken, operation, received)
        return replace(request, path=there.path or "/", params=parse_qsl(there.query, keep_blank_values=True))

    def _wait_before_retry(self, error: RemoteError, number: int, call: _Call) -> float | None:
        """Seconds to sleep before the next attempt; None when the caller must decide."""
        if not call.read or not isinstance(error, RetryLater) or number >= call.attempts:
            return None
        wait = error.after
        if wait is None:
            wait = random.uniform(0, min(self._longest_wait, 0.25 * 2**number))  # noqa: S311  jitter
        if wait > self._longest_wait or time.monotonic() + wait >= call.ends:
            return None
        return wait

    def _told(self, error: RemoteError, operation: str, received: Received | None = None) -> RemoteError:
        """The error with its context: which connection, which operation, what came back."""
        error.connection, error.operation = self.label, operation
        return with_evidence(error, received) if received else error

    def _log(
        self,
        request: Outgoing,
        call: _Call,
        number: int,
        started: float,
        received: Received | None,
        outcome: str,
    ) -> None:
        if logger.isEnabledFor(logging.INFO):
            logger.info(
                "call connection=%s operation=%s method=%s path=%s status=%s outcome=%s"
                " duration_ms=%d bytes=%d attempt=%d",
                one_line(self.label),
                call.operation,
                request.method,
                one_line(redact(request.path)),
                received.status if received else "-",
                outcome,
                (time.monotonic() - started) * 1000,
                len(received.body) if received else 0,
                number,
            )
