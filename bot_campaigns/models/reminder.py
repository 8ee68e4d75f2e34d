"""Reminder calls to one contact: calendar → event → alarm, made on demand."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models.connection import BotConnection
from bot_campaigns.models.mirrored import Mirrored, Number
from bot_campaigns.models.survey import Gateway
from crm_bridge.models import Contact


class CalendarSetting(Mirrored):
    label = models.CharField(_("label"), max_length=80)
    callerid = models.CharField(_("caller"), max_length=80, blank=True)
    caller_name = models.CharField(_("caller's name"), max_length=80, blank=True)
    call_timeout = models.PositiveIntegerField(_("rings for (seconds)"), default=60)
    survey_id = models.CharField(_("sealed survey"), max_length=64, blank=True)
    gateway = models.ForeignKey(Gateway, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta(Mirrored.Meta):
        verbose_name = _("calendar setting")
        verbose_name_plural = _("calendar settings")
        default_permissions = ("view", "add")

    def __str__(self) -> str:
        return self.label


class ReminderChoice(models.Model):
    """Which setting the reminders of a connection are made with; chosen once, by an admin."""

    connection = models.OneToOneField(BotConnection, on_delete=models.CASCADE, related_name="reminder_choice")
    setting = models.ForeignKey(CalendarSetting, on_delete=models.PROTECT, related_name="+")
    chosen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    chosen_at = models.DateTimeField(_("chosen"), default=timezone.now)

    class Meta:
        verbose_name = _("how reminders are made")
        verbose_name_plural = _("how reminders are made")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.setting)


class CalendarUser(Mirrored):
    """The bot's own login of a calendar. Its password is sent once and never stored."""

    username = models.CharField(_("name"), max_length=150)
    setting_id = models.CharField(_("setting"), max_length=64, blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("calendar user")
        verbose_name_plural = _("calendar users")
        default_permissions = ("view", "add")

    def __str__(self) -> str:
        return self.username


class Calendar(Mirrored):
    name = models.CharField(_("name"), max_length=200)
    user_id = models.CharField(_("calendar user"), max_length=64, blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")
        default_permissions = ("view", "add")

    def __str__(self) -> str:
        return self.name


class Event(Mirrored):
    title = models.CharField(_("title"), max_length=255)
    description = models.TextField(_("description"), blank=True)
    starts_at = models.DateTimeField(_("from"), null=True, blank=True)
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    creator_id = models.CharField(max_length=64, blank=True)
    calendar_id = models.CharField(max_length=64, blank=True)
    status = models.IntegerField(_("state"), null=True, blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("event")
        verbose_name_plural = _("events")
        default_permissions = ("view", "add")

    def __str__(self) -> str:
        return self.title


class Alarm(Mirrored, Number):
    """A reminder call. Making one places a call, so it goes through the same checks.

    ``steps`` remembers what was already made (setting, user, calendar, event), each
    found again by name after a lost answer.
    """

    class Progress(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENDING = "sending", _("sending")
        SENT = "sent", _("sent")
        UNKNOWN = "unknown", _("checking")
        REJECTED = "rejected", _("rejected")
        CANCELLED = "cancelled", _("dropped")

    contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="reminders"
    )
    event = models.ForeignKey(Event, null=True, blank=True, on_delete=models.SET_NULL, related_name="alarms")
    title = models.CharField(_("about"), max_length=200, blank=True)
    rings_at = models.DateTimeField(_("rings at"), null=True, blank=True)
    transfer_to = models.CharField(_("transfer to"), max_length=50, blank=True)
    status = models.IntegerField(_("state"), null=True, blank=True)
    result = models.IntegerField(_("result"), null=True, blank=True)
    progress = models.CharField(max_length=10, choices=Progress.choices, default=Progress.SENT)
    steps = models.JSONField(default=dict, blank=True)
    nonce = models.UUIDField(null=True, blank=True, unique=True)
    words = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(Mirrored.Meta):
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        ordering = ["-rings_at", "-id"]
        default_permissions = ("view", "add")
        indexes = [
            models.Index(fields=["progress", "not_before"], name="alarm_due"),
            models.Index(fields=["contact", "-rings_at"], name="alarm_contact"),
        ]

    def __str__(self) -> str:
        return self.title or self.number
