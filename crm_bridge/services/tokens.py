"""Where the tokens of connections are kept that change at each renewal."""

from collections.abc import Mapping

from backoffice.sync.connecting import credentials_of
from backoffice.sync.tokens import SharedTokens
from crm_bridge.models import Connection, ConnectionToken


def tokens_of(
    connection: Connection, credentials: Mapping[str, str] | None = None, *, patience: float | None = None
) -> SharedTokens:
    """The store of one connection. Raises ``ConnectionBroken`` where its credentials cannot be read.

    ``patience`` bounds the wait for another worker's renewal, where a person waits for the answer.
    """
    known = credentials_of(connection) if credentials is None else credentials
    return SharedTokens(ConnectionToken, connection, known, patience=patience)
