"""Numbers not to be called: the bot's do-not-call lists, and our own suppressions."""

from typing import Any

from django.contrib import messages
from django.core import signing
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice.models import AuditEntry
from backoffice.pages import Guarded, ListPage, Page, safe_next
from bot_campaigns.filters.desk import DncListFilter, EntryFilter, SuppressionFilter
from bot_campaigns.forms.base import DeskForm
from bot_campaigns.forms.desk import (
    DncNumberForm,
    LiftForm,
    NewDncList,
    SuppressFileForm,
    SuppressForm,
)
from bot_campaigns.labels import number_text, row_state
from bot_campaigns.models import Call, DncEntry, DncList, Suppression
from bot_campaigns.services import changes, dnc, number_files, silence, suppression
from bot_campaigns.services.changes import Refused
from bot_campaigns.tables.desk import DncListTable, EntryTable, SuppressionTable
from bot_campaigns.views.base import DeskList, FormPage, page_of, receipt_context, row_or_404
from crm_bridge.models import Contact

LIST = ((_("Do-not-call"), "bot:suppressions"),)
LISTS = (*LIST, (_("Lists of the bot"), "bot:dnc"))
SALT = "bot_campaigns.suppress"
GOOD_FOR_SECONDS = 3600
CONTACTS_SHOWN = 10


# --- suppressions ------------------------------------------------------------------------


class SuppressionList(ListPage):
    permission = "bot_campaigns.view_suppression"
    title = _("Do-not-call")
    noun = _("suppressions")
    empty_text = _("No number is suppressed. Whoever asks not to be called again is added here.")
    template_name = "bot_campaigns/list.html"
    table_class = SuppressionTable
    filterset_class = SuppressionFilter

    def get_queryset(self) -> QuerySet[Suppression]:
        return Suppression.objects.order_by("-since", "-id")

    def with_related(self, rows: QuerySet[Suppression]) -> QuerySet[Suppression]:
        return rows.select_related("added_by", "lifted_by")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user: Any = self.request.user
        buttons: list[dict[str, Any]] = []
        if user.has_perm("bot_campaigns.view_dnclist"):
            buttons.append({"url": reverse("bot:dnc"), "label": _g("Lists of the bot"), "icon": "list"})
        if user.has_perm("bot_campaigns.add_suppression"):
            buttons += [
                {"url": reverse("bot:suppression_import"), "label": _g("Import…"), "icon": "upload"},
                {
                    "url": reverse("bot:suppression_add"), "label": _g("Add a number"), "icon": "add",
                    "primary": True,
                },
            ]  # fmt: skip
        intro = _g(
            "Numbers that no campaign and no reminder may call, whatever happens to their contacts."
            " One number may have several reasons; it is free only when none stands."
        )
        return super().get_context_data(buttons=buttons, intro=intro, **kwargs)


class AddSuppression(FormPage):
    """Whoever hears "never call me again" writes it down; running campaigns give the number back."""

    permission = "bot_campaigns.add_suppression"
    title = _("Never call this number again")
    crumbs = LIST
    form_class = SuppressForm
    submit = _("Suppress")
    lead = _(
        "It counts at once. A campaign that is running gives the number back within a minute, unless its call"
        " has begun."
    )

    def initial(self) -> dict[str, Any]:
        return {"numbers": self.request.GET.get("number", "")[:60]}

    def back(self) -> str:
        asked = self.request.POST.get("next") or self.request.GET.get("next", "")
        return safe_next(self.request, asked) or reverse("bot:suppressions")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(next=self.back(), **kwargs)

    def save(self, form: DeskForm) -> str:
        numbers = form.cleaned_data["numbers"].replace(";", "\n").replace(",", "\n").splitlines()
        try:
            added = silence.add(numbers=numbers, reason=form.cleaned_data["reason"], by=self.request.user)
        except silence.Nothing as nothing:
            raise Refused(str(nothing), "numbers") from None
        tell(self.request, added)
        return self.back()


def tell(request: HttpRequest, added: suppression.Added) -> None:
    new, already = len(added.new), len(added.already)
    words = [ngettext("%d number is suppressed.", "%d numbers are suppressed.", new) % new] if new else []
    if already:
        words.append(ngettext("%d was suppressed already.", "%d were suppressed already.", already) % already)
    messages.success(request, " ".join(words))


class SuppressionPage(Page):
    """One suppression: why, since when, what else stands against the number, whose it is."""

    permission = "bot_campaigns.view_suppression"
    template_name = "bot_campaigns/suppression.html"
    crumbs = LIST

    @cached_property
    def suppression(self) -> Suppression:
        rows = Suppression.objects.select_related("added_by", "lifted_by")
        return get_object_or_404(rows, pk=self.kwargs["pk"])

    def get_title(self) -> str:
        return number_text(self.suppression)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = self.suppression
        user: Any = self.request.user
        contacts = Contact.objects.filter(phones__e164=row.e164).only("name", "state", "kind").distinct()
        lifts = AuditEntry.objects.filter(
            action="suppression.lift", object_type=row._meta.label_lower, object_id=str(row.pk)
        )
        sees_contacts = user.has_perm("crm_bridge.view_contact")
        return super().get_context_data(
            row=row,
            others=[each for each in suppression.why(row.e164) if each.pk != row.pk],
            contacts=list(contacts.order_by("pk")[:CONTACTS_SHOWN]) if sees_contacts else [],
            calls=Call.objects.filter(e164=row.e164).count(),
            lifted=lifts.first() if row.lifted_at else None,
            may_lift=user.has_perm("bot_campaigns.lift_suppression"),
            why_not=suppression.why_not_lifted(row) if row.lifted_at is None else "",
            **kwargs,
        )


class LiftSuppression(FormPage):
    permission = "bot_campaigns.lift_suppression"
    crumbs = LIST
    form_class = LiftForm
    submit = _("Lift")

    @cached_property
    def suppression(self) -> Suppression:
        return get_object_or_404(Suppression, pk=self.kwargs["pk"])

    def get_title(self) -> str:
        return _g("Let %s be called again?") % number_text(self.suppression)

    def locked(self) -> str:
        return suppression.why_not_lifted(self.suppression)

    def back(self) -> str:
        return reverse("bot:suppression", args=[self.suppression.pk])

    def save(self, form: DeskForm) -> str:
        row = self.suppression
        try:
            suppression.lift(by=self.request.user, reason=form.cleaned_data["reason"], suppression=row)
        except suppression.NotLifted as refused:
            raise Refused(str(refused), "reason") from None
        rest = len(suppression.why(row.e164))
        if rest:
            words = ngettext(
                "Lifted, but %d other reason still stands: the number must not be called.",
                "Lifted, but %d other reasons still stand: the number must not be called.",
                rest,
            )
            messages.warning(self.request, words % rest)
        else:
            messages.success(self.request, _g("Lifted. The number may be called again."))
        return self.back()


# --- files -------------------------------------------------------------------------------


class ImportSuppressions(FormPage):
    """Upload and preview; what cannot be read is shown row by row."""

    permission = "bot_campaigns.add_suppression"
    title = _("Suppress the numbers of a file")
    template_name = "bot_campaigns/suppression_import.html"
    crumbs = LIST
    form_class = SuppressFileForm
    submit = _("Preview")
    multipart = True

    def back(self) -> str:
        return reverse("bot:suppressions")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form_class(request.POST, request.FILES)
        context: dict[str, Any] = {}
        if form.is_valid():
            file = form.cleaned_data["file"]
            try:
                found = silence.preview(file, file.name or "")
            except number_files.Unreadable as unreadable:
                form.add_error("file", str(unreadable))
            else:
                payload = {
                    "numbers": "\n".join(found.numbers), "key": found.key, "user": request.user.pk,
                    "reason": form.cleaned_data["reason"],
                }  # fmt: skip
                signed = signing.dumps(payload, salt=SALT, compress=True) if found.numbers else ""
                context = {
                    "preview": found,
                    "signed": signed,
                    "unreadable": found.unreadable[: silence.SHOWN],
                    "reason": form.cleaned_data["reason"],
                }
        return self.show(form, nonce="", **context)


class ConfirmSuppressions(Guarded):
    """Suppresses what the preview showed; a second press adds nothing."""

    permission = "bot_campaigns.add_suppression"
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            payload = signing.loads(request.POST.get("signed", ""), salt=SALT, max_age=GOOD_FOR_SECONDS)
        except signing.BadSignature:
            messages.error(request, _g("This preview is too old. Upload the file again."))
            return HttpResponseRedirect(reverse("bot:suppression_import"))
        if payload["user"] != request.user.pk:
            messages.error(request, _g("This preview can no longer be used. Upload the file again."))
            return HttpResponseRedirect(reverse("bot:suppression_import"))
        added = silence.add_file(
            numbers=payload["numbers"].splitlines(),
            key=payload["key"],
            reason=payload["reason"],
            by=request.user,
        )
        tell(request, added)
        return HttpResponseRedirect(reverse("bot:suppressions"))


# --- the bot's lists ---------------------------------------------------------------------


class DncLists(DeskList):
    permission = "bot_campaigns.view_dnclist"
    title = _("Do-not-call lists of the bot")
    noun = _("lists")
    crumbs = LIST
    empty_text = _("The bot has no do-not-call list yet.")
    table_class = DncListTable
    filterset_class = DncListFilter

    def get_queryset(self) -> QuerySet[DncList]:
        return DncList.objects.order_by("name", "id")

    def with_related(self, rows: QuerySet[DncList]) -> QuerySet[DncList]:
        listed = DncEntry.objects.filter(dnc_list=OuterRef("pk"), gone_at__isnull=True).order_by()
        counted = listed.values("dnc_list").annotate(n=Count("pk")).values("n")
        rows = rows.select_related("connection").defer("raw", "connection__credentials")
        return rows.annotate(numbers=Coalesce(Subquery(counted), 0))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        buttons = []
        if self.request.user.has_perm("bot_campaigns.add_dnclist"):  # type: ignore[union-attr]
            new = {"url": reverse("bot:dnc_new"), "label": _g("New list"), "icon": "add"}
            buttons.append({**new, "primary": True})
        intro = _g(
            "Lists that the bot keeps. Their numbers are suppressed here too, so every campaign and reminder"
            " of ours keeps to them."
        )
        return super().get_context_data(buttons=buttons, intro=intro, **kwargs)


class NewList(FormPage):
    permission = "bot_campaigns.add_dnclist"
    title = _("New do-not-call list")
    crumbs = LISTS
    form_class = NewDncList
    submit = _("Create")
    lead = _("AntBOT lets a list neither be renamed nor deleted.")

    def back(self) -> str:
        return reverse("bot:dnc")

    def save(self, form: DeskForm) -> str:
        return page_of(dnc.create_list(**form.cleaned_data, by=self.request.user, nonce=self.nonce))


class OfList(Page):
    crumbs = LISTS

    @cached_property
    def dnc_list(self) -> Any:
        return row_or_404("dnc_lists", self.kwargs["pk"])


class DncListPage(OfList, DeskList):
    permission = ("bot_campaigns.view_dnclist", "bot_campaigns.view_dncentry")
    noun = _("numbers")
    empty_text = _("No number is on this list.")
    table_class = EntryTable
    filterset_class = EntryFilter
    template_name = "bot_campaigns/dnc_list.html"

    def get_title(self) -> str:
        return str(self.dnc_list.name)

    def get_queryset(self) -> QuerySet[DncEntry]:
        return DncEntry.objects.filter(dnc_list=self.dnc_list).order_by("-id")

    def with_related(self, rows: QuerySet[DncEntry]) -> QuerySet[DncEntry]:
        return rows.defer("raw")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user: Any = self.request.user
        row = changes.with_edits([self.dnc_list])[0]
        may_add = user.has_perm("bot_campaigns.add_dncentry") and row.gone_at is None
        add = {"url": reverse("bot:dnc_entry_new", args=[row.pk]), "label": _g("Add a number")}
        return super().get_context_data(
            row=row,
            state=row_state(row, row.change),
            unreadable=DncEntry.objects.filter(dnc_list=row, e164="", gone_at__isnull=True).count(),
            may_add=may_add,
            empty_action=add if may_add else None,
            stopped_entries=self._stopped(row),
            **receipt_context(changes.latest(row), user),
            **kwargs,
        )

    def _stopped(self, row: DncList) -> list[dict[str, Any]]:
        """Entries that did not reach the bot and need a person."""
        waiting = DncEntry.objects.filter(dnc_list=row, remote_id__isnull=True, gone_at__isnull=True)
        found = changes.with_edits(waiting.defer("raw")[:50])
        return [
            {"row": each, **receipt_context(each.change, self.request.user)}
            for each in found
            if each.change is not None and not each.change.is_moving
        ]


class NewEntry(OfList, FormPage):
    permission = "bot_campaigns.add_dncentry"
    form_class = DncNumberForm
    submit = _("Put on the list")
    lead = _("The number is suppressed here at once, before the bot has it.")

    def get_title(self) -> str:
        return _g("Put a number on %s") % self.dnc_list.name

    def back(self) -> str:
        return reverse("bot:dnc_list", args=[self.dnc_list.pk])

    def save(self, form: DeskForm) -> str:
        dnc.add_number(self.dnc_list, **form.cleaned_data, by=self.request.user, nonce=self.nonce)
        return self.back()
