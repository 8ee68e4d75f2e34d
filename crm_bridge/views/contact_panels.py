"""Parts of a contact that only its CRM keeps: read when somebody looks, changed through the outbox."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.pages import Guarded
from crm_bridge.connectors.base import PanelSpec
from crm_bridge.models import Contact, ContactChange
from crm_bridge.records import Relation, RelationAction
from crm_bridge.services import contacts as service
from crm_bridge.services import panels
from crm_bridge.services.joining import panel_spec
from crm_bridge.views.contact import OfContact, timeline_context


class PanelPage(OfContact):
    """One panel: by itself without scripts, as a part of the contact's page with htmx."""

    def get_template_names(self) -> list[str]:
        part = "panel" if self.request.htmx else "panel_page"  # type: ignore[attr-defined]
        return [f"crm_bridge/contacts/{part}.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        spec = _spec(self.contact, self.kwargs["key"])
        number = self.request.GET.get("page", "1")
        page = min(int(number), panels.MOST_PAGES) if number.isdecimal() and 0 < len(number) < 5 else 1
        reading = panels.read(self.contact, spec, max(1, page), fresh=bool(self.request.GET.get("fresh")))
        context = {"contact": self.contact, **panel_context(self.contact, reading, self.request.user)}
        if self.request.htmx:  # type: ignore[attr-defined]
            return {"page": page, **context}
        return super().get_context_data(page=page, **context, **kwargs)

    def get_title(self) -> str:
        return f"{super().get_title()}: {_spec(self.contact, self.kwargs['key']).label}"


class PanelTimeline(OfContact):
    """The timeline with the CRM's own histories sorted in, in the place of the one without."""

    template_name = "crm_bridge/contacts/timeline.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {"contact": self.contact, **timeline_context(self.contact, self.request, remote=True)}

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if not self.request.htmx:  # type: ignore[attr-defined]
            raise Http404
        return super().render_to_response(context, **kwargs)


class ChangePanel(Guarded):
    """Attach, detach or replace entries; the receipt of the contact tells what becomes of it."""

    permission = "crm_bridge.change_contact"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int, key: str) -> HttpResponse:
        contact = Contact.objects.select_related("connection").filter(pk=pk).first()
        if contact is None:
            raise Http404
        spec = _spec(contact, key)
        try:
            relation = Relation(spec.key, _action(request), tuple(_refs(request)))
            service.relate(contact=contact, relation=relation, by=request.user)
            messages.success(request, _("The change is on its way to %s.") % contact.connection.name)
        except service.Invalid as wrong:
            messages.error(request, " ".join(wrong.errors.values()))
        except (service.NotWritable, ValidationError) as refused:
            messages.error(request, " ".join(getattr(refused, "messages", [str(refused)])))
        return HttpResponseRedirect(reverse("admin:crm_bridge_contact_change", args=[pk]) + "#panels")


def _action(request: HttpRequest) -> RelationAction:
    try:
        return RelationAction(request.POST.get("action", ""))
    except ValueError:
        raise ValidationError(_("Choose what to do.")) from None


def _refs(request: HttpRequest) -> list[str]:
    """Numbers as typed: divided by commas, blanks or lines; or the one of the pressed button."""
    text = " ".join(request.POST.getlist("refs")).replace(",", " ").replace(";", " ")
    return text.split()


def _spec(contact: Contact, key: str) -> PanelSpec:
    try:
        return panel_spec(contact.connection, key)
    except service.NotWritable as unknown:
        raise Http404(str(unknown)) from None


def panel_context(contact: Contact, reading: panels.Reading, user: Any) -> dict[str, Any]:
    """What the template of one panel needs."""
    spec = reading.spec
    may = user.has_perm("crm_bridge.change_contact") and contact.state == Contact.State.LIVE
    waiting = [
        change
        for change in contact.changes.filter(operation="relate", status__in=ContactChange.OPEN)
        if change.new.get("panel") == spec.key
    ]
    return {
        "spec": spec,
        "reading": reading,
        "entries": reading.panel.entries if reading.panel else (),
        "next_page": reading.panel.next_page if reading.panel else None,
        "can_attach": may and RelationAction.ATTACH in spec.actions,
        "can_detach": may and RelationAction.DETACH in spec.actions,
        "can_replace": may and RelationAction.REPLACE in spec.actions,
        "waiting": waiting,
    }
