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
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from backoffice import audit
from backoffice.remote.target import check_base_url
from backoffice.sync.admin import ShellAdmin, ShellInline
from backoffice.templatetags.backoffice import age, badge
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Capabilities, CredentialField
from crm_bridge.labels import field_label
from crm_bridge.models import Connection, ConnectionHealth, StreamState
from crm_bridge.records import EDITABLE_FIELDS

PREFIX = "credential_"
HINT = 4
"""Last characters of a secret that are shown, where it is long enough to spare them."""


class ConnectionForm(forms.ModelForm):
    """Secrets go in and never come out: blank keeps what is stored."""

    base_url = forms.CharField(max_length=300, label=gettext_lazy("Base URL"))

    class Meta:
        model = Connection
        fields = ("name", "vendor", "base_url", "is_active", "requests_per_second", "parallel_requests")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "base_url" not in self.fields:
            return  # the page only shows
        self.vendor = self._vendor()
        self.connector = registry.connector_class(self.vendor)
        self.fields["base_url"].widget = UnfoldAdminTextInputWidget()
        self.fields["base_url"].help_text = _(
            "https, without a path of a single call. Another host asks for the secrets again."
        )
        if "vendor" in self.fields:
            self.fields["vendor"].initial = self.vendor
        if not self.instance.pk:
            self.fields["base_url"].initial = self.connector.default_base_url
        stored = self.stored()
        for field in self.connector.credential_fields:
            self.fields[PREFIX + field.name] = _credential_input(field, stored.get(field.name, ""))
        self.fields["requests_per_second"].widget.attrs["min"] = 0
        self.fields["parallel_requests"].widget.attrs |= {"min": 1, "max": 16}

    def _vendor(self) -> str:
        kinds = dict(registry.kinds())
        asked = self.instance.vendor or self.data.get("vendor") or self.initial.get("vendor")
        return asked if asked in kinds else next(iter(kinds))

    def stored(self) -> dict[str, str]:
        """The credentials as stored; empty when none, or when no key reads them any more."""
        if not self.instance.pk:
            return {}
        try:
            found = Connection.objects.values_list("credentials", flat=True).get(pk=self.instance.pk)
        except Exception:
            return {}
        return dict(found or {})

    def clean_base_url(self) -> str:
        address = str(self.cleaned_data["base_url"]).strip().rstrip("/")
        try:
            check_base_url(address, allow_loopback=True)
        except ValueError as problem:
            raise forms.ValidationError(str(problem)) from None
        return address

    def clean_requests_per_second(self) -> float:
        rate = self.cleaned_data["requests_per_second"]
        if not 0 <= rate <= 1000:
            raise forms.ValidationError(_("From 0 (no limit) to 1000 requests per second."))
        return float(rate)

    def clean_parallel_requests(self) -> int:
        number = self.cleaned_data["parallel_requests"]
        if not 1 <= number <= 16:
            raise forms.ValidationError(_("From 1 to 16 requests at once."))
        return int(number)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        address = data.get("base_url")
        kept = {} if address and self._leads_elsewhere(address) else self.stored()
        for field in self.connector.credential_fields:
            name = PREFIX + field.name
            value = (data.get(name) or "").strip() or kept.get(field.name, "")
            if value and not value.isprintable():
                self.add_error(name, _("Holds characters that cannot be typed."))
            if field.required and not value and address and name not in self.errors:
                self.add_error(
                    name,
                    _("Enter it again: the address now leads to another host.")
                    if self.instance.pk and self.stored()
                    else _("This system needs it."),
                )
            if value:
                kept[field.name] = value
        data["credentials"] = {
            f.name: kept[f.name] for f in self.connector.credential_fields if f.name in kept
        }
        return data

    def _leads_elsewhere(self, address: str) -> bool:
        """A stored secret belongs to the host it was entered for, and to no other."""
        if not self.instance.pk:
            return True
        before = Connection.objects.values_list("base_url", flat=True).get(pk=self.instance.pk)
        try:
            return (
                check_base_url(before, allow_loopback=True).origin
                != check_base_url(address, allow_loopback=True).origin
            )
        except ValueError:
            return True


def _credential_input(field: CredentialField, stored: str) -> forms.Field:
    help_text = field.help
    if field.secret:
        widget: forms.Widget = UnfoldAdminPasswordWidget(
            attrs={"autocomplete": "new-password", "spellcheck": "false"}, render_value=False
        )
        if stored:
            ending = f" …{stored[-HINT:]}" if len(stored) >= 4 * HINT else ""
            help_text = f"{_('Stored')}{ending}. {_('Leave blank to keep it.')} {field.help}"
        return forms.CharField(
            label=field.label, required=False, widget=widget, help_text=help_text, strip=True
        )
    return forms.CharField(
        label=field.label,
        required=False,
        initial=stored,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget(),
    )


class StreamForm(forms.ModelForm):
    class Meta:
        model = StreamState
        fields = ("every", "complete_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{self.instance.stream}: {field.label}"

    def clean_every(self) -> int:
        every = int(self.cleaned_data["every"])
        if every and every < 30:
            raise forms.ValidationError(_("At least 30 seconds, or 0 for only by hand."))
        return every


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
        credentials = tuple(PREFIX + field.name for field in connector.credential_fields)
        shows_only = obj is not None and not self.has_change_permission(request, obj)
        return (
            (None, {"fields": ("name", "system" if obj else "vendor", "base_url", "is_active")}),
            (_("Credentials of %s") % connector.label, {"fields": () if shows_only else credentials}),
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
            _ensure_streams(obj)
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
        context = {
            "connection": shown,
            "health": getattr(shown, "health", None),
            "able": capability_rows(registry.connector_class(vendor).capabilities),
            "unproven": registry.connector_class(vendor).capabilities.unproven,
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


def _asked_vendor(request: HttpRequest) -> str:
    kinds = dict(registry.kinds())
    asked = request.POST.get("vendor") or request.GET.get("vendor", "")
    return asked if asked in kinds else next(iter(kinds))


def _errors_url(connection: Connection | None) -> str:
    if connection is None:
        return ""
    return f"{reverse('crm:runs')}?connection={connection.pk}&status=failed"


def _ensure_streams(connection: Connection) -> None:
    from crm_bridge.services import pull

    pull.ensure_streams(connection)


def capability_rows(able: Capabilities) -> list[dict[str, Any]]:
    """What a connector can do and cannot, in words."""
    cannot = sorted(field_label(name) for name in EDITABLE_FIELDS if name not in able.writable)
    return [
        {"what": _("Pulls"), "can": True, "how": ", ".join(able.streams)},
        {"what": _("Tells what changed"), "can": able.changes != "none", "how": CHANGES[able.changes]},
        {
            "what": _("Tells what was deleted"),
            "can": able.deletions == "listed",
            "how": DELETIONS[able.deletions],
        },
        {"what": _("Tells what was merged"), "can": able.merges == "listed", "how": ""},
        {"what": _("Creates contacts"), "can": able.can_create, "how": _bulk(able)},
        {
            "what": _("Edits contacts"),
            "can": bool(able.writable),
            "how": _("not these fields: %s") % ", ".join(cannot) if cannot else _("all fields"),
        },
        {"what": _("Deletes contacts"), "can": able.can_delete, "how": ""},
        {"what": _("Restores deleted contacts"), "can": able.can_restore, "how": ""},
        {"what": _("Merges contacts"), "can": able.can_merge, "how": ""},
        {
            "what": _("Finds a record by our own code"),
            "can": able.own_key,
            "how": _("a lost answer to a create is cleared up without a duplicate") if able.own_key else "",
        },
    ]


def _bulk(able: Capabilities) -> str:
    return _("up to %d in one request") % able.bulk_create if able.bulk_create else _("one by one")


CHANGES = {
    "by_day": gettext_lazy("by whole days; two days overlap"),
    "newest_first": gettext_lazy("newest first"),
    "by_second": gettext_lazy("to the second"),
    "none": gettext_lazy("complete walks only"),
}
DELETIONS = {
    "listed": gettext_lazy("has a list of deleted contacts"),
    "by_lookup": gettext_lazy("only a single look-up proves it"),
    "unknown": gettext_lazy("never; absence stays a question"),
}
