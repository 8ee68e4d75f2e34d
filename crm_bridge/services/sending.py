"""One attempt at one outbox row: read first, merge, send, read again, settle.

No transaction is open while the CRM is asked. Every settlement is one
transaction that holds the contact's row and repeats the claim's token.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.remote.errors import BadResponse, Gone, OutcomeUnknown, RemoteError
from backoffice.sync.push import LostLease, Status, after_failure, settle_seconds
from crm_bridge.connectors.base import Connector
from crm_bridge.merging import identical, merge, same
from crm_bridge.models import Conflict, Contact, ContactChange
from crm_bridge.records import Change, ContactRecord, Identity, Kind, Operation, PushResult, canonical
from crm_bridge.services import health, outbox
from crm_bridge.services.contacts import WHOLE
from crm_bridge.services.outbox import OUTBOX
from crm_bridge.services.rows import write_values
from crm_bridge.services.stored import emptied, resembles, stored_words

logger = logging.getLogger(__name__)


CONTROLS = 3
BULK_SECONDS_EACH = 5
"""Each contact of a bulk answer is read back before its id is believed."""


@dataclass(slots=True)
class Attempt:
    """A claimed row with the connector to use, and how far the attempt got."""

    entry: ContactChange
    connector: Connector
    writing: bool = False
    """The first byte of a write of this attempt may have left."""
    sent_before: Any = None
    """``sent_at`` of an earlier attempt whose outcome is not known."""

    def __post_init__(self) -> None:
        self.sent_before = self.entry.sent_at

    @property
    def label(self) -> str:
        return self.connector.label

    @property
    def identity(self) -> Identity:
        contact = self.entry.contact
        return Identity(contact.family, contact.remote_id or "")

    def write(self, values: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> PushResult:
        """The one place where a single write leaves: marked first, then sent."""
        entry = self.entry
        operation = Operation(entry.operation)
        change = Change(
            operation=operation,
            kind=Kind(entry.contact.kind),
            identity=None if operation is Operation.CREATE else self.identity,
            code=entry.contact.code or "",
            values=values,
            before=before or {},
            request_id=str(entry.request_id),
        )
        OUTBOX.mark_sent(entry)
        self.writing = True
        return self.connector.push(change)

    def read(self) -> ContactRecord | None:
        """The contact as the CRM holds it now; None when it is certainly not there.

        An empty answer counts only beside one that is not: a contact that must be
        there is found in the same way, and this one is still not.
        """
        record = self._get()
        if record is None:
            controls = certainly_there(self.entry)
            found = (self.connector.get(Identity(each.family, each.remote_id or "")) for each in controls)
            if controls and not any(found):
                raise BadResponse(_("its single reads do not even find contacts that are there"))
            record = self._get()
        return record

    def _get(self) -> ContactRecord | None:
        record = self.connector.get(self.identity)
        if record is not None and self.identity not in (record.identity, *record.aliases):
            return None
        return record

    def read_back(self, identity: Identity | None = None) -> ContactRecord | None:
        """The contact after a write that is known to be applied; None when it cannot be read now."""
        try:
            return self.connector.get(identity or self.identity)
        except RemoteError as error:
            logger.warning("push: change=%s applied but not read back: %s", self.entry.pk, error)
            return None


def certainly_there(entry: ContactChange, **filters: Any) -> list[Contact]:
    """A few other contacts that the CRM must find: what an answer "not found" is checked against."""
    known = Contact.objects.live().filter(
        connection_id=entry.connection_id, remote_id__isnull=False, base__isnull=True, **filters
    )
    return list(known.exclude(pk=entry.contact_id).order_by("-pk")[:CONTROLS])


def send_edit(attempt: Attempt) -> Status:
    """Merge with what the CRM holds, send what differs, look at what it stored."""
    entry = attempt.entry
    record = attempt.read()
    if record is None:
        return settle_gone(attempt)
    remote = canonical(record)
    merged = {
        field: merge(field, entry.base.get(field), new, remote[field]) for field, new in entry.new.items()
    }
    clean = {field: result.value for field, result in merged.items() if not result.conflict}
    clashing = [field for field, result in merged.items() if result.conflict]
    send = {field: value for field, value in clean.items() if not identical(field, value, remote[field])}
    if not send:
        return _settle_edit(attempt, {**remote, **clean}, clean, clashing, remote, words="")
    whole = {field: remote[field] for field in attempt.connector.capabilities.writable if field in remote}
    clears = entry.connection.measured.get("put_omitted") == "clear"
    attempt.write({**whole, **send} if clears else send, before=remote)
    after = attempt.read_back()
    if after is not None and not clears and emptied(remote, canonical(after), send):
        # this CRM clears what an edit leaves out: give it back at once, and know it from now on
        health.remember_measured(entry.connection, put_omitted="clear")
        attempt.write({**whole, **send}, before=canonical(after))
        after = attempt.read_back()
    if after is None:
        words = _("Sent; what %s stored could not be read yet.") % attempt.label
        return _settle_edit(attempt, {**remote, **clean}, clean, clashing, remote, words=words)
    stored = canonical(after)
    return _settle_edit(
        attempt, stored, clean, clashing, remote, words=stored_words(attempt.label, clean, stored)
    )


def send_create(attempt: Attempt) -> Status:
    """Create under our own code, made with the edit and never again."""
    result = attempt.write(attempt.entry.new)
    if result.identity is None:
        raise OutcomeUnknown(_("it said yes but named no contact"))
    return settle_created(attempt, result.identity)


def send_bulk(attempts: Sequence[Attempt], connector: Connector) -> list[Status]:
    """Create many in one call. Anything but a clear yes leaves every one of them to be resolved singly."""
    changes = []
    for attempt in attempts:
        entry = attempt.entry
        OUTBOX.mark_sent(entry, extra_seconds=BULK_SECONDS_EACH * len(attempts))
        attempt.writing = True
        changes.append(
            Change(
                operation=Operation.CREATE,
                kind=Kind(entry.contact.kind),
                identity=None,
                code=entry.contact.code or "",
                values=entry.new,
                request_id=str(entry.request_id),
            )
        )
    try:
        results = connector.push_bulk(changes)
        if len(results) != len(changes):
            raise OutcomeUnknown(_("it answered %d of %d creates") % (len(results), len(changes)))
    except Exception as error:
        return [settle_failed(attempt, error, bulk=True) for attempt in attempts]
    statuses = []
    for attempt, result in zip(attempts, results, strict=True):
        try:
            statuses.append(_settle_bulk_item(attempt, result))
        except Exception as error:
            statuses.append(settle_failed(attempt, error, bulk=True))
    return statuses


def _settle_bulk_item(attempt: Attempt, result: PushResult) -> Status:
    """Ids of a bulk answer are believed only after the record itself was seen."""
    record = result.record or (None if result.identity is None else attempt.read_back(result.identity))
    if record is None or result.identity is None or not resembles(attempt.entry.new, canonical(record)):
        raise OutcomeUnknown(_("its bulk answer does not fit this contact"))
    return settle_created(attempt, result.identity, record=record)


def send_delete(attempt: Attempt) -> Status:
    """Delete only what still looks as it did when staff decided."""
    entry = attempt.entry
    record = attempt.read()
    if record is None:
        return _settle_deleted(attempt, words=_("It was not there any more."))
    remote = canonical(record)
    edited = {
        field: remote[field]
        for field, value in entry.base.items()
        if field in remote and not same(field, value, remote[field])
    }
    if edited:
        with transaction.atomic():
            contact = outbox.lock(entry.contact)
            _open_conflict(
                entry, contact, WHOLE, base={field: entry.base[field] for field in edited}, theirs=edited
            )
            words = _("%s holds newer values; deleting it needs your decision.") % attempt.label
            OUTBOX.settle(entry, Status.CONFLICT, words=words)
        return Status.CONFLICT
    attempt.write({}, before=remote)
    return _settle_deleted(attempt, words="")


# --- settling ----------------------------------------------------------------------------


def settle_failed(attempt: Attempt, error: Exception, *, bulk: bool = False) -> Status:
    """What the outcome table says, for this row and for its connection."""
    entry = attempt.entry
    if isinstance(error, LostLease):
        logger.warning("push: change=%s lost its lease, result not written", entry.pk)
        return Status.SENDING
    if not isinstance(error, RemoteError):
        logger.exception("push: change=%s failed by an error of our own", entry.pk)
    creating = entry.operation == Operation.CREATE
    if isinstance(error, Gone) and not creating:
        if entry.operation == Operation.DELETE:
            return _settle_deleted(attempt, words=_("It was not there any more."))
        return settle_gone(attempt)
    failure = after_failure(error, writing=attempt.writing, attempts=entry.attempts)
    if isinstance(error, RemoteError) and (failure.pause or failure.broken):
        health.pause(entry.connection, error, seconds=failure.pause)
    status, wait = failure.status, failure.wait
    values: dict[str, Any] = {"words": failure.words}
    if not failure.spent:
        values["attempts"] = max(0, entry.attempts - 1)
    if status == Status.REJECTED and creating and attempt.writing:
        # some say no and have created it all the same: look once before showing the refusal
        status, wait = Status.UNKNOWN, settle_seconds()
        if not bulk:
            values["resolve"] = {**entry.resolve, "rejected": failure.words}
    if status == Status.WAITING:
        values["sent_at"] = attempt.sent_before  # this attempt changed nothing for sure
        if attempt.sent_before is not None:
            status = Status.UNKNOWN
    if status == Status.REJECTED:
        return settle_stopped(entry, status, failure.words)
    OUTBOX.settle(entry, status, wait=wait, **values)
    return status


def settle_stopped(entry: ContactChange, status: Status, words: str) -> Status:
    """A change that did not get through; a later edit of the same fields takes them over."""
    with transaction.atomic():
        outbox.lock(entry.contact)
        handed = outbox.hand_over(entry, entry.new)
        new = {field: value for field, value in entry.new.items() if field not in handed}
        base = {field: value for field, value in entry.base.items() if field not in handed}
        if handed and not new:
            status = Status.CANCELLED
        OUTBOX.settle(entry, status, words=words, new=new or entry.new, base=base or entry.base)
    return status


def settle_gone(attempt: Attempt) -> Status:
    """The contact is not there any more: the edit is kept, a person chooses."""
    entry = attempt.entry
    words = _("This contact is not in %s any more.") % attempt.label
    with transaction.atomic():
        contact = outbox.lock(entry.contact)
        standing = contact.conflicts.filter(field=WHOLE, resolved_at=None).select_related("change").first()
        if standing is not None and standing.change_id != entry.pk:
            first = standing.change
            first.new, first.base = {**first.new, **entry.new}, {**entry.base, **first.base}
            first.save(update_fields=["new", "base", "updated_at"])
            Conflict.objects.filter(pk=standing.pk).update(ours=first.new)
            OUTBOX.settle(entry, Status.CANCELLED, words=_("Joined to the conflict before it."))
            return Status.CANCELLED
        _open_conflict(entry, contact, WHOLE, base=entry.base, ours=entry.new, theirs=None)
        OUTBOX.settle(entry, Status.CONFLICT, words=words)
    return Status.CONFLICT


def settle_created(attempt: Attempt, identity: Identity, *, record: ContactRecord | None = None) -> Status:
    """The contact exists there: link it, and take over what was stored."""
    entry = attempt.entry
    record = record or attempt.read_back(identity)
    stored = None if record is None else canonical(record)
    with transaction.atomic():
        contact = outbox.lock(entry.contact)
        clash = take_in_twin(contact, identity)
        if clash:
            OUTBOX.settle(entry, Status.HELD, words=clash)
            return Status.HELD
        shown = {} if stored is None else stored
        later = outbox.fields_under_edit(contact, apart_from=entry)
        held = {field: value for field, value in shown.items() if field in later}
        write_values(
            contact,
            {field: value for field, value in shown.items() if field not in later},
            family=identity.family,
            remote_id=identity.remote_id,
            uid=record.uid if record is not None and record.uid else contact.uid,
            base={**held, **(contact.base or {})} or None,
            content_hash="",
        )
        words = "" if stored is None else stored_words(attempt.label, entry.new, stored)
        OUTBOX.settle(entry, Status.DONE, words=words)
    return Status.DONE


def take_in_twin(contact: Contact, identity: Identity) -> str:
    """A pull may have mirrored our new contact before we knew its id: one row is enough.

    Returns words for a person when the other row cannot simply be taken in.
    """
    twin = (
        Contact.objects.select_for_update()
        .filter(connection_id=contact.connection_id, family=identity.family, remote_id=identity.remote_id)
        .exclude(pk=contact.pk)
        .first()
    )
    if twin is None:
        return ""
    if twin.code or outbox.open_changes(twin):
        return _("The CRM's id %s already belongs to contact %d here.") % (identity, twin.pk)
    for rows in (twin.changes, twin.conflicts, twin.tombstones, twin.aliases):
        rows.update(contact=contact)
    twin.losers.update(survivor=contact)
    twin.merges_won.update(survivor=contact)
    kept = {name: getattr(twin, name) for name in ("raw", "uid", "remote_created_at", "remote_updated_at")}
    twin.delete()
    write_values(contact, {}, **kept)
    return ""


def _settle_edit(
    attempt: Attempt,
    stored: Mapping[str, Any],
    clean: Mapping[str, Any],
    clashing: Sequence[str],
    remote: Mapping[str, Any],
    *,
    words: str,
) -> Status:
    """Agreed fields show what the CRM stored; clashing ones wait for a person."""
    entry = attempt.entry
    with transaction.atomic():
        contact = outbox.lock(entry.contact)
        later = outbox.fields_under_edit(contact, apart_from=entry)
        handed = outbox.hand_over(entry, clashing)
        left = [field for field in clashing if field not in handed]
        base = outbox.without_base(contact, clean.keys() - later) or {}
        base |= {field: stored[field] for field in clean.keys() & later}
        base |= {field: remote[field] for field in clashing}
        for field in left:
            _open_conflict(
                entry, contact, field,
                base=entry.base.get(field), ours=entry.new[field], theirs=remote[field],
            )  # fmt: skip
        write_values(
            contact,
            {field: stored[field] for field in clean if field not in later},
            base=base or None,
            content_hash="",  # the next pull reads it anew
        )
        status = Status.DONE
        kept: dict[str, Any] = {}
        if left:
            status = Status.CONFLICT
            kept = {
                "new": {field: entry.new[field] for field in left},
                "base": {field: entry.base.get(field) for field in left},
            }
            words = _("%s holds a different new value; choose one.") % attempt.label
        OUTBOX.settle(entry, status, words=words, **kept)
    return status


def _settle_deleted(attempt: Attempt, *, words: str) -> Status:
    with transaction.atomic():
        contact = outbox.lock(attempt.entry.contact)
        if contact.state == Contact.State.LIVE:
            outbox.bury(contact)
        write_values(contact, {}, base=None)
        OUTBOX.settle(attempt.entry, Status.DONE, words=words)
    return Status.DONE


def _open_conflict(
    entry: ContactChange, contact: Contact, field: str, *, base: Any, theirs: Any, ours: Any = None
) -> None:
    values = {
        "change": entry, "base": base, "ours": ours, "theirs": theirs, "theirs_at": timezone.now(),
    }  # fmt: skip
    Conflict.objects.update_or_create(contact=contact, field=field, resolved_at=None, defaults=values)
