"""Incidents: what broke a rule, what was done about it, and closing it with a reason."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy, ngettext

from backoffice.pages import Action, ListPage, Page
from bot_campaigns.filters.operations import IncidentFilter
from bot_campaigns.models import Incident
from bot_campaigns.records import ReportedStatus, status_label
from bot_campaigns.services import incidents, preflight
from bot_campaigns.tables.operations import IncidentTable


class IncidentList(ListPage):
    permission = "bot_campaigns.view_incident"
    title = gettext_lazy("Incidents")
    noun = gettext_lazy("incidents")
    empty_text = gettext_lazy("No call and no campaign has broken a calling rule.")
    table_class = IncidentTable
    filterset_class = IncidentFilter

    def get_queryset(self) -> QuerySet[Incident]:
        return Incident.objects.order_by("-created_at", "-id")

    def with_related(self, rows: QuerySet[Incident]) -> QuerySet[Incident]:
        return rows.select_related("campaign", "call")


class IncidentPage(Page):
    permission = "bot_campaigns.view_incident"
    template_name = "bot_campaigns/incident.html"
    crumbs = ((gettext_lazy("Incidents"), "bot:incidents"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = Incident.objects.select_related("connection", "campaign", "call__contact")
        incident = get_object_or_404(rows.defer("connection__credentials"), pk=kwargs["pk"])
        self.title = capfirst(incident.get_kind_display())
        campaign = incident.campaign
        return super().get_context_data(
            incident=incident,
            rules=preflight.rules_of(incident.connection),
            reaction=incidents.reaction(incident),
            reported=status_label(ReportedStatus, campaign.reported_status) if campaign else "",
            alike=incidents.alike(incident).count() if incident.closed_at is None else 0,
            may_close=incident.closed_at is None and self.request.user.has_perm(incidents.CLOSE),
            **kwargs,
        )


class CloseIncident(Action):
    """A person has looked into it."""

    permission = "bot_campaigns.change_incident"
    back_to = "bot:incidents"

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        incident = get_object_or_404(Incident, pk=kwargs["pk"])
        closed = incidents.close(
            incident,
            reason=request.POST.get("reason", ""),
            by=request.user,
            also_alike=request.POST.get("alike") == "1",
        )
        return ngettext("%d incident closed.", "%d incidents closed.", closed) % closed
