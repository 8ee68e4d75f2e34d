"""Runs: what each pull did, live while it runs, and held ones to decide."""

from datetime import timedelta
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.pages import ListPage, Page
from crm_bridge.filters_operations import RunFilter
from crm_bridge.models import Contact, Run
from crm_bridge.services import held_runs
from crm_bridge.tables.operations import RunTable
from crm_bridge.views.actions import CrmAction
from crm_bridge.views.contact import phones_shown

QUIET = timedelta(minutes=2)
"""A run that gave no sign of life for so long has probably lost its worker."""

ABSENT_PAGE = 50


class RunList(ListPage):
    permission = "crm_bridge.view_run"
    title = gettext_lazy("Runs")
    noun = gettext_lazy("runs")
    empty_text = gettext_lazy("Nothing was pulled yet.")
    table_class = RunTable
    filterset_class = RunFilter

    def get_queryset(self) -> QuerySet[Run]:
        return Run.objects.order_by("-started_at", "-id")

    def with_related(self, rows: QuerySet[Run]) -> QuerySet[Run]:
        return rows.select_related("connection").defer("details")


def progress(run: Run) -> dict[str, Any]:
    """How far a run got: a share and an estimate where the number of records is known."""
    running = run.status == Run.Status.RUNNING
    seconds = (timezone.now() - run.started_at).total_seconds() if running else run.seconds
    share = min(99, round(100 * run.seen / run.expected)) if run.expected and running else None
    left = None
    if share is not None and run.seen and run.expected and run.seen < run.expected and seconds > 2:
        left = seconds * (run.expected - run.seen) / run.seen
    quiet = (timezone.now() - run.heartbeat_at).total_seconds() if running else 0
    return {
        "run": run,
        "running": running,
        "elapsed": seconds,
        "share": share,
        "left": left,
        "quiet": quiet > 120,
    }


class RunPage(Page):
    permission = "crm_bridge.view_run"
    template_name = "crm_bridge/run.html"
    crumbs = ((gettext_lazy("Runs"), "crm:runs"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = get_object_or_404(Run.objects.select_related("connection", "asked_by"), pk=kwargs["pk"])
        self.title = _("%(crm)s · %(stream)s") % {"crm": run.connection.name, "stream": run.stream}
        held = run.status == Run.Status.HELD
        sees_contacts = self.request.user.has_perm("crm_bridge.view_contact")
        return super().get_context_data(
            **progress(run),
            **(self._absent(run) if held and sees_contacts else {}),
            held=held,
            live=run.details.get("held", {}).get("live", 0),
            decision=run.details.get("decision", ""),
            decided_by=run.details.get("decided_by", ""),
            may_approve=held and self.request.user.has_perm("crm_bridge.approve_run"),
            **kwargs,
        )

    def _absent(self, run: Run) -> dict[str, Any]:
        """One page of the contacts that the held walk did not show, as they are here now."""
        paginator = Paginator(run.details.get("held", {}).get("ids", []), ABSENT_PAGE)
        page = paginator.get_page(self.request.GET.get("page"))
        rows = Contact.objects.only("name", "touched_at").prefetch_related("phones")
        found = rows.in_bulk(list(page.object_list))
        shown = [found[pk] for pk in page.object_list if pk in found]
        return {
            "absent_page": page,
            "absent_rows": [(contact, phones_shown(contact)) for contact in shown],
            "absent_known": paginator.count,
        }


class RunProgress(Page):
    """The part of the run page that refreshes itself while the run goes on."""

    permission = "crm_bridge.view_run"
    template_name = "crm_bridge/run_progress.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return progress(get_object_or_404(Run.objects.select_related("connection"), pk=kwargs["pk"]))


class Approve(CrmAction):
    """Let the next complete walk conclude what this one was not allowed to."""

    permission = "crm_bridge.approve_run"
    back_to = "crm:runs"
    refusals = (*CrmAction.refusals, ValueError)

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        run = get_object_or_404(Run.objects.select_related("connection"), pk=kwargs["pk"])
        held_runs.approve(run, by=request.user)
        return _("Approved. %s is walked once more at once, and each absent contact is asked for singly.") % (
            run.connection.name
        )


class Dismiss(CrmAction):
    """The list was wrong: everything stays as it is."""

    permission = "crm_bridge.approve_run"
    back_to = "crm:runs"
    refusals = (*CrmAction.refusals, ValueError)

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        run = get_object_or_404(Run.objects.select_related("connection"), pk=kwargs["pk"])
        held_runs.dismiss(run, by=request.user)
        return _("Dismissed: all contacts of %s stay as they are.") % run.connection.name
