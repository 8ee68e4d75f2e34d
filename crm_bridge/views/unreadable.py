"""Unreadable records: what a CRM sent that could not be understood, and why."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy

from backoffice.pages import ListPage, Page
from backoffice.remote.redact import redact
from crm_bridge.filters_operations import UnreadableFilter
from crm_bridge.models import Quarantine
from crm_bridge.tables.operations import UnreadableTable


class UnreadableList(ListPage):
    permission = "crm_bridge.view_quarantine"
    title = gettext_lazy("Unreadable records")
    noun = gettext_lazy("records")
    empty_text = gettext_lazy("Every record that the CRMs sent could be read.")
    table_class = UnreadableTable
    filterset_class = UnreadableFilter

    def get_queryset(self) -> QuerySet[Quarantine]:
        return Quarantine.objects.order_by("-last_seen_at", "-id")

    def with_related(self, rows: QuerySet[Quarantine]) -> QuerySet[Quarantine]:
        return rows.select_related("connection").defer("sample")


class UnreadablePage(Page):
    permission = "crm_bridge.view_quarantine"
    template_name = "crm_bridge/unreadable_record.html"
    crumbs = ((gettext_lazy("Unreadable records"), "crm:unreadable"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        record = get_object_or_404(Quarantine.objects.select_related("connection"), pk=kwargs["pk"])
        self.title = record.remote_id or record.stream
        return super().get_context_data(record=record, sample=redact(record.sample), **kwargs)
