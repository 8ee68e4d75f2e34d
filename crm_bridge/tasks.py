"""Celery entry points: load by id, call one service, return counts.

Messages carry ids only and may come late, twice or never: the rows decide.
"""

from typing import Any

from celery import shared_task

from crm_bridge.services import push


@shared_task(name="crm_bridge.tasks.push_change", queue="push", ignore_result=True)
def push_change(pk: int) -> dict[str, int]:
    """Attempt one outgoing change, if it is due."""
    return push.push_one(pk).as_dict()


@shared_task(name="crm_bridge.tasks.resolve_change", queue="push", ignore_result=True)
def resolve_change(pk: int) -> dict[str, int]:
    """Look whether a change with an unclear outcome arrived, if it is due."""
    return push.push_one(pk).as_dict()


@shared_task(name="crm_bridge.tasks.sweep", queue="push", ignore_result=True)
def sweep() -> dict[str, Any]:
    """Find what lost messages and dead workers left behind."""
    return push.sweep()
