"""Pulling from the bot: one run of one stream, all streams of a connection, and what is due when."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from backoffice.remote.errors import BadResponse, ConnectionBroken, RemoteError
from backoffice.sync import settle
from backoffice.sync.bulk import bulk
from backoffice.sync.calm import calm
from backoffice.sync.lease import Busy, Lease, LostLease
from backoffice.sync.marks import Marks
from backoffice.sync.pull import FilterIgnored, Place, Pull
from backoffice.sync.quarantine import Shelf
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import (
    BotConnection,
    BotPageMark,
    BotQuarantine,
    BotRun,
    BotStreamState,
)
from bot_campaigns.services import suppression
from bot_campaigns.services.connecting import connect_to, note_trouble, note_working
from bot_campaigns.services.sinks import RowSink, reported_all
from bot_campaigns.services.streams import STREAMS, calls_since, count_numbers, quiet_since, whole_walks

__all__ = ["Busy", "due_streams", "ensure_streams", "pull", "pull_connection"]

Mode, Status = BotRun.Mode, BotRun.Status
LOOK_BACK = timedelta(hours=48)
"""Calls may be reported that late."""
SHORT_LOOK_BACK = timedelta(hours=1)
"""Between two long looks, where a long one takes many requests."""
LONG_LOOK_EVERY = timedelta(minutes=30)
CHEAP_LOOK = 30
"""Requests up to which every look is a long one."""
WHOLE_AGAIN = timedelta(hours=1)
"""Where the bot ignores the dates, every look at the calls reads all of them."""
STALE_PLACE = timedelta(hours=1)
APPROVED_AGAIN = timedelta(minutes=1)
"""A walk that a person approved is tried again that soon, until one came to its end."""
Progress = Callable[[BotRun], None]


# --- what runs when ----------------------------------------------------------------------


def ensure_streams(connection: BotConnection) -> list[BotStreamState]:
    """The stream rows of a connection, made with the usual intervals where missing."""
    return [_state(connection, stream) for stream in STREAMS]


def due_streams(now: datetime) -> list[tuple[int, str, str]]:
    """(connection id, stream, mode) of everything that should start now, longest waiting first."""
    due = []
    states = BotStreamState.objects.filter(connection__is_active=True, stream__in=STREAMS, every__gt=0)
    states = states.exclude(lease_until__gt=now).exclude(connection__health__needs_attention=True)
    for state in states.select_related("connection"):
        started, wait = state.last_started_at, timedelta(seconds=state.every)
        if state.cursor.get("filter_ignored"):
            wait = max(wait, WHOLE_AGAIN)
        if state.cursor.get("allowed"):  # a person wants the held walk made again
            wait = min(wait, APPROVED_AGAIN)
        if started is None or now - started >= wait:
            due.append((started or state.connection.created_at, state))
    due.sort(key=lambda each: each[0])
    return [(state.connection_id, state.stream, str(_usual_mode(state).value)) for _since, state in due]


def pull_connection(
    connection: BotConnection,
    streams: Iterable[str] | None = None,
    *,
    full: bool = False,
    asked_by: Any = None,
    progress: Progress | None = None,
) -> list[BotRun]:
    """Pull the named streams (default all) one after another; a busy one is left out."""
    ensure_streams(connection)
    runs = []
    for stream in streams or STREAMS:
        try:
            mode = Mode.COMPLETE if full else None
            runs.append(pull(connection, stream, mode=mode, asked_by=asked_by, progress=progress))
        except Busy:
            continue
    return runs


def _state(connection: BotConnection, stream: str) -> BotStreamState:
    if stream not in STREAMS:
        raise ValueError(f"AntBOT has no stream {stream!r}")
    defaults = {"every": STREAMS[stream].every}
    return BotStreamState.objects.get_or_create(connection=connection, stream=stream, defaults=defaults)[0]


def _usual_mode(state: BotStreamState) -> BotRun.Mode:
    """Calls by their dates once all were read; everything else whole, and what a person approved."""
    by_dates = state.cursor.get("watermark") and not state.cursor.get("allowed")
    return Mode.INCREMENTAL if by_dates else Mode.COMPLETE


# --- one run -----------------------------------------------------------------------------


def pull(
    connection: BotConnection,
    stream: str,
    *,
    mode: str | None = None,
    asked_by: Any = None,
    progress: Progress | None = None,
) -> BotRun:
    """Run one stream now and return the finished run, whatever came of it.

    ``mode`` None takes what is usual. Raises ``Busy`` when a run of this stream is under way.
    Remote trouble is told by the run; only errors of our own are raised.
    """
    state = _state(connection, stream)
    with running(state, asked_by=asked_by, progress=progress) as job:
        chosen = Mode(mode) if mode else None
        usual = _usual_mode(state)
        job.start(Mode.COMPLETE if chosen == Mode.COMPLETE else usual)
        job.guard(job.everything if job.run.mode == Mode.COMPLETE else job.changes)
    if stream == "dnc":  # also after a run that broke off: what was read counts
        suppression.from_dnc_entries(connection)
    return job.run


@dataclass
class running:
    """Holds the lease of a stream for one run."""

    state: BotStreamState
    asked_by: Any = None
    progress: Progress | None = None

    def __enter__(self) -> "Job":
        self.lease = Lease(self.state)
        self.lease.take()
        # we hold the lease, so a run that says it is running was killed
        BotRun.objects.filter(
            connection_id=self.state.connection_id, stream=self.state.stream, status=Status.RUNNING
        ).update(status=Status.INTERRUPTED, finished_at=timezone.now(), error="The worker was stopped.")
        return Job(self.state.connection, self.state, self.lease, self.asked_by, self.progress)

    def __exit__(self, *_exc: object) -> None:
        self.lease.release()


@dataclass
class Job:
    """Everything one run needs."""

    connection: BotConnection
    state: BotStreamState
    lease: Lease
    asked_by: Any
    progress: Progress | None
    details: dict[str, Any] = field(default_factory=dict)

    def start(self, mode: BotRun.Mode) -> None:
        """Write down that this run began."""
        self.began = timezone.now()
        self.run = BotRun.objects.create(
            connection=self.connection, stream=self.state.stream, mode=mode, asked_by=self.asked_by
        )

    def guard(self, work: Callable[[AntBotConnector], None]) -> None:
        """Do the work so that the run always gets an end, and a reason when it is a bad one."""
        try:
            with calm():
                connector = connect_to(self.connection)
                try:
                    work(connector)
                finally:
                    connector.close()
            note_working(self.connection)
        except ConnectionBroken as error:
            note_trouble(self.connection, error)
            self.finish(Status.FAILED, str(error))
        except BadResponse as error:
            self.forget_place()  # this list cannot be trusted to go on from the middle
            self.finish(Status.INCOMPLETE, str(error))
        except RemoteError as error:
            note_trouble(self.connection, error)
            self.finish(Status.INCOMPLETE, str(error))
        except LostLease as error:
            self.run.status, self.run.error = Status.INTERRUPTED, str(error)
            BotRun.objects.filter(pk=self.run.pk, status=Status.RUNNING).update(
                status=self.run.status, error=self.run.error
            )
        except Exception as error:
            self.finish(Status.FAILED, f"an error of our own: {type(error).__name__}")
            raise
        except BaseException:
            self.finish(Status.INTERRUPTED, "The worker was stopped.")
            raise

    def reader(self, connector: AntBotConnector, families: tuple[str, ...]) -> tuple[Pull, RowSink]:
        """The engine and the sink of this run."""
        writer = bulk()
        self.sink = RowSink(self.connection, families, writer)
        self.marks = Marks(BotPageMark, self.state.pk, connector.mapping_version, writer)
        self.shelf = Shelf(BotQuarantine, self.connection.pk, self.state.stream)
        self._pull = Pull(
            lease=self.lease,
            run=self.run,
            marks=self.marks,
            shelf=self.shelf,
            sink=self.sink,
            parallel=self.connection.parallel_requests,
            page_size=connector.capabilities.page_size,
            version=connector.mapping_version,
            save_place=self._save_place,
            progress=self.progress,  # type: ignore[arg-type]
        )
        return self._pull, self.sink

    # --- where to go on --------------------------------------------------------------------

    def _save_place(self, place: Place | None) -> Mapping[str, Any]:
        """Only complete walks go on where they were stopped; looks at the last days start anew."""
        cursor = {name: value for name, value in self.state.cursor.items() if name != "place"}
        if place is not None and self.run.mode == Mode.COMPLETE:
            cursor["place"] = {**place.to_json(), "began": self.began.isoformat()}
        return {"cursor": cursor}

    def _resume(self) -> Place | None:
        saved = self.state.cursor.get("place")
        if saved is None or timezone.now() - datetime.fromisoformat(saved["began"]) > STALE_PLACE:
            return None
        self.began = datetime.fromisoformat(saved["began"])
        self.details["resumed"] = True
        return Place(saved["walk"], saved["ordinal"], saved["position"], saved["rows"])

    def forget_place(self) -> None:
        """Start from the first page next time."""
        self.lease.save(**self._save_place(None))

    # --- calls of the last days ------------------------------------------------------------

    def changes(self, connector: AntBotConnector) -> None:
        """Calls that started since shortly before the newest one known."""
        cursor = self.state.cursor
        watermark = datetime.fromisoformat(cursor["watermark"])
        looked = cursor.get("looked_at")
        long = (
            cursor.get("look_requests", 0) <= CHEAP_LOOK
            or looked is None
            or self.began - datetime.fromisoformat(looked) >= LONG_LOOK_EVERY
        )
        since = watermark - (LOOK_BACK if long else SHORT_LOOK_BACK)
        reader, _sink = self.reader(connector, ("calls",))
        try:
            reader.read([calls_since(connector, self.connection, since)], since=since)
        except FilterIgnored:
            reader.drop()
            self.details["filter_ignored"] = "The bot ignored the dates, so the whole list was read."
            self.run.mode = Mode.COMPLETE
            self.state.cursor |= {"filter_ignored": True}
            self.everything(connector)
            return
        self.state.cursor.pop("filter_ignored", None)
        if long:
            self.state.cursor |= {
                "looked_at": self.began.isoformat(),
                "look_requests": self.run.requests,
            }
        self.end(Status.OK)

    # --- everything ------------------------------------------------------------------------

    def everything(self, connector: AntBotConnector) -> None:
        """The whole stream to its proven end; what is not listed any more is marked."""
        reader, sink = self.reader(connector, STREAMS[self.state.stream].families)
        place = self._resume()
        walks = whole_walks(connector, self.state, sink.left_out.add)
        self.marks.forget_walks_but([walk.key for walk in walks])
        live_before = sink.live() if self.state.last_complete_at else 0
        first = True

        def one_pass() -> int:
            nonlocal place, first
            if not first:
                self.run.seen = self.run.unchanged = 0
            first = False
            reader.read(walks, place=place)
            place = None
            return reader.changed_pages

        outcome = settle.passes(
            one_pass,
            self.marks,
            sink,
            live_before=live_before,
            allowed=self.state.cursor.get("allowed", {}).get("absent", 0),
            beat=self.lease.save,
        )
        self.shelf.not_seen_since(self.run.started_at)
        self.run.absent = outcome.absent
        self.details["passes"] = outcome.passes
        status, error = Status.OK, ""
        if outcome.held:
            status = Status.HELD
            self.details["held"] = {"absent": outcome.absent, "live": live_before}
            error = f"{outcome.absent} of {live_before} rows were not in the list; nothing was marked."
        elif outcome.ids:
            with transaction.atomic():
                self.run.trashed = sink.mark_gone(outcome.ids, self.began)
        if sink.left_out:
            self.details["not_offered"] = sorted(sink.left_out)
        if sink.waiting:
            self.details["waiting"] = sink.waiting
        self.run.settled = status == Status.OK and outcome.stable
        if not outcome.held:
            self.state.cursor = {name: each for name, each in self.state.cursor.items() if name != "allowed"}
        self._afterwards()
        self.end(status, error, complete=True)

    def _afterwards(self) -> None:
        """What follows from a list that was read whole."""
        stream = self.state.stream
        if stream == "campaigns":
            reported_all(self.connection, self.began)
        elif stream == "subscribers":
            count_numbers(self.connection)
            self.state.cursor |= {"quiet": quiet_since(self.state)}

    # --- the end ---------------------------------------------------------------------------

    def end(self, status: BotRun.Status, error: str = "", *, complete: bool = False) -> None:
        """The run reached its end: move the watermark and let go of the place."""
        columns: dict[str, Any] = {}
        if status == Status.OK:
            columns["last_ok_at"] = self.run.started_at
            if complete:
                columns["last_complete_at"] = self.run.started_at
                if self.run.settled:
                    columns["last_settled_at"] = self.run.started_at
            if self.state.stream == "calls":
                self.state.cursor |= {"watermark": self._watermark().isoformat()}
        with transaction.atomic():
            self.finish(status, error)
            self.lease.save(**columns, **self._save_place(None))

    def _watermark(self) -> datetime:
        """The start of the newest call we know of, but never later than this pull."""
        old = self.state.cursor.get("watermark")
        seen = [self._pull.newest, datetime.fromisoformat(old) if old else None]
        return min([max(each for each in seen if each), self.began]) if any(seen) else self.began

    def finish(self, status: BotRun.Status, error: str = "") -> None:
        """Write the verdict into the run."""
        run = self.run
        run.status, run.error, run.finished_at = status, error[:500], timezone.now()
        run.heartbeat_at = run.finished_at
        run.seconds = round((run.finished_at - run.started_at).total_seconds(), 3)
        run.details = {**run.details, **self.details}
        run.save()
        if self.progress:
            self.progress(run)
