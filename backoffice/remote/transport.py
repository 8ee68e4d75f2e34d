"""The two ways bytes leave: `requests` for single calls, the page lane for long walks.

Both go over the same guarded pool to one host, so neither can be led elsewhere. Also puts
a broken transport into our own errors, by what is known at the socket.
"""

from __future__ import annotations

import http.client
import ssl
from typing import Any

import requests
import urllib3
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from urllib3.response import BaseHTTPResponse

from backoffice.remote.answers import Received, receive, refusal
from backoffice.remote.auth import Outgoing
from backoffice.remote.errors import ConnectionBroken, OutcomeUnknown, RemoteError, RetryLater
from backoffice.remote.lane import PageLane
from backoffice.remote.target import Target
from backoffice.remote.wire import AddressRefused, GuardedPool, PlainPool, TlsPool, attempt

#: Everything a transport may raise; `failure_of` turns it into one of ours.
BROKEN = (
    AddressRefused,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)


class _OneHost(HTTPAdapter):
    """Sends whatever requests is given over one given pool, hence to one host only."""

    def __init__(self, pool: urllib3.HTTPConnectionPool) -> None:
        super().__init__(max_retries=0)
        self._pool = pool

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> urllib3.HTTPConnectionPool:
        return self._pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """The pool verifies already and cannot be talked out of it."""


class Transports:
    """Owns the pool of one RemoteSession and both ways over it."""

    def __init__(self, target: Target, parallel: int, ca_file: str | None) -> None:
        self._origin = target.origin
        self._pool: GuardedPool
        if target.scheme == "https":
            context = ssl.create_default_context(cafile=ca_file or DEFAULT_CA_BUNDLE_PATH)
            self._pool = TlsPool(target.host, target.port, maxsize=parallel, ssl_context=context)
        else:
            self._pool = PlainPool(target.host, target.port, maxsize=parallel)
        self._adapter = _OneHost(self._pool)
        #: For thousands of reads.
        self.by_lane = PageLane(self._pool, target.origin.partition("://")[2]).read

    def by_requests(self, request: Outgoing, timeout: tuple[float, float], max_bytes: int) -> Received:
        """For single calls."""
        url = self._origin + request.target()
        prepared = requests.Request(request.method, url, request.headers, data=request.body).prepare()
        # the adapter and not a Session: that one reads redirects' bodies unbounded, keeps cookies
        # and takes proxies and passwords from the environment
        answer = self._adapter.send(prepared, stream=True, timeout=timeout)
        raw: BaseHTTPResponse = answer.raw
        return receive(raw, max_bytes)

    def close(self) -> None:
        """Closes the idle connections."""
        self._pool.close()


def failure_of(error: BaseException, *, read: bool) -> tuple[RemoteError, bool]:
    """Our error for a broken transport, and whether it counts against the circuit."""
    if attempt.unsent is not None:
        return _not_sent(attempt.unsent), True
    if _find(error, urllib3.exceptions.DecodeError):
        return refusal(read, "it cannot be decompressed"), False
    reason = "no answer came in time" if _find(error, TimeoutError) else "the connection was lost"
    if not read:
        return OutcomeUnknown(f"{reason}, so this may or may not be applied"), True
    later = RetryLater(reason)
    if not attempt.fresh and not _find(error, TimeoutError):
        later.after = 0.0  # an idle connection it had closed meanwhile: simply ask again
        return later, False
    return later, True


def _not_sent(error: Exception) -> RemoteError:
    """Nothing left this machine, so any call may simply be repeated."""
    if refused := _find(error, AddressRefused):
        return ConnectionBroken(f"not called: {refused}")
    if invalid := _find(error, ssl.SSLCertVerificationError):
        return RetryLater(f"not called: its certificate is not valid ({invalid.verify_message})")
    if _find(error, ssl.SSLError):
        return RetryLater("not called: no secure connection could be made")
    if _find(error, urllib3.exceptions.NameResolutionError):
        return RetryLater("not called: its host name could not be found")
    if _find(error, TimeoutError):
        return RetryLater("not called: connecting took too long")
    return RetryLater("not called: it does not accept connections")


def _find(error: BaseException | None, kind: type[Any]) -> Any:
    """The first exception of that kind in the chain that led to `error`."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, kind):
            return error
        seen.add(id(error))
        wrapped = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        error = wrapped or error.__cause__ or error.__context__
    return None
