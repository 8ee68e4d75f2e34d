"""Concord's side of the sandbox for tests: a bare client of its API, and its remote staff."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.sandbox.http import Reply
from tests.sandbox_fixture import SandboxControl

TOKEN = "sandbox-concord-token"
HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "Accept": "application/json",
    "Content-Type": "application/json",
}


class ConcordApi:
    """The API with nothing hidden; `headers` replaces single ones, None leaves one out."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self.address = urlsplit(sandbox.url).netloc

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str | None] | None = None,
        **query: Any,
    ) -> Reply:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            target = f"/concord/api{path}" + (f"?{urlencode(query)}" if query else "")
            data = body if isinstance(body, bytes | None) else json.dumps(body)
            sent = {key: value for key, value in (HEADERS | (headers or {})).items() if value is not None}
            connection.request(method, target, data, sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def page(self, **query: Any) -> list[dict[str, Any]]:
        """The contacts of one page."""
        reply = self.call("GET", "/contacts", **query)
        assert reply.status == 200, reply.body
        return reply.json["data"]

    def everything(self, **query: Any) -> list[dict[str, Any]]:
        """All pages until an empty one."""
        found: list[dict[str, Any]] = []
        for page in range(1, 1000):
            records = self.page(page=page, **query)
            if not records:
                return found
            found += records
        raise AssertionError("the list does not end")


class ConcordStaff:
    """What people do inside Concord, and what it truly holds."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self._sandbox = sandbox

    def control(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One control call below `concord/`."""
        return self._sandbox.control(method, f"concord/{path}", body, **query)

    def contacts(self, **filters: Any) -> list[dict[str, Any]]:
        """The truth; filters `state` and `id`."""
        return self.control("GET", "contacts", **filters)

    def contact(self, number: int | str) -> dict[str, Any]:
        """One contact in whatever state."""
        return self.contacts(id=number)[0]

    def visible(self) -> dict[str, dict[str, Any]]:
        """Live contacts that the token may see, by id."""
        return {str(each["id"]): each for each in self.contacts(state="live") if not each["hidden"]}

    def counts(self) -> dict[str, int]:
        """How many are live, trashed, purged."""
        return self.control("GET", "counts")

    def create(self, first_name: str, **fields: Any) -> int:
        """A contact made inside Concord; its id."""
        return self.control("POST", "contacts", {"first_name": first_name, **fields})["id"]

    def patch(self, number: int | str, **changes: Any) -> None:
        """A remote edit."""
        self.control("PATCH", "contacts", {"id": number, **changes})

    def act(self, action: str, number: int | str, **more: Any) -> None:
        """`trash`, `restore`, `purge` or `hide` one contact."""
        self.control("POST", action, {"id": number, **more})

    def merge(self, loser: int | str, survivor: int | str) -> None:
        """Merge one live contact into another; the loser is gone for good."""
        self.control("POST", "merge", {"loser": {"id": loser}, "survivor": {"id": survivor}})

    def mutate(self, **counts: int) -> list[dict[str, Any]]:
        """Random changes: `edits=`, `creates=`, `trash=`, `merges=`, `seed=`."""
        return self.control("POST", "mutate", counts)["done"]
