"""What sending learns about a connection: pauses, broken credentials, measured behaviour."""

from datetime import timedelta
from typing import Any

from django.db import transaction

from backoffice.remote.errors import RemoteError
from backoffice.sync.connecting import note_trouble
from backoffice.sync.push import database_now
from crm_bridge.models import Connection, ConnectionHealth


def pause(connection: Connection, error: RemoteError, *, seconds: float = 0.0) -> None:
    """Rest a connection for a while, or until a person has looked at it (``ConnectionBroken``)."""
    note_trouble(connection, error)
    if seconds:
        until = database_now() + timedelta(seconds=seconds)
        ConnectionHealth.objects.filter(connection=connection).update(open_until=until)


def remember_measured(connection: Connection, **measured: Any) -> None:
    """Keep what an answer proved about this account."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        row.measured = {**row.measured, **measured}
        row.save(update_fields=["measured", "updated_at"])
    connection.measured = row.measured
