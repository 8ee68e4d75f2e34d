"""Who may be the same person, across CRMs: by shared phone or e-mail, with the reason, merged by nobody."""

from typing import Any

import django_filters as filters
import django_tables2 as tables
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.pages import BoundedPaginator, ListPage, Page, link
from backoffice.tables import ListTable
from crm_bridge import choices
from crm_bridge.models import Contact, SharedReach
from crm_bridge.phones import display
from crm_bridge.services import same_person
from crm_bridge.services.same_person import REACH, SWITCHBOARD
from crm_bridge.views.contact import OfContact

NAMES_SHOWN = 4
SPANS = (
    ("across", gettext_lazy("in several CRMs")),
    ("within", gettext_lazy("in one CRM")),
    ("switchboard", gettext_lazy("shared by very many")),
)


class SharedFilter(filters.FilterSet):
    span = filters.ChoiceFilter(
        label=gettext_lazy("Which"), choices=SPANS, method="of_span", empty_label=gettext_lazy("all")
    )
    kind = filters.ChoiceFilter(
        label=gettext_lazy("Shared"), choices=SharedReach.Kind.choices, empty_label=gettext_lazy("any")
    )

    class Meta:
        model = SharedReach
        fields: list[str] = []

    def of_span(self, rows: QuerySet[SharedReach], name: str, value: str) -> QuerySet[SharedReach]:
        if value == "switchboard":
            return rows.filter(contacts__gt=SWITCHBOARD)
        rows = rows.filter(contacts__lte=SWITCHBOARD)
        return rows.filter(connections__gt=1) if value == "across" else rows.filter(connections=1)


class SharedTable(ListTable):
    facts = ("value", "who", "contacts")

    value = tables.Column(verbose_name=gettext_lazy("Shared"))
    who = tables.Column(verbose_name=gettext_lazy("Who"), empty_values=(), attrs={"td": {"class": "bo-clip"}})
    contacts = tables.Column(verbose_name=gettext_lazy("Contacts"), attrs={"td": {"class": "bo-num"}})
    connections = tables.Column(verbose_name=gettext_lazy("CRMs"), attrs={"td": {"class": "bo-num"}})

    class Meta(ListTable.Meta):
        orderable = False

    def __init__(self, rows: list[SharedReach], **options: Any) -> None:
        super().__init__(rows, **options)
        self.names = names_of(rows)

    def row_url(self, record: SharedReach) -> str:
        return link("crm:same_person_group", record.pk)

    def render_value(self, record: SharedReach) -> SafeString:
        return format_html('<a href="{}">{}</a>', self.row_url(record), shown(record))

    def render_who(self, record: SharedReach) -> str:
        if record.contacts > SWITCHBOARD:
            return _("a switchboard or the like: too many to be one person")
        names = self.names.get((record.kind, record.value), [])
        return ", ".join(names[:NAMES_SHOWN]) + (" …" if len(names) > NAMES_SHOWN else "")


def names_of(rows: list[SharedReach]) -> dict[tuple[str, str], list[str]]:
    """Whose each phone and e-mail is, with the CRM: two queries, however many groups."""
    crms = choices.connection_names()
    found: dict[tuple[str, str], list[str]] = {}
    for kind, model, column in REACH:
        values = [row.value for row in rows if row.kind == kind and row.contacts <= SWITCHBOARD]
        held = model.objects.filter(**{f"{column}__in": values}, contact__state=Contact.State.LIVE)
        held = held.order_by("contact__connection_id", "contact_id")
        seen = held.values_list(column, "contact_id", "contact__name", "contact__connection_id").distinct()
        for value, _pk, name, crm in seen if values else ():
            found.setdefault((kind.value, value), []).append(
                f"{name or _('(no name)')} ({crms.get(crm, '–')})"
            )
    return found


def shown(reach: SharedReach) -> str:
    """A number as it is dialled here, an address as it is."""
    return display(reach.value, reach.value) if reach.kind == SharedReach.Kind.PHONE else reach.value


class SamePerson(ListPage):
    """Every phone and e-mail that several live contacts share, those across CRMs first."""

    permission = "crm_bridge.view_contact"
    template_name = "crm_bridge/same_person.html"
    title = gettext_lazy("Same person")
    noun = gettext_lazy("groups")
    empty_text = gettext_lazy("No two contacts share a phone or an e-mail, as far as was counted.")
    table_class = SharedTable
    filterset_class = SharedFilter

    def get_queryset(self) -> QuerySet[SharedReach]:
        return SharedReach.objects.order_by("-connections", "contacts", "id")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(last=same_person.last_count(), **kwargs)


class SamePersonGroup(Page):
    """The contacts of one group, as they are now."""

    permission = "crm_bridge.view_contact"
    template_name = "crm_bridge/same_person_group.html"
    crumbs = (
        (gettext_lazy("Contacts"), "admin:crm_bridge_contact_changelist"),
        (gettext_lazy("Same person"), "crm:same_person"),
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        reach = get_object_or_404(SharedReach, pk=kwargs["pk"])
        self.title = shown(reach)
        return super().get_context_data(
            reach=reach, **people(same_person.holders(reach), self.request.GET.get("page", "")), **kwargs
        )


class SamePersonOf(OfContact):
    """The contacts that share something with one contact, each with the reason."""

    template_name = "crm_bridge/same_person_of.html"

    def get_title(self) -> str:
        return _("Same person as %s") % super().get_title()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shared = same_person.shared_with(self.contact)
        reaches = {
            (reach.kind, reach.value): reach.pk
            for reach in SharedReach.objects.filter(
                value__in=[reason.value for reason in shared.switchboards]
            )
        }
        return super().get_context_data(
            contact=self.contact,
            matches=shared.matches,
            switchboards=[
                {"reason": reason, "reach": reaches.get((reason.kind, reason.value))}
                for reason in shared.switchboards
            ],
            **kwargs,
        )


def people(rows: QuerySet[Contact], number: str) -> dict[str, Any]:
    """One page of contacts for a plain list."""
    paginator = BoundedPaginator(rows.values_list("pk", flat=True), 50)
    page = paginator.get_page(number or 1)
    found = (
        Contact.objects.select_related("connection")
        .defer("raw", "search_text", "note", "connection__credentials", "connection__measured")
        .prefetch_related("phones", "emails")
        .in_bulk(list(page.object_list))
    )
    return {"page": page, "people": [found[pk] for pk in page.object_list if pk in found]}
