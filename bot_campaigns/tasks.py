"""Celery entry points of the campaigns: load by id, call one service, return counts.

Messages carry ids only and may come late, twice or never: the rows decide.
"""

from celery import shared_task

from bot_campaigns.services import control, handover, recall, watch

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
