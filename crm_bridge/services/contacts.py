"""The only doors through which staff change contacts: create, edit, delete, merge, relate.

Each is one transaction: contact row, agreed values, audit row, outbox row. Nobody
waits for a remote system here; workers are rung after commit.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.models import AuditEntry
from backoffice.sync.push import Status
from crm_bridge import choices
from crm_bridge.merging import identical
from crm_bridge.models import Connection, Contact, ContactChange
from crm_bridge.records import EDITABLE_FIELDS, Kind, Operation
from crm_bridge.services import outbox
from crm_bridge.services.joining import merge, relate
from crm_bridge.services.outbox import check_live
from crm_bridge.services.refusals import NotWritable, SomebodysEdit, VersionClash
from crm_bridge.services.rows import write_values
from crm_bridge.validation import CustomRules, Invalid, clean

__all__ = [
    "Invalid",
    "NotWritable",
    "SomebodysEdit",
    "VersionClash",
    "create",
    "create_many",
    "delete",
    "edit",
    "merge",
    "recreate",
    "relate",
]

CHUNK = 200
WHOLE = "*"
"""The ``field`` of a conflict about the whole contact."""
NONCES = uuid.UUID("0d3c5f5e-6f0b-4f7b-9d5f-0a3a3b7f4a11")
"""Namespace of request ids made from a form's nonce."""


def rules_of(connection: Connection, before: Mapping[str, Any] | None = None) -> CustomRules:
    """The custom fields as the CRM defines them (none where it does not tell), to check values with."""
    fields = choices.present_fields(connection.pk)
    return CustomRules([field.definition for field in fields], before)


def create(
    *, connection: Connection, kind: Kind | str, values: Mapping[str, Any], by: Any, nonce: str | None = None
) -> Contact:
    """A new contact, on its way to the CRM. The same nonce twice gives the same contact.

    Raises ``Invalid`` (``errors`` by field) and ``NotWritable``.
    """
    cleaned = _clean_new(connection, kind, values, rules_of(connection))
    request_id = uuid.uuid4() if nonce is None else uuid.uuid5(NONCES, f"{by.pk if by else ''} {nonce}")
    try:
        with transaction.atomic():
            return _create(connection, Kind(kind), cleaned, by, request_id=request_id)
    except IntegrityError:
        earlier = ContactChange.objects.filter(request_id=request_id).select_related("contact").first()
        if earlier is None:
            raise
        return earlier.contact


def create_many(
    *, connection: Connection, rows: Iterable[tuple[Kind | str, Mapping[str, Any]]], by: Any
) -> uuid.UUID:
    """Create ``(kind, values)`` rows, one transaction per chunk; they may travel in bulk.

    All rows are checked before the first is written: ``Invalid`` names each wrong
    one as "row 3 phones". Returns the batch id on the outbox rows.
    """
    checked: list[tuple[Kind, dict[str, Any]]] = []
    errors: dict[str, str] = {}
    rules = rules_of(connection)
    for number, (kind, values) in enumerate(rows, start=1):
        try:
            cleaned = _clean_new(connection, kind, values, rules)
            checked.append((Kind(kind), cleaned))
        except Invalid as wrong:
            errors |= {f"row {number} {field}": message for field, message in wrong.errors.items()}
    if errors:
        raise Invalid(errors)
    batch = uuid.uuid4()
    for start in range(0, len(checked), CHUNK):
        with transaction.atomic():
            for kind, values in checked[start : start + CHUNK]:
                _create(connection, kind, values, by, batch=batch)
    return batch


def recreate(*, contact: Contact, by: Any) -> Contact:
    """A new contact with the values of one that is gone in the CRM."""
    if contact.state == Contact.State.MERGED:
        raise NotWritable(_("This contact was merged into another one; edit that one instead."))
    if contact.state not in (Contact.State.TRASHED, Contact.State.MISSING):
        raise NotWritable(_("Only a contact that is gone can be created again."))
    creatable = contact.connection.capabilities.creatable
    values = {field: value for field, value in contact.values().items() if field in creatable and value}
    fixed = {f.key for f in choices.present_fields(contact.connection_id) if not f.editable}
    held = {key: value for key, value in contact.custom_fields.items() if key not in fixed}
    if "custom_fields" in values:
        values["custom_fields"] = held
    again = create(connection=contact.connection, kind=contact.kind, values=values, by=by)
    audit.record("contact.recreate", contact, by=by, summary=str(again), new_contact=again.pk)
    return again


def edit(
    *,
    contact: Contact,
    changes: Mapping[str, Any],
    by: Any,
    version: int | None = None,
    seen: Mapping[str, Any] | None = None,
) -> ContactChange | None:
    """Save new values of some fields; returns what is on its way, None when nothing changed.

    ``version`` is the contact's when the form was opened, ``seen`` the values it
    showed then: an edit made on top of a value that a pull has replaced since
    becomes a conflict instead of overwriting it. Raises ``Invalid``,
    ``VersionClash``, ``NotWritable``.
    """
    connection = contact.connection
    cleaned = clean(
        changes,
        allowed=connection.capabilities.writable,
        label=connection.vendor_label,
        custom=rules_of(connection, {**contact.custom_fields, **((seen or {}).get("custom_fields") or {})}),
    )
    with transaction.atomic():
        row = outbox.lock(contact)
        old = {field: row.value(field) for field in cleaned}
        new = {field: value for field, value in cleaned.items() if not identical(field, old[field], value)}
        if not new:
            return _on_its_way(row, cleaned)
        check_live(row)
        if version is not None and version != row.version:
            raise VersionClash(row, _edits_since(row, version))
        change = _edit(row, {field: old[field] for field in new}, new, by=by, seen=seen or {})
    contact.refresh_from_db()
    return change


def delete(*, contact: Contact, by: Any) -> ContactChange:
    """Delete a contact in the CRM; it stays visible here until the CRM has taken it.

    One that was never sent goes to Trash at once. Raises ``NotWritable``.
    """
    if not contact.connection.capabilities.can_delete:
        words = _("%s does not let us delete contacts.") % contact.connection.vendor_label
        raise NotWritable(contact.connection.capabilities.why_not.get("can_delete") or words)
    with transaction.atomic():
        row = outbox.lock(contact)
        changes = outbox.open_changes(row)
        asked = next((change for change in changes if change.operation == Operation.DELETE), None)
        if asked is not None:
            return asked
        check_live(row)
        create_ = next((change for change in changes if change.operation == Operation.CREATE), None)
        never_sent = create_ is not None and create_.status in (Status.WAITING, Status.REJECTED)
        agreed = outbox.agreed_values(row)
        unsent = outbox.set_aside(row, by, _("The contact is being deleted."))
        audit.record("contact.delete", row, by=by, summary=str(row), version=row.version + 1)
        if never_sent and create_ is not None:
            outbox.bury(row)
            write_values(row, {}, version=row.version + 1, base=None)
            create_.refresh_from_db()
            deletion = create_
        else:
            write_values(row, {}, version=row.version + 1, touched_at=timezone.now())
            outbox.show_agreed(row, unsent)
            deletion = outbox.add(row, Operation.DELETE, by=by, base=agreed, new=unsent)
    contact.refresh_from_db()
    return deletion


def _clean_new(
    connection: Connection, kind: Kind | str, values: Mapping[str, Any], rules: CustomRules
) -> dict[str, Any]:
    capabilities = connection.capabilities
    if not capabilities.can_create:
        words = _("%s does not let us create contacts.") % connection.vendor_label
        raise NotWritable(capabilities.why_not.get("can_create") or words)
    if kind not in capabilities.kinds:
        raise Invalid({"kind": _("%s has no such kind of contact.") % connection.vendor_label})
    named = {"name": "", **values}
    return clean(named, allowed=capabilities.creatable, label=connection.vendor_label, custom=rules)


def _create(connection: Connection, kind: Kind, cleaned: Mapping[str, Any], by: Any, **entry: Any) -> Contact:
    contact = Contact(connection=connection, kind=kind.value, family="", code=outbox.new_code(), version=1)
    shown = {field: value for field, value in cleaned.items() if field in EDITABLE_FIELDS}
    write_values(contact, {"phones": [], "emails": [], "tags": [], **shown})
    audit.record(
        "contact.create", contact, by=by, summary=str(contact), version=1,
        fields={field: [None, value] for field, value in cleaned.items()},
    )  # fmt: skip
    filled = {field: value for field, value in cleaned.items() if value not in ("", None, [], {})}
    outbox.add(contact, Operation.CREATE, by=by, new=filled, **entry)
    return contact


def _edit(
    row: Contact, old: dict[str, Any], new: dict[str, Any], *, by: Any, seen: Mapping[str, Any]
) -> ContactChange | None:
    under_edit = outbox.fields_under_edit(row)
    agreed = dict(row.base or {})
    if row.remote_id is not None:
        agreed = {**old, **agreed}
    version = row.version + 1
    write_values(row, new, base=agreed or None, version=version, touched_at=timezone.now())
    audit.record(
        "contact.edit", row, by=by, summary=", ".join(new), version=version,
        fields={field: [old[field], value] for field, value in new.items()},
    )  # fmt: skip
    queued, in_conflict = _join_conflicts(row, old, new)
    start = {field: old[field] if field in under_edit else seen.get(field, old[field]) for field in queued}
    change = outbox.queue_edit(row, start, queued, by=by) if queued else None
    settled = queued.keys() - outbox.fields_under_edit(row)
    if row.base and settled & row.base.keys():  # edited back: what the CRM holds is shown again
        write_values(
            row,
            {field: row.base[field] for field in settled if field in row.base},
            base=outbox.without_base(row, settled),
        )
    return change or in_conflict


def _join_conflicts(
    row: Contact, old: Mapping[str, Any], new: Mapping[str, Any]
) -> tuple[dict[str, Any], ContactChange | None]:
    """Fields in open conflict change our side of it; returns the other fields, and the conflict's change."""
    queued, change = dict(new), None
    standing = row.conflicts.filter(resolved_at=None, field__in=[*new, WHOLE])
    for conflict in standing.order_by("-field"):  # "*" last: it takes what is left
        change = ContactChange.objects.get(pk=conflict.change_id)
        joining = list(queued) if conflict.field == WHOLE else [conflict.field]
        change.base = {**{field: old[field] for field in joining}, **change.base}
        change.new = {**change.new, **{field: queued.pop(field) for field in joining}}
        change.save(update_fields=["base", "new", "updated_at"])
        conflict.ours = change.new if conflict.field == WHOLE else change.new[conflict.field]
        conflict.save(update_fields=["ours"])
    return queued, change


def _on_its_way(row: Contact, fields: Mapping[str, Any]) -> ContactChange | None:
    """The open change that already carries these fields: the same form sent twice."""
    carrying = [change for change in outbox.open_changes(row) if change.new.keys() & fields.keys()]
    return carrying[-1] if carrying else None


def _edits_since(row: Contact, version: int) -> list[SomebodysEdit]:
    entries = AuditEntry.objects.filter(
        object_type=row._meta.label_lower,
        object_id=str(row.pk),
        action__startswith="contact.",
        data__version__gt=version,
    ).order_by("at", "pk")
    return [SomebodysEdit(entry.actor_name, entry.at, entry.data.get("fields", {})) for entry in entries]
