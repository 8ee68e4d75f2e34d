"""What lists and Home show of campaigns, worked out for all rows together."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from bot_campaigns import hours
from bot_campaigns.campaign_labels import campaign_state, command_words
from bot_campaigns.models import CallingRules, Campaign
from bot_campaigns.records import ReportedStatus
from bot_campaigns.services import commands, figures

PACE_OVER = timedelta(minutes=5)
OLD_REPORT = timedelta(minutes=2)
"""A report of a campaign that dials is read every few seconds: one as old as this is said to be."""
PERMISSIONS = {
    "start": commands.LAUNCH, "pause": commands.STOP, "abort": commands.STOP, "end": commands.STOP,
    "delete": commands.REMOVE,
}  # fmt: skip


def rows(campaigns: Sequence[Campaign], user: Any, *, back: str = "") -> dict[int, dict[str, Any]]:
    """Campaign id → state, figures, pace, window and the buttons of this person, in a few queries."""
    now = timezone.now()
    lines = commands.state_lines(campaigns)
    numbers = figures.kept_figures(campaigns)
    pace = _pace([row.pk for row in campaigns if row.reported_status == ReportedStatus.STARTED])
    stored = CallingRules.objects.filter(connection__in={row.connection_id for row in campaigns})
    rules = {row.connection_id: row for row in stored}
    found = {}
    for row in campaigns:
        mine = rules.get(row.connection_id) or CallingRules(connection=row.connection)
        found[row.pk] = {
            **state(row, lines[row.pk]),
            "figures": numbers[row.pk],
            "pace": pace.get(row.pk),
            "today": hours.today(row, mine, now),
            "buttons": buttons(row, lines[row.pk], user, only=("start", "pause", "abort", "end")),
            "back": back,
        }
    return found


def state(campaign: Campaign, line: commands.StateLine) -> dict[str, Any]:
    """The badge, the sentence beside it, and how old the report is."""
    tone, word = campaign_state(campaign, line)
    moving = campaign.reported_status == ReportedStatus.STARTED or line.not_yet_stopped
    reported = campaign.reported_at
    return {
        "campaign": campaign,
        "line": line,
        "tone": tone,
        "word": word,
        "old_report": moving and (reported is None or timezone.now() - reported > OLD_REPORT),
    }


def buttons(
    campaign: Campaign, line: commands.StateLine, user: Any, *, only: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The commands this person may give; one that cannot be given now says why.

    With ``only`` just those that can be, as in a row.
    """
    found = []
    likely = "pause" if line.refused.get("start") else "" if line.not_yet_stopped else "start"
    for name, permission in PERMISSIONS.items():
        why = line.refused.get(name, "")
        if not user.has_perm(permission) or (only and (why or name not in only)):
            continue
        found.append(
            {
                "name": name,
                "label": command_words(name, line.resumes),
                "why": why,
                "route": f"bot:campaign_{name}",
                "primary": name == likely and not why,
            }
        )
    return found


def _pace(running: list[int]) -> dict[int, float]:
    """Calls a minute over the last minutes, of campaigns that run."""
    if not running:
        return {}
    since = timezone.now() - PACE_OVER
    calls = figures.calls_to_people().filter(campaign__in=running, started_at__gte=since).order_by()
    counted = dict(calls.values_list("campaign").annotate(n=Count("pk")))
    minutes = PACE_OVER.total_seconds() / 60
    return {pk: counted.get(pk, 0) / minutes for pk in running}
