"""What people do inside AntCRM: edits, trash, restore, purge, merge, conversion, by script.

The public API knows neither restore nor merge nor conversion; tests need them to happen.
"""

import random
from collections.abc import Callable
from typing import Any

from . import words
from .antcrm_shapes import brief, id_name, truth
from .antcrm_writes import BLANK, EDITABLE, Refused, kind_of, stored_fields
from .journal import WriteLog
from .seed import LEAD, LIVE, PURGED, TRASHED
from .state import STATE_NAMES, ContactBook
from .switches import Switch, Switches
from .wire import NoSuchCall

LENIENT = Switches({"cut_name": Switch(0), "unknown_staff": Switch("reject")})
OWN_FIELDS = ("scoreAvailable", "scoreRank", "rankName", "createdByBot", "historiesAds", "group", "extra")


class RemoteStaff:
    """Scripted changes behind the API's back, and the truth about every record."""

    def __init__(self, book: ContactBook, log: WriteLog) -> None:
        self._book = book
        self._log = log

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer one control call; raises NoSuchCall for an unknown path."""
        actions: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "/contacts"): lambda _: self.records(query),
            ("GET", "/counts"): lambda _: {
                name: self._book.states.count(state) for state, name in STATE_NAMES.items()
            },
            ("GET", "/staff"): lambda _: [
                {"_id": oid, "email": email, "name": name} for oid, email, name in self._book.data.staff
            ],
            ("POST", "/contacts"): self.create,
            ("PATCH", "/contacts"): self.patch,
            ("POST", "/trash"): self.trash,
            ("POST", "/restore"): self.restore,
            ("POST", "/purge"): self.purge,
            ("POST", "/merge"): self.merge,
            ("POST", "/convert"): self.convert,
            ("POST", "/mutate"): self._mutate,
        }
        if (method, path) not in actions:
            raise NoSuchCall(f"{method} {path}")
        return actions[method, path](body)

    def records(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Every record in full, or those of a state, kind, number or code."""
        book = self._book
        found = []
        wanted = book.by_code(query["code"]) if query.get("code") else range(len(book.kinds))
        for position in wanted:
            state = STATE_NAMES[book.states[position]]
            if query.get("state") and state != query["state"]:
                continue
            if query.get("id") and str(book.numbers[position]) != query["id"]:
                continue
            kind = query.get("kind")
            names = (("lead",), ("contact", "customer"), ("account", "customer"))[book.kinds[position]]
            if kind and kind not in names:
                continue
            found.append(brief(book, position) if query.get("brief") else truth(book, position))
        return found

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """A record made by remote staff; only the name is required, a code is allowed."""
        if not body.get("name"):
            raise Refused("name is required")
        stored = {key: list(v) if isinstance(v, list) else v for key, v in BLANK.items()}
        record = self._book.create(
            stored | self._changes(body), kind=kind_of(body), code=body.get("customerIdApiRing")
        )
        self._dates(record.position, body)
        return self._done("create", record.position, None, body)

    def patch(self, body: dict[str, Any]) -> dict[str, Any]:
        """A remote edit; also `createdAt`, `updatedAt` (ms), `raw` (stored as is), `extra` (new keys)."""
        position = self._position(body)
        self._book.edit(position, self._changes(body))
        self._dates(position, body)
        return self._done("edit", position, _selector(body), body)

    def trash(self, body: dict[str, Any]) -> dict[str, Any]:
        """Move a live record to the trash."""
        position = self._position(body, LIVE)
        self._book.trash(position, by=self._book.staff_ids.get(str(body.get("by", "")).lower(), ""))
        return self._done("trash", position, _selector(body), body)

    def restore(self, body: dict[str, Any]) -> dict[str, Any]:
        """Bring a trashed record back."""
        position = self._position(body, TRASHED)
        self._book.restore(position)
        return self._done("restore", position, _selector(body), body)

    def purge(self, body: dict[str, Any]) -> dict[str, Any]:
        """Remove a trashed, merged or live record for good."""
        position = self._position(body)
        if self._book.states[position] == PURGED:
            raise Refused("the record is already purged")
        self._book.purge(position)
        return self._done("purge", position, _selector(body), body)

    def merge(self, body: dict[str, Any]) -> dict[str, Any]:
        """Merge {"loser": {...}} into {"survivor": {...}}."""
        loser = self._position(body.get("loser") or {}, LIVE)
        survivor = self._position(body.get("survivor") or {}, LIVE)
        if loser == survivor:
            raise Refused("loser and survivor are the same record")
        self._book.merge(loser, survivor)
        return self._done("merge", loser, body, body) | {"survivor": truth(self._book, survivor)["_id"]}

    def convert(self, body: dict[str, Any]) -> dict[str, Any]:
        """Convert a lead; answers the new customerId."""
        lead = self._position(body, LIVE)
        if self._book.kinds[lead] != LEAD:
            raise Refused("only a lead can be converted")
        contact = self._book.convert(lead)
        return self._done("convert", contact.position, _selector(body), body)

    def mutate(
        self, rng: random.Random, *, edits: int = 0, creates: int = 0, trash: int = 0, merges: int = 0
    ) -> dict[str, Any]:
        """A burst of random changes; answers what was done to whom."""
        book = self._book
        done: list[dict[str, Any]] = []
        for _ in range(edits):
            if (position := self._random_live(rng)) is not None:
                changes = {
                    "stage": rng.choice(words.STAGES),
                    "bgInfo": f"{rng.choice(words.NOTES)} {rng.random()}",
                }
                book.edit(position, changes)
                done.append(self._done("edit", position, None, changes))
        for _ in range(creates):
            name = f"{rng.choice(words.FAMILY)} {rng.choice(words.GIVEN)}"
            phone = f"09{rng.randrange(10**8):08d}"
            done.append(self.create({"name": name, "phones": [{"type": "Work", "value": phone}],
                                     "contactType": rng.choice(("lead", "customer"))}))  # fmt: skip
        for _ in range(trash):
            if (position := self._random_live(rng)) is not None:
                book.trash(position)
                done.append(self._done("trash", position, None, None))
        for _ in range(merges):
            loser, survivor = self._random_live(rng), self._random_live(rng)
            if loser is not None and survivor is not None and loser != survivor:
                book.merge(loser, survivor)
                done.append(self._done("merge", loser, None, None))
        return {"done": done}

    def _mutate(self, body: dict[str, Any]) -> dict[str, Any]:
        counts = {key: int(body[key]) for key in ("edits", "creates", "trash", "merges") if key in body}
        return self.mutate(random.Random(body.get("seed", 0)), **counts)

    # ------------------------------------------------------------------ helpers

    def _random_live(self, rng: random.Random) -> int | None:
        for _ in range(200):
            position = rng.randrange(len(self._book.states)) if self._book.states else 0
            if self._book.states and self._book.states[position] == LIVE:
                return position
        return None

    def _changes(self, body: dict[str, Any]) -> dict[str, Any]:
        checked = {key: body[key] for key in EDITABLE if key in body}
        own = {key: body[key] for key in OWN_FIELDS if key in body}
        changes = stored_fields(self._book, checked, LENIENT) | own
        changes.update(body.get("raw", {}))
        return changes

    def _dates(self, position: int, body: dict[str, Any]) -> None:
        if "createdAt" in body or "updatedAt" in body:
            self._book.set_dates(position, created=body.get("createdAt"), updated=body.get("updatedAt"))

    def _position(self, body: dict[str, Any], state: int | None = None) -> int:
        book = self._book
        if not isinstance(body, dict):
            raise Refused("an object with leadId or customerId is needed")
        if "_id" in body:
            position = book.by_oid(body["_id"])
        elif "leadId" in body or "customerId" in body:
            customer = "customerId" in body
            position = book.by_number(int(body["customerId" if customer else "leadId"]), customer)
        else:
            raise Refused("leadId, customerId or _id is required")
        if position is None:
            raise Refused(f"no record {_selector(body)}")
        if state is not None and book.states[position] != state:
            found = STATE_NAMES[book.states[position]]
            raise Refused(f"record {_selector(body)} is {found}, not {STATE_NAMES[state]}")
        return position

    def _done(self, operation: str, position: int, selector: Any, body: Any) -> dict[str, Any]:
        result = {
            id_name(self._book.kinds[position]): self._book.numbers[position],
            "_id": self._book.get(position).oid,
        }
        self._log.add("antcrm", operation, selector=selector, body=body, result=result, by="staff")
        return {"operation": operation, "state": STATE_NAMES[self._book.states[position]]} | result


def _selector(body: dict[str, Any]) -> dict[str, Any]:
    return {key: body[key] for key in ("leadId", "customerId", "_id") if key in body}
