"""Incidents: calls and campaigns against the rules, and a person's word that they were looked into."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from bot_campaigns.models import CampaignCommand, Incident
from bot_campaigns.services.commands import STOPS

CLOSE = "bot_campaigns.change_incident"
SLACK = timedelta(seconds=10)
"""The pause is asked for in the transaction that records the incident, or right after it."""


def alike(incident: Incident) -> QuerySet[Incident]:
    """The other open incidents of the same kind in the same campaign."""
    same = Incident.objects.filter(
        connection=incident.connection_id, campaign=incident.campaign_id, kind=incident.kind,
        closed_at__isnull=True,
    )  # fmt: skip
    return same.exclude(pk=incident.pk)


def close(incident: Incident, *, reason: str, by: Any, also_alike: bool = False) -> int:
    """Close an incident with a reason; all alike too where wanted. Returns how many were closed.

    Raises ``ValidationError`` without a reason, or when nothing was open any more.
    """
    if by is None or not by.has_perm(CLOSE):
        raise PermissionDenied(CLOSE)
    reason = " ".join(reason.split())
    if not reason:
        raise ValidationError({"reason": [_("Say what was found and what was done about it.")]})
    if len(reason) > 300:
        raise ValidationError({"reason": [_("At most 300 characters.")]})
    with transaction.atomic():
        pks = [incident.pk, *(alike(incident).values_list("pk", flat=True) if also_alike else ())]
        open_ = Incident.objects.select_for_update().filter(pk__in=pks, closed_at__isnull=True)
        closing = list(open_.order_by("pk"))
        if not closing:
            raise ValidationError(_("It is closed already."))
        Incident.objects.filter(pk__in=[row.pk for row in closing]).update(
            closed_at=timezone.now(), closed_by=by.get_username(), close_reason=reason
        )
        for row in closing:
            audit.record("incident.close", row, by=by, summary=reason, kind=row.kind)
    incident.refresh_from_db()
    return len(closing)


@dataclass(frozen=True)
class Reaction:
    """What the product did about an incident."""

    command: CampaignCommand | None
    by_us: bool
    """It gave that command because of the incident; otherwise the campaign had been stopped before."""


def reaction(incident: Incident) -> Reaction | None:
    """The stop that answers an incident; None where there is no campaign to stop."""
    if incident.campaign is None:
        return None
    stops = incident.campaign.commands.filter(operation__in=STOPS)
    ours = stops.filter(author=None, created_at__gte=incident.created_at - SLACK).order_by("pk").first()
    earlier = stops.filter(created_at__lte=incident.created_at + SLACK).order_by("-pk").first()
    standing = earlier if earlier is not None and earlier.author_id is not None else None
    if standing is not None:
        return Reaction(standing, by_us=False)
    return Reaction(ours or earlier, by_us=ours is not None)
