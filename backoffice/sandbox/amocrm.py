"""amoCRM/Kommo contacts (API v4) as its page describes them, undocumented parts switchable.

Source: the vendor's page "Contacts". Operations: list, one, add and update (batches and single),
link chats, list chats. What only public sources tell of is in `amocrm_public`, logging in in
`amocrm_access`.
"""

import random
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from .amocrm_access import Access
from .amocrm_book import LIVE, Book
from .amocrm_chats import Chats
from .amocrm_lists import Lists
from .amocrm_public import PublicRoutes
from .amocrm_shapes import Refused, Shapes, hal, invalid, nothing, problem
from .amocrm_staff import RemoteStaff
from .amocrm_switches import SWITCHES
from .amocrm_writes import Intake, Mistakes
from .faults import FaultPlan
from .journal import WriteLog
from .seed import Identity
from .switches import Switches
from .wire import Answer, BadRequest, Request

BATCH_MAX = 250
ROOT = "/api/v4"


class Size(NamedTuple):
    """What the contacts are made from, remembered for a reset."""

    seed: int
    contacts: int


class AmoCrm:
    """The vendor: state, switches, faults and routes under `/amocrm`."""

    name = "amocrm"

    def __init__(
        self, log: WriteLog, *, seed: int, contacts: int, today: date, people: Callable[[int], Identity]
    ) -> None:
        self.switches = Switches(SWITCHES)
        self.faults = FaultPlan()
        self._lock = threading.RLock()
        self._log, self._people = log, people
        self._today = int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp())
        self._size = Size(seed, contacts)
        self.reset()

    # ------------------------------------------------------------------ what the server calls

    def reset(self, seed: int | None = None, contacts: int | None = None) -> None:
        """Start over with fresh contacts; switches and faults back to their defaults."""
        with self._lock:
            old = self._size
            self._size = Size(
                old.seed if seed is None else seed, old.contacts if contacts is None else contacts
            )
            self.switches.reset()
            self.faults.replace([])
            self.book = Book(*self._size, self._today, self._people)
            self._shapes = Shapes(self.book, self.switches, "https://example.amocrm.com")
            self._lists = Lists(self.book, self.switches, self._shapes)
            self.book.changed = self._lists.forget
            self._intake = Intake(self.book, self.switches)
            self._chats = Chats(self.book, self.switches)
            self._public = PublicRoutes(self.book, self.switches, self._shapes)
            self.access = Access(self.switches)
            self.staff = RemoteStaff(
                self.book, self._log, self._shapes, self._intake, self._public, self._chats
            )
            self._rng = random.Random(self._size.seed)
            self._routes = self._routed()

    def _routed(self) -> dict[tuple[str, str], Callable[[Request], Answer]]:
        return {
            ("GET", "/contacts"): self._lists.contacts,
            ("POST", "/contacts"): self._add,
            ("PATCH", "/contacts"): self._update,
            ("GET", "/contacts/chats"): self._chats.listed,
            ("POST", "/contacts/chats"): self._link_chats,
            ("GET", "/contacts/custom_fields"): self._public.definitions,
            ("GET", "/events"): self._public.list_events,
            ("GET", "/webhooks"): self._public.change_webhooks,
            ("POST", "/webhooks"): self._public.change_webhooks,
            ("DELETE", "/webhooks"): self._public.change_webhooks,
        }

    def switch(self, changes: dict[str, Any]) -> None:
        """Change switches; cached bytes are dropped since any of them may look different."""
        with self._lock:
            self.switches.set(changes)
            self.book.skew = self.switches["clock_skew_s"]
            self._lists.forget_all()

    def warm(self) -> None:
        """Make everything ready that would otherwise be made on first use."""
        with self._lock:
            self._lists.warm()

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer a control call below `/_control/amocrm`."""
        with self._lock:
            if path == "/access":
                return self.access.expire(body) if method == "POST" else self.access.state()
            return self.staff.control(method, path, query, body)

    def handle(self, request: Request, path: str) -> Answer:
        """Answer one API request."""
        with self._lock:
            try:
                if refusal := self.access.refusal(request):
                    return refusal
                if (request.method, path) == ("POST", "/oauth2/access_token"):
                    return self.access.token(request)
                if refusal := self.access.unauthorized(request):
                    return refusal
                if counts := request.hints.get("mutate"):
                    self.staff.mutate(self._rng, **counts)
                return self._routed_answer(request, path)
            except Refused as refused:
                return refused.answer
            except BadRequest as mistake:
                return problem(400, str(mistake))

    def _routed_answer(self, request: Request, path: str) -> Answer:
        if not path.startswith(f"{ROOT}/"):
            return problem(404, "Not found")
        path = path.removeprefix(ROOT)
        if route := self._routes.get((request.method, path)):
            return route(request)
        if any(path == known for _, known in self._routes):
            return problem(405, "Method not allowed")
        parts = path.strip("/").split("/")
        if parts[0] == "contacts" and len(parts) > 1 and parts[1].isdecimal():
            return self._of_one(request, int(parts[1]), "/".join(parts[2:]))
        return problem(404, "Not found")

    def _of_one(self, request: Request, number: int, rest: str) -> Answer:
        position = self.book.at(number)
        live = position is not None and self.book.states[position] == LIVE
        if (request.method, rest) == ("GET", ""):
            shown = live or (position is not None and self.switches["deleted_by_id"] == "flag")
            if position is None or not shown:
                return nothing()
            return hal(self._shapes.contact(position, self._lists.with_(request.query), deleted=not live))
        if (request.method, rest) == ("PATCH", ""):
            return self._update_one(request, number)
        if rest in ("links", "link", "unlink"):
            if position is None or not live:
                return nothing() if request.method == "GET" else problem(404, "Not found")
            if (request.method, rest) == ("GET", "links"):
                return self._public.links(position)
            if request.method == "POST" and rest != "links":
                answer = self._public.change_links(position, request, add=rest == "link")
                self._note(rest, position, request.json())
                return answer
        return problem(404, "Not found") if rest else problem(405, "Method not allowed")

    # ------------------------------------------------------------------ writes

    def _add(self, request: Request) -> Answer:
        items = self._batch(request)
        stored = self._all_stored(items, lambda item: None)
        kept = stored
        if self.switches["batch"] == "reject_after_some":
            kept = stored[: len(stored) // 2]
        made = []
        for item, fields in zip(items, kept, strict=False):
            dates = {"created": fields.pop("created_at", None), "updated": fields.pop("updated_at", None)}
            position = self.book.create(fields, **dates)
            self._public.note("contact_added", position)
            self._note("create", position, item)
            made.append(position)
        if self.switches["batch"] == "reject_after_some":
            return problem(400, "The batch could not be stored")
        shown = [
            {
                "id": self.book.numbers[position],
                "request_id": str(item.get("request_id", index)),
                "_links": self._shapes.link("contacts", self.book.numbers[position]),
            }
            for index, (item, position) in enumerate(zip(items, made, strict=True))
        ]
        return self._collection(shown)

    def _update(self, request: Request) -> Answer:
        items = self._batch(request)
        for item in items:
            self._interfere(request, item, "before")
        changes = self._all_stored(items, self._at)
        shown = []
        for item, fields in zip(items, changes, strict=True):
            shown.append(self._applied(item, fields))
            self._interfere(request, item, "after")
        return self._collection(shown)

    def _update_one(self, request: Request, number: int) -> Answer:
        item = request.json()
        if not isinstance(item, dict):
            return problem(400, "The request body must be an object.")
        item = item | {"id": number}
        self._interfere(request, item, "before")
        fields = self._all_stored([item], self._at)[0]
        shown = self._applied(item, fields)
        self._interfere(request, item, "after")
        return self._collection([shown]) if self.switches["patch_answer"] == "wrapped" else hal(shown)

    def _applied(self, item: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
        position = self.book.at(item["id"])
        assert position is not None
        created, updated = fields.pop("created_at", None), fields.pop("updated_at", None)
        self.book.edit(position, fields, updated=updated)
        if created is not None:
            self.book.set_dates(position, created=created)
        self._note("edit", position, item)
        return {
            "id": item["id"],
            "name": self.book.get(position)["name"],
            "updated_at": self.book.updated[position],
            "_links": self._shapes.link("contacts", item["id"]),
        }

    def _batch(self, request: Request) -> list[dict[str, Any]]:
        items = request.json()
        if not isinstance(items, list) or not items:
            raise Refused(problem(400, "The request body must be an array that is not empty."))
        if len(items) > BATCH_MAX:
            raise Refused(problem(422, f"At most {BATCH_MAX} entities in one request."))
        return items

    def _all_stored(
        self, items: list[Any], at: Callable[[dict[str, Any]], int | None]
    ) -> list[dict[str, Any]]:
        """The fields of every item; one mistake refuses the whole request."""
        stored, mistakes = [], []
        for index, item in enumerate(items):
            key = str(item.get("request_id", index)) if isinstance(item, dict) else str(index)
            try:
                position = at(item) if isinstance(item, dict) else None
                stored.append(
                    self._intake.stored(item, None if position is None else self.book.get(position))
                )
            except Mistakes as problems:
                mistakes += [(key, *found) for found in problems.found]
        if mistakes:
            raise Refused(invalid(mistakes))
        return stored

    def _at(self, item: dict[str, Any]) -> int | None:
        position = self.book.at(item.get("id"))
        if "id" not in item:
            raise Mistakes([("FieldMissing", "id", "This field is missing.")])
        if position is None or self.book.states[position] != LIVE:
            if self.switches["patch_unknown"] == "404":
                raise Refused(problem(404, "Contact not found"))
            raise Mistakes([("NotSupportedChoice", "id", "The contact was not found.")])
        return position

    def _collection(self, shown: list[dict[str, Any]]) -> Answer:
        """The answer to a write, spoiled as the switch says."""
        spoiled, embedded = self.switches["batch"], {"contacts": shown}
        if spoiled == "short":
            del shown[len(shown) // 2]
        elif spoiled == "long":
            shown.append({"id": 1, "request_id": "nobody", "_links": self._shapes.link("contacts", 1)})
        elif spoiled == "shuffled":
            shown.reverse()
        elif spoiled == "no_request_ids":
            for each in shown:
                each.pop("request_id", None)
        elif spoiled == "errors":
            embedded["errors"] = [{"title": "Not stored", "detail": "A contact could not be stored"}]
            del shown[-1]
        return hal({"_links": self._shapes.link("contacts", ""), "_embedded": embedded})

    def _link_chats(self, request: Request) -> Answer:
        answer, linked = self._chats.add(request)
        for each in linked:
            self._log.add(self.name, "link chat", selector=None, body=each, result={"id": each["contact_id"]})
        return answer

    def _interfere(self, request: Request, item: Any, when: str) -> None:
        """Let remote staff touch the contact this write names, when a fault asks for it."""
        event = request.hints.get("remote_event")
        if not event or event["when"] != when or not isinstance(item, dict):
            return
        if self.book.at(item.get("id")) is not None:
            selector = {"id": item["id"]}
            if event["event"] == "trash":
                self.staff.trash(selector)
            else:
                self.staff.patch(selector | event["changes"])

    def _note(self, operation: str, position: int, body: Any) -> None:
        result = {"id": self.book.numbers[position]}
        self._log.add(self.name, operation, selector=None, body=body, result=result)
