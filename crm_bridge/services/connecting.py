"""From a connection's row to a connector that is ready to talk."""

from typing import Any

from django.conf import settings

from backoffice.remote.errors import ConnectionBroken
from backoffice.sync.connecting import credentials_of, note_trouble, note_working
from backoffice.sync.limits import SharedBreaker, SharedLimiter
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Account, Connector
from crm_bridge.models import Connection, ConnectionHealth
from crm_bridge.services import same_account

__all__ = ["connect_to", "note_trouble", "note_working"]


def connect_to(connection: Connection) -> Connector:
    """The connector of a connection, under the rate limit and circuit all workers share.

    Close it after use. Raises ``ConnectionBroken`` with a readable reason when no connector
    can be built, or when changed credentials open another account: a person has to correct the
    connection first. Talks to the CRM only after such a change.
    """
    health, _created = ConnectionHealth.objects.get_or_create(connection=connection)
    parts: dict[str, Any] = {"breaker": SharedBreaker(health), "allow_loopback": settings.ALLOW_LOOPBACK}
    if connection.requests_per_second > 0:
        parts["limiter"] = SharedLimiter(health, connection.requests_per_second)
    credentials = credentials_of(connection)
    account = Account(
        label=connection.name,
        base_url=connection.base_url,
        credentials=credentials,
        parallel_requests=max(1, connection.parallel_requests),
        options=connection.measured,
    )
    try:
        connector = registry.build(connection.vendor, account, **parts)
    except (registry.UnknownVendor, ValueError) as error:
        raise ConnectionBroken(str(error), connection=connection.name) from error
    try:
        same_account.ensure(connection, credentials, connector)
    except BaseException:
        connector.close()
        raise
    return connector
