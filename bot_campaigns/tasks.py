"""Celery entry points of the campaigns: load by id, call one service, return counts.

Messages carry ids only and may come late, twice or never: the rows decide.
"""

from typing import Any

from celery import shared_task
from django.contrib.auth import get_user_model
from django.utils import timezone

from backoffice.sync import bell
from bot_campaigns.models import BotConnection, Campaign
from bot_campaigns.services import (
    change_sending,
    control,
    handover,
    live,
    pull,
    recall,
    reminder_sending,
    watch,
)

SHORT = {"ignore_result": True, "soft_time_limit": 60, "time_limit": 90}
LONG = {"ignore_result": True, "soft_time_limit": 3300, "time_limit": 3600}


@shared_task(name="bot_campaigns.tasks.hand_over", **LONG)
def hand_over(launch_id: int) -> str:
    """Carry the hand-over of a launch on, if it waits for a worker."""
    return handover.hand_over(launch_id)


@shared_task(name="bot_campaigns.tasks.send_command", **SHORT)
def send_command(pk: int) -> str:
    """Attempt one command to a campaign, if it is due."""
    return control.send_one(pk)


@shared_task(name="bot_campaigns.tasks.control", **SHORT)
def control_sweep() -> dict[str, int]:
    """Repeat the stops that are not confirmed, and find hand-overs without a worker."""
    return {**control.sweep(), "hand_overs": handover.sweep()}


@shared_task(name="bot_campaigns.tasks.recall", **SHORT)
def recall_sweep() -> dict[str, int]:
    """Take back what must not be called any more, and look at the calls that were made."""
    return {"incidents": watch.check_calls(), **recall.sweep()}


@shared_task(name="bot_campaigns.tasks.withdraw", **SHORT)
def withdraw() -> int:
    """Take back the numbers that somebody just suppressed."""
    return recall.carry_out()


# --- what staff make at the bot ----------------------------------------------------------


@shared_task(name="bot_campaigns.tasks.send_change", **LONG)
def send_change(pk: int) -> str:
    """Attempt one change of a phonebook, call flow or do-not-call list, if it is due."""
    return change_sending.send_one(pk)


@shared_task(name="bot_campaigns.tasks.send_reminder", **LONG)
def send_reminder(pk: int) -> str:
    """Carry one reminder call on, if it is due."""
    return reminder_sending.send_one(pk)


@shared_task(name="bot_campaigns.tasks.desk", **SHORT)
def desk_sweep() -> dict[str, int]:
    """Find the changes and reminders that are due or whose worker died."""
    return {**change_sending.sweep(), "reminders": reminder_sending.sweep()}


# --- the mirror --------------------------------------------------------------------------


@shared_task(name="bot_campaigns.tasks.pull_stream", ignore_result=True)
def pull_stream(
    connection_id: int, stream: str, mode: str | None = None, asked_by_id: int | None = None
) -> dict[str, Any]:
    """Run one stream. A ring nobody asked for counts only while the stream is due."""
    asked = (connection_id, stream, mode)
    if asked_by_id is None and asked not in pull.due_streams(timezone.now()):
        return {"skipped": "not due"}
    connection = BotConnection.objects.get(pk=connection_id)
    user = get_user_model().objects.filter(pk=asked_by_id or 0).first()
    try:
        run = pull.pull(connection, stream, mode=mode, asked_by=user)
    except pull.Busy:
        return {"skipped": "busy"}
    return {"run": run.pk, "seen": run.seen, "created": run.created, "changed": run.changed}


@shared_task(name="bot_campaigns.tasks.poll_campaign", ignore_result=True)
def poll_campaign(campaign_id: int) -> dict[str, Any]:
    """Read state, calls and subscribers of one campaign that dials, if that is due."""
    if campaign_id not in live.due_polls(timezone.now()):
        return {"skipped": "not due"}
    try:
        run = live.poll(Campaign.objects.select_related("connection").get(pk=campaign_id))
    except pull.Busy:
        return {"skipped": "busy"}
    return {"created": run.created, "changed": run.changed}


@shared_task(name="bot_campaigns.tasks.mirror", **SHORT)
def mirror() -> dict[str, int]:
    """Start the streams that are due."""
    streams = pull.due_streams(timezone.now())
    for connection_id, stream, mode in streams:
        bell.ring("bot_campaigns.tasks.pull_stream", connection_id, stream, mode, None, on="pull")
    return {"pulls": len(streams)}


@shared_task(name="bot_campaigns.tasks.poll", **SHORT)
def poll() -> dict[str, int]:
    """Start the polls of campaigns that dial; a few queries while none does."""
    campaigns = live.due_polls(timezone.now())
    for campaign_id in campaigns:
        bell.ring("bot_campaigns.tasks.poll_campaign", campaign_id, on="push")
    return {"polls": len(campaigns)}
