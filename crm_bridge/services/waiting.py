"""How much work waits for a person: the badges of the menu and the list on Home.

Counts are bounded and kept for a few seconds, since every page shows them.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from backoffice.counts import kept
from backoffice.sync.connecting import troubled as troubled_health
from crm_bridge.models import Connection, ConnectionHealth, ContactChange, Merge, Quarantine, Run
from crm_bridge.services.access import ALL_CHANGES, changes_for, open_conflicts_for

LATE = timedelta(minutes=5)
"""A change that is due so long and not taken: nothing takes changes any more."""

STUCK = (ContactChange.Status.REJECTED, ContactChange.Status.HELD)


def conflicts(user: Any) -> int:
    return _kept("conflicts", user, lambda: open_conflicts_for(user).order_by().values("contact").distinct())


def stuck_changes(user: Any) -> int:
    return _kept("stuck", user, lambda: changes_for(user).filter(status__in=STUCK))


def held_runs(user: Any) -> int:
    return _kept("held", None, lambda: Run.objects.filter(status=Run.Status.HELD))


def unreadable(user: Any) -> int:
    return _kept("unreadable", None, lambda: Quarantine.objects.filter(resolved_at__isnull=True))


def merges(user: Any) -> int:
    return _kept("merges", None, lambda: Merge.objects.filter(proof=Merge.Proof.TO_PROVE))


def troubled_connections(user: Any) -> int:
    return _kept("connections", None, troubled)


def troubled() -> QuerySet[ConnectionHealth]:
    """Connections that a person has to look at: refused credentials, or paused by their circuit."""
    return troubled_health(ConnectionHealth.objects.all())


def late_change() -> ContactChange | None:
    """The oldest change that has been due for too long on a connection that could take it."""
    due = ContactChange.objects.filter(
        status=ContactChange.Status.WAITING,
        not_before__lt=timezone.now() - LATE,
        connection__in=Connection.objects.filter(is_active=True).exclude(health__in=troubled()),
    )
    return due.order_by("not_before").first()


def _kept(name: str, user: Any, rows: Callable[[], QuerySet[Any]]) -> int:
    scope = "all" if user is None or user.has_perm(ALL_CHANGES) else user.pk
    return kept(f"{name}:{scope}", rows)
