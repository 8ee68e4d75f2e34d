"""Sending what waits: one row, everything due, the sweep; retry, drop and receipts."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.remote.errors import RemoteError
from backoffice.sync import bell
from backoffice.sync.push import IN_FLIGHT, LostLease, Status, fairly
from crm_bridge.connectors.base import Connector
from crm_bridge.models import Connection, Contact, ContactChange
from crm_bridge.records import Operation
from crm_bridge.services import (
    connecting,
    custom_fields,
    outbox,
    probing,
    relating,
    resolve,
    same_person,
    schedule,
    sending,
    settling,
)
from crm_bridge.services.attempts import Attempt
from crm_bridge.services.contacts import NotWritable
from crm_bridge.services.outbox import OUTBOX
from crm_bridge.services.rows import write_values

logger = logging.getLogger(__name__)

PAGE = 200
TRIES_IN_A_ROW = 10
"""A row that is due again at once so often is left to the next call."""

_SEND: dict[Operation, Callable[[Attempt], Status]] = {
    Operation.CREATE: sending.send_create,
    Operation.EDIT: sending.send_edit,
    Operation.DELETE: sending.send_delete,
    Operation.MERGE: relating.send_merge,
    Operation.RELATE: relating.send_relate,
}
_RESOLVE: dict[Operation, Callable[[Attempt], Status]] = {
    Operation.CREATE: resolve.resolve_create,
    Operation.MERGE: relating.resolve_merge,
}
"""What is done instead where an earlier attempt may have been applied and must not be repeated."""


@dataclass(slots=True)
class Counts:
    """How many attempts ended how."""

    done: int = 0
    waiting: int = 0
    unknown: int = 0
    conflict: int = 0
    rejected: int = 0
    held: int = 0
    cancelled: int = 0
    lost: int = 0

    def add(self, status: Status) -> None:
        name = "lost" if status == Status.SENDING else status.value
        setattr(self, name, getattr(self, name) + 1)

    @property
    def total(self) -> int:
        return sum(asdict(self).values())

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def push_one(pk: int, *, connector: Connector | None = None) -> Counts:
    """Attempt one row now; creates of the same import may go along. Nothing happens when it is not due."""
    counts = Counts()
    entry = OUTBOX.claim(pk)
    if entry is None:
        return counts
    with _connected(entry, connector) as ready:
        if ready is None:
            counts.add(Status.WAITING)
            return counts
        for status in _attempt(entry, ready):
            counts.add(status)
    _ring_next(entry)
    return counts


def push_due(
    connection: Connection | None = None,
    limit: int | None = None,
    progress: Callable[[Counts], None] | None = None,
) -> Counts:
    """Send everything that is due, in this process, the connections in turn."""
    counts = Counts()
    tries: Counter[int] = Counter()
    connectors: dict[int, Connector] = {}
    try:
        while pairs := _due(connection, tries):
            for pk in fairly(pairs):
                if limit is not None and counts.total >= limit:
                    return counts
                tries[pk] += 1
                entry = OUTBOX.claim(pk)
                if entry is None:
                    continue
                with _connected(entry, connectors.get(entry.connection_id), keep=connectors) as ready:
                    statuses = [Status.WAITING] if ready is None else _attempt(entry, ready)
                for status in statuses:
                    counts.add(status)
                if progress is not None:
                    progress(counts)
    finally:
        for connector in connectors.values():
            connector.close()
    return counts


def sweep() -> dict[str, int]:
    """What lost messages and dead workers left behind, and the pulls that are due; every 30 seconds."""
    released = OUTBOX.release_expired()
    due = list(OUTBOX.due().order_by("not_before", "pk").values_list("connection_id", "pk")[:PAGE])
    for pk in fairly(due):
        outbox.ring(ContactChange(pk=pk))
    streams = schedule.due_streams(timezone.now())
    for connection_id, stream, mode in streams:
        bell.ring("crm_bridge.tasks.pull_stream", connection_id, stream, mode, None, on="pull")
    for connection_id in custom_fields.due(timezone.now()):
        bell.ring(custom_fields.TASK, connection_id, on="pull")
    for pk in probing.waiting():
        bell.ring(probing.TASK, pk, on="pull")
    if same_person.due(timezone.now()):
        bell.ring(same_person.TASK, on="pull")
    return {"released": sum(released.values()), "rung": len(due), "pulls": len(streams)}


def retry(*, change: ContactChange, by: Any) -> ContactChange:
    """A person wants it tried again now. Raises ``NotWritable``."""
    with transaction.atomic():
        contact = outbox.lock(change.contact)
        row = ContactChange.objects.get(pk=change.pk)
        if row.status == Status.HELD and row.operation == Operation.CREATE and row.sent_at:
            raise NotWritable(_("It may have arrived: link it to a contact, or send it again knowingly."))
        if row.status not in (Status.WAITING, Status.REJECTED, Status.HELD):
            raise NotWritable(_("There is nothing to retry: this change is %s.") % row.get_status_display())
        audit.record("change.retry", contact, by=by, change=row.pk)
        if row.status == Status.WAITING:
            ContactChange.objects.filter(pk=row.pk, status=Status.WAITING).update(not_before=timezone.now())
            outbox.ring(row)
            return row
        behind = outbox.waiting(outbox.open_changes(contact))
        if behind is None or row.operation == Operation.RELATE:
            outbox.requeue(row)
            return row
        if behind.operation == Operation.DELETE:
            raise NotWritable(_("This contact is being deleted. Drop the deletion first."))
        if row.operation == Operation.CREATE:
            row.new = {**row.new, **behind.new}
            row.save(update_fields=["new", "updated_at"])
            outbox.finish(behind, Status.CANCELLED, _("Joined to the create before it."))
            outbox.requeue(row)
            return row
        behind.base, behind.new = {**behind.base, **row.base}, {**row.new, **behind.new}
        behind.save(update_fields=["base", "new", "updated_at"])
        outbox.finish(row, Status.CANCELLED, _("Joined to a later edit."))
        outbox.ring(behind)
        return behind


def drop(*, change: ContactChange, by: Any) -> ContactChange:
    """A person gives this change up: the contact shows the agreed values again. Raises ``NotWritable``."""
    with transaction.atomic():
        contact = outbox.lock(change.contact)
        row = ContactChange.objects.get(pk=change.pk)
        if row.status in IN_FLIGHT or row.status not in ContactChange.OPEN:
            raise NotWritable(_("This change is %s; it cannot be dropped.") % row.get_status_display())
        audit.record(
            "change.drop", contact, by=by, summary=row.operation, change=row.pk, fields=row.new,
            version=contact.version + 1,
        )  # fmt: skip
        row.conflicts.filter(resolved_at=None).update(
            resolved_at=timezone.now(), resolved_by=by, choice="theirs"
        )
        outbox.finish(row, Status.CANCELLED, _("Dropped by %s.") % by)
        if row.operation == Operation.CREATE:
            _abandon_create(contact)
        elif row.operation == Operation.DELETE:
            outbox.revive_edit(contact, row.new, by=by)
        elif row.operation == Operation.MERGE:
            outbox.revive_edit(contact, row.new.get("unsent") or {}, by=by)
        elif row.operation == Operation.EDIT:
            outbox.hand_over(row, row.new)
            outbox.show_agreed(contact, row.new)
        contact.version += 1
        contact.save(update_fields=["version"])
    return row


def _abandon_create(contact: Contact) -> None:
    for behind in outbox.open_changes(contact):
        outbox.finish(behind, Status.CANCELLED, _("Its contact was never created."))
    outbox.bury(contact)
    write_values(contact, {}, base=None)


# --- receipts ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receipt:
    """What staff see of the latest change of a contact."""

    change: ContactChange
    state: str
    state_label: str
    vendor: str
    saved_at: datetime
    saved_by: str
    sent_at: datetime | None
    """When the CRM had taken it."""
    words: str
    next_try_at: datetime | None
    open_changes: int


def receipt(contact: Contact) -> Receipt | None:
    """The latest change that matters: the oldest open one, else the last finished one."""
    changes = contact.changes.select_related("author")
    waiting = list(changes.filter(status__in=ContactChange.OPEN).order_by("pk"))
    change = waiting[0] if waiting else changes.order_by("-finished_at", "-pk").first()
    if change is None:
        return None
    due_again = change.status in (Status.WAITING, Status.UNKNOWN)
    return Receipt(
        change=change,
        state=change.status,
        state_label=change.get_status_display(),
        vendor=contact.connection.vendor_label,
        saved_at=waiting[-1].updated_at if len(waiting) > 1 else change.created_at,
        saved_by=change.author.get_username() if change.author else "",
        sent_at=change.finished_at if change.status == Status.DONE else None,
        words=change.words,
        next_try_at=change.not_before if due_again and change.not_before > timezone.now() else None,
        open_changes=len(waiting),
    )


# --- inside one attempt ------------------------------------------------------------------


def _attempt(entry: ContactChange, connector: Connector) -> list[Status]:
    """Send or resolve one claimed row; every end is a settled status."""
    group = _bulk_group(entry, connector)
    if len(group) > 1:
        return sending.send_bulk([Attempt(each, connector) for each in group], connector)
    attempt = Attempt(entry, connector)
    operation = Operation(entry.operation)
    send = _SEND[operation]
    if entry.sent_at is not None:
        send = _RESOLVE.get(operation, send)
    try:
        return [send(attempt)]
    except Exception as error:  # the outcome table knows every one of them, our own faults included
        try:
            return [settling.settle_failed(attempt, error)]
        except LostLease:
            return [Status.SENDING]


def _bulk_group(entry: ContactChange, connector: Connector) -> list[ContactChange]:
    """First attempts of the same import and kind, claimed to travel together."""
    most = connecting.able(entry.connection, connector).bulk_create
    if entry.operation != Operation.CREATE or entry.batch is None or entry.attempts != 1 or most < 2:
        return [entry]
    alike = OUTBOX.due().filter(
        batch=entry.batch,
        connection_id=entry.connection_id,
        operation=Operation.CREATE,
        status=Status.WAITING,
        attempts=0,
        contact__kind=entry.contact.kind,
    )
    claimed = (OUTBOX.claim(pk) for pk in list(alike.order_by("pk").values_list("pk", flat=True)[: most - 1]))
    return [entry, *(each for each in claimed if each is not None)]


@contextmanager
def _connected(
    entry: ContactChange, connector: Connector | None, *, keep: dict[int, Connector] | None = None
) -> Iterator[Connector | None]:
    """A connector for the row; None when none can be built, which settles the row."""
    if connector is not None:
        yield connector
        return
    try:
        connector = connecting.connect_to(entry.connection)
    except RemoteError as error:
        settling.settle_failed(Attempt(entry, None), error)  # type: ignore[arg-type]
        yield None
        return
    if keep is not None:
        keep[entry.connection_id] = connector
        yield connector
        return
    try:
        yield connector
    finally:
        connector.close()


def _due(connection: Connection | None, tries: "Counter[int]") -> list[tuple[int, int]]:
    due = OUTBOX.due()
    if connection is not None:
        due = due.filter(connection=connection)
    tired = [pk for pk, count in tries.items() if count >= TRIES_IN_A_ROW]
    return list(
        due.exclude(pk__in=tired).order_by("not_before", "pk").values_list("connection_id", "pk")[:PAGE]
    )


def _ring_next(entry: ContactChange) -> None:
    """One row done rings the next: what stood behind it, else what its connection has been due longest.

    So a backlog whose messages were lost drains at the workers' pace, not at the sweep's.
    """
    due = OUTBOX.due().filter(connection_id=entry.connection_id)
    following = due.filter(contact_id=entry.contact_id).first() or due.order_by("not_before", "pk").first()
    if following is not None:
        outbox.ring(following)
