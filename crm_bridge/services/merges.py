"""The list of merged contacts: who lost, who survived, and how sure that is.

A CRM may name the survivor only by an id that its other lists do not carry. Then it counts
as proven only by one live contact that fits; everything else is a person's to decide.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from backoffice import audit
from backoffice.remote.walk import Unreadable
from backoffice.sync.bulk import Bulk
from backoffice.sync.pull import Applied, Entry
from crm_bridge.folding import fold
from crm_bridge.models import Connection, Contact, Merge
from crm_bridge.phones import to_e164
from crm_bridge.records import Identity, MergeRecord, canonical_value
from crm_bridge.services.apply import split_key
from crm_bridge.services.contact_rows import CONTACT, by_family, check_lengths
from crm_bridge.services.rows import write_values
from crm_bridge.services.trash import gone_contact, known_contact, leave, park_unsent

State = Contact.State
Proof = Merge.Proof
MERGE = Merge._meta.db_table
LONGEST_CHAIN = 100


class MergedSink:
    """The ``merged`` stream of one connection. ``previous`` is its last complete pull."""

    def __init__(self, connection: Connection, bulk: Bulk, previous: datetime | None) -> None:
        self.connection, self._bulk, self._previous = connection, bulk, previous

    def dirty(self) -> set[str]:
        """Losers that are not merged here (any more)."""
        rows = self._bulk.select(
            f"SELECT c.family, c.remote_id FROM {MERGE} m JOIN {CONTACT} c ON c.id = m.loser_id"
            " WHERE c.connection_id = %s AND c.state <> 'merged' AND c.remote_id IS NOT NULL",
            [self.connection.pk],
        )
        return {f"{family} {remote_id}" for family, remote_id in rows}

    def known(self, keys: Sequence[str]) -> Mapping[str, tuple[str, datetime | None]]:
        """Hashes of the merges we hold."""
        found: dict[str, tuple[str, datetime | None]] = {}
        for family, remote_ids in by_family([split_key(key) for key in keys]).items():
            rows = self._bulk.select(
                f"SELECT c.remote_id, m.content_hash FROM {MERGE} m JOIN {CONTACT} c ON c.id = m.loser_id"
                " WHERE c.connection_id = %s AND c.family = %s AND c.state = 'merged'"
                f" AND {self._bulk.one_of('c.remote_id')}",
                [self.connection.pk, family, self._bulk.many(remote_ids)],
            )
            found.update({f"{family} {remote_id}": (mark, None) for remote_id, mark in rows})
        return found

    def prepare(self, entry: Entry, record: Any) -> None:
        """Check that it is a merge we can keep."""
        if not isinstance(record, MergeRecord):
            raise Unreadable(f"not a merge but {type(record).__name__}")
        check_lengths(record.loser)
        entry.prepared = record

    def apply(self, entries: Sequence[Entry]) -> Applied:
        """Merges are few: one by one."""
        applied = Applied()
        for entry in entries:
            record: MergeRecord = entry.prepared
            loser = known_contact(self.connection, record.loser)
            if loser is None:
                loser = gone_contact(self.connection, record.loser, State.MERGED, entry.raw)
                applied.created += 1
            if (loser.family, loser.remote_id) != split_key(entry.key):
                applied.unchanged += 1  # a former identity of somebody who lives on
                continue
            applied.merged += self._keep(loser, record, entry)
        return applied

    def _keep(self, loser: Contact, record: MergeRecord, entry: Entry) -> bool:
        """Store one merge; returns whether it is new to us."""
        not_after = entry.asked_at
        if record.merged_at and (self._previous is None or record.merged_at >= self._previous):
            not_after = min(not_after, record.merged_at)
        merge, new = Merge.objects.get_or_create(
            loser=loser,
            defaults={
                "snapshot": loser.values(),
                "not_before": self._previous,
                "not_after": not_after,
                "seen_at": entry.asked_at,
            },
        )
        merge.survivor_uid = record.survivor_uid
        merge.survivor_hint = _hint(record)
        merge.raw, merge.content_hash = entry.raw.decode(), entry.content_hash
        merge.save(update_fields=["survivor_uid", "survivor_hint", "raw", "content_hash"])
        for tombstone in loser.tombstones.filter(lifted_at__isnull=True):
            # its list showed the loser first; the merge tells more, and Trash must not show it twice
            audit.record(
                "tombstone.superseded", loser, by=None, summary="it was merged, not only deleted",
                snapshot=tombstone.snapshot, trashed_by=tombstone.trashed_by,
            )  # fmt: skip
            tombstone.delete()
        if new:
            audit.record("contact.merged", loser, by=None, summary="listed as merged")
        if loser.state != State.MERGED or new:
            leave(loser, State.MERGED, since=not_after)
        prove(merge)
        return new


def keep_ours(
    loser: Contact,
    survivor: Contact,
    *,
    by: Any,
    snapshots: Mapping[str, Any],
    sent_at: datetime | None,
    unsent: Mapping[str, Any],
) -> Merge:
    """A merge that was made from here, into the same ledger. Both rows are locked.

    What the loser was to become and was not sent (``unsent``) waits for a person as a conflict.
    """
    now = timezone.now()
    former = loser.aliases.update(contact=survivor)
    merge, _new = Merge.objects.update_or_create(
        loser=loser,
        defaults={
            "survivor": survivor,
            "proof": Proof.PROVEN,
            "proven_by": by,
            "reason": "merged from here",
            "not_before": sent_at or now,
            "not_after": now,
            "seen_at": now,
            "snapshot": snapshots["loser"],
            "survivor_snapshot": snapshots["survivor"],
            "moved": {"changes": len(unsent), "aliases": former},
        },
    )
    leave(loser, State.MERGED, since=now)
    write_values(loser, {}, survivor=survivor, base=None)
    audit.record("contact.merged", loser, by=by, summary=f"merged into {survivor}", survivor=survivor.pk)
    if unsent:
        park_unsent(loser, unsent, base=snapshots["loser"], by=by, state=State.MERGED)
    return merge


def _hint(record: MergeRecord) -> dict[str, Any]:
    hint: dict[str, Any] = {
        "name": record.survivor_name,
        "phones": canonical_value(record.survivor_phones),
        "emails": canonical_value(record.survivor_emails),
    }
    if record.survivor is not None:
        hint["identity"] = {"family": record.survivor.family, "remote_id": record.survivor.remote_id}
    return hint


def prove(merge: Merge) -> bool:
    """Try to prove who survived; what a person named or what is proven stays."""
    if merge.proof != Proof.TO_PROVE:
        return True
    survivor, reason = _survivor(merge)
    merge.reason = reason
    if survivor is None:
        merge.save(update_fields=["reason"])
        return False
    merge.survivor, merge.proof = survivor, Proof.PROVEN
    merge.save(update_fields=["survivor", "proof", "reason"])
    Contact.objects.filter(pk=merge.loser_id).update(survivor=survivor)
    audit.record("merge.proven", merge, by=None, summary=reason, survivor=survivor.pk)
    return True


def prove_all(connection: Connection) -> int:
    """Try the unproven merges of a connection again; returns how many were proven now."""
    proven = 0
    unproven = Merge.objects.filter(loser__connection=connection, proof=Proof.TO_PROVE)
    for pk in list(unproven.values_list("pk", flat=True)):
        with transaction.atomic():
            merge = Merge.objects.select_for_update(of=("self",)).select_related("loser").get(pk=pk)
            proven += prove(merge)
    return proven


def _survivor(merge: Merge) -> tuple[Contact | None, str]:
    loser, hint = merge.loser, merge.survivor_hint
    others = Contact.objects.filter(connection=loser.connection_id).exclude(pk=loser.pk)
    if named := hint.get("identity"):
        found = others.filter(family=named["family"], remote_id=named["remote_id"]).first()
        if found is not None:
            return found, f"the CRM names {Identity(named['family'], named['remote_id'])}"
        return None, "the contact that the CRM names is not in the mirror"
    if merge.survivor_uid:
        by_uid = list(others.filter(uid=merge.survivor_uid)[:2])
        if len(by_uid) == 1:
            return by_uid[0], "its storage id is the one the CRM names"
    matches = _fitting(others.live(), hint)
    if not matches:
        return None, "no live contact has the survivor's phone or e-mail and name"
    if len(matches) > 1:
        return None, f"{len(matches)} live contacts fit the survivor's phone or e-mail and name"
    if merge.survivor_uid and matches[0].uid and matches[0].uid != merge.survivor_uid:
        return None, "the only contact that fits has another storage id"
    return matches[0], "the only live contact with the survivor's phone or e-mail and name"


def _fitting(contacts: Any, hint: Mapping[str, Any]) -> list[Contact]:
    """Live contacts with a phone or e-mail of the hint and its name; at most a few."""
    numbers = [phone["value"] for phone in hint.get("phones", ())]
    valid = [e164 for number in numbers if (e164 := to_e164(number, settings.PHONE_REGION))]
    emails = [fold(email["value"]) for email in hint.get("emails", ()) if email["value"]]
    if not (numbers or emails):
        return []
    has = Q(phones__e164__in=valid) | Q(phones__value__in=numbers) | Q(emails__address_folded__in=emails)
    name = fold(hint.get("name", ""))
    return [contact for contact in contacts.filter(has).distinct()[:50] if fold(contact.name) == name]


def final_survivor(contact: Contact) -> Contact | None:
    """Who a merged contact ended up in, along chains of merges; None when unknown or a circle."""
    seen = {contact.pk}
    at = contact
    for _hop in range(LONGEST_CHAIN):
        if at.state != State.MERGED:
            return at if at.pk != contact.pk else None
        if at.survivor is None or at.survivor.pk in seen:
            return None
        at = at.survivor
        seen.add(at.pk)
    return None
