"""Base admin classes: what every changelist and form of the shell has in common."""

from typing import Any

from django.http import HttpRequest
from django.utils.text import capfirst
from unfold.admin import ModelAdmin, TabularInline


class ShellAdmin(ModelAdmin):  # type: ignore[misc]
    """A changelist and form in the shell's look, cheap on big tables."""

    list_fullwidth = True
    warn_unsaved_form = True
    compressed_fields = True
    show_full_result_count = False
    list_per_page = 50
    actions: Any = None

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Titled by what it lists; the stock "Select … to change" is no help in a browser tab."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})


class ReadOnlyAdmin(ShellAdmin):
    """Rows that no page changes."""

    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ShellInline(TabularInline):  # type: ignore[misc]
    """Rows inside a form that come and go with the engine, not with the form."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
