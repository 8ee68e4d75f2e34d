"""Runs: what each pull did, live while it runs, and held ones to decide.

Each app makes these its own: the model, the permission, its table and filters.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.connections.addresses import address_of, may
from backoffice.pages import Action, ListPage, Page
from backoffice.sync import held
from backoffice.sync.models import AbstractRun

QUIET = timedelta(minutes=2)
"""A run that gave no sign of life for so long has probably lost its worker."""
PATIENCE = timedelta(seconds=90)
"""So long is a worker waited for after somebody pressed "Sync now"."""


def progress(run: AbstractRun) -> dict[str, Any]:
    """How far a run got: a share and an estimate where the number of records is known."""
    running = run.status == run.Status.RUNNING
    seconds = (timezone.now() - run.started_at).total_seconds() if running else run.seconds
    share = min(99, round(100 * run.seen / run.expected)) if run.expected and running else None
    left = None
    if share is not None and run.seen and run.expected and run.seen < run.expected and seconds > 2:
        left = seconds * (run.expected - run.seen) / run.seen
    quiet = running and timezone.now() - run.heartbeat_at > QUIET
    return {"run": run, "running": running, "elapsed": seconds, "share": share, "left": left, "quiet": quiet}


def sync_progress(connection: Any, since: float | None = None, *, streams: int = 0) -> dict[str, Any]:
    """The runs that go on now, or were started since somebody pressed "Sync now".

    ``streams`` is how many runs that brings; 0: one for each stream row.
    """
    rows = connection.runs.select_related("connection").defer("details")
    wanted = Q(status=AbstractRun.Status.RUNNING)
    asked = None
    if since is not None:
        asked = datetime.fromtimestamp(since, tz=timezone.get_current_timezone())
        wanted |= Q(started_at__gte=asked)
    expected = streams or connection.streams.count()
    shown = [progress(run) for run in rows.filter(wanted).order_by("-started_at", "-id")[: 2 * expected or 6]]
    runs = list({item["run"].stream: item for item in reversed(shown)}.values())
    patience = asked is not None and timezone.now() - asked < PATIENCE
    going = any(item["running"] and not item["quiet"] for item in runs)
    return {
        "runs": runs,
        "going": going,
        "polling": going or (patience and len(runs) < expected),
        "waiting": asked is not None and not runs and patience,
        "no_worker": asked is not None and not runs and not patience,
        "since": since,
    }


class RunList(ListPage):
    title: Any = gettext_lazy("Runs")
    noun = gettext_lazy("runs")
    empty_text = gettext_lazy("Nothing was pulled yet.")
    model: ClassVar[Any]
    """The app's runs."""

    def get_queryset(self) -> QuerySet[Any]:
        return self.model._default_manager.order_by("-started_at", "-id")

    def with_related(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related("connection").defer("details")


class RunPage(Page):
    """One run. ``crumbs`` lead back to the app's list."""

    template_name = "backoffice/connections/run.html"
    model: ClassVar[Any]
    """The app's runs."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run: Any = get_object_or_404(
            self.model._default_manager.select_related("connection", "asked_by"), pk=kwargs["pk"]
        )
        self.title = _("%(crm)s · %(stream)s") % {"crm": run.connection.name, "stream": run.stream}
        is_held = run.status == run.Status.HELD
        return super().get_context_data(
            **progress(run),
            **(self.absent(run) if is_held else {}),
            held=is_held,
            live=run.details.get("held", {}).get("live", 0),
            decision=run.details.get("decision", ""),
            decided_by=run.details.get("decided_by", ""),
            may_approve=is_held and may(self.request.user, "approve", run),
            unreadable_url=self._unreadable(run),
            **kwargs,
        )

    def absent(self, run: Any) -> dict[str, Any]:
        """What a held walk did not show, where an app can name it."""
        return {}

    def _unreadable(self, run: Any) -> str:
        quarantine = run.connection.quarantine.model
        sees = run.rejected and may(self.request.user, "view", quarantine)
        return f"{address_of(run, 'unreadable')}?connection={run.connection_id}" if sees else ""


class RunProgress(Page):
    """The part of the run page that refreshes itself while the run goes on."""

    template_name = "backoffice/connections/run_progress.html"
    model: ClassVar[Any]
    """The app's runs."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        runs = self.model._default_manager.select_related("connection")
        return progress(get_object_or_404(runs, pk=kwargs["pk"]))


class _Decision(Action):
    model: ClassVar[Any]
    """The app's runs."""
    refusals = (*Action.refusals, ValueError)

    def run_of(self, pk: int) -> Any:
        return get_object_or_404(self.model._default_manager.select_related("connection"), pk=pk)


class Approve(_Decision):
    """Let the next complete walk conclude what this one was not allowed to."""

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        run = self.run_of(kwargs["pk"])
        held.approve(run, by=request.user)
        return self.told(run)

    def told(self, run: Any) -> str:
        """What happens now; an app also starts it here."""
        return _("Approved. %s is walked once more at once.") % run.connection.name


class Dismiss(_Decision):
    """The list was wrong: everything stays as it is."""

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        run = self.run_of(kwargs["pk"])
        held.dismiss(run, by=request.user)
        return self.told(run)

    def told(self, run: Any) -> str:
        """What an app says of it."""
        return _("Dismissed: everything of %s stays as it is.") % run.connection.name
