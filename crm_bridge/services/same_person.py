"""The same person in several records: contacts that share a phone or an e-mail, with the reason.

Told, never merged by itself. A number that too many share is a switchboard, and says nothing
about who they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm_bridge.models import (
    Contact,
    ContactChange,
    ContactEmail,
    ContactPhone,
    Run,
    SharedReach,
    SharingCount,
)

SWITCHBOARD = 20
"""More contacts than this share it: a company's number, not a person's."""
LOOKED_AT = 200
EVERY = timedelta(minutes=10)
TASK = "crm_bridge.tasks.pull_sharing"
PHONE, EMAIL = SharedReach.Kind.PHONE, SharedReach.Kind.EMAIL
REACH: tuple[tuple[SharedReach.Kind, Any, str], ...] = (
    (PHONE, ContactPhone, "e164"),
    (EMAIL, ContactEmail, "address_folded"),
)
"""What can be shared, and where it is kept."""


@dataclass(slots=True)
class Reason:
    """What two contacts share."""

    kind: str
    value: str
    shared_by: int = 0
    """How many contacts have it, this one included; counted no further than a few."""

    @property
    def is_switchboard(self) -> bool:
        return self.shared_by > SWITCHBOARD


@dataclass(slots=True)
class Match:
    """Another contact that may be the same person."""

    contact: Contact
    reasons: list[Reason] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """What is shared, each kind once."""
        return list(dict.fromkeys(reason.kind for reason in self.reasons))


@dataclass(slots=True)
class Shared:
    """Who shares what with one contact."""

    matches: list[Match] = field(default_factory=list)
    switchboards: list[Reason] = field(default_factory=list)
    """Shared by so many that they are not listed."""


def shared_with(contact: Contact) -> Shared:
    """Live contacts that share a phone or e-mail with this one, in any CRM; other CRMs first."""
    found: dict[int, list[Reason]] = {}
    shared = Shared()
    for reason, ids in _by_reason(contact):
        if reason.is_switchboard:
            shared.switchboards.append(reason)
            continue
        for pk in ids:
            found.setdefault(pk, []).append(reason)
    rows = Contact.objects.live().select_related("connection")
    rows = rows.defer("raw", "search_text", "note", "connection__credentials", "connection__measured")
    others = rows.in_bulk(list(found))
    shared.matches = [Match(others[pk], reasons) for pk, reasons in found.items() if pk in others]
    shared.matches.sort(
        key=lambda each: (
            each.contact.connection_id == contact.connection_id,
            each.contact.name,
            each.contact.pk,
        )
    )
    return shared


def near(contact: Contact, *, connection: int) -> list[tuple[int, list[Reason]]]:
    """Ids of contacts of one connection that share something with this one, the most first."""
    found: dict[int, list[Reason]] = {}
    for reason, ids in _by_reason(contact, Q(contact__connection=connection)):
        for pk in ids:
            found.setdefault(pk, []).append(reason)
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def _by_reason(contact: Contact, only: Q = Q()) -> Iterable[tuple[Reason, list[int]]]:  # noqa: B008  immutable
    """Each phone and e-mail of a contact with the ids of the others that have it."""
    for kind, model, column in REACH:
        held = contact.phones.all() if kind == PHONE else contact.emails.all()
        values = {value for row in held if (value := getattr(row, column))}
        if not values:
            continue
        rows = model.objects.filter(only, **{f"{column}__in": values}).exclude(contact=contact)
        rows = rows.filter(contact__state=Contact.State.LIVE).order_by()
        by_value: dict[str, set[int]] = {value: set() for value in values}
        for value, pk in rows.values_list(column, "contact_id")[: LOOKED_AT * len(values)]:
            by_value[value].add(pk)
        for value, ids in sorted(by_value.items()):
            if ids:
                yield Reason(kind.value, value, len(ids) + 1), sorted(ids)


def holders(reach: SharedReach) -> "QuerySet[Contact]":
    """The live contacts of one group, as they are now."""
    model, column = next((model, column) for kind, model, column in REACH if kind == reach.kind)
    having = model.objects.filter(**{column: reach.value}).order_by().values("contact")
    return Contact.objects.live().filter(pk__in=having).order_by("connection_id", "pk")


# --- the list of groups ------------------------------------------------------------------

_COUNTED = """
    SELECT {column} AS value, count(DISTINCT c.id) AS contacts, count(DISTINCT c.connection_id) AS connections
    FROM {table} r JOIN crm_bridge_contact c ON c.id = r.contact_id
    WHERE r.{column} IN (
        SELECT {column} FROM {table} WHERE {column} <> '' GROUP BY {column} HAVING count(*) > 1
    ) AND c.state = 'live'
    GROUP BY {column} HAVING count(DISTINCT c.id) > 1
"""


def last_count() -> SharingCount | None:
    """When the groups were last counted; None: never."""
    return SharingCount.objects.first()


def due(now: datetime) -> bool:
    """Whether contacts changed since the last count, which is some minutes old."""
    last = last_count()
    if last is None:
        return Contact.objects.exists()
    if now - last.counted_at < EVERY:
        return False
    runs = Run.objects.filter(started_at__gte=last.counted_at - EVERY).exclude(status=Run.Status.RUNNING)
    if runs.filter(Q(created__gt=0) | Q(changed__gt=0) | Q(trashed__gt=0) | Q(merged__gt=0)).exists():
        return True
    return ContactChange.objects.filter(updated_at__gte=last.counted_at).exists()


def recount() -> int:
    """Count anew who shares what; only what is different is written. Returns the number of groups."""
    now = timezone.now()
    wanted: dict[tuple[str, str], tuple[int, int]] = {}
    for kind, model, column in REACH:
        table = model._meta.db_table
        with connections[SharedReach.objects.db].cursor() as cursor:
            cursor.execute(_COUNTED.format(column=column, table=table))
            for value, contacts, crms in cursor.fetchall():
                wanted[(kind.value, value)] = (contacts, crms)
    known = {(row.kind, row.value): row for row in SharedReach.objects.all().iterator(chunk_size=5_000)}
    gone = [row.pk for key, row in known.items() if key not in wanted]
    changed, new = [], []
    for (name, value), (contacts, crms) in wanted.items():
        row = known.get((name, value))
        if row is None:
            new.append(SharedReach(kind=name, value=value, contacts=contacts, connections=crms))
        elif (row.contacts, row.connections) != (contacts, crms):
            row.contacts, row.connections = contacts, crms
            changed.append(row)
    for start in range(0, len(gone), 500):
        SharedReach.objects.filter(pk__in=gone[start : start + 500]).delete()
    with transaction.atomic():
        SharedReach.objects.bulk_update(changed, ["contacts", "connections"], batch_size=500)
        SharedReach.objects.bulk_create(new, batch_size=1_000, ignore_conflicts=True)
    SharingCount.objects.update_or_create(pk=1, defaults={"counted_at": now, "groups": len(wanted)})
    return len(wanted)
