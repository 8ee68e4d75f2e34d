"""Where pulled contacts arrive. Never enqueues anything for the way out.

Most records go to the bulk writer. One by one go those with something to protect: an
edit on its way, a contact in the trash, a contact whose identity changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from backoffice import audit
from backoffice.remote.walk import Unreadable
from backoffice.sync.bulk import Bulk
from backoffice.sync.pull import Applied, Entry
from crm_bridge.models import Connection, Contact, ContactAlias, ContactChange, Merge, PageMark, Tombstone
from crm_bridge.records import EDITABLE_FIELDS, ContactRecord, Identity, Operation, canonical
from crm_bridge.services.contact_rows import (
    CONTACT,
    IDENTITY,
    ContactRows,
    Prepared,
    by_family,
    prepare,
    touched_at,
)
from crm_bridge.services.rows import write_values

LIVE = Contact.State.LIVE
CLOCKS_APART = timedelta(seconds=60)
"""A page asked for that shortly after a change was settled may still show the value before."""
FIRST_NEWS = 1000
"""New contacts in one pull after which the planner is told of them, then at each doubling."""

_DIRTY = "(content_hash = '' OR NOT (state = 'live'))"
"""As the partial index says it: changed here since it was read, or not live."""


def drop_marks(contact: Contact) -> None:
    """Have the next complete walk read this contact anew, whatever its page looks like.

    Call it (or set ``content_hash`` to "" yourself) in the transaction that settles a change
    of a mirrored contact without storing what the CRM then holds. An empty hash never equals
    a record's, and pages that hold such a contact are not skipped (``ContactSink.dirty``), so
    the page marks themselves need not be searched.
    """
    Contact.objects.filter(pk=contact.pk).update(content_hash="")


def split_key(key: str) -> tuple[str, str]:
    """(family, remote id) of an engine key."""
    family, _, remote_id = key.partition(" ")
    return family, remote_id


@dataclass(slots=True)
class _Found:
    pk: int
    state: str
    content_hash: str


class ContactSink:
    """The ``contacts`` stream of one connection."""

    def __init__(self, connection: Connection, bulk: Bulk) -> None:
        self.connection, self._bulk = connection, bulk
        self._rows = ContactRows(connection.pk, bulk)
        self._created, self._tell_planner_at = 0, FIRST_NEWS
        self._began_empty: bool | None = None

    # --- before the transaction ------------------------------------------------------------

    def dirty(self) -> set[str]:
        """Contacts to be read again: changed here since, or not live although maybe listed."""
        rows = self._bulk.select(
            f"SELECT family, remote_id FROM {CONTACT} WHERE connection_id = %s AND remote_id IS NOT NULL"
            f" AND {_DIRTY}",
            [self.connection.pk],
        )
        return {f"{family} {remote_id}" for family, remote_id in rows}

    def known(self, keys: Sequence[str]) -> Mapping[str, tuple[str, datetime | None]]:
        """Hashes of live contacts; everything else is looked at closely."""
        found: dict[str, tuple[str, datetime | None]] = {}
        if self._began_empty is None:
            mine = f"SELECT 1 FROM {CONTACT} WHERE connection_id = %s LIMIT 1"
            self._began_empty = not self._bulk.select(mine, [self.connection.pk])
        if self._began_empty:
            return found  # the few that this run has written meanwhile are recognised in ``apply``
        columns = ("remote_id", "content_hash", "remote_updated_at", "state")
        for family, rows in self._find(CONTACT, columns, map(split_key, keys)):
            for remote_id, content_hash, updated_at, state in rows:
                # not in the WHERE: SQLite would walk the index of states instead of the identities
                if state == Contact.State.LIVE:
                    found[f"{family} {remote_id}"] = (content_hash, self._bulk.moment(updated_at))
        return found

    def prepare(self, entry: Entry, record: Any) -> None:
        """Build the rows of a record, outside of any transaction."""
        if not isinstance(record, ContactRecord):
            raise Unreadable(f"not a contact but {type(record).__name__}")
        if f"{record.identity.family} {record.identity.remote_id}" != entry.key:
            raise Unreadable("the record's id is not the id of its element")
        entry.updated_at = record.updated_at
        entry.prepared = prepare(self.connection.pk, record, entry.raw, entry.content_hash, self._bulk)

    # --- inside the transaction ------------------------------------------------------------

    def apply(self, entries: Sequence[Entry]) -> Applied:
        """Write a batch: in bulk where nothing needs protection, else one by one."""
        applied = Applied()
        found = self._lock([entry.key for entry in entries])
        relatives = self._relatives([entry for entry in entries if entry.key not in found])
        guarded = self._guarded([row.pk for row in found.values()])
        rows: list[Prepared] = []
        ids: dict[tuple[str, str], int] = {}
        for entry in entries:
            row = found.get(entry.key)
            if row is not None and row.content_hash == entry.content_hash and row.state == LIVE:
                applied.unchanged += 1
            elif row is not None and (row.state != LIVE or row.pk in guarded):
                self._one(row.pk, entry, applied)
            elif row is None and entry.key in relatives:
                self._relative(relatives[entry.key], entry, applied)
            else:
                rows.append(entry.prepared)
                if row is not None:
                    ids[split_key(entry.key)] = row.pk
        self._rows.write(rows, ids)
        applied.created += len(rows) - len(ids)
        applied.changed += len(ids)
        self._created += applied.created
        if self._created >= self._tell_planner_at:
            self._tell_planner_at = 2 * self._created
            self._bulk.grown(CONTACT, (*IDENTITY, "uid"))
        return applied

    def _lock(self, keys: Sequence[str]) -> dict[str, _Found]:
        """The contacts that exist, locked in one order, so that two writers never deadlock."""
        here = self._find(CONTACT, ("id",), map(split_key, keys))
        ids = [pk for _family, rows in here for (pk,) in rows]
        if not ids:
            return {}
        # "+id": sorted at the end, where "id" would let SQLite walk the whole table in that order
        rows = self._bulk.select(
            f"SELECT id, family, remote_id, state, content_hash FROM {CONTACT}"
            f" WHERE {self._bulk.one_of('id')} ORDER BY +id{self._bulk.lock}",
            [self._bulk.many(ids)],
        )
        return {
            f"{family} {remote_id}": _Found(pk, state, content_hash)
            for pk, family, remote_id, state, content_hash in rows
        }

    def _guarded(self, ids: Sequence[int]) -> set[int]:
        """Contacts with a change that is open, or was settled a moment ago."""
        if not ids:
            return set()
        table = ContactChange._meta.db_table
        rows = self._bulk.select(
            f"SELECT DISTINCT contact_id FROM {table} WHERE {self._bulk.one_of('contact_id')}"
            f" AND ({self._bulk.one_of('status')} OR finished_at >= %s)",
            [
                self._bulk.many(ids),
                self._bulk.many([status.value for status in ContactChange.OPEN]),
                self._bulk.time(timezone.now() - timedelta(hours=1)),
            ],
        )
        return {pk for (pk,) in rows}

    def _relatives(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Ids of contacts that new keys may belong to: former identities, same storage id."""
        relatives: dict[str, int] = {}
        keys = {split_key(entry.key): entry.key for entry in entries}
        for identity, pk in self._by_identity(ContactAlias._meta.db_table, "contact_id", keys):
            relatives[keys[identity]] = pk
        before = {
            (identity.family, identity.remote_id): entry.key
            for entry in entries
            for identity in entry.prepared.record.aliases
        }
        for identity, pk in self._by_identity(CONTACT, "id", before):
            relatives.setdefault(before[identity], pk)
        uids = {entry.prepared.record.uid: entry.key for entry in entries if entry.prepared.record.uid}
        if uids:
            mine = {"connection_id": self.connection.pk}
            rows = self._bulk.find(
                CONTACT, ("uid", "id"), "uid", list(uids), where=mine, also="NOT (uid = '')"
            )
            for uid, pk in rows:
                relatives.setdefault(uids[uid], pk)
        return relatives

    def _by_identity(
        self, table: str, column: str, identities: Iterable[tuple[str, str]]
    ) -> Iterator[tuple[tuple[str, str], int]]:
        """(family, remote id) and the wanted column of each row that has one of the identities."""
        for family, rows in self._find(table, ("remote_id", column), identities):
            for remote_id, found in rows:
                yield (family, remote_id), found

    def _find(
        self, table: str, columns: Sequence[str], identities: Iterable[tuple[str, str]]
    ) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
        """Rows of a table that have one of the identities, family by family."""
        for family, remote_ids in by_family(list(identities)).items():
            where = {"connection_id": self.connection.pk, "family": family}
            yield family, self._bulk.find(table, columns, "remote_id", remote_ids, where=where)

    def _relative(self, pk: int, entry: Entry, applied: Applied) -> None:
        """A record under a new key of a contact we know: it moves to its new identity."""
        contact = Contact.objects.select_for_update(of=("self",)).get(pk=pk)
        record: ContactRecord = entry.prepared.record
        if ContactAlias.objects.filter(
            connection=self.connection, family=record.identity.family, remote_id=record.identity.remote_id
        ).exists():
            applied.unchanged += 1  # a page from before the conversion
            return
        old = Identity(contact.family, contact.remote_id or "")
        contact.family, contact.remote_id = record.identity.family, record.identity.remote_id
        contact.save(update_fields=["family", "remote_id"])
        if old.remote_id:
            ContactAlias.objects.get_or_create(
                connection=self.connection,
                family=old.family,
                remote_id=old.remote_id,
                defaults={"contact": contact},
            )
        audit.record("contact.converted", contact, by=None, summary=f"{old} → {record.identity}")
        self._one(contact.pk, entry, applied)

    def _one(self, pk: int, entry: Entry, applied: Applied) -> None:
        contact = Contact.objects.get(pk=pk)
        if sight(contact, entry.prepared.record, entry.asked_at, entry.raw.decode(), entry.content_hash):
            applied.changed += 1
        else:
            applied.again.add(entry.key)

    # --- for complete walks ----------------------------------------------------------------

    def live(self) -> int:
        """How many contacts the CRM should list."""
        # two walks through an index each, where one count by state would visit every row
        mine = f"SELECT count(*) FROM {CONTACT} WHERE connection_id = %s AND remote_id IS NOT NULL"
        (total,), (elsewhere,) = (
            self._bulk.select(mine + more, [self.connection.pk])[0]
            for more in ("", f" AND {_DIRTY} AND NOT (state = 'live')")
        )
        return int(total - elsewhere)

    def absent(self, keys_table: str, since: datetime, limit: int) -> tuple[int, list[int]]:
        """Live contacts that no page showed; what our own changes touched meanwhile is left out."""
        changes = ContactChange._meta.db_table
        # first by the index of identities alone, then a look at the few rows that are left
        unseen = (
            f"WITH unseen AS MATERIALIZED (SELECT i.id FROM {CONTACT} i"
            " WHERE i.connection_id = %s AND i.remote_id IS NOT NULL"
            f" AND NOT EXISTS (SELECT 1 FROM {keys_table} k WHERE k.key = i.family || ' ' || i.remote_id))"
        )
        missing = (
            f" FROM unseen CROSS JOIN {CONTACT} c WHERE c.id = unseen.id"
            " AND c.state = 'live' AND c.created_at < %s"
            f" AND NOT EXISTS (SELECT 1 FROM {changes} h WHERE h.contact_id = c.id"
            f" AND (h.status IN ('sending', 'unknown') OR h.finished_at >= %s))"
        )
        moment = self._bulk.time(since)
        parameters = [self.connection.pk, moment, moment]
        rows = self._bulk.select(f"{unseen} SELECT c.id{missing} ORDER BY c.id LIMIT {limit}", parameters)
        ids = [pk for (pk,) in rows]
        if len(ids) < limit:
            return len(ids), ids
        return int(self._bulk.select(f"{unseen} SELECT count(*){missing}", parameters)[0][0]), ids


def sight(
    contact: Contact, record: ContactRecord, asked_at: datetime, raw: str = "", content_hash: str = ""
) -> bool:
    """Apply one live sighting of a locked contact. False: not now, it has to be read again.

    Without ``raw`` (a single read) the stored raw data stays and the next walk reads it anew.
    """
    changes = list(contact.changes.filter(status__in=ContactChange.OPEN))
    if contact.changes.filter(finished_at__gte=asked_at - CLOCKS_APART).exists():
        return False
    if contact.state != LIVE and not _back_to_life(contact, record, asked_at):
        return False
    values = canonical(record, EDITABLE_FIELDS)
    under_edit = {name for change in changes if change.operation == Operation.EDIT for name in change.new}
    base = {name: values.pop(name) for name in under_edit if name in values}
    touched = touched_at(record, timezone.now())
    columns: dict[str, Any] = {
        "kind": record.kind.value,
        "uid": record.uid or contact.uid,
        "score_available": record.score_available,
        "score_rank": record.score_rank,
        "rank_name": record.rank_name,
        "ads_history": [dict(each) for each in record.ads_history],
        "extra": dict(record.extra),
        "remote_created_at": record.created_at,
        "remote_updated_at": record.updated_at,
        "touched_at": max(contact.touched_at, touched) if changes else touched,
        "base": base or None,
        "content_hash": content_hash,
    }
    if raw:
        columns["raw"] = raw
    write_values(contact, values, **columns)
    return True


def _back_to_life(contact: Contact, record: ContactRecord, asked_at: datetime) -> bool:
    """Lift a tombstone, when this sighting is newer than what proved the deletion."""
    if contact.state == Contact.State.MERGED:
        merge = Merge.objects.filter(loser=contact).first()
        if merge is not None:
            if not _lives_on(merge, record, asked_at):
                return False
            audit.record(
                "merge.undone", contact, by=None, summary="seen live again", snapshot=merge.snapshot,
                survivor=merge.survivor_id,
            )  # fmt: skip
            merge.delete()
    standing = Tombstone.objects.filter(contact=contact, lifted_at__isnull=True)
    if standing.filter(seen_at__gte=asked_at).exists():
        return False
    if standing.update(lifted_at=asked_at):
        audit.record("contact.restored", contact, by=None, summary="seen live again")
        PageMark.objects.filter(state__connection=contact.connection_id, state__stream="deleted").update(
            digest=""
        )
    contact.state, contact.state_since, contact.survivor = LIVE, asked_at, None
    contact.save(update_fields=["state", "state_since", "survivor"])
    return True


def _lives_on(merge: Merge, record: ContactRecord, asked_at: datetime) -> bool:
    """Whether a loser was changed after its merge: only then its sighting undoes the merge."""
    if record.updated_at is None or merge.not_after is None:
        return False
    return record.updated_at > merge.not_after and asked_at > merge.seen_at
