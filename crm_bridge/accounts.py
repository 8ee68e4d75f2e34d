"""The accounts on CRMs, made known to commands about accounts of any kind."""

from functools import partial

from backoffice.sync import registry
from crm_bridge.connectors import registry as connectors
from crm_bridge.connectors.base import Account
from crm_bridge.models import Connection, ConnectionHealth
from crm_bridge.services import pull
from crm_bridge.services.tokens import tokens_of


def register() -> None:
    """Called once, when the app is ready."""
    registry.register(
        registry.Side(
            connections=Connection,
            health=ConnectionHealth,
            vendors={kind: partial(connectors.connector_class, kind) for kind, _label in connectors.kinds()},
            account=Account,
            streams=lambda connection: [stream.value for stream in connection.capabilities.streams],
            pull=pull.pull_connection,
            tokens=tokens_of,
        )
    )
