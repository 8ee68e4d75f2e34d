"""When a complete walk may conclude that something is gone: hardly ever by itself.

A list that was short, empty or of another account must not empty the mirror. So what a
walk did not show is looked for in further passes, then held for a person when it is much,
and otherwise asked for one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from django.utils import timezone

from backoffice.sync.marks import Marks

MAX_PASSES = 4
HOLD_SHARE = 0.02
HOLD_COUNT = 20
SHOWN = 1000
"""So many of the rows that a held run did not find are kept for the person who decides."""


class Mirror(Protocol):
    """The rows a complete walk is compared with."""

    def live(self) -> int:
        """How many rows should be in the list."""

    def absent(self, keys_table: str, since: datetime, limit: int) -> tuple[int, list[int]]:
        """How many live rows are not in the table of keys, and the ids of the first ``limit``.

        Rows that changed on our side after ``since`` are not counted.
        """


@dataclass(slots=True)
class Outcome:
    """What the passes of a complete run proved."""

    passes: int = 0
    absent: int = 0
    ids: list[int] = field(default_factory=list)
    """Rows to be asked for one by one; empty when the run is held."""
    stable: bool = False
    """The last two passes agree."""
    held: bool = False
    held_ids: list[int] = field(default_factory=list)
    """The first rows that the last pass of a held run did not show."""
    live_before: int = 0
    """How many rows there were to be missed; only counted when some were."""


def hold_above(live: int) -> int:
    """The number of absent rows up to which a run decides without a person."""
    return max(HOLD_COUNT, int(live * HOLD_SHARE))


def passes(
    read: Callable[[], int],
    marks: Marks,
    mirror: Mirror,
    *,
    live_before: int | Callable[[], int],
    allowed: int = 0,
    beat: Callable[[], None],
) -> Outcome:
    """Read the whole list until it is clear what is absent.

    ``read`` makes one pass and returns how many pages were not as in the pass before it.
    ``live_before`` is how many rows there were before; 0 means the first pull, in which there
    is nothing yet that could be missed. ``allowed`` is how many absent rows a person approved.
    """
    outcome = Outcome()
    candidates: Sequence[int] | None = None
    while True:
        began = timezone.now()
        changed_pages = read()
        outcome.passes += 1
        if live_before == 0:
            return outcome
        keys = marks.to_table()
        outcome.absent, ids = mirror.absent(keys, began, SHOWN)
        beat()
        if outcome.absent == 0:
            outcome.stable = changed_pages == 0
            return outcome
        if callable(live_before):
            live_before = live_before()
            if live_before == 0:
                outcome.absent = 0
                return outcome
        outcome.live_before = live_before
        limit = max(hold_above(live_before), allowed)
        if limit >= SHOWN < outcome.absent:
            outcome.absent, ids = mirror.absent(keys, began, limit + 1)
        before, candidates = candidates, ids
        if before is not None:
            kept = set(before)
            candidates = [pk for pk in ids if pk in kept]
            outcome.stable = len(candidates) == len(before) == len(ids)
        if outcome.stable or outcome.passes >= MAX_PASSES:
            outcome.held = outcome.absent > limit
            outcome.ids = [] if outcome.held else list(candidates)
            outcome.held_ids = ids[:SHOWN] if outcome.held else []
            return outcome
