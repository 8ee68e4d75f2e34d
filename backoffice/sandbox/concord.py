"""Concord CRM's contacts as the page of its Brazilian label describes them, undocumented parts switchable.

Source: the vendor's page "Contacts". Operations: list, retrieve, create, update, delete, search, attach,
detach and sync of companies, deals and activities. Answers are not on the page: they follow the habits of
its framework, Laravel. The trash is reached only where a switch opens one of the two routes people tell of.
"""

import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from . import concord_shapes as shapes
from .concord_book import ConcordBook
from .concord_lists import ConcordLists, one_not_found
from .concord_seed import LIVE, TRASHED, ConcordSeed
from .concord_staff import ConcordStaff
from .concord_switches import DEFAULT_TOKEN, SWITCHES
from .concord_writes import BLANK, Invalid, associations, checked, merged
from .faults import FaultPlan
from .journal import WriteLog
from .seed import SeedData
from .switches import Switch, Switches
from .wire import Answer, BadRequest, Request, json_answer

Handler = Callable[[Request, str], Answer]


class Size(NamedTuple):
    """What the records are made from, remembered for a reset."""

    seed: int
    contacts: int


class Concord:
    """The vendor: state, switches, faults and routes under `/concord/api`."""

    name = "concord"

    def __init__(
        self,
        log: WriteLog,
        *,
        seed: int,
        contacts: int,
        today: date,
        people: Callable[[], SeedData],
        token: str = DEFAULT_TOKEN,
    ) -> None:
        self.switches = Switches(SWITCHES | {"token": Switch(token, (), SWITCHES["token"].help)})
        self.faults = FaultPlan()
        self._lock = threading.RLock()
        self._log, self._people = log, people
        self._today_ms = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp() * 1000)
        number = r"(?P<id>[^/]+)"
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = [
            (method, re.compile(f"/api{path}"), handler)
            for method, path, handler in (
                ("GET", "/contacts", self._list),
                ("POST", "/contacts", self._create),
                ("GET", "/contacts/search", self._search),
                ("GET", "/contacts/trashed", self._trashed_b),
                ("GET", f"/contacts/{number}", self._retrieve),
                ("PUT", f"/contacts/{number}", self._update),
                ("DELETE", f"/contacts/{number}", self._delete),
                ("POST", f"/contacts/{number}/restore", self._restore_b),
                ("PUT", f"/associations/contacts/{number}", self._attach),
                ("DELETE", f"/associations/contacts/{number}", self._detach),
                ("POST", f"/associations/contacts/{number}", self._sync),
                ("GET", "/trashed/contacts", self._trashed_a),
                ("POST", f"/trashed/contacts/{number}", self._restore_a),
            )
        ]
        self._asked: deque[float] = deque()
        self._size = Size(seed, contacts)
        self.reset()

    # ------------------------------------------------------------------ what the server calls

    def reset(self, seed: int | None = None, contacts: int | None = None) -> None:
        """Start over with fresh records; switches and faults back to their defaults."""
        with self._lock:
            old = self._size
            self._size = Size(
                old.seed if seed is None else seed, old.contacts if contacts is None else contacts
            )
            self.switches.reset()
            self.faults.replace([])
            self.book = ConcordBook(ConcordSeed(*self._size, self._today_ms, self._people()))
            self._lists = ConcordLists(self.book, self.switches)
            self.book.changed = self._lists.forget
            self.staff = ConcordStaff(self.book, self._lists, self._log)
            self._rng = random.Random(self._size.seed)
            self._asked.clear()

    def switch(self, changes: dict[str, Any]) -> None:
        """Change switches; kept bytes are dropped since any of them may look different."""
        with self._lock:
            self.switches.set(changes)
            self.book.skew_us = self.switches["clock_skew_s"] * 1_000_000
            self._lists.forget_all()

    def warm(self) -> None:
        """Make everything ready that would otherwise be made on first use."""
        with self._lock:
            self._lists.warm()

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer a control call below `/_control/concord`."""
        with self._lock:
            return self.staff.control(method, path, query, body)

    def handle(self, request: Request, path: str) -> Answer:
        """Answer one API request."""
        with self._lock:
            told = self._throttle()
            answer = self._refused(request, told) or self._routed(request, path)
        answer.headers.update(told)
        if "application/json" not in request.headers.get("accept", "") and answer.status in (401, 422):
            # a browser is sent back to a form; so is a client that does not say that it wants JSON
            return Answer(302, b"", {"Location": "/login" if answer.status == 401 else "/"}, "text/html")
        return answer

    def _throttle(self) -> dict[str, str]:
        """The headers that tell the limit; what is left is negative for a request too many."""
        limit = self.switches["rate_per_minute"]
        if not limit:
            return {}
        now = time.monotonic()
        while self._asked and self._asked[0] <= now - 60:
            self._asked.popleft()
        left = limit - len(self._asked) - 1
        if left >= 0:
            self._asked.append(now)
            return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}
        wait = max(1, round(self._asked[0] + 60 - now))
        return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": "0", "Retry-After": str(wait)}

    def _refused(self, request: Request, told: dict[str, str]) -> Answer | None:
        """What is said before any route is looked at."""
        if "Retry-After" in told:
            return _message(429, "Too Many Attempts.")
        if "origin" in request.headers or "referer" in request.headers:
            return _message(419, "CSRF token mismatch.")
        if request.headers.get("authorization") != f"Bearer {self.switches['token']}":
            return _message(401, "Unauthenticated.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if self.switches["headers"] == "strict" and kind != "application/json":
            return _message(415, "The content type must be application/json.")
        return None

    def _routed(self, request: Request, path: str) -> Answer:
        if counts := request.hints.get("mutate"):
            self.staff.mutate(self._rng, **counts)
        methods = []
        for method, pattern, handler in self._routes:
            found = pattern.fullmatch(path)
            if found and method == request.method:
                try:
                    return handler(request, found.groupdict().get("id", ""))
                except Invalid as refusal:
                    more = len(refusal.errors) - 1
                    words = next(iter(refusal.errors.values()))[0] + (f" (and {more} more)" if more else "")
                    return json_answer({"message": words, "errors": refusal.errors}, 422)
                except BadRequest as problem:
                    return _message(400, str(problem))
            if found:
                methods.append(method)
        if methods:
            return _message(405, f"{request.method} is not supported here; there is {', '.join(methods)}.")
        return _message(404, f"The route {path[1:]} could not be found.")

    # ------------------------------------------------------------------ reading

    def _list(self, request: Request, _: str) -> Answer:
        return self._lists.page(request, f"http://{request.headers.get('host', '')}{request.path}")

    def _search(self, request: Request, _: str) -> Answer:
        return self._lists.search(request)

    def _retrieve(self, request: Request, number: str) -> Answer:
        position, refusal = self._found(number)
        return refusal or self._one(position)

    def _one(self, position: int, status: int = 200) -> Answer:
        return shapes.one_answer(
            shapes.contact(self.book, position, self.switches, one=True), self.switches, status
        )

    def _found(self, number: str, state: int = LIVE) -> tuple[int, Answer | None]:
        """The position of an id in a state, or why it cannot be had."""
        position = self.book.find(int(number)) if number.isdecimal() and len(number) < 16 else None
        if position is None or self.book.states[position] != state:
            return -1, one_not_found(self.switches, number)
        if position in self.book.hidden:
            return -1, _message(403, "This action is unauthorized.")
        return position, None

    # ------------------------------------------------------------------ writing

    def _create(self, request: Request, _: str) -> Answer:
        body = _object(request)
        fields, related = checked(self.book, body, self.switches)
        if self.switches["body_associations"] == "ignore":
            related = {}
        position = self.book.create(BLANK | fields | related)
        self._note("create", position, body)
        return self._one(position, 201)

    def _update(self, request: Request, number: str) -> Answer:
        self._interfere(request, number, "before")
        position, refusal = self._found(number)
        if refusal:
            return refusal
        body = _object(request)
        fields, related = checked(self.book, body, self.switches, at=position)
        old = self.book.get(position)
        self.book.edit(position, merged(old, fields, self.switches))
        for pool, ids in related.items():
            if self.switches["body_associations"] != "ignore":
                kept = old[pool] if self.switches["body_associations"] == "add" else []
                self.book.relate(position, pool, [*kept, *ids])
        self._note("edit", position, body)
        self._interfere(request, number, "after")
        return self._one(position)

    def _delete(self, request: Request, number: str) -> Answer:
        self._interfere(request, number, "before")
        position, refusal = self._found(number)
        if refusal:
            return refusal
        self.book.trash(position)
        self._note("delete", position, None)
        return Answer(204) if self.switches["delete_answer"] == "empty" else json_answer({"message": ""})

    def _interfere(self, request: Request, number: str, when: str) -> None:
        """Let remote staff touch the contact this write names, when a fault asks for it."""
        event = request.hints.get("remote_event")
        position, _ = self._found(number)
        if event and event["when"] == when and position >= 0:
            if event["event"] == "trash":
                self.staff.trash({"id": position + 1})
            else:
                self.staff.patch({"id": position + 1} | event["changes"])

    def _attach(self, request: Request, number: str) -> Answer:
        return self._related(request, number, "attach", lambda held, given: [*held, *given])

    def _detach(self, request: Request, number: str) -> Answer:
        if self.switches["detach_body"] == "dropped":
            request.body = b""
        return self._related(
            request, number, "detach", lambda held, given: [n for n in held if n not in given]
        )

    def _sync(self, request: Request, number: str) -> Answer:
        return self._related(request, number, "sync", lambda held, given: given)

    def _related(
        self,
        request: Request,
        number: str,
        operation: str,
        change: Callable[[list[int], list[int]], list[int]],
    ) -> Answer:
        position, refusal = self._found(number)
        if refusal:
            return refusal
        body = request.json()
        for pool, given in associations(body).items():
            self.book.relate(position, pool, change(self.book.get(position)[pool], given))
        self._note(operation, position, body)
        return Answer(204) if self.switches["associate_answer"] == "empty" else self._one(position)

    # ------------------------------------------------------------------ the trash, where it is open

    def _trashed_a(self, request: Request, _: str) -> Answer:
        return self._trashed(request, "trashed_contacts")

    def _trashed_b(self, request: Request, _: str) -> Answer:
        return self._trashed(request, "contacts_trashed")

    def _trashed(self, request: Request, style: str) -> Answer:
        if self.switches["trash_routes"] != style:
            # the second address looks like that of a contact
            route = _message(404, "The route api/trashed/contacts could not be found.")
            return route if style == "trashed_contacts" else one_not_found(self.switches, "trashed")
        return self._lists.trashed(request, f"http://{request.headers.get('host', '')}{request.path}")

    def _restore_a(self, request: Request, number: str) -> Answer:
        return self._restore(number, "trashed_contacts")

    def _restore_b(self, request: Request, number: str) -> Answer:
        return self._restore(number, "contacts_trashed")

    def _restore(self, number: str, style: str) -> Answer:
        position, refusal = self._found(number, TRASHED)
        if self.switches["trash_routes"] != style or refusal:
            return refusal or _message(404, "The route could not be found.")
        self.book.restore(position)
        self._note("restore", position, None)
        return self._one(position)

    def _note(self, operation: str, position: int, body: Any) -> None:
        result = {"id": position + 1}
        self._log.add(self.name, operation, selector=result, body=body, result=result)


def _message(status: int, words: str) -> Answer:
    return json_answer({"message": words}, status)


def _object(request: Request) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body
