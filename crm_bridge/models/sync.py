"""Concrete tables of the mirror's engine."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.sync.models import (
    AbstractOutboxEntry,
    AbstractPageMark,
    AbstractQuarantine,
    AbstractRun,
    AbstractStreamState,
)
from crm_bridge.models.connection import Connection
from crm_bridge.models.contact import Contact


class ContactChange(AbstractOutboxEntry):
    """One change of one contact on its way to the CRM (the outbox)."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="changes")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="changes")

    class Meta(AbstractOutboxEntry.Meta):
        verbose_name = _("outgoing change")
        verbose_name_plural = _("outgoing changes")
        default_permissions = ("view",)
        permissions = [
            ("view_all_contactchange", _("Can see everybody's changes and conflicts")),
            ("retry_contactchange", _("Can send a change again")),
            ("drop_contactchange", _("Can drop a change")),
        ]
        constraints = [
            # links to other records come one after another and are never joined into one
            models.UniqueConstraint(
                fields=["contact"],
                condition=Q(status="waiting") & ~Q(operation="relate"),
                name="%(app_label)s_%(class)s_one_waiting",
            ),
            AbstractOutboxEntry.one_open_per("contact")[1],
        ]
        indexes = [
            models.Index(fields=["status", "not_before", "id"], name="change_due"),
            models.Index(fields=["connection", "status", "created_at"], name="change_connection"),
            models.Index(fields=["contact", "status"], name="change_contact"),
        ]


class StreamState(AbstractStreamState):
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="streams")

    class Meta(AbstractStreamState.Meta):
        verbose_name = _("stream")
        verbose_name_plural = _("streams")
        default_permissions = ("view", "change")
        constraints = [models.UniqueConstraint(fields=["connection", "stream"], name="stream_of_connection")]


class PageMark(AbstractPageMark):
    state = models.ForeignKey(StreamState, on_delete=models.CASCADE, related_name="marks")

    class Meta(AbstractPageMark.Meta):
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["state", "walk", "position"], name="page_mark_position")
        ]

    def __str__(self) -> str:
        return f"{self.walk} {self.position}"


class Run(AbstractRun):
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="runs")

    class Meta(AbstractRun.Meta):
        verbose_name = _("run")
        verbose_name_plural = _("sync runs")
        default_permissions = ("view",)
        permissions = [("approve_run", _("Can approve a held run"))]
        indexes = [
            models.Index(fields=["connection", "stream", "-started_at"], name="run_stream"),
            models.Index(fields=["status", "-started_at"], name="run_status"),
            models.Index(fields=["-started_at"], name="run_started"),
        ]


class Quarantine(AbstractQuarantine):
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="quarantine")

    class Meta(AbstractQuarantine.Meta):
        verbose_name = _("unreadable record")
        verbose_name_plural = _("unreadable records")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "stream", "fingerprint"], name="quarantine_fingerprint"
            )
        ]
        indexes = [models.Index(fields=["resolved_at", "-last_seen_at"], name="quarantine_open")]
