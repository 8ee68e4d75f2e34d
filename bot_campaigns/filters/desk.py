"""Filters of phonebooks, numbers, templates, do-not-call lists, suppressions and reminders."""

from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models import (
    Alarm,
    BotConnection,
    BotContact,
    DncEntry,
    DncList,
    Gateway,
    Phonebook,
    Suppression,
    SurveyTemplate,
)
from crm_bridge.search import Search

LONGEST = 120


def search(placeholder: Any, method: str = "searched") -> filters.CharFilter:
    widget = forms.TextInput(
        attrs={"type": "search", "placeholder": placeholder, "autocomplete": "off", "maxlength": LONGEST}
    )
    return filters.CharFilter(label=_("Search"), method=method, max_length=LONGEST, widget=widget)


def account() -> filters.ModelChoiceFilter:
    return filters.ModelChoiceFilter(
        queryset=BotConnection.objects.only("name"), label=_("Account"), empty_label=_("any")
    )


def number_condition(text: str) -> Q | None:
    """Rows whose number holds these digits, whatever way they were typed; None for no number."""
    found = Search(text)
    if not found.is_phone:
        return None
    condition = Q()
    for way in found.ways:
        if way.ending:
            condition |= Q(e164__endswith=way.ending[::-1])
        for term in way.terms:
            for writing in term.writings:
                condition |= Q(e164__contains=writing)
    return condition


LISTED = (("gone", _("not listed any more")), ("all", _("all")))


class ListedFilter(filters.ChoiceFilter):
    """What the bot lists, unless asked for more."""

    def __init__(self) -> None:
        super().__init__(label=_("State"), choices=LISTED, empty_label=_("in AntBOT"))

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == "all":
            return rows
        return rows.filter(gone_at__isnull=value != "gone")


class NamedFilter(filters.FilterSet):
    q = search(_("Name or description"))
    connection = account()
    listed = ListedFilter()

    def searched(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(Q(name__icontains=value) | Q(description__icontains=value))


class PhonebookFilter(NamedFilter):
    class Meta:
        model = Phonebook
        fields: list[str] = []


class TemplateFilter(NamedFilter):
    class Meta:
        model = SurveyTemplate
        fields: list[str] = []


class DncListFilter(NamedFilter):
    class Meta:
        model = DncList
        fields: list[str] = []


class GatewayFilter(NamedFilter):
    class Meta:
        model = Gateway
        fields: list[str] = []


class NumbersFilter(filters.FilterSet):
    """The numbers of one phonebook."""

    q = search(_("Number or name"))
    active = filters.BooleanFilter(
        field_name="is_enabled",
        label=_("Active"),
        widget=forms.Select(choices=[("", _("any")), ("true", _("active")), ("false", _("inactive"))]),
    )
    listed = ListedFilter()

    class Meta:
        model = BotContact
        fields: list[str] = []

    def searched(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        condition = Q(first_name__icontains=value) | Q(last_name__icontains=value) | Q(number__contains=value)
        by_number = number_condition(value)
        return rows.filter(condition | by_number if by_number is not None else condition)


class EntryFilter(filters.FilterSet):
    """The numbers of one do-not-call list."""

    q = search(_("Any part of a number"))
    listed = ListedFilter()

    class Meta:
        model = DncEntry
        fields: list[str] = []

    def searched(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter((number_condition(value) or Q()) | Q(number__contains=value))


class SuppressionFilter(filters.FilterSet):
    STATES = (("lifted", _("lifted")), ("all", _("all")))

    q = search(_("Any part of a number, or a reason"))
    source = filters.ChoiceFilter(label=_("Source"), choices=Suppression.Source.choices, empty_label=_("any"))
    state = filters.ChoiceFilter(
        label=_("State"), choices=STATES, empty_label=_("standing"), method="in_state"
    )

    class Meta:
        model = Suppression
        fields: list[str] = []

    @property
    def qs(self) -> QuerySet[Suppression]:
        rows = super().qs
        return (
            rows if self.form.is_bound and self.form["state"].value() else rows.filter(lifted_at__isnull=True)
        )

    def in_state(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(lifted_at__isnull=False) if value == "lifted" else rows

    def searched(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(number_condition(value) or Q(reason__icontains=value))


class ReminderFilter(filters.FilterSet):
    WHEN = (("coming", _("still to ring")), ("past", _("past")))

    q = search(_("Number, contact or subject"))
    progress = filters.ChoiceFilter(label=_("State"), choices=Alarm.Progress.choices, empty_label=_("any"))
    when = filters.ChoiceFilter(label=_("When"), choices=WHEN, empty_label=_("any"), method="at")
    connection = account()

    class Meta:
        model = Alarm
        fields: list[str] = []

    def searched(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        words = Q(title__icontains=value) | Q(contact__name__icontains=value)
        by_number = number_condition(value)
        return rows.filter(words | by_number if by_number is not None else words)

    def at(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        now = timezone.now()
        return rows.filter(rings_at__gte=now) if value == "coming" else rows.filter(rings_at__lt=now)
