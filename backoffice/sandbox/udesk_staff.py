"""What people do inside Udesk, by script: edits, deletions, merges; and the truth about every customer."""

import random
from collections.abc import Callable
from typing import Any

from . import udesk_words as words
from .journal import WriteLog
from .udesk_book import LIVE, STATE_NAMES, CustomerBook
from .udesk_writes import Writer
from .wire import NoSuchCall


class RemoteStaff:
    """Scripted changes behind the API's back."""

    def __init__(self, book: CustomerBook, log: WriteLog, writer: Writer) -> None:
        self._book, self._log, self._writer = book, log, writer

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer one control call; raises NoSuchCall for an unknown path."""
        actions: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "/customers"): lambda _: self.records(query),
            ("GET", "/counts"): lambda _: {
                name: self._book.states.count(state) for state, name in STATE_NAMES.items()
            },
            ("GET", "/agents"): lambda _: [
                {"id": number, "name": name, "groups": list(groups)}
                for number, (name, groups) in words.AGENTS.items()
            ],
            ("POST", "/customers"): self.create,
            ("PATCH", "/customers"): self.patch,
            ("POST", "/delete"): self.delete,
            ("POST", "/merge"): self.merge,
            ("POST", "/mutate"): self.mutate,
        }
        if (method, path) not in actions:
            raise NoSuchCall(f"{method} {path}")
        return actions[method, path](body)

    def records(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Every customer in stored form, or those of a state, id or token; `brief=1` for ids and names."""
        found = []
        for position, state in enumerate(self._book.states):
            if query.get("state") and STATE_NAMES[state] != query["state"]:
                continue
            if query.get("id") and self._book.data.customer_id(position) != int(query["id"]):
                continue
            customer = self._book.get(position)
            if query.get("token") and customer["open_api_token"] != query["token"]:
                continue
            if query.get("brief"):
                customer = {name: customer[name] for name in ("id", "nick_name")}
            survivor = self._book.survivors.get(position)
            more = {} if survivor is None else {"survivor": self._book.data.customer_id(survivor)}
            found.append(customer | {"state": STATE_NAMES[state]} | more)
        return found

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """A customer made by remote staff; a create's body, with `raw` fields stored as they are."""
        raw = body.pop("raw", {})
        position = self._book.create(self._fields(body, None) | raw)
        return self._done("create", position, body)

    def patch(self, body: dict[str, Any]) -> dict[str, Any]:
        """A remote edit: `id`, then fields of `customer`, `tags`, `other_emails`; also `raw`, `extra`."""
        position = self._position(body)
        changes = {key: value for key, value in body.items() if key not in ("id", "raw")}
        fields = self._fields(changes, position) if changes.keys() - {"extra"} else {}
        if "extra" in body:
            fields["extra"] = body["extra"]
        self._book.edit(position, fields | body.get("raw", {}), words.AGENTS[2][0])
        return self._done("edit", position, body)

    def delete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Delete a live customer for good."""
        position = self._position(body)
        self._book.delete(position)
        return self._done("delete", position, body)

    def merge(self, body: dict[str, Any]) -> dict[str, Any]:
        """Merge {"loser": id} into {"survivor": id}."""
        loser, survivor = (self._position({"id": body[end]}) for end in ("loser", "survivor"))
        if loser == survivor:
            raise ValueError("loser and survivor are the same customer")
        self._book.merge(loser, survivor)
        return self._done("merge", loser, body)

    def mutate(self, body: dict[str, Any]) -> dict[str, Any]:
        """A burst of random changes: `edits`, `creates`, `trash`, `merges`, `seed`."""
        rng = random.Random(body.get("seed", 0))
        done = []
        for _ in range(int(body.get("edits", 0))):
            changes = {"description": f"{rng.choice(words.NOTES)} {rng.random()}", "level": "vip"}
            done.append(self.patch({"id": self._random(rng), **changes}))
        for _ in range(int(body.get("creates", 0))):
            phone = [None, f"139{rng.randrange(10**8):08d}"]
            name = rng.choice(words.FAMILY) + rng.choice(words.GIVEN)
            done.append(self.create({"nick_name": name, "cellphones": [phone]}))
        for _ in range(int(body.get("trash", 0))):
            done.append(self.delete({"id": self._random(rng)}))
        for _ in range(int(body.get("merges", 0))):
            loser, survivor = self._random(rng), self._random(rng)
            if loser != survivor:
                done.append(self.merge({"loser": loser, "survivor": survivor}))
        return {"done": done}

    # ------------------------------------------------------------------ helpers

    def _random(self, rng: random.Random) -> int:
        return self._book.data.customer_id(rng.choice(self._book.live()))

    def _fields(self, changes: dict[str, Any], position: int | None) -> dict[str, Any]:
        outside = {key: changes[key] for key in ("tags", "other_emails") if key in changes}
        customer = {key: value for key, value in changes.items() if key not in (*outside, "extra")}
        return self._writer.fields(({"customer": customer} if customer else {}) | outside, position)

    def _position(self, body: dict[str, Any]) -> int:
        position = self._book.by_id(int(body["id"]))
        if position is None or self._book.states[position] != LIVE:
            raise ValueError(f"no live customer {body['id']}")
        return position

    def _done(self, operation: str, position: int, body: Any) -> dict[str, Any]:
        number = self._book.get(position)["id"]
        self._log.add("udesk", operation, selector=None, body=body, result={"id": number}, by="staff")
        return {"operation": operation, "id": number, "state": STATE_NAMES[self._book.states[position]]}
