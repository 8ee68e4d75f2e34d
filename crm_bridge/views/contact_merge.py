"""Merging two contacts in their CRM: choose the other one, see both, say which stays, confirm."""

from typing import Any

from django.contrib import messages
from django.core import signing
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from crm_bridge.browse import Browser
from crm_bridge.labels import field_label, phone_text, shown_value
from crm_bridge.models import Contact, ContactChange
from crm_bridge.records import EDITABLE_FIELDS, LIST_FIELDS
from crm_bridge.search import Search
from crm_bridge.services import contacts as service
from crm_bridge.services import outbox
from crm_bridge.services.joining import refuse_busy, refuse_unmergeable, why_not_merge
from crm_bridge.services.same_person import near
from crm_bridge.views.contact import OfContact

SALT = "crm_bridge.contact-merge"
SHOWN = 20


class Choose(OfContact):
    """Which contact it is the same as: those that share a number first, or a search."""

    permission = "crm_bridge.merge_contact"
    template_name = "crm_bridge/contacts/merge_choose.html"

    def get_title(self) -> str:
        return _("Merge %s with …") % super().get_title()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        contact = self.contact
        text = self.request.GET.get("q", "")
        search = Search(text)
        return super().get_context_data(
            contact=contact,
            query=search.text,
            rows=[_line(row) for row in self._rows(search)],
            why_not=why_not_merge(contact.connection) or _why_not_now(contact),
            back=reverse("admin:crm_bridge_contact_change", args=[contact.pk]),
            **kwargs,
        )

    def _rows(self, search: Search) -> list[Contact]:
        contact = self.contact
        same = Contact.objects.live().filter(connection=contact.connection, family=contact.family)
        same = same.exclude(pk=contact.pk).exclude(remote_id=None)
        if search:
            ids = Browser(same, walk=same, search=search).first(SHOWN).ids
        else:
            ids = [pk for pk, _reasons in near(contact, connection=contact.connection_id)][:SHOWN]
        found = same.with_lists().defer("raw", "search_text").in_bulk(ids)
        return [found[pk] for pk in ids if pk in found]


def _why_not_now(contact: Contact) -> str:
    if contact.state != Contact.State.LIVE:
        return _("Only a live contact can be merged.")
    return "" if contact.remote_id else _("The CRM has not taken this contact yet.")


def _line(contact: Contact) -> dict[str, Any]:
    values = contact.values(("phones", "emails"))
    emails = [row["value"] for row in values["emails"]]
    return {"contact": contact, "phone": phone_text(values) or "–", "email": emails[0] if emails else "–"}


class Compare(OfContact):
    """Both side by side, differing fields first; merges on a POST that repeats the loser's name."""

    permission = "crm_bridge.merge_contact"
    template_name = "crm_bridge/contacts/merge_compare.html"

    def get_title(self) -> str:
        return _("Merge %s") % super().get_title()

    @cached_property
    def other(self) -> Contact:
        rows: QuerySet[Contact] = Contact.objects.with_lists().select_related("connection")  # type: ignore[assignment]
        found = rows.filter(pk=self.kwargs["other"], connection=self.contact.connection).first()
        if found is None:
            raise Http404(_("There is no such contact in this CRM."))
        return found

    @property
    def pair(self) -> tuple[Contact, Contact]:
        """(loser, survivor): the contact of the address stays unless the other is asked to."""
        stays = self.request.POST.get("stays") or self.request.GET.get("stays", "")
        if stays == str(self.other.pk):
            return self.contact, self.other
        return self.other, self.contact

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        loser, survivor = self.pair
        shown = {"loser": outbox.agreed_values(loser), "survivor": outbox.agreed_values(survivor)}
        rows = _side_by_side(loser, shown)
        return super().get_context_data(
            contact=self.contact,
            loser=loser,
            survivor=survivor,
            rows=rows,
            lost=[row for row in rows if row["lost"]],
            joined=[row for row in rows if row["joins"]],
            unsent=_unsent(loser),
            confirm=confirmation(loser),
            seen=signing.dumps(shown, salt=SALT, compress=True),
            why_not=refusal(loser, survivor),
            back=reverse("admin:crm_bridge_contact_change", args=[self.contact.pk]),
            **{**kwargs, "other": self.other},
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        loser, survivor = self.pair
        if request.POST.get("typed", "").strip() != confirmation(loser):
            messages.error(
                request,
                _("Type “%s”, the one that goes, to confirm. Nothing was merged.") % confirmation(loser),
            )
            return self._again(422)
        try:
            seen = signing.loads(request.POST.get("seen", ""), salt=SALT)
        except signing.BadSignature:
            messages.error(request, _("This page is too old. Look at both again, then confirm."))
            return self._again(422)
        try:
            service.merge(loser=loser, survivor=survivor, by=request.user, seen=seen)
        except service.NotWritable as refused:
            messages.error(request, str(refused))
            return self._again(422)
        messages.success(
            request,
            _("The merge of %(loser)s into %(survivor)s is on its way to %(crm)s.")
            % {"loser": loser.name, "survivor": survivor.name, "crm": loser.connection.name},
        )
        return HttpResponseRedirect(reverse("admin:crm_bridge_contact_change", args=[loser.pk]))

    def _again(self, status: int) -> HttpResponse:
        return self.render_to_response(self.get_context_data(**self.kwargs), status=status)


def confirmation(loser: Contact) -> str:
    """What has to be typed: the name of the one that goes, or its number where it has none."""
    return loser.name.strip() or str(loser.remote_id)


def refusal(loser: Contact, survivor: Contact) -> str:
    """Why these two cannot be merged now; "" when they can."""
    try:
        refuse_unmergeable(loser, survivor)
        refuse_busy(loser, survivor)
    except service.NotWritable as why:
        return str(why)
    return ""


def _unsent(loser: Contact) -> list[str]:
    """Fields of the loser that were edited and not sent: a person will be asked about them."""
    edits = [
        change for change in outbox.open_changes(loser)
        if change.operation == "edit" and change.status not in ContactChange.MOVING[1:]
    ]  # fmt: skip
    return sorted({field_label(name) for change in edits for name in change.new})


def _side_by_side(loser: Contact, shown: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for name in EDITABLE_FIELDS:
        gone, kept = shown["loser"].get(name), shown["survivor"].get(name)
        texts = [shown_value(loser.connection_id, name, value) for value in (gone, kept)]
        if texts == ["–", "–"]:
            continue
        differs = texts[0] != texts[1]
        several = name in LIST_FIELDS or name == "custom_fields"
        rows.append(
            {
                "label": field_label(name),
                "loser": texts[0],
                "survivor": texts[1],
                "differs": differs,
                "lost": differs and texts[0] != "–" and not several,
                "joins": differs and texts[0] != "–" and several,
            }
        )
    return sorted(rows, key=lambda row: not row["differs"])
