"""Unreadable records: what a vendor sent that could not be understood, and why."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy

from backoffice.pages import ListPage, Page
from backoffice.remote.redact import redact


class UnreadableList(ListPage):
    title: Any = gettext_lazy("Unreadable records")
    noun = gettext_lazy("records")
    model: ClassVar[Any]
    """The app's quarantine."""

    def get_queryset(self) -> QuerySet[Any]:
        return self.model._default_manager.order_by("-last_seen_at", "-id")

    def with_related(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related("connection").defer("sample")


class UnreadablePage(Page):
    """One record. ``crumbs`` lead back to the app's list."""

    template_name = "backoffice/connections/unreadable_record.html"
    model: ClassVar[Any]
    """The app's quarantine."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        records = self.model._default_manager.select_related("connection")
        record: Any = get_object_or_404(records, pk=kwargs["pk"])
        self.title = record.remote_id or record.stream
        return super().get_context_data(record=record, sample=redact(record.sample), **kwargs)
