"""Pulling: one run of one stream, or of all streams of a connection."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from backoffice import audit
from backoffice.remote.errors import BadResponse, ConnectionBroken, RemoteError
from backoffice.sync import settle
from backoffice.sync.bulk import Bulk, bulk
from backoffice.sync.calm import calm
from backoffice.sync.lease import Busy, Lease, LostLease
from backoffice.sync.marks import Marks
from backoffice.sync.pull import FilterIgnored, Place, Pull, Sink
from backoffice.sync.quarantine import Shelf
from crm_bridge.connectors.base import Connector, Deletions, Stream
from crm_bridge.models import Connection, Contact, PageMark, Quarantine, Run, StreamState
from crm_bridge.records import Identity
from crm_bridge.services import schedule
from crm_bridge.services.apply import ContactSink, sight
from crm_bridge.services.connecting import connect_to, note_trouble, note_working
from crm_bridge.services.merges import MergedSink, prove_all
from crm_bridge.services.trash import DeletedSink, bury_by_lookup, leave

__all__ = ["Busy", "pull", "pull_connection"]

Mode, Status = Run.Mode, Run.Status
OVERLAP = timedelta(days=2)
"""Day-granular filters of unknown zone: this much before the watermark is read again."""
STALE_PLACE = timedelta(hours=24)
Progress = Callable[[Run], None]


def pull(
    connection: Connection,
    stream: str,
    *,
    mode: str | None = None,
    asked_by: Any = None,
    progress: Progress | None = None,
) -> Run:
    """Run one stream now and return the finished run, whatever came of it.

    ``mode`` None takes what is usual. Raises ``Busy`` when a run of this stream is under way.
    Remote trouble is told by the run; only errors of our own are raised.
    """
    state = schedule.state_of(connection, Stream(stream))
    lease = Lease(state)
    lease.take()
    try:
        _mark_interrupted(state)
        chosen = Mode(mode) if mode else None
        if chosen is None:
            unfinished = _places(state)
            chosen = Mode.COMPLETE if Mode.COMPLETE.value in unfinished else schedule.usual_mode(state)
        elif chosen == Mode.INCREMENTAL:
            chosen = schedule.usual_mode(state)
        run = Run.objects.create(connection=connection, stream=stream, mode=chosen, asked_by=asked_by)
        run.expected = state.cursor.get("rows") if chosen == Mode.COMPLETE else None
        _guarded(_Job(connection, state, lease, run, progress))
    finally:
        lease.release()
    return run


def pull_connection(
    connection: Connection,
    streams: Iterable[str] | None = None,
    *,
    full: bool = False,
    asked_by: Any = None,
    progress: Progress | None = None,
) -> list[Run]:
    """Pull the named streams (default all) one after another; a busy one is left out."""
    schedule.ensure_streams(connection)
    runs = []
    for stream in streams or connection.capabilities.streams:
        try:
            mode = Mode.COMPLETE if full else None
            runs.append(pull(connection, stream, mode=mode, asked_by=asked_by, progress=progress))
        except Busy:
            continue
    return runs


def _mark_interrupted(state: StreamState) -> None:
    """We hold the lease, so a run that says it is running was killed."""
    Run.objects.filter(connection_id=state.connection_id, stream=state.stream, status=Status.RUNNING).update(
        status=Status.INTERRUPTED, finished_at=Now(), error="The worker was stopped."
    )


def _guarded(job: "_Job") -> None:
    """Run a job so that the run always gets an end, and a reason when it is a bad one."""
    run = job.run
    try:
        with calm():
            job.work()
        note_working(job.connection)
    except ConnectionBroken as error:
        note_trouble(job.connection, error)
        job.finish(Status.FAILED, str(error))
    except BadResponse as error:
        job.forget_place()  # this list cannot be trusted to go on from the middle
        job.finish(Status.INCOMPLETE, str(error))
    except RemoteError as error:
        note_trouble(job.connection, error)
        job.finish(Status.INCOMPLETE, str(error))
    except LostLease as error:
        run.status, run.error = Status.INTERRUPTED, str(error)
        Run.objects.filter(pk=run.pk, status=Status.RUNNING).update(status=run.status, error=run.error)
    except Exception as error:
        job.finish(Status.FAILED, f"an error of our own: {type(error).__name__}")
        raise
    except BaseException:
        job.finish(Status.INTERRUPTED, "The worker was stopped.")
        raise


def _places(state: StreamState) -> dict[str, Any]:
    """Places of unfinished runs by mode, as far as they are still worth something."""
    oldest = timezone.now() - STALE_PLACE
    places = state.cursor.get("places") or {}
    return {mode: place for mode, place in places.items() if _moment(place["since_start"]) > oldest}


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(f"not a moment: {text!r}")
    return moment


@dataclass
class _Job:
    """Everything one run needs."""

    connection: Connection
    state: StreamState
    lease: Lease
    run: Run
    progress: Progress | None

    def work(self) -> None:
        """From the first page to the verdict."""
        connector = connect_to(self.connection)
        try:
            self._work(connector)
        finally:
            connector.close()

    def _work(self, connector: Connector) -> None:
        self.began = timezone.now()
        writer = bulk()
        sink = self._sink(writer)
        version = connector.mapping_version
        marks = Marks(PageMark, self.state.pk, version, writer)
        shelf = Shelf(Quarantine, self.connection.pk, self.run.stream)
        self.reader = Pull(
            lease=self.lease,
            run=self.run,
            marks=marks,
            shelf=shelf,
            sink=sink,
            parallel=self.connection.parallel_requests,
            page_size=connector.capabilities.page_size,
            version=version,
            save_place=self._save_place,
            progress=self.progress,  # type: ignore[arg-type]
        )
        place = self._resume() if connector.capabilities.resumable else None
        if self.run.mode == Mode.INCREMENTAL:
            try:
                self._changes(connector, place)
                return
            except FilterIgnored:
                self._become_complete()
                place = None
        self._complete(connector, sink, marks, shelf, place)

    def _sink(self, writer: Bulk) -> Sink:
        if self.run.stream == Stream.DELETED:
            return DeletedSink(self.connection, writer)
        if self.run.stream == Stream.MERGED:
            return MergedSink(self.connection, writer, self.state.last_ok_at)
        return ContactSink(self.connection, writer)

    # --- where to go on --------------------------------------------------------------------

    def _resume(self) -> Place | None:
        """The place a run of the same kind was stopped at."""
        saved = _places(self.state).get(self.run.mode)
        if saved is None:
            return None
        self.began = _moment(saved["since_start"])
        self.since = date.fromisoformat(saved["since"]) if saved["since"] else None
        if saved["newest"]:
            self.reader.newest = _moment(saved["newest"])
        self.run.details = {**self.run.details, "resumed": True}
        return Place(saved["walk"], saved["ordinal"], saved["position"], saved["rows"])

    since: date | None = None

    def _save_place(self, place: Place | None) -> Mapping[str, Any]:
        places = dict(self.state.cursor.get("places") or {})
        if place is None:
            places.pop(self.run.mode, None)
        else:
            newest = self.reader.newest
            places[str(self.run.mode)] = {
                **place.to_json(),
                "since_start": self.began.isoformat(),
                "since": self.since.isoformat() if self.since else "",
                "newest": newest.isoformat() if newest else "",
            }
        return {"cursor": {**self.state.cursor, "places": places}}

    def forget_place(self) -> None:
        """Start from the first page next time."""
        self.lease.save(**self._save_place(None))

    # --- changes only ----------------------------------------------------------------------

    def _changes(self, connector: Connector, place: Place | None) -> None:
        watermark = _moment(self.state.cursor["watermark"])
        self.since = self.since or (min(watermark, timezone.now()) - OVERLAP).date()
        walks = connector.walks(Stream.CONTACTS, since=self.since)
        since = timezone.make_aware(datetime.combine(self.since, time()))
        self.reader.read(walks, place=place, since=since)
        cursor = {**self.state.cursor, "filter_ignored": False}
        self._end(Status.OK, cursor)

    def _become_complete(self) -> None:
        """The filter was ignored: what comes is the whole list, so treat it as that."""
        self.forget_place()
        self.reader.drop()
        self.since = None
        self.run.mode = Mode.COMPLETE
        self.run.details = {
            **self.run.details,
            "filter_ignored": "The CRM ignored the filter for changes, so the whole list was read.",
        }
        self.run.save(update_fields=["mode", "details"])
        self.lease.save(cursor={**self.state.cursor, "filter_ignored": True})

    # --- everything ------------------------------------------------------------------------

    def _complete(
        self, connector: Connector, sink: Sink, marks: Marks, shelf: Shelf, place: Place | None
    ) -> None:
        stream = Stream(self.run.stream)
        walks = list(connector.walks(stream))
        marks.forget_walks_but([walk.key for walk in walks])
        mirror = sink if isinstance(sink, ContactSink) else None
        live_before = mirror.live() if mirror and self.state.last_complete_at else 0
        rows = 0
        start = place

        def one_pass() -> int:
            nonlocal start, rows
            seen_before, self.run.seen = self.run.seen, 0
            self.run.unchanged = 0
            self.reader.read(walks, place=start)
            rows = self.run.seen if start is None else max(self.run.seen, seen_before)
            start = None
            return self.reader.changed_pages

        if mirror is None:
            changed = one_pass()
            outcome = settle.Outcome(passes=1, stable=changed == 0)
        else:
            outcome = settle.passes(
                one_pass,
                marks,
                mirror,
                live_before=live_before,
                allowed=self.state.cursor.get("allowed", {}).get("absent", 0),
                beat=self._beat,
            )
        shelf.not_seen_since(self.run.started_at)
        self.run.absent = outcome.absent
        self.run.details = {**self.run.details, "passes": outcome.passes}
        status, error = Status.OK, ""
        if outcome.held:
            status = Status.HELD
            error = f"{outcome.absent} of {live_before} contacts were not in the list; nothing was removed."
            self.run.details["held"] = {
                "absent": outcome.absent,
                "live": live_before,
                "ids": outcome.held_ids,
            }
        elif outcome.ids:
            error = self._ask_for_absent(connector, outcome.ids)
            status = Status.INCOMPLETE if error else Status.OK
        if stream == Stream.MERGED:
            prove_all(self.connection)
        self.run.settled = status == Status.OK and outcome.stable
        cursor = {key: value for key, value in self.state.cursor.items() if key != "allowed" or outcome.held}
        self._end(status, {**cursor, "rows": rows}, error, complete=status in (Status.OK, Status.HELD))

    def _beat(self) -> None:
        self.lease.save()

    def _ask_for_absent(self, connector: Connector, ids: list[int]) -> str:
        """Read each contact that no page showed singly; returns what stands against the result."""
        control = (
            Contact.objects.live()
            .filter(connection=self.connection, remote_id__isnull=False)
            .exclude(pk__in=ids[:500])
            .order_by("-touched_at")
            .first()
        )
        if control is not None:
            self.run.requests += 1
            if connector.get(_identity(control)) is None:
                return "Single reads do not find a contact that the list shows, so nothing was removed."
        missing = 0
        for pk in ids:
            contact = Contact.objects.get(pk=pk)
            asked_at = timezone.now()
            record = connector.get(_identity(contact))
            self.run.requests += 1
            with transaction.atomic():
                contact = Contact.objects.select_for_update(of=("self",)).get(pk=pk)
                if contact.state != Contact.State.LIVE:
                    continue
                if record is not None:
                    sight(contact, record, asked_at)
                elif connector.capabilities.deletions == Deletions.BY_LOOKUP:
                    bury_by_lookup(contact, asked_at)
                    self.run.trashed += 1
                else:
                    leave(contact, Contact.State.MISSING, since=asked_at)
                    audit.record("contact.missing", contact, by=None, summary="not found by a single read")
                    missing += 1
            if self.lease.due:
                self._beat()
        self.run.details["missing"] = missing
        return ""

    # --- the end ---------------------------------------------------------------------------

    def _end(
        self, status: Run.Status, cursor: dict[str, Any], error: str = "", *, complete: bool = False
    ) -> None:
        """The run reached its end: move the watermark and let go of the place."""
        columns: dict[str, Any] = {}
        if status == Status.OK:
            columns["last_ok_at"] = self.run.started_at
            cursor = {**cursor, "watermark": self._watermark().isoformat()}
        if complete and status == Status.OK:
            columns["last_complete_at"] = self.run.started_at
            if self.run.settled:
                columns["last_settled_at"] = self.run.started_at
        self.state.cursor = cursor
        with transaction.atomic():
            self.finish(status, error)
            self.lease.save(**columns, **self._save_place(None))

    def _watermark(self) -> datetime:
        """The latest change we know of, but never later than when this pull began."""
        seen = [moment for moment in (self.reader.newest, self._old_watermark()) if moment is not None]
        return min([max(seen), self.began]) if seen else self.began

    def _old_watermark(self) -> datetime | None:
        saved = self.state.cursor.get("watermark")
        return _moment(saved) if saved else None

    def finish(self, status: Run.Status, error: str = "") -> None:
        """Write the verdict into the run."""
        run = self.run
        run.status, run.error, run.finished_at = status, error[:500], timezone.now()
        run.heartbeat_at = run.finished_at
        run.seconds = round((run.finished_at - run.started_at).total_seconds(), 3)
        run.save()
        if status == Status.HELD:
            audit.record("run.held", run, by=None, summary=run.error)
        if self.progress:
            self.progress(run)


def _identity(contact: Contact) -> Identity:
    return Identity(contact.family, contact.remote_id or "")
