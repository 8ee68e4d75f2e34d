"""Connections: a form made from what the vendor needs, and what the connector can do."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice import audit
from backoffice.sync.admin import ShellAdmin, ShellInline
from backoffice.sync.credentials import group_of
from backoffice.templatetags.backoffice import age, badge
from crm_bridge.abilities import capability_rows
from crm_bridge.connectors import registry
from crm_bridge.forms.connection import PREFIX, ConnectionForm, StreamForm
from crm_bridge.models import Connection, ConnectionHealth, StreamState
from crm_bridge.services import schedule


class StreamInline(ShellInline):
    model = StreamState
    form = StreamForm
    fields = ("stream", "every", "complete_at", "last_pull", "last_complete")
    readonly_fields = ("stream", "last_pull", "last_complete")
    verbose_name_plural = gettext_lazy("streams")

    @admin.display(description=gettext_lazy("last pull"))
    def last_pull(self, state: StreamState) -> str:
        return age(state.last_ok_at)

    @admin.display(description=gettext_lazy("last complete walk"))
    def last_complete(self, state: StreamState) -> str:
        return age(state.last_complete_at)


@admin.register(Connection)
class ConnectionAdmin(ShellAdmin):
    form = ConnectionForm
    list_display = ("name", "system", "base_url", "condition", "last_answer")
    list_per_page = 100
    search_fields = ("name",)
    inlines = (StreamInline,)
    change_form_before_template = "crm_bridge/connections_before.html"
    change_form_after_template = "crm_bridge/connections_after.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        return super().get_queryset(request).defer("credentials").select_related("health")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("system",) if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "vendor":
            kwargs["widget"] = forms.HiddenInput()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        connector = registry.connector_class(obj.vendor if obj else _asked_vendor(request))
        shows_only = obj is not None and not self.has_change_permission(request, obj)
        return (
            (None, {"fields": ("name", "system" if obj else "vendor", "base_url", "is_active")}),
            *([] if shows_only else _credential_fieldsets(connector)),
            (_("Speed"), {"fields": ("requests_per_second", "parallel_requests")}),
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["fields"] = [name for name in ConnectionForm.Meta.fields if not (obj and name == "vendor")]
        return super().get_form(request, obj, change=change, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"vendor": _asked_vendor(request), "is_active": True}

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Mirrored contacts keep their connection: switch it off instead."""
        return super().has_delete_permission(request, obj) and (obj is None or not obj.contacts.exists())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with transaction.atomic():
            secrets_changed = form.cleaned_data["credentials"] != form.stored()
            obj.credentials = form.cleaned_data["credentials"]
            super().save_model(request, obj, form, change)
            if change and (secrets_changed or "base_url" in form.changed_data):
                ConnectionHealth.objects.filter(connection=obj).update(
                    needs_attention=False, failures=0, open_until=None, last_error=""
                )
            schedule.ensure_streams(obj)
            audit.record(
                f"connection.{'change' if change else 'create'}",
                obj,
                by=request.user,
                summary=str(obj),
                changed=sorted(name.removeprefix(PREFIX) for name in form.changed_data),
            )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        for state, fields in formset.changed_objects:
            audit.record(
                "connection.schedule", form.instance, by=request.user, summary=state.stream,
                changed={name: str(getattr(state, name)) for name in fields},
            )  # fmt: skip

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            audit.record("connection.delete", obj, by=request.user, summary=str(obj))
            super().delete_model(request, obj)

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        shown = (
            Connection.objects.defer("credentials").select_related("health").filter(pk=object_id or 0).first()
        )
        vendor = shown.vendor if shown else _asked_vendor(request)
        able = shown.capabilities if shown else registry.connector_class(vendor).capabilities
        context = {
            "connection": shown,
            "health": getattr(shown, "health", None),
            "able": capability_rows(able, shown.measured if shown else {}),
            "unproven": able.unproven,
            "vendor_label": registry.connector_class(vendor).label,
            "other_vendors": [] if shown else [pair for pair in registry.kinds() if pair[0] != vendor],
            "errors_of": _errors_url(shown),
            "show_save_and_add_another": False,
        }
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    @admin.display(description=gettext_lazy("system"))
    def system(self, connection: Connection) -> str:
        return dict(registry.kinds()).get(connection.vendor, connection.vendor)

    @admin.display(description=gettext_lazy("state"))
    def condition(self, connection: Connection) -> str:
        health = getattr(connection, "health", None)
        if not connection.is_active:
            return badge("off", _("switched off"))
        if health and health.needs_attention:
            return badge("attention", _("needs attention"), health.last_error)
        return (
            badge("active", _("working"))
            if health and health.last_ok_at
            else badge("waiting", _("not used yet"))
        )

    @admin.display(description=gettext_lazy("last answer"))
    def last_answer(self, connection: Connection) -> str:
        health = getattr(connection, "health", None)
        return age(health.last_ok_at if health else None)


def _credential_fieldsets(connector: Any) -> list[Any]:
    """Single credentials first, then each group: one whole group is enough."""
    groups: dict[str, list[str]] = {"": []}
    for field in connector.credential_fields:
        groups.setdefault(group_of(field), []).append(PREFIX + field.name)
    title = _("Credentials of %s") % connector.label
    sets: list[Any] = []
    for number, names in enumerate(names for names in groups.values() if names):
        options: dict[str, Any] = {"fields": tuple(names)}
        if not groups[""] and len(groups) > 2:
            options["description"] = _("One of these sets is enough; leave the others empty.")
        sets.append((title if not number else _("%s, another way") % title, options))
    return sets


def _asked_vendor(request: HttpRequest) -> str:
    kinds = dict(registry.kinds())
    asked = request.POST.get("vendor") or request.GET.get("vendor", "")
    return asked if asked in kinds else next(iter(kinds))


def _errors_url(connection: Connection | None) -> str:
    if connection is None:
        return ""
    return f"{reverse('crm:runs')}?connection={connection.pk}&status=failed"
