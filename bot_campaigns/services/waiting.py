"""Campaigns and launches that need a person: the badge of the menu, the list on Home."""

from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from bot_campaigns.models import Campaign, CampaignCommand, Launch
from bot_campaigns.records import ReportedStatus
from bot_campaigns.services.commands import START, STOPS

KEEP_SECONDS = 5
NEWS = timedelta(days=1)
"""A start that expired is news for so long."""

_ENDED = (ReportedStatus.ENDED, ReportedStatus.COMPLETED)


def unconfirmed_stops() -> QuerySet[CampaignCommand]:
    """Pauses, aborts and ends that AntBOT has not confirmed: it may still be calling."""
    return CampaignCommand.objects.filter(operation__in=STOPS, status__in=CampaignCommand.OPEN)


def failed_starts() -> QuerySet[CampaignCommand]:
    """Starts that came to nothing: refused, held or expired, and nobody has acted since."""
    newer = CampaignCommand.objects.filter(campaign=OuterRef("campaign"), pk__gt=OuterRef("pk"))
    expired = Q(status=CampaignCommand.Status.CANCELLED, created_at__gt=timezone.now() - NEWS)
    stuck = Q(status__in=CampaignCommand.FAILING)
    rows = CampaignCommand.objects.filter(expired | stuck, ~Exists(newer), operation=START)
    return rows.exclude(campaign__reported_status__in=_ENDED).exclude(campaign__gone_at__isnull=False)


def held_launches() -> QuerySet[Launch]:
    return Launch.objects.filter(status=Launch.Status.HELD)


def unstarted_launches() -> QuerySet[Launch]:
    """Handed over, meant to be started at once, and not started."""
    return Launch.objects.filter(status=Launch.Status.READY).exclude(words="")


def campaigns(user: Any) -> int:
    """How many things of campaigns wait for a person: one query, kept for a few seconds."""
    count = cache.get("waiting:campaigns")
    if count is None:
        sets: list[QuerySet[Any]] = [
            rows.order_by().values("pk")
            for rows in (unconfirmed_stops(), failed_starts(), held_launches(), unstarted_launches())
        ]
        count = sets[0].union(*sets[1:], all=True).count()
        cache.set("waiting:campaigns", count, KEEP_SECONDS)
    return int(count)


def running(limit: int) -> list[Campaign]:
    """Campaigns that dial, or whose stop is not confirmed; the doubtful ones first."""
    stopping = unconfirmed_stops().order_by().values("campaign")
    rows = Campaign.objects.filter(
        Q(reported_status=ReportedStatus.STARTED) | Q(pk__in=stopping), gone_at__isnull=True
    )
    return list(
        rows.select_related("connection").defer("connection__credentials", "raw").order_by("-pk")[:limit]
    )
