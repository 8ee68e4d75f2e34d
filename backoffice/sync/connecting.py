"""What connecting has in common for every app: the secret, and how the connection fares."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.db.models import Q, QuerySet
from django.utils import timezone

from backoffice.remote.errors import ConnectionBroken, RemoteError
from backoffice.sync.models import AbstractConnection


def credentials_of(connection: AbstractConnection) -> dict[str, str]:
    """The decrypted credentials, read anew. Raises ``ConnectionBroken`` with a readable reason."""
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


def note_trouble(connection: AbstractConnection, error: RemoteError) -> None:
    """Show an error on the connection; wrong credentials or address wait for a person."""
    columns: dict[str, Any] = {"last_error": str(error)[:300], "last_error_at": timezone.now()}
    if isinstance(error, ConnectionBroken):
        columns["needs_attention"] = True
    _health_rows(connection).update_or_create(connection=connection, defaults=columns)


def note_working(connection: AbstractConnection) -> None:
    """An answer proved host and credentials: nothing waits for a person any more."""
    _health_rows(connection).filter(connection=connection, needs_attention=True).update(
        needs_attention=False, last_error=""
    )


def troubled(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Of the health rows those that a person has to look at: refused credentials, or paused."""
    paused = Q(open_until__gt=timezone.now())
    return rows.filter(Q(needs_attention=True) | paused, connection__is_active=True)


def _health_rows(connection: Any) -> Any:
    """Every concrete connection has one health row, under this name."""
    health: Any = type(connection)._meta.get_field("health").related_model
    return health._default_manager
