"""amoCRM's walks: everything by id, changes newest first, deletions from the events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson

from backoffice.remote.errors import BadResponse
from backoffice.remote.session import RemoteSession
from backoffice.remote.walk import Position, RawItem, RawPage
from crm_bridge.connectors.amocrm import mapping, payloads
from crm_bridge.connectors.amocrm.client import AmoCrmClient
from crm_bridge.connectors.wires import usable_id
from crm_bridge.records import ContactRecord, DeletionRecord

#: The day a change fell on is the company's; no zone is further from UTC than this.
_ZONES = timedelta(hours=14)


def split_page(session: RemoteSession, body: bytes) -> RawPage:
    """The contacts of a list answer. Raises BadResponse."""
    data = session.parse(body, operation="read list") if body.strip() else None
    try:
        return payloads.split_page(data)
    except ValueError as error:
        raise not_as_known(session, f"its answer is no list of contacts: {error}", body) from error


def not_as_known(session: RemoteSession, reason: str, body: bytes = b"") -> BadResponse:
    """A read was answered with a shape that is not the documented one."""
    return BadResponse(
        reason,
        connection=session.label,
        operation="read list",
        excerpt=body[:1000].decode("utf-8", "replace"),
    )


@dataclass(slots=True)
class CompleteWalk:
    """Every contact in the order of ids, in which an edit moves nobody to another page.

    A page says itself whether it is the last one, and a page beyond the end is a 204.
    """

    client: AmoCrmClient
    size: int
    key: str = "contact"
    numbered: bool = True
    first: Position = 1
    empty_pages_at_end: int = 3

    def fetch(self, position: Position) -> bytes:
        """One page as bytes."""
        return self.client.contacts(page=int(position), limit=self.size, order=("id", "asc"))

    def split(self, body: bytes) -> RawPage:
        """Its contacts. Raises BadResponse on another shape."""
        return split_page(self.client.session, body)

    def read(self, item: RawItem) -> ContactRecord:
        """One contact as a record. Raises Unreadable."""
        return mapping.to_record(item)


@dataclass(slots=True)
class ChangesWalk:
    """Contacts by their last update, newest first, down to `since`.

    A contact that is updated meanwhile moves to the front and pushes the others back, so that some
    are seen twice and nobody is passed over. The order is verified as the pages come: while it holds,
    the first contact that is older ends the walk; once it does not, the walk goes on to the end and
    shows all, by which the engine notices. `narrowed` asks for the filter too, where it was proven.
    """

    client: AmoCrmClient
    size: int
    since: date
    narrowed: bool = False
    key: str = "contact-changes"
    numbered: bool = False
    first: Position = 1
    empty_pages_at_end: int = 3
    _last: int | None = field(default=None, init=False)
    _sorted: bool = field(default=True, init=False)

    @property
    def oldest(self) -> int:
        """The earliest Unix time that may count as `since` anywhere."""
        return int((datetime.combine(self.since, time(), UTC) - _ZONES).timestamp())

    def fetch(self, position: Position) -> bytes:
        """One page as bytes."""
        return self.client.contacts(
            page=int(position),
            limit=self.size,
            order=("updated_at", "desc"),
            updated_from=self.oldest if self.narrowed else None,
        )

    def split(self, body: bytes) -> RawPage:
        """Its contacts as far as they are new enough. Raises BadResponse on another shape."""
        page = split_page(self.client.session, body)
        moments = [_updated_at(item) for item in page.items]
        for moment in moments:
            if moment is not None:
                self._sorted = self._sorted and (self._last is None or moment <= self._last)
                self._last = moment
        if not self._sorted or self._last is None or self._last >= self.oldest:
            return page
        items = zip(page.items, moments, strict=True)
        return RawPage([item for item, at in items if at is None or at >= self.oldest], ended=True)

    def read(self, item: RawItem) -> ContactRecord:
        """One contact as a record. Raises Unreadable."""
        return mapping.to_record(item)


def _updated_at(item: RawItem) -> int | None:
    return payloads.seconds(item.raw.get("updated_at")) if isinstance(item.raw, dict) else None


@dataclass(slots=True)
class DeletionsWalk:
    """Contacts that an event tells to be deleted, and that the list does not show any more.

    The events alone would bury whoever was restored: so each page is read together with those of
    its contacts that are there now.
    """

    client: AmoCrmClient
    key: str = "deletions"
    numbered: bool = False
    first: Position = 1
    empty_pages_at_end: int = 3
    _told: dict[str, int] = field(default_factory=dict, init=False)

    def fetch(self, position: Position) -> bytes:
        """One page of events with the ids that are live, as one body; empty at the end."""
        body = self.client.events("contact_deleted", page=int(position))
        if not body.strip():
            return b""
        data = self._parsed(body)
        try:
            events, links = payloads.collection(data, "events")
            following = payloads.next_page(links)
        except ValueError as error:
            raise not_as_known(
                self.client.session, f"its answer is no list of events: {error}", body
            ) from error
        ids = sorted({number for event in events if (number := _entity(event))})
        return orjson.dumps({"events": events, "live": self._live(ids), "next": following})

    def _live(self, ids: list[str]) -> list[str]:
        found = split_page(
            self.client.session,
            self.client.contacts(ids=[int(number) for number in ids], limit=len(ids) or 1),
        )
        live = [item.remote_id for item in found.items]
        if not set(live) <= set(ids) or not found.ended:
            raise not_as_known(
                self.client.session, "it ignores the filter by id, without which no deletion is certain"
            )
        return live

    def _parsed(self, body: bytes) -> Any:
        return self.client.session.parse(body, operation="read list")

    def split(self, body: bytes) -> RawPage:
        """The latest deletion of each contact that is not there."""
        if not body:
            return RawPage([], ended=True)
        data = self._parsed(body)
        latest: dict[str, dict[str, Any]] = {}
        for event in data["events"]:
            number, at = _entity(event), payloads.seconds(event.get("created_at")) or 0
            if number and number not in data["live"] and at > self._told.get(number, -1):
                self._told[number], latest[number] = at, event
        items = [RawItem(payloads.FAMILY, number, event) for number, event in latest.items()]
        return RawPage(items, next=data["next"], ended=data["next"] is None)

    def read(self, item: RawItem) -> DeletionRecord:
        """One event as the evidence that it is. Raises Unreadable."""
        return mapping.to_deletion(item)


def _entity(event: Any) -> str:
    return usable_id(event.get("entity_id")) if isinstance(event, dict) else ""
