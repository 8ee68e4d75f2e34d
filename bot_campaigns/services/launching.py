"""Confirming a launch: the last look of a person before numbers leave the house.

Nothing is sent here. The launch is marked, its proof completed, and a worker rung.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.sync import bell
from backoffice.sync.push import database_now
from bot_campaigns.models import Launch
from bot_campaigns.services import preflight
from bot_campaigns.services.commands import LAUNCH
from bot_campaigns.services.preflight import Brake
from crm_bridge.phones import digits

HAND_OVER_TASK = "bot_campaigns.tasks.hand_over"
_CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike


class NotLaunched(ValueError):
    """The launch was not confirmed; ``brakes`` say why, the message says it in words."""

    def __init__(self, brakes: list[Brake]) -> None:
        super().__init__(" ".join(brake.words for brake in brakes))
        self.brakes = brakes


def new_code() -> str:
    """The code of a new launch, as it stands in the names at the bot."""
    return "".join(secrets.choice(_CODE_LETTERS) for _letter in range(10))


def confirm(
    launch: Launch,
    *,
    by: Any,
    typed: str = "",
    overrides: Mapping[str, str] | None = None,
    start: bool = True,
) -> Launch:
    """Let a checked launch go: hand-over, then the start unless ``start`` is False.

    ``overrides`` is brake code → reason, for the brakes that may be overridden. A second
    click finds the launch confirmed and changes nothing. Raises ``NotLaunched``.
    """
    if not by.has_perm(LAUNCH):
        raise PermissionDenied(LAUNCH)
    given = {code: reason.strip() for code, reason in (overrides or {}).items() if reason.strip()}
    with transaction.atomic():
        row = Launch.objects.select_for_update(of=("self",)).select_related("connection").get(pk=launch.pk)
        if row.confirmed_at is not None:
            launch.refresh_from_db()
            return launch
        now = timezone.now()
        brakes = preflight.brakes(row, now)
        stopping = [each for each in brakes if not (each.can_override and each.code in given)]
        if not start:  # handed over in the evening for tomorrow: the start asks for the hour again
            stopping = [each for each in stopping if each.code != "window"]
        if problem := _typed_wrong(row, typed):
            stopping.append(problem)
        if stopping:
            raise NotLaunched(stopping)
        overridden = {each.code: {"words": each.words, "reason": given[each.code]} for each in brakes
                      if each.code in given}  # fmt: skip
        row.proof = {
            **row.proof,
            "confirmed_at": now.isoformat(),
            "confirmed_by": by.get_username(),
            "typed": bool(typed.strip()),
            "overrides": overridden,
            "start": start,
        }
        row.status, row.confirmed_at, row.confirmed_by = Launch.Status.HANDING_OVER, now, by
        row.not_before, row.lease_token, row.lease_until, row.words = database_now(), None, None, ""
        row.save(
            update_fields=[
                "proof", "status", "confirmed_at", "confirmed_by", "not_before", "lease_token", "lease_until",
                "words",
            ]
        )  # fmt: skip
        audit.record(
            "launch.confirm", row, by=by, summary=row.name, to_dial=row.counts.get("to_dial"),
            overrides=overridden, start=start,
        )  # fmt: skip
        bell.ring(HAND_OVER_TASK, row.pk, on="push")
    launch.refresh_from_db()
    return launch


def needs_typing(launch: Launch) -> bool:
    """Whether the number of calls has to be typed."""
    above = preflight.rules_of(launch.connection).type_above
    return bool(launch.counts.get("to_dial", 0) > above)


def _typed_wrong(launch: Launch, typed: str) -> Brake | None:
    to_dial = launch.counts.get("to_dial", 0)
    if not needs_typing(launch) or digits(typed) == str(to_dial):
        return None
    return Brake("typed", _("Type %d, the number of people who will be called.") % to_dial, field="typed")


def cancel(launch: Launch, *, by: Any) -> Launch:
    """Give up a launch that has not been started; what was handed over is never dialled."""
    if not by.has_perm(LAUNCH):
        raise PermissionDenied(LAUNCH)
    open_ = (
        Launch.Status.DRAFT, Launch.Status.CHECKED, Launch.Status.HANDING_OVER, Launch.Status.READY,
        Launch.Status.HELD,
    )  # fmt: skip
    with transaction.atomic():
        changed = Launch.objects.filter(pk=launch.pk, status__in=open_).update(
            status=Launch.Status.CANCELLED, lease_token=None, lease_until=None
        )
        if not changed:
            raise NotLaunched([Brake("status", _("This launch cannot be cancelled any more."))])
        audit.record("launch.cancel", launch, by=by, summary=launch.name)
    launch.refresh_from_db()
    return launch


def resume(launch: Launch, *, by: Any) -> Launch:
    """A person has seen why a hand-over was held and wants it to go on."""
    if not by.has_perm(LAUNCH):
        raise PermissionDenied(LAUNCH)
    with transaction.atomic():
        changed = Launch.objects.filter(
            pk=launch.pk, status=Launch.Status.HELD, confirmed_at__isnull=False, campaign__isnull=True
        ).update(status=Launch.Status.HANDING_OVER, not_before=database_now(), words="")
        if not changed:
            raise NotLaunched([Brake("status", _("The hand-over of this launch is not held."))])
        audit.record("launch.resume", launch, by=by, summary=launch.name)
        bell.ring(HAND_OVER_TASK, launch.pk, on="push")
    launch.refresh_from_db()
    return launch
