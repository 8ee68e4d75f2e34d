"""Campaigns: what we asked for, what the bot last said, and how old that is."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.sync.models import AbstractOutboxEntry
from bot_campaigns.models.connection import BotConnection
from bot_campaigns.models.mirrored import Mirrored, Number
from bot_campaigns.models.phonebook import BotContact, Phonebook
from bot_campaigns.models.survey import Gateway
from crm_bridge.models import Contact


class Campaign(Mirrored):
    """One call campaign of the bot.

    ``reported_status`` is the number the bot last said, verbatim; what it means is
    decided in ``bot_campaigns.antbot.mapping``. ``desired`` is the last command that
    staff gave; the two are different facts and are never mixed.
    """

    class Desired(models.TextChoices):
        NOTHING = "", _("nothing")
        START = "start", _("start")
        PAUSE = "pause", _("pause")
        ABORT = "abort", _("abort")
        END = "end", _("end")
        DELETE = "delete", _("delete")

    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    callerid = models.CharField(_("caller"), max_length=100, blank=True)
    phonebooks = models.ManyToManyField(Phonebook, verbose_name=_("phonebooks"), related_name="campaigns")
    gateway = models.ForeignKey(
        Gateway, verbose_name=_("gateway"), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    survey_id = models.CharField(_("survey"), max_length=64, blank=True)
    """The bot's ``object_id``: a template before the first start, its sealed copy after."""
    frequency = models.PositiveIntegerField(_("calls a minute"), null=True, blank=True)
    starts_at = models.DateTimeField(_("from"), null=True, blank=True)
    expires_at = models.DateTimeField(_("until"), null=True, blank=True)
    daily_start = models.TimeField(_("daily from"), null=True, blank=True)
    daily_stop = models.TimeField(_("daily until"), null=True, blank=True)
    """Both in the vendor's zone (``BotConnection.vendor_zone``)."""
    total = models.PositiveIntegerField(_("numbers"), null=True, blank=True)
    counts = models.JSONField(_("numbers by state"), default=dict, blank=True, editable=False)
    """Of its subscribers, as ``services.figures`` counted them when they were last read: for lists."""
    reported_status = models.IntegerField(_("reported state"), null=True, blank=True)
    reported_at = models.DateTimeField(_("reported"), null=True, blank=True)
    desired = models.CharField(_("asked for"), max_length=6, choices=Desired.choices, blank=True)
    desired_at = models.DateTimeField(_("asked at"), null=True, blank=True)
    polled_at = models.DateTimeField(_("calls last read"), null=True, blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-id"]
        default_permissions = ("view", "add", "change", "delete")
        permissions = [
            ("launch_campaign", _("Can launch campaigns")),
            ("stop_campaign", _("Can pause, abort and end campaigns")),
        ]
        indexes = [models.Index(fields=["reported_status"], name="campaign_reported")]

    def __str__(self) -> str:
        return self.name


class Subscriber(Mirrored, Number):
    """One contact's state in one campaign. Kept when the campaign is deleted remotely."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="subscribers")
    bot_contact = models.ForeignKey(
        BotContact, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    contact = models.ForeignKey(
        Contact, verbose_name=_("contact"), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    status = models.IntegerField(_("state"), null=True, blank=True)
    """The bot's number; unknown ones are shown as they are."""
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    last_attempt_at = models.DateTimeField(_("last attempt"), null=True, blank=True)
    duration = models.PositiveIntegerField(_("duration"), null=True, blank=True)
    billsec = models.PositiveIntegerField(_("talked"), null=True, blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("subscriber")
        verbose_name_plural = _("subscribers")
        ordering = ["id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["campaign", "status"], name="subscriber_campaign"),
            models.Index(fields=["contact"], name="subscriber_contact", condition=Q(contact__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.number


class CampaignCommand(AbstractOutboxEntry):
    """Start, pause, abort or end on its way to the bot; the outbox of campaigns.

    ``operation`` is the command. Commands are never coalesced and a start is never
    repeated blindly; a newer command supersedes one that has not left yet. ``done``
    means the bot took it, ``confirmed_at`` that its report shows it.
    """

    connection = models.ForeignKey(BotConnection, on_delete=models.PROTECT, related_name="commands")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="commands")
    expires_at = models.DateTimeField(_("not sent after"), null=True, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    """Why the product itself gave the command (a broken rule); empty for staff."""

    class Meta(AbstractOutboxEntry.Meta):
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        default_permissions = ("view",)
        constraints = AbstractOutboxEntry.one_open_per("campaign")
        indexes = [
            models.Index(fields=["status", "not_before", "id"], name="command_due"),
            models.Index(fields=["campaign", "-created_at"], name="command_campaign"),
        ]

    @property
    def age_of_asking(self) -> float:
        """Seconds since it was asked for."""
        return (timezone.now() - self.created_at).total_seconds()
