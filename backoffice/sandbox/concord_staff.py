"""What people do inside Concord: edits, trash, restore, purge, merge, visibility, by script."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

from . import words
from .antcrm_writes import Refused
from .concord_book import STATE_NAMES, ConcordBook
from .concord_lists import ConcordLists
from .concord_seed import COUNTRIES, CUSTOM, FIRST, JOBS, LAST, LIVE, POOLS, PURGED, SOURCES, TRASHED, USERS
from .concord_shapes import NUMBERS, TEXTS, truth
from .concord_writes import BLANK
from .journal import WriteLog
from .wire import NoSuchCall

STORED = (*TEXTS, *NUMBERS, "phones", "tags", *POOLS, "extra")


class ConcordStaff:
    """Scripted changes behind the API's back, and the truth about every contact."""

    def __init__(self, book: ConcordBook, lists: ConcordLists, log: WriteLog) -> None:
        self._book, self._lists, self._log = book, lists, log

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer one control call; raises NoSuchCall for an unknown path."""
        actions: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "/contacts"): lambda _: self.contacts(query),
            ("GET", "/counts"): lambda _: self._lists.counts(),
            ("GET", "/words"): lambda _: {
                "users": dict((number, name) for number, name, _email in USERS),
                "sources": dict(SOURCES),
                "countries": dict(COUNTRIES),
                "custom": CUSTOM,
                "pools": POOLS,
            },
            ("POST", "/contacts"): self.create,
            ("PATCH", "/contacts"): self.patch,
            ("POST", "/trash"): self.trash,
            ("POST", "/restore"): self.restore,
            ("POST", "/purge"): self.purge,
            ("POST", "/merge"): self.merge,
            ("POST", "/hide"): self.hide,
            ("POST", "/mutate"): self._mutate,
        }
        if (method, path) not in actions:
            raise NoSuchCall(f"{method} {path}")
        return actions[method, path](body)

    def contacts(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Every contact in full, or those of a state or with an id."""
        found = []
        for position, state in enumerate(self._book.states):
            if query.get("state") and STATE_NAMES[state] != query["state"]:
                continue
            if not query.get("id") or str(position + 1) == query["id"]:
                found.append(truth(self._book, position))
        return found

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """A contact made by remote staff; only the first name is required."""
        if not body.get("first_name"):
            raise Refused("first_name is required")
        position = self._book.create(BLANK | {"custom": {}} | self._changes(body))
        self._dates(position, body)
        return self._done("create", position, body)

    def patch(self, body: dict[str, Any]) -> dict[str, Any]:
        """A remote edit: fields as they are stored, `custom` by key, `extra` keys, ISO dates."""
        position = self._position(body)
        changes = self._changes(body)
        if "custom" in changes:
            changes["custom"] = self._book.get(position)["custom"] | changes["custom"]
        self._book.edit(position, changes)
        self._dates(position, body)
        return self._done("edit", position, body)

    def trash(self, body: dict[str, Any]) -> dict[str, Any]:
        """Delete a live contact; it can still be restored."""
        position = self._position(body, LIVE)
        self._book.trash(position)
        return self._done("trash", position, body)

    def restore(self, body: dict[str, Any]) -> dict[str, Any]:
        """Bring a deleted contact back."""
        position = self._position(body, TRASHED)
        self._book.restore(position)
        return self._done("restore", position, body)

    def purge(self, body: dict[str, Any]) -> dict[str, Any]:
        """Remove a contact for good."""
        position = self._position(body)
        self._book.purge(position)
        return self._done("purge", position, body)

    def merge(self, body: dict[str, Any]) -> dict[str, Any]:
        """{"loser": {"id"}, "survivor": {"id"}}: phones flow to the survivor, the loser is gone for good."""
        loser = self._position(body.get("loser"), LIVE)
        survivor = self._position(body.get("survivor"), LIVE)
        if loser == survivor:
            raise Refused("loser and survivor are the same contact")
        kept, gone = self._book.get(survivor), self._book.get(loser)
        known = {phone["number"] for phone in kept["phones"]}
        added = [phone for phone in gone["phones"] if phone["number"] not in known]
        self._book.edit(survivor, {"phones": kept["phones"] + added, "email": kept["email"] or gone["email"]})
        self._book.purge(loser)
        return self._done("merge", survivor, body)

    def hide(self, body: dict[str, Any]) -> dict[str, Any]:
        """Take a contact out of what the token's user may see; `hidden` false puts it back."""
        position = self._position(body)
        self._book.hide(position, body.get("hidden", True))
        return {"id": position + 1, "hidden": position in self._book.hidden}

    def mutate(
        self, rng: random.Random, *, edits: int = 0, creates: int = 0, trash: int = 0, merges: int = 0
    ) -> dict[str, Any]:
        """A burst of random changes; answers what was done to whom."""
        done: list[dict[str, Any]] = []
        for _ in range(edits):
            if (position := self._random_live(rng)) is not None:
                self._book.edit(
                    position, {"job_title": rng.choice(JOBS), "city": f"Cidade {rng.randrange(99)}"}
                )
                done.append(self._done("edit", position, None))
        for _ in range(creates):
            done.append(self.create({
                "first_name": rng.choice((*FIRST, *words.GIVEN)), "last_name": rng.choice(LAST),
                "phones": [{"number": f"+55 11 9{rng.randrange(10**8):08d}", "type": "mobile"}],
            }))  # fmt: skip
        for _ in range(trash):
            if (position := self._random_live(rng)) is not None:
                self._book.trash(position)
                done.append(self._done("trash", position, None))
        for _ in range(merges):
            loser, survivor = self._random_live(rng), self._random_live(rng)
            if loser is not None and survivor is not None and loser != survivor:
                done.append(self.merge({"loser": {"id": loser + 1}, "survivor": {"id": survivor + 1}}))
        return {"done": done}

    def _mutate(self, body: dict[str, Any]) -> dict[str, Any]:
        counts = {key: int(body[key]) for key in ("edits", "creates", "trash", "merges") if key in body}
        return self.mutate(random.Random(body.get("seed", 0)), **counts)

    # ------------------------------------------------------------------ helpers

    def _random_live(self, rng: random.Random) -> int | None:
        live = self._book.live()
        return rng.choice(live) if live else None

    def _changes(self, body: dict[str, Any]) -> dict[str, Any]:
        changes = {key: body[key] for key in (*STORED, "custom") if key in body}
        unknown = changes.get("custom", {}).keys() - CUSTOM.keys()
        if unknown:
            raise Refused(f"no custom fields {', '.join(sorted(unknown))}; use extra for further keys")
        return changes

    def _dates(self, position: int, body: dict[str, Any]) -> None:
        dates = {
            name: int(datetime.fromisoformat(body[key]).timestamp() * 1_000_000) if key in body else None
            for name, key in (("created", "created_at"), ("updated", "updated_at"))
        }
        if any(at is not None for at in dates.values()):
            self._book.set_dates(position, created=dates["created"], updated=dates["updated"])

    def _position(self, body: Any, state: int | None = None) -> int:
        if not isinstance(body, dict) or "id" not in body:
            raise Refused("an object with id is needed")
        position = self._book.find(int(body["id"]))
        if position is None or self._book.states[position] == PURGED:
            raise Refused(f"no contact {body['id']}")
        if state is not None and self._book.states[position] != state:
            raise Refused(f"contact {body['id']} is {STATE_NAMES[self._book.states[position]]}")
        return position

    def _done(self, operation: str, position: int, body: Any) -> dict[str, Any]:
        result = {"id": position + 1}
        self._log.add("concord", operation, selector=result, body=body, result=result, by="staff")
        return {"operation": operation, "state": STATE_NAMES[self._book.states[position]]} | result
