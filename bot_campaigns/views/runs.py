"""Runs of the bots' lists, and held ones to decide."""

from django.utils.translation import gettext_lazy

from backoffice.connections import runs
from backoffice.sync import bell
from bot_campaigns.filters.operations import RunFilter
from bot_campaigns.models import BotRun
from bot_campaigns.tables.operations import RunTable
from bot_campaigns.views.connections import PULL


class RunList(runs.RunList):
    permission = "bot_campaigns.view_botrun"
    title = gettext_lazy("Bot runs")
    model = BotRun
    table_class = RunTable
    filterset_class = RunFilter


class RunPage(runs.RunPage):
    permission = "bot_campaigns.view_botrun"
    model = BotRun
    crumbs = ((gettext_lazy("Bot runs"), "bot:runs"),)


class RunProgress(runs.RunProgress):
    permission = "bot_campaigns.view_botrun"
    model = BotRun


class Approve(runs.Approve):
    permission = "bot_campaigns.approve_botrun"
    model = BotRun
    back_to = "bot:runs"

    def told(self, run: BotRun) -> str:
        mode = BotRun.Mode.COMPLETE.value
        bell.ring(PULL, run.connection_id, run.stream, mode, self.request.user.pk, on="pull")
        return super().told(run)


class Dismiss(runs.Dismiss):
    permission = "bot_campaigns.approve_botrun"
    model = BotRun
    back_to = "bot:runs"
