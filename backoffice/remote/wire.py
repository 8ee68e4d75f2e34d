"""Connections that only go where they may and never outlive a call's deadline.

Two facts about each attempt must be known for sure and cannot be read from a library's
exception: whether the request may have left this machine, and how much time is left. Both
live in `attempt`, per thread, and are kept here, at the socket.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import threading
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class _Attempt(threading.local):
    """What is known about the attempt this thread is making."""

    ends: float = 0.0
    read_timeout: float = 0.0
    #: Why no connection came about; while None the request may have been sent.
    unsent: Exception | None = None
    #: Whether this attempt opened its own connection rather than reusing an idle one.
    fresh: bool = False

    def begin(self, ends: float, read_timeout: float) -> None:
        """Forgets the attempt before."""
        self.ends, self.read_timeout = ends, read_timeout
        self.unsent, self.fresh = None, False

    def left(self) -> float:
        """Seconds the next receive may take; raises once the call's deadline has passed."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise DeadlineReached("the call's deadline has passed")
        return min(left, self.read_timeout)


attempt = _Attempt()


class AddressRefused(Exception):
    """The host name leads to an address this connection must not talk to."""


class DeadlineReached(TimeoutError):
    """The whole call took too long, however lively the single reads were."""


def is_public(address: Address) -> bool:
    """Whether the address, and any address wrapped in it, is on the public internet."""
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return all(is_public(each) for each in inner if each is not None)


def is_loopback(host: str) -> bool:
    """Whether a host as written in a URL means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_addresses(host: str, port: int) -> list[str]:
    """Resolves once; refuses the host if any of its addresses is off limits."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    loopback_meant = is_loopback(host)
    for text in addresses:
        address = ipaddress.ip_address(text.split("%")[0])
        if not (address.is_loopback if loopback_meant else is_public(address)):
            raise AddressRefused(f"{host} leads to {text}, which is not an address on the internet")
    return addresses


class _DeadlineReader(io.RawIOBase):
    """Bounds every single receive by the read timeout and by what is left of the call."""

    def __init__(self, raw: Any, sock: socket.socket, ahead: bytes) -> None:
        self._raw, self._sock, self._ahead = raw, sock, ahead
        self._ends, self._read_timeout = attempt.ends, attempt.read_timeout
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise DeadlineReached("the call's deadline has passed")
        if self._ahead:
            count = min(len(buffer), len(self._ahead))
            buffer[:count], self._ahead = self._ahead[:count], self._ahead[count:]
            return count
        self._sock.settimeout(min(left, self._read_timeout))
        count = self._raw.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class DeadlineResponse(http.client.HTTPResponse):
    """An answer whose status line, headers and body are all read against the deadline.

    `ahead` is what was read of it already.
    """

    def __init__(self, sock: socket.socket, *args: Any, ahead: bytes = b"", **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._reader = _DeadlineReader(self.fp.detach(), sock, ahead)
        self.fp = io.BufferedReader(self._reader, 65536)

    def begin(self) -> None:
        """Headers that break off or make no sense would otherwise pass for an empty answer."""
        super().begin()
        if self._reader.ended or self.msg.defects:
            raise http.client.RemoteDisconnected("the answer's headers are not whole")


class _Guarded(HTTPConnection):
    response_class = DeadlineResponse

    def _new_conn(self) -> socket.socket:
        """Connects to one of the addresses that were checked, not to the name again."""
        try:
            addresses = allowed_addresses(self._dns_host, self.port)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        for address in addresses:
            left = min(float(self.timeout or attempt.read_timeout), attempt.ends - time.monotonic())
            try:
                if left <= 0:
                    raise TimeoutError("the call's deadline has passed")
                return create_connection((address, self.port), left, None, self.socket_options)
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "connecting took too long") from failure
        raise NewConnectionError(self, str(failure)) from failure

    def connect(self) -> None:
        """Until this returns, not a byte of the request has left."""
        attempt.fresh = True
        try:
            super().connect()
        except Exception as error:
            attempt.unsent = error
            raise


class _PlainConnection(_Guarded):
    pass


class _TlsConnection(_Guarded, HTTPSConnection):
    pass


class GuardedPool(HTTPConnectionPool):
    """Idle connections to one host, for the ordinary calls and for those that drive the socket."""

    def borrow(self) -> Any:
        """A connection nobody else uses; unconnected when new or closed by the other side."""
        return self._get_conn()

    def give_back(self, connection: Any) -> None:
        """After use, closed or not."""
        self._put_conn(connection)


class PlainPool(GuardedPool):
    """Connections to this machine during development."""

    ConnectionCls = _PlainConnection


class TlsPool(GuardedPool, HTTPSConnectionPool):
    """Connections to everybody else; the certificate is always verified."""

    ConnectionCls = _TlsConnection
