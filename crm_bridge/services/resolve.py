"""Creates whose outcome is not known: look, prove, and only then send again.

A visible wait is better than a duplicate customer. Each look is one round; two
rounds that find nothing, a settle time apart and each with a control look-up that
works, prove that the create did not arrive. Everything unclear goes to a person.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.remote.errors import OutcomeUnknown, Rejected
from backoffice.sync.push import Status, settle_seconds
from crm_bridge.connectors.base import ReadsCodes
from crm_bridge.models import Contact, ContactChange
from crm_bridge.records import Change, ContactRecord, Identity, Kind, Operation, canonical
from crm_bridge.services import outbox, settling
from crm_bridge.services.attempts import Attempt, certainly_there
from crm_bridge.services.contacts import NotWritable
from crm_bridge.services.outbox import OUTBOX
from crm_bridge.services.stored import resembles

ROUNDS = 2
ROUNDS_WITHOUT_CONTROL = 5
"""So often a failing control look-up is tried again before a person is asked."""
PUT_PROVES = "fails"
"""``measured["put_unknown_code"]``: an edit by an unknown code fails visibly on this account."""


def resolve_create(attempt: Attempt) -> Status:
    """One round for a claimed create that may have been applied."""
    entry = attempt.entry
    if attempt.able.code_readable:
        return _resolve_by_code(attempt)
    found = _look(attempt)
    fits = [record for record in found if resembles(entry.new, canonical(record))]
    if len(fits) == 1:
        return settling.settle_created(attempt, fits[0].identity, record=fits[0])
    if found:
        words = _("%d contacts there could be this one; choose.") % len(found)
        return _hand_to_person(entry, found, words)
    by_code = _prove_by_code(attempt)
    if isinstance(by_code, Identity):
        return settling.settle_created(attempt, by_code)
    if by_code is None and not _searchable(entry):
        return _hand_to_person(entry, [], _("It has no phone and no e-mail to look it up by; please check."))
    if _searchable(entry) and not _control_works(attempt):
        return _try_later(entry)
    return _count_round(entry)


def _resolve_by_code(attempt: Attempt) -> Status:
    """Our own code is what the CRM finds it by: it is there, or certainly not."""
    record = cast(ReadsCodes, attempt.connector).get_by_code(attempt.entry.contact.code or "")
    if record is None:
        return _count_round(attempt.entry)
    return settling.settle_created(attempt, record.identity, record=record)


def link(*, change: ContactChange, remote_id: str, by: Any) -> ContactChange:
    """A person says: this contact of the CRM is the one we created."""
    with transaction.atomic():
        contact = outbox.lock(change.contact)
        row = _held_create(change)
        candidates = row.resolve.get("candidates", [])
        chosen = next((each for each in candidates if each["remote_id"] == remote_id), None)
        if chosen is None:
            raise NotWritable(_("%s is not one of the contacts that were found.") % remote_id)
        identity = Identity(chosen["family"], remote_id)
        clash = settling.take_in_twin(contact, identity)
        if clash:
            raise NotWritable(clash)
        contact.family, contact.remote_id = identity.family, identity.remote_id
        contact.save(update_fields=["family", "remote_id"])
        outbox.finish(row, Status.DONE, _("Linked by a person."))
        audit.record("change.link", contact, by=by, summary=str(identity), change=row.pk)
        behind = outbox.open_changes(contact)
        if behind:
            outbox.ring(behind[0])
    return row


def resend(*, change: ContactChange, by: Any) -> ContactChange:
    """A person has checked that it is not there: send it again, under the same code."""
    with transaction.atomic():
        contact = outbox.lock(change.contact)
        row = _held_create(change)
        audit.record("change.resend", contact, by=by, change=row.pk)
        outbox.requeue(row)
    return row


def _held_create(change: ContactChange) -> ContactChange:
    row = ContactChange.objects.get(pk=change.pk)
    if row.status != Status.HELD or row.operation != Operation.CREATE:
        raise NotWritable(_("This change does not wait for such a decision (any more)."))
    return row


def _look(attempt: Attempt) -> list[ContactRecord]:
    """What the CRM's own search shows that was not here before and could be ours."""
    entry, contact = attempt.entry, attempt.entry.contact
    day = (entry.sent_at or entry.created_at).date()
    found: dict[Identity, ContactRecord] = {}
    for key, value in _search_keys(entry.new):
        records = attempt.connector.find(
            **{key: value},
            kind=Kind(contact.kind),
            created_from=day - timedelta(days=1),
            created_to=timezone.now().date() + timedelta(days=1),
        )
        found.update({record.identity: record for record in records})
    return [record for record in found.values() if not _was_here(entry, record)]


def _search_keys(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    phones = [("phone", phone["value"]) for phone in values.get("phones", [])]
    return phones + [("email", email["value"]) for email in values.get("emails", [])]


def _searchable(entry: ContactChange) -> bool:
    return bool(_search_keys(entry.new))


def _was_here(entry: ContactChange, record: ContactRecord) -> bool:
    """Mirrored before this create was saved, or created from here by another change."""
    mirrored = Contact.objects.filter(
        connection_id=entry.connection_id,
        family=record.identity.family,
        remote_id=record.identity.remote_id,
    ).exclude(pk=entry.contact_id)
    return any(row.code or row.created_at < entry.created_at for row in mirrored)


def _prove_by_code(attempt: Attempt) -> Identity | bool | None:
    """Where an edit by an unknown code fails visibly: its identity, False for "not there", None: no proof."""
    connector, entry = attempt.connector, attempt.entry
    if not attempt.able.own_key or entry.connection.measured.get("put_unknown_code") != PUT_PROVES:
        return None
    change = Change(
        operation=Operation.EDIT,
        kind=Kind(entry.contact.kind),
        identity=None,
        code=entry.contact.code or "",
        values={name: value for name, value in entry.new.items() if name in attempt.able.writable},
        request_id=str(entry.request_id),
    )
    OUTBOX.mark_sent(entry)
    attempt.writing = True
    try:
        result = connector.push(change)
    except Rejected:
        return False
    if result.identity is None:
        raise OutcomeUnknown(_("it said yes but named no contact"))
    return result.identity


def _control_works(attempt: Attempt) -> bool:
    """A contact that is certainly there is found by the same search."""
    for known in certainly_there(attempt.entry, phones__position=0):
        identity = Identity(known.family, known.remote_id or "")
        found = attempt.connector.find(phone=known.phones.all()[0].value)
        if any(record.identity == identity for record in found):
            return True
    return False


def _try_later(entry: ContactChange) -> Status:
    tried = entry.resolve.get("uncontrolled", 0) + 1
    if tried >= ROUNDS_WITHOUT_CONTROL:
        return _hand_to_person(entry, [], _("The CRM's search finds nothing at all; please check there."))
    words = _("The CRM's search does not find a known contact; looking again.")
    OUTBOX.settle(
        entry, Status.UNKNOWN, wait=settle_seconds(), words=words,
        resolve={**entry.resolve, "uncontrolled": tried},
    )  # fmt: skip
    return Status.UNKNOWN


def _count_round(entry: ContactChange) -> Status:
    """Nothing found: refused for sure after one round, safe to send again after two."""
    refusal = entry.resolve.get("rejected")
    if refusal:
        return settling.settle_stopped(entry, Status.REJECTED, refusal)
    rounds = [*entry.resolve.get("rounds", []), timezone.now().isoformat(timespec="seconds")]
    if len(rounds) >= ROUNDS:
        OUTBOX.settle(
            entry, Status.WAITING, words=_("It did not arrive; sending it again."), sent_at=None, resolve={}
        )
        return Status.WAITING
    OUTBOX.settle(
        entry, Status.UNKNOWN, wait=settle_seconds(), words=_("Not found so far; looking once more."),
        resolve={**entry.resolve, "rounds": rounds},
    )  # fmt: skip
    return Status.UNKNOWN


def _hand_to_person(entry: ContactChange, found: list[ContactRecord], words: str) -> Status:
    candidates = [
        {
            "family": record.identity.family,
            "remote_id": record.identity.remote_id,
            **canonical(record, ("name", "phones", "emails", "stage", "source", "responsible")),
            "created_at": record.created_at.isoformat() if record.created_at else None,
        }
        for record in found
    ]
    OUTBOX.settle(entry, Status.HELD, words=words, resolve={**entry.resolve, "candidates": candidates})
    return Status.HELD
