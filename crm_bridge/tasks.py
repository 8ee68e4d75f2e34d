"""Celery entry points: load by id, call one service, return counts.

Messages carry ids only and may come late, twice or never: the rows decide.
"""

from dataclasses import asdict
from typing import Any

from celery import shared_task
from django.contrib.auth import get_user_model
from django.utils import timezone

from backoffice.remote.errors import RemoteError
from crm_bridge.models import Connection
from crm_bridge.services import custom_fields, probing, pull, push, same_person, schedule

LIMITS = {"ignore_result": True, "soft_time_limit": 240, "time_limit": 300}


@shared_task(name="crm_bridge.tasks.push_change", **LIMITS)
def push_change(pk: int) -> dict[str, int]:
    """Attempt one outgoing change, if it is due; an unclear one is looked up first."""
    return push.push_one(pk).as_dict()


@shared_task(name="crm_bridge.tasks.sweep", **LIMITS)
def sweep() -> dict[str, int]:
    """Find what lost messages and dead workers left behind."""
    return push.sweep()


@shared_task(name="crm_bridge.tasks.pull_stream", ignore_result=True)
def pull_stream(
    connection_id: int, stream: str, mode: str | None = None, asked_by_id: int | None = None
) -> dict[str, Any]:
    """Run one stream. A ring nobody asked for counts only while the stream is due."""
    asked = (connection_id, stream, mode)
    if asked_by_id is None and asked not in schedule.due_streams(timezone.now()):
        return {"skipped": "not due"}
    connection = Connection.objects.get(pk=connection_id)
    user = get_user_model().objects.filter(pk=asked_by_id or 0).first()
    try:
        run = pull.pull(connection, stream, mode=mode, asked_by=user)
    except pull.Busy:
        return {"skipped": "busy"}
    return {"run": run.pk, "seen": run.seen, "created": run.created, "changed": run.changed}


@shared_task(name="crm_bridge.tasks.pull_fields", ignore_result=True)
def pull_fields(connection_id: int) -> dict[str, Any]:
    """Read the custom fields of one account anew."""
    connection = Connection.objects.get(pk=connection_id)
    if not connection.capabilities.custom_field_definitions:
        return {"skipped": "it defines none"}
    try:
        return asdict(custom_fields.refresh(connection))
    except RemoteError as error:
        return {"error": str(error)}


@shared_task(name="crm_bridge.tasks.pull_check", ignore_result=True)
def pull_check(pk: int) -> dict[str, Any]:
    """Make one guided check of an account, if it waits."""
    check = probing.run(pk)
    return {"skipped": "not waiting"} if check is None else {"check": check.pk, "status": check.status}


@shared_task(name="crm_bridge.tasks.pull_sharing", ignore_result=True)
def pull_sharing() -> dict[str, Any]:
    """Count anew which contacts share a phone or an e-mail, if contacts changed since."""
    if not same_person.due(timezone.now()):
        return {"skipped": "not due"}
    return {"groups": same_person.recount()}
