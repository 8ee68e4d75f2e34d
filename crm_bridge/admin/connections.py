"""Connections to CRMs in the shell."""

from typing import Any

from django.contrib import admin

from backoffice.connections import admin as shared
from crm_bridge.abilities import capability_rows
from crm_bridge.connectors import registry
from crm_bridge.forms.connection import ConnectionForm, StreamForm
from crm_bridge.models import Connection, StreamState
from crm_bridge.services import schedule


class StreamInline(shared.StreamInline):
    model = StreamState
    form = StreamForm


@admin.register(Connection)
class ConnectionAdmin(shared.ConnectionAdmin):
    form = ConnectionForm
    vendors = registry
    inlines = (StreamInline,)

    def abilities(self, capabilities: Any) -> list[dict[str, Any]]:
        return capability_rows(capabilities)

    def ensure_streams(self, connection: Any) -> None:
        schedule.ensure_streams(connection)
