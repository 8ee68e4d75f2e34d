"""Counts that every page shows: bounded, and kept for a few seconds."""

from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.db.models import QuerySet

KEEP_SECONDS = 5
LIMIT = 1_000


def kept(key: str, rows: Callable[[], QuerySet[Any]]) -> int:
    """How many rows there are, counted no further than ``LIMIT``."""
    key = f"waiting:{key}"
    count = cache.get(key)
    if count is None:
        count = rows().order_by()[:LIMIT].count()
        cache.set(key, count, KEEP_SECONDS)
    return int(count)
