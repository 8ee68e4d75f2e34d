"""Unreadable records: what a bot sent that could not be understood, and why."""

from django.utils.translation import gettext_lazy

from backoffice.connections import unreadable
from bot_campaigns.filters.operations import UnreadableFilter
from bot_campaigns.models import BotQuarantine
from bot_campaigns.tables.operations import UnreadableTable


class UnreadableList(unreadable.UnreadableList):
    permission = "bot_campaigns.view_botquarantine"
    title = gettext_lazy("Unreadable bot records")
    model = BotQuarantine
    empty_text = gettext_lazy("Every record that the bots sent could be read.")
    table_class = UnreadableTable
    filterset_class = UnreadableFilter


class UnreadablePage(unreadable.UnreadablePage):
    permission = "bot_campaigns.view_botquarantine"
    model = BotQuarantine
    crumbs = ((gettext_lazy("Unreadable bot records"), "bot:unreadable"),)
