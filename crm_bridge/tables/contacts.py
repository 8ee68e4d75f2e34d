"""The contact list as a table, its columns, and the hits in it."""

from functools import cached_property
from typing import Any

import django_tables2 as tables
from django.db.models import OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice.tables import AgeColumn, ListTable, SelectColumn
from backoffice.templatetags.backoffice import badge
from crm_bridge import choices
from crm_bridge.marking import Marker
from crm_bridge.models import Contact, ContactChange
from crm_bridge.phones import display
from crm_bridge.search import Search

OPTIONAL_COLUMNS = ("kind", "stage", "tags", "responsible", "source", "crm", "email", "touched_at")
SHOWN_AT_FIRST = ("stage", "tags", "responsible", "touched_at")

_LISTED = (
    "name", "kind", "stage", "source", "responsible", "state", "connection_id", "touched_at", "remote_id",
)  # fmt: skip


def open_change_status() -> Subquery:
    """Status of the oldest unfinished change: what holds up the others is what staff must see."""
    changes = ContactChange.objects.filter(contact=OuterRef("pk"), status__in=ContactChange.OPEN)
    return Subquery(changes.order_by("created_at", "id").values("status")[:1])


def rows_of(ids: list[int], columns: tuple[str, ...]) -> list[Contact]:
    """The contacts of one page in its order, with just what the table shows."""
    rows: QuerySet[Contact] = Contact.objects.filter(pk__in=ids).only(*_LISTED)
    wanted = ["phones", *(["tags"] if "tags" in columns else []), *(["emails"] if "email" in columns else [])]
    found = {row.pk: row for row in rows.annotate(change=open_change_status()).prefetch_related(*wanted)}
    return [found[pk] for pk in ids if pk in found]


def state_words(state: str, change: str | None) -> tuple[str, str]:
    """(state for the colour, word): a change on its way counts before the plain state."""
    if state == Contact.State.LIVE:
        return (change, str(ContactChange.Status(change).label)) if change else ("in_sync", _g("in sync"))
    return state, str(Contact.State(state).label)


class ContactTable(ListTable):
    facts = ("select", "name", "phone", "state")

    select = SelectColumn(attrs={"td": {"class": "bo-nowrap"}})
    name = tables.Column(verbose_name=_("Name"), attrs={"td": {"class": "bo-clip"}})
    phone = tables.Column(verbose_name=_("Phone"), empty_values=(), attrs={"td": {"class": "bo-nowrap"}})
    email = tables.Column(verbose_name=_("E-mail"), empty_values=())
    kind = tables.Column(verbose_name=_("Kind"))
    stage = tables.Column(verbose_name=_("Stage"), default="–")
    tags = tables.Column(verbose_name=_("Tags"), empty_values=())
    responsible = tables.Column(verbose_name=_("Responsible"), default="–")
    source = tables.Column(verbose_name=_("Source"), default="–")
    crm = tables.Column(verbose_name=_("CRM"), accessor="connection_id")
    touched_at = AgeColumn(verbose_name=_("Updated"))
    state = tables.Column(verbose_name=_("State"))

    class Meta(ListTable.Meta):
        pass

    def __init__(self, *args: Any, search: Search, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.marker = Marker(search)

    @cached_property
    def _address(self) -> tuple[str, str]:
        head, tail = reverse("admin:crm_bridge_contact_change", args=[987654321]).split("987654321")
        return head, tail

    def row_url(self, record: Contact) -> str:
        head, tail = self._address
        return f"{head}{record.pk}{tail}"

    def render_name(self, record: Contact) -> SafeString:
        name = self.marker.text(record.name) if record.name else escape(_g("(no name)"))
        return format_html('<a href="{}">{}</a>', self.row_url(record), name)

    def render_phone(self, record: Contact) -> SafeString:
        phones = list(record.phones.all())
        if not phones:
            return escape("–")
        shown = [self.marker.phone(display(row.value, row.e164)) for row in phones]
        chosen = next((text for text in shown if "<mark>" in text), shown[0])
        if len(shown) == 1:
            return chosen
        more = len(shown) - 1
        return format_html('<span>{} <span class="bo-quiet">+{}</span></span>', chosen, more)

    def render_email(self, record: Contact) -> SafeString:
        shown = [self.marker.text(row.value) for row in record.emails.all()]
        return next((text for text in shown if "<mark>" in text), shown[0] if shown else escape("–"))

    def render_kind(self, record: Contact) -> str:
        return record.get_kind_display()

    def render_tags(self, record: Contact) -> SafeString:
        names = [tag.name for tag in record.tags.all()]
        more = f" +{len(names) - 3}" if len(names) > 3 else ""
        chips = "".join(f'<span class="ct-tag">{escape(name)}</span>' for name in names[:3])
        return mark_safe(f"{chips}{more}" if names else "–")  # noqa: S308  each name is escaped above

    def render_crm(self, value: int) -> str:
        return choices.connection_names().get(value, "")

    def render_state(self, record: Any) -> SafeString:
        return badge(*state_words(record.state, record.change))
