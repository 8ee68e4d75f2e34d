"""What about the bots needs a person, counted: the badges of the menu and Home."""

from typing import Any

from django.db.models import Q, QuerySet

from backoffice.counts import kept
from backoffice.sync.connecting import troubled as troubled_health
from bot_campaigns.models import BotConnection, BotHealth, BotQuarantine, BotRun, Incident


def incidents(user: Any) -> int:
    return kept("bot:incidents", lambda: Incident.objects.filter(closed_at__isnull=True))


def held_runs(user: Any) -> int:
    return kept("bot:held", lambda: BotRun.objects.filter(status=BotRun.Status.HELD))


def unreadable(user: Any) -> int:
    return kept("bot:unreadable", lambda: BotQuarantine.objects.filter(resolved_at__isnull=True))


def connections(user: Any) -> int:
    """Bot connections in trouble, and those from which nothing can be launched yet."""
    return kept("bot:connections", lambda: BotConnection.objects.filter(_needs_somebody()))


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
