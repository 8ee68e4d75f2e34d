"""One attempt at one outbox row: read first, merge, send, read again, settle.

No transaction is open while the CRM is asked. Every settlement is one
transaction that holds the contact's row and repeats the claim's token.
"""

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from backoffice.remote.errors import OutcomeUnknown
from backoffice.sync.push import Status
from crm_bridge.connectors.base import Connector
from crm_bridge.merging import identical, merge, same
from crm_bridge.records import Change, Kind, Operation, PushResult, canonical
from crm_bridge.services import health, outbox, settling
from crm_bridge.services.attempts import Attempt
from crm_bridge.services.contacts import WHOLE
from crm_bridge.services.outbox import OUTBOX
from crm_bridge.services.stored import emptied, resembles, stored_words

BULK_SECONDS_EACH = 5
"""Each contact of a bulk answer is read back before its id is believed."""


def send_edit(attempt: Attempt) -> Status:
    """Merge with what the CRM holds, send what differs, look at what it stored."""
    entry = attempt.entry
    record = attempt.read()
    if record is None:
        return settling.settle_gone(attempt)
    remote = canonical(record)
    merged = {
        field: merge(field, entry.base.get(field), new, remote[field]) for field, new in entry.new.items()
    }
    clean = {field: result.value for field, result in merged.items() if not result.conflict}
    clashing = [field for field, result in merged.items() if result.conflict]
    send = {field: value for field, value in clean.items() if not identical(field, value, remote[field])}
    if not send:
        return settling.settle_edit(attempt, {**remote, **clean}, clean, clashing, remote, words="")
    whole = {field: remote[field] for field in attempt.able.writable if field in remote}
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
        return settling.settle_edit(attempt, {**remote, **clean}, clean, clashing, remote, words=words)
    stored = canonical(after)
    return settling.settle_edit(
        attempt, stored, clean, clashing, remote, words=stored_words(attempt.label, clean, stored)
    )


def send_create(attempt: Attempt) -> Status:
    """Create under our own code, made with the edit and never again."""
    result = attempt.write(attempt.entry.new)
    if result.identity is None:
        raise OutcomeUnknown(_("it said yes but named no contact"))
    return settling.settle_created(attempt, result.identity)


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
        return [settling.settle_failed(attempt, error, bulk=True) for attempt in attempts]
    statuses = []
    for attempt, result in zip(attempts, results, strict=True):
        try:
            statuses.append(_settle_bulk_item(attempt, result))
        except Exception as error:
            statuses.append(settling.settle_failed(attempt, error, bulk=True))
    return statuses


def _settle_bulk_item(attempt: Attempt, result: PushResult) -> Status:
    """Ids of a bulk answer are believed only after the record itself was seen."""
    record = result.record or (None if result.identity is None else attempt.read_back(result.identity))
    if record is None or result.identity is None or not resembles(attempt.entry.new, canonical(record)):
        raise OutcomeUnknown(_("its bulk answer does not fit this contact"))
    return settling.settle_created(attempt, result.identity, record=record)


def send_delete(attempt: Attempt) -> Status:
    """Delete only what still looks as it did when staff decided."""
    entry = attempt.entry
    record = attempt.read()
    if record is None:
        return settling.settle_deleted(attempt, words=_("It was not there any more."))
    remote = canonical(record)
    edited = {
        field: remote[field]
        for field, value in entry.base.items()
        if field in remote and not same(field, value, remote[field])
    }
    if edited:
        with transaction.atomic():
            contact = outbox.lock(entry.contact)
            settling.open_conflict(
                entry, contact, WHOLE, base={field: entry.base[field] for field in edited}, theirs=edited
            )
            words = _("%s holds newer values; deleting it needs your decision.") % attempt.label
            OUTBOX.settle(entry, Status.CONFLICT, words=words)
        return Status.CONFLICT
    attempt.write({}, before=remote)
    return settling.settle_deleted(attempt, words="")
