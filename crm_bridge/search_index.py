"""The trigram index under contact search, for both databases.

Django has no portable trigram index, and on SQLite a later migration that
rebuilds the contact table drops its triggers without a word: so ``install`` is
idempotent and runs after every ``migrate``.
"""

from typing import Any

TABLE = "crm_bridge_contact"
FTS = "crm_bridge_contact_fts"

_POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    f"CREATE INDEX IF NOT EXISTS contact_search_trigram ON {TABLE} USING gin (search_text gin_trgm_ops)",
)

_SQLITE = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {FTS} USING fts5("
    f"search_text, content='{TABLE}', content_rowid='id', tokenize='trigram')",
    # merge the index's segments in larger steps: a long pull writes them by the thousand
    f"INSERT INTO {FTS}({FTS}, rank) VALUES ('automerge', 16)",
    f"CREATE TRIGGER IF NOT EXISTS {FTS}_insert AFTER INSERT ON {TABLE} BEGIN"
    f" INSERT INTO {FTS}(rowid, search_text) VALUES (new.id, new.search_text); END",
    f"CREATE TRIGGER IF NOT EXISTS {FTS}_delete AFTER DELETE ON {TABLE} BEGIN"
    f" INSERT INTO {FTS}({FTS}, rowid, search_text) VALUES ('delete', old.id, old.search_text); END",
    f"CREATE TRIGGER IF NOT EXISTS {FTS}_update AFTER UPDATE OF search_text ON {TABLE}"
    f" WHEN old.search_text IS NOT new.search_text BEGIN"
    f" INSERT INTO {FTS}({FTS}, rowid, search_text) VALUES ('delete', old.id, old.search_text);"
    f" INSERT INTO {FTS}(rowid, search_text) VALUES (new.id, new.search_text); END",
)


def install(connection: Any) -> None:
    """Create what is missing; harmless to repeat."""
    statements = _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE %s", [f"{FTS}_update"])
            whole = cursor.fetchone()[0] == 1
        for statement in statements:
            cursor.execute(statement)
        if connection.vendor == "sqlite" and not whole:
            # A rebuilt table lost its triggers: what changed meanwhile is not in the index.
            cursor.execute(f"INSERT INTO {FTS}({FTS}) VALUES ('rebuild')")


def after_migrate(using: str, **kwargs: Any) -> None:
    """``post_migrate`` receiver."""
    from django.db import connections

    connection = connections[using]
    if TABLE in connection.introspection.table_names():
        install(connection)
