"""AntBOT's API for the sandbox's own tests: a login, then plain calls, nothing hidden."""

import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.sandbox.http import Reply
from tests.sandbox_fixture import SandboxControl

DAY = "2026-03-02"  # a Monday
SECRET = {"username": "sandbox", "password": "sandbox-antbot-password"}


class BotApi:
    """One connection per call."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self.bot = sandbox.bot
        self.address = urlsplit(sandbox.url).netloc
        self.token: str | None = None

    def raw(self, method: str, path: str, body: Any = None, **query: Any) -> Reply:
        """A call to a path below /antbot, with the token there is."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            target = f"/antbot{path}" + (f"?{urlencode(query)}" if query else "")
            data = body if isinstance(body, bytes | None) else json.dumps(body)
            connection.request(method, target, data, headers)
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, answered, response.read())
        finally:
            connection.close()

    def log_in(self, **changes: str) -> Reply:
        reply = self.raw("POST", "/rest-api/get-token/", SECRET | changes)
        if reply.status == 200:
            self.token = next(iter(reply.json.values()))
        return reply

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Reply:
        if self.token is None:
            assert self.log_in().status == 200
        return self.raw(method, f"/rest-api/{path}", body, **query)

    def get(self, path: str, **query: Any) -> Any:
        reply = self.call("GET", f"{path}/", **query)
        assert reply.status == 200, reply.body
        return reply.json

    def post(self, path: str, **fields: Any) -> Any:
        reply = self.call("POST", f"{path}/", fields)
        assert reply.status in (200, 201), reply.body
        return reply.json

    def put(self, path: str, **fields: Any) -> Any:
        reply = self.call("PUT", f"{path}/", fields)
        assert reply.status == 200, reply.body
        return reply.json

    def everything(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """All pages, until the one that is not there."""
        found: list[dict[str, Any]] = []
        for page in range(1, 5000):
            reply = self.call("GET", f"{path}/", page=page, **query)
            if reply.status == 404:
                return found
            found += reply.json["results"]
        raise AssertionError("the list does not end")

    # ------------------------------------------------------------------ campaigns

    def phonebook(self, *numbers: str, name: str = "Danh bạ thử") -> int:
        number = self.post("phonebook", name=name)["id"]
        for contact in numbers:
            self.post("contact", phonebook=number, contact=contact, status=1)
        return number

    def campaign(self, *phonebooks: int, **changes: Any) -> int:
        """A campaign that may dial all day on DAY, made at noon; time stands still."""
        self.bot.clock(now=f"{DAY}T12:00:00Z", speed=0)
        fields = campaign_body(*phonebooks) | changes
        return self.post("campaigns", **fields)["id"]

    def command(self, campaign: int, status: int) -> Any:
        return self.post(f"campaigns/{campaign}/status", status=status)

    def status(self, campaign: int) -> int:
        return self.get(f"campaigns/{campaign}")["status"]

    def dialled(self, campaign: int) -> list[str]:
        return [entry["number"] for entry in self.bot.ledger(campaign=campaign)]


def campaign_body(*phonebooks: int) -> dict[str, Any]:
    """The page's example with other dates."""
    return {
        "name": "Chiến dịch thử",
        "description": "",
        "callerid": "lh",
        "phonebook": list(phonebooks),
        "aleg_gateway": 23,
        "object_id": 351,
        "frequency": 10,
        "startingdate": f"{DAY}T00:00:00.045000Z",
        "expirationdate": "2026-03-05T00:00:00Z",
        "daily_start_time": "00:00:00",
        "daily_stop_time": "23:59:59",
    }


def numbers(count: int, start: int = 0) -> list[str]:
    """Different mobile numbers nobody in the seed has."""
    return [f"09199{start + i:05d}" for i in range(count)]
