"""Sending what concerns two records: a merge, which is done once or not at all, and links.

A merge cannot be taken back. Both records are read right before it and compared with what
the person saw; what they held is kept; and an answer that was lost is settled by reading
both, never by sending again.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from backoffice.sync.push import Status, settle_seconds
from crm_bridge.merging import same
from crm_bridge.models import Contact
from crm_bridge.records import ContactRecord, Identity, Relation, canonical
from crm_bridge.services import outbox, settling
from crm_bridge.services.attempts import Attempt
from crm_bridge.services.contacts import WHOLE
from crm_bridge.services.merges import keep_ours
from crm_bridge.services.outbox import OUTBOX
from crm_bridge.services.panels import forget
from crm_bridge.services.rows import write_values

ROUNDS = 2
"""So often, a settle time apart, both are seen untouched before the merge counts as not done."""
UNCLEAR_ALLOWED = 8
"""So often a link with a lost answer is sent again before a person is asked."""


def send_merge(attempt: Attempt) -> Status:
    """Merge only what still looks as it did when the person decided."""
    entry = attempt.entry
    loser, survivor = attempt.read(), attempt.read(_survivor_identity(attempt))
    if loser is None or survivor is None:
        return _stop(attempt, Status.REJECTED, _absent_words(attempt, loser, survivor))
    now = {"loser": canonical(loser), "survivor": canonical(survivor)}
    newer = {
        side: values
        for side, values in now.items()
        if any(not same(field, seen, values.get(field)) for field, seen in entry.base.get(side, {}).items())
    }
    if newer:
        return _ask_again(attempt, newer)
    OUTBOX.write(entry, base=now)
    attempt.write({"survivor": entry.new["survivor"]}, before=now["loser"])
    return _settle_merged(attempt, words="")


def resolve_merge(attempt: Attempt) -> Status:
    """The answer was lost: who is still there tells what happened. Nothing is sent here."""
    entry = attempt.entry
    loser, survivor = attempt.read(), attempt.read(_survivor_identity(attempt))
    if loser is None and survivor is not None:
        return _settle_merged(attempt, words=_("The answer was lost; both records show that it was done."))
    if loser is None or survivor is None:
        return _stop(attempt, Status.HELD, _absent_words(attempt, loser, survivor))
    rounds = entry.resolve.get("rounds", 0) + 1
    if rounds < ROUNDS:
        words = _("The answer was lost and both are still there; looking once more.")
        OUTBOX.settle(
            entry, Status.UNKNOWN, wait=settle_seconds(), words=words,
            resolve={**entry.resolve, "rounds": rounds},
        )  # fmt: skip
        return Status.UNKNOWN
    words = _("The merge was not done: %s still holds both. Send it again, or drop it.") % attempt.label
    return _stop(attempt, Status.HELD, words)


def send_relate(attempt: Attempt) -> Status:
    """Attach, detach or replace; applied twice it is applied once, so a lost answer is sent again."""
    entry = attempt.entry
    if entry.attempts > UNCLEAR_ALLOWED and entry.sent_at is not None:
        return _stop(attempt, Status.HELD, _("%s never gave a clear answer to this.") % attempt.label)
    relation = Relation.from_values(entry.new)
    attempt.write(relation.to_values())
    forget(entry.contact, relation.panel)
    OUTBOX.settle(entry, Status.DONE, words="")
    return Status.DONE


# --- settling ----------------------------------------------------------------------------


def _stop(attempt: Attempt, status: Status, words: str) -> Status:
    OUTBOX.settle(attempt.entry, status, words=words)
    return status


def _ask_again(attempt: Attempt, newer: Mapping[str, Mapping[str, Any]]) -> Status:
    """One of them was changed since the person looked: their decision was about other values."""
    entry = attempt.entry
    with transaction.atomic():
        contact = outbox.lock(entry.contact)
        settling.open_conflict(entry, contact, WHOLE, base=entry.base, ours=None, theirs=newer)
        words = _("%s holds newer values; merging needs your decision.") % attempt.label
        OUTBOX.settle(entry, Status.CONFLICT, words=words)
    return Status.CONFLICT


def _settle_merged(attempt: Attempt, *, words: str) -> Status:
    """Into the ledger, and the survivor as the CRM holds it now."""
    entry = attempt.entry
    after = attempt.read_back(_survivor_identity(attempt))
    with transaction.atomic():
        ids = sorted((entry.contact_id, entry.new["contact"]))
        rows = {pk: outbox.lock(Contact(pk=pk)) for pk in ids}
        loser, survivor = rows[entry.contact_id], rows[entry.new["contact"]]
        keep_ours(
            loser, survivor, by=entry.author, snapshots=entry.base, sent_at=entry.sent_at,
            unsent=entry.new.get("unsent") or {},
        )  # fmt: skip
        _show(survivor, after)
        OUTBOX.settle(entry, Status.DONE, words=words)
    return Status.DONE


def _show(survivor: Contact, record: ContactRecord | None) -> None:
    """What the survivor holds now; fields with an unsent edit keep the staff value."""
    if record is None:
        write_values(survivor, {}, content_hash="")  # the next pull reads it anew
        return
    under_edit = outbox.fields_under_edit(survivor)
    values = canonical(record)
    held = {field: values.pop(field) for field in under_edit & values.keys()}
    base = {**(survivor.base or {}), **held}
    write_values(survivor, values, base=base or None, content_hash="")


def _survivor_identity(attempt: Attempt) -> Identity:
    """Where the survivor is now: it may have got another id meanwhile."""
    survivor = Contact.objects.only("family", "remote_id").get(pk=attempt.entry.new["contact"])
    return Identity(survivor.family, survivor.remote_id or str(attempt.entry.new["survivor"]))


def _absent_words(attempt: Attempt, loser: ContactRecord | None, survivor: ContactRecord | None) -> str:
    if loser is None and survivor is None:
        return _("%s holds neither of the two any more.") % attempt.label
    who = attempt.entry.contact.name if loser is None else attempt.entry.new.get("name", "")
    return _("%(crm)s does not hold %(who)s any more, so nothing was merged.") % {
        "crm": attempt.label, "who": who,
    }  # fmt: skip
