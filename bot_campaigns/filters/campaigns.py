"""Filters of the campaign lists."""

from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models import BotConnection, Call, Campaign, Launch, LaunchNumber, Subscriber
from bot_campaigns.records import Leg, ReportedStatus
from bot_campaigns.services import figures, waiting
from crm_bridge.phones import digits


def search_box(placeholder: Any) -> forms.TextInput:
    return forms.TextInput(attrs={"type": "search", "placeholder": placeholder, "maxlength": 120})


def connection_filter() -> filters.ModelChoiceFilter:
    return filters.ModelChoiceFilter(
        queryset=BotConnection.objects.only("name"), label=_("Account"), empty_label=_("All")
    )


def number_or_name(rows: QuerySet[Any], value: str, *names: str) -> QuerySet[Any]:
    """Rows whose number holds these digits, or one of whose names holds the text."""
    wanted = Q()
    for name in names:
        wanted |= Q(**{f"{name}__icontains": value})
    scrap = "" if any(each.isalpha() for each in value) else digits(value).removeprefix("0")
    if scrap:
        wanted |= Q(number__contains=scrap) | Q(e164__contains=scrap)
    return rows.filter(wanted) if wanted else rows.none()


class OfAccounts(filters.FilterSet):
    """Offers the account only where there are several."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if BotConnection.objects.order_by().values("pk")[:2].count() < 2:
            del self.filters["connection"]


class CampaignFilter(OfAccounts):
    STATES = (
        ("running", _("running")),
        ("waiting", _("waiting or paused")),
        ("unconfirmed", _("stop not confirmed")),
        ("not_started", _("start failed")),
        ("finished", _("ended or completed")),
        ("gone", _("deleted at AntBOT")),
    )

    q = filters.CharFilter(
        label=_("Search"), field_name="name", lookup_expr="icontains", widget=search_box(_("Name …"))
    )
    state = filters.ChoiceFilter(choices=STATES, label=_("State"), empty_label=_("All"), method="in_state")
    connection = connection_filter()

    class Meta:
        model = Campaign
        fields = ("q", "state", "connection")

    def in_state(self, rows: QuerySet[Campaign], name: str, value: str) -> QuerySet[Campaign]:
        ended = (ReportedStatus.ENDED, ReportedStatus.COMPLETED)
        if value == "unconfirmed":
            return rows.filter(pk__in=waiting.unconfirmed_stops().order_by().values("campaign"))
        if value == "not_started":
            return rows.filter(pk__in=waiting.failed_starts().order_by().values("campaign"))
        if value == "gone":
            return rows.filter(gone_at__isnull=False)
        rows = rows.filter(gone_at__isnull=True)
        if value == "running":
            return rows.filter(reported_status=ReportedStatus.STARTED)
        if value == "finished":
            return rows.filter(reported_status__in=ended)
        return rows.filter(Q(reported_status__isnull=True) | ~Q(reported_status__in=(1, *ended)))


class LaunchFilter(OfAccounts):
    OPEN = "open"
    STATES = ((OPEN, _("not finished")), *Launch.Status.choices)

    q = filters.CharFilter(
        label=_("Search"), field_name="name", lookup_expr="icontains", widget=search_box(_("Name …"))
    )
    status = filters.ChoiceFilter(choices=STATES, label=_("State"), empty_label=_("All"), method="in_state")
    connection = connection_filter()

    class Meta:
        model = Launch
        fields = ("q", "status", "connection")

    def in_state(self, rows: QuerySet[Launch], name: str, value: str) -> QuerySet[Launch]:
        if value == self.OPEN:
            return rows.exclude(status__in=(Launch.Status.STARTED, Launch.Status.CANCELLED))
        return rows.filter(status=value)


class NumberFilter(filters.FilterSet):
    """Rows of a launch's audience."""

    q = filters.CharFilter(label=_("Search"), method="search", widget=search_box(_("Number, name …")))
    verdict = filters.ChoiceFilter(
        choices=LaunchNumber.Verdict.choices, label=_("Verdict"), empty_label=_("All")
    )
    handed = filters.ChoiceFilter(
        choices=(("yes", _("handed over")), ("no", _("not handed over"))),
        label=_("At AntBOT"), empty_label=_("All"), method="was_handed",
    )  # fmt: skip

    class Meta:
        model = LaunchNumber
        fields = ("q", "verdict", "handed")

    def search(self, rows: QuerySet[LaunchNumber], name: str, value: str) -> QuerySet[LaunchNumber]:
        return number_or_name(rows, value, "name")

    def was_handed(self, rows: QuerySet[LaunchNumber], name: str, value: str) -> QuerySet[LaunchNumber]:
        if value == "yes":
            return rows.filter(pk__in=figures.handed_over().values("pk"))
        return rows.exclude(pk__in=figures.handed_over().values("pk"))


class SubscriberFilter(filters.FilterSet):
    GROUPS = (*figures.GROUPS, ("dialled", _("dialled at least once")))

    q = filters.CharFilter(label=_("Search"), method="search", widget=search_box(_("Number …")))
    group = filters.ChoiceFilter(choices=GROUPS, label=_("State"), empty_label=_("All"), method="in_group")

    class Meta:
        model = Subscriber
        fields = ("q", "group")

    def search(self, rows: QuerySet[Subscriber], name: str, value: str) -> QuerySet[Subscriber]:
        return number_or_name(rows, value)

    def in_group(self, rows: QuerySet[Subscriber], name: str, value: str) -> QuerySet[Subscriber]:
        return figures.in_group(rows, value)


class CallOfCampaignFilter(filters.FilterSet):
    q = filters.CharFilter(label=_("Search"), method="search", widget=search_box(_("Number …")))
    outcome = filters.ChoiceFilter(
        choices=figures.OUTCOMES, label=_("Outcome"), empty_label=_("All"), method="had_outcome"
    )
    said = filters.CharFilter(
        field_name="disposition", label=_("In AntBOT's words"), max_length=40, widget=forms.HiddenInput
    )
    leg = filters.ChoiceFilter(
        choices=((Leg.CALLEE, _("to people")), (Leg.TRANSFER, _("transfers"))),
        label=_("Calls"), empty_label=_("All"),
    )  # fmt: skip

    class Meta:
        model = Call
        fields = ("q", "outcome", "said", "leg")

    def search(self, rows: QuerySet[Call], name: str, value: str) -> QuerySet[Call]:
        return number_or_name(rows, value)

    def had_outcome(self, rows: QuerySet[Call], name: str, value: str) -> QuerySet[Call]:
        return figures.with_outcome(rows, value)


class WithdrawnFilter(filters.FilterSet):
    q = filters.CharFilter(label=_("Search"), method="search", widget=search_box(_("Number, name …")))
    withdrawal = filters.ChoiceFilter(
        choices=[choice for choice in LaunchNumber.Withdrawal.choices if choice[0]],
        label=_("State"), empty_label=_("All"),
    )  # fmt: skip

    class Meta:
        model = LaunchNumber
        fields = ("q", "withdrawal")

    def search(self, rows: QuerySet[LaunchNumber], name: str, value: str) -> QuerySet[LaunchNumber]:
        return number_or_name(rows, value, "name")
