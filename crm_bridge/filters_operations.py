"""Filters of the operations lists. All of them work on indexed columns."""

from typing import Any

import django_filters as filters
from django import forms
from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from crm_bridge.models import Connection, Contact, ContactChange, Merge, Quarantine, Run, Tombstone
from crm_bridge.search import Search


def _connection(**extra: Any) -> filters.ModelChoiceFilter:
    return filters.ModelChoiceFilter(
        queryset=Connection.objects.only("name"), label=_("CRM"), empty_label=_("All"), **extra
    )


class ScrapFilter(filters.CharFilter):
    """Any scrap of a contact's phone, name or e-mail, as the contact search reads it.

    ``contact`` is the path from the row to its contact.
    """

    def __init__(self, *args: Any, contact: str = "contact", **kwargs: Any) -> None:
        self.contact = contact
        super().__init__(
            *args,
            label=_("Search"),
            widget=forms.TextInput(
                attrs={"type": "search", "placeholder": _("Name, phone, e-mail …"), "maxlength": 120}
            ),
            **kwargs,
        )

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return rows
        for way in Search(value).ways:
            contacts = way.by_index(Contact.objects.order_by(), connections[rows.db].vendor)
            found = rows.filter(**{f"{self.contact}__in": contacts.values("pk")})
            if found.exists():
                return found
        return rows.none()


class TrashFilter(filters.FilterSet):
    q = ScrapFilter()
    connection = _connection(field_name="contact__connection")
    evidence = filters.ChoiceFilter(
        choices=Tombstone.Evidence.choices, label=_("Evidence"), empty_label=_("All")
    )

    class Meta:
        model = Tombstone
        fields = ("q", "connection", "evidence")


class MergeFilter(filters.FilterSet):
    q = ScrapFilter(contact="loser")
    connection = _connection(field_name="loser__connection")
    proof = filters.ChoiceFilter(choices=Merge.Proof.choices, label=_("Proof"), empty_label=_("All"))

    class Meta:
        model = Merge
        fields = ("q", "connection", "proof")


class OutgoingFilter(filters.FilterSet):
    OPEN = "open"
    STATES = (
        (OPEN, _("not finished")),
        ("failing", _("needs a person")),
        ("stuck", _("refused or held")),
        ("moving", _("on its way")),
        *ContactChange.Status.choices,
    )
    GROUPS = {
        OPEN: ContactChange.OPEN,
        "failing": ContactChange.FAILING,
        "stuck": (ContactChange.Status.REJECTED, ContactChange.Status.HELD),
        "moving": ContactChange.MOVING,
    }

    q = ScrapFilter()
    status = filters.ChoiceFilter(choices=STATES, label=_("State"), empty_label=_("All"), method="in_state")
    connection = _connection()
    author = filters.ModelChoiceFilter(
        queryset=get_user_model().objects.filter(is_active=True).order_by("username"),
        label=_("By"),
        empty_label=_("Everybody"),
    )

    class Meta:
        model = ContactChange
        fields = ("q", "status", "connection", "author")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.request.user.has_perm("crm_bridge.view_all_contactchange"):
            del self.filters["author"]

    def in_state(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(status__in=self.GROUPS.get(value, (value,)))


class RunFilter(filters.FilterSet):
    connection = _connection()
    stream = filters.ChoiceFilter(
        choices=[("contacts", _("contacts")), ("deleted", _("deleted")), ("merged", _("merged"))],
        label=_("Stream"),
        empty_label=_("All"),
    )
    status = filters.ChoiceFilter(choices=Run.Status.choices, label=_("State"), empty_label=_("All"))
    mode = filters.ChoiceFilter(choices=Run.Mode.choices, label=_("Kind"), empty_label=_("All"))

    class Meta:
        model = Run
        fields = ("connection", "stream", "status", "mode")


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
        model = Quarantine
        fields = ("connection", "settled")
