"""Where pulled records of the bot arrive: rows written in sets, and only where something changed.

Pulling never gives a command: what staff asked for (``desired``) is not touched here. A row
whose reference is not known yet is stored without it and read again next time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from backoffice.remote.walk import Unreadable
from backoffice.sync.bulk import Bulk
from backoffice.sync.pull import Applied, Entry
from bot_campaigns.models import BotConnection, BotContact, Call, Campaign, Phonebook, Subscriber
from bot_campaigns.services import remote_edits, suppression
from bot_campaigns.services.linking import owners
from bot_campaigns.services.targets import TARGETS, Target

_ALWAYS_READ = ("campaigns",)
"""Their state is stored by others too: rows are compared, never the hash of what was read before."""
_MIRRORED = ("raw", "content_hash", "seen_at", "gone_at")


@dataclass(slots=True)
class _Prepared:
    record: Any
    values: dict[str, Any]


@dataclass(slots=True)
class _Written:
    """One record that was written, beside what stood there before."""

    entry: Entry
    row: Any
    before: Any | None


class RowSink:
    """Records of some families of one connection."""

    def __init__(self, connection: BotConnection, families: Sequence[str], bulk: Bulk) -> None:
        self.connection, self._bulk = connection, bulk
        self.families = [family for family in TARGETS if family in families]
        self.waiting = 0
        """Records that could not be stored, for what they belong to is not known yet."""
        self.left_out: set[str] = set()
        """Families whose list the account does not offer: what is not in it proves nothing."""
        self._dirty: set[str] | None = None

    # --- before the transaction ------------------------------------------------------------

    def dirty(self) -> set[str]:
        """Rows to be read again, because we changed them or could not settle them: all campaigns."""
        if self._dirty is None:
            self._dirty = set()
            for family in self.families:
                rows = self._rows(family).filter(remote_id__isnull=False)
                if family not in _ALWAYS_READ:
                    rows = rows.filter(content_hash="")
                self._dirty |= {f"{family} {each}" for each in rows.values_list("remote_id", flat=True)}
        return self._dirty

    def known(self, keys: Sequence[str]) -> Mapping[str, tuple[str, datetime | None]]:
        """Hashes of the rows that are settled; a call's time is that of its start."""
        found: dict[str, tuple[str, datetime | None]] = {}
        for family, ids in _by_family(keys).items():
            if family in _ALWAYS_READ:
                continue
            rows = self._rows(family).filter(remote_id__in=ids, gone_at__isnull=True).exclude(content_hash="")
            dated = TARGETS[family].model is Call
            names = ("remote_id", "content_hash", "started_at" if dated else "gone_at")
            for remote_id, content_hash, moment in rows.values_list(*names):
                found[f"{family} {remote_id}"] = (content_hash, moment)
        return found

    def prepare(self, entry: Entry, record: Any) -> None:
        """The columns of a record. Pure."""
        if record.remote_id != entry.item.remote_id:
            raise Unreadable("the record's id is not the id of its element")
        entry.prepared = _Prepared(record, TARGETS[entry.item.family].values(record))
        entry.updated_at = getattr(record, "started_at", None) if entry.item.family == "calls" else None

    # --- inside the transaction ------------------------------------------------------------

    def apply(self, entries: Sequence[Entry]) -> Applied:
        """Write a batch, parents first."""
        applied = Applied()
        for family in self.families:
            if batch := [entry for entry in entries if entry.item.family == family]:
                self._write(TARGETS[family], family, batch, applied)
        return applied

    def _write(self, target: Target, family: str, batch: Sequence[Entry], applied: Applied) -> None:
        ids = [entry.item.remote_id for entry in batch]
        stored = self._rows(family).filter(remote_id__in=ids).select_for_update().order_by("pk")
        before = {row.remote_id: row for row in stored}
        parents = self._parents(target, batch)
        written: list[_Written] = []
        for entry in batch:
            old = before.get(entry.item.remote_id)
            if isinstance(old, Campaign) and old.reported_at and old.reported_at > entry.asked_at:
                applied.again.add(entry.key)  # a younger report came in while this page was read
                continue
            if old is not None and not old.content_hash and old.seen_at > entry.asked_at:
                applied.again.add(entry.key)  # we changed it there while this page was read
                continue
            values, settled = self._values(target, entry, old, parents)
            if not settled:
                applied.again.add(entry.key)
            if values is None:
                self.waiting += 1
            elif old is not None and old.gone_at is None and _equal(old, values):
                applied.unchanged += 1
            else:
                written.append(_Written(entry, self._row(target, entry, old, values), old))
        self._link(target, written)
        self._save(target, written)
        applied.created += sum(each.before is None for each in written)
        applied.changed += sum(each.before is not None for each in written)
        if target.model is Campaign:
            self._after_campaigns(written)
        elif target.model is Call:
            self._after_calls(written)

    def _parents(self, target: Target, batch: Sequence[Entry]) -> dict[str, dict[str, Any]]:
        """For each reference the rows by remote id: their ids, or their numbers too."""
        found: dict[str, dict[str, Any]] = {}
        for name, parent in target.parents.items():
            ids = {getattr(entry.prepared.record, parent.attribute) for entry in batch} - {""}
            rows: Any = parent.model._default_manager.filter(connection=self.connection, remote_id__in=ids)
            if parent.model is BotContact:
                rows = rows.only("pk", "remote_id", "number", "e164")
            else:
                rows = rows.only("pk", "remote_id")
            found[name] = {row.remote_id: row for row in rows}
        return found

    def _values(
        self, target: Target, entry: Entry, old: Any, parents: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, Any] | None, bool]:
        """All columns of a row, None while its parent is missing, and whether nothing is open."""
        prepared: _Prepared = entry.prepared
        values, settled = dict(prepared.values), True
        for name, parent in target.parents.items():
            wanted = getattr(prepared.record, parent.attribute)
            row = parents[name].get(wanted)
            if row is None and wanted:
                settled = False
                if parent.required:
                    return None, False
            kept = old is not None and row is None and (wanted or target.forever)
            values[f"{name}_id"] = getattr(old, f"{name}_id") if kept else row and row.pk
            if target.model is Subscriber and isinstance(row, BotContact) and not values["number"]:
                values |= {"number": row.number, "e164": row.e164}
        if target.model is Subscriber and old is not None and not values["number"]:
            values |= {"number": old.number, "e164": old.e164}
        if target.model is Campaign:
            settled = settled and self._all_known(prepared.record.phonebook_ids)
        values["content_hash"] = entry.content_hash if settled else ""
        values["raw"] = entry.raw.decode()
        return values, settled

    def _all_known(self, phonebook_ids: Iterable[str]) -> bool:
        wanted = set(phonebook_ids)
        books = Phonebook.objects.filter(connection=self.connection, remote_id__in=wanted)
        return books.count() == len(wanted)

    def _row(self, target: Target, entry: Entry, old: Any, values: dict[str, Any]) -> Any:
        row: Any = target.model(connection=self.connection, remote_id=entry.item.remote_id, **values)
        row.seen_at = timezone.now()
        if isinstance(row, Campaign):
            row.reported_at = entry.asked_at
        if target.has_contact and old is not None:
            row.contact_id = old.contact_id
        return row

    def _link(self, target: Target, written: Sequence[_Written]) -> None:
        """Tie new numbers to their contacts. A number that was tied keeps its contact."""
        if not target.has_contact:
            return
        fresh = []
        for each in written:
            new_number = each.before is None or each.before.e164 != each.row.e164
            if new_number and (each.row.contact_id is None or not target.forever):
                fresh.append(each.row)
        found = owners(row.e164 for row in fresh)
        for row in fresh:
            row.contact_id = found.get(row.e164)

    def _save(self, target: Target, written: Sequence[_Written]) -> None:
        """One statement for new and changed rows; columns that are ours stay as they are."""
        if not written:
            return
        columns = [*target.columns, *target.parents, *_MIRRORED]
        if target.has_contact:
            columns.append("contact")
        if target.model is Campaign:
            columns.append("reported_at")
        target.model._default_manager.bulk_create(
            [each.row for each in written],
            update_conflicts=True,
            unique_fields=["connection", "remote_id"],
            update_fields=columns,
            batch_size=500,
        )

    # --- what else follows -----------------------------------------------------------------

    def _after_campaigns(self, written: Sequence[_Written]) -> None:
        rows = self._rows("campaigns").filter(remote_id__in=[each.row.remote_id for each in written])
        saved = {row.remote_id: row for row in rows}
        for each in written:
            campaign = saved[each.row.remote_id]
            follow(campaign, each.entry.prepared.record, each.before)

    def _after_calls(self, written: Sequence[_Written]) -> None:
        """A person who asked in a call not to be called again is not."""
        asking = [each.row.remote_id for each in written if suppression.asks_for_silence(each.row)]
        if asking:
            suppression.from_outcomes(self._rows("calls").filter(remote_id__in=asking))

    # --- for complete walks ----------------------------------------------------------------

    def live(self) -> int:
        """How many rows the lists should show."""
        return sum(self._listed(family).count() for family in self._mortal())

    def absent(self, keys_table: str, since: datetime, limit: int) -> tuple[int, list[int]]:
        """Rows that no page showed, without those written meanwhile.

        Ids of several tables in one list: each is the row's times the number of families,
        plus the place of its family.
        """
        count, ids = 0, []
        for place, family in enumerate(self.families):
            if family not in self._mortal():
                continue
            table = TARGETS[family].model._meta.db_table
            missing = (
                f" FROM {table} c WHERE c.connection_id = %s AND c.remote_id IS NOT NULL"  # noqa: S608  our own
                " AND c.gone_at IS NULL AND c.seen_at < %s"
                f" AND NOT EXISTS (SELECT 1 FROM {keys_table} k WHERE k.key = '{family} ' || c.remote_id)"
            )
            parameters = [self.connection.pk, self._bulk.time(since)]
            count += int(self._bulk.select(f"SELECT count(*){missing}", parameters)[0][0])
            found = self._bulk.select(f"SELECT c.id{missing} ORDER BY c.id LIMIT {limit}", parameters)
            ids += [pk * len(self.families) + place for (pk,) in found]
        return count, ids[:limit]

    def mark_gone(self, ids: Iterable[int], at: datetime) -> int:
        """Rows that a proven walk did not show: kept, and marked. Takes what ``absent`` gave."""
        gone = 0
        chosen: dict[int, list[int]] = {}
        for number in ids:
            pk, place = divmod(number, len(self.families))
            chosen.setdefault(place, []).append(pk)
        for place, pks in chosen.items():
            for chunk in suppression.chunks(pks):
                rows = self._rows(self.families[place]).filter(pk__in=chunk, gone_at__isnull=True)
                gone += rows.update(gone_at=at)
        return gone

    def _mortal(self) -> list[str]:
        return [each for each in self.families if not TARGETS[each].forever and each not in self.left_out]

    def _listed(self, family: str) -> Any:
        return self._rows(family).filter(gone_at__isnull=True, remote_id__isnull=False)

    def _rows(self, family: str) -> Any:
        return TARGETS[family].model._default_manager.filter(connection=self.connection)


def _by_family(keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in keys:
        family, _, remote_id = key.partition(" ")
        found.setdefault(family, []).append(remote_id)
    return found


def _equal(old: Any, values: Mapping[str, Any]) -> bool:
    return all(getattr(old, name) == value for name, value in values.items())


# --- one campaign ------------------------------------------------------------------------


def follow(campaign: Campaign, record: Any, before: Campaign | None) -> None:
    """Bring a campaign's phonebooks in line and hold a remote edit against the calling rules."""
    books = Phonebook.objects.filter(connection=campaign.connection, remote_id__in=record.phonebook_ids)
    campaign.phonebooks.set(books)
    if before is not None:
        remote_edits.check(campaign, before)


def report(campaign: Campaign, record: Any, asked_at: datetime) -> Campaign:
    """Store what the bot says of one campaign right now; call it inside a transaction.

    Returns the campaign as stored. An answer older than what is known changes nothing.
    """
    row = Campaign.objects.select_for_update(of=("self",)).select_related("connection").get(pk=campaign.pk)
    if row.reported_at is not None and row.reported_at > asked_at:
        return row
    target = TARGETS["campaigns"]
    values = target.values(record)
    gateways: Any = target.parents["gateway"].model._default_manager.filter(connection=row.connection)
    gateway = gateways.filter(remote_id=record.gateway_id or None).first()
    if gateway is not None or not record.gateway_id:
        values["gateway_id"] = gateway and gateway.pk
    columns: dict[str, Any] = {"reported_at": asked_at}
    if not _equal(row, values):
        columns |= values
    Campaign.objects.filter(pk=row.pk).update(**columns)
    before = row
    row = Campaign.objects.select_related("connection").get(pk=row.pk)
    if len(columns) > 1:
        follow(row, record, before)
    return row


def reported_all(connection: BotConnection, at: datetime) -> None:
    """A whole list was read: every campaign it showed stood as stored at that moment."""
    listed = Campaign.objects.filter(connection=connection, gone_at__isnull=True, remote_id__isnull=False)
    listed.filter(seen_at__lt=at, reported_at__lt=at).update(reported_at=at)
