"""A bare HTTP client for sandbox tests: no retries, no redirects, nothing hidden."""

import http.client
import json
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.sandbox_fixture import SandboxControl


@dataclass
class Reply:
    """Status, headers and body as they came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """AntCRM's API of one sandbox; one connection per call unless `keep` is set."""

    def __init__(self, sandbox: SandboxControl, key: str | None = None, timeout: float = 10) -> None:
        self.address = urlsplit(sandbox.url).netloc
        self.headers = {"apikey": key or sandbox.key}
        self.timeout = timeout

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Reply:
        connection = http.client.HTTPConnection(self.address, timeout=self.timeout)
        try:
            target = f"/antcrm{path}" + (f"?{urlencode(query)}" if query else "")
            data = body if isinstance(body, bytes | None) else json.dumps(body)
            connection.request(method, target, data, self.headers)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read())
        finally:
            connection.close()

    def page(self, **query: Any) -> list[dict[str, Any]]:
        reply = self.call("GET", "/contacts", **query)
        assert reply.status == 200, reply.body
        return reply.json

    def everything(self, path: str = "/contacts", **query: Any) -> list[dict[str, Any]]:
        """All pages until an empty one."""
        found: list[dict[str, Any]] = []
        for page in range(1, 1000):
            answer = self.call("GET", path, page=page, **query).json
            records = answer if isinstance(answer, list) else answer["data"]
            if not records:
                return found
            found += records
        raise AssertionError("the list does not end")

    def create(self, **fields: Any) -> Reply:
        return self.call("POST", "/contacts", {"name": "Trần Thử", "customerIdApiRing": "k-1"} | fields)

    def edit(self, **fields: Any) -> Reply:
        return self.call("PUT", "/contacts", fields)


def eventually(check: Any, seconds: float = 5) -> Any:
    """The first true answer of `check`, or its last one."""
    end = time.monotonic() + seconds
    while not (value := check()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


def raw_exchange(sandbox: SandboxControl, data: bytes) -> bytes:
    """Send bytes as they are and read until the server closes."""
    host, port = urlsplit(sandbox.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(data)
        answer = b""
        while block := sock.recv(65536):
            answer += block
        return answer
