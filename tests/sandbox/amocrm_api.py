"""A bare client of the sandbox's amoCRM for tests: no retries, nothing hidden."""

import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.sandbox.http import Reply
from tests.sandbox_fixture import SandboxControl


class AmoApi:
    """amoCRM's API of one sandbox with the long-lived token."""

    def __init__(self, sandbox: SandboxControl, token: str = "sandbox-amocrm-token") -> None:
        self._sandbox = sandbox
        self._address = urlsplit(sandbox.url).netloc
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Reply:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            target = f"/amocrm{path}" + (f"?{urlencode(query)}" if query else "")
            data = body if isinstance(body, bytes | None) else json.dumps(body)
            connection.request(method, target, data, self.headers)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read())
        finally:
            connection.close()

    def contacts(self, **query: Any) -> list[dict[str, Any]]:
        """One page; a 204 is an empty one."""
        reply = self.call("GET", "/api/v4/contacts", **query)
        assert reply.status in (200, 204), reply.body
        return reply.json["_embedded"]["contacts"] if reply.status == 200 else []

    def one(self, number: int, **query: Any) -> Any:
        reply = self.call("GET", f"/api/v4/contacts/{number}", **query)
        return reply.json if reply.status == 200 else None

    def add(self, *items: Any) -> Reply:
        return self.call("POST", "/api/v4/contacts", list(items))

    def added(self, *items: Any) -> list[int]:
        return [each["id"] for each in self.add(*items).json["_embedded"]["contacts"]]

    def patch(self, number: int, **changes: Any) -> Reply:
        return self.call("PATCH", f"/api/v4/contacts/{number}", changes)

    def token(self, **body: Any) -> Reply:
        usual = {
            "client_id": "sandbox-amocrm-client",
            "client_secret": "sandbox-amocrm-secret",
            "redirect_uri": "https://backoffice.example.com/amocrm",
            "grant_type": "refresh_token",
        }
        return self.call("POST", "/oauth2/access_token", usual | body)

    def control(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """A control call below `amocrm/`."""
        return self._sandbox.control(method, f"amocrm/{path}", body, **query)
