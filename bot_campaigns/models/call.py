"""Calls that were made. Kept forever: totals never change afterwards."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models.campaign import Campaign
from bot_campaigns.models.connection import BotConnection
from bot_campaigns.models.mirrored import Mirrored, Number
from crm_bridge.models import Contact
from crm_bridge.phones import digits_reversed

if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:
    _CharField = models.CharField


class ReversedDigits(_CharField):
    """The digits of the row's number from the last to the first, kept right whenever it is written."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        row: Any = model_instance
        value = digits_reversed(row.number, row.e164)
        setattr(row, self.attname, value)
        return value

    def deconstruct(self) -> Any:
        """A plain column to migrations."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class Call(Mirrored, Number):
    """One row of the bot's call report (CDR). ``remote_id`` is its id or a hash of its identity."""

    campaign = models.ForeignKey(
        Campaign, verbose_name=_("campaign"), null=True, blank=True, on_delete=models.SET_NULL,
        related_name="calls",
    )  # fmt: skip
    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="calls",
    )
    """Whoever had the number when the call was first read; not moved by later merges."""
    callid = models.CharField(_("call id"), max_length=120, blank=True)
    leg = models.PositiveSmallIntegerField(_("leg"), default=1)
    callerid = models.CharField(_("caller"), max_length=120, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    duration = models.PositiveIntegerField(_("duration"), default=0)
    billsec = models.PositiveIntegerField(_("talked"), default=0)
    disposition = models.CharField(_("outcome"), max_length=40, blank=True)
    hangup_cause = models.CharField(_("cause"), max_length=60, blank=True)
    sip_term_status = models.CharField(_("SIP status"), max_length=20, blank=True)
    sip_term_cause = models.CharField(_("SIP cause"), max_length=20, blank=True)
    endpoint_disposition = models.CharField(_("far end"), max_length=40, blank=True)
    is_alarm = models.BooleanField(_("reminder"), default=False)
    is_otp = models.BooleanField(_("OTP"), default=False)
    checked_at = models.DateTimeField(null=True, blank=True)
    """When the calling rules were held against it."""
    digits_reversed = ReversedDigits(max_length=40, blank=True, editable=False)
    """For "ends with": answered by a range of its index."""

    class Meta(Mirrored.Meta):
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        ordering = ["-started_at", "-id"]
        default_permissions = ("view",)
        permissions = [("export_call", _("Can export calls"))]
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="call_started"),
            models.Index(fields=["campaign", "-started_at"], name="call_campaign"),
            models.Index(fields=["e164", "-started_at"], name="call_e164"),
            models.Index(fields=["contact", "-started_at"], name="call_contact"),
            models.Index(fields=["disposition", "-started_at"], name="call_disposition"),
            models.Index(fields=["checked_at"], name="call_unchecked", condition=Q(checked_at__isnull=True)),
            models.Index(fields=["digits_reversed"], name="call_digits"),
            models.Index(fields=["hangup_cause", "-started_at"], name="call_cause"),
            models.Index(fields=["billsec", "-started_at"], name="call_talked"),
            models.Index(fields=["duration", "-started_at"], name="call_duration"),
            models.Index(fields=["-started_at"], name="call_alarms", condition=Q(is_alarm=True)),
            models.Index(fields=["-started_at"], name="call_otps", condition=Q(is_otp=True)),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.started_at:%Y-%m-%d %H:%M}" if self.started_at else self.number


class Incident(models.Model):
    """A call or campaign that the rules do not allow, seen in the report: the campaign is paused."""

    class Kind(models.TextChoices):
        OUTSIDE_WINDOW = "window", _("outside the calling window")
        SUPPRESSED = "suppressed", _("suppressed number")
        TOO_SOON = "too_soon", _("second call within the hours between two calls")
        TWICE = "twice", _("called twice in one campaign")
        CHANGED = "changed", _("campaign changed remotely against the rules")
        RULES = "rules", _("campaign no longer within the rules, which were changed")

    connection = models.ForeignKey(BotConnection, on_delete=models.PROTECT, related_name="incidents")
    campaign = models.ForeignKey(Campaign, null=True, on_delete=models.SET_NULL, related_name="incidents")
    call = models.ForeignKey(Call, null=True, blank=True, on_delete=models.SET_NULL, related_name="incidents")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    summary = models.CharField(_("what happened"), max_length=300)
    created_at = models.DateTimeField(_("found"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_by = models.CharField(_("closed by"), max_length=150, blank=True)
    close_reason = models.CharField(_("closed because"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-created_at", "-id"]
        default_permissions = ("view", "change")
        constraints = [models.UniqueConstraint(fields=["call", "kind"], name="incident_once_per_call")]
        indexes = [
            models.Index(fields=["closed_at", "-created_at"], name="incident_open"),
            models.Index(fields=["-created_at", "-id"], name="incident_found"),
        ]

    def __str__(self) -> str:
        return self.summary
