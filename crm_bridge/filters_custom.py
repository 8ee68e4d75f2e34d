"""Filters by custom fields: one input, or a pair of ends, for each field that lists can be filtered by."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from crm_bridge import choices
from crm_bridge.custom_values import INDEXED_LENGTH, index_moment
from crm_bridge.folding import fold
from crm_bridge.models import Contact, ContactFieldValue, CustomField

PREFIX = "cf"
FEW = 2_000
"""So many contacts are looked up by the value; more are met soon enough by walking the list."""
Type = CustomField.Type


class Chosen(filters.fields.ChoiceField):
    """Choices that the CRM has taken back may still be carried by contacts."""

    def valid_value(self, value: Any) -> bool:
        return len(str(value)) <= INDEXED_LENGTH


class _ByValue(filters.Filter):
    """Contacts with a value of one custom field; ``meant`` makes the condition on its rows."""

    def __init__(self, field: CustomField, meant: Callable[[Any], Q], **options: Any) -> None:
        self.custom, self.meant = field, meant
        super().__init__(**options)

    def filter(self, queryset: QuerySet[Contact], value: Any) -> QuerySet[Contact]:
        if value in (None, ""):
            return queryset
        rows = ContactFieldValue.objects.filter(self.meant(value), field=self.custom.pk).order_by()
        few = list(rows.values_list("contact_id", flat=True)[: FEW + 1])
        if len(few) <= FEW:
            return queryset.filter(pk__in=set(few))
        return queryset.filter(Exists(rows.filter(contact=OuterRef("pk"))))


class _ByChoice(_ByValue):
    field_class = Chosen


class _ByText(_ByValue):
    field_class = forms.CharField


class _ByNumber(_ByValue):
    field_class = forms.FloatField


class _ByDate(_ByValue):
    field_class = forms.DateField


def custom_filters(connection: str) -> dict[str, filters.Filter]:
    """The filters to offer, by parameter name: of one connection where one is chosen, else of all."""
    fields = [
        field for field in choices.filter_fields() if not connection or str(field.connection_id) == connection
    ]
    names = choices.connection_names()
    several = len({field.connection_id for field in fields}) > 1
    found: dict[str, filters.Filter] = {}
    for field in fields:
        label = f"{names.get(field.connection_id, '')}: {field.label}" if several else field.label
        found |= _filters_of(field, label)
    return found


def _filters_of(field: CustomField, label: str) -> dict[str, filters.Filter]:
    name = f"{PREFIX}{field.pk}"
    if field.type in (Type.SELECT, Type.RADIO, Type.CHECKBOX, Type.BOOLEAN):
        offered = [(str(value), str(shown)) for value, shown in field.choices]
        if field.type == Type.BOOLEAN:
            offered = [("true", _g("yes")), ("false", _g("no"))]
        return {
            name: _ByChoice(
                field, lambda value: Q(value=value), label=label, choices=offered, empty_label=_("any")
            )
        }
    if field.type == Type.TEXT:
        text = {"widget": forms.TextInput(attrs={"autocomplete": "off"}), "max_length": INDEXED_LENGTH}
        return {name: _ByText(field, _begins, label=label, **text)}
    low, high = _g("%s from") % label, _g("%s to") % label
    if field.type == Type.NUMBER:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        return {
            f"{name}_from": _ByNumber(field, lambda value: Q(number__gte=value), label=low, widget=widget),
            f"{name}_to": _ByNumber(field, lambda value: Q(number__lte=value), label=high, widget=widget),
        }
    day = {"widget": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}
    moments = field.type == Type.DATETIME
    return {
        f"{name}_from": _ByDate(field, lambda value: Q(value__gte=_edge(value, moments)), label=low, **day),
        f"{name}_to": _ByDate(
            field, lambda value: Q(value__lt=_edge(value + timedelta(days=1), moments)), label=high, **day
        ),
    }


def _begins(value: str) -> Q:
    """Begins with this, as a range: an index of any collation answers it."""
    text = fold(value)[:INDEXED_LENGTH]
    return Q(value__gte=text, value__lt=text + "\U0010ffff") if text else Q()


def _edge(day: Any, moments: bool) -> str:
    """Where a day begins, as the index holds it."""
    if not moments:
        return str(day.isoformat())
    return index_moment(timezone.make_aware(datetime.combine(day, time.min)))
