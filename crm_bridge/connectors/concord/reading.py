"""What Concord's answers really say: pages, single contacts, refusals, and answers that say nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Forbidden,
    Gone,
    OutcomeUnknown,
    Rejected,
)
from backoffice.remote.session import Answer, RemoteSession
from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.concord import mapping, payloads
from crm_bridge.connectors.concord.client import ConcordClient, Query
from crm_bridge.connectors.concord.mapping import Names
from crm_bridge.connectors.wires import usable_id
from crm_bridge.records import ContactRecord

T = TypeVar("T")


class Reader:
    """Reads and judges answers for one account."""

    def __init__(self, session: RemoteSession, client: ConcordClient, names: Names) -> None:
        self._session, self._client, self._names = session, client, names

    def read(self, number: str) -> RawItem:
        """One contact as it is now. Raises Gone where the vendor proves that there is none."""
        number = usable_id(number)
        if not number:
            raise Gone("no contact can have this id", connection=self._session.label)
        with self.single():
            answer = self._client.contact(number)
        item = self.split(payloads.split_one, answer.data)
        if item.remote_id != number:
            raise self.bad("it was asked for one contact and answered with another")
        return item

    @contextmanager
    def single(self) -> Iterator[None]:
        """Around a call about one contact: what its 404 and its 403 really say."""
        try:
            yield
        except Gone as error:
            if not proves_absence(error):
                raise Rejected(
                    "it answers that there is no such address; check the base URL",
                    connection=error.connection,
                    operation=error.operation,
                    status=error.status,
                    excerpt=error.excerpt,
                    words=error.words,
                ) from error
            raise
        except ConnectionBroken as error:
            if error.status != 403:
                raise
            self._client.peek(Query())  # raises the same when this token may see nothing at all
            raise Forbidden(
                "this token may not see or change this contact",
                connection=error.connection,
                operation=error.operation,
                status=error.status,
                words=error.words,
            ) from error

    def cut(self, body: bytes) -> payloads.Listed:
        """The elements of a list answer. Raises BadResponse."""
        data = self._session.parse(body, operation="read list")
        return self.split(payloads.split_page, data, body[:1000].decode("utf-8", "replace"))

    def split(self, split: Callable[[Any], T], data: Any, excerpt: str = "") -> T:
        try:
            return split(data)
        except ValueError as error:
            raise self.bad(f"its answer is not what was asked for: {error}", excerpt) from error

    def record(self, item: RawItem) -> ContactRecord:
        try:
            return mapping.to_record(item, self._names)
        except Unreadable as error:
            raise self.bad(f"a contact in its answer cannot be read: {error}") from error

    def written(self, answer: Answer, operation: str) -> RawItem:
        """The contact that a write answers with: 200 or 201 and an id, else nothing is sure."""
        if answer.status in (200, 201):
            try:
                return payloads.split_one(answer.data)
            except ValueError as error:
                raise self.unclear(answer, operation, str(error)) from error
        raise self.unclear(answer, operation, "it does not say whether it was applied")

    def bad(self, reason: str, excerpt: str = "") -> BadResponse:
        label = self._session.label
        return BadResponse(reason, connection=label, operation="read contact", excerpt=excerpt)

    def unclear(self, answer: Answer, operation: str, reason: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"its answer is unclear: {reason}; so this may or may not be applied",
            connection=self._session.label,
            operation=operation,
            status=answer.status,
        )


def proves_absence(error: Gone) -> bool:
    """Whether a 404 speaks of the contact: JSON with a message that is not about the route.

    This is the whole list of answers that mean "gone"; a proxy's page and a wrong address are not on it.
    """
    spoken = error.excerpt.lstrip().startswith("{") and '"message"' in error.excerpt
    return error.status == 404 and spoken and "route" not in error.words.casefold()
