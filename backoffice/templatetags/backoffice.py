"""Tags of all pages: ages, states, fold-away values, dialogs' numbers."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backoffice.connections import addresses

register = template.Library()
NEVER = mark_safe('<span class="bo-quiet">–</span>')

TONES = {
    "good": {"in_sync", "ok", "done", "live", "proven", "by_hand", "settled", "active"},
    "busy": {"waiting", "sending", "running", "unknown", "checking"},
    "warn": {"held", "incomplete", "to_prove", "missing", "interrupted", "paused", "open", "off"},
    "bad": {"conflict", "rejected", "failed", "attention"},
    "quiet": {"trashed", "merged", "cancelled", "excluded", "dropped"},
}
_TONE_OF = {state: tone for tone, states in TONES.items() for state in states}


def span_words(span: timedelta) -> str:
    """ "2 min", "3 h", "4 days"."""
    seconds = abs(span.total_seconds())
    if seconds < 3600:
        return _("%d min") % max(1, round(seconds / 60))
    if seconds < 86_400:
        return _("%d h") % round(seconds / 3600)
    if seconds < 60 * 86_400:
        days = round(seconds / 86_400)
        return ngettext("%d day", "%d days", days) % days
    months = round(seconds / (30.44 * 86_400))
    return ngettext("%d month", "%d months", months) % months


def age_words(moment: datetime, now: datetime | None = None) -> str:
    """ "just now", "2 min ago", "in 3 h"."""
    span = (now or timezone.now()) - moment
    past = span >= timedelta(0)
    if abs(span.total_seconds()) < 45:
        return _("just now") if past else _("in a moment")
    return (_("%s ago") if past else _("in %s")) % span_words(span)


@register.filter
def age(moment: datetime | None) -> SafeString:
    """``<time>`` with the age in words and the exact local time on hover; "–" for None."""
    if not moment:  # None, or a template's missing value
        return NEVER
    exact = formats.date_format(timezone.localtime(moment), "Y-m-d H:i:s")
    return format_html(
        '<time class="bo-age" datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        exact,
        age_words(moment),
    )


@register.simple_tag
def badge(state: str, label: Any = "", title: str = "") -> SafeString:
    """A state as a word in its colour. ``state`` picks the colour, ``label`` is what is read."""
    return format_html(
        '<span class="bo-badge bo-{}"{}>{}</span>',
        _TONE_OF.get(str(state), "quiet"),
        format_html(' title="{}"', title) if title else "",
        label or state,
    )


@register.filter
def duration(seconds: float | None) -> str:
    """ "4.2 s", "3 min 05 s", "1 h 20 min"."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return _("%.1f s") % seconds
    if seconds < 3600:
        return _("%(min)d min %(sec)02d s") % {"min": seconds // 60, "sec": seconds % 60}
    return _("%(hours)d h %(min)02d min") % {"hours": seconds // 3600, "min": seconds % 3600 // 60}


@register.filter
def plain(value: Any) -> str:
    """A canonical value as one readable line: lists joined, dicts as "key: value"."""
    if value is None or value == "" or value == [] or value == {}:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return formats.date_format(timezone.localtime(value), "Y-m-d H:i")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        if "value" in value and set(value) <= {"value", "type", "protocol", "e164"}:
            kind = value.get("type") or value.get("protocol") or ""
            return f"{value['value']} ({kind})" if kind else str(value["value"])
        if "street" in value or "city" in value:
            return ", ".join(str(part) for part in value.values() if part)
        return "; ".join(f"{key}: {plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return str(value)


@register.filter
def get(mapping: Mapping[str, Any] | None, key: str) -> Any:
    """``mapping[key]`` where templates cannot say it; "" when absent."""
    return (mapping or {}).get(key, "")


@register.simple_tag
def contact_url(pk: Any) -> str:
    """Address of a contact's page."""
    try:
        return reverse("admin:crm_bridge_contact_change", args=[pk])
    except NoReverseMatch:
        return ""


@register.simple_tag(takes_context=True)
def page_url(context: template.Context, number: int) -> str:
    """This list's address with another page number."""
    query = context["request"].GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"


@register.simple_tag
def row_url(row: Any, name: str, *args: Any) -> str:
    """Address of the page ``name`` of the row's own app."""
    return addresses.address_of(row, name, *args)


@register.simple_tag(takes_context=True)
def may(context: template.Context, action: str, row: Any) -> bool:
    """Whether the visitor may do this to rows like that one."""
    return addresses.may(context["request"].user, action, row)


@register.filter(name="in")
def is_in(item: Any, items: Any) -> bool:
    """Whether a name is among others."""
    return item in (items or ())


@register.filter
def changed_words(entry: Any) -> str:
    """What an audit entry says of values before and after: "window_end: 17:00 → 18:00"."""
    before, after = entry.data.get("before"), entry.data.get("after")
    if isinstance(after, Mapping):
        old = before if isinstance(before, Mapping) else {}
        return "; ".join(f"{name}: {plain(old.get(name))} → {plain(value)}" for name, value in after.items())
    change = f"{plain(before)} → {plain(after)}"
    return f"{change} · {entry.summary}" if entry.summary else change


@register.filter
def form_url(row: Any) -> str:
    """Address of the shell's form of a row."""
    return addresses.form_of(row)


@register.filter
def kind_of(row: Any) -> str:
    """The model's name, for ids that are unique on a page."""
    return str(row._meta.model_name)
