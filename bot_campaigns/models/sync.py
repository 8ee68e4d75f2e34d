"""Concrete tables of the mirror's engine for the bot."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.sync.models import AbstractPageMark, AbstractQuarantine, AbstractRun, AbstractStreamState
from bot_campaigns.models.connection import BotConnection


class BotStreamState(AbstractStreamState):
    connection = models.ForeignKey(BotConnection, on_delete=models.CASCADE, related_name="streams")

    class Meta(AbstractStreamState.Meta):
        verbose_name = _("bot stream")
        verbose_name_plural = _("bot streams")
        default_permissions = ("view", "change")
        constraints = [
            models.UniqueConstraint(fields=["connection", "stream"], name="bot_stream_of_connection")
        ]


class BotPageMark(AbstractPageMark):
    state = models.ForeignKey(BotStreamState, on_delete=models.CASCADE, related_name="marks")

    class Meta(AbstractPageMark.Meta):
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["state", "walk", "position"], name="bot_page_mark_position")
        ]

    def __str__(self) -> str:
        return f"{self.walk} {self.position}"


class BotRun(AbstractRun):
    connection = models.ForeignKey(BotConnection, on_delete=models.CASCADE, related_name="runs")

    class Meta(AbstractRun.Meta):
        verbose_name = _("bot run")
        verbose_name_plural = _("bot runs")
        default_permissions = ("view",)
        permissions = [("approve_botrun", _("Can approve or dismiss a held run of campaigns"))]
        indexes = [
            models.Index(fields=["connection", "stream", "-started_at"], name="bot_run_stream"),
            models.Index(fields=["-started_at"], name="bot_run_started"),
        ]


class BotQuarantine(AbstractQuarantine):
    connection = models.ForeignKey(BotConnection, on_delete=models.CASCADE, related_name="quarantine")

    class Meta(AbstractQuarantine.Meta):
        verbose_name = _("unreadable bot record")
        verbose_name_plural = _("unreadable bot records")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "stream", "fingerprint"], name="bot_quarantine_fingerprint"
            )
        ]
