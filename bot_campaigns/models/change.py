"""Phonebooks, call flows and do-not-call entries on their way to the bot."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.sync.models import AbstractOutboxEntry
from bot_campaigns.models.connection import BotConnection


class BotChange(AbstractOutboxEntry):
    """One row that staff made or changed here, until the bot has it.

    ``subject`` is "<family> <pk>", for the rows are of many tables. The row of a create
    stands in its own table from the start, without a ``remote_id``; an edit stays here
    until it is taken, so that a pull in between shows what the bot holds.
    """

    class Operation(models.TextChoices):
        CREATE = "create", _("new")
        EDIT = "edit", _("edit")

    connection = models.ForeignKey(BotConnection, on_delete=models.PROTECT, related_name="changes")
    subject = models.CharField(max_length=40)
    after = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="behind")
    """The create of what it belongs to: a number waits until its phonebook is there."""

    class Meta(AbstractOutboxEntry.Meta):
        verbose_name = _("change for the bot")
        verbose_name_plural = _("changes for the bot")
        default_permissions = ()
        constraints = AbstractOutboxEntry.one_open_per("subject")
        indexes = [
            models.Index(fields=["status", "not_before", "id"], name="bot_change_due"),
            models.Index(fields=["subject", "-id"], name="bot_change_subject"),
        ]

    @property
    def family(self) -> str:
        return self.subject.partition(" ")[0]

    @property
    def row_id(self) -> int:
        return int(self.subject.partition(" ")[2])

    @property
    def is_moving(self) -> bool:
        """It goes on by itself."""
        return self.status in self.MOVING


def subject_of(family: str, row_id: Any) -> str:
    """What ``BotChange.subject`` says of a row."""
    return f"{family} {row_id}"
