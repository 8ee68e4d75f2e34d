"""One worker at a time per stream: a lease on its StreamState row, by database clock.

The lease is a row, not a lock, so that it outlives a lost database connection, works the
same on every database, and ends by itself when its holder is killed.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from backoffice.sync.models import AbstractStreamState

LEASE = timedelta(minutes=3)
"""Longer than the longest call and the longest batch together."""
RENEW_AFTER = 15.0


class Busy(Exception):
    """Somebody else is at this stream right now; expected, come back later."""


class LostLease(Exception):
    """The lease ran out and somebody else may hold it: write nothing any more."""


class Lease:
    """Holds one stream. Every ``save`` repeats the token: a late holder writes nothing."""

    def __init__(self, state: AbstractStreamState) -> None:
        self._rows: Any = type(state)._default_manager
        self.state = state
        self.token = uuid.uuid4()
        self._renewed = 0.0

    def take(self) -> None:
        """Take the lease, or raise ``Busy``."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lte=Now())
        taken = self._rows.filter(free, pk=self.state.pk).update(
            lease_until=Now() + LEASE, lease_token=self.token, last_started_at=Now()
        )
        if taken != 1:
            raise Busy(f"a run of {self.state.stream} is under way")
        self._renewed = time.monotonic()
        self.state.refresh_from_db()

    def save(self, **columns: Any) -> None:
        """Write columns of the state and renew; raises ``LostLease``."""
        kept = self._rows.filter(pk=self.state.pk, lease_token=self.token).update(
            lease_until=Now() + LEASE, **columns
        )
        if kept != 1:
            raise LostLease(f"the run of {self.state.stream} took too long and was taken over")
        for name, value in columns.items():
            setattr(self.state, name, value)
        self._renewed = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time for a sign of life."""
        return time.monotonic() - self._renewed > RENEW_AFTER

    def release(self) -> None:
        """Give it back; harmless when it was lost."""
        self._rows.filter(pk=self.state.pk, lease_token=self.token).update(lease_until=None, lease_token=None)
