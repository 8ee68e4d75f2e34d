"""Trash, merges, outgoing changes, conflicts, runs and unreadable records as tables."""

from typing import Any

import django_tables2 as tables
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from backoffice.connections import tables as shared
from backoffice.tables import AgeColumn, ListTable, SelectColumn
from backoffice.templatetags.backoffice import age, badge
from crm_bridge.labels import changed_fields, merge_moved, phone_text
from crm_bridge.models import Conflict, ContactChange, Merge, Tombstone


class TrashTable(ListTable):
    facts = ("name", "phone", "trashed_at")

    name = tables.Column(accessor="contact__name", verbose_name=_("Name"), attrs={"td": {"class": "bo-clip"}})
    phone = tables.Column(empty_values=(), verbose_name=_("Phone"))
    crm = tables.Column(accessor="contact__connection__name", verbose_name=_("CRM"))
    trashed_by = tables.Column(verbose_name=_("Trashed by"), default=_("not told"))
    trashed_at = AgeColumn(verbose_name=_("Trashed"), empty_values=())
    stage = tables.Column(empty_values=(), verbose_name=_("Last known stage"))

    class Meta(ListTable.Meta):
        model = Tombstone
        fields = ("name", "phone", "crm", "trashed_by", "trashed_at", "stage")

    def row_url(self, record: Tombstone) -> str:
        return reverse("crm:trash_snapshot", args=[record.pk])

    def render_name(self, value: str, record: Tombstone) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), value or _("(no name)"))

    def render_phone(self, record: Tombstone) -> str:
        return phone_text(record.snapshot) or "–"

    def render_trashed_at(self, record: Tombstone) -> str:
        if record.trashed_at:
            return age(record.trashed_at)
        return format_html("{} {}", _("before"), age(record.seen_at))

    def render_stage(self, record: Tombstone) -> str:
        return record.snapshot.get("stage") or "–"


class MergeTable(ListTable):
    facts = ("loser", "window", "proof")

    loser = tables.Column(
        empty_values=(), verbose_name=_("Loser → survivor"), attrs={"td": {"class": "bo-clip"}}
    )
    crm = tables.Column(accessor="loser__connection__name", verbose_name=_("CRM"))
    window = tables.Column(empty_values=(), verbose_name=_("Happened"))
    moved = tables.Column(empty_values=(), verbose_name=_("Moved"))
    proof = tables.Column(verbose_name=_("Proof"))

    class Meta(ListTable.Meta):
        model = Merge
        fields = ("loser", "crm", "window", "moved", "proof")

    def row_url(self, record: Merge) -> str:
        return reverse("crm:merge", args=[record.pk])

    def render_loser(self, record: Merge) -> str:
        survivor = record.survivor.name if record.survivor else record.survivor_hint.get("name") or "?"
        return format_html('<a href="{}">{} → {}</a>', self.row_url(record), record.loser.name, survivor)

    def render_window(self, record: Merge) -> str:
        return render_to_string("crm_bridge/merges_window.html", {"merge": record})

    def render_moved(self, record: Merge) -> str:
        return merge_moved(record) or "–"

    def render_proof(self, record: Merge) -> str:
        return badge(record.proof, record.get_proof_display())


class OutgoingTable(ListTable):
    facts = ("contact", "change", "state")

    select = SelectColumn()
    state = tables.Column(accessor="status", verbose_name=_("State"))
    contact = tables.Column(
        accessor="contact__name", verbose_name=_("Contact"), attrs={"td": {"class": "bo-clip"}}
    )
    change = tables.Column(empty_values=(), verbose_name=_("Change"), attrs={"td": {"class": "bo-clip"}})
    created_at = AgeColumn(verbose_name=_("Saved"))
    author = tables.Column(verbose_name=_("By"), default="–")
    words = tables.Column(
        verbose_name=_("In the CRM's words"), default="–", attrs={"td": {"class": "bo-clip"}}
    )
    not_before = tables.Column(verbose_name=_("Next try"))

    class Meta(ListTable.Meta):
        model = ContactChange
        fields = ("select", "state", "contact", "change", "created_at", "author", "words", "not_before")

    def row_url(self, record: ContactChange) -> str:
        return reverse("crm:outgoing_change", args=[record.pk])

    def render_contact(self, value: str, record: ContactChange) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), value)

    def render_change(self, record: ContactChange) -> str:
        return render_to_string(
            "crm_bridge/outgoing_fields.html",
            {"change": record, "fields": changed_fields(record)[:3], "more": len(changed_fields(record)) - 3},
        )

    def render_words(self, value: str) -> str:
        return format_html("<span>{}</span>", value)

    def render_state(self, record: ContactChange) -> str:
        return badge(record.status, record.get_status_display())

    def render_not_before(self, record: ContactChange) -> str:
        waits = record.status in (ContactChange.Status.WAITING, ContactChange.Status.UNKNOWN)
        return age(record.not_before) if waits else "–"


class ConflictTable(ListTable):
    """One row per contact: its fields are settled together."""

    facts = ("contact", "fields", "created_at")

    contact = tables.Column(
        accessor="contact__name", verbose_name=_("Contact"), attrs={"td": {"class": "bo-clip"}}
    )
    crm = tables.Column(accessor="contact__connection__name", verbose_name=_("CRM"))
    fields = tables.Column(empty_values=(), verbose_name=_("Fields"))
    author = tables.Column(accessor="change__author", verbose_name=_("Edited by"), default="–")
    created_at = AgeColumn(verbose_name=_("Found"))

    class Meta(ListTable.Meta):
        model = Conflict
        fields = ("contact", "crm", "fields", "author", "created_at")

    def __init__(self, *args: Any, names: dict[int, str], **kwargs: Any) -> None:
        self.names = names
        super().__init__(*args, **kwargs)

    def row_url(self, record: Conflict) -> str:
        return reverse("crm:conflict", args=[record.contact_id])

    def render_contact(self, value: str, record: Conflict) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), value)

    def render_fields(self, record: Conflict) -> str:
        return self.names.get(record.contact_id, "")


class RunTable(shared.RunTable):
    connection = tables.Column(accessor="connection__name", verbose_name=_("CRM"))

    class Meta(shared.RunTable.Meta):
        """Named, for a table without one falls back to the library's own look."""


class UnreadableTable(shared.UnreadableTable):
    connection = tables.Column(accessor="connection__name", verbose_name=_("CRM"))

    class Meta(shared.UnreadableTable.Meta):
        """Named, for a table without one falls back to the library's own look."""
