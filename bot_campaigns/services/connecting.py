"""From a bot connection's row to a connector that is ready to talk."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.utils import timezone

from backoffice.remote.errors import ConnectionBroken, RemoteError
from backoffice.sync.limits import SharedBreaker, SharedLimiter
from bot_campaigns.antbot.base import Account
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import BotConnection, BotHealth

VENDOR = AntBotConnector.kind


URGENT_SECONDS = 10.0


def connect_to(connection: BotConnection, *, urgent: bool = False) -> AntBotConnector:
    """The connector of a connection, under the rate limit and circuit all workers share.

    Close it after use. Raises ``ConnectionBroken`` with a readable reason when no connector
    can be built: a person has to correct the connection first. ``urgent`` is for stopping
    calls: it neither queues behind a pull nor waits for the circuit, and gives up soon.
    """
    if connection.vendor != VENDOR:
        raise ConnectionBroken(f"unknown system {connection.vendor!r}", connection=connection.name)
    health, _created = BotHealth.objects.get_or_create(connection=connection)
    parts: dict[str, Any] = {"allow_loopback": settings.ALLOW_LOOPBACK}
    if urgent:
        parts |= {"deadline": URGENT_SECONDS, "read_attempts": 1}
    else:
        parts["breaker"] = SharedBreaker(health)
    if connection.requests_per_second > 0 and not urgent:
        parts["limiter"] = SharedLimiter(health, connection.requests_per_second)
    account = Account(
        label=connection.name,
        base_url=connection.base_url,
        credentials=_credentials(connection),
        parallel_requests=max(1, connection.parallel_requests),
        options=connection.measured,
    )
    return AntBotConnector(account, **parts)


def _credentials(connection: BotConnection) -> dict[str, str]:
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


def note_trouble(connection: BotConnection, error: RemoteError) -> None:
    """Show an error on the connection; wrong credentials or address wait for a person."""
    columns: dict[str, Any] = {"last_error": str(error)[:300], "last_error_at": timezone.now()}
    if isinstance(error, ConnectionBroken):
        columns["needs_attention"] = True
    BotHealth.objects.update_or_create(connection=connection, defaults=columns)


def note_working(connection: BotConnection) -> None:
    """An answer proved host and credentials: nothing waits for a person any more."""
    BotHealth.objects.filter(connection=connection, needs_attention=True).update(
        needs_attention=False, last_error=""
    )
