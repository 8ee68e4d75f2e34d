"""Accounts on a voice bot, and the rules under which they may call people."""

from datetime import time

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.sync.models import AbstractConnection, AbstractHealth


class BotConnection(AbstractConnection):
    """One account on AntBOT."""

    vendor_zone = models.CharField(_("zone of its daily window"), max_length=64, blank=True)
    """The vendor does not say in which zone it reads the daily window: empty until confirmed."""
    zone_confirmed_at = models.DateTimeField(_("zone confirmed"), null=True, blank=True)
    zone_confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta(AbstractConnection.Meta):
        verbose_name = _("bot connection")
        verbose_name_plural = _("bot connections")
        permissions = [("sync_botconnection", _("Can start a sync of campaigns"))]


class BotHealth(AbstractHealth):
    connection = models.OneToOneField(BotConnection, on_delete=models.CASCADE, related_name="health")

    class Meta(AbstractHealth.Meta):
        verbose_name = _("bot connection health")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.connection)


class CallingRules(models.Model):
    """When and whom a connection may call. The strict Vietnamese profile is the default.

    Decree 91/2020: advertising calls between 08:00 and 17:00, at most one per number
    in 24 hours, never to a number on the do-not-call list (pointers for counsel, not advice).
    """

    connection = models.OneToOneField(BotConnection, on_delete=models.CASCADE, related_name="rules")
    zone = models.CharField(_("company's zone"), max_length=64, default="Asia/Ho_Chi_Minh")
    window_start = models.TimeField(_("not before"), default=time(8))
    window_end = models.TimeField(_("not at or after"), default=time(17))
    weekdays = models.CharField(
        _("weekdays"), max_length=7, default="1234567", help_text=_("ISO numbers, Monday is 1.")
    )
    hours_between_calls = models.PositiveSmallIntegerField(
        _("hours between two calls to one number"), default=24, help_text=_("0: no rule.")
    )
    dnc_required = models.BooleanField(_("do-not-call lists are checked"), default=True)
    dnc_max_age_minutes = models.PositiveIntegerField(
        _("do-not-call lists at most (minutes old)"), default=60
    )
    mirror_max_age_minutes = models.PositiveIntegerField(_("contacts at most (minutes old)"), default=30)
    consent_required = models.BooleanField(_("consent is required"), default=False)
    consent_tag = models.CharField(_("tag that states consent"), max_length=200, blank=True)
    frequency_cap = models.PositiveIntegerField(_("calls a minute at most"), default=60)
    type_above = models.PositiveIntegerField(_("confirmation is typed above (numbers)"), default=20)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("calling rules")
        verbose_name_plural = _("calling rules")
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return str(self.connection)
