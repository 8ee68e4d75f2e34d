"""Outgoing changes: what waits, what the CRM refused and why, and what to do about it."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.pages import ListPage, Page, link, nothing_selected
from backoffice.templatetags.backoffice import plain
from crm_bridge.filters_operations import OutgoingFilter
from crm_bridge.labels import changed_fields
from crm_bridge.models import ContactChange
from crm_bridge.services import push, resolve
from crm_bridge.services.access import changes_for
from crm_bridge.services.contacts import NotWritable
from crm_bridge.tables.operations import OutgoingTable
from crm_bridge.views.actions import CrmAction

Status = ContactChange.Status
RETRYABLE = (Status.WAITING, Status.REJECTED, Status.HELD)
DROPPABLE = (Status.WAITING, Status.REJECTED, Status.HELD, Status.CONFLICT)
MOST_AT_ONCE = 200


class OutgoingList(ListPage):
    permission = "crm_bridge.view_contactchange"
    title = gettext_lazy("Outgoing changes")
    noun = gettext_lazy("changes")
    empty_text = gettext_lazy("Nothing is on its way. Edits appear here until the CRM has them.")
    table_class = OutgoingTable
    filterset_class = OutgoingFilter

    def get_queryset(self) -> QuerySet[ContactChange]:
        return changes_for(self.request.user).order_by("-id")

    def with_related(self, rows: QuerySet[ContactChange]) -> QuerySet[ContactChange]:
        rows = rows.select_related("contact", "connection", "author")
        return rows.defer("contact__raw", "contact__search_text", "contact__note")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        bulk = []
        if self.request.user.has_perm("crm_bridge.retry_contactchange"):
            bulk.append({"url": link("crm:outgoing_retry_selected"), "label": _("Send again")})
        return super().get_context_data(bulk_actions=bulk, **kwargs)

    def table_options(self) -> dict[str, Any]:
        may_retry = self.request.user.has_perm("crm_bridge.retry_contactchange")
        return {} if may_retry else {"exclude": ("select",)}


class OutgoingPage(Page):
    """One change: fields before and after, the CRM's words, and what can be done now."""

    permission = "crm_bridge.view_contactchange"
    template_name = "crm_bridge/outgoing_change.html"
    crumbs = ((gettext_lazy("Outgoing changes"), "crm:outgoing"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = changes_for(self.request.user).select_related("contact", "connection", "author")
        change = get_object_or_404(rows, pk=kwargs["pk"])
        self.title = change.contact.name
        may = self.request.user.has_perm
        unclear = change.status == Status.HELD and change.operation == "create" and change.sent_at is not None
        return super().get_context_data(
            change=change,
            fields=changed_fields(change),
            unclear=unclear,
            candidates=_candidates(change) if unclear else [],
            may_retry=may("crm_bridge.retry_contactchange"),
            can_retry=change.status in RETRYABLE and not unclear and may("crm_bridge.retry_contactchange"),
            can_drop=change.status in DROPPABLE and may("crm_bridge.drop_contactchange"),
            **kwargs,
        )


def _candidates(change: ContactChange) -> list[dict[str, Any]]:
    """Records at the CRM that may be this create's result, as the look-ups found them."""
    return [
        {
            "remote_id": item["remote_id"],
            "name": item.get("name", ""),
            "phones": plain(item.get("phones")),
            "emails": plain(item.get("emails")),
            "created_at": parse_datetime(item.get("created_at") or ""),
        }
        for item in change.resolve.get("candidates", [])
    ]


class _ChangeAction(CrmAction):
    back_to = "crm:outgoing"

    def change(self, request: HttpRequest, pk: int) -> ContactChange:
        """The change, if this person may see it."""
        return get_object_or_404(changes_for(request.user).select_related("contact", "connection"), pk=pk)


class Retry(_ChangeAction):
    permission = "crm_bridge.retry_contactchange"

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        change = self.change(request, kwargs["pk"])
        push.retry(change=change, by=request.user)
        return _("The change of %s is sent again.") % change.contact.name


class RetrySelected(CrmAction):
    """Send many again; what cannot be is counted and left as it is."""

    permission = "crm_bridge.retry_contactchange"
    back_to = "crm:outgoing"

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        chosen = [int(pk) for pk in request.POST.getlist("selected") if pk.isdecimal()][:MOST_AT_ONCE]
        if not chosen:
            raise nothing_selected()
        done, left = 0, 0
        for change in changes_for(request.user).filter(pk__in=chosen).select_related("contact"):
            try:
                push.retry(change=change, by=request.user)
                done += 1
            except NotWritable:
                left += 1
        words = ngettext("%d change is sent again.", "%d changes are sent again.", done) % done
        if left:
            words += " " + ngettext("%d cannot be, and stays.", "%d cannot be, and stay.", left) % left
        return words


class Drop(_ChangeAction):
    permission = "crm_bridge.drop_contactchange"

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        change = self.change(request, kwargs["pk"])
        push.drop(change=change, by=request.user)
        return _("The change of %s was dropped. It was not sent to the CRM.") % change.contact.name


class Link(_ChangeAction):
    """A held create did land: this is the record it made."""

    permission = "crm_bridge.retry_contactchange"

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        change = self.change(request, kwargs["pk"])
        remote_id = request.POST.get("remote_id", "").strip()
        if not remote_id:
            raise ValidationError(_("Say which record of the CRM it is: its id was empty."))
        resolve.link(change=change, remote_id=remote_id, by=request.user)
        return _("%(name)s is now record %(id)s of %(crm)s.") % {
            "name": change.contact.name,
            "id": remote_id,
            "crm": change.connection.name,
        }


class Resend(_ChangeAction):
    """A held create did not land: send it once more."""

    permission = "crm_bridge.retry_contactchange"

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        change = self.change(request, kwargs["pk"])
        resolve.resend(change=change, by=request.user)
        return _("%s is sent to the CRM again.") % change.contact.name
