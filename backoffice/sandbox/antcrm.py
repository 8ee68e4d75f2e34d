"""AntCRM ("ApiRing") customers as its page describes them, undocumented parts switchable.

Source: the vendor's page "API customer". Operations: list, create, edit, delete, bulk create,
list of deleted and list of merged customers.
"""

import random
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from . import antcrm_shapes as shapes
from .antcrm_lists import Lists, whole_number
from .antcrm_staff import RemoteStaff
from .antcrm_switches import DEFAULT_KEY, SWITCHES
from .antcrm_writes import BLANK, Refused, kind_of, merged_fields, stored_fields
from .faults import FaultPlan
from .journal import WriteLog
from .seed import LEAD, LIVE, MERGED, TRASHED, SeedData
from .state import ContactBook
from .switches import Switch, Switches
from .wire import Answer, BadRequest, Request, json_answer

BULK_MAX = 100


class Size(NamedTuple):
    """What the records are made from, remembered for a reset."""

    seed: int
    contacts: int


class AntCrm:
    """The vendor: state, switches, faults and routes under `/antcrm`."""

    name = "antcrm"

    def __init__(
        self, log: WriteLog, *, seed: int, contacts: int, today: date, key: str = DEFAULT_KEY
    ) -> None:
        self.switches = Switches(SWITCHES | {"apikey": Switch(key, (), SWITCHES["apikey"].help)})
        self.faults = FaultPlan()
        self._lock = threading.RLock()
        self._log = log
        self._today_ms = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp() * 1000)
        self._routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/contacts"): lambda request: self._lists.live(request),
            ("POST", "/contacts"): self._create,
            ("PUT", "/contacts"): self._edit,
            ("DELETE", "/contacts"): self._delete,
            ("POST", "/contacts/package"): self._bulk,
            ("GET", "/contacts/list-deleted"): lambda request: self._lists.deleted(request),
            ("GET", "/contacts/merged"): lambda request: self._lists.merged(request),
        }
        self._size = Size(seed, contacts)
        self.reset()

    # ------------------------------------------------------------------ what the server calls

    def reset(self, seed: int | None = None, contacts: int | None = None) -> None:
        """Start over with fresh records; switches and faults back to their defaults."""
        with self._lock:
            self._start_over(seed, contacts)

    def _start_over(self, seed: int | None, contacts: int | None) -> None:
        old = self._size
        self._size = Size(old.seed if seed is None else seed, old.contacts if contacts is None else contacts)
        self.switches.reset()
        self.faults.replace([])
        self.book = ContactBook(SeedData(*self._size, self._today_ms))
        self._lists = Lists(self.book, self.switches)
        self._rng = random.Random(self._size.seed)
        self.book.changed = self._lists.forget
        self.staff = RemoteStaff(self.book, self._log)

    def switch(self, changes: dict[str, Any]) -> None:
        """Change switches; cached bytes are dropped since any of them may look different."""
        with self._lock:
            self.switches.set(changes)
            self.book.skew_ms = self.switches["clock_skew_s"] * 1000
            self._lists.forget_all()

    def warm(self) -> None:
        """Make everything ready that would otherwise be made on first use."""
        with self._lock:
            self._lists.warm()

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer a control call below `/_control/antcrm`."""
        with self._lock:
            return self.staff.control(method, path, query, body)

    def handle(self, request: Request, path: str) -> Answer:
        """Answer one API request."""
        if request.headers.get("apikey") != self.switches["apikey"]:
            return _failure(401, "apikey is missing or wrong")
        if 0 < self.switches["rate_limit"] < request.hints.get("in_last_second", 0):
            refusal = _failure(self.switches["rate_status"], "request limit exceeded")
            refusal.headers["Retry-After"] = "1"
            return refusal
        route = self._routes.get((request.method, path))
        if route is None:
            known = any(path == routed for _, routed in self._routes)
            return _failure(405, "method not allowed") if known else _failure(404, "not found")
        with self._lock:
            if counts := request.hints.get("mutate"):
                self.staff.mutate(self._rng, **counts)
            try:
                return route(request)
            except (Refused, BadRequest) as problem:
                return _failure(400, str(problem))

    def _create(self, request: Request) -> Answer:
        body = _object(request.json())
        position, refusal = self._create_one(body)
        if refusal:
            return refusal
        key, number = shapes.id_name(self.book.kinds[position]), self.book.numbers[position]
        return json_answer({"success": 1, key: number})

    def _create_one(self, body: dict[str, Any]) -> tuple[int, Answer | None]:
        """Store one create; the position, or why the duplicate was refused."""
        fields, kind, code = self._checked_create(body)
        twins = [p for p in self.book.by_code(code) if self.book.states[p] == LIVE]
        if twins and self.switches["duplicate_code"] == "reject":
            return -1, _failure(400, f"customerIdApiRing {code} already exists")
        if twins and self.switches["duplicate_code"] == "upsert":
            position = twins[0]
            self.book.edit(position, merged_fields(self.book.get(position).fields, fields, self.switches))
            self._note("edit", position, {"customerIdApiRing": code}, body)
            return position, None
        stored = {key: list(v) if isinstance(v, list) else v for key, v in BLANK.items()} | fields
        record = self.book.create(stored, kind=kind, code=code)
        self._note("create", record.position, None, body)
        return record.position, None

    def _checked_create(self, body: dict[str, Any]) -> tuple[dict[str, Any], int, str]:
        for key in ("name", "customerIdApiRing"):
            if not isinstance(body.get(key), str) or not body[key].strip():
                raise Refused(f"{key} is required")
        fields = stored_fields(self.book, body, self.switches)
        if body.get("group") is not None:
            fields["group"] = body["group"]
        return fields, kind_of(body), body["customerIdApiRing"]

    def _bulk(self, request: Request) -> Answer:
        items = request.json()
        if not isinstance(items, list) or not items:
            raise Refused("the body must be an array of customers")
        if len(items) > BULK_MAX:
            raise Refused(f"at most {BULK_MAX} customers in one request")
        for index, item in enumerate(items):
            try:
                self._checked_create(_object(item))
            except Refused as problem:
                raise Refused(f"item {index}: {problem}") from None
        failure = self.switches["bulk"]
        if failure == "short":
            del items[len(items) // 2]
        kept = items[: len(items) // 2] if failure == "reject_all_after_some" else items
        ids: dict[str, list[int]] = {}
        for item in kept:
            position, refusal = self._create_one(item)
            if refusal:
                return refusal
            key = shapes.id_name(self.book.kinds[position])
            ids.setdefault(key, []).append(self.book.numbers[position])
        if failure == "reject_all_after_some":
            return _failure(400, "the batch could not be stored")
        for numbers in ids.values():
            if failure == "long":
                numbers.append(1)
            if failure == "shuffled":
                numbers.sort(key=lambda number: (number % 2, -number))
        return json_answer({"success": 1, **ids})

    def _edit(self, request: Request) -> Answer:
        body = _object(request.json())
        self._interfere(request, body, "before")
        selector, position = self._selected(body)
        changes = {key: value for key, value in body.items() if key not in selector}
        fields = stored_fields(self.book, changes, self.switches)
        if position is None:
            return self._unknown(body, selector)
        self.book.edit(position, merged_fields(self.book.get(position).fields, fields, self.switches))
        self._note("edit", position, selector, body)
        self._interfere(request, body, "after")
        key = shapes.id_name(self.book.kinds[position])
        return json_answer({"success": 1, key: self.book.numbers[position]})

    def _delete(self, request: Request) -> Answer:
        body = _object(request.json())
        self._interfere(request, body, "before")
        selector, position = self._selected(body)
        if position is None or self.book.states[position] != LIVE:
            return self._unknown({}, selector)
        self.book.trash(position)
        self._note("delete", position, selector, body)
        return json_answer({"success": 1})

    def _interfere(self, request: Request, body: dict[str, Any], when: str) -> None:
        """Let remote staff touch the record this write names, when a fault asks for it."""
        event = request.hints.get("remote_event")
        if not event or event["when"] != when:
            return
        _, position = self._selected(body)
        if position is not None:
            selector = {"_id": self.book.get(position).oid}
            if event["event"] == "trash":
                self.staff.trash(selector)
            else:
                self.staff.patch(selector | event["changes"])

    def _selected(self, body: dict[str, Any]) -> tuple[dict[str, Any], int | None]:
        """The selector of an edit or delete and what it points at; selectors must agree."""
        selector = {key: body[key] for key in ("leadId", "customerId", "customerIdApiRing") if body.get(key)}
        if not selector:
            raise Refused("leadId, customerId or customerIdApiRing is required")
        if len({key for key in selector if key != "customerIdApiRing"}) == 2:
            raise Refused("leadId and customerId are given; give one")
        found = {self._at(key, value) for key, value in selector.items()}
        if len(found) > 1:
            raise Refused("the selectors name different customers")
        return selector, found.pop()

    def _at(self, key: str, value: Any) -> int | None:
        states = {LIVE} if self.switches["put_gone"] == "unknown" else {LIVE, TRASHED, MERGED}
        if key == "customerIdApiRing":
            return next((p for p in self.book.by_code(str(value)) if self.book.states[p] in states), None)
        position = self.book.by_number(whole_number({key: str(value)}, key), key == "customerId")
        return position if position is not None and self.book.states[position] in states else None

    def _unknown(self, body: dict[str, Any], selector: dict[str, Any]) -> Answer:
        """The answer to a write whose selector matches nobody."""
        policy = self.switches["put_unknown"]
        code = selector.get("customerIdApiRing")
        if policy == "upsert" and code and body.get("name"):
            position, refusal = self._create_one(body)
            key = shapes.id_name(self.book.kinds[position])
            return refusal or json_answer({"success": 1, key: self.book.numbers[position]})
        if policy == "success0":
            return json_answer({"success": 0, "message": "customer not found"})
        if policy == "noop":
            return json_answer({"success": 1})
        return _failure(400, "customer not found")

    def _note(self, operation: str, position: int, selector: Any, body: Any) -> None:
        key = "leadId" if self.book.kinds[position] == LEAD else "customerId"
        self._log.add(self.name, operation, selector=selector, body=body,
                      result={key: self.book.numbers[position]})  # fmt: skip


def _failure(status: int, message: str) -> Answer:
    return json_answer({"success": 0, "message": message}, status)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("the body must be a JSON object")
    return value
