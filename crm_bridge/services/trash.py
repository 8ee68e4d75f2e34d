"""The list of deleted contacts: evidence in, Trash out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from backoffice import audit
from backoffice.remote.walk import Unreadable
from backoffice.sync.bulk import Bulk
from backoffice.sync.pull import Applied, Entry
from crm_bridge.models import Conflict, Connection, Contact, ContactAlias, ContactChange, Tombstone
from crm_bridge.records import ContactRecord, DeletionRecord, Operation, canonical
from crm_bridge.services.apply import split_key
from crm_bridge.services.contact_rows import CONTACT, by_family, check_lengths
from crm_bridge.services.rows import write_values

State = Contact.State
TOMBSTONE = Tombstone._meta.db_table
_STOPPABLE = (ContactChange.Status.WAITING, ContactChange.Status.HELD, ContactChange.Status.REJECTED)


class DeletedSink:
    """The ``deleted`` stream of one connection."""

    def __init__(self, connection: Connection, bulk: Bulk) -> None:
        self.connection, self._bulk = connection, bulk

    def dirty(self) -> set[str]:
        """Nothing: lifting a tombstone drops this stream's page marks itself."""
        return set()

    def known(self, keys: Sequence[str]) -> Mapping[str, tuple[str, datetime | None]]:
        """Hashes of standing tombstones."""
        found: dict[str, tuple[str, datetime | None]] = {}
        for family, remote_ids in by_family([split_key(key) for key in keys]).items():
            rows = self._bulk.select(
                "SELECT c.remote_id, t.content_hash"
                f" FROM {TOMBSTONE} t JOIN {CONTACT} c ON c.id = t.contact_id"
                " WHERE c.connection_id = %s AND c.family = %s AND c.state = 'trashed'"
                f" AND t.lifted_at IS NULL AND {self._bulk.one_of('c.remote_id')}",
                [self.connection.pk, family, self._bulk.many(remote_ids)],
            )
            found.update({f"{family} {remote_id}": (mark, None) for remote_id, mark in rows})
        return found

    def prepare(self, entry: Entry, record: Any) -> None:
        """Check that it is a deletion we can keep."""
        if not isinstance(record, DeletionRecord):
            raise Unreadable(f"not a deletion but {type(record).__name__}")
        check_lengths(record.contact)
        entry.prepared = record

    def apply(self, entries: Sequence[Entry]) -> Applied:
        """Deletions are few: one by one."""
        applied = Applied()
        for entry in entries:
            record: DeletionRecord = entry.prepared
            contact = known_contact(self.connection, record.contact)
            if contact is None:
                contact = gone_contact(self.connection, record.contact, State.TRASHED, entry.raw)
                applied.created += 1
            outcome = _bury(contact, record, entry)
            if outcome is None:
                applied.again.add(entry.key)
            elif outcome:
                applied.trashed += 1
            else:
                applied.unchanged += 1
        return applied


def _bury(contact: Contact, record: DeletionRecord, entry: Entry) -> bool | None:
    """Trash a contact on this evidence. False: nothing to do; None: look again next time."""
    if contact.state == State.MERGED or (contact.family, contact.remote_id) != split_key(entry.key):
        return False  # a merge says more than a deletion; a former identity is not the contact
    lifted = contact.tombstones.filter(lifted_at__isnull=False)
    if lifted.filter(lifted_at__gt=entry.asked_at).exists():
        return None
    same_deed = record.trashed_at is not None and lifted.filter(trashed_at=record.trashed_at).exists()
    if contact.state == State.LIVE and same_deed:
        return False  # seen live after it; the list has not caught up
    standing = contact.tombstones.filter(lifted_at__isnull=True).first()
    columns = {
        "trashed_at": record.trashed_at or (standing.trashed_at if standing else None),
        "trashed_by": record.trashed_by[:254] or (standing.trashed_by if standing else ""),
        "seen_at": entry.asked_at,
        "raw": entry.raw.decode(),
        "content_hash": entry.content_hash,
    }
    if standing is not None:
        Tombstone.objects.filter(pk=standing.pk).update(**columns)
    else:
        Tombstone.objects.create(
            contact=contact, evidence=Tombstone.Evidence.LISTED, snapshot=contact.values(), **columns
        )
        audit.record("contact.trashed", contact, by=None, summary="listed as deleted")
    if contact.state != State.TRASHED or contact.state_since is None:
        leave(contact, State.TRASHED, since=record.trashed_at or entry.asked_at)
    return standing is None


def bury_by_lookup(contact: Contact, asked_at: datetime) -> None:
    """A single read proved that it is gone, and this CRM has no list of deleted contacts."""
    Tombstone.objects.get_or_create(
        contact=contact,
        lifted_at=None,
        defaults={
            "evidence": Tombstone.Evidence.LOOKUP,
            "seen_at": asked_at,
            "snapshot": contact.values(),
        },
    )
    audit.record("contact.trashed", contact, by=None, summary="a single read proved that it is gone")
    leave(contact, State.TRASHED, since=asked_at)


def leave(contact: Contact, state: str, *, since: datetime) -> None:
    """Take a contact out of the live ones; what was on its way to it waits for a person."""
    now = timezone.now()
    write_values(contact, {}, state=state, state_since=min(since, now), touched_at=now, content_hash="")
    park_changes(contact, state)


def park_changes(contact: Contact, state: str) -> None:
    """Turn edits that wait for a contact that is gone into one conflict.

    A change that is being sent keeps its worker, which learns the same from the CRM; a
    delete of ours has got what it wanted.
    """
    links = contact.changes.filter(status=ContactChange.Status.WAITING, operation=Operation.RELATE)
    links.update(
        status=ContactChange.Status.REJECTED, words=f"The contact is {state} in the CRM.",
        updated_at=timezone.now(),
    )  # fmt: skip
    edits = contact.changes.filter(status__in=_STOPPABLE, operation=Operation.EDIT).order_by("id")
    changes = list(edits)
    if not changes:
        return
    first, now = changes[0], timezone.now()
    for later in changes[1:]:
        first.new, first.base = {**first.new, **later.new}, {**later.base, **first.base}
    first.status, first.words = ContactChange.Status.CONFLICT, f"The contact is {state} in the CRM."
    first.save(update_fields=["new", "base", "status", "words", "updated_at"])
    edits.exclude(pk=first.pk).update(
        status=ContactChange.Status.CANCELLED,
        words="Joined to the conflict before it.",
        finished_at=now,
        updated_at=now,
    )
    Conflict.objects.update_or_create(
        contact=contact,
        field="*",
        resolved_at=None,
        defaults={"change": first, "base": first.base, "ours": first.new, "theirs": {"state": str(state)}},
    )


def park_unsent(
    contact: Contact, new: Mapping[str, Any], *, base: Mapping[str, Any], by: Any, state: str
) -> ContactChange:
    """An edit that was set aside for a change that has ended the contact: a person decides about it."""
    change = ContactChange.objects.create(
        connection_id=contact.connection_id,
        contact=contact,
        operation=Operation.EDIT.value,
        status=ContactChange.Status.CONFLICT,
        author=by,
        base={field: base.get(field) for field in new},
        new=dict(new),
        words=f"The contact is {state} in the CRM.",
    )
    Conflict.objects.update_or_create(
        contact=contact,
        field="*",
        resolved_at=None,
        defaults={"change": change, "base": change.base, "ours": change.new, "theirs": {"state": str(state)}},
    )
    return change


def known_contact(connection: Connection, record: ContactRecord) -> Contact | None:
    """The contact a record of the past is about, locked: by id, former id or storage id."""
    contacts = Contact.objects.select_for_update(of=("self",)).filter(connection=connection)
    identity = record.identity
    found = contacts.filter(family=identity.family, remote_id=identity.remote_id).first()
    if found is not None:
        return found
    alias = ContactAlias.objects.filter(
        connection=connection, family=identity.family, remote_id=identity.remote_id
    ).first()
    if alias is not None:
        return contacts.get(pk=alias.contact_id)
    return contacts.filter(uid=record.uid).first() if record.uid else None


def gone_contact(connection: Connection, record: ContactRecord, state: str, raw: bytes) -> Contact:
    """A contact that was deleted or merged before we ever saw it live."""
    contact = Contact(
        connection=connection,
        family=record.identity.family,
        remote_id=record.identity.remote_id,
        uid=record.uid,
        kind=record.kind.value,
        state=state,
        raw=raw.decode(),
        remote_created_at=record.created_at,
        remote_updated_at=record.updated_at,
        touched_at=min(record.updated_at or timezone.now(), timezone.now()),
    )
    write_values(contact, canonical(record))
    return contact
