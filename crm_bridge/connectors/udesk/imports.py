"""Batch import: one call a minute, answered with "received", so every customer is looked up by our code."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from backoffice.remote.auth import TokenStore
from backoffice.remote.errors import RemoteError, RetryLater
from crm_bridge.connectors.udesk.client import IMPORT_EVERY
from crm_bridge.records import ContactRecord

#: Seconds before each round of look-ups for those that were not there yet.
WAITS = (2.0, 5.0, 15.0)


class ImportTurns:
    """One import a minute, by all workers together.

    The turn is kept where an account's rotating tokens are kept, for that is what all workers share;
    Udesk itself has no such tokens.
    """

    def __init__(self, store: TokenStore) -> None:
        self._store = store

    def take(self) -> None:
        """Takes the turn. Raises RetryLater, with nothing sent, while it is not free."""
        with self._store.exclusive() as state:
            now = self._store.now()
            if now < state.not_before:
                raise RetryLater.in_seconds(
                    "not called: it takes one import a minute, so these are created one by one",
                    state.not_before - now,
                )
            state.not_before = now + IMPORT_EVERY


def reconcile(
    codes: Sequence[str],
    look_up: Callable[[str], ContactRecord | None],
    *,
    waits: Sequence[float] = WAITS,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, ContactRecord]:
    """What was found under each code, in as many rounds as there are waits; of the rest nothing is known.

    The import has arrived by now, so trouble with a look-up says nothing about it: it ends the rounds.
    """
    found: dict[str, ContactRecord] = {}
    for wait in waits:
        missing = [code for code in codes if code not in found]
        if not missing:
            break
        sleep(wait)
        for code in missing:
            try:
                record = look_up(code)
            except RemoteError:
                return found
            if record is not None:
                found[code] = record
    return found
