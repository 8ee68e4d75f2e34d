"""What the filters offer: distinct values without reading the contacts.

The composite indexes begin with these columns, so each next value is one index
descent (a loose index scan); the answer is kept for a minute.
"""

from typing import Any

from django.core.cache import cache
from django.db import connection as database

from crm_bridge.models import Connection, Contact, Tag

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


def _kept(name: str, read: Any) -> Any:
    key = f"contact-choices:{name}"
    value = cache.get(key)
    if value is None:
        value = read()
        cache.set(key, value, KEEP_SECONDS)
    return value
