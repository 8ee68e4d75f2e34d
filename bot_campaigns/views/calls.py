"""Calls: search, outcomes over time, export of exactly the filtered set, one call."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice import audit
from backoffice.pages import Guarded, ListPage, Page, link
from bot_campaigns import call_exports, outcomes
from bot_campaigns.call_chart import Chart, chart
from bot_campaigns.filters.calls import TIME, CallFilter
from bot_campaigns.labels import kind_words, number_text, outcome_badge
from bot_campaigns.models import Call
from bot_campaigns.services import suppression
from bot_campaigns.tables.calls import CallTable

CHART_SECONDS = 30
SAME_NUMBER = 10
POSITION = ("page",)


class CallList(ListPage):
    permission = "bot_campaigns.view_call"
    title = _("Calls")
    noun = _("calls")
    empty_text = _("No call has been mirrored yet. Calls appear here while a campaign runs.")
    table_class = CallTable
    filterset_class = CallFilter
    template_name = "bot_campaigns/calls.html"
    fragment_name = "bot_campaigns/calls_body.html"

    def get_queryset(self) -> QuerySet[Call]:
        return Call.objects.order_by("-started_at", "-id")

    def with_related(self, rows: QuerySet[Call]) -> QuerySet[Call]:
        rows = rows.select_related("contact", "campaign").defer("raw")
        return rows.defer("raw", "contact__raw", "contact__search_text", "contact__note", "campaign__raw")

    def table_options(self) -> dict[str, Any]:
        user: Any = self.request.user
        return {
            "search": self.request.GET.get("q", ""),
            "links_campaigns": user.has_perm("bot_campaigns.view_campaign"),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        query = kept(self.request.GET)
        filters: CallFilter = context["filter"]
        shown = _chart(filters, query)
        return {
            **context,
            "chart": shown,
            "bars": [_bar(bar, shown.highest, query) for bar in shown.bars],
            "legend": shown.totals,
            "may_export": self.request.user.has_perm("bot_campaigns.export_call"),  # type: ignore[union-attr]
            "formats": [("xlsx", _g("Excel (XLSX)")), ("csv", "CSV")],
            "export_url": f"{reverse('bot:calls_export')}?{query.urlencode()}",
        }


def kept(query: QueryDict) -> QueryDict:
    """The filters of an address, without the place in the list and what is empty."""
    rest = query.copy()
    for name in [name for name in rest if name in POSITION or not any(rest.getlist(name))]:
        del rest[name]
    return rest


def _chart(filters: CallFilter, query: QueryDict) -> Chart:
    key = f"call-chart:{timezone.localdate()}:{urlencode(sorted(query.lists()), doseq=True)}"
    if len(key) > 200:
        return _drawn(filters)
    found: Chart | None = cache.get(_safe(key))
    if found is None:
        found = _drawn(filters)
        cache.set(_safe(key), found, CHART_SECONDS)
    return found


def _safe(key: str) -> str:
    return key.replace(" ", "+")


def _drawn(filters: CallFilter) -> Chart:
    valid = filters.form.cleaned_data if filters.form.is_bound and filters.form.is_valid() else {}
    narrowed = any(value not in (None, "") for name, value in valid.items() if name not in TIME)
    return chart(filters.untimed, valid.get("since"), valid.get("until"), narrowed=narrowed)


def _bar(bar: Any, highest: int, query: QueryDict) -> dict[str, Any]:
    """One bar as the template draws it: parts in percent of the highest."""
    days = {"since": bar.since.isoformat(), "until": bar.until.isoformat()}

    def address(**more: str) -> str:
        rest = query.copy()
        for name, value in {**days, **more}.items():
            rest[name] = value
        return f"?{rest.urlencode()}"

    counts = [(group, words, bar.counts.get(group, 0)) for group, words in outcomes.GROUPS.items()]
    return {
        "label": bar.label,
        "total": bar.total,
        "title": f"{bar.label}: " + ", ".join(f"{words} {count}" for _key, words, count in counts if count),
        "parts": [(group, 100 * count / highest) for group, _words, count in counts if count and highest],
        "url": address(),
        "cells": [(count, address(outcome=group)) for group, _words, count in counts],
    }


class CallExport(Guarded):
    """A file of exactly the filtered set. Every export is audited."""

    permission = "bot_campaigns.export_call"
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        user: Any = request.user
        back = f"{reverse('bot:calls')}?{request.GET.urlencode()}"
        format = request.POST.get("format", "")
        filters = CallFilter(request.GET or None, queryset=Call.objects.order_by("-started_at", "-id"))
        if format not in call_exports.FORMATS:
            messages.error(request, _g("Choose one of the formats offered."))
            return HttpResponseRedirect(back)
        if filters.form.is_bound and not filters.form.is_valid():
            words = "; ".join(f"{name}: {' '.join(each)}" for name, each in filters.form.errors.items())
            messages.error(request, _g("Nothing was exported: %s") % words)
            return HttpResponseRedirect(back)
        named = {name: value for name, value in request.GET.items() if name not in ("q", *POSITION)}
        audit.record(
            "call.export", user, by=user, summary=format, filters=named, search=bool(request.GET.get("q"))
        )
        name = f"calls-{timezone.localtime():%Y%m%d-%H%M}.{format}"
        return StreamingHttpResponse(
            call_exports.pieces(filters.qs, format),
            content_type=call_exports.spreadsheets.CONTENT_TYPES[format],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


class CallPage(Page):
    permission = "bot_campaigns.view_call"
    template_name = "bot_campaigns/call.html"
    crumbs = ((_("Calls"), "bot:calls"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = Call.objects.select_related("contact", "campaign__gateway", "connection")
        rows = rows.defer("raw", "contact__raw", "contact__search_text", "connection__credentials")
        call = get_object_or_404(rows, pk=kwargs["pk"])
        self.title = number_text(call) or _g("Call")
        same = Call.objects.filter(e164=call.e164).exclude(pk=call.pk) if call.e164 else Call.objects.none()
        same = same.select_related("contact", "campaign").defer("raw", "contact__raw", "contact__search_text")
        newest = list(same.order_by("-started_at", "-id")[:SAME_NUMBER])
        user: Any = self.request.user
        sees_campaigns = user.has_perm("bot_campaigns.view_campaign")
        others = CallTable(
            newest, order_by=(), exclude=("contact", "cause", "kind"), links_campaigns=sees_campaigns
        )
        return super().get_context_data(
            call=call,
            outcome=outcome_badge(call),
            kind=kind_words(call),
            cause_words=outcomes.cause_words(call.hangup_cause),
            campaign_url=link("bot:campaign", call.campaign_id)
            if sees_campaigns and call.campaign_id
            else "",
            others=others if others.rows else None,
            all_of_number=f"{reverse('bot:calls')}?{urlencode({'q': call.e164})}",
            reasons=suppression.why(call.e164) if call.e164 else [],
            may_suppress=bool(call.e164) and user.has_perm("bot_campaigns.add_suppression"),
            **kwargs,
        )
