"""From a bot connection's row to a connector that is ready to talk."""

from typing import Any

from django.conf import settings

from backoffice.remote.errors import ConnectionBroken
from backoffice.sync.connecting import credentials_of, note_trouble, note_working
from backoffice.sync.limits import SharedBreaker, SharedLimiter
from bot_campaigns.antbot.base import Account
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import BotConnection, BotHealth

__all__ = ["connect_to", "note_trouble", "note_working"]

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
        credentials=credentials_of(connection),
        parallel_requests=max(1, connection.parallel_requests),
        options=connection.measured,
    )
    return AntBotConnector(account, **parts)
