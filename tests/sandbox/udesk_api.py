"""A bare client of the sandbox's Udesk: signs by itself, no retries, nothing hidden."""

import hashlib
import http.client
import itertools
import json
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.sandbox.http import Reply
from tests.sandbox_fixture import SandboxControl

EMAIL, TOKEN = "admin+api@sandbox.example.com", "sandbox-udesk-token"


class UdeskApi:
    """One signed call at a time."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self.address = urlsplit(sandbox.url).netloc
        self._nonces = itertools.count()

    def signature(self, **changes: str) -> dict[str, str]:
        signed = {"email": EMAIL, "token": TOKEN, "timestamp": str(int(time.time()))}
        signed["nonce"] = f"test-{time.monotonic_ns()}-{next(self._nonces)}"
        signed |= {key: value for key, value in changes.items() if key in signed}
        text = "&".join([*signed.values(), "v2"])
        query = {key: value for key, value in signed.items() if key != "token"}
        query |= {"sign": hashlib.sha256(text.encode("utf-8")).hexdigest(), "sign_version": "v2"}
        return query | {key: value for key, value in changes.items() if key in ("sign", "sign_version")}

    def raw(self, method: str, path: str, query: dict[str, Any], body: Any = None) -> Reply:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            target = f"/udesk/open_api_v1/customers{path}?{urlencode(query)}"
            data = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
            connection.request(method, target, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read())
        finally:
            connection.close()

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The JSON of one call."""
        reply = self.raw(method, path, query | self.signature(), body)
        assert reply.status == 200, reply
        return reply.json

    def code(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str]:
        """Code and detail of one call."""
        said = self.call(method, path, body, **query)
        return said["code"], (said.get("exception") or {}).get("message") or said.get("message", "")

    def create(self, customer: dict[str, Any], **outside: Any) -> dict[str, Any]:
        """The customer that a create made, as it answers."""
        said = self.call("POST", "", {"customer": customer} | outside)
        assert said["code"] == 1000, said
        return said["customer"]

    def get(self, type_: str, content: Any) -> dict[str, Any]:
        """One customer."""
        said = self.call("GET", "/get_customer", type=type_, content=content)
        assert said["code"] == 1000, said
        return said["customer"]
