"""AntBOT's rows in memory: tables with ids of their own, indexes and cascades.

A row is a dict; keys with an underscore are ours and are never shown. Not thread-safe by itself:
the vendor's lock is held around every call.
"""

import time
from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]

# name → (first id, indexed keys)
TABLES: dict[str, tuple[int, tuple[str, ...]]] = {
    "campaign": (1201, ()),
    "phonebook": (293, ()),
    "contact": (50_001, ("phonebook", "contact")),
    "subscriber": (80_001, ("campaign",)),
    "cdr": (610_001, ("campaign",)),
    "gateway": (23, ()),
    "template": (351, ()),
    "section": (2001, ("survey",)),
    "survey": (951, ("campaign",)),
    "sealed_section": (7001, ("survey",)),
    "dnc_list": (343, ()),
    "dnc_entry": (4001, ("phone_number",)),
    "setting": (4, ()),
    "calendar_user": (115, ()),
    "calendar": (7, ()),
    "event": (8, ()),
    "alarm": (31, ()),
}
CASCADE = {
    "campaign": (("subscriber", "campaign"), ("cdr", "campaign")),
    "phonebook": (("contact", "phonebook"),),
}


class Table:
    """Rows by id, in order of insertion."""

    def __init__(self, first_id: int, indexed: tuple[str, ...]) -> None:
        self._next = first_id
        self._rows: dict[int, Row] = {}
        self._indexes: dict[str, dict[Any, dict[int, None]]] = {key: {} for key in indexed}
        self.version = 0  # rises with every change

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self._rows.values()))

    def get(self, row_id: Any) -> Row | None:
        """The row with this id, if there is one."""
        return self._rows.get(row_id)

    def add(self, row: Row) -> Row:
        """Store a row; it gets its id."""
        stored = {"id": self._next, **row, "_made": time.monotonic()}
        self._next += 1
        self._rows[stored["id"]] = stored
        for key, index in self._indexes.items():
            index.setdefault(stored.get(key), {})[stored["id"]] = None
        self.version += 1
        return stored

    def change(self, row: Row, **changes: Any) -> None:
        """Change fields of a row."""
        for key, index in self._indexes.items():
            if key in changes and changes[key] != row.get(key):
                index[row.get(key)].pop(row["id"], None)
                index.setdefault(changes[key], {})[row["id"]] = None
        row.update(changes)
        self.version += 1

    def remove(self, row: Row) -> None:
        """Drop a row."""
        self._rows.pop(row["id"], None)
        for key, index in self._indexes.items():
            index.get(row.get(key), {}).pop(row["id"], None)
        self.version += 1

    def where(self, key: str, value: Any) -> list[Row]:
        """Rows with this value under an indexed key."""
        return [self._rows[row_id] for row_id in self._indexes[key].get(value, ())]

    def indexes(self, key: str) -> bool:
        """Whether `where` takes this key."""
        return key in self._indexes

    def has(self, key: str, value: Any) -> bool:
        """Whether any row has this value under an indexed key."""
        return bool(self._indexes[key].get(value))


class Tables:
    """All tables of the account, as `tables["contact"]`."""

    def __init__(self) -> None:
        self._tables = {name: Table(*shape) for name, shape in TABLES.items()}

    def __getitem__(self, name: str) -> Table:
        return self._tables[name]

    def delete(self, name: str, row: Row) -> None:
        """Remove a row with everything that hangs on it."""
        for child, key in CASCADE.get(name, ()):
            for dependent in self[child].where(key, row["id"]):
                self.delete(child, dependent)
        if name == "contact":
            for subscriber in [s for s in self["subscriber"] if s["contact"] == row["id"]]:
                self["subscriber"].remove(subscriber)
        self[name].remove(row)

    def settle(self) -> None:
        """Make all rows old, so that no lagging list hides them."""
        for table in self._tables.values():
            for row in table:
                row["_made"] = 0.0

    def counts(self) -> dict[str, int]:
        """Rows per table."""
        return {name: len(table) for name, table in self._tables.items()}
