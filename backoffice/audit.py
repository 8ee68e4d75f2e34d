"""The one way to write the audit trail."""

from typing import Any

from django.db import models

from backoffice.models import AuditEntry


def record(action: str, target: models.Model, *, by: Any, summary: str = "", **data: Any) -> AuditEntry:
    """Write one audit row. Call it inside the transaction of the deed itself.

    ``data`` must be JSON-ready and must not hold secrets. ``by`` None is the
    product itself (a pull, a sweep).
    """
    return AuditEntry.objects.create(
        actor=by,
        actor_name=by.get_username() if by is not None else "",
        action=action,
        object_type=target._meta.label_lower,
        object_id=str(target.pk),
        summary=summary[:300],
        data=data,
    )
