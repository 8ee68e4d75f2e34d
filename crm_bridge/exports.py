"""Contacts out of the house: JSON lines, CSV and XLSX, row by row.

``write`` for files and standard output, ``pieces`` for a streamed response.
Memory stays flat whatever the size of the set. CSV and XLSX are defused for
spreadsheet programs; JSON lines hold the exact values.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import orjson
from django.db.models import F, Prefetch, QuerySet

from backoffice import spreadsheets
from crm_bridge import choices
from crm_bridge.custom_values import labelled
from crm_bridge.models import Contact, Tombstone

KEYS = (
    "connection", "vendor", "kind", "remote_id", "state", "name", "gender", "birth_date", "phones",
    "emails", "addresses", "tags", "stage", "source", "responsible", "industry", "note", "custom_fields",
    "remote_created_at", "remote_updated_at", "trashed_at", "trashed_by", "survivor_remote_id",
)  # fmt: skip

CHUNK = 1000
PHONES = ("phones",)


def records(contacts: "QuerySet[Contact]") -> Iterator[dict[str, Any]]:
    """One plain dict per contact, with the keys of ``KEYS`` in their order."""
    standing = Tombstone.objects.filter(lifted_at__isnull=True).only("contact_id", "trashed_at", "trashed_by")
    rows = (
        contacts.annotate(
            connection_name=F("connection__name"),
            vendor=F("connection__vendor"),
            survivor_remote_id=F("survivor__remote_id"),
        )
        .defer("raw", "search_text", "base")
        .prefetch_related("phones", "emails", "tags", Prefetch("tombstones", standing, to_attr="standing"))
    )
    known: dict[int, dict[str, Any]] = {}
    for contact in rows.iterator(chunk_size=CHUNK):
        account = contact.connection_id
        if account not in known:
            known[account] = choices.read_definitions(account)
        yield _record(contact, known[account])


def _record(contact: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    tombstone = contact.standing[0] if contact.standing else None
    return {
        "connection": contact.connection_name,
        "vendor": contact.vendor,
        "kind": contact.kind,
        "remote_id": contact.remote_id,
        "state": contact.state,
        "name": contact.name,
        "gender": contact.gender,
        "birth_date": contact.birth_date,
        "phones": [{"type": row.type, "value": row.value, "e164": row.e164} for row in contact.phones.all()],
        "emails": [{"type": row.type, "value": row.value} for row in contact.emails.all()],
        "addresses": contact.addresses,
        "tags": [tag.name for tag in contact.tags.all()],
        "stage": contact.stage,
        "source": contact.source,
        "responsible": contact.responsible,
        "industry": contact.industry,
        "note": contact.note,
        "custom_fields": labelled(contact.custom_fields, definitions),
        "remote_created_at": contact.remote_created_at,
        "remote_updated_at": contact.remote_updated_at,
        "trashed_at": tombstone and tombstone.trashed_at,
        "trashed_by": tombstone.trashed_by if tombstone else "",
        "survivor_remote_id": contact.survivor_remote_id,
    }


# --- formats -----------------------------------------------------------------------------


def cells(record: dict[str, Any]) -> dict[str, str]:
    """The record as flat text: lists joined with ``; ``, nothing defused yet."""
    flat = {key: _flat(value) for key, value in record.items()}
    flat["phones"] = _joined(record["phones"])
    flat["emails"] = _joined(record["emails"])
    flat["addresses"] = "; ".join(
        ", ".join(str(part) for slot, part in address.items() if part and slot != "type")
        for address in record["addresses"]
    )
    flat["tags"] = "; ".join(record["tags"])
    return flat


def _joined(rows: list[dict[str, str]]) -> str:
    return "; ".join(row["value"] for row in rows)


def _flat(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode() if value else ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value)


def _jsonl(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _csv(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    return spreadsheets.csv_pieces(KEYS, map(cells, rows), PHONES)


def _xlsx(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    return spreadsheets.xlsx_pieces(KEYS, map(cells, rows), PHONES)


_FORMATS: dict[str, tuple[str, Callable[[Iterable[dict[str, Any]]], Iterator[bytes]]]] = {
    "csv": (spreadsheets.CONTENT_TYPES["csv"], _csv),
    "xlsx": (spreadsheets.CONTENT_TYPES["xlsx"], _xlsx),
    "jsonl": ("application/x-ndjson", _jsonl),
}
FORMATS = tuple(_FORMATS)


def content_type(format: str) -> str:
    return _FORMATS[format][0]


def pieces(contacts: "QuerySet[Contact]", format: str) -> Iterator[bytes]:
    """The file, piece by piece, for a streamed response."""
    _type, encode = _FORMATS[format]
    return encode(records(contacts))


def write(contacts: "QuerySet[Contact]", format: str, stream: IO[bytes]) -> int:
    """Write the contacts to a binary stream; returns how many there were."""
    count = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal count
        for record in records(contacts):
            count += 1
            yield record

    _type, encode = _FORMATS[format]
    for piece in encode(counted()):
        stream.write(piece)
    return count
