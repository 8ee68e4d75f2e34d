"""Contacts inside the admin: its addresses lead to our own pages and nowhere else.

None of the stock views is routed: they would save past the services.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import path
from unfold.admin import ModelAdmin

from crm_bridge.models import Contact
from crm_bridge.views import (
    contact,
    contact_bulk,
    contact_forms,
    contact_import,
    contact_merge,
    contact_panels,
    contacts,
)


@admin.register(Contact)
class ContactAdmin(ModelAdmin):
    def get_urls(self) -> list[Any]:
        name = "crm_bridge_contact_{}".format
        return [
            path("", contacts.ContactList.as_page(), name=name("changelist")),
            path("columns/", contacts.ChooseColumns.as_page(), name=name("columns")),
            path("add/", contact_forms.Create.as_page(), name=name("add")),
            path("import/", contact_import.Upload.as_page(), name=name("import")),
            path("import/confirm/", contact_import.Confirm.as_page(), name=name("import_confirm")),
            path("export/", contact_bulk.Export.as_page(), name=name("export")),
            path("tag/", contact_bulk.TagSelected.as_page(), name=name("tag_selected")),
            path("delete/", contact_bulk.DeleteSelected.as_page(), name=name("delete_selected")),
            path("<int:pk>/change/", contact.ContactPage.as_page(), name=name("change")),
            path("<int:pk>/receipt/", contact.Receipt.as_page(), name=name("receipt")),
            path("<int:pk>/edit/", contact_forms.Edit.as_page(), name=name("edit")),
            path("<int:pk>/delete/", contact_forms.Delete.as_page(), name=name("delete")),
            path("<int:pk>/part/<slug:key>/", contact_panels.PanelPage.as_page(), name=name("panel")),
            path(
                "<int:pk>/part/<slug:key>/change/",
                contact_panels.ChangePanel.as_page(),
                name=name("panel_change"),
            ),
            path("<int:pk>/history/", contact_panels.PanelTimeline.as_page(), name=name("panel_timeline")),
            path("<int:pk>/merge/", contact_merge.Choose.as_page(), name=name("merge")),
            path("<int:pk>/merge/<int:other>/", contact_merge.Compare.as_page(), name=name("merge_compare")),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
