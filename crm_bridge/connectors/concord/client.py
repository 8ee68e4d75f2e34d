"""Concord's endpoints as methods; the only place that knows its paths, verbs and parameters.

Attach is PUT and replace is POST: a mix-up would silently take links away. The routes of the trash are
not on the vendor's page; two conflicting styles are told of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backoffice.remote.auth import HeaderToken, Outgoing
from backoffice.remote.session import Answer, RemoteSession

PAGE_SIZE = 100
MISSING = frozenset({404})

#: How the trash may be reached: list, and restoring one.
TRASH_STYLES: dict[str, tuple[str, str]] = {
    "trashed_contacts": ("/trashed/contacts", "/trashed/contacts/{id}"),
    "contacts_trashed": ("/contacts/trashed", "/contacts/{id}/restore"),
}


class Access(HeaderToken):
    """The bearer token, and the content type that the vendor wants on every call, reads included."""

    def __init__(self, token: str) -> None:
        if not token.strip():
            raise ValueError("The token is empty.")
        super().__init__("Authorization", f"Bearer {token.strip()}")

    def apply(self, request: Outgoing) -> int:
        """Sets both headers."""
        request.headers.setdefault("Content-Type", "application/json")
        return super().apply(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Everything a list can be asked for; empty means not at all."""

    order: str = ""
    """A field."""
    descending: bool = False
    select: Sequence[str] = ()
    """Only these fields come: never where records are mirrored, for a field left out reads as cleared."""
    q: str = ""
    search_fields: Mapping[str, str] | None = None
    """Field → operator, `like` or `=`; dots reach into lists: `phones.number`."""
    match_all: bool = False
    """Every search field must fit, not just any."""

    def params(self) -> dict[str, object]:
        """The query of the vendor; an empty value is left out."""
        named = {
            "order": f"{self.order}|desc" if self.order and self.descending else self.order,
            "select": ";".join(self.select),
            "q": self.q,
            "search_fields": ";".join(f"{name}:{how}" for name, how in (self.search_fields or {}).items()),
            "search_match": "and" if self.match_all else "",
        }
        return {key: value for key, value in named.items() if value}


class ConcordClient:
    """Raw access; raises only the errors of `backoffice.remote.errors`."""

    def __init__(self, session: RemoteSession) -> None:
        self.session = session

    def contacts(self, query: Query, page: int = 1, per_page: int = PAGE_SIZE) -> bytes:
        """One page of the list."""
        params = query.params() | {"per_page": per_page, "page": page}
        return self.session.fetch("/contacts", params, operation="list contacts")

    def peek(self, query: Query, per_page: int = 1) -> Answer:
        """The beginning of the list together with the headers of its answer."""
        params = query.params() | {"per_page": per_page, "page": 1}
        return self.session.get_json("/contacts", params, operation="list contacts")

    def search(self, query: Query, take: int = 0) -> Answer:
        """Contacts that fit, without pages; `take` is the most that come."""
        params = query.params() | ({"take": take} if take else {})
        return self.session.get_json("/contacts/search", params, operation="search contacts")

    def contact(self, number: str) -> Answer:
        """One contact. Raises Gone on 404."""
        return self.session.get_json(f"/contacts/{number}", operation="read contact", gone=MISSING)

    def create(self, body: Mapping[str, Any]) -> Answer:
        """Create one contact."""
        return self.session.send_json("POST", "/contacts", body, operation="create contact")

    def update(self, number: str, body: Mapping[str, Any]) -> Answer:
        """Change one contact; the first name is always part of the body. Raises Gone on 404."""
        return self._write("PUT", f"/contacts/{number}", body, "update contact")

    def delete(self, number: str) -> Answer:
        """Delete one contact. Raises Gone on 404."""
        return self._write("DELETE", f"/contacts/{number}", None, "delete contact")

    def attach(self, number: str, ids: Mapping[str, Sequence[int]]) -> Answer:
        """Add companies, deals or activities and leave the rest. Raises Gone on 404."""
        return self._write("PUT", f"/associations/contacts/{number}", ids, "attach")

    def detach(self, number: str, ids: Mapping[str, Sequence[int]]) -> Answer:
        """Take these away: a DELETE with a body. Raises Gone on 404."""
        return self._write("DELETE", f"/associations/contacts/{number}", ids, "detach")

    def sync(self, number: str, ids: Mapping[str, Sequence[int]]) -> Answer:
        """Exactly these from now on, and no others. Raises Gone on 404."""
        return self._write("POST", f"/associations/contacts/{number}", ids, "replace associations")

    def trashed(self, style: str, page: int = 1, per_page: int = PAGE_SIZE) -> bytes:
        """One page of deleted contacts, by one of `TRASH_STYLES`."""
        params = {"per_page": per_page, "page": page}
        return self.session.fetch(TRASH_STYLES[style][0], params, operation="list deleted contacts")

    def restore(self, style: str, number: str) -> Answer:
        """Bring a deleted contact back, by one of `TRASH_STYLES`. Raises Gone on 404."""
        return self._write("POST", TRASH_STYLES[style][1].format(id=number), {}, "restore contact")

    def _write(self, method: str, path: str, body: Mapping[str, Any] | None, operation: str) -> Answer:
        return self.session.send_json(method, path, body, operation=operation, gone=MISSING)
