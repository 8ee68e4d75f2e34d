"""What about the bots needs a person, counted: the badges of the menu and Home."""

from typing import Any

from django.core.cache import cache
from django.db.models import CharField, Count, Q, QuerySet, Value

from backoffice.counts import KEEP_SECONDS
from backoffice.sync.connecting import troubled as troubled_health
from bot_campaigns.models import BotConnection, BotHealth, BotQuarantine, BotRun, Incident

_KEY = "waiting:bots"


def incidents(user: Any) -> int:
    return _counts()["incidents"]


def held_runs(user: Any) -> int:
    return _counts()["held_runs"]


def unreadable(user: Any) -> int:
    return _counts()["unreadable"]


def connections(user: Any) -> int:
    """Bot connections in trouble, and those from which nothing can be launched yet."""
    return _counts()["connections"]


def _counts() -> dict[str, int]:
    """All of them in one query, kept for a few seconds: every page shows them."""
    counts: dict[str, int] | None = cache.get(_KEY)
    if counts is None:
        sets: dict[str, QuerySet[Any]] = {
            "incidents": Incident.objects.filter(closed_at__isnull=True),
            "held_runs": BotRun.objects.filter(status=BotRun.Status.HELD),
            "unreadable": BotQuarantine.objects.filter(resolved_at__isnull=True),
            "connections": BotConnection.objects.filter(_needs_somebody()),
        }
        first, *others = [
            rows.order_by().values(what=Value(what, CharField())).annotate(number=Count("pk"))
            for what, rows in sets.items()
        ]
        counts = dict.fromkeys(sets, 0)
        counts |= {row["what"]: row["number"] for row in first.union(*others, all=True)}
        cache.set(_KEY, counts, KEEP_SECONDS)
    return counts


def troubled() -> QuerySet[BotHealth]:
    """Refused credentials, or paused by their circuit."""
    return troubled_health(BotHealth.objects.all())


def unconfirmed() -> QuerySet[BotConnection]:
    """Connections whose vendor's clock nobody has confirmed: every launch waits for that."""
    return BotConnection.objects.filter(_clock_open(), is_active=True)


def _clock_open() -> Q:
    return Q(vendor_zone="") | Q(zone_confirmed_at__isnull=True)


def _needs_somebody() -> Q:
    return Q(is_active=True) & (Q(health__in=troubled()) | _clock_open())
