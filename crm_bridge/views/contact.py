"""One contact: everything known on one page, and the receipt of what is on its way."""

import json
import re
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.functional import cached_property
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice.pages import Page
from backoffice.templatetags.backoffice import plain
from crm_bridge import choices, parts
from crm_bridge.custom_values import is_empty, labelled
from crm_bridge.labels import change_words, further_label
from crm_bridge.models import Contact, ContactChange
from crm_bridge.phones import display
from crm_bridge.services import panels, push
from crm_bridge.services.access import open_conflicts_for
from crm_bridge.services.joining import why_not_merge
from crm_bridge.services.same_person import shared_with
from crm_bridge.tables.contacts import open_change_status, state_words
from crm_bridge.timeline import panel_events, timeline
from crm_bridge.validation import EMAIL

RAW = "crm_bridge.export_contact"
"""Whoever may carry contacts out of the house may also read them as the CRM sent them."""
TIMELINE_PAGE = 30

_WEB_ADDRESS = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)


class OfContact(Page):
    """A page about the contact of the address."""

    permission = "crm_bridge.view_contact"
    crumbs = ((_("Contacts"), "admin:crm_bridge_contact_changelist"),)

    @cached_property
    def contact(self) -> Any:
        rows: QuerySet[Contact] = Contact.objects.annotate(change=open_change_status()).with_lists()  # type: ignore[attr-defined]
        rows = rows.select_related("connection", "survivor").defer("connection__credentials", "search_text")
        try:
            return rows.get(pk=self.kwargs["pk"])
        except (Contact.DoesNotExist, OverflowError):
            raise Http404(_g("There is no contact with this number here.")) from None

    def get_title(self) -> str:
        return self.contact.name or _g("(no name)")


class ContactPage(OfContact):
    tabs = (("details", _("Details")), ("timeline", _("Timeline")), ("remote", _("Remote data")))

    def get_template_names(self) -> list[str]:
        return ["crm_bridge/contacts/contact.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, contact = self.request.user, self.contact
        tabs = [
            (key, label)
            for key, label in self.tabs
            if key != "remote" or user.has_perm(RAW)  # type: ignore[union-attr]
        ]
        further = {part.key: part for part in parts.tabs(self.request)}
        tabs[-1:-1] = [(key, part.label(contact)) for key, part in further.items()]
        asked = self.request.GET.get("tab", "")
        tab = asked if asked in dict(tabs) else "details"
        live = contact.state == Contact.State.LIVE
        return super().get_context_data(
            contact=contact,
            tabs=tabs,
            tab=tab,
            phones=phones_shown(contact),
            emails=[(row, bool(EMAIL.fullmatch(row.value))) for row in contact.emails.all()],
            conflicts=contact.conflicts.filter(resolved_at__isnull=True).count(),
            can_settle=open_conflicts_for(user).filter(contact=contact).exists(),
            deleting=contact.changes.filter(operation="delete", status__in=ContactChange.OPEN).exists(),
            tombstone=contact.tombstones.filter(lifted_at__isnull=True).first() if not live else None,
            merge=getattr(contact, "merge", None) if not live else None,
            can_edit=user.has_perm("crm_bridge.change_contact"),  # type: ignore[union-attr]
            can_delete=user.has_perm("crm_bridge.delete_contact"),  # type: ignore[union-attr]
            why_not_edit=why_not_edit(contact),
            notices=parts.notices(contact, self.request),
            buttons=parts.buttons(contact, self.request),
            part=further[tab].show(contact, self.request) if tab in further else None,
            why_not_delete=why_not_delete(contact),
            can_merge=user.has_perm("crm_bridge.merge_contact"),  # type: ignore[union-attr]
            why_not_merge=why_not_merge(contact.connection),
            shared=shared_with(contact) if live else None,
            **receipt_context(contact),
            **({} if tab in further else self._tab(tab)),
            **kwargs,
        )

    def _tab(self, tab: str) -> dict[str, Any]:
        if tab == "timeline":
            return timeline_context(self.contact, self.request, remote=bool(self.request.GET.get("remote")))
        if tab == "remote":
            return {"raw": pretty(self.contact.raw)}
        return {
            "panels": [spec for spec in self.contact.connection.capabilities.panels if not spec.timeline],
            "custom": custom_shown(self.contact),
            "addresses": addresses_shown(self.contact),
            "social": social_shown(self.contact),
            "ads": ads_shown(self.contact),
            "further": [(further_label(name), value) for name, value in (self.contact.extra or {}).items()],
            "aliases": self.contact.aliases.all(),
        }


def timeline_context(contact: Contact, request: HttpRequest, *, remote: bool) -> dict[str, Any]:
    """One page of the timeline; with ``remote`` the CRM's own histories are sorted in."""
    number = request.GET.get("page", "1")
    page = min(max(int(number), 1), 50) if number.isdecimal() and len(number) < 6 else 1
    limit = page * TIMELINE_PAGE + 1
    events = timeline(contact, limit=limit, more=parts.events(contact, request, limit))
    specs = [spec for spec in contact.connection.capabilities.panels if spec.timeline]
    readings = panels.read_pages(contact, specs, page) if remote else []
    if remote:
        events = sorted([*events, *panel_events(readings)], key=lambda event: event.at, reverse=True)
    further = any(reading.panel is not None and reading.panel.next_page for reading in readings)
    return {
        "events": events[(page - 1) * TIMELINE_PAGE : page * TIMELINE_PAGE],
        "page": page,
        "more": len(events) > page * TIMELINE_PAGE or further,
        "remote": remote,
        "histories": [str(spec.label) for spec in specs],
        "problems": [reading for reading in readings if reading.problem],
        "read_at": min((reading.read_at for reading in readings), default=None),
    }


class Receipt(OfContact):
    """The receipt line alone; asks again by itself while something is on its way."""

    template_name = "crm_bridge/contacts/receipt.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {"contact": self.contact, "swapped": True, **receipt_context(self.contact)}

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if not self.request.htmx:  # type: ignore[attr-defined]
            raise Http404
        return super().render_to_response(context, **kwargs)


# --- what the page shows -----------------------------------------------------------------


def receipt_context(contact: Any) -> dict[str, Any]:
    """What has become of the last edit; ``busy`` while it can still move by itself."""
    receipt = push.receipt(contact)
    return {
        "receipt": receipt,
        "receipt_fields": change_words(receipt.change) if receipt else "",
        "busy": receipt is not None and str(receipt.state) in ContactChange.MOVING,
        "state": state_words(contact.state, contact.change),
    }


def why_not_edit(contact: Contact) -> str:
    """Why the Edit button is off; "" when it is not."""
    if contact.state != Contact.State.LIVE:
        return _g("Only a live contact can be edited.")
    if not contact.connection.capabilities.writable:
        words = _g("%s takes no edits.") % contact.connection.vendor_label
        return contact.connection.capabilities.why_not.get("writable") or words
    return ""


def why_not_delete(contact: Contact) -> str:
    """Why the Delete button is off; "" when it is not."""
    able = contact.connection.capabilities
    if able.can_delete:
        return ""
    words = _g("%s does not let us delete contacts.") % contact.connection.vendor_label
    return able.why_not.get("can_delete") or words


def phones_shown(contact: Contact) -> list[dict[str, str]]:
    return [
        {"shown": display(row.value, row.e164), "written": row.value, "type": row.type, "tel": row.e164}
        for row in contact.phones.all()
    ]


def addresses_shown(contact: Contact) -> list[dict[str, str]]:
    slots = ("street", "street_name", "ward", "district", "city", "postal_code", "country")
    shown = []
    for address in contact.addresses or []:
        if isinstance(address, dict):
            parts = [str(address[slot]) for slot in slots if address.get(slot)]
            shown.append({"text": ", ".join(parts), "type": str(address.get("type") or "")})
    return [item for item in shown if item["text"]]


def custom_shown(contact: Contact) -> list[dict[str, Any]]:
    """Custom fields by label, in the CRM's order; a link only where it leads to the web."""
    definitions = choices.definitions_of(contact.connection_id)
    shown = labelled(contact.custom_fields or {}, definitions)
    return [
        {
            "label": label,
            "value": value,
            "url": value if isinstance(value, str) and _WEB_ADDRESS.fullmatch(value) else "",
        }
        for label, value in shown.items()
        if not is_empty(value)
    ]


def social_shown(contact: Contact) -> list[dict[str, str]]:
    """Only http and https become links: whatever else a CRM holds stays text."""
    shown = []
    for account in contact.social_accounts or []:
        if isinstance(account, dict):
            value = str(account.get("value") or "")
            url = value if _WEB_ADDRESS.fullmatch(value) else ""
            shown.append({"protocol": str(account.get("protocol") or ""), "value": value, "url": url})
    return shown


def ads_shown(contact: Contact) -> list[str]:
    """The ads a contact came by, each on one line; moments of the CRM as local time."""
    shown = []
    for item in contact.ads_history or []:
        if isinstance(item, dict):
            parts = [
                f"{further_label(name)}: {plain(_moment(value))}" for name, value in item.items() if value
            ]
            shown.append("; ".join(parts))
    return [line for line in shown if line]


def _moment(value: Any) -> Any:
    """A canonical moment as such; anything else stays what it is."""
    try:
        return (parse_datetime(value) if isinstance(value, str) else None) or value
    except ValueError:
        return value


def pretty(raw: str) -> str:
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except ValueError:
        return raw
