"""People, roles and the audit log."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from backoffice import audit
from backoffice.models import AuditEntry
from backoffice.sync.admin import ReadOnlyAdmin, ShellAdmin
from backoffice.templatetags.backoffice import age, plain

admin.site.unregister(User)
admin.site.unregister(Group)


class CheckList(forms.CheckboxSelectMultiple):
    """All choices at once, each with its box: nothing is lost by a click without Ctrl."""

    template_name = "backoffice/check_list.html"


def _permission_label(permission: Permission) -> str:
    kind = permission.content_type.name  # type: ignore[attr-defined]
    return f"{kind[:1].upper()}{kind[1:]}: {permission.name}"


def beyond(giver: Any, permissions: "QuerySet[Permission]") -> list[str]:
    """Those of ``permissions`` that the giver does not have and so cannot give."""
    if giver.is_superuser:
        return []
    held = giver.get_all_permissions()
    rows = permissions.select_related("content_type")
    names = [(f"{row.content_type.app_label}.{row.codename}", row.name) for row in rows]
    return [label for name, label in names if name not in held]


class UserForm(UserChangeForm):
    request: HttpRequest

    def clean(self) -> Any:
        data = super().clean() or {}
        giver = self.request.user
        groups = data.get("groups")
        if groups is not None and not giver.is_superuser:  # type: ignore[union-attr]
            added = groups.exclude(pk__in=self.instance.groups.values("pk"))
            lacking = beyond(giver, Permission.objects.filter(group__in=added).distinct())
            if lacking:
                raise ValidationError(
                    {"groups": _("You cannot give what you do not have: %s.") % ", ".join(lacking[:5])}
                )
        if self.instance.pk == giver.pk and data.get("is_active") is False:
            raise ValidationError({"is_active": _("You cannot lock yourself out.")})
        return data


@admin.register(User)
class UserAdmin(BaseUserAdmin, ShellAdmin):
    """Roles give permissions; single permissions and superusers are for superusers only."""

    form = UserForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "roles", "is_active", "last_seen")
    list_filter = ("is_active", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (gettext_lazy("Person"), {"fields": ("first_name", "last_name", "email")}),
        (gettext_lazy("Access"), {"fields": ("is_active", "is_staff", "groups")}),
        (gettext_lazy("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "usable_password", "password1", "password2")}),)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None and request.user.is_superuser:  # type: ignore[union-attr]
            return (*fieldsets, (gettext_lazy("Superuser"), {"fields": ("is_superuser",)}))
        return fieldsets

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["widget"] = CheckList()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        for name in ("is_active", "is_staff"):
            if name in form.base_fields:
                form.base_fields[name].help_text = {
                    "is_active": _("Off: cannot log in, and open sessions end."),
                    "is_staff": _("May log in here. What they may do comes from their roles."),
                }[name]
        return form

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        myself = obj is not None and obj.pk == request.user.pk
        return super().has_delete_permission(request, obj) and self._may_touch(request, obj) and not myself

    def _may_touch(self, request: HttpRequest, obj: Any) -> bool:
        """A superuser is changed by superusers only."""
        return obj is None or not obj.is_superuser or request.user.is_superuser  # type: ignore[union-attr]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.is_staff = True
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            _note(request, "user", obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            audit.record("user.delete", obj, by=request.user, summary=obj.get_username())
            super().delete_model(request, obj)

    @admin.display(description=gettext_lazy("name"))
    def full_name(self, user: User) -> str:
        return user.get_full_name() or "–"

    @admin.display(description=gettext_lazy("roles"))
    def roles(self, user: User) -> str:
        if user.is_superuser:
            return _("superuser")
        return ", ".join(group.name for group in user.groups.all()) or _("none")

    @admin.display(description=gettext_lazy("last login"), ordering="last_login")
    def last_seen(self, user: User) -> str:
        return age(user.last_login)


class GroupForm(forms.ModelForm):
    request: HttpRequest

    class Meta:
        model = Group
        fields = ("name", "permissions")

    def clean_permissions(self) -> Any:
        chosen = self.cleaned_data["permissions"]
        held = self.instance.permissions.values("pk") if self.instance.pk else Permission.objects.none()
        lacking = beyond(self.request.user, chosen.exclude(pk__in=held))
        if lacking:
            raise ValidationError(_("You cannot give what you do not have: %s.") % ", ".join(lacking[:5]))
        return chosen


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, ShellAdmin):
    form = GroupForm
    list_display = ("name", "members")
    filter_horizontal = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(number=models.Count("user"))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        return form

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        if db_field.name == "permissions":
            ours = ("crm_bridge", "bot_campaigns", "backoffice", "auth")
            rows = Permission.objects.filter(content_type__app_label__in=ours).exclude(
                content_type__app_label="auth", content_type__model="permission"
            )
            kwargs["queryset"] = rows.select_related("content_type")
            kwargs["widget"] = CheckList()
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        field.label_from_instance = _permission_label
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            _note(request, "role", obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            audit.record("role.delete", obj, by=request.user, summary=obj.name)
            super().delete_model(request, obj)

    @admin.display(description=gettext_lazy("people"), ordering="number")
    def members(self, group: Any) -> int:
        return int(group.number)


def _note(request: HttpRequest, what: str, obj: Any, form: Any, change: bool) -> None:
    """Audit who changed whose access; values only where they are no secret."""
    told = {}
    for name in form.changed_data:
        if "password" not in name:
            value = form.cleaned_data.get(name)
            told[name] = sorted(map(str, value)) if isinstance(value, QuerySet) else str(value)
    action = f"{what}.{'change' if change else 'create'}"
    audit.record(action, obj, by=request.user, summary=str(obj), changed=told)


class ByAction(admin.SimpleListFilter):
    """Kinds of deeds, as far as the newest entries show them."""

    title = gettext_lazy("deed")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = AuditEntry.objects.order_by("-at").values_list("action", flat=True)[:5000]
        return [(name, name) for name in sorted(set(newest))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin):
    """Who did what, when. Nothing here changes a row."""

    list_display = ("when", "who", "action", "what", "summary")
    list_filter = ("at", ByAction, "object_type")
    list_filter_submit = False
    search_fields = ("=object_id", "=actor_name", "=action")
    search_help_text = gettext_lazy("Exact object id, user name or deed")
    list_select_related = ("actor",)
    ordering = ("-at", "-id")
    fields = ("when_exactly", "who", "action", "what", "summary", "details")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("when"), ordering="at")
    def when(self, entry: AuditEntry) -> str:
        return age(entry.at)

    @admin.display(description=gettext_lazy("when"))
    def when_exactly(self, entry: AuditEntry) -> str:
        return f"{plain(entry.at)}"

    @admin.display(description=gettext_lazy("who"))
    def who(self, entry: AuditEntry) -> str:
        return entry.actor_name or _("the system")

    @admin.display(description=gettext_lazy("what"))
    def what(self, entry: AuditEntry) -> str:
        return f"{entry.object_type.rpartition('.')[2]} {entry.object_id}"

    @admin.display(description=gettext_lazy("details"))
    def details(self, entry: AuditEntry) -> str:
        rows = [(str(key), plain(value)) for key, value in entry.data.items()]
        if not rows:
            return "–"
        body = "".join(format_html("<dt>{}</dt><dd>{}</dd>", key, value) for key, value in rows)
        return format_html('<dl class="bo-facts">{}</dl>', _safe(body))


def _safe(html: str) -> Any:
    from django.utils.safestring import mark_safe

    return mark_safe(html)  # noqa: S308  joined from format_html only
