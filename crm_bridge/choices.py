"""What the filters offer: distinct values without reading the contacts.

The composite indexes begin with these columns, so each next value is one index
descent (a loose index scan); the answer is kept for a minute.
"""

from typing import Any

from django.core.cache import cache
from django.db import connection as database

from crm_bridge.models import Connection, Contact, CustomField, Tag
from crm_bridge.models.fields import FILTERABLE
from crm_bridge.records import FieldDefinition

KEEP_SECONDS = 60
MOST = 200

LOOSE_COLUMNS = ("stage", "source", "responsible")

_LOOSE_SCAN = """
    WITH RECURSIVE found(value) AS (
        SELECT min({column}) FROM {table} WHERE {column} > ''
        UNION ALL
        SELECT (SELECT min({column}) FROM {table} WHERE {column} > found.value)
        FROM found WHERE found.value IS NOT NULL
    )
    SELECT value FROM found WHERE value IS NOT NULL LIMIT {most}
"""


def values_of(column: str) -> list[str]:
    """Distinct non-empty values of an indexed column, sorted, at most ``MOST``."""
    if column not in LOOSE_COLUMNS:
        raise ValueError(f"{column} has no index of its own")
    return _kept(column, lambda: _loose_scan(column))


def _loose_scan(column: str) -> list[str]:
    statement = _LOOSE_SCAN.format(column=column, table=Contact._meta.db_table, most=MOST)
    with database.cursor() as cursor:
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


def tag_names() -> list[str]:
    return _kept(
        "tags", lambda: list(Tag.objects.order_by("name").values_list("name", flat=True).distinct()[:MOST])
    )


def connection_names() -> dict[int, str]:
    return _kept("connections", lambda: dict(Connection.objects.values_list("pk", "name")))


def definitions_of(connection_id: int) -> dict[str, FieldDefinition]:
    """The custom fields of a connection by key, in its CRM's order; gone ones last, for their labels."""
    found: dict[str, FieldDefinition] = _kept(
        f"definitions:{connection_id}", lambda: read_definitions(connection_id)
    )
    return found


def read_definitions(connection_id: int) -> dict[str, FieldDefinition]:
    """The same, read anew."""
    fields = CustomField.objects.filter(connection=connection_id)
    return {field.key: field.definition for field in sorted(fields, key=_present_first)}


def _present_first(field: CustomField) -> tuple[bool, int]:
    return field.gone_at is not None, field.position


def present_fields(connection_id: int) -> list[CustomField]:
    """The fields that the CRM defines today, for forms: read anew each time."""
    return list(CustomField.objects.filter(connection=connection_id, gone_at=None).order_by("position", "pk"))


def filter_fields() -> list[CustomField]:
    """The fields that lists can be filtered by, of all connections."""
    found: list[CustomField] = _kept(
        "filter-fields",
        lambda: list(
            CustomField.objects.filter(gone_at=None, type__in=FILTERABLE, connection__is_active=True)
            .order_by("connection__name", "position", "pk")
            .defer("help")[:MOST]
        ),
    )
    return found


def forget_definitions(connection_id: int) -> None:
    """They were read anew."""
    cache.delete_many([f"contact-choices:definitions:{connection_id}", "contact-choices:filter-fields"])


def _kept(name: str, read: Any) -> Any:
    key = f"contact-choices:{name}"
    value = cache.get(key)
    if value is None:
        value = read()
        cache.set(key, value, KEEP_SECONDS)
    return value
