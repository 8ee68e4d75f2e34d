"""Udesk's customers as its page describes them, undocumented parts switchable.

Source: the vendor's page "Customers" (Open API v2). Operations: list, details by ten keys, create,
update, delete, history, filters, custom fields (deprecated), batch import, export, merge.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from . import udesk_words as words
from .faults import FaultPlan
from .journal import WriteLog
from .seed import Identity
from .switches import Switches
from .udesk_access import Access
from .udesk_book import MERGE_TYPES, TYPES, CustomerBook, shown
from .udesk_lists import Lists, page_and_size
from .udesk_seed import UdeskSeed
from .udesk_staff import RemoteStaff
from .udesk_switches import SWITCHES
from .udesk_writes import IMPORT_MAX, Refused, Writer, unknown_error
from .wire import Answer, BadRequest, Request, json_answer

PREFIX = "/open_api_v1/customers"
EXTRAS = {"/feeds", "/filters", "/custom_fields", "/batch_import_async", "/merge"}
STATUS_OF = {429: 429, 2005: 404, 2015: 403, 2058: 403, 2059: 401}


class Udesk:
    """The vendor: state, switches, faults and routes under `/udesk`."""

    name = "udesk"

    def __init__(
        self,
        log: WriteLog,
        *,
        seed: int,
        contacts: int,
        today: date,
        person: Callable[[int], Identity | None],
    ) -> None:
        self.switches = Switches(SWITCHES)
        self.faults = FaultPlan()
        self._lock = threading.RLock()
        self._log, self._person = log, person
        self._today_ms = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp() * 1000)
        self._routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", ""): lambda request: self._lists.page(request),
            ("POST", ""): self._create,
            ("GET", "/get_customer"): lambda request: self._customer(self._selected(request.query)),
            ("PUT", "/update_customer"): self._update,
            ("DELETE", "/destroy_customer"): self._destroy,
            ("GET", "/feeds"): self._feeds,
            ("GET", "/filters"): lambda request: _ok(customer_filters=list(words.FILTERS)),
            ("GET", "/custom_fields"): self._definitions,
            ("POST", "/batch_import_async"): self._import,
            ("GET", "/export"): lambda request: self._lists.export(request),
            ("POST", "/merge"): self._merge,
        }
        self._size = (seed, contacts)
        self.reset()

    # ------------------------------------------------------------------ what the server calls

    def reset(self, seed: int | None = None, contacts: int | None = None) -> None:
        """Start over with fresh records; switches and faults back to their defaults."""
        with self._lock:
            old = self._size
            self._size = (old[0] if seed is None else seed, old[1] if contacts is None else contacts)
            self.switches.reset()
            self.faults.replace([])
            self.book = CustomerBook(UdeskSeed(*self._size, self._today_ms, self._person))
            self._lists = Lists(self.book, self.switches)
            self.book.changed = self._lists.forget
            self._writer = Writer(self.book, self.switches)
            self._access = Access(self.switches)
            self._last_import = float("-inf")
            self._imports: list[tuple[float, list[Any]]] = []
            self.staff = RemoteStaff(self.book, self._log, self._writer)

    def switch(self, changes: dict[str, Any]) -> None:
        """Change switches; cached bytes are dropped since any of them may look different."""
        with self._lock:
            self.switches.set(changes)
            self._lists.forget_all()

    def warm(self) -> None:
        """Make everything ready that would otherwise be made on first use."""
        with self._lock:
            self._lists.warm()

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer a control call below `/_control/udesk`."""
        with self._lock:
            if (method, path) == ("GET", "/rates"):
                return self._access.rates()
            if (method, path) == ("POST", "/imports"):
                return {"applied": self._apply_imports(at=float("inf"))}
            if (method, path) == ("POST", "/end_scrolls"):
                return {"ended": self._lists.end_scrolls()}
            self._apply_imports()
            return self.staff.control(method, path, query, body)

    def handle(self, request: Request, path: str) -> Answer:
        """Answer one API request."""
        rest = path.removeprefix(PREFIX) if path.startswith(PREFIX) else None
        route = None if rest is None else self._routes.get((request.method, rest))
        if route is None:
            return json_answer({"message": "not found"}, 404)
        with self._lock:
            self._apply_imports()
            try:
                self._access.count(f"{request.method} {rest or '/'}")
                self._access.check_signature(request)
                if rest in EXTRAS and self.switches["plan"] == "basic":
                    raise Refused(2058, "your plan does not include this")
                if counts := request.hints.get("mutate"):
                    self.staff.mutate({"seed": 1} | counts)
                return route(request)
            except BadRequest as problem:
                return self._refusal(unknown_error(str(problem)))
            except Refused as problem:
                return self._refusal(problem)

    def _refusal(self, problem: Refused) -> Answer:
        body: dict[str, Any] = {"code": problem.code, self.switches["error_text"]: problem.message}
        if problem.detail and self.switches["exception"] != "none":
            as_object = self.switches["exception"] == "object"
            body["exception"] = {"message": problem.detail} if as_object else problem.detail
        status = 200
        if problem.code == 429 and self.switches["throttle_as"] == "http":
            status = 429
        elif self.switches["error_status"] == "matching":
            status = STATUS_OF.get(problem.code, 400)
        return json_answer(body, status)

    # ------------------------------------------------------------------ reading

    def _position(self, type_: str, content: str) -> int | None:
        return self.book.find(type_, content, self.switches["phone_match"])

    def _selected(self, query: dict[str, str]) -> int:
        """The live customer that `type` and `content` name. Raises Refused."""
        if query.get("type") not in TYPES:
            raise Refused(2060, "Invalid unique identifier type", "Invalid unique identifier type")
        if not query.get("content"):
            raise Refused(2000, "Couldn't find Customer")
        position = self._position(query["type"], query["content"])
        if position is None:
            code = self.switches["not_found"]
            raise Refused(code, "The resource was not found", "Couldn't find Customer")
        return position

    def _customer(self, position: int) -> Answer:
        return _ok(customer=self._shown(position))

    def _shown(self, position: int) -> dict[str, Any]:
        return shown(self.book.get(position), ids=self.switches["ids"], tags=self.switches["tags"])

    def _feeds(self, request: Request) -> Answer:
        position = self._selected(request.query)
        page, size = page_and_size(request.query)
        feeds = [dict(each) for each in self.book.feeds(position)]
        for feed in feeds:
            if feed["feed_type"] == "Alteration":
                feed["feed_type"] = self.switches["feed_name"]
        meta = {"current_page": page, "total_pages": -(-len(feeds) // size), "total_count": len(feeds) + 4}
        return _ok(feeds=feeds[(page - 1) * size : page * size], meta=meta)

    def _definitions(self, request: Request) -> Answer:
        if self.switches["definitions"] == "gone":
            return json_answer({"message": "not found"}, 404)
        return _ok(custom_fields=words.DEFINITIONS)

    # ------------------------------------------------------------------ writing

    def _create(self, request: Request) -> Answer:
        body = request.json()
        position = self.book.create(self._writer.fields(body))
        self._note("create", position, None, body)
        wire = self._shown(position)
        if self.switches["create_answer"] == "sample":
            wire |= {"email": "customer@sample.com", "level": "normal", "nick_name": "Test User"}
        return _ok(customer=wire)

    def _update(self, request: Request) -> Answer:
        self._interfere(request, "before")
        position, body = self._selected(request.query), request.json()
        self.book.edit(position, self._writer.fields(body, position), words.AGENTS[1][0])
        self._note("edit", position, request.query, body)
        answer = self._customer(position)
        self._interfere(request, "after")
        return answer

    def _destroy(self, request: Request) -> Answer:
        self._interfere(request, "before")
        position = self._selected(request.query)
        self.book.delete(position)
        self._note("delete", position, request.query, None)
        return _ok(customer_id=self.book.get(position)["id"])

    def _interfere(self, request: Request, when: str) -> None:
        """Let remote staff touch the customer this write names, when a fault asks for it."""
        event = request.hints.get("remote_event")
        if not event or event["when"] != when:
            return
        position = self._position(request.query.get("type", ""), request.query.get("content", ""))
        if position is not None:
            selector = {"id": self.book.get(position)["id"]}
            if event["event"] == "trash":
                self.staff.delete(selector)
            else:
                self.staff.patch(selector | event["changes"])

    def _merge(self, request: Request) -> Answer:
        policy = self.switches["merge_params"]
        given = dict(request.json()) if policy in ("body", "either") else {}
        if policy in ("query", "either"):
            given |= request.query
        ends = []
        for end in ("from", "to"):
            type_, content = MERGE_TYPES.get(given.get(f"{end}_type", "")), given.get(f"{end}_content")
            if type_ is None:
                raise Refused(2000, "Invalid unique identifier type")
            position = self._position(type_, content) if isinstance(content, str) and content else None
            if position is None:
                raise Refused(2000, "Couldn't find Customer")
            ends.append(position)
        if ends[0] == ends[1]:
            raise Refused(2000, "Merge customer failed: Cannot merge to self")
        self.book.merge(*ends)
        self._note("merge", ends[0], None, given)
        return _ok(id=self.book.get(ends[1])["id"])

    def _import(self, request: Request) -> Answer:
        body = request.json()
        items = body.get("customers") if isinstance(body, dict) else None
        if not isinstance(items, list) or not items:
            raise unknown_error("Import data is empty")
        if len(items) > IMPORT_MAX:
            raise unknown_error(f"Import quantity ({len(items)}) cannot exceed {IMPORT_MAX}")
        now = time.monotonic()
        if now - self._last_import < self.switches["import_every_s"]:
            raise Refused(429, "API interface exceeds request limit")
        self._last_import = now
        self._imports.append((now + self.switches["import_delay_s"], items))
        return _ok()

    def _apply_imports(self, at: float | None = None) -> int:
        """What was received long enough ago becomes customers; what does not fit vanishes silently."""
        now = time.monotonic() if at is None else at
        due = [items for when, items in self._imports if when <= now]
        self._imports = [each for each in self._imports if each[0] > now]
        applied = 0
        for item in (item for items in due for item in items):
            if self.switches["import_fails"] == "all":
                continue
            try:
                position = self.book.create(self._writer.imported(item))
            except Refused:
                continue
            self._note("create", position, None, item)
            applied += 1
        return applied

    def _note(self, operation: str, position: int, query: dict[str, str] | None, body: Any) -> None:
        selector = {key: query[key] for key in ("type", "content")} if query else None
        result = {"id": self.book.get(position)["id"]}
        self._log.add(self.name, operation, selector=selector, body=body, result=result)


def _ok(**members: Any) -> Answer:
    return json_answer({"code": 1000, **members})
