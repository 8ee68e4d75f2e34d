"""The form of a CRM's connection and of its streams."""

from backoffice.connections import forms as shared
from crm_bridge.connectors import registry
from crm_bridge.models import Connection, StreamState


class ConnectionForm(shared.ConnectionForm):
    vendors = registry

    class Meta:
        model = Connection
        fields = shared.FIELDS


class StreamForm(shared.StreamForm):
    class Meta:
        model = StreamState
        fields = ("every", "complete_at")
