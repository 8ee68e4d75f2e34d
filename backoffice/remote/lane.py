"""The short way for the thousands of reads of a page walk: one socket, one answer, few objects.

An ordinary answer (200, a plain head, its length announced, nothing encoded) is read straight
from the socket. Whatever is less ordinary is handed, with the bytes read so far, to the parser
that all other calls use; so there is one judge of odd answers, and it is not this module.
"""

from __future__ import annotations

import http.client
import re
from typing import Any

from urllib3 import HTTPHeaderDict
from urllib3.response import HTTPResponse

from backoffice.remote.answers import Received, receive
from backoffice.remote.auth import Outgoing
from backoffice.remote.body import TooBig
from backoffice.remote.wire import DeadlineResponse, GuardedPool, attempt

_END_OF_HEAD = re.compile(rb"\n\r?\n")
_ORDINARY_HEAD = re.compile(rb"HTTP/1\.1 200[ -~]*\r\n(?:[!#-'*+.0-9A-Z^-z|~-]+:[ -~\t]*\r\n)*\r\n")
_LINE = re.compile(rb"\n([^:\r]+):[ \t]*([^\r]*?)[ \t]*(?=\r)")
_TARGET = re.compile(r"/[!-~]*")
_SENDABLE = re.compile(r"[ -~]+")
#: Each changes how the body ends, so the general parser decides.
_NOT_ORDINARY = frozenset({b"transfer-encoding", b"content-encoding", b"trailer"})
_LONGEST_HEAD = 65536
_CHUNK = 65536


class PageLane:
    """Reads over the connections of one guarded pool; safe to share between threads."""

    def __init__(self, pool: GuardedPool, host: str) -> None:
        self._pool, self._host = pool, host

    def read(self, request: Outgoing, timeout: tuple[float, float], max_bytes: int) -> Received:
        """One GET. Raises what a broken transport raises, and TooBig."""
        head = self._head(request)
        connection = self._pool.borrow()
        try:
            if connection.sock is None:
                connection.timeout = timeout[0]
                connection.connect()
            connection.sock.settimeout(attempt.left())
            connection.sock.sendall(head)
            got = b""
            while not (end := _END_OF_HEAD.search(got)) and len(got) < _LONGEST_HEAD:
                if not (part := _some(connection.sock)):
                    break
                got += part
            headers = _ordinary(got[: end.end()]) if end else None
            if headers is None:
                return self._general(connection, got, max_bytes)
            assert end is not None
            length = int(headers["content-length"])
            if length > max_bytes:
                raise TooBig
            body = _rest(connection.sock, got[end.end() :], length)
            if len(body) > length:  # more than it announced: who knows what the next answer would be
                connection.close()
        except BaseException:
            connection.close()
            self._pool.give_back(connection)
            raise
        self._pool.give_back(connection)
        return Received(200, headers, body[:length])

    def _head(self, request: Outgoing) -> bytes:
        target = request.target()
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        if not (_TARGET.fullmatch(target) and all(map(_SENDABLE.fullmatch, lines))):
            raise ValueError("A path or a header holds characters that cannot be sent.")
        head = "\r\n".join([f"GET {target} HTTP/1.1", f"Host: {self._host}", *lines, "", ""])
        return head.encode("ascii")

    def _general(self, connection: Any, got: bytes, max_bytes: int) -> Received:
        """Any other answer, by the parser of all other calls, from its first byte on."""
        answer = DeadlineResponse(connection.sock, method="GET", ahead=got)
        answer.begin()
        if answer.will_close:
            connection.close()
        return receive(
            HTTPResponse(
                body=answer,
                headers=HTTPHeaderDict(answer.msg.items()),
                status=answer.status,
                preload_content=False,
                original_response=answer,
                request_method="GET",
                pool=self._pool,
                connection=connection,
            ),
            max_bytes,
        )


def _ordinary(head: bytes) -> HTTPHeaderDict | None:
    """The headers, where they leave no question about where the body ends."""
    if not _ORDINARY_HEAD.fullmatch(head):
        return None
    lines = _LINE.findall(head)
    named = {name.lower(): value for name, value in lines}
    if len(named) != len(lines) or not named.get(b"content-length", b"").isdigit():
        return None
    if (
        not _NOT_ORDINARY.isdisjoint(named)
        or named.get(b"connection", b"keep-alive").lower() != b"keep-alive"
    ):
        return None
    headers = HTTPHeaderDict()
    for name, value in lines:
        headers.add(name.decode(), value.decode())
    return headers


def _some(sock: Any) -> bytes:
    """The next bytes, within the read timeout and what is left of the call; b"" at the end."""
    sock.settimeout(attempt.left())
    part: bytes = sock.recv(_CHUNK)
    return part


def _rest(sock: Any, body: bytes, length: int) -> bytes:
    if len(body) >= length:
        return body
    parts, missing = [body], length - len(body)
    while missing > 0:
        if not (part := _some(sock)):
            raise http.client.IncompleteRead(b"".join(parts), missing)
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
