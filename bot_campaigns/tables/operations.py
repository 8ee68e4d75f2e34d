"""Incidents, runs and unreadable records as tables."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from backoffice.connections.tables import RunTable, UnreadableTable
from backoffice.tables import AgeColumn, ListTable
from backoffice.templatetags.backoffice import badge
from bot_campaigns.models import Incident

__all__ = ["IncidentTable", "RunTable", "UnreadableTable"]


class IncidentTable(ListTable):
    facts = ("summary", "campaign", "state")

    state = tables.Column(empty_values=(), verbose_name=_("State"))
    kind = tables.Column(verbose_name=_("Rule"), attrs={"td": {"class": "bo-clip"}})
    summary = tables.Column(verbose_name=_("What happened"), attrs={"td": {"class": "bo-clip"}})
    campaign = tables.Column(
        accessor="campaign__name", verbose_name=_("Campaign"), default="–", attrs={"td": {"class": "bo-clip"}}
    )
    number = tables.Column(accessor="call__number", verbose_name=_("Number"), default="–")
    created_at = AgeColumn(verbose_name=_("Found"))

    class Meta(ListTable.Meta):
        model = Incident
        fields = ("state", "kind", "summary", "campaign", "number", "created_at")

    def row_url(self, record: Incident) -> str:
        return reverse("bot:incident", args=[record.pk])

    def render_state(self, record: Incident) -> str:
        if record.closed_at is None:
            return badge("attention", _now("open"))
        return badge("settled", _now("closed"), title=record.close_reason)

    def render_campaign(self, value: str) -> str:
        return format_html("<span>{}</span>", value)

    def render_summary(self, value: str, record: Incident) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), value)
