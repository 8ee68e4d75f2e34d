"""Runs and unreadable records as tables."""

from typing import Any

import django_tables2 as tables
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from backoffice.connections.addresses import address_of
from backoffice.tables import AgeColumn, ListTable
from backoffice.templatetags.backoffice import badge, duration


class RunTable(ListTable):
    facts = ("stream", "started_at", "status")

    status = tables.Column(verbose_name=_("State"))
    connection = tables.Column(accessor="connection__name", verbose_name=_("Connection"))
    stream = tables.Column(verbose_name=_("Stream"))
    mode = tables.Column(verbose_name=_("Kind"))
    started_at = AgeColumn(verbose_name=_("Started"))
    counts = tables.Column(empty_values=(), verbose_name=_("Seen · new · changed · rejected"))
    requests = tables.Column(verbose_name=_("Requests"), attrs={"td": {"class": "bo-num"}})
    seconds = tables.Column(verbose_name=_("Took"), attrs={"td": {"class": "bo-num"}})

    class Meta(ListTable.Meta):
        sequence = ("status", "connection", "stream", "mode", "started_at", "counts", "requests", "seconds")

    def row_url(self, record: Any) -> str:
        return address_of(record, "run", record.pk)

    def render_status(self, record: Any) -> str:
        return badge(record.status, record.get_status_display(), title=record.error)

    def render_mode(self, record: Any) -> str:
        return str(record.get_mode_display())

    def render_stream(self, value: str, record: Any) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), value)

    def render_counts(self, record: Any) -> str:
        return f"{record.seen:,} · {record.created:,} · {record.changed:,} · {record.rejected:,}"

    def render_seconds(self, value: float) -> str:
        return duration(value)


class UnreadableTable(ListTable):
    facts = ("reason", "remote_id", "last_seen_at")

    reason = tables.Column(verbose_name=_("Reason"), attrs={"td": {"class": "bo-clip"}})
    connection = tables.Column(accessor="connection__name", verbose_name=_("Connection"))
    stream = tables.Column(verbose_name=_("Stream"))
    remote_id = tables.Column(verbose_name=_("Remote id"), default=_("unknown"))
    first_seen_at = AgeColumn(verbose_name=_("First seen"))
    last_seen_at = AgeColumn(verbose_name=_("Last seen"))

    class Meta(ListTable.Meta):
        sequence = ("reason", "connection", "stream", "remote_id", "first_seen_at", "last_seen_at")

    def row_url(self, record: Any) -> str:
        return address_of(record, "unreadable_record", record.pk)

    def render_reason(self, value: str, record: Any) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), value)
