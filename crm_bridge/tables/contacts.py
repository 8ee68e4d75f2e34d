"""The contact list as a table, its columns, and the hits in it.

The rows are plain tuples and the body is put together here: at 100 rows a model
instance and a template node per cell cost more than all the SQL.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import django_tables2 as tables
from django.db.models import OuterRef, Subquery
from django.urls import reverse
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice.tables import AgeColumn, ListTable, SelectColumn
from backoffice.templatetags.backoffice import age, badge
from crm_bridge import choices, phones
from crm_bridge.marking import Marker
from crm_bridge.models import Contact, ContactChange, ContactEmail, ContactPhone
from crm_bridge.models.contact import ContactTag
from crm_bridge.search import Search

OPTIONAL_COLUMNS = ("kind", "stage", "tags", "responsible", "source", "crm", "email", "touched_at")
SHOWN_AT_FIRST = ("stage", "tags", "responsible", "touched_at")
TAGS_SHOWN = 3

_display = lru_cache(maxsize=16_384)(phones.display)


@dataclass(slots=True)
class Row:
    """One contact as the list shows it."""

    pk: int
    name: str
    kind: str
    stage: str
    source: str
    responsible: str
    state: str
    connection_id: int
    touched_at: datetime
    change: str | None
    """Status of what is on its way."""
    phones: list[tuple[str, str]] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


_COLUMNS = ("pk", "name", "kind", "stage", "source", "responsible", "state", "connection_id", "touched_at")


def open_change_status() -> Subquery:
    """Status of the oldest unfinished change: what holds up the others is what staff must see."""
    changes = ContactChange.objects.filter(contact=OuterRef("pk"), status__in=ContactChange.OPEN)
    return Subquery(changes.order_by("created_at", "id").values("status")[:1])


def rows_of(ids: list[int], columns: tuple[str, ...]) -> list[Row]:
    """The contacts of one page in its order, with just what the table shows: a query per kind of row."""
    if not ids:
        return []
    contacts = Contact.objects.filter(pk__in=ids).order_by().annotate(change=open_change_status())
    found = {values[0]: Row(*values) for values in contacts.values_list(*_COLUMNS, "change")}
    numbers = ContactPhone.objects.filter(contact__in=ids).order_by("position", "id")
    for contact, value, e164 in numbers.values_list("contact_id", "value", "e164"):
        found[contact].phones.append((value, e164))
    if "tags" in columns:
        carried = ContactTag.objects.filter(contact__in=ids).order_by("tag__name")
        for contact, name in carried.values_list("contact_id", "tag__name"):
            found[contact].tags.append(name)
    if "email" in columns:
        addresses = ContactEmail.objects.filter(contact__in=ids).order_by("position", "id")
        for contact, value in addresses.values_list("contact_id", "value"):
            found[contact].emails.append(value)
    return [found[pk] for pk in ids if pk in found]


def state_words(state: str, change: str | None) -> tuple[str, str]:
    """(state for the colour, word): a change on its way counts before the plain state."""
    if state == Contact.State.LIVE:
        return (change, str(ContactChange.Status(change).label)) if change else ("in_sync", _g("in sync"))
    return state, str(Contact.State(state).label)


class ContactTable(ListTable):
    """Columns and headers are django-tables2's; ``body`` writes the rows."""

    facts = ("select", "name", "phone", "state")

    select = SelectColumn()
    name = tables.Column(verbose_name=_("Name"), attrs={"td": {"class": "bo-clip"}})
    phone = tables.Column(verbose_name=_("Phone"), attrs={"td": {"class": "bo-nowrap"}})
    email = tables.Column(verbose_name=_("E-mail"))
    kind = tables.Column(verbose_name=_("Kind"))
    stage = tables.Column(verbose_name=_("Stage"))
    tags = tables.Column(verbose_name=_("Tags"))
    responsible = tables.Column(verbose_name=_("Responsible"))
    source = tables.Column(verbose_name=_("Source"))
    crm = tables.Column(verbose_name=_("CRM"))
    touched_at = AgeColumn(verbose_name=_("Updated"))
    state = tables.Column(verbose_name=_("State"))

    def __init__(self, rows: list[Row], *, search: Search, **options: Any) -> None:
        super().__init__(rows, **options)
        self.rows_shown = rows
        self.marker = Marker(search)
        head, tail = reverse("admin:crm_bridge_contact_change", args=[0]).split("0")
        self.address = f"{head}{{}}{tail}"
        self.words = {"none": _g("(no name)"), "select": escape(_g("Select"))}
        self.kinds = {kind: escape(label) for kind, label in Contact.Kind.choices}
        self.connections = choices.connection_names()
        self.badges: dict[tuple[str, str | None], SafeString] = {}

    @property
    def body(self) -> SafeString:
        cells = [(self._opening(column), getattr(self, f"cell_{column.name}")) for column in self.columns]
        return mark_safe("".join(self._row(row, cells) for row in self.rows_shown))  # noqa: S308  cells are escaped

    def _opening(self, column: Any) -> str:
        """The cell's tag: the same for every row."""
        classes = ["bo-fact" if column.name in self.facts else "bo-extra"]
        classes.append(column.column.attrs.get("td", {}).get("class", ""))
        return f'<td data-label="{escape(column.verbose_name)}" class="{" ".join(classes).strip()}">'

    def _row(self, row: Row, cells: list[tuple[str, Callable[[Row], str]]]) -> str:
        inside = "".join(f"{opening}{conditional_escape(cell(row))}</td>" for opening, cell in cells)
        return f'<tr data-href="{self.address.format(row.pk)}">{inside}</tr>'

    def cell_select(self, row: Row) -> SafeString:
        label = f"{self.words['select']} {escape(row.name)}"
        return mark_safe(  # noqa: S308  number and label are ours, the name is escaped
            f'<input type="checkbox" class="bo-check" name="selected" value="{row.pk}" form="bulk"'
            f' aria-label="{label}">'
        )

    def cell_name(self, row: Row) -> SafeString:
        name = self.marker.text(row.name or self.words["none"])
        return mark_safe(f'<a href="{self.address.format(row.pk)}">{name}</a>')  # noqa: S308  the marker escapes

    def cell_phone(self, row: Row) -> SafeString | str:
        shown = [self.marker.phone(_display(value, e164)) for value, e164 in row.phones]
        if len(shown) < 2:
            return shown[0] if shown else "–"
        chosen = next((text for text in shown if "<mark>" in text), shown[0])
        more = f'<span>{chosen} <span class="bo-quiet">+{len(shown) - 1}</span></span>'
        return mark_safe(more)  # noqa: S308  the marker escapes

    def cell_email(self, row: Row) -> SafeString | str:
        shown = [self.marker.text(value) for value in row.emails]
        return next((text for text in shown if "<mark>" in text), shown[0] if shown else "–")

    def cell_tags(self, row: Row) -> SafeString | str:
        if not row.tags:
            return "–"
        chips = "".join(f'<span class="ct-tag">{escape(name)}</span>' for name in row.tags[:TAGS_SHOWN])
        more = f" +{len(row.tags) - TAGS_SHOWN}" if len(row.tags) > TAGS_SHOWN else ""
        return mark_safe(f"<span>{chips}{more}</span>")  # noqa: S308  each name is escaped

    def cell_kind(self, row: Row) -> str:
        return self.kinds.get(row.kind, row.kind)

    def cell_stage(self, row: Row) -> str:
        return row.stage or "–"

    def cell_responsible(self, row: Row) -> str:
        return row.responsible or "–"

    def cell_source(self, row: Row) -> str:
        return row.source or "–"

    def cell_crm(self, row: Row) -> str:
        return self.connections.get(row.connection_id, "–")

    def cell_touched_at(self, row: Row) -> SafeString:
        return age(row.touched_at)

    def cell_state(self, row: Row) -> SafeString:
        key = (row.state, row.change)
        if key not in self.badges:
            self.badges[key] = badge(*state_words(*key))
        return self.badges[key]
