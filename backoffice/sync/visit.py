"""Short database work from any thread."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections


@contextmanager
def visit() -> Iterator[None]:
    """A thread that had no database connection before is left without one.

    Threads of a pool would otherwise each keep one open for as long as they live.
    """
    database = connections[DEFAULT_DB_ALIAS]
    was_open = database.connection is not None
    try:
        yield
    finally:
        if not was_open:
            database.close()
