"""Settling what both sides changed: a person chooses per field, every choice is kept."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.sync.push import Status
from crm_bridge.merging import merge
from crm_bridge.models import Conflict, Contact, ContactChange
from crm_bridge.records import Operation
from crm_bridge.services import contacts, outbox
from crm_bridge.services.contacts import WHOLE, Invalid
from crm_bridge.services.merges import final_survivor
from crm_bridge.services.rows import write_values

OURS, THEIRS = Conflict.Choice.OURS, Conflict.Choice.THEIRS


def settle(
    *,
    choices: Mapping[str, str],
    by: Any,
    contact: Contact | None = None,
    conflict: Conflict | None = None,
) -> ContactChange | Contact | None:
    """Apply choices (field → "ours" or "theirs") to the open conflicts of one contact.

    "ours" sends our value on top of theirs, "theirs" shows theirs. For the whole
    contact (``*``): ours creates a gone one again (the new ``Contact`` is
    returned) or deletes an edited one all the same; theirs drops the change.
    Raises ``Invalid`` for a field without an open conflict.
    """
    subject = contact or (conflict.contact if conflict is not None else None)
    if subject is None:
        raise TypeError("settle() needs a contact or a conflict")
    with transaction.atomic():
        row = outbox.lock(subject)
        standing = {
            each.field: each for each in row.conflicts.filter(resolved_at=None).select_related("change")
        }
        _check(choices, standing)
        result: ContactChange | Contact | None = None
        for field, choice in choices.items():
            each = standing[field]
            _resolve(each, choice, by)
            if field == WHOLE:
                result = _settle_whole(row, each, choice, by)
            else:
                result = _settle_field(row, each, choice, by) or result
        row.version += 1
        row.save(update_fields=["version"])
        audit.record(
            "contact.conflict", row, by=by, summary=", ".join(choices), version=row.version,
            choices=dict(choices),
            fields={
                field: [standing[field].theirs, standing[field].ours]
                if choice == OURS else [standing[field].ours, standing[field].theirs]
                for field, choice in choices.items()
            },
        )  # fmt: skip
    return result


def _check(choices: Mapping[str, str], standing: Mapping[str, Conflict]) -> None:
    errors = {}
    for field, choice in choices.items():
        if field not in standing:
            errors[field] = _("This field has no open conflict (any more).")
        elif choice not in Conflict.Choice.values:
            errors[field] = _("Choose “ours” or “theirs”.")
    if errors or not choices:
        raise Invalid(errors or {"choices": _("Choose for at least one field.")})


def _resolve(conflict: Conflict, choice: str, by: Any) -> None:
    conflict.choice, conflict.resolved_at, conflict.resolved_by = choice, timezone.now(), by
    conflict.save(update_fields=["choice", "resolved_at", "resolved_by"])


def _settle_field(row: Contact, conflict: Conflict, choice: str, by: Any) -> ContactChange | None:
    """The field leaves the conflicting change: into a new edit, or to the value of the CRM."""
    change, field = ContactChange.objects.get(pk=conflict.change_id), conflict.field
    change.new = {name: value for name, value in change.new.items() if name != field}
    change.base = {name: value for name, value in change.base.items() if name != field}
    if change.new:
        change.save(update_fields=["new", "base", "updated_at"])
    else:
        outbox.finish(change, Status.CANCELLED, _("Settled by %s.") % by)
    row.base = {field: conflict.theirs, **(row.base or {})}
    row.save(update_fields=["base"])
    if choice == THEIRS:
        outbox.show_agreed(row, [field])
        return None
    return outbox.queue_edit(row, {field: conflict.theirs}, {field: conflict.ours}, by=by)


def _settle_whole(row: Contact, conflict: Conflict, choice: str, by: Any) -> ContactChange | Contact | None:
    change = conflict.change
    if change.operation == Operation.DELETE:
        if choice == OURS:
            change.base = {**change.base, **(conflict.theirs or {})}
            change.save(update_fields=["base", "updated_at"])
            outbox.requeue(change)
            return change
        outbox.finish(change, Status.CANCELLED, _("The deletion was dropped by %s.") % by)
        return outbox.revive_edit(row, change.new, by=by)
    if change.operation == Operation.MERGE:
        return _settle_merge(row, change, conflict, choice, by)
    if choice == OURS and row.state == Contact.State.MERGED:
        return _move_to_survivor(row, change, by)
    outbox.finish(change, Status.CANCELLED, _("Settled by %s.") % by)
    if choice == THEIRS:
        outbox.show_agreed(row, change.new)
        return None
    if row.state == Contact.State.LIVE:
        write_values(row, {}, state=Contact.State.MISSING, state_since=timezone.now())
    again = contacts.recreate(contact=row, by=by)
    outbox.show_agreed(row, change.new)
    return again


def _settle_merge(
    row: Contact, change: ContactChange, conflict: Conflict, choice: str, by: Any
) -> ContactChange | None:
    """Merge all the same, about the values of now; or not at all."""
    if choice == OURS:
        change.base = {**change.base, **(conflict.theirs or {})}
        change.save(update_fields=["base", "updated_at"])
        outbox.requeue(change)
        return change
    outbox.finish(change, Status.CANCELLED, _("The merge was dropped by %s.") % by)
    return outbox.revive_edit(row, change.new.get("unsent") or {}, by=by)


def _move_to_survivor(row: Contact, change: ContactChange, by: Any) -> ContactChange | None:
    """The edit of a contact that was merged away goes to the one that stayed, lists joined."""
    survivor = final_survivor(row)
    if survivor is None or survivor.state != Contact.State.LIVE:
        raise contacts.NotWritable(_("Nobody knows yet which contact survived; name it under Merges first."))
    values = {}
    for field, value in change.new.items():
        merged = merge(field, change.base.get(field), value, survivor.value(field))
        values[field] = value if merged.conflict else merged.value
    outbox.finish(change, Status.CANCELLED, _("Moved to %s.") % survivor)
    outbox.show_agreed(row, change.new)
    return contacts.edit(contact=survivor, changes=values, by=by)
