"""What must be explainable later: deletions, merges, conflicts."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_bridge.models.contact import Contact


class Tombstone(models.Model):
    """Evidence that a contact was deleted: who, when, last snapshot."""

    class Evidence(models.TextChoices):
        LISTED = "listed", _("in the CRM's list of deleted contacts")
        LOOKUP = "lookup", _("the CRM proved that it is gone")
        OURS = "ours", _("deleted from here")

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="tombstones")
    evidence = models.CharField(_("evidence"), max_length=8, choices=Evidence.choices)
    trashed_at = models.DateTimeField(_("trashed at"), null=True, blank=True)
    trashed_by = models.CharField(_("trashed by"), max_length=254, blank=True)
    seen_at = models.DateTimeField(_("seen"), default=timezone.now)
    """When the answer that proved it was asked for."""
    snapshot = models.JSONField(_("snapshot"), default=dict)
    """Canonical values when it was last live here."""
    raw = models.TextField(_("remote data"), blank=True)
    content_hash = models.CharField(max_length=32, blank=True)
    lifted_at = models.DateTimeField(_("restored at"), null=True, blank=True)

    class Meta:
        verbose_name = _("tombstone")
        verbose_name_plural = _("trash")
        ordering = ["-seen_at", "-id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["contact"], condition=Q(lifted_at__isnull=True), name="tombstone_one_standing"
            )
        ]
        indexes = [models.Index(fields=["lifted_at", "-trashed_at"], name="tombstone_standing")]

    def __str__(self) -> str:
        return f"{self.contact}"


class Merge(models.Model):
    """Loser → survivor, with the window in which it must have happened."""

    class Proof(models.TextChoices):
        PROVEN = "proven", _("proven")
        TO_PROVE = "to_prove", _("to prove")
        BY_HAND = "by_hand", _("named by staff")

    loser = models.OneToOneField(Contact, on_delete=models.CASCADE, related_name="merge")
    survivor = models.ForeignKey(
        Contact,
        verbose_name=_("survivor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="merges_won",
    )
    proof = models.CharField(_("proof"), max_length=8, choices=Proof.choices, default=Proof.TO_PROVE)
    reason = models.CharField(_("how it was proven, or why not"), max_length=300, blank=True)
    survivor_uid = models.CharField(max_length=64, blank=True)
    survivor_hint = models.JSONField(default=dict, blank=True)
    """What the CRM told of the survivor: name, phones, e-mails."""
    not_before = models.DateTimeField(_("happened after"), null=True, blank=True)
    not_after = models.DateTimeField(_("happened before"), null=True, blank=True)
    seen_at = models.DateTimeField(_("seen"), default=timezone.now)
    snapshot = models.JSONField(_("loser's last values"), default=dict)
    survivor_snapshot = models.JSONField(_("survivor's values before"), default=dict, blank=True)
    """Known where the merge was made from here: both were read right before."""
    moved = models.JSONField(_("what moved to the survivor"), default=dict, blank=True)
    raw = models.TextField(_("remote data"), blank=True)
    content_hash = models.CharField(max_length=32, blank=True)
    proven_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ["-seen_at", "-id"]
        default_permissions = ("view",)
        permissions = [("prove_merge", _("Can name the survivor of a merge"))]
        indexes = [
            models.Index(fields=["proof", "-seen_at"], name="merge_proof"),
            models.Index(fields=["-not_after"], name="merge_not_after"),
        ]

    def __str__(self) -> str:
        return f"{self.loser} → {self.survivor or '?'}"


class Conflict(models.Model):
    """A field that both sides changed since they last agreed."""

    class Choice(models.TextChoices):
        OURS = "ours", _("keep ours")
        THEIRS = "theirs", _("take theirs")

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="conflicts")
    change = models.ForeignKey("ContactChange", on_delete=models.CASCADE, related_name="conflicts")
    field = models.CharField(_("field"), max_length=40)
    """A field name, or ``*`` when the whole record is at stake (gone remotely)."""
    base = models.JSONField(_("last agreed"), null=True)
    ours = models.JSONField(_("ours"), null=True)
    theirs = models.JSONField(_("theirs"), null=True)
    theirs_at = models.DateTimeField(_("theirs, before"), default=timezone.now)
    created_at = models.DateTimeField(_("found"), default=timezone.now)
    choice = models.CharField(_("choice"), max_length=8, choices=Choice.choices, blank=True)
    resolved_at = models.DateTimeField(_("settled"), null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        verbose_name = _("conflict")
        verbose_name_plural = _("conflicts")
        ordering = ["-created_at", "-id"]
        default_permissions = ("view",)
        permissions = [("resolve_conflict", _("Can settle conflicts"))]
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "field"], condition=Q(resolved_at__isnull=True), name="conflict_one_open"
            )
        ]
        indexes = [models.Index(fields=["resolved_at", "-created_at"], name="conflict_open")]

    def __str__(self) -> str:
        return f"{self.contact}: {self.field}"
