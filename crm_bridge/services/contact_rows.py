"""Contact records → table rows, many at a time. The bulk counterpart of ``rows``.

Both write the same columns; a test pulls the same records through each and compares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

import orjson
from django.conf import settings
from django.utils import timezone

from backoffice.remote.walk import Unreadable
from backoffice.sync.bulk import Bulk
from crm_bridge.folding import fold, search_text
from crm_bridge.models import Contact, ContactEmail, ContactPhone, Tag
from crm_bridge.models.contact import ContactTag
from crm_bridge.phones import digits_reversed, to_e164
from crm_bridge.records import ContactRecord, canonical_value
from crm_bridge.services.field_values import write_many

CONTACT = Contact._meta.db_table
PHONE = ContactPhone._meta.db_table
EMAIL = ContactEmail._meta.db_table
TAG = Tag._meta.db_table
CONTACT_TAG = ContactTag._meta.db_table

IDENTITY = ("connection_id", "family", "remote_id")
COLUMNS = (
    *IDENTITY,
    "uid", "kind", "state", "name", "gender", "birth_date", "stage", "source", "responsible", "industry",
    "note", "addresses", "social_accounts", "custom_fields", "score_available", "score_rank", "rank_name",
    "ads_history", "extra", "raw", "content_hash", "search_text", "remote_created_at", "remote_updated_at",
    "touched_at", "version", "created_at",
)  # fmt: skip
ONLY_NEW = ("version", "created_at")

_TEXTS = ("uid", "name", "stage", "source", "responsible", "industry", "rank_name")
_LENGTHS = tuple(getattr(Contact._meta.get_field(name), "max_length", 0) for name in _TEXTS)
_texts_of = attrgetter(*_TEXTS)
_ITEM_LENGTHS = {
    "phones": {"value": 200, "type": 60},
    "emails": {"value": 320, "type": 60},
}
_TAG_LENGTH = 200


@dataclass(slots=True)
class Prepared:
    """One record as the rows it becomes; the contact's id is not known yet."""

    record: ContactRecord
    columns: tuple[Any, ...]
    phones: list[tuple[Any, ...]]
    emails: list[tuple[Any, ...]]
    tags: tuple[str, ...]


def check_lengths(record: ContactRecord) -> None:
    """Refuse what a column cannot hold; nothing is ever cut off silently."""
    for name, longest, text in zip(_TEXTS, _LENGTHS, _texts_of(record), strict=True):
        if len(text) > longest:
            raise Unreadable(f"{name} is longer than {longest} characters")
    for name, parts in _ITEM_LENGTHS.items():
        for item in getattr(record, name):
            for part, longest in parts.items():
                if len(getattr(item, part)) > longest:
                    raise Unreadable(f"{name}: a {part} is longer than {longest} characters")
    if any(len(tag) > _TAG_LENGTH for tag in record.tags):
        raise Unreadable(f"tags: one is longer than {_TAG_LENGTH} characters")


def touched_at(record: ContactRecord, now: datetime) -> datetime:
    """When it last changed; a date in the future would pin it to the top of every list."""
    return min(record.updated_at or record.created_at or now, now)


def prepare(connection_id: int, record: ContactRecord, raw: bytes, content_hash: str, bulk: Bulk) -> Prepared:
    """Build the rows of one record. Raises ``Unreadable`` naming the field that does not fit."""
    check_lengths(record)
    now = timezone.now()
    region = settings.PHONE_REGION
    phones = []
    numbers = []
    for position, phone in enumerate(record.phones):
        e164 = to_e164(phone.value, region)
        numbers.append((phone.value, e164))
        phones.append((position, phone.type, phone.value, e164, digits_reversed(phone.value, e164)))
    emails = [
        (position, email.type, email.value, fold(email.value)) for position, email in enumerate(record.emails)
    ]
    columns = (
        connection_id,
        record.identity.family,
        record.identity.remote_id,
        record.uid,
        record.kind.value,
        Contact.State.LIVE.value,
        record.name,
        record.gender.value,
        record.birth_date,
        record.stage,
        record.source,
        record.responsible,
        record.industry,
        record.note,
        _json(record.addresses),
        _json(record.social_accounts),
        _json(record.custom_fields),
        record.score_available,
        record.score_rank,
        record.rank_name,
        _json(record.ads_history),
        _json(record.extra),
        raw.decode(),
        content_hash,
        search_text(record.name, numbers, (email.value for email in record.emails)),
        bulk.time(record.created_at),
        bulk.time(record.updated_at),
        bulk.time(touched_at(record, now)),
        0,
        bulk.time(now),
    )
    return Prepared(record, columns, phones, emails, record.tags)


def _json(value: Any) -> str:
    if not value:
        return "[]" if isinstance(value, tuple) else "{}"
    return orjson.dumps(value, default=canonical_value, option=orjson.OPT_NON_STR_KEYS).decode()


class ContactRows:
    """Writes prepared contacts with their phones, e-mails and tags, set by set."""

    def __init__(self, connection_id: int, bulk: Bulk) -> None:
        self._connection_id, self._bulk = connection_id, bulk
        self._tags: dict[str, int] = {}

    def write(self, prepared: Sequence[Prepared], ids: Mapping[tuple[str, str], int]) -> None:
        """Insert or replace; ``ids`` are those of the contacts that exist already."""
        bulk = self._bulk
        stored = bulk.upsert(
            CONTACT,
            COLUMNS,
            [each.columns for each in prepared],
            key=IDENTITY,
            once=ONLY_NEW,
            returning=("family", "remote_id", "id"),
        )
        if ids:
            for table in (PHONE, EMAIL, CONTACT_TAG):
                bulk.delete(table, "contact_id", ids.values())
        known = {(family, remote_id): pk for family, remote_id, pk in stored}
        rows = [(known[_identity(each)], each) for each in prepared]
        self._write_children(rows)
        custom = [(pk, each.record.custom_fields) for pk, each in rows if each.record.custom_fields]
        if custom or ids:
            write_many(bulk, self._connection_id, custom, ids.values())

    def _write_children(self, rows: Sequence[tuple[int, Prepared]]) -> None:
        bulk = self._bulk
        bulk.insert(
            PHONE,
            ("contact_id", "position", "type", "value", "e164", "digits_reversed"),
            [(pk, *phone) for pk, each in rows for phone in each.phones],
        )
        bulk.insert(
            EMAIL,
            ("contact_id", "position", "type", "value", "address_folded"),
            [(pk, *email) for pk, each in rows for email in each.emails],
        )
        names = {tag for _pk, each in rows for tag in each.tags}
        self._know_tags(names)
        bulk.insert(
            CONTACT_TAG,
            ("contact_id", "tag_id"),
            [(pk, self._tags[tag]) for pk, each in rows for tag in dict.fromkeys(each.tags)],
        )

    def _know_tags(self, names: set[str]) -> None:
        new = sorted(names - self._tags.keys())
        if not new:
            return
        self._bulk.upsert(
            TAG, ("connection_id", "name"), [(self._connection_id, name) for name in new],
            key=("connection_id", "name"),
        )  # fmt: skip
        rows = self._bulk.select(
            f"SELECT name, id FROM {TAG} WHERE connection_id = %s AND {self._bulk.one_of('name')}",
            [self._connection_id, self._bulk.many(new)],
        )
        self._tags.update(dict(rows))


def by_family(identities: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Remote ids grouped by their family."""
    families: dict[str, list[str]] = {}
    for family, remote_id in identities:
        families.setdefault(family, []).append(remote_id)
    return families


def _identity(each: Prepared) -> tuple[str, str]:
    return each.record.identity.family, each.record.identity.remote_id
