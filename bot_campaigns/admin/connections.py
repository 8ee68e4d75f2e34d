"""Connections to voice bots in the shell."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.connections import admin as shared
from backoffice.templatetags.backoffice import badge
from bot_campaigns import vendors
from bot_campaigns.forms.connection import OPTION, BotConnectionForm, BotStreamForm
from bot_campaigns.models import BotConnection, BotStreamState
from bot_campaigns.services import pull, vendor_clock
from bot_campaigns.services.streams import STREAMS


class BotStreamInline(shared.StreamInline):
    model = BotStreamState
    form = BotStreamForm
    fields = ("stream", "every", "last_pull", "last_complete")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The lists; campaigns that dial are polled by a rhythm of their own."""
        return super().get_queryset(request).filter(stream__in=STREAMS)


@admin.register(BotConnection)
class BotConnectionAdmin(shared.ConnectionAdmin):
    form = BotConnectionForm
    vendors = vendors
    inlines = (BotStreamInline,)
    list_display = ("name", "system", "base_url", "condition", "vendor_clock", "last_answer")
    change_form_before_template = None
    change_form_outer_before_template = "bot_campaigns/connections_before.html"  # it holds forms of its own

    def abilities(self, capabilities: Any) -> list[dict[str, Any]]:
        return vendors.capability_rows(capabilities)

    def ensure_streams(self, connection: Any) -> None:
        pull.ensure_streams(connection)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        kind = obj.vendor if obj else self._asked_vendor(request)
        options = tuple(OPTION + option.name for option in vendors.connector_class(kind).options)
        shows_only = obj is not None and not self.has_change_permission(request, obj)
        return (
            *super().get_fieldsets(request, obj),
            (_("What no document settles"), {"fields": () if shows_only else options}),
        )

    def saved(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.measured = {**obj.measured, **form.options()}
        obj.save(update_fields=["measured"])
        if change and form.elsewhere:
            vendor_clock.forget(obj, by=request.user, why="its address leads to another host now")

    @admin.display(description=gettext_lazy("vendor's clock"))
    def vendor_clock(self, connection: BotConnection) -> str:
        if connection.vendor_zone and connection.zone_confirmed_at:
            return badge("proven", connection.vendor_zone)
        return badge("to_prove", _("to confirm"))
