"""The contact list: search, filters, pages, columns."""

from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice.pages import Guarded, Page, pills, safe_next
from crm_bridge.browse import Browser, Count, Place, TooDeep
from crm_bridge.browse import Page as Slice
from crm_bridge.filters import ContactFilter
from crm_bridge.offers import offers_for
from crm_bridge.tables.contacts import OPTIONAL_COLUMNS, SHOWN_AT_FIRST, ContactTable, rows_of

LIST = "admin:crm_bridge_contact_changelist"
SIZES = (25, 50, 100)
POSITION = ("after", "before", "last", "page", "exact")
"""Parameters that say where in the list one is; the others say which list."""
COLUMNS_KEY = "contact_columns"


class Selection:
    """The set of contacts that an address describes; the same for list, export and bulk."""

    def __init__(self, query: QueryDict) -> None:
        self.query = query
        self.filter = ContactFilter(query or None)
        self.search = self.filter.search

    @cached_property
    def browser(self) -> Browser:
        return Browser(
            self.filter.qs,
            walk=self.filter.walkable,
            search=self.search,
            way=self.query.get("by", ""),
            oldest_first=self.query.get("sort") == "updated",
        )

    @cached_property
    def pills(self) -> list[dict[str, str]]:
        view = self.without(*POSITION, "by")
        return pills(self.filter, SimpleNamespace(GET=view))  # type: ignore[arg-type]

    def without(self, *names: str) -> QueryDict:
        rest = self.query.copy()
        for name in names:
            rest.pop(name, None)
        for name in [name for name in rest if not any(rest.getlist(name))]:
            del rest[name]
        return rest

    def address(self, **changes: Any) -> str:
        """The query of this list at another position, or in another shape."""
        query = self.without(*POSITION)
        for name, value in changes.items():
            query.pop(name, None)
            if value not in ("", None):
                query[name] = str(value)
        return f"?{query.urlencode()}"


class ContactList(Page):
    permission = "crm_bridge.view_contact"
    title = _("Contacts")

    @property
    def is_swap(self) -> bool:
        """Only the table is asked for, as with every letter typed into the search box."""
        htmx: Any = self.request.htmx  # type: ignore[attr-defined]
        return bool(htmx) and htmx.target == "list"

    def get_template_names(self) -> list[str]:
        return [f"crm_bridge/contacts/{'list_body' if self.is_swap else 'list'}.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {**self._list(), **kwargs}
        return context if self.is_swap else super().get_context_data(**context)

    def _list(self) -> dict[str, Any]:
        selection = Selection(self.request.GET)
        size = self._size()
        slice_, number, too_deep = self._slice(selection, size)
        columns = chosen_columns(self.request)
        table = ContactTable(
            rows_of(slice_.ids, columns),
            search=selection.search,
            exclude=tuple(set(OPTIONAL_COLUMNS) - set(columns)),
            order_by=(),
        )
        user = self.request.user
        return dict(
            filter=selection.filter,
            pills=selection.pills,
            selection=selection,
            table=table,
            order="ascending" if selection.browser.oldest_first else "descending",
            page=slice_,
            count=self._count(selection, slice_),
            exact_url=selection.address(exact=1),
            pager=_pager(selection, slice_, number),
            number=number,
            too_deep=too_deep,
            size=size,
            sizes=[(each, selection.address(size=each)) for each in SIZES],
            wider=_wider(selection),
            sort_url=selection.address(sort="" if selection.browser.oldest_first else "updated"),
            columns=[
                (name, table.base_columns[name].verbose_name, name in columns) for name in OPTIONAL_COLUMNS
            ],
            query=selection.without(*POSITION).urlencode(),
            can_create=user.has_perm("crm_bridge.add_contact"),  # type: ignore[union-attr]
            can_change=user.has_perm("crm_bridge.change_contact"),  # type: ignore[union-attr]
            can_delete=user.has_perm("crm_bridge.delete_contact"),  # type: ignore[union-attr]
            can_export=user.has_perm("crm_bridge.export_contact"),  # type: ignore[union-attr]
            can_import=user.has_perm("crm_bridge.import_contact"),  # type: ignore[union-attr]
            offers=offers_for(user),
        )

    def _size(self) -> int:
        asked = self.request.GET.get("size", "")
        return int(asked) if asked in map(str, SIZES) else 50

    def _slice(self, selection: Selection, size: int) -> tuple[Slice, int | None, bool]:
        """(rows, page number where known, whether the number asked for was too far)."""
        query, browser = selection.query, selection.browser
        number = query.get("page", "")
        page = int(number) if number.isdecimal() and 0 < int(number[:9]) < 10**8 else None
        if place := Place.parse(query.get("after", "")):
            return browser.after(place, size), page, False
        if place := Place.parse(query.get("before", "")):
            found = browser.before(place, size)
            if len(found.places) == size:
                return found, page, False
        elif query.get("last"):
            return browser.last(size), None, False
        elif page and page > 1:
            try:
                return browser.numbered(page, size), page, False
            except TooDeep:
                return browser.first(size), 1, True
        return browser.first(size), 1, False

    def _count(self, selection: Selection, slice_: Slice) -> Count:
        if self.request.GET.get("exact"):
            return Count(selection.browser.exact_count())
        return slice_.count or selection.browser.count()


def _pager(selection: Selection, page: Slice, number: int | None) -> dict[str, str]:
    links = {}
    if page.has_previous and page.places:
        links["first"] = selection.address()
        before = number - 1 if number and number > 1 else None
        links["previous"] = selection.address(before=page.places[0], page=before)
    if page.has_next and page.places:
        after = number + 1 if number else None
        links["next"] = selection.address(after=page.places[-1], page=after)
        links["last"] = selection.address(last=1)
    return links


def _wider(selection: Selection) -> dict[str, str]:
    """How the search was read where it can be read wider, and the address of that."""
    used = selection.browser.way_used
    ways = selection.search.ways if selection.search else ()
    if used is None or used is ways[-1]:
        return {}
    words = {
        "ending": (_g("Phone numbers that end in these digits."), _g("Show all that contain them")),
        "phrase": (_g("As typed, from the beginning of a word."), _g("Show the words in any order")),
        "words": (_g("All of the words, in any order."), _g("Show also inside other words")),
    }
    said, offer = words[used.name]
    following = ways[ways.index(used) + 1]
    if following.name == "anywhere":
        offer = _g("Show also inside other words")
    return {"said": said, "offer": offer, "url": selection.address(by=following.name)}


def chosen_columns(request: HttpRequest) -> tuple[str, ...]:
    chosen = request.session.get(COLUMNS_KEY)
    if not isinstance(chosen, list):
        return SHOWN_AT_FIRST
    return tuple(name for name in OPTIONAL_COLUMNS if name in chosen)


class ChooseColumns(Guarded):
    """Remembers which columns this person wants to see, for as long as the session lives."""

    permission = "crm_bridge.view_contact"
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = request.POST.getlist("column")
        request.session[COLUMNS_KEY] = [name for name in OPTIONAL_COLUMNS if name in chosen]
        return HttpResponseRedirect(safe_next(request, request.POST.get("next", "")) or reverse(LIST))
