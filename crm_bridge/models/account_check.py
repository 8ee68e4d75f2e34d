"""A guided check of one account: asked for by an admin, made by a worker, watched on its page."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_bridge.models.connection import Connection

QUIET = timedelta(minutes=3)
"""A check that gave no sign of life for so long has lost its worker."""


class AccountCheck(models.Model):
    """One run of the guided check, with what it has found so far."""

    class Kind(models.TextChoices):
        READ = "read", _("looking only")
        WRITE = "write", _("on a disposable record")
        FEATURE = "feature", _("one feature")

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        INTERRUPTED = "interrupted", _("interrupted")

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="checks")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    feature = models.CharField(_("feature"), max_length=60, blank=True)
    status = models.CharField(_("state"), max_length=12, choices=Status.choices, default=Status.WAITING)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("asked by"), null=True, on_delete=models.SET_NULL,
        related_name="+",
    )  # fmt: skip
    asked_at = models.DateTimeField(_("asked"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), default=timezone.now)
    step = models.CharField(_("step"), max_length=120, blank=True)
    done_steps = models.PositiveIntegerField(default=0)
    all_steps = models.PositiveIntegerField(default=0)
    findings = models.JSONField(_("findings"), default=list, blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True)

    OPEN = (Status.WAITING, Status.RUNNING)

    class Meta:
        verbose_name = _("account check")
        verbose_name_plural = _("account checks")
        ordering = ["-asked_at", "-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=Q(status__in=("waiting", "running")), name="check_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.connection} {self.asked_at:%Y-%m-%d %H:%M}"

    @property
    def quiet(self) -> bool:
        return self.status in self.OPEN and timezone.now() - self.heartbeat_at > QUIET

    @property
    def share(self) -> int:
        """Per cent done."""
        return round(100 * self.done_steps / self.all_steps) if self.all_steps else 0
