"""Connections: a form made from what the vendor needs, and what the connector can do.

Each app makes these its own: the model, its vendors, its streams.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice import audit
from backoffice.connections.addresses import address_of
from backoffice.connections.forms import FIELDS, PREFIX, Vendors
from backoffice.sync.admin import ShellAdmin, ShellInline
from backoffice.sync.models import AbstractConnection, AbstractRun
from backoffice.templatetags.backoffice import age, badge


class StreamInline(ShellInline):
    fields: Any = ("stream", "every", "complete_at", "last_pull", "last_complete")
    readonly_fields = ("stream", "last_pull", "last_complete")
    verbose_name_plural = gettext_lazy("streams")

    @admin.display(description=gettext_lazy("last pull"))
    def last_pull(self, state: Any) -> str:
        return age(state.last_ok_at)

    @admin.display(description=gettext_lazy("last complete walk"))
    def last_complete(self, state: Any) -> str:
        return age(state.last_complete_at)


class ConnectionAdmin(ShellAdmin):
    """The list and form of one app's connections."""

    vendors: Vendors

    def abilities(self, capabilities: Any) -> list[dict[str, Any]]:
        """Rows of what can be done, whether, and how."""
        raise NotImplementedError

    def ensure_streams(self, connection: Any) -> None:
        """Make the stream rows of a connection."""
        raise NotImplementedError

    list_display: Any = ("name", "system", "base_url", "condition", "last_answer")
    list_per_page = 100
    search_fields = ("name",)
    change_form_before_template: Any = "backoffice/connections/form_before.html"
    change_form_after_template = "backoffice/connections/form_after.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("credentials").select_related("health")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("system",) if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "vendor":
            kwargs["widget"] = forms.HiddenInput()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        connector = self.vendors.connector_class(obj.vendor if obj else self._asked_vendor(request))
        credentials = tuple(PREFIX + field.name for field in connector.credential_fields)
        shows_only = obj is not None and not self.has_change_permission(request, obj)
        return (
            (None, {"fields": ("name", "system" if obj else "vendor", "base_url", "is_active")}),
            (_("Credentials of %s") % connector.label, {"fields": () if shows_only else credentials}),
            (_("Speed"), {"fields": ("requests_per_second", "parallel_requests")}),
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["fields"] = [name for name in FIELDS if not (obj and name == "vendor")]
        return super().get_form(request, obj, change=change, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"vendor": self._asked_vendor(request), "is_active": True}

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was mirrored keeps its connection: switch it off instead."""
        return super().has_delete_permission(request, obj) and (obj is None or not _holds_rows(obj))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with transaction.atomic():
            secrets_changed = form.cleaned_data["credentials"] != form.stored()
            obj.credentials = form.cleaned_data["credentials"]
            super().save_model(request, obj, form, change)
            if change and (secrets_changed or "base_url" in form.changed_data):
                health: Any = self.model._meta.get_field("health").related_model
                health._default_manager.filter(connection=obj).update(
                    needs_attention=False, failures=0, open_until=None, last_error=""
                )
            self.ensure_streams(obj)
            self.saved(request, obj, form, change)
            audit.record(
                f"connection.{'change' if change else 'create'}",
                obj,
                by=request.user,
                summary=str(obj),
                changed=sorted(name.removeprefix(PREFIX) for name in form.changed_data),
            )

    def saved(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """What an app does besides, in the same transaction."""

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
        rows = self.model._default_manager.defer("credentials").select_related("health")
        shown = rows.filter(pk=object_id or 0).first()
        connector = self.vendors.connector_class(shown.vendor if shown else self._asked_vendor(request))
        others = [] if shown else [pair for pair in self.vendors.kinds() if pair[0] != connector.kind]
        context = {
            "connection": shown,
            "health": getattr(shown, "health", None),
            "able": self.abilities(connector.capabilities),
            "unproven": connector.capabilities.unproven,
            "vendor_label": connector.label,
            "other_vendors": others,
            "errors_of": _errors_url(shown),
            "show_save_and_add_another": False,
        }
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    @admin.display(description=gettext_lazy("system"))
    def system(self, connection: AbstractConnection) -> str:
        return dict(self.vendors.kinds()).get(connection.vendor, connection.vendor)

    @admin.display(description=gettext_lazy("state"))
    def condition(self, connection: AbstractConnection) -> str:
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
    def last_answer(self, connection: AbstractConnection) -> str:
        health = getattr(connection, "health", None)
        return age(health.last_ok_at if health else None)

    def _asked_vendor(self, request: HttpRequest) -> str:
        kinds = dict(self.vendors.kinds())
        asked = request.POST.get("vendor") or request.GET.get("vendor", "")
        return asked if asked in kinds else next(iter(kinds))


def _holds_rows(connection: Any) -> bool:
    """Rows hang on it that the database protects."""
    return any(
        relation.related_model._default_manager.filter(**{relation.field.name: connection}).exists()
        for relation in connection._meta.related_objects
        if relation.on_delete is models.PROTECT
    )


def _errors_url(connection: Any) -> str:
    if connection is None:
        return ""
    failed = AbstractRun.Status.FAILED
    return f"{address_of(connection, 'runs')}?connection={connection.pk}&status={failed}"
