"""Writing thousands of rows at once: one small interface, two databases behind it.

PostgreSQL takes rows by COPY, SQLite by ``executemany``; both are several times faster
than building statements per row. Values are plain Python ones; JSON is passed as text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import DEFAULT_DB_ALIAS, connections, transaction

Rows = Sequence[tuple[Any, ...]]


class Bulk(ABC):
    """The set-based writer of one database connection; call it inside a transaction."""

    def __init__(self, database: Any) -> None:
        self.database = database
        # staging tables that a commit has made lasting: to ask for each again costs a round trip
        self._staged: set[str] = set()

    def insert(self, table: str, columns: Sequence[str], rows: Rows) -> None:
        """New rows; the caller knows that none of them is there."""
        if rows:
            self._load(table, columns, rows)

    def upsert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Rows,
        *,
        key: Sequence[str],
        once: Sequence[str] = (),
        returning: Sequence[str] = (),
    ) -> list[tuple[Any, ...]]:
        """Insert, or update by ``key``; the columns in ``once`` are only set on insert.

        Returns the columns ``returning`` of each row, in no order. Through a staging table, so
        that all rows arrive in one statement: that is what makes PostgreSQL fast, and SQLite's
        full-text index, which is flushed per statement.
        """
        if not rows:
            return []
        names, staged = ", ".join(columns), f"staged_{table}"
        if staged not in self._staged:
            self._stage(staged, table, names)
            transaction.on_commit(lambda: self._staged.add(staged), using=self.database.alias)
        self._load(staged, columns, rows)
        statement = (
            f"INSERT INTO {table} ({names}) SELECT {names} FROM {staged} WHERE true"
            f" ON CONFLICT ({', '.join(key)}) {_update(columns, key, once)}"
        )
        stored: list[tuple[Any, ...]] = []
        if returning:
            stored = self.select(f"{statement} RETURNING {', '.join(returning)}", ())
        else:
            self.execute(statement)
        self.execute(f"DELETE FROM {staged}")
        return stored

    def delete(self, table: str, column: str, values: Iterable[int]) -> None:
        """All rows whose ``column`` is one of the values."""
        if wanted := list(values):
            self.execute(f"DELETE FROM {table} WHERE {self.one_of(column)}", [self.many(wanted)])

    def select(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.database.cursor() as cursor:
            cursor.execute(statement, parameters)
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Any other statement."""
        with self.database.cursor() as cursor:
            cursor.execute(statement, parameters)

    def grown(self, table: str, columns: Sequence[str]) -> None:  # noqa: B027  only one database needs it
        """Tell the planner that a table has many more rows than it may know, and what is in ``columns``."""

    @abstractmethod
    def one_of(self, column: str) -> str:
        """Condition with one parameter, made by ``many``, however many values it holds."""

    @abstractmethod
    def many(self, values: Sequence[Any]) -> Any:
        """The parameter for ``one_of``."""

    @abstractmethod
    def time(self, moment: datetime | None) -> Any:
        """A moment as this database's driver takes it fastest."""

    @abstractmethod
    def moment(self, stored: Any) -> datetime | None:
        """A moment as this database's driver returns it, made aware."""

    @abstractmethod
    def lines(self, table: str, query: str, parameters: Sequence[Any]) -> None:
        """A temporary table ``(key)`` with the lines of the texts of a one-column query."""

    @abstractmethod
    def find(
        self,
        table: str,
        columns: Sequence[str],
        key: str,
        values: Sequence[str],
        *,
        where: Mapping[str, Any],
        also: str = "true",
    ) -> list[tuple[Any, ...]]:
        """Rows by an index on the columns of ``where``, then ``key``, whatever the planner believes.

        Rows of ``where`` may be half of the table, or new since its statistics were taken: a
        plan that reads them all for each batch makes a pull quadratic.
        """

    #: Appended to a SELECT: the rows stay as they are until the transaction ends.
    lock = ""

    @abstractmethod
    def _stage(self, staged: str, table: str, names: str) -> None:
        """An empty temporary table with these columns of ``table``."""

    @abstractmethod
    def _load(self, table: str, columns: Sequence[str], rows: Rows) -> None: ...


class PostgresBulk(Bulk):
    """COPY, and a temporary table in front of an upsert."""

    lock = " FOR UPDATE"

    def grown(self, table: str, columns: Sequence[str]) -> None:
        # autovacuum looks once a minute: until then a look-up of a thousand ids reads the whole index
        self.execute(f"ANALYZE {table} ({', '.join(columns)})")

    def one_of(self, column: str) -> str:
        return f"{column} = ANY(%s)"

    def many(self, values: Sequence[Any]) -> Any:
        return [*values]

    def time(self, moment: datetime | None) -> Any:
        return moment

    def moment(self, stored: Any) -> datetime | None:
        found: datetime | None = stored
        return found

    def lines(self, table: str, query: str, parameters: Sequence[Any]) -> None:
        self.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")
        self.execute(
            f"CREATE TEMP TABLE {table} AS SELECT unnest(string_to_array(pages.text, E'\\n')) AS key"
            f" FROM ({query}) AS pages(text)",
            parameters,
        )

    def find(
        self,
        table: str,
        columns: Sequence[str],
        key: str,
        values: Sequence[str],
        *,
        where: Mapping[str, Any],
        also: str = "true",
    ) -> list[tuple[Any, ...]]:
        # OFFSET 0 keeps the planner from turning the loop inside out
        fixed = " AND ".join([f"{name} = %s" for name in where])
        return self.select(
            f"SELECT found.* FROM unnest(%s::text[]) AS wanted(value) CROSS JOIN LATERAL"
            f" (SELECT {', '.join(columns)} FROM {table}"
            f" WHERE {fixed} AND {key} = wanted.value AND {also} OFFSET 0) AS found",
            [[*values], *where.values()],
        )

    def _stage(self, staged: str, table: str, names: str) -> None:
        self.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS {staged} ON COMMIT DELETE ROWS"
            f" AS SELECT {names} FROM {table} WITH NO DATA"
        )

    def _load(self, table: str, columns: Sequence[str], rows: Rows) -> None:
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with self.database.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)


class SqliteBulk(Bulk):
    """``executemany``; the transaction already has the one write lock there is."""

    def one_of(self, column: str) -> str:
        return f"{column} IN (SELECT value FROM json_each(%s))"

    def many(self, values: Sequence[Any]) -> Any:
        return orjson.dumps([*values]).decode()

    def time(self, moment: datetime | None) -> Any:
        # as Django stores it: naive UTC
        if moment is None:
            return None
        if moment.tzinfo is not UTC:
            moment = moment.astimezone(UTC)
        return moment.isoformat(" ").removesuffix("+00:00")

    def moment(self, stored: Any) -> datetime | None:
        return None if stored is None else datetime.fromisoformat(f"{stored}+00:00")

    def lines(self, table: str, query: str, parameters: Sequence[Any]) -> None:
        self.execute(f"DROP TABLE IF EXISTS temp.{table}")
        self.execute(f"CREATE TEMP TABLE {table} (key text PRIMARY KEY) WITHOUT ROWID")
        # a text of lines becomes a JSON array of strings: the one way to split in plain SQLite
        self.execute(
            f"WITH pages(text) AS ({query}) INSERT OR IGNORE INTO temp.{table} (key) SELECT value FROM pages,"
            " json_each('[\"' || replace(replace(replace(text, '\\', '\\\\'), '\"', '\\\"'),"
            " char(10), '\",\"') || '\"]')",
            parameters,
        )

    def find(
        self,
        table: str,
        columns: Sequence[str],
        key: str,
        values: Sequence[str],
        *,
        where: Mapping[str, Any],
        also: str = "true",
    ) -> list[tuple[Any, ...]]:
        fixed = " AND ".join([f"{name} = %s" for name in where])
        return self.select(
            f"SELECT {', '.join(columns)} FROM {table} WHERE {fixed} AND {also} AND {self.one_of(key)}",
            [*where.values(), self.many(values)],
        )

    def _stage(self, staged: str, table: str, names: str) -> None:
        self.execute(f"CREATE TEMP TABLE IF NOT EXISTS {staged} AS SELECT {names} FROM {table} WHERE false")

    def _load(self, table: str, columns: Sequence[str], rows: Rows) -> None:
        marks = ", ".join(["%s"] * len(columns))
        with self.database.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)


def _update(columns: Sequence[str], key: Sequence[str], once: Sequence[str]) -> str:
    changes = [f"{name} = EXCLUDED.{name}" for name in columns if name not in key and name not in once]
    return f"DO UPDATE SET {', '.join(changes)}" if changes else "DO NOTHING"


def bulk() -> Bulk:
    """The writer for the default database."""
    database = connections[DEFAULT_DB_ALIAS]
    return PostgresBulk(database) if database.vendor == "postgresql" else SqliteBulk(database)
