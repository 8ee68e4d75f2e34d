"""From contacts to a launched campaign: the frozen audience and the proof of what was checked."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models.campaign import Campaign
from bot_campaigns.models.connection import BotConnection
from bot_campaigns.models.mirrored import Number
from bot_campaigns.models.phonebook import Phonebook
from bot_campaigns.models.survey import Gateway, SurveyTemplate
from crm_bridge.models import Contact


class Launch(models.Model):
    """One campaign on its way from an audience to the bot.

    ``code`` stands in the names of the phonebook and the campaign it makes, so that
    after a lost answer the one that exists is found instead of making a second.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        CHECKED = "checked", _("checked")
        HANDING_OVER = "handing", _("handing over")
        READY = "ready", _("ready to start")
        STARTED = "started", _("started")
        HELD = "held", _("needs a person")
        CANCELLED = "cancelled", _("cancelled")

    class Audience(models.TextChoices):
        CONTACTS = "contacts", _("chosen contacts")
        FILTER = "filter", _("a filter of the contact list")
        PHONEBOOK = "phonebook", _("a phonebook")
        UPLOAD = "upload", _("an uploaded file")
        UNREACHED = "unreached", _("the unreached of a campaign")

    code = models.CharField(max_length=12, unique=True, editable=False)
    nonce = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    connection = models.ForeignKey(BotConnection, on_delete=models.PROTECT, related_name="launches")
    status = models.CharField(_("state"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    audience = models.CharField(_("audience"), max_length=10, choices=Audience.choices)
    audience_spec = models.JSONField(default=dict, blank=True)
    audience_words = models.CharField(_("audience"), max_length=300, blank=True)
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=300, blank=True)
    callerid = models.CharField(_("caller"), max_length=80, blank=True)
    template = models.ForeignKey(
        SurveyTemplate, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    gateway = models.ForeignKey(Gateway, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    frequency = models.PositiveIntegerField(_("calls a minute"), default=10)
    starts_at = models.DateTimeField(_("from"), null=True, blank=True)
    expires_at = models.DateTimeField(_("until"), null=True, blank=True)
    daily_start = models.TimeField(_("daily from"), null=True, blank=True)
    daily_stop = models.TimeField(_("daily until"), null=True, blank=True)
    """Both in the company's zone (``CallingRules.zone``); converted at hand-over."""
    not_called_days = models.PositiveSmallIntegerField(_("not called in the last (days)"), default=7)
    counts = models.JSONField(_("pre-flight"), default=dict, blank=True)
    """picked, to_dial and one count per reason, as they were when checked."""
    proof = models.JSONField(_("proof"), default=dict, blank=True)
    """Ages of mirror and do-not-call lists, the rules, overrides and who made them."""
    checked_at = models.DateTimeField(_("checked"), null=True, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    phonebook = models.ForeignKey(
        Phonebook, null=True, blank=True, on_delete=models.SET_NULL, related_name="launches"
    )
    campaign = models.ForeignKey(
        Campaign, null=True, blank=True, on_delete=models.SET_NULL, related_name="launches"
    )
    handed_over = models.PositiveIntegerField(_("handed over"), default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    not_before = models.DateTimeField(default=timezone.now)
    words = models.CharField(_("what happened"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("launch")
        verbose_name_plural = _("launches")
        ordering = ["-created_at", "-id"]
        default_permissions = ("view", "add", "change")
        indexes = [models.Index(fields=["status", "not_before"], name="launch_due")]

    def __str__(self) -> str:
        return self.name


class LaunchNumber(Number):
    """One row of a frozen audience: who would be called, and the verdict with its reason."""

    class Verdict(models.TextChoices):
        DIAL = "dial", _("to dial")
        SUPPRESSED = "suppressed", _("suppressed number")
        TRASHED = "trashed", _("trashed")
        MERGED = "merged", _("merged away")
        MISSING = "missing", _("missing in the CRM")
        NO_NUMBER = "no_number", _("invalid or no number")
        DUPLICATE = "duplicate", _("duplicate number")
        CALLED = "called", _("called recently")
        RUNNING = "running", _("already in a running campaign")
        NO_CONSENT = "no_consent", _("no consent")
        ZONE = "zone", _("outside the calling hours of its zone")

    class Withdrawal(models.TextChoices):
        NONE = "", _("none")
        ASKED = "asked", _("being withdrawn")
        DONE = "done", _("withdrawn")
        TOO_LATE = "too_late", _("already handed over")

    launch = models.ForeignKey(Launch, on_delete=models.CASCADE, related_name="numbers")
    contact = models.ForeignKey(Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(_("name"), max_length=200, blank=True)
    email = models.CharField(_("e-mail"), max_length=320, blank=True)
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict.choices)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    bot_contact_id = models.CharField(max_length=64, blank=True)
    """The bot's id of the handed-over row: what a withdrawal switches off."""
    handed_at = models.DateTimeField(_("handed over"), null=True, blank=True)
    withdrawal = models.CharField(_("withdrawal"), max_length=8, choices=Withdrawal.choices, blank=True)
    withdrawal_reason = models.CharField(max_length=300, blank=True)
    withdrawal_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("number of a launch")
        verbose_name_plural = _("numbers of a launch")
        ordering = ["id"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["launch", "verdict"], name="launch_number_verdict"),
            models.Index(fields=["e164"], name="launch_number_e164"),
            models.Index(fields=["withdrawal"], name="launch_number_withdrawal"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["launch", "e164"], condition=models.Q(verdict="dial"), name="launch_number_once"
            )
        ]

    def __str__(self) -> str:
        return self.number
