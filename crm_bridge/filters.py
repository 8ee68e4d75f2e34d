"""Filters of the contact list. The search box is one of them; ``browse`` answers it."""

from datetime import datetime, time
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.widgets import FlatSelect
from crm_bridge import choices
from crm_bridge.models import Contact, ContactChange, Tag
from crm_bridge.models.contact import ContactTag
from crm_bridge.search import LONGEST_QUERY, Search


class OfferedSelect(FlatSelect):
    """A select over values that exist; one from an old address stays selectable."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> Any:
        offered = choices.values_of(self.column)
        extra = [item for item in value if item and item not in offered]
        self.choices = [("", _("any")), *((item, item) for item in [*offered, *extra])]
        return super().optgroups(name, value, attrs)


class OfferedFilter(filters.CharFilter):
    def __init__(self, column: str, label: Any) -> None:
        super().__init__(field_name=column, label=label, widget=OfferedSelect(column), max_length=254)


class AnyTags(filters.fields.MultipleChoiceField):
    """More tags may exist than are offered; an unknown one simply matches nobody."""

    def valid_value(self, value: Any) -> bool:
        return True


class TagFilter(filters.MultipleChoiceFilter):
    field_class = AnyTags


def _connections() -> list[tuple[int, str]]:
    return list(choices.connection_names().items())


def _tags() -> list[tuple[str, str]]:
    return [(name, name) for name in choices.tag_names()]


SYNC = (("in_sync", _("in sync")), ("waiting", _("waiting")), ("failing", _("failing")))
"""A contact with an edit on its way and another one refused is both, waiting and failing."""


class ContactFilter(filters.FilterSet):
    q = filters.CharFilter(
        label=_("Search"),
        method="keep",
        max_length=LONGEST_QUERY,
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "placeholder": _("Name, phone, e-mail …"),
                "autocomplete": "off",
                "aria-keyshortcuts": "/",
            }
        ),
    )
    kind = filters.ChoiceFilter(
        label=_("Kind"), choices=Contact.Kind.choices, empty_label=_("any"), widget=FlatSelect
    )
    stage = OfferedFilter("stage", _("Stage"))
    tag = TagFilter(label=_("Tags"), choices=_tags, method="with_tags", widget=forms.CheckboxSelectMultiple)
    responsible = OfferedFilter("responsible", _("Responsible"))
    source = OfferedFilter("source", _("Source"))
    connection = filters.ChoiceFilter(
        label=_("CRM"),
        field_name="connection_id",
        choices=_connections,
        empty_label=_("any"),
        widget=FlatSelect,
    )
    state = filters.ChoiceFilter(
        label=_("State"),
        choices=Contact.State.choices[1:],
        empty_label=Contact.State.LIVE.label,
        widget=FlatSelect,
    )
    sync = filters.ChoiceFilter(
        label=_("Sync"), choices=SYNC, method="in_sync_state", empty_label=_("any"), widget=FlatSelect
    )
    since = filters.DateFilter(
        label=_("Updated since"),
        method="updated_since",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    class Meta:
        model = Contact
        fields: list[str] = []

    @property
    def state_wanted(self) -> str:
        """Every list shows one state, live unless asked: that is what its index is made for."""
        return str(self._cleaned.get("state") or Contact.State.LIVE)

    @property
    def search(self) -> Search:
        return Search(str(self._cleaned.get("q") or ""))

    @property
    def _cleaned(self) -> dict[str, Any]:
        """Values that are right; a wrong one is named on the page and left out."""
        if not self.form.is_bound:
            return {}
        self.form.is_valid()
        return dict(self.form.cleaned_data)

    @property
    def qs(self) -> QuerySet[Contact]:
        queryset = Contact.objects.filter(state=self.state_wanted)
        for name, value in self._cleaned.items():
            if name not in ("q", "state"):
                queryset = self.filters[name].filter(queryset, value)
        return queryset

    @property
    def walkable(self) -> QuerySet[Contact]:
        """The filtered set where one index gives it in list order, else all of the state."""
        active = {name for name, value in self._cleaned.items() if value} - {"q", "state", "since"}
        if active & {"tag", "sync"} or len(active) > 1:
            return Contact.objects.filter(state=self.state_wanted)
        return self.qs

    def keep(self, queryset: QuerySet[Contact], name: str, value: str) -> QuerySet[Contact]:
        return queryset

    def updated_since(self, queryset: QuerySet[Contact], name: str, value: Any) -> QuerySet[Contact]:
        midnight = timezone.make_aware(datetime.combine(value, time.min))
        return queryset.filter(touched_at__gte=midnight)

    def in_sync_state(self, queryset: QuerySet[Contact], name: str, value: str) -> QuerySet[Contact]:
        """Few contacts have an open change: those are looked up, the others walked in list order."""
        if value == "in_sync":
            unfinished = ContactChange.objects.filter(contact=OuterRef("pk"), status__in=ContactChange.OPEN)
            return queryset.filter(~Exists(unfinished))
        statuses = ContactChange.MOVING if value == "waiting" else ContactChange.FAILING
        return queryset.filter(pk__in=ContactChange.objects.filter(status__in=statuses).values("contact"))

    def with_tags(self, queryset: QuerySet[Contact], name: str, value: list[str]) -> QuerySet[Contact]:
        """Contacts that carry all of the tags."""
        rows = list(Tag.objects.filter(name__in=value).values_list("name", "pk")) if value else []
        for wanted in value:
            ids = [pk for tag, pk in rows if tag == wanted]
            carried = ContactTag.objects.filter(contact=OuterRef("pk"), tag__in=ids)
            queryset = queryset.filter(Exists(carried)) if ids else queryset.none()
        return queryset
