"""HTTP/1.1 on a plain socket: reading requests and delivering answers, also badly.

`http.server` parses headers with the e-mail package; benches read thousands of pages, so this
reads them by hand, and keeps the socket at hand for answers that must be cut, dripped or endless.
"""

import json
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote

JSON_TYPE = "application/json; charset=utf-8"
MAX_BODY = 64 * 1024 * 1024
MAX_HEADERS = 200
REASONS = {status.value: status.phrase for status in HTTPStatus}


class NoSuchCall(Exception):
    """A control call nobody answers."""


class BadRequest(Exception):
    """The bytes received are not a request that can be answered."""


@dataclass(slots=True)
class Request:
    """One request; `hints` tells the vendor what faults want and how busy the last second was."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    keep_alive: bool
    hints: dict[str, Any] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; an empty body is an empty object."""
        try:
            return json.loads(self.body) if self.body.strip() else {}
        except (ValueError, RecursionError):
            raise BadRequest("the body is not valid JSON") from None


@dataclass(slots=True)
class Answer:
    """What to send back, and how the delivery is to be spoiled, if at all."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE
    hold: float = 0.0  # seconds of silence before anything is sent
    cut: bool = False  # reset the connection instead of answering
    keep_bytes: int | None = None  # send only this much of the body, then close
    drip: float | None = None  # seconds between single bytes
    stream: Iterator[bytes] | None = None  # a body without an announced end
    idle_limit: float | None = None  # seconds until the kept connection is dropped unannounced
    drop_next: bool = False  # reset the kept connection as soon as the next request arrives


def json_answer(value: Any, status: int = 200) -> Answer:
    """An ordinary JSON answer."""
    return Answer(status=status, body=json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def read_request(stream: BinaryIO) -> Request | None:
    """The next request of a connection, or None when the client has closed it."""
    line = stream.readline(65537)
    while line in (b"\r\n", b"\n"):
        line = stream.readline(65537)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest("not an HTTP/1 request line")
    method, target, version = parts
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = stream.readline(65537)
        if line in (b"\r\n", b"\n", b""):
            break
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    else:
        raise BadRequest("too many headers")
    path, _, query = target.partition("?")
    connection = headers.get("connection", "").lower()
    return Request(
        method=method,
        path=unquote(path),
        query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
        headers=headers,
        body=_read_body(stream, headers),
        keep_alive=connection == "keep-alive" if version == "HTTP/1.0" else connection != "close",
    )


def _read_body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while True:
            size = _number(stream.readline(1024).split(b";")[0].decode("latin-1"), 16)
            if len(body) + size > MAX_BODY:
                raise BadRequest("body too large")
            body += stream.read(size)
            stream.readline(1024)
            if size == 0:
                return body
    length = _number(headers.get("content-length") or "0", 10)
    if length > MAX_BODY:
        raise BadRequest("body too large")
    return stream.read(length) if length else b""


def _number(text: str, base: int) -> int:
    try:
        number = int(text.strip(), base)
    except ValueError:
        raise BadRequest("the length of the body is not a number") from None
    if number < 0:
        raise BadRequest("the length of the body is negative")
    return number


def send(sock: socket.socket, answer: Answer, keep_alive: bool) -> bool:
    """Deliver an answer as it asks; true when the connection may carry another request."""
    if answer.hold:
        _wait_while_open(sock, answer.hold)
    if answer.cut:
        reset(sock)
        return False
    if answer.stream is not None:
        return _send_stream(sock, answer)
    head = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Unknown')}\r\n"]
    head.append(f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n")
    head.extend(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    head.append("\r\n" if keep_alive else "Connection: close\r\n\r\n")
    whole = "".join(head).encode("latin-1", "replace")
    if answer.drip is not None:
        return _send_dripping(sock, whole + answer.body, answer.drip) and keep_alive
    if answer.keep_bytes is not None:
        sock.sendall(whole + answer.body[: answer.keep_bytes])
        return False
    sock.sendall(whole + answer.body)
    return keep_alive


def reset(sock: socket.socket) -> None:
    """Close so that the peer sees a reset (RST), not an orderly end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close(sock.detach())


def _send_stream(sock: socket.socket, answer: Answer) -> bool:
    head = f"HTTP/1.1 {answer.status} OK\r\nContent-Type: {answer.content_type}\r\nConnection: close\r\n\r\n"
    sock.sendall(head.encode("latin-1"))
    for block in answer.stream or ():
        sock.sendall(block)
    return False


def _send_dripping(sock: socket.socket, data: bytes, interval: float) -> bool:
    for position in range(len(data)):
        sock.sendall(data[position : position + 1])
        if not _wait_while_open(sock, interval):
            return False
    return True


def _wait_while_open(sock: socket.socket, seconds: float) -> bool:
    """Sleep, but no longer than the peer stays; false when it left."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        readable, _, _ = select.select([sock], [], [], min(left, 0.25))
        if readable:
            if not sock.recv(1, socket.MSG_PEEK):
                return False
            time.sleep(min(left, 0.05))  # a pipelined request: data, so the peer is still there
    return True
