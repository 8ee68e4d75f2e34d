"""How an attempt ends: each settlement is one transaction that repeats the claim's token."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.remote.errors import Gone, RemoteError
from backoffice.sync.push import LostLease, Status, after_failure, settle_seconds
from crm_bridge.models import Conflict, Contact, ContactChange
from crm_bridge.records import ContactRecord, Identity, Operation, canonical
from crm_bridge.services import health, outbox
from crm_bridge.services.attempts import Attempt
from crm_bridge.services.contacts import WHOLE
from crm_bridge.services.outbox import OUTBOX
from crm_bridge.services.rows import write_values
from crm_bridge.services.stored import stored_words

logger = logging.getLogger(__name__)


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
            return settle_deleted(attempt, words=_("It was not there any more."))
        if entry.operation == Operation.EDIT:
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
        open_conflict(entry, contact, WHOLE, base=entry.base, ours=entry.new, theirs=None)
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


def settle_edit(
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
            open_conflict(
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


def settle_deleted(attempt: Attempt, *, words: str) -> Status:
    with transaction.atomic():
        contact = outbox.lock(attempt.entry.contact)
        if contact.state == Contact.State.LIVE:
            outbox.bury(contact)
        write_values(contact, {}, base=None)
        OUTBOX.settle(attempt.entry, Status.DONE, words=words)
    return Status.DONE


def open_conflict(
    entry: ContactChange, contact: Contact, field: str, *, base: Any, theirs: Any, ours: Any = None
) -> None:
    values = {
        "change": entry, "base": base, "ours": ours, "theirs": theirs, "theirs_at": timezone.now(),
    }  # fmt: skip
    Conflict.objects.update_or_create(contact=contact, field=field, resolved_at=None, defaults=values)
