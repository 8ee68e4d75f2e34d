"""A socket server whose every byte the test decides, for faults no polite server makes."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

Behaviour = Callable[[socket.socket, str], None]


class RawServer:
    """Reads whole requests on a loopback port and hands each to the next behaviour.

    The last behaviour stays for all later requests. `requests` holds what arrived.
    """

    def __init__(self, *behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._behaviours = list(behaviours)
        self._tls = tls
        self._lock = threading.Lock()
        self.requests: list[str] = []
        self.connections = 0
        self.busiest = self._busy = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            while request := self._read(client):
                with self._lock:
                    self.requests.append(request)
                    behave = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
                    self._busy += 1
                    self.busiest = max(self.busiest, self._busy)
                try:
                    behave(client, request)
                finally:
                    with self._lock:
                        self._busy -= 1
        except OSError:
            client.close()

    def _read(self, client: socket.socket) -> str:
        data = b""
        while b"\r\n\r\n" not in data:
            part = client.recv(65536)
            if not part:
                return ""
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        stated = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        length = int(stated[1]) if stated else 0
        while len(body) < length:
            body += client.recv(65536)
        return (head + b"\r\n\r\n" + body).decode()


def answer(body: bytes | str = b"{}", status: int = 200, **headers: Any) -> Behaviour:
    """A correct answer; header names with underscores."""
    raw = body.encode() if isinstance(body, str) else body
    named = {"Content-Type": "application/json", "Content-Length": len(raw)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in named.items() if value is not None]
    return raw_bytes("\r\n".join([f"HTTP/1.1 {status} Word", *lines]).encode() + b"\r\n\r\n" + raw)


def raw_bytes(data: bytes, *, close: bool = False) -> Behaviour:
    """Exactly these bytes; `close` ends the connection after them."""

    def behave(client: socket.socket, request: str) -> None:
        client.sendall(data)
        if close:
            client.shutdown(socket.SHUT_RDWR)
            client.close()

    return behave


def reset(client: socket.socket, request: str) -> None:
    """Ends the connection with a TCP reset, without an answer."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def hang(client: socket.socket, request: str) -> None:
    """Takes the request and says nothing."""
    time.sleep(30)


def drip(before: bytes, every: float = 0.05) -> Behaviour:
    """Sends `before` at once, then single bytes for ever: no single read times out."""

    def behave(client: socket.socket, request: str) -> None:
        client.sendall(before)
        while True:
            client.sendall(b"a")
            time.sleep(every)

    return behave


def slow(seconds: float, then: Behaviour) -> Behaviour:
    """Waits, then behaves."""

    def behave(client: socket.socket, request: str) -> None:
        time.sleep(seconds)
        then(client, request)

    return behave
