"""From a connection's row to a connector that is ready to talk."""

from typing import Any

from django.conf import settings

from backoffice.remote.errors import ConnectionBroken
from backoffice.remote.target import check_base_url
from backoffice.sync.connecting import credentials_of, note_trouble, note_working
from backoffice.sync.limits import SharedBreaker, SharedLimiter
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Account, Capabilities, Connector, with_features
from crm_bridge.models import Connection, ConnectionHealth
from crm_bridge.services import same_account
from crm_bridge.services.tokens import tokens_of

__all__ = ["able", "connect_to", "note_trouble", "note_working"]


def able(connection: Connection, connector: Connector) -> Capabilities:
    """What this account can do: what its connector says, with what was proven on it."""
    return with_features(connector.capabilities, connection.measured.get("features") or ())


def connect_to(connection: Connection, *, deadline: float | None = None) -> Connector:
    """The connector of a connection, under the rate limit and circuit all workers share.

    ``deadline`` shortens each call, where a person waits for it and only looks. Close it after use. Raises
    ``ConnectionBroken`` with a readable reason when no connector can be built, or when changed
    credentials open another account: a person has to correct the connection first. Talks to the
    CRM only after such a change.
    """
    health, _created = ConnectionHealth.objects.get_or_create(connection=connection)
    parts: dict[str, Any] = {"breaker": SharedBreaker(health), "allow_loopback": settings.ALLOW_LOOPBACK}
    if connection.requests_per_second > 0:
        parts["limiter"] = SharedLimiter(health, connection.requests_per_second)
    if deadline is not None:
        parts["deadline"] = deadline
    credentials = credentials_of(connection)
    account = Account(
        label=connection.name,
        base_url=connection.base_url,
        credentials=credentials,
        parallel_requests=max(1, connection.parallel_requests),
        options=connection.measured,
        tokens=tokens_of(connection, credentials, patience=deadline),
    )
    try:
        suffixes = registry.connector_class(connection.vendor).host_suffixes
        check_base_url(connection.base_url, allow_loopback=settings.ALLOW_LOOPBACK, host_suffixes=suffixes)
        connector = registry.build(connection.vendor, account, **parts)
    except (registry.UnknownVendor, ValueError) as error:
        raise ConnectionBroken(str(error), connection=connection.name) from error
    try:
        same_account.ensure(connection, credentials, connector, remember=deadline is None)
    except BaseException:
        connector.close()
        raise
    return connector
