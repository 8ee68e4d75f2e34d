"""Filters of incidents, runs and unreadable records. All of them work on indexed columns."""

from typing import Any

import django_filters as filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models import BotConnection, BotQuarantine, BotRun, Campaign, Incident
from bot_campaigns.services.streams import STREAMS


def _connection() -> filters.ModelChoiceFilter:
    return filters.ModelChoiceFilter(
        queryset=BotConnection.objects.only("name"), label=_("Bot"), empty_label=_("All")
    )


def _day(lookup: str, label: Any) -> filters.DateFilter:
    widget = forms.DateInput(attrs={"type": "date"})
    return filters.DateFilter(field_name="created_at", lookup_expr=lookup, label=label, widget=widget)


class _CampaignOfIncidents(filters.ModelChoiceFilter):
    """Only campaigns that have an incident: the others would find nothing."""

    def get_queryset(self, request: Any) -> QuerySet[Campaign]:
        with_one = Incident.objects.filter(campaign__isnull=False).order_by().values("campaign").distinct()
        return Campaign.objects.filter(pk__in=with_one).only("name").order_by("-pk")


class IncidentFilter(filters.FilterSet):
    state = filters.ChoiceFilter(
        label=_("State"), empty_label=_("All"), method="in_state",
        choices=(("open", _("open")), ("closed", _("closed"))),
    )  # fmt: skip
    kind = filters.ChoiceFilter(choices=Incident.Kind.choices, label=_("Rule"), empty_label=_("All"))
    campaign = _CampaignOfIncidents(label=_("Campaign"), empty_label=_("All"))
    connection = _connection()
    since = _day("date__gte", _("Found from"))
    until = _day("date__lte", _("Found until"))

    class Meta:
        model = Incident
        fields = ("state", "kind", "campaign", "connection", "since", "until")

    def in_state(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(closed_at__isnull=value == "open")


class RunFilter(filters.FilterSet):
    LIVE = "live"

    connection = _connection()
    stream = filters.ChoiceFilter(
        choices=[*((name, name) for name in STREAMS), (LIVE, _("polls of campaigns that dial"))],
        label=_("Stream"), empty_label=_("All"), method="of_stream",
    )  # fmt: skip
    status = filters.ChoiceFilter(choices=BotRun.Status.choices, label=_("State"), empty_label=_("All"))
    mode = filters.ChoiceFilter(choices=BotRun.Mode.choices, label=_("Kind"), empty_label=_("All"))

    class Meta:
        model = BotRun
        fields = ("connection", "stream", "status", "mode")

    def of_stream(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(stream__startswith="live-") if value == self.LIVE else rows.filter(stream=value)


class UnreadableFilter(filters.FilterSet):
    connection = _connection()
    settled = filters.BooleanFilter(
        field_name="resolved_at",
        lookup_expr="isnull",
        exclude=True,
        label=_("Readable again"),
        widget=forms.Select(choices=[("", _("All")), ("false", _("no")), ("true", _("yes"))]),
    )

    class Meta:
        model = BotQuarantine
        fields = ("connection", "settled")
