"""Concord's trash: not on the vendor's page, told of under two addresses; the one that answers counts."""

from __future__ import annotations

from collections.abc import Iterator

from backoffice.remote.errors import BadResponse, Gone, Rejected
from crm_bridge.connectors.concord.client import TRASH_STYLES, ConcordClient
from crm_bridge.connectors.concord.payloads import Listed
from crm_bridge.connectors.concord.reading import Reader
from crm_bridge.connectors.wires import usable_id


class Trash:
    """The deleted contacts of one account."""

    def __init__(self, client: ConcordClient, reader: Reader) -> None:
        self._client, self._reader = client, reader
        self._style = ""

    def page(self, page: int, per_page: int) -> bytes:
        """One page of deleted contacts. Raises Rejected where neither address answers."""
        return self._client.trashed(self.style(), page, per_page)

    def restore(self, remote_id: str) -> None:
        """Bring a deleted contact back. Raises Gone where there is none to bring back."""
        number = usable_id(remote_id)
        if not number:
            raise Gone("no contact can have this id")
        style = self.style()  # found out by reading: nothing is written to an address on trial
        with self._reader.single():
            answer = self._client.restore(style, number)
        if answer.status not in (200, 204):
            raise self._reader.unclear(answer, "restore", "it does not say whether it was restored")

    def style(self) -> str:
        """The style in which this account answers. Raises Rejected where it answers in none."""
        if not self._style:
            for style, page in self.first_pages(1):
                if isinstance(page, Listed):
                    self._style = style
                    return style
            raise Rejected("this account shows no list of deleted contacts", operation="find the trash")
        return self._style

    def first_pages(self, per_page: int) -> Iterator[tuple[str, Listed | Rejected | BadResponse]]:
        """Each style with what its list begins with, or with why it is none: no address, or a web page."""
        for style in TRASH_STYLES:
            try:
                yield style, self._reader.cut(self._client.trashed(style, 1, per_page))
            except (Rejected, BadResponse) as error:
                yield style, error
