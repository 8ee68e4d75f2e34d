"""Tokens that are got and renewed, shared by all workers."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.sync.models import AbstractToken
from crm_bridge.models.connection import Connection


class ConnectionToken(AbstractToken):
    """The access of one connection whose vendor gives tokens that change."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="token")

    class Meta(AbstractToken.Meta):
        verbose_name = _("access of a connection")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.connection)
