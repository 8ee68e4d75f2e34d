"""The account's custom fields, asked for once in a while: reading a customer needs them.

A choice is an array of one text whatever the field is, so only its definition tells a list box
from check boxes. The interface is deprecated: where the account has it no more, values stay lists.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256

from backoffice.remote.errors import BadResponse, Rejected
from crm_bridge.connectors.udesk import mapping, payloads
from crm_bridge.connectors.udesk.client import UdeskClient
from crm_bridge.connectors.udesk.mapping import NO_DEFINITIONS, Definitions

FRESH_SECONDS = 600.0

_known: dict[str, tuple[float, Definitions]] = {}


def forget_definitions() -> None:
    """Every account of this process is asked anew."""
    _known.clear()


class DefinitionsOf:
    """The definitions of one account, shared by all connectors to it in this process."""

    def __init__(
        self, client: UdeskClient, *identity: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._clock = client, clock
        self._key = sha256("\0".join(identity).encode()).hexdigest()

    def get(self) -> Definitions:
        """As last read, within the last minutes. Trouble that may pass is raised."""
        read_at, known = _known.get(self._key, (float("-inf"), NO_DEFINITIONS))
        if self._clock() - read_at < FRESH_SECONDS:
            return known
        try:
            return self.read()
        except (Rejected, BadResponse):  # not there, or nothing we understand: that does not pass
            return self._keep(NO_DEFINITIONS)

    def read(self) -> Definitions:
        """Asked for now. Raises the errors of `backoffice.remote.errors`."""
        try:
            raws = payloads.elements(self._client.custom_fields(), "custom_fields")
        except ValueError as error:
            raise BadResponse(
                f"its answer cannot be used: {error}",
                connection=self._client.session.label,
                operation="list custom fields",
            ) from error
        found = mapping.to_definitions(raws)
        return self._keep(Definitions({each.key: each for each in found}))

    def _keep(self, definitions: Definitions) -> Definitions:
        _known[self._key] = (self._clock(), definitions)
        return definitions
