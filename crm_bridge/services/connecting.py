"""From a connection's row to a connector that is ready to talk."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.utils import timezone

from backoffice.remote.errors import ConnectionBroken, RemoteError
from backoffice.sync.limits import SharedBreaker, SharedLimiter
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Account, Connector
from crm_bridge.models import Connection, ConnectionHealth


def connect_to(connection: Connection) -> Connector:
    """The connector of a connection, under the rate limit and circuit all workers share.

    Close it after use. Raises ``ConnectionBroken`` with a readable reason when no connector
    can be built: a person has to correct the connection first.
    """
    health, _created = ConnectionHealth.objects.get_or_create(connection=connection)
    parts: dict[str, Any] = {"breaker": SharedBreaker(health), "allow_loopback": settings.ALLOW_LOOPBACK}
    if connection.requests_per_second > 0:
        parts["limiter"] = SharedLimiter(health, connection.requests_per_second)
    account = Account(
        label=connection.name,
        base_url=connection.base_url,
        credentials=_credentials(connection),
        parallel_requests=max(1, connection.parallel_requests),
        options=connection.measured,
    )
    try:
        return registry.build(connection.vendor, account, **parts)
    except (registry.UnknownVendor, ValueError) as error:
        raise ConnectionBroken(str(error), connection=connection.name) from error


def _credentials(connection: Connection) -> dict[str, str]:
    try:
        connection.refresh_from_db(fields=["credentials"])
    except (InvalidToken, ValueError) as error:
        raise ConnectionBroken(
            "its credentials cannot be decrypted with the keys in CREDENTIAL_KEYS; enter them again",
            connection=connection.name,
        ) from error
    if not connection.credentials:
        raise ConnectionBroken("it has no credentials yet; enter them", connection=connection.name)
    return dict(connection.credentials)


def note_trouble(connection: Connection, error: RemoteError) -> None:
    """Show an error on the connection; wrong credentials or address wait for a person."""
    columns: dict[str, Any] = {"last_error": str(error)[:300], "last_error_at": timezone.now()}
    if isinstance(error, ConnectionBroken):
        columns["needs_attention"] = True
    ConnectionHealth.objects.update_or_create(connection=connection, defaults=columns)


def note_working(connection: Connection) -> None:
    """An answer proved host and credentials: nothing waits for a person any more."""
    ConnectionHealth.objects.filter(connection=connection, needs_attention=True).update(
        needs_attention=False, last_error=""
    )
