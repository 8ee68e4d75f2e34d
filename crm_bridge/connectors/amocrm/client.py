"""amoCRM's endpoints as methods; the only place that knows its paths and parameters.

Lists come back as bytes, empty for a 204: the end of a list, or a list without anybody. Indexed
keys (`filter[id][0]`) carry several values, as the vendor's own client writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from backoffice.remote.errors import ConnectionBroken, Rejected
from backoffice.remote.session import Answer, RemoteSession

#: The account's own address; SUB stands for its name.
BASE_URL = "https://SUB.amocrm.com"
HOST_SUFFIXES = (".amocrm.ru", ".amocrm.com", ".kommo.com")
ROOT = "/api/v4"
CONTACTS = f"{ROOT}/contacts"
TOKEN_PATH = "/oauth2/access_token"  # noqa: S105  a path
PAGE_SIZE = 250
EVENTS_PAGE_SIZE = 100
#: 250 are allowed, 50 advised.
BATCH_SIZE = 50
WITH = ("leads", "customers", "catalog_elements")

_UNPAID = 402


class AmoCrmClient:
    """Raw access; raises only the errors of `backoffice.remote.errors`."""

    def __init__(self, session: RemoteSession) -> None:
        self.session = session

    # The vendor's page of contacts

    def contacts(
        self,
        *,
        page: int = 1,
        limit: int = PAGE_SIZE,
        with_: Sequence[str] = (),
        query: str = "",
        ids: Sequence[int] = (),
        updated_from: int | None = None,
        updated_to: int | None = None,
        order: tuple[str, str] | None = None,
    ) -> bytes:
        """One page of contacts; `order` is a field and asc or desc."""
        params: dict[str, object] = {"page": page, "limit": limit}
        if with_:
            params["with"] = ",".join(with_)
        if query:
            params["query"] = query
        params |= _several("filter[id]", ids)
        params |= _window("filter[updated_at]", updated_from, updated_to)
        if order:
            params[f"order[{order[0]}]"] = order[1]
        return self._fetch(CONTACTS, params, "list contacts")

    def contact(self, number: int, with_: Sequence[str] = ()) -> Answer:
        """One contact; no data (204) when there is none."""
        params = {"with": ",".join(with_)} if with_ else None
        return self._get(f"{CONTACTS}/{number}", params, "read contact")

    def add(self, bodies: Sequence[Mapping[str, Any]]) -> Answer:
        """Create up to 250 contacts at once."""
        return self._send("POST", CONTACTS, bodies, "create contacts")

    def update(self, bodies: Sequence[Mapping[str, Any]]) -> Answer:
        """Change up to 250 contacts at once; each body names its id."""
        return self._send("PATCH", CONTACTS, bodies, "edit contacts")

    def update_one(self, number: int, body: Mapping[str, Any]) -> Answer:
        """Change one contact."""
        return self._send("PATCH", f"{CONTACTS}/{number}", body, "edit contact")

    def chats(self, *, contacts: Sequence[int] = (), chats: Sequence[str] = ()) -> Answer:
        """Which chats belong to which contacts; administrators only."""
        params = {**_several("contact_id", contacts), **_several("chat_id", chats)}
        return self._get(f"{CONTACTS}/chats", params, "list chats")

    def link_chats(self, bodies: Sequence[Mapping[str, Any]]) -> Answer:
        """Give chats to contacts; administrators only."""
        return self._send("POST", f"{CONTACTS}/chats", bodies, "link chats")

    # What only public sources tell of

    def custom_fields(self, page: int = 1, limit: int = 50) -> Answer:
        """One page of the definitions of custom fields."""
        return self._get(f"{CONTACTS}/custom_fields", {"page": page, "limit": limit}, "list custom fields")

    def events(self, kind: str, *, page: int = 1, limit: int = EVENTS_PAGE_SIZE) -> bytes:
        """One page of what happened to contacts."""
        params: dict[str, object] = {"page": page, "limit": limit, "filter[type]": kind}
        return self._fetch(f"{ROOT}/events", params | {"filter[entity]": "contact"}, "list events")

    def links(self, number: int) -> Answer:
        """Everything a contact is linked with."""
        return self._get(f"{CONTACTS}/{number}/links", None, "list links")

    def link(self, number: int, bodies: Sequence[Mapping[str, Any]]) -> Answer:
        """Link a contact with companies, leads or customers."""
        return self._send("POST", f"{CONTACTS}/{number}/link", bodies, "link contact")

    def unlink(self, number: int, bodies: Sequence[Mapping[str, Any]]) -> Answer:
        """Undo links of a contact."""
        return self._send("POST", f"{CONTACTS}/{number}/unlink", bodies, "unlink contact")

    def webhooks(self) -> Answer:
        """Where the account sends word of changes."""
        return self._get(f"{ROOT}/webhooks", None, "list webhooks", unpaid_is_the_account=False)

    def add_webhook(self, destination: str, events: Sequence[str]) -> Answer:
        """Have word of changes sent to an address."""
        body = {"destination": destination, "settings": list(events)}
        return self._send("POST", f"{ROOT}/webhooks", body, "add webhook")

    def remove_webhook(self, destination: str) -> Answer:
        """Have nothing sent there any more."""
        return self._send("DELETE", f"{ROOT}/webhooks", {"destination": destination}, "remove webhook")

    # How calls are made

    def _fetch(self, path: str, params: Mapping[str, object], operation: str) -> bytes:
        with _unpaid():
            return self.session.fetch(path, params, operation=operation)

    def _get(
        self,
        path: str,
        params: Mapping[str, object] | None,
        operation: str,
        *,
        unpaid_is_the_account: bool = True,
    ) -> Answer:
        with _unpaid(unpaid_is_the_account):
            return self.session.get_json(path, params, operation=operation)

    def _send(self, method: str, path: str, body: Any, operation: str) -> Answer:
        with _unpaid():
            return self.session.send_json(method, path, body, operation=operation)


def _several(name: str, values: Sequence[object]) -> dict[str, object]:
    return {f"{name}[{index}]": value for index, value in enumerate(values)}


def _window(name: str, first: int | None, last: int | None) -> dict[str, object]:
    return {f"{name}[{end}]": value for end, value in (("from", first), ("to", last)) if value is not None}


@contextmanager
def _unpaid(is_the_account: bool = True) -> Iterator[None]:
    """402 is about the account, not about the record: everything has to wait for a person."""
    try:
        yield
    except Rejected as error:
        if error.status != _UNPAID or not is_the_account:
            raise
        broken = ConnectionBroken("the account is not paid")
        broken.connection, broken.operation, broken.status = error.connection, error.operation, error.status
        broken.keep_evidence(request_id=error.request_id, excerpt=error.excerpt, words=error.words)
        raise broken from error
