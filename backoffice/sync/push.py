"""The outbox engine: claim → mark sent → settle, with leases, fencing and back-off.

App-neutral: an app names its concrete outbox table and does the sending. What
happened to a row is decided here in one table (``after_failure``), so that every
outbox of the product treats an unclear answer the same way.
"""

import random
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Case, Exists, F, Model, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteError,
)
from backoffice.sync.models import AbstractOutboxEntry

Entry = TypeVar("Entry", bound=AbstractOutboxEntry)
Status = AbstractOutboxEntry.Status

IN_FLIGHT = (Status.SENDING, Status.UNKNOWN)
CRASHES_ALLOWED = 3
FIRST_WAIT, LONGEST_WAIT = 2.0, 900.0
"""Seconds: the first back-off is drawn from 0 to twice the one, later ones never exceed the other."""
PAUSE_SECONDS = 30.0
"""How long a connection rests when it asks to slow down without saying for how long."""
WORDS_LENGTH = 500


class LostLease(Exception):
    """Somebody else owns the row by now: whatever was found out must not be written."""


def lease_seconds() -> float:
    """How long one attempt may take: more than twice the deadline of one call."""
    return float(getattr(settings, "OUTBOX_LEASE_SECONDS", 150))


def settle_seconds() -> float:
    """How long after an unclear answer the other side may still apply the write."""
    return float(getattr(settings, "OUTBOX_SETTLE_SECONDS", 120))


def database_now() -> datetime:
    """The clock that all workers share; SQLite lives on one machine."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def backoff(attempts: int) -> float:
    """Seconds to wait after so many attempts: capped exponential, full jitter."""
    return random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempts, 20)))  # noqa: S311  jitter


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed attempt means for its row and its connection."""

    status: Status
    words: str
    wait: float = 0.0
    """Seconds until the row is due again."""
    spent: bool = True
    """False: the row was not at fault, the attempt is given back."""
    pause: float = 0.0
    """Seconds the whole connection rests."""
    broken: bool = False
    """The connection needs a person before anything else is tried."""


def after_failure(error: Exception, *, writing: bool, attempts: int) -> Failure:
    """The outcome table. ``writing``: the first byte of the write may have left."""
    words = (
        str(error) if isinstance(error, RemoteError) else _("an error of our own: %s") % type(error).__name__
    )
    if isinstance(error, RateLimited):
        pause = PAUSE_SECONDS if error.after is None else error.after
        return Failure(Status.WAITING, words, wait=pause, spent=False, pause=pause)
    if isinstance(error, ConnectionBroken):
        return Failure(Status.WAITING, words, spent=False, broken=True)
    if isinstance(error, Rejected):
        return Failure(Status.REJECTED, words)
    unclear = isinstance(error, OutcomeUnknown | BadResponse) or not isinstance(error, RemoteError)
    if writing and unclear:
        return Failure(Status.UNKNOWN, words, wait=settle_seconds())
    after = getattr(error, "after", None)
    return Failure(Status.WAITING, words, wait=backoff(attempts) if after is None else after)


@dataclass(frozen=True, slots=True)
class Outbox(Generic[Entry]):
    """One concrete outbox table.

    ``subject`` names the foreign key whose rows keep their order; ``blocked_by``
    says which earlier entries of a subject, besides those in flight, a later one
    must wait for.
    """

    model: type[Entry]
    subject: str
    blocked_by: Q = field(default_factory=lambda: Q(status=Status.HELD))

    @property
    def rows(self) -> "QuerySet[Entry]":
        return self.model._default_manager.all()

    def due(self) -> "QuerySet[Entry]":
        """Rows that may be claimed now; a claim repeats every one of these conditions.

        All of them are on the row itself or in EXISTS: a join would make the UPDATE
        select its rows in a subquery, which PostgreSQL does not check again after
        waiting for another worker's lock.
        """
        connections: type[Model] = self.model._meta.get_field("connection").related_model  # type: ignore[assignment]
        usable = (
            connections._default_manager.filter(pk=OuterRef("connection_id"), is_active=True)
            .exclude(health__needs_attention=True)
            .exclude(health__open_until__gt=Now())
        )
        others = self.rows.filter(**{self.subject: OuterRef(self.subject)}).exclude(pk=OuterRef("pk"))
        ahead = others.filter(Q(status__in=IN_FLIGHT) | (Q(pk__lt=OuterRef("pk")) & self.blocked_by))
        return self.rows.filter(
            Exists(usable),
            ~Exists(ahead),
            status__in=(Status.WAITING, Status.UNKNOWN),
            lease_until__isnull=True,
            not_before__lte=Now(),
        )

    def claim(self, pk: int) -> Entry | None:
        """Take one due row; None when it is not due (any more) or somebody else was faster.

        A waiting row becomes ``sending``, an unknown one stays what it is. The
        attempt is counted before the work, so a row that kills its worker is found out.
        """
        token = uuid.uuid4()
        try:
            with transaction.atomic():
                claimed = self.due().filter(pk=pk).update(
                    status=Case(
                        When(status=Status.WAITING, then=Value(Status.SENDING.value)), default=F("status")
                    ),
                    lease_token=token,
                    lease_until=Now() + timedelta(seconds=lease_seconds()),
                    attempts=F("attempts") + 1,
                )  # fmt: skip
        except IntegrityError:
            return None  # another entry of the subject went into flight at this moment
        if claimed != 1:
            return None
        return self.joined().get(pk=pk)

    def joined(self) -> "QuerySet[Entry]":
        """Rows with what a worker needs of them."""
        return self.rows.select_related("connection", self.subject)

    def held(self, entry: Entry) -> "QuerySet[Entry]":
        """The row as long as this claim owns it: every write goes through here."""
        return self.rows.filter(pk=entry.pk, lease_token=entry.lease_token, lease_until__gt=Now())

    def mark_sent(self, entry: Entry, *, extra_seconds: float = 0.0) -> None:
        """Commit that the first byte is about to leave, and renew the lease.

        A worker that dies before this mark has sent nothing for sure; after it
        nobody knows. Raises ``LostLease`` when the claim is no longer ours.
        """
        now = database_now()
        lease = timedelta(seconds=lease_seconds() + extra_seconds)
        self.write(entry, sent_at=now, lease_until=now + lease)
        if database_now() - now > lease / 2:
            raise LostLease(f"{entry}: this worker stood still after marking it")

    def write(self, entry: Entry, **values: Any) -> None:
        """Fenced update of a claimed row. Raises ``LostLease``."""
        if self.held(entry).update(updated_at=timezone.now(), **values) != 1:
            raise LostLease(f"{entry}: the lease ended or was taken over")
        for name, value in values.items():
            setattr(entry, name, value)

    def settle(self, entry: Entry, status: Status, *, wait: float = 0.0, **values: Any) -> None:
        """End the claim with a new state. Raises ``LostLease``.

        A row that goes back to waiting while a later one already waits keeps its
        place ahead of it: it stays in flight (``unknown``), with ``sent_at``
        telling whether anything left.
        """
        values = {"lease_token": None, "lease_until": None, **values}
        if "words" in values:
            values["words"] = values["words"][:WORDS_LENGTH]
        if status not in AbstractOutboxEntry.OPEN:
            values["finished_at"] = timezone.now()
        values["not_before"] = database_now() + timedelta(seconds=wait)
        try:
            with transaction.atomic():
                self.write(entry, status=status, **values)
        except IntegrityError:
            if status != Status.WAITING:
                raise
            self.write(entry, status=Status.UNKNOWN, **values)

    def release_expired(self) -> "Counter[str]":
        """Give back the rows of workers that died, by the state in which they died."""
        counts: Counter[str] = Counter()
        expired = self.rows.filter(status__in=IN_FLIGHT, lease_until__lte=Now())
        for entry in expired.order_by("pk")[:1000]:
            mine = self.rows.filter(pk=entry.pk, lease_token=entry.lease_token, lease_until__lte=Now())
            values: dict[str, Any] = {"lease_token": None, "lease_until": None, "updated_at": timezone.now()}
            crashes = entry.resolve.get("crashes", 0) + 1
            values["resolve"] = {**entry.resolve, "crashes": crashes}
            if crashes >= CRASHES_ALLOWED:
                status = Status.HELD
                values["words"] = _("Sending this broke off %d times; a person must look at it.") % crashes
            elif entry.sent_at is not None:
                status = Status.UNKNOWN
                values["words"] = _("Sending broke off; checking whether it arrived.")
                values["not_before"] = entry.sent_at + timedelta(seconds=settle_seconds())
            else:
                status = Status.WAITING
            try:
                with transaction.atomic():
                    released = mine.update(status=status, **values)
            except IntegrityError:  # a later entry waits: keep the place ahead of it
                released = mine.update(status=Status.UNKNOWN, **values)
            counts[status.value] += released
        return counts


def fairly(pairs: Iterable[tuple[int, int]]) -> list[int]:
    """(connection, row) pairs → rows, one of each connection in turn: no backlog starves another."""
    queues: dict[int, list[int]] = {}
    for connection_id, pk in pairs:
        queues.setdefault(connection_id, []).append(pk)
    turns = zip_longest(*queues.values())
    return [pk for turn in turns for pk in turn if pk is not None]
