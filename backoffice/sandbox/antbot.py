"""AntBOT ("Alice") as its page describes it, with simulated time; undocumented parts switchable.

Source: the vendor's page "AntBOT API". The base URL is `/antbot/rest-api`; the dialler runs in
vendor time and is brought up to the present before every request.
"""

import random
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from . import antbot_seed
from .antbot_access import Access
from .antbot_clock import Clock
from .antbot_control import RemoteSide
from .antbot_dialer import COMMANDS, Dialer
from .antbot_exchange import Exchange
from .antbot_fields import Errors, Invalid, whole
from .antbot_pages import Pager, not_found, show, shown_status
from .antbot_resources import RESOURCES, Resource
from .antbot_switches import SWITCHES
from .antbot_tables import Row, Tables
from .antbot_writes import Writes
from .faults import FaultPlan
from .journal import WriteLog
from .switches import Switches
from .wire import Answer, BadRequest, Request, json_answer

PREFIX = "/rest-api/"
WRITES = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}
HTML_404 = b"<!doctype html><html><body><h1>Not Found</h1></body></html>"
SECRETS = ("password",)


class Unsupported(Exception):
    """A body that is not JSON; the text is the vendor's sentence."""


class AntBot:
    """The vendor: state, clock, switches, faults and routes under `/antbot`."""

    name = "antbot"

    def __init__(
        self,
        log: WriteLog,
        *,
        seed: int,
        today: date,
        speed: float = 1.0,
        people: Callable[[int], list[antbot_seed.Person]] | None = None,
    ) -> None:
        self.switches = Switches(SWITCHES)
        self.faults = FaultPlan()
        self._lock = threading.RLock()
        self._log = log
        self._seed, self._speed = seed, speed
        self._offset = today - datetime.now(UTC).date()
        self._people = people or (lambda count: [])
        self.reset()

    # ------------------------------------------------------------------ what the server calls

    def reset(self, seed: int | None = None, contacts: int | None = None) -> None:
        """Start over with fresh rows, a clock at the present and defaults everywhere."""
        with self._lock:
            self._seed = self._seed if seed is None else seed
            self.switches.reset()
            self.faults.replace([])
            self.clock = Clock(datetime.now(UTC) + self._offset, self._speed)
            self.tables = Tables()
            now = self.clock.now()
            self.exchange = Exchange(self.tables, self.switches, self._seed, now - antbot_seed.HISTORY)
            self.dialer = Dialer(self.tables, self.switches, self.exchange)
            self.writes = Writes(self.tables, self.switches, self.exchange, self.dialer)
            antbot_seed.fill(self, self._seed, now, self._people(antbot_seed.PEOPLE))
            self.access = Access(self.switches)
            self._pager = Pager(self.switches, self._seed)
            self._rng = random.Random(self._seed)
            self._found: dict[str, tuple[Any, list[Row]]] = {}
            self.remote = RemoteSide(self, self._log)

    def switch(self, changes: dict[str, Any]) -> None:
        """Change switches; what is due is done under the old ones first."""
        with self._lock:
            self.exchange.catch_up(self.clock.now())
            self.switches.set(changes)
            self._found.clear()

    def jump(self, now: datetime) -> None:
        """Set the vendor's clock; nothing happens in between."""
        by = now - self.exchange.now
        self.clock.set(now)
        self.exchange.jump(now)
        self.dialer.moved(by)

    def warm(self) -> None:
        """Nothing to make ready."""

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer a control call below `/_control/antbot`."""
        with self._lock:
            self.exchange.catch_up(self.clock.now())
            return self.remote.control(method, path, query, body)

    def handle(self, request: Request, path: str) -> Answer:
        """Answer one API request."""
        if 0 < self.switches["rate_limit"] < request.hints.get("in_last_second", 0):
            refusal = json_answer({"detail": "Request was throttled."}, self.switches["rate_status"])
            refusal.headers["Retry-After"] = "1"
            return refusal
        with self._lock:
            self.exchange.catch_up(self.clock.now())
            if counts := request.hints.get("mutate"):
                self.remote.mutate(self._rng, **counts)
            try:
                return self._route(request, path)
            except Errors as problems:
                return json_answer(problems.messages, 400)
            except Unsupported as problem:
                return json_answer({"detail": str(problem)}, 415)
            except BadRequest as problem:
                return json_answer({"detail": f"JSON parse error - {problem}"}, 400)

    # ------------------------------------------------------------------ routing

    def _route(self, request: Request, path: str) -> Answer:
        slashed = path if path.endswith("/") else path + "/"
        logging_in = slashed == self.switches["token_path"]
        parts = slashed.removeprefix(PREFIX).rstrip("/").split("/")
        resource = RESOURCES.get(parts[0])
        known = slashed.startswith(PREFIX) and (resource is not None or slashed == f"{PREFIX}bulkcontact/")
        if "//" in path or not (known or logging_in):
            return Answer(404, HTML_404, content_type="text/html; charset=utf-8")
        if slashed != path:
            return self._slashless(request)
        if logging_in:
            if request.method != "POST":
                return _not_allowed(request)
            return self.access.log_in(request, _body(request))
        refusal = self.access.refusal(request)
        if refusal:
            return refusal
        if resource is None:
            return self._bulk(request) if request.method == "POST" else _not_allowed(request)
        if len(parts) == 1:
            return self._collection(request, parts[0], resource)
        row = self.tables[resource.table].get(int(parts[1])) if parts[1].isdecimal() else None
        if parts[2:] == ["status"] and parts[0] == "campaigns":
            return self._command(request, row)
        if parts[2:]:
            return Answer(404, HTML_404, content_type="text/html; charset=utf-8")
        return self._item(request, parts[0], resource, row)

    def _slashless(self, request: Request) -> Answer:
        """What the framework does about a missing slash: a redirect that loses the body of a write."""
        if self.switches["slashless"] == "redirect":
            query = f"?{urlencode(request.query)}" if request.query else ""
            return Answer(301, b"", {"Location": f"{request.path}/{query}"}, "text/html; charset=utf-8")
        status = int(self.switches["slashless"])
        return Answer(status, HTML_404, content_type="text/html; charset=utf-8")

    def _collection(self, request: Request, path: str, resource: Resource) -> Answer:
        if request.method == "GET" and self._readable(resource, "list"):
            if path == "calendar-user" and self.switches["calendar_users"] == "odd":
                return self._calendar_users()
            return self._list(request, resource)
        if request.method == "POST" and "create" in resource.writes:
            body = _body(request)
            row = self.writes.create(resource, body)
            self._note(f"{path}.create", None, body, row)
            return json_answer(self._show(resource, row), 201)
        return _not_allowed(request)

    def _item(self, request: Request, path: str, resource: Resource, row: Row | None) -> Answer:
        if request.method == "GET" and self._readable(resource, "item"):
            return not_found() if row is None else json_answer(self._show(resource, row))
        operation = WRITES.get(request.method, "")
        if operation not in resource.writes or operation == "create":
            return _not_allowed(request)
        if row is None:
            return not_found()
        self._interfere(request, resource, row, "before")
        if self.tables[resource.table].get(row["id"]) is None:
            return not_found()
        if operation == "delete":
            self.tables.delete(resource.table, row)
            self._note(f"{path}.delete", {"id": row["id"]}, None, row)
            return Answer(204)
        body = _body(request)
        self.writes.update(resource, row, body, partial=request.method == "PATCH")
        self._note(f"{path}.update", {"id": row["id"]}, body, row)
        self._interfere(request, resource, row, "after")
        return json_answer(self._show(resource, row))

    def _readable(self, resource: Resource, what: str) -> bool:
        return what in resource.reads or self.switches["undocumented_reads"] == "yes"

    # ------------------------------------------------------------------ reading

    def _list(self, request: Request, resource: Resource) -> Answer:
        rows = self._rows(request, resource)
        if lag := request.hints.get("lag"):
            limit = self.remote.real_time() - lag
            rows = [row for row in rows if row["_made"] <= limit]
        return self._pager.answer(rows, request, lambda row: self._show(resource, row))

    def _rows(self, request: Request, resource: Resource) -> list[Row]:
        """The rows that fit the filters; kept until the table changes, so pages cost little."""
        table = self.tables[resource.table]
        if resource.table == "campaign":
            for campaign in table:
                campaign["_shown"] = shown_status(campaign, self.switches, self.dialer.dials_now)
        asked = {key: request.query[key] for key in resource.filters if request.query.get(key)}
        version = (
            table.version,
            tuple(asked.items()),
            self.exchange.now if resource.table == "campaign" else None,
        )
        if self._found.get(resource.table, (None,))[0] == version:
            return self._found[resource.table][1]
        matches, problems = [], {}
        for key, value in asked.items():
            try:
                matches.append(resource.filters[key](value))
            except Invalid as problem:
                problems[key] = [str(problem)]
        if problems:
            raise Errors(problems)
        index = next((name for name in asked if table.indexes(name) and asked[name].isdecimal()), None)
        rows = table.where(index, int(asked[index])) if index else list(table)
        rows = [row for row in rows if all(match(row) for match in matches)]
        self._found[resource.table] = (version, rows)
        return rows

    def _show(self, resource: Resource, row: Row) -> dict[str, Any]:
        if resource.table == "campaign":
            row["_shown"] = shown_status(row, self.switches, self.dialer.dials_now)
        return show(resource.table, row, self.tables, self.switches)

    def _calendar_users(self) -> Answer:
        """Hand-made: one object, a list of several, or a note; never pages."""
        users = [self._show(RESOURCES["calendar-user"], row) for row in self.tables["calendar_user"]]
        if not users:
            return json_answer({"note": "there are no calendar users"})
        return json_answer(users[0] if len(users) == 1 else users)

    # ------------------------------------------------------------------ writing

    def _command(self, request: Request, campaign: Row | None) -> Answer:
        """Start, pause, abort or end; any command is taken in any state."""
        if request.method != "POST":
            return _not_allowed(request)
        if campaign is None:
            return not_found()
        body = _body(request)
        try:
            number = whole(1, 4)(body.get("status") if isinstance(body, dict) else None, self.tables)
        except Invalid as problem:
            raise Errors({"status": [str(problem)]}) from None
        resource = RESOURCES["campaigns"]
        self._interfere(request, resource, campaign, "before")
        if self.tables["campaign"].get(campaign["id"]) is None:
            return not_found()
        self.dialer.set_state(campaign, COMMANDS[number])
        self._note("campaigns.status", {"id": campaign["id"]}, body, campaign)
        self.exchange.catch_up(self.exchange.now)
        self._interfere(request, resource, campaign, "after")
        shown = self._show(resource, campaign)
        answers = {
            "campaign": shown,
            "echo": {"status": number},
            "empty": {},
            "message": {"message": "success"},
        }
        return json_answer(answers[self.switches["status_answer"]])

    def _bulk(self, request: Request) -> Answer:
        """Not atomic, and 200 either way."""
        body, made = _body(request), list[int]()
        problem = self.writes.bulk(body, made)
        if made:
            self._note("bulkcontact.create", {"phonebook": body["phonebook"]}, body, {"id": made})
        return json_answer({"error": problem} if problem else {"result": "contacts were created"})

    def _interfere(self, request: Request, resource: Resource, row: Row, when: str) -> None:
        """Let remote staff touch the row this write names, when a fault asks for it."""
        event = request.hints.get("remote_event")
        if not event or event["when"] != when:
            return
        if event["event"] == "trash":
            self.tables.delete(resource.table, row)
        else:
            self.remote.edit(resource.table, row, event["changes"])

    def _note(self, operation: str, selector: Any, body: Any, row: Row) -> None:
        if isinstance(body, dict):
            body = {key: "…" if key in SECRETS else value for key, value in body.items()}
        self._log.add(self.name, operation, selector=selector, body=body, result={"id": row["id"]})


def _not_allowed(request: Request) -> Answer:
    return json_answer({"detail": f'Method "{request.method}" not allowed.'}, 405)


def _body(request: Request) -> Any:
    """The body of a write, which must be announced as JSON."""
    kind = request.headers.get("content-type", "")
    if request.body and "json" not in kind:
        raise Unsupported(f'Unsupported media type "{kind}" in request.')
    return request.json()
