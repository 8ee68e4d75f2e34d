"""Filters of the call list. All of them work on indexed columns."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import django_filters as filters
import phonenumbers
from django import forms
from django.conf import settings
from django.db import connections
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bot_campaigns import outcomes
from bot_campaigns.models import BotConnection, Call, Campaign, Gateway
from crm_bridge.models import Contact
from crm_bridge.phones import digits
from crm_bridge.search import LONGEST_QUERY, Search, Way

MOST_MATCHES = 50_000
FEW = 2_000
"""So many hits of a search are fetched once instead of being looked for in every query."""
SHORTEST_BEGINNING = 3
TIME = ("since", "until")
MOST_CAMPAIGNS = 300
KINDS = (("campaign", _("campaign")), ("alarm", _("reminder")), ("otp", _("OTP")))
MORE = ("cause", "kind", "gateway", "connection", "talked_min", "talked_max", "duration_min", "duration_max")
"""Shown on demand; the others stand in the bar."""


class CauseSelect(forms.Select):
    """The causes that were seen; one from an old address stays selectable."""

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> Any:
        seen = outcomes.values_of("hangup_cause")
        seen += [each for each in value if each and each not in seen]
        self.choices = [("", _("any")), *((each, each) for each in seen)]
        return super().optgroups(name, value, attrs)


class CampaignSelect(forms.Select):
    """The newest campaigns; an older one of an address stays selectable."""

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> Any:
        campaigns = Campaign.objects.order_by("-id").values_list("pk", "name")
        offered = list(campaigns[:MOST_CAMPAIGNS])
        known = {str(pk) for pk, _name in offered}
        wanted = [int(each) for each in value if each and each not in known and each.isdecimal()]
        offered += list(campaigns.filter(pk__in=wanted)) if wanted else []
        self.choices = [("", _("any")), *offered]
        return super().optgroups(name, value, attrs)


class SecondsFilter(filters.NumberFilter):
    def __init__(self, column: str, lookup: str, label: Any) -> None:
        super().__init__(
            field_name=column, lookup_expr=lookup, label=label, min_value=0, max_value=100_000,
            widget=forms.NumberInput(attrs={"min": 0, "inputmode": "numeric", "placeholder": _("seconds")}),
        )  # fmt: skip


def _day() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class CallFilter(filters.FilterSet):
    q = filters.CharFilter(
        label=_("Search"),
        method="searched",
        max_length=LONGEST_QUERY,
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "placeholder": _("Any part of a number, or a name"),
                "autocomplete": "off",
            }
        ),
    )
    campaign = filters.ModelChoiceFilter(
        queryset=Campaign.objects.only("name"), label=_("Campaign"), widget=CampaignSelect()
    )
    outcome = filters.ChoiceFilter(
        label=_("Outcome"), choices=list(outcomes.GROUPS.items()), method="in_group", empty_label=_("any")
    )
    since = filters.DateFilter(label=_("From"), method="from_day", widget=_day())
    until = filters.DateFilter(label=_("Until"), method="to_day", widget=_day())
    cause = filters.CharFilter(
        label=_("Cause"), field_name="hangup_cause", widget=CauseSelect(), max_length=60
    )
    kind = filters.ChoiceFilter(label=_("Kind"), choices=KINDS, method="of_kind", empty_label=_("any"))
    gateway = filters.ModelChoiceFilter(
        queryset=Gateway.objects.only("name"), label=_("Gateway"), method="by_gateway", empty_label=_("any")
    )
    connection = filters.ModelChoiceFilter(
        queryset=BotConnection.objects.only("name"), label=_("Account"), empty_label=_("any")
    )
    talked_min = SecondsFilter("billsec", "gte", _("Talked at least"))
    talked_max = SecondsFilter("billsec", "lte", _("Talked at most"))
    duration_min = SecondsFilter("duration", "gte", _("Lasted at least"))
    duration_max = SecondsFilter("duration", "lte", _("Lasted at most"))

    class Meta:
        model = Call
        fields: list[str] = []

    @property
    def more_in_use(self) -> bool:
        """A filter is set that is not in the bar."""
        return self.form.is_bound and any(self.form.data.get(name) for name in MORE)

    @property
    def bar(self) -> list[Any]:
        return [field for field in self.form if field.name not in MORE]

    @property
    def more(self) -> list[Any]:
        return [field for field in self.form if field.name in MORE]

    _found: Q | None = None
    """What the search box found, for list and chart."""

    @property
    def untimed(self) -> QuerySet[Call]:
        """The filtered calls of any time. A chart cuts time itself: the same bound twice is dear."""
        rows = self.queryset.all()
        if not self.form.is_bound or not self.form.is_valid():
            return rows
        for name, value in self.form.cleaned_data.items():
            if name not in TIME:
                rows = self.filters[name].filter(rows, value)
        return rows

    def searched(self, rows: QuerySet[Call], name: str, value: str) -> QuerySet[Call]:
        search = Search(value)
        if not search:
            return rows
        if search.is_phone:
            self._found = self._found or _number_condition(search)
            return rows.filter(self._found)
        for way in search.ways:
            contacts = way.by_index(Contact.objects.order_by(), connections[rows.db].vendor)
            found = rows.filter(contact__in=contacts.values("pk"))
            if found.exists():
                return found
        return rows.none()

    def in_group(self, rows: QuerySet[Call], name: str, value: str) -> QuerySet[Call]:
        return rows.filter(disposition__in=outcomes.dispositions_of([value]))

    def from_day(self, rows: QuerySet[Call], name: str, value: date) -> QuerySet[Call]:
        return rows.filter(started_at__gte=midnight(value))

    def to_day(self, rows: QuerySet[Call], name: str, value: date) -> QuerySet[Call]:
        return rows.filter(started_at__lt=midnight(value + timedelta(days=1)))

    def of_kind(self, rows: QuerySet[Call], name: str, value: str) -> QuerySet[Call]:
        if value == "campaign":
            return rows.filter(campaign__isnull=False)
        return rows.filter(is_alarm=True) if value == "alarm" else rows.filter(is_otp=True)

    def by_gateway(self, rows: QuerySet[Call], name: str, value: Gateway) -> QuerySet[Call]:
        """Calls tell no gateway; their campaign does."""
        return rows.filter(campaign__in=Campaign.objects.filter(gateway=value).order_by().values("pk"))


def midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _number_condition(search: Search) -> Q:
    """By the beginning or the end of the number, else by digits anywhere: the first that any call has.

    Looked for apart from the list, in the index of digits, so that a rare number is not
    searched for by walking every call.
    """
    for condition in _beginnings(search.text):
        if Call.objects.filter(condition).exists():
            return condition
    for way in search.ways:
        hits = list(_with_digits(way).values_list("pk", flat=True)[: FEW + 1])
        if len(hits) > FEW:
            return Q(pk__in=_with_digits(way).values("pk")[:MOST_MATCHES])
        if hits:
            return Q(pk__in=hits)
    return Q(pk__in=[])


def _beginnings(text: str) -> Iterator[Q]:
    """A number typed from its start is a range of the index of numbers."""
    typed = text.lstrip("( ")
    if len(digits(typed)) < SHORTEST_BEGINNING or not typed.startswith(("+", "0")):
        return
    country = str(phonenumbers.country_code_for_region(settings.PHONE_REGION))
    found = digits(typed)
    if typed.startswith("00"):
        found = found[2:]
    elif typed.startswith("0"):
        found = country + found[1:]
    low = f"+{found}"
    yield Q(e164__gte=low, e164__lt=low[:-1] + chr(ord(low[-1]) + 1))


def _with_digits(way: Way) -> QuerySet[Call]:
    calls = Call.objects.order_by()
    if not way.ending:
        condition = Q()
        for term in way.terms:
            for writing in term.writings:
                condition |= Q(digits_reversed__contains=writing[::-1])
        return calls.filter(condition)
    calls = calls.filter(digits_reversed__gte=way.ending)
    head = way.ending.rstrip("9")
    if head:
        calls = calls.filter(digits_reversed__lt=head[:-1] + str(int(head[-1]) + 1))
    return calls
