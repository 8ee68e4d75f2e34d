"""Accounts on CRMs."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.sync.models import AbstractConnection, AbstractHealth
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Capabilities, with_features


class Connection(AbstractConnection):
    """One account on one CRM, with what it can do."""

    class Meta(AbstractConnection.Meta):
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        permissions = [("sync_connection", _("Can start a sync"))]

    @property
    def vendor_label(self) -> str:
        return registry.connector_class(self.vendor).label

    @property
    def capabilities(self) -> Capabilities:
        """What its vendor can do, with what was proven on this account."""
        able = registry.connector_class(self.vendor).capabilities
        return with_features(able, self.measured.get("features") or {})


class ConnectionHealth(AbstractHealth):
    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="health")

    class Meta(AbstractHealth.Meta):
        verbose_name = _("connection health")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.connection)
