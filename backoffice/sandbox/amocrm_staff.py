"""What people do inside amoCRM: edits, deletions, restores, merges, chats, by script.

The API can neither delete nor merge nor restore; tests need it to happen.
"""

import random
from collections.abc import Callable
from typing import Any

from . import amocrm_words as words
from . import words as shared_words
from .amocrm_book import DELETED, LIVE, MERGED, STATE_NAMES, Book
from .amocrm_chats import Chats
from .amocrm_public import PublicRoutes
from .amocrm_shapes import Shapes
from .amocrm_writes import Intake, Mistakes
from .journal import WriteLog
from .wire import NoSuchCall


class RemoteStaff:
    """Scripted changes behind the API's back, and the truth about every contact."""

    def __init__(
        self, book: Book, log: WriteLog, shapes: Shapes, intake: Intake, public: PublicRoutes, chats: Chats
    ) -> None:
        self._book, self._log, self._shapes = book, log, shapes
        self._intake, self._public, self._chats = intake, public, chats

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer one control call; raises NoSuchCall for an unknown path."""
        actions: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "/contacts"): lambda _: self.records(query),
            ("GET", "/counts"): lambda _: {
                name: self._book.states.count(state) for state, name in STATE_NAMES.items()
            },
            ("GET", "/users"): lambda _: [
                {"id": number, "email": email, "name": name} for number, email, name in words.USERS
            ],
            ("GET", "/chats"): lambda _: self._chats.contacts,
            ("GET", "/events"): lambda _: self._public.events,
            ("POST", "/contacts"): self.create,
            ("PATCH", "/contacts"): self.patch,
            ("POST", "/trash"): self.trash,
            ("POST", "/restore"): self.restore,
            ("POST", "/merge"): self.merge,
            ("POST", "/chat"): lambda given: {"id": self._chats.link(given["chat_id"], given["contact_id"])},
            ("POST", "/mutate"): self._mutate,
        }
        if (method, path) not in actions:
            raise NoSuchCall(f"{method} {path}")
        return actions[method, path](body)

    def records(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Every contact in full (`brief`: id, state and name), or those of a state or an id."""
        book, found = self._book, []
        for position, state in enumerate(book.states):
            if query.get("state") and STATE_NAMES[state] != query["state"]:
                continue
            if query.get("id") and str(book.numbers[position]) != query["id"]:
                continue
            if query.get("brief"):
                name = book.get(position)["name"]
                found.append({"id": book.numbers[position], "state": STATE_NAMES[state], "name": name})
            else:
                found.append(self._shapes.truth(position))
        return found

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """A contact made by people, in the API's own shape; also `created_at`, `updated_at`."""
        fields = self._stored(body, None)
        position = self._book.create(fields, created=body.get("created_at"), updated=body.get("updated_at"))
        self._public.note("contact_added", position)
        return self._done("create", position, body)

    def patch(self, body: dict[str, Any]) -> dict[str, Any]:
        """An edit by people: `id` and the API's shape; also `raw` (stored) and `extra` (shown as it is)."""
        position = self._position(body)
        before = self._book.get(position)
        fields = self._stored({key: body[key] for key in body if key not in ("id", "raw", "extra")}, before)
        if "extra" in body:
            fields["extra"] = before["extra"] | body["extra"]
        self._book.edit(position, fields | body.get("raw", {}), updated=body.get("updated_at"))
        return self._done("edit", position, body)

    def _stored(self, body: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
        try:
            fields = self._intake.stored(body, before)
        except Mistakes as mistakes:
            raise ValueError(f"not storable: {mistakes.found}") from None
        return {key: value for key, value in fields.items() if key not in ("created_at", "updated_at")}

    def trash(self, body: dict[str, Any]) -> dict[str, Any]:
        """Delete a live contact."""
        position = self._position(body, LIVE)
        self._book.move(position, DELETED)
        self._public.note("contact_deleted", position, by=body.get("by", 504141))
        return self._done("trash", position, body)

    def restore(self, body: dict[str, Any]) -> dict[str, Any]:
        """Bring a deleted contact back."""
        position = self._position(body, DELETED)
        self._book.move(position, LIVE)
        self._public.note("contact_restored", position)
        return self._done("restore", position, body)

    def merge(self, body: dict[str, Any]) -> dict[str, Any]:
        """Merge {"loser": id} into {"survivor": id}: what the survivor lacks flows to it."""
        loser = self._position({"id": body["loser"]}, LIVE)
        survivor = self._position({"id": body["survivor"]}, LIVE)
        if loser == survivor:
            raise ValueError("loser and survivor are the same contact")
        self._merge(loser, survivor)
        return self._done("merge", loser, body) | {"survivor": self._book.numbers[survivor]}

    def _merge(self, loser: int, survivor: int) -> None:
        gone, kept = self._book.get(loser), self._book.get(survivor)
        values = dict(kept["values"])
        for field, items in gone["values"].items():
            known = [each["value"] for each in values.get(field, ())]
            more = [each for each in items if each["value"] not in known]
            if words.TYPES[field] == "multitext" and more:
                values[field] = [*values.get(field, ()), *more]
            else:
                values.setdefault(field, items)
        tags = list(dict.fromkeys([*kept["tags"], *gone["tags"]]))
        leads = list(dict.fromkeys([*kept["leads"], *gone["leads"]]))
        self._book.edit(survivor, {"values": values, "tags": tags, "leads": leads})
        self._book.move(loser, MERGED)
        self._book.survivors[loser] = survivor
        self._public.note("entity_merged", survivor)

    def mutate(
        self, rng: random.Random, *, edits: int = 0, creates: int = 0, trash: int = 0, merges: int = 0
    ) -> dict[str, Any]:
        """A burst of random changes; answers what was done to whom."""
        done: list[dict[str, Any]] = []
        for _ in range(edits):
            if (position := self._random_live(rng)) is not None:
                values = self._book.get(position)["values"] | {words.REMARK: [{"value": f"x {rng.random()}"}]}
                self._book.edit(position, {"values": values})
                done.append(self._done("edit", position, None))
        for _ in range(creates):
            name = f"{rng.choice(shared_words.FAMILY)} {rng.choice(shared_words.GIVEN)}"
            phone = {"value": f"09{rng.randrange(10**8):08d}", "enum_code": "MOB"}
            item = {"name": name, "custom_fields_values": [{"field_code": "PHONE", "values": [phone]}]}
            done.append(self.create(item))
        for _ in range(trash):
            if (position := self._random_live(rng)) is not None:
                done.append(self.trash({"id": self._book.numbers[position]}))
        for _ in range(merges):
            loser, survivor = self._random_live(rng), self._random_live(rng)
            if loser is not None and survivor is not None and loser != survivor:
                self._merge(loser, survivor)
                done.append(self._done("merge", loser, None))
        return {"done": done}

    def _mutate(self, body: dict[str, Any]) -> dict[str, Any]:
        counts = {key: int(body[key]) for key in ("edits", "creates", "trash", "merges") if key in body}
        return self.mutate(random.Random(body.get("seed", 0)), **counts)

    # ------------------------------------------------------------------ helpers

    def _random_live(self, rng: random.Random) -> int | None:
        states = self._book.states
        for _ in range(200):
            position = rng.randrange(len(states)) if states else 0
            if states and states[position] == LIVE:
                return position
        return None

    def _position(self, body: dict[str, Any], state: int | None = None) -> int:
        number = body.get("id") if isinstance(body, dict) else None
        position = self._book.at(number)
        if position is None:
            raise ValueError(f"no contact {number!r}")
        if state is not None and self._book.states[position] != state:
            found = STATE_NAMES[self._book.states[position]]
            raise ValueError(f"contact {number} is {found}, not {STATE_NAMES[state]}")
        return position

    def _done(self, operation: str, position: int, body: Any) -> dict[str, Any]:
        result = {"id": self._book.numbers[position]}
        self._log.add("amocrm", operation, selector=None, body=body, result=result, by="staff")
        return {"operation": operation, "state": STATE_NAMES[self._book.states[position]]} | result
