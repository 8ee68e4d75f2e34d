"""A person's decision about a held run: a walk that missed more than can be believed."""

from typing import Any

from django.db import transaction

from backoffice import audit
from crm_bridge.models import Run, StreamState


def approve(run: Run, *, by: Any) -> None:
    """Let the next complete walk conclude what this held run was not allowed to.

    Nothing is removed by the approval itself: the walk is made again, at once, and each
    absent contact is still asked for singly.
    """
    with transaction.atomic():
        state = _decide(run, by, "approved")
        allowed = {"absent": run.absent, "run": run.pk}
        state.cursor = {**state.cursor, "allowed": allowed}
        state.save(update_fields=["cursor"])


def dismiss(run: Run, *, by: Any) -> None:
    """The list was wrong: keep everything as it is."""
    with transaction.atomic():
        _decide(run, by, "dismissed")


def _decide(run: Run, by: Any, verdict: str) -> StreamState:
    locked = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if locked.status != Run.Status.HELD:
        raise ValueError("this run is not held (any more)")
    locked.status = run.status = Run.Status.INCOMPLETE
    locked.details = run.details = {**locked.details, "decision": verdict, "decided_by": by.get_username()}
    locked.save(update_fields=["status", "details"])
    audit.record(f"run.{verdict}", locked, by=by, summary=locked.error)
    return StreamState.objects.select_for_update(of=("self",)).get(
        connection_id=run.connection_id, stream=run.stream
    )
