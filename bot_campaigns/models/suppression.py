"""Who must not be called: by number, never by contact row."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models.mirrored import Mirrored, Number


class DncList(Mirrored):
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)

    class Meta(Mirrored.Meta):
        verbose_name = _("do-not-call list")
        verbose_name_plural = _("do-not-call lists")
        default_permissions = ("view", "add")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class DncEntry(Mirrored, Number):
    dnc_list = models.ForeignKey(DncList, null=True, on_delete=models.CASCADE, related_name="entries")

    class Meta(Mirrored.Meta):
        verbose_name = _("do-not-call entry")
        verbose_name_plural = _("do-not-call entries")
        default_permissions = ("view", "add")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.number


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def standing(self) -> "SuppressionQuerySet":
        return self.filter(lifted_at__isnull=True)


class Suppression(models.Model):
    """ "This number must not be called", from one source; the number is free when none stands.

    Survives merges, deletions, re-imports and a change of CRM, because it hangs on
    the number alone.
    """

    class Source(models.TextChoices):
        DNC = "dnc", _("do-not-call list of the bot")
        STAFF = "staff", _("staff")
        IMPORT = "import", _("import")
        OUTCOME = "outcome", _("asked for in a call")

    e164 = models.CharField(_("number"), max_length=20)
    source = models.CharField(_("source"), max_length=8, choices=Source.choices)
    source_key = models.CharField(max_length=80, blank=True)
    """Which entry, import or call, so that reading it again adds nothing."""
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    since = models.DateTimeField(_("since"), default=timezone.now)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        ordering = ["-since", "-id"]
        default_permissions = ("view", "add")
        permissions = [("lift_suppression", _("Can lift a suppression"))]
        constraints = [
            models.UniqueConstraint(
                fields=["e164", "source", "source_key"], name="suppression_once_per_source"
            ),
            models.CheckConstraint(condition=~Q(e164=""), name="suppression_has_a_number"),
        ]
        indexes = [
            models.Index(fields=["e164"], name="suppression_standing", condition=Q(lifted_at__isnull=True)),
            models.Index(fields=["-since"], name="suppression_since"),
        ]

    def __str__(self) -> str:
        return self.e164
