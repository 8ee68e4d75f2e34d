"""What every row mirrored from the bot has."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models.connection import BotConnection


class Mirrored(models.Model):
    """One remote row. Rows are never deleted here: ``gone_at`` says since when it is not listed."""

    connection = models.ForeignKey(BotConnection, on_delete=models.PROTECT, related_name="%(class)ss")
    remote_id = models.CharField(_("remote id"), max_length=64, null=True, blank=True)  # noqa: DJ001  NULL until the bot gave one
    raw = models.TextField(blank=True)
    content_hash = models.CharField(max_length=32, blank=True)
    seen_at = models.DateTimeField(_("last read"), default=timezone.now)
    gone_at = models.DateTimeField(_("not listed any more since"), null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "remote_id"], name="%(app_label)s_%(class)s_identity"
            )
        ]


class Number(models.Model):
    """A phone number as the vendor wrote it, and E.164 where valid: only that is compared."""

    number = models.CharField(_("number"), max_length=120)
    e164 = models.CharField(_("E.164"), max_length=20, blank=True)

    class Meta:
        abstract = True
