"""What the desk's pages have in common: forms, lists of rows on their way, receipts."""

import uuid
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.pages import Action, ListPage, Page
from bot_campaigns.forms.base import DeskForm
from bot_campaigns.labels import row_state
from bot_campaigns.models import BotChange
from bot_campaigns.services import change_sending, changes
from bot_campaigns.services.changes import FAMILIES, Refused

OWN_PAGES = {
    "phonebooks": "bot:phonebook", "contacts": "bot:bot_contact", "templates": "bot:template",
    "dnc_lists": "bot:dnc_list",
}  # fmt: skip
"""Rows with a page of their own, whose head shows their state."""


class FormPage(Page):
    """A form that saves at once and never waits for the bot. ``save`` returns where to go."""

    template_name = "bot_campaigns/form.html"
    form_class: ClassVar[type[DeskForm]]
    submit: Any = ""
    lead: Any = ""
    """What one should know before filling it in."""
    multipart = False

    def save(self, form: DeskForm) -> str:
        """Do it; raises ``Refused``."""
        raise NotImplementedError

    def initial(self) -> dict[str, Any]:
        return {}

    def back(self) -> str:
        raise NotImplementedError

    def locked(self) -> str:
        """Why there is nothing to fill in; "" when there is."""
        return ""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(self.form_class(initial=self.initial()), nonce=uuid.uuid4().hex)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form_class(request.POST, request.FILES, initial=self.initial())
        if form.is_valid() and not self.locked():
            try:
                return HttpResponseRedirect(self.save(form))
            except Refused as refused:
                form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        return self.show(form, nonce=self.nonce)

    @property
    def nonce(self) -> str:
        """Made with the form: pressing the button twice saves once."""
        return self.request.POST.get("nonce", "")[:64]

    def show(self, form: DeskForm, *, nonce: str, **context: Any) -> HttpResponse:
        wrong = form.is_bound and bool(form.errors)
        return self.render_to_response(
            self.get_context_data(
                form=form, nonce=nonce, submit=self.submit, lead=self.lead, back=self.back(),
                locked=self.locked(), multipart=self.multipart, **context,
            ),
            status=422 if wrong else 200,
        )  # fmt: skip


class DeskList(ListPage):
    """Rows that staff can change: each shows what is on its way; the list follows by itself."""

    template_name = "bot_campaigns/list.html"

    def prepared(self, rows: list[Any]) -> list[Any]:
        self.rows = changes.with_edits(rows)
        return self.rows

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        moving = any(row.change is not None and row.change.is_moving for row in self.rows)
        return {**context, "polling": moving}


def row_or_404(family: str, pk: int, *related: str) -> Any:
    """A row by its id, or the one that took its place when the bot answered."""
    rows = FAMILIES[family].model._default_manager.select_related("connection", *related)
    rows = rows.defer("raw", "connection__credentials")
    row = rows.filter(pk=pk).first()
    if row is None:
        row = rows.filter(pk=change_sending.successor(family, pk)).first()
    if row is None:
        raise Http404
    return row


# --- receipts ----------------------------------------------------------------------------


def may_change(user: Any, family: str) -> bool:
    """Whether this person may write rows of that kind at the bot."""
    kind = FAMILIES[family]
    verb = "change" if "change" in kind.model._meta.default_permissions else "add"
    return bool(user.has_perm(kind.permission(verb)))


def receipt_context(change: BotChange | None, user: Any) -> dict[str, Any]:
    """What became of the last thing that staff saved."""
    if change is None:
        return {"change": None}
    stopped = change.status in BotChange.FAILING
    may = may_change(user, change.family)
    return {
        "change": change,
        "here": page_of(change),
        "busy": change.is_moving,
        "stopped": stopped,
        "can_retry": stopped and may,
        "can_drop": may and (stopped or change.status == BotChange.Status.WAITING),
    }


class OfChange(Page):
    """Something about one change; whoever may see its row may see it."""

    permission = ()

    def change_or_404(self, verb: str = "view") -> BotChange:
        rows = BotChange.objects.select_related("author", "connection").defer("connection__credentials")
        change = get_object_or_404(rows, pk=self.kwargs["pk"])
        if not self.request.user.has_perm(FAMILIES[change.family].permission(verb)):  # type: ignore[union-attr]
            raise PermissionDenied
        return change


class Receipt(OfChange):
    """The receipt alone; asks again by itself while something is on its way."""

    template_name = "bot_campaigns/receipt.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        change = self.change_or_404()
        row = changes.row_of(change) if change.family in OWN_PAGES else None
        opened = changes.open_of([row]).get(row.pk) if row is not None else None
        state = row_state(row, opened) if row is not None else ("", "")
        return {"swapped": True, "row": row, "state": state, **receipt_context(change, self.request.user)}

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if not self.request.htmx:  # type: ignore[attr-defined]
            raise Http404
        return super().render_to_response(context, **kwargs)


class _ChangeAction(Action):
    permission = ()
    refusals = (Refused,)

    def change(self, request: HttpRequest, pk: int) -> BotChange:
        change = get_object_or_404(BotChange, pk=pk)
        if not may_change(request.user, change.family):
            raise PermissionDenied
        return change


class RetryChange(_ChangeAction):
    """Send what stopped once more."""

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        changes.retry(self.change(request, kwargs["pk"]), by=request.user)
        return _("It is sent again.")


class DropChange(_ChangeAction):
    """Give up what has not left."""

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        changes.drop(self.change(request, kwargs["pk"]), by=request.user)
        return _("It was dropped. Nothing of it was sent to AntBOT.")


def page_of(change: BotChange) -> str:
    """The page that shows what a change made or changed."""
    if change.family in OWN_PAGES:
        return reverse(OWN_PAGES[change.family], args=[change.row_id])
    row = changes.row_of(change)
    if change.family == "sections":
        return reverse("bot:template", args=[row.template_id])
    if change.family == "dnc_entries":
        return reverse("bot:dnc_list", args=[row.dnc_list_id])
    return reverse("bot:reminder_setting", args=[change.connection_id])
