"""What is pulled when: the streams of a connection, and which of them are due."""

from datetime import datetime, time, timedelta
from typing import Any

from django.utils import timezone

from crm_bridge.connectors.base import Changes, Stream
from crm_bridge.models import Connection, Run, StreamState

UNSETTLED_AGAIN = timedelta(hours=1)
DEFAULTS: dict[Stream, dict[str, Any]] = {
    # how often contacts are pulled is the vendor's to say (``Capabilities.contacts_every``)
    Stream.CONTACTS: {"complete_at": time(2, 30)},
    Stream.DELETED: {"every": 600},
    Stream.MERGED: {"every": 600},
}


def ensure_streams(connection: Connection) -> list[StreamState]:
    """The stream rows of a connection, made with the usual intervals where missing."""
    return [state_of(connection, stream) for stream in connection.capabilities.streams]


def state_of(connection: Connection, stream: Stream) -> StreamState:
    """The row of one stream. Raises ``ValueError`` for one that the CRM does not have."""
    if stream not in connection.capabilities.streams:
        raise ValueError(f"{connection.vendor_label} has no stream {stream.value!r}")
    defaults = dict(DEFAULTS[stream])
    if stream is Stream.CONTACTS:
        defaults["every"] = connection.capabilities.contacts_every
    return StreamState.objects.get_or_create(connection=connection, stream=stream, defaults=defaults)[0]


def due_streams(now: datetime) -> list[tuple[int, str, str]]:
    """(connection id, stream, mode) of everything that should start now, longest waiting first."""
    due = []
    states = StreamState.objects.filter(connection__is_active=True).exclude(lease_until__gt=now)
    states = states.exclude(connection__health__needs_attention=True)
    for state in states.select_related("connection"):
        mode = _due_mode(state, now)
        if mode is not None:
            due.append((state.last_started_at or state.connection.created_at, state, mode))
    due.sort(key=lambda each: each[0])
    return [(state.connection_id, state.stream, mode.value) for _since, state, mode in due]


def _due_mode(state: StreamState, now: datetime) -> Run.Mode | None:
    if not state.every:
        return None
    if _complete_due(state, now):
        return Run.Mode.COMPLETE
    wait = timedelta(seconds=state.every)
    if state.cursor.get("filter_ignored"):
        wait = max(wait, UNSETTLED_AGAIN)
    if state.last_started_at is not None and now - state.last_started_at < wait:
        return None
    return usual_mode(state)


def _complete_due(state: StreamState, now: datetime) -> bool:
    last = state.last_complete_at
    if state.stream != Stream.CONTACTS or last is None:
        return False
    if state.cursor.get("allowed"):
        return True
    if state.last_settled_at is None and now - last > UNSETTLED_AGAIN:
        return True
    if state.complete_at is None:
        return False
    today = timezone.localtime(now).replace(
        hour=state.complete_at.hour, minute=state.complete_at.minute, second=0, microsecond=0
    )
    moment = today if today <= now else today - timedelta(days=1)
    started = state.last_started_at
    return last < moment and (started is None or now - started > timedelta(seconds=state.every))


def usual_mode(state: StreamState) -> Run.Mode:
    """Changes where the CRM can tell them and a complete pull came before, else everything."""
    by_changes = (
        state.stream == Stream.CONTACTS
        and state.connection.capabilities.changes != Changes.NONE
        and state.cursor.get("watermark")
    )
    return Run.Mode.INCREMENTAL if by_changes else Run.Mode.COMPLETE
