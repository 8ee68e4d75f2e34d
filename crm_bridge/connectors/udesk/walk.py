"""The export as a walk: batches by a cursor that lives a minute and moves on with every asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backoffice.remote.errors import BadResponse
from backoffice.remote.walk import Position, RawItem, RawPage
from crm_bridge.connectors.udesk import mapping, payloads
from crm_bridge.connectors.udesk.client import UdeskClient
from crm_bridge.connectors.udesk.mapping import Definitions


@dataclass(slots=True)
class ExportWalk:
    """Every customer (of a filter), from the first batch to an empty one.

    A batch is asked for once. Its answer lost, the same cursor may show the batch after it, and
    nobody would notice; so the export then starts again from the beginning.
    """

    client: UdeskClient
    definitions: Definitions
    filter_id: int | None = None
    everybody: int | None = None
    """How many customers there are without the filter: an export as large as that ignored it."""
    key: str = "export"
    numbered: bool = False
    first: Position = ""
    empty_pages_at_end: int = 1
    _asked: set[str] = field(default_factory=set, repr=False)

    def fetch(self, position: Position) -> bytes:
        """One batch as bytes."""
        place = str(position)
        if not place:
            self._asked.clear()
            return self.client.export(filter_id=self.filter_id)
        if place in self._asked:
            raise self._bad("this batch was asked for before; the export has to start again")
        self._asked.add(place)
        return self.client.export(payloads.cursor_of(place))

    def split(self, body: bytes) -> RawPage:
        """Its customers. Raises BadResponse on another shape."""
        data = self.client.session.parse(body, operation="export customers")
        try:
            page = payloads.split_export(data)
        except ValueError as error:
            raise self._bad(f"its answer is no export of customers: {error}") from error
        total = payloads.export_total(data)
        if self.everybody and total is not None and total >= self.everybody:
            raise self._bad("it ignored the filter of this connection and exports everybody")
        return page

    def read(self, item: RawItem) -> Any:
        """One customer as a record. Raises Unreadable."""
        return mapping.to_record(item, self.definitions)

    def _bad(self, reason: str) -> BadResponse:
        return BadResponse(reason, connection=self.client.session.label, operation="export customers")
