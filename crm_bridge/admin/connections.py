"""Connections to CRMs in the shell."""

from typing import Any

from django.contrib import admin
from django.urls import reverse

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

    def abilities(self, capabilities: Any, measured: dict[str, Any]) -> list[dict[str, Any]]:
        return capability_rows(capabilities, measured)

    def report_url(self, connection: Any) -> str:
        return reverse("crm:connection_report", args=[connection.pk])

    def ensure_streams(self, connection: Any) -> None:
        schedule.ensure_streams(connection)
