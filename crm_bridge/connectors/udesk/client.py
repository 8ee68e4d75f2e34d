"""Udesk's endpoints as methods; the only place that knows its paths and parameters.

Every call is signed by the session; `type` and `content` name the customer, and the `email`
in each query is the administrator's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from backoffice.remote.errors import Rejected
from backoffice.remote.session import Answer, RemoteSession
from crm_bridge.connectors.udesk.codes import NotInPlan

PAGE_SIZE = 100
EXPORT_SIZE = 1000
IMPORT_SIZE = 100
#: One import a minute is all that the interface takes.
IMPORT_EVERY = 60.0

T = TypeVar("T")
Key = tuple[str, str]
"""What names a customer: `("id", "27")`, `("token", "…")`, `("email", "…")` …"""


class UdeskClient:
    """Raw access; raises only the errors of `backoffice.remote.errors`."""

    def __init__(self, session: RemoteSession) -> None:
        self.session = session

    # Customers

    def customers(
        self, page: int = 1, size: int = PAGE_SIZE, *, query: str = "", filter_id: int | None = None
    ) -> bytes:
        """One page of the list, which reaches 10,000 customers at most."""
        params = {"page": page, "page_size": size, "query": query or None, "filter_id": filter_id}
        return self.session.fetch("/customers", params, operation="list customers")

    def export(self, scroll_id: str = "", *, query: str = "", filter_id: int | None = None) -> bytes:
        """The first batch of an export, or the next one: then the newest cursor is all that is sent.

        Asking again by a cursor may answer the batch after the one that was lost, so nobody does.
        """
        if scroll_id:
            params: dict[str, object] = {"scroll_id": scroll_id}
        else:
            params = {"query": query or None, "filter_id": filter_id}
        return self.session.fetch(
            "/customers/export", params, operation="export customers", repeatable=not scroll_id
        )

    def customer(self, key: Key) -> Any:
        """One customer's answer. Raises Gone."""
        return self.session.get_json(
            "/customers/get_customer", _named(key), operation="look up customer"
        ).data

    def create(self, body: Mapping[str, Any]) -> Answer:
        """Create one customer."""
        return self.session.send_json("POST", "/customers", body, operation="create customer")

    def update(self, key: Key, body: Mapping[str, Any]) -> Answer:
        """Change one customer. Raises Gone."""
        return self.session.send_json(
            "PUT", "/customers/update_customer", body, _named(key), operation="edit customer"
        )

    def destroy(self, key: Key) -> Answer:
        """Delete one customer for good. Raises Gone."""
        return self.session.send_json(
            "DELETE", "/customers/destroy_customer", None, _named(key), operation="delete customer"
        )

    # What not every plan has: a no there is no reason to stop everything else

    def feeds(self, key: Key, page: int = 1, size: int = PAGE_SIZE) -> Any:
        """One page of a customer's history. Raises Gone."""
        params = _named(key) | {"page": page, "page_size": size}
        return self._extra(
            lambda: self.session.get_json("/customers/feeds", params, operation="read history").data
        )

    def filters(self) -> Any:
        """The saved filters."""
        return self._extra(lambda: self.session.get_json("/customers/filters", operation="list filters").data)

    def custom_fields(self) -> Any:
        """Definitions of custom fields; the vendor marks this interface deprecated and names no other."""
        return self._extra(
            lambda: self.session.get_json("/customers/custom_fields", operation="list custom fields").data
        )

    def import_customers(self, items: Sequence[Mapping[str, Any]]) -> Answer:
        """Hand over up to IMPORT_SIZE new customers. A yes means received, not imported."""
        return self._extra(
            lambda: self.session.send_json(
                "POST", "/customers/batch_import_async", {"customers": items}, operation="import customers"
            )
        )

    def merge(self, ends: Mapping[str, str], *, in_query: bool = False) -> Answer:
        """Merge one customer into another; the page's table says query, its sample says body."""
        body, params = (None, ends) if in_query else (ends, None)
        return self._extra(
            lambda: self.session.send_json(
                "POST", "/customers/merge", body, params, operation="merge customers"
            )
        )

    def _extra(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except NotInPlan as error:
            raise Rejected(
                error.reason,
                connection=error.connection,
                operation=error.operation,
                status=error.status,
                words=error.words,
            ) from error


def _named(key: Key) -> dict[str, object]:
    return {"type": key[0], "content": key[1]}
