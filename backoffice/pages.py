"""Views that live inside the shell: pages, lists and actions.

Every one names the permission that opens it; ``as_page`` wraps it in the admin
site's own login, CSRF and no-store rules, so a route cannot forget them.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import InvalidPage, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View
from django_filters import FilterSet
from django_tables2 import Table

COUNT_LIMIT = 10_000


class Guarded(View):
    """Opens only to whoever holds ``permission``, all of them where several are named."""

    permission: ClassVar[str | tuple[str, ...]]

    @classmethod
    def as_page(cls, **initial: Any) -> Callable[..., HttpResponseBase]:
        return admin.site.admin_view(cls.as_view(**initial))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        names = (self.permission,) if isinstance(self.permission, str) else self.permission
        if not request.user.has_perms(names):  # type: ignore[union-attr]
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class Page(Guarded, TemplateView):
    """A page inside the shell. ``crumbs`` are (title, route name) above it."""

    title: Any = ""
    crumbs: Sequence[tuple[Any, str]] = ()

    def get_title(self) -> str:
        return str(self.title)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.request.current_app = admin.site.name  # type: ignore[attr-defined]
        crumbs = [{"title": title, "link": reverse(route)} for title, route in self.crumbs]
        shell = admin.site.each_context(self.request)
        return super().get_context_data(**{**shell, "title": self.get_title(), "crumbs": crumbs, **kwargs})


class BoundedPaginator(Paginator):
    """Counts no further than ``COUNT_LIMIT``: a page of a million rows costs what it shows."""

    @cached_property
    def count(self) -> int:
        if isinstance(self.object_list, QuerySet):
            return min(self.object_list.order_by()[: COUNT_LIMIT + 1].count(), COUNT_LIMIT)
        return super().count

    @cached_property
    def is_bounded(self) -> bool:
        """There are more rows than were counted."""
        return self.count == COUNT_LIMIT


class ListPage(Page):
    """Filter bar, pills, count, table and pager. The address alone reproduces the view.

    Filters swap only ``#list`` where htmx runs and submit the form where not.
    """

    template_name = "backoffice/list_page.html"
    fragment_name = "backoffice/list_body.html"
    table_class: ClassVar[type[Table]]
    filterset_class: ClassVar[type[FilterSet] | None] = None
    paginator_class: ClassVar[type[Paginator]] = BoundedPaginator
    per_page = 50
    noun: Any = ""
    """What the rows are called, for the result count: "changes"."""
    empty_text: Any = ""

    def get_queryset(self) -> QuerySet[Any]:
        """The rows in list order, without joins: the page is cut from one table and its index."""
        raise NotImplementedError

    def with_related(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """What the table shows besides, fetched for the rows of one page only."""
        return rows

    def prepared(self, rows: list[Any]) -> list[Any]:
        """The rows of one page, as the table gets them."""
        return rows

    def table_options(self) -> dict[str, Any]:
        return {}

    def get_table(self, shown: list[Any]) -> Table:
        """The table of one page's rows; override it where they are looked at together first."""
        return self.table_class(shown, request=self.request, order_by=(), **self.table_options())

    def get_template_names(self) -> list[str]:
        partial = getattr(self.request, "htmx", None) and self.request.htmx.target == "list"  # type: ignore[attr-defined]
        return [self.fragment_name if partial else self.template_name]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = self.get_queryset()
        filters = None
        if self.filterset_class is not None:
            filters = self.filterset_class(self.request.GET or None, queryset=rows, request=self.request)
            rows = filters.qs
        paginator = self.paginator_class(rows.values_list("pk", flat=True), self.per_page)
        page = self._page(paginator)
        found = self.with_related(rows.model._default_manager.all()).in_bulk(list(page.object_list))
        shown = self.prepared([found[pk] for pk in page.object_list if pk in found])
        table = self.get_table(shown)
        return super().get_context_data(
            **{
                "filter": filters,
                "pills": pills(filters, self.request) if filters else [],
                "table": table,
                "page": page,
                "page_range": list(paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1)),
                "noun": self.noun,
                "empty_text": self.empty_text,
                **kwargs,
            }
        )

    def _page(self, paginator: Paginator) -> Any:
        try:
            return paginator.page(self.request.GET.get("page", 1))
        except InvalidPage:
            return paginator.page(1)


def pills(filters: FilterSet, request: HttpRequest) -> list[dict[str, str]]:
    """What is filtered, in words, each with the address that lifts it."""
    shown = []
    for name, field in filters.form.fields.items():
        value = filters.form.cleaned_data.get(name) if filters.form.is_valid() else None
        if value in (None, "", []):
            continue
        rest = request.GET.copy()
        for key in list(rest):
            if key == name or key in (f"{name}_0", f"{name}_1", f"{name}_min", f"{name}_max", "page"):
                rest.pop(key)
        shown.append(
            {"label": str(field.label), "value": _spoken(field, value), "url": f"?{rest.urlencode()}"}
        )
    return shown


def _spoken(field: Any, value: Any) -> str:
    if isinstance(value, slice):
        ends = [f"{end:%Y-%m-%d}" if end else "" for end in (value.start, value.stop)]
        return " – ".join(ends)
    choices = getattr(field, "choices", None)
    if choices is not None and not hasattr(value, "pk"):
        names = {str(key): str(name) for key, name in choices if not isinstance(name, list | tuple)}
        values = value if isinstance(value, list | tuple) else [value]
        return ", ".join(names.get(str(item), str(item)) for item in values)
    return str(value)


class Action(Guarded):
    """A state change: POST only. ``act`` returns what to tell, or refuses in words."""

    http_method_names = ["post"]
    back_to = "admin:index"
    refusals: ClassVar[tuple[type[Exception], ...]] = (ValidationError,)
    """What ``act`` raises to say no; the message is shown and nothing was changed."""

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        raise NotImplementedError

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            messages.success(request, self.act(request, **kwargs))
        except self.refusals as refused:
            messages.error(request, " ".join(getattr(refused, "messages", [str(refused)])))
        return HttpResponseRedirect(self.get_back(request))

    def get_back(self, request: HttpRequest) -> str:
        return safe_next(request, request.POST.get("next", "")) or reverse(self.back_to)


def safe_next(request: HttpRequest, address: str) -> str:
    """``address`` if it is a path of this site, else "" (no open redirect)."""
    fine = address.startswith("/") and url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if fine else ""


def link(route: str, *args: Any, **query: Any) -> str:
    """Address of a page with a query: every number on a page links to exactly its rows."""
    address = reverse(route, args=args)
    return f"{address}?{urlencode(query)}" if query else address


def nothing_selected() -> ValidationError:
    return ValidationError(_("Nothing was selected, so nothing was done."))
