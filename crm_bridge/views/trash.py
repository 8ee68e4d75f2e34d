"""Trash: what the CRM holds as deleted, who did it, and how it looked before."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.pages import ListPage, Page
from backoffice.templatetags.backoffice import plain
from crm_bridge.filters_operations import TrashFilter
from crm_bridge.labels import field_label, shown_value
from crm_bridge.models import Tombstone
from crm_bridge.services import contacts
from crm_bridge.tables.operations import TrashTable
from crm_bridge.views.actions import CrmAction


def _standing() -> QuerySet[Tombstone]:
    return Tombstone.objects.filter(lifted_at__isnull=True)


class TrashList(ListPage):
    permission = "crm_bridge.view_tombstone"
    title = gettext_lazy("Trash")
    noun = gettext_lazy("trashed contacts")
    empty_text = gettext_lazy("The trash is empty. Contacts that were deleted in a CRM appear here.")
    table_class = TrashTable
    filterset_class = TrashFilter

    def get_queryset(self) -> QuerySet[Tombstone]:
        return _standing().order_by("-trashed_at", "-id")

    def with_related(self, rows: QuerySet[Tombstone]) -> QuerySet[Tombstone]:
        return rows.select_related("contact__connection").defer("raw", "contact__raw", "contact__search_text")


class TrashSnapshot(Page):
    """One tombstone: the evidence, and the contact as it last was."""

    permission = "crm_bridge.view_tombstone"
    template_name = "crm_bridge/trash_snapshot.html"
    crumbs = ((gettext_lazy("Trash"), "crm:trash"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        stone = get_object_or_404(Tombstone.objects.select_related("contact__connection"), pk=kwargs["pk"])
        self.title = stone.contact.name
        return super().get_context_data(
            stone=stone,
            values=[
                (field_label(name), shown_value(stone.contact.connection_id, name, value))
                for name, value in stone.snapshot.items()
                if plain(value) != "–"
            ],
            can_recreate=stone.lifted_at is None and self.request.user.has_perm("crm_bridge.add_contact"),
            **kwargs,
        )


class Recreate(CrmAction):
    """Create the deleted contact anew in the CRM; it gets a new id there."""

    permission = ("crm_bridge.view_tombstone", "crm_bridge.add_contact")
    back_to = "crm:trash"

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        stone = get_object_or_404(_standing().select_related("contact__connection"), pk=kwargs["pk"])
        contacts.recreate(contact=stone.contact, by=request.user)
        return _("%(name)s is on its way to %(crm)s again, as a new contact.") % {
            "name": stone.contact.name,
            "crm": stone.contact.connection.name,
        }
