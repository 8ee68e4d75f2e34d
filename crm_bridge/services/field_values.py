"""Keeps the rows by which lists are filtered in step with ``Contact.custom_fields``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction

from backoffice.sync.bulk import Bulk
from crm_bridge.custom_values import indexed
from crm_bridge.models import Connection, Contact, ContactFieldValue, CustomField
from crm_bridge.models.fields import FILTERABLE
from crm_bridge.records import FieldType

VALUE = ContactFieldValue._meta.db_table
FIELD = CustomField._meta.db_table
COLUMNS = ("field_id", "contact_id", "value", "number")
CHUNK = 2_000

Fields = Mapping[str, tuple[int, FieldType]]
"""Key → (row id, type) of the fields that can be filtered by."""


def filterable_fields(connection_id: int) -> Fields:
    """The fields of a connection whose values have rows."""
    rows = CustomField.objects.filter(connection=connection_id, gone_at=None, type__in=FILTERABLE).order_by()
    return {key: (pk, FieldType(kind)) for pk, key, kind in rows.values_list("pk", "key", "type")}


def rows_of(contact_id: int, values: Mapping[str, Any], fields: Fields) -> list[tuple[Any, ...]]:
    """The rows of one contact."""
    return [
        (pk, contact_id, text, number)
        for key, (pk, kind) in fields.items()
        if key in values
        for text, number in indexed(kind, values[key])
    ]


def write_one(contact: Contact) -> None:
    """Replace the rows of one contact, in the transaction that wrote its values."""
    fields = filterable_fields(contact.connection_id)
    if not fields:
        return
    ContactFieldValue.objects.filter(contact=contact).delete()
    rows = rows_of(contact.pk, contact.custom_fields or {}, fields)
    ContactFieldValue.objects.bulk_create(
        ContactFieldValue(field_id=field, contact_id=pk, value=text, number=number)
        for field, pk, text, number in rows
    )


def write_many(
    bulk: Bulk, connection_id: int, rows: Sequence[tuple[int, Mapping[str, Any]]], known: Iterable[int]
) -> None:
    """Replace the rows of many contacts, set by set; ``known`` are those that may have some."""
    fields = filterable_fields(connection_id)
    if not fields:
        return
    bulk.delete(VALUE, "contact_id", known)
    bulk.insert(VALUE, COLUMNS, [row for pk, values in rows for row in rows_of(pk, values, fields)])


def rebuild(connection: Connection, fields: Sequence[CustomField], *, bulk: Bulk) -> int:
    """Make the rows of these fields anew from what the contacts hold; returns how many contacts."""
    chosen = {field.key: (field.pk, FieldType(field.type)) for field in fields}
    wanted: Fields = {key: pair for key, pair in chosen.items() if pair[1] in FILTERABLE}
    last, count = 0, 0
    while True:
        with transaction.atomic():
            rows = list(
                Contact.objects.select_for_update()
                .filter(connection=connection, pk__gt=last)
                .order_by("pk")
                .values_list("pk", "custom_fields")[:CHUNK]
            )
            if not rows:
                return count
            ids = [pk for pk, _values in rows]
            ContactFieldValue.objects.filter(field__in=fields, contact__in=ids).delete()
            bulk.insert(VALUE, COLUMNS, [row for pk, held in rows for row in rows_of(pk, held or {}, wanted)])
        last, count = ids[-1], count + len(rows)
