"""A person's decision about a held run: a walk that missed more than can be believed."""

from typing import Any

from django.db import transaction

from backoffice import audit
from backoffice.sync.models import AbstractRun, AbstractStreamState


def approve(run: AbstractRun, *, by: Any) -> None:
    """Let the next complete walk conclude what this held run was not allowed to.

    Nothing is removed by the approval itself: the walk is made again.
    """
    with transaction.atomic():
        state = _decide(run, by, "approved")
        state.cursor = {**state.cursor, "allowed": {"absent": run.absent, "run": run.pk}}
        state.save(update_fields=["cursor"])


def dismiss(run: AbstractRun, *, by: Any) -> None:
    """The list was wrong: keep everything as it is."""
    with transaction.atomic():
        _decide(run, by, "dismissed")


def _decide(run: Any, by: Any, verdict: str) -> AbstractStreamState:
    model = type(run)
    locked = model._default_manager.select_for_update(of=("self",)).get(pk=run.pk)
    if locked.status != model.Status.HELD:
        raise ValueError("this run is not held (any more)")
    locked.status = run.status = model.Status.INCOMPLETE
    locked.details = run.details = {**locked.details, "decision": verdict, "decided_by": by.get_username()}
    locked.save(update_fields=["status", "details"])
    audit.record(f"run.{verdict}", locked, by=by, summary=locked.error)
    state: AbstractStreamState = run.connection.streams.select_for_update(of=("self",)).get(stream=run.stream)
    return state
