"""How changes of one contact line up in the outbox: join, stand behind, hand over.

Every function here is called with the contact's row locked and inside the
transaction of the deed.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.sync import bell
from backoffice.sync.push import IN_FLIGHT, Outbox, Status, database_now
from crm_bridge.merging import identical
from crm_bridge.models import Contact, ContactChange, Tombstone
from crm_bridge.records import Operation
from crm_bridge.services.refusals import NotWritable
from crm_bridge.services.rows import write_values

OUTBOX: Outbox[ContactChange] = Outbox(
    model=ContactChange,
    subject="contact",
    blocked_by=(
        Q(status=Status.HELD)
        | Q(operation=Operation.CREATE, status__in=ContactChange.OPEN)
        | Q(operation=Operation.RELATE, status=Status.WAITING)
    ),
)
"""A contact's changes go one by one; nothing overtakes a create that is not through, or a link."""
FINAL = (Operation.DELETE, Operation.MERGE)
"""After one of these there is nothing left to change."""


def lock(contact: Contact) -> Contact:
    """The contact's row, locked until the transaction ends."""
    return Contact.objects.select_for_update(of=("self",)).select_related("connection").get(pk=contact.pk)


def open_changes(contact: Contact) -> list[ContactChange]:
    """What is not finished, oldest first."""
    return list(contact.changes.filter(status__in=ContactChange.OPEN).order_by("pk"))


def waiting(changes: Iterable[ContactChange]) -> ContactChange | None:
    """The one that waits and that a later change may join; links are never joined."""
    wait = (each for each in changes if each.status == Status.WAITING and each.operation != Operation.RELATE)
    return next(wait, None)


def check_live(row: Contact) -> None:
    """Raises ``NotWritable`` for a contact that is gone, or on its way to be."""
    if row.state != Contact.State.LIVE:
        raise NotWritable(_("This contact is %s; it cannot be changed.") % row.get_state_display())
    last = row.changes.filter(status__in=ContactChange.OPEN, operation__in=FINAL).first()
    if last is not None and last.operation == Operation.MERGE:
        raise NotWritable(_("This contact is being merged into another one. Drop the merge first."))
    if last is not None:
        raise NotWritable(_("This contact is being deleted. Drop the deletion first."))


def agreed_values(row: Contact) -> dict[str, Any]:
    """What the CRM should hold once everything in flight has arrived."""
    agreed = {**row.values(), **(row.base or {})}
    for change in open_changes(row):
        settled_soon = change.status in IN_FLIGHT or change.status == Status.HELD
        if settled_soon and change.operation in (Operation.EDIT, Operation.CREATE):
            agreed |= {field: value for field, value in change.new.items() if field in agreed}
    return agreed


def set_aside(row: Contact, by: Any, words: str) -> dict[str, Any]:
    """Cancel what has not left yet, for a change that ends the contact; returns the unsent edits."""
    unsent: dict[str, Any] = {}
    for change in open_changes(row):
        if change.status in IN_FLIGHT or change.status == Status.HELD:
            continue
        if change.operation == Operation.EDIT:
            unsent |= change.new
        change.conflicts.filter(resolved_at=None).update(resolved_at=timezone.now(), resolved_by=by)
        finish(change, Status.CANCELLED, words)
    return unsent


def ring(change: ContactChange) -> None:
    """Wake a worker for this row after commit."""
    bell.ring("crm_bridge.tasks.push_change", change.pk, on="push")


def add(contact: Contact, operation: Operation, *, by: Any, **values: Any) -> ContactChange:
    """A new waiting row."""
    change = ContactChange.objects.create(
        connection_id=contact.connection_id,
        contact=contact,
        operation=operation.value,
        author=by,
        not_before=database_now(),
        **values,
    )
    ring(change)
    return change


def queue_edit(
    contact: Contact, base: Mapping[str, Any], new: Mapping[str, Any], *, by: Any
) -> ContactChange | None:
    """Add an edit to what waits already, or as a row of its own; None when nothing is left to send.

    Fields of a rejected edit that are edited again take the whole rejected edit
    along: this is how a person corrects it.
    """
    base, new = dict(base), dict(new)
    changes = open_changes(contact)
    for rejected in changes:
        if rejected.status == Status.REJECTED and new.keys() & rejected.new.keys():
            if rejected.operation == Operation.CREATE:
                return _correct(rejected, new, changes)
            base = {**base, **rejected.base}
            new = {**rejected.new, **new}
            finish(rejected, Status.CANCELLED, _("Corrected by a later edit."))
    if (first := waiting(changes)) is not None:
        return _absorb(first, base, new, by=by)
    if not new:
        return None
    return add(contact, Operation.EDIT, by=by, base=base, new=new)


def _absorb(
    waiting: ContactChange, base: Mapping[str, Any], new: Mapping[str, Any], *, by: Any
) -> ContactChange | None:
    """A waiting row takes in a later edit: first base, last value."""
    waiting.new = {**waiting.new, **new}
    if waiting.operation == Operation.EDIT:
        waiting.base = {**base, **waiting.base}
        for field in [name for name, value in waiting.new.items() if name in waiting.base]:
            if identical(field, waiting.base[field], waiting.new[field]):
                del waiting.base[field], waiting.new[field]
        if not waiting.new:
            finish(waiting, Status.CANCELLED, _("Edited back before it was sent."))
            return None
    waiting.author = by
    waiting.save(update_fields=["new", "base", "author", "updated_at"])
    ring(waiting)
    return waiting


def _correct(create: ContactChange, new: Mapping[str, Any], changes: list[ContactChange]) -> ContactChange:
    """A refused create with corrected values goes out again, edits behind it included."""
    for change in changes:
        if change.pk != create.pk and change.operation == Operation.EDIT and change.status == Status.WAITING:
            new = {**change.new, **new}
            finish(change, Status.CANCELLED, _("Joined to the create before it."))
    create.new = {**create.new, **new}
    create.save(update_fields=["new", "updated_at"])
    requeue(create)
    return create


def requeue(change: ContactChange) -> None:
    """Make a stopped row wait again, now; it must not stand beside another waiting one."""
    change.status = Status.WAITING
    change.not_before, change.sent_at = database_now(), None
    change.lease_token, change.lease_until, change.resolve, change.words = None, None, {}, ""
    change.save(
        update_fields=[
            "status", "not_before", "sent_at", "lease_token", "lease_until", "resolve", "words", "updated_at",
        ]
    )  # fmt: skip
    ring(change)


def hand_over(change: ContactChange, fields: Iterable[str]) -> set[str]:
    """Give fields of a change that did not get through to a later edit of the same fields.

    The later edit was made on top of a value that never became the remote one: it
    starts from what this change started from. Returns the fields handed over.
    """
    wanted = set(fields)
    later = change.contact.changes.filter(pk__gt=change.pk, status__in=(Status.WAITING, *IN_FLIGHT))
    handed: set[str] = set()
    for follower in later.order_by("pk"):
        shared = (wanted - handed) & follower.new.keys() & change.base.keys()
        if not shared or follower.operation != Operation.EDIT:
            continue
        follower.base = {**follower.base, **{field: change.base[field] for field in shared}}
        follower.save(update_fields=["base", "updated_at"])
        handed |= shared
    return handed


def finish(change: ContactChange, status: Status, words: str) -> None:
    """Close a row that nobody is working on."""
    change.status, change.words, change.finished_at = status, words, timezone.now()
    change.lease_token = change.lease_until = None
    change.save(update_fields=["status", "words", "finished_at", "lease_token", "lease_until", "updated_at"])


def without_base(contact: Contact, fields: Iterable[str]) -> dict[str, Any] | None:
    """``contact.base`` once these fields are agreed; fields that another open change holds stay."""
    gone = set(fields)
    kept = {field: value for field, value in (contact.base or {}).items() if field not in gone}
    return kept or None


def fields_under_edit(contact: Contact, *, apart_from: ContactChange | None = None) -> set[str]:
    """Fields whose column holds a staff value that is not settled."""
    fields: set[str] = set()
    for change in open_changes(contact):
        if (apart_from is None or change.pk != apart_from.pk) and change.operation == Operation.EDIT:
            fields |= change.new.keys()
    return fields


def new_code() -> str:
    """Our key of a new contact on the other side: unguessable, made once, never again."""
    return f"bo-{uuid.uuid4().hex}"


def bury(contact: Contact) -> None:
    """Put a contact into Trash by our own deed, with its snapshot."""
    now = timezone.now()
    Tombstone.objects.get_or_create(
        contact=contact,
        lifted_at=None,
        defaults={
            "evidence": Tombstone.Evidence.OURS,
            "trashed_at": now,
            "seen_at": now,
            "snapshot": contact.values(),
        },
    )
    write_values(contact, {}, state=Contact.State.TRASHED, state_since=now, touched_at=now)


def show_agreed(contact: Contact, fields: Iterable[str]) -> None:
    """Columns of fields nobody edits any more show the agreed remote value again."""
    free = set(fields) - fields_under_edit(contact)
    agreed = contact.base or {}
    write_values(
        contact,
        {field: agreed[field] for field in free if field in agreed},
        base=without_base(contact, free),
        touched_at=timezone.now(),
    )


def revive_edit(contact: Contact, new: Mapping[str, Any], *, by: Any) -> ContactChange | None:
    """The unsent edit that a dropped deletion had replaced goes on."""
    if not new:
        return None
    agreed = contact.values(tuple(new))
    write_values(contact, new, base={**agreed, **(contact.base or {})}, touched_at=timezone.now())
    return queue_edit(contact, agreed, new, by=by)
