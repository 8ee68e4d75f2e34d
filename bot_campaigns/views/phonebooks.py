"""Phonebooks and the numbers in them."""

from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice.pages import Page, link
from bot_campaigns.filters.desk import NumbersFilter, PhonebookFilter
from bot_campaigns.forms.base import DeskForm
from bot_campaigns.forms.desk import NewPhonebook, NumberForm, PhonebookForm
from bot_campaigns.labels import number_text, row_state
from bot_campaigns.models import BotContact, Launch, Phonebook
from bot_campaigns.services import changes, phonebooks, suppression
from bot_campaigns.services.changes import Refused
from bot_campaigns.services.verdicts import since_words
from bot_campaigns.tables.desk import NumbersTable, PhonebookTable
from bot_campaigns.views.base import DeskList, FormPage, page_of, receipt_context, row_or_404

LIST = ((_("Phonebooks"), "bot:phonebooks"),)
NUMBER_FIELDS = ("first_name", "last_name", "email", "description", "is_enabled")


class PhonebookList(DeskList):
    permission = "bot_campaigns.view_phonebook"
    title = _("Phonebooks")
    noun = _("phonebooks")
    empty_text = _("No phonebook yet. Create one, or sync the bot.")
    table_class = PhonebookTable
    filterset_class = PhonebookFilter

    def get_queryset(self) -> QuerySet[Phonebook]:
        return Phonebook.objects.order_by("-id")

    def with_related(self, rows: QuerySet[Phonebook]) -> QuerySet[Phonebook]:
        listed = BotContact.objects.filter(phonebook=OuterRef("pk"), gone_at__isnull=True).order_by()
        counted = listed.values("phonebook").annotate(n=Count("pk")).values("n")
        launch = Launch.objects.filter(phonebook=OuterRef("pk")).order_by("pk").values("name")[:1]
        rows = rows.select_related("connection").defer("raw", "connection__credentials")
        return rows.annotate(numbers=Coalesce(Subquery(counted), 0), launch_name=Subquery(launch))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        buttons = []
        if self.request.user.has_perm("bot_campaigns.add_phonebook"):  # type: ignore[union-attr]
            new = {"url": reverse("bot:phonebook_new"), "label": _g("New phonebook"), "icon": "add"}
            buttons.append({**new, "primary": True})
        return super().get_context_data(
            buttons=buttons, empty_action=buttons[0] if buttons else None, **kwargs
        )


class NewBook(FormPage):
    permission = "bot_campaigns.add_phonebook"
    title = _("New phonebook")
    crumbs = LIST
    form_class = NewPhonebook
    submit = _("Create")
    lead = _("A short code is put behind the name, by which it is found again if an answer is lost.")

    def back(self) -> str:
        return reverse("bot:phonebooks")

    def save(self, form: DeskForm) -> str:
        return page_of(phonebooks.create(**form.cleaned_data, by=self.request.user, nonce=self.nonce))


class OfBook(Page):
    @cached_property
    def book(self) -> Any:
        return row_or_404("phonebooks", self.kwargs["pk"])


class PhonebookPage(OfBook, DeskList):
    """One phonebook: what it is, whether it can be changed, and its numbers."""

    permission = ("bot_campaigns.view_phonebook", "bot_campaigns.view_botcontact")
    crumbs = LIST
    noun = _("numbers")
    empty_text = _("No number is in this phonebook.")
    table_class = NumbersTable
    filterset_class = NumbersFilter
    template_name = "bot_campaigns/phonebook.html"

    def get_title(self) -> str:
        return str(changes.with_edits([self.book])[0].name)

    def get_queryset(self) -> QuerySet[BotContact]:
        return BotContact.objects.filter(phonebook=self.book).order_by("id")

    def with_related(self, rows: QuerySet[BotContact]) -> QuerySet[BotContact]:
        return rows.select_related("contact").defer("raw", "contact__raw", "contact__search_text")

    def prepared(self, rows: list[BotContact]) -> list[BotContact]:
        silent = suppression.suppressed(row.e164 for row in rows if row.e164)
        for row in super().prepared(rows):
            row.silent = since_words(silent[row.e164]) if row.e164 in silent else ""
        return rows

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user: Any = self.request.user
        book = changes.with_edits([self.book])[0]
        closed = phonebooks.why_closed(book)
        no_numbers = phonebooks.why_no_numbers(book)
        action = None
        if user.has_perm("bot_campaigns.add_botcontact") and not no_numbers:
            action = {"url": reverse("bot:bot_contact_new", args=[book.pk]), "label": _g("Add a number")}
        campaigns = book.campaigns.order_by("-pk").values_list("pk", "name")[:20]
        return super().get_context_data(
            book=book,
            state=row_state(book, book.change),
            closed=closed,
            no_numbers=no_numbers if not closed else "",
            may_rename=user.has_perm("bot_campaigns.change_phonebook"),
            may_add=user.has_perm("bot_campaigns.add_botcontact"),
            empty_action=action,
            campaigns=[(link("bot:campaign", pk), name) for pk, name in campaigns],
            **receipt_context(changes.latest(book), user),
            **kwargs,
        )


class RenameBook(OfBook, FormPage):
    permission = "bot_campaigns.change_phonebook"
    crumbs = LIST
    form_class = PhonebookForm
    submit = _("Save")

    def get_title(self) -> str:
        return _g("Rename %s") % self.book.name

    def locked(self) -> str:
        return phonebooks.why_closed(self.book)

    def initial(self) -> dict[str, Any]:
        book = changes.with_edits([row_or_404("phonebooks", self.book.pk)])[0]
        return {"name": book.name, "description": book.description}

    def back(self) -> str:
        return reverse("bot:phonebook", args=[self.book.pk])

    def save(self, form: DeskForm) -> str:
        phonebooks.rename(self.book, **form.cleaned_data, by=self.request.user)
        return self.back()


# --- numbers -----------------------------------------------------------------------------


class NewNumber(OfBook, FormPage):
    permission = "bot_campaigns.add_botcontact"
    crumbs = LIST
    form_class = NumberForm
    submit = _("Add")

    def get_title(self) -> str:
        return _g("Add a number to %s") % self.book.name

    def locked(self) -> str:
        return phonebooks.why_no_numbers(self.book)

    def back(self) -> str:
        return reverse("bot:phonebook", args=[self.book.pk])

    def save(self, form: DeskForm) -> str:
        phonebooks.add_number(self.book, **form.cleaned_data, by=self.request.user, nonce=self.nonce)
        return self.back()


class OfNumber(Page):
    crumbs = LIST

    @cached_property
    def number(self) -> Any:
        return row_or_404("contacts", self.kwargs["pk"], "phonebook", "contact")


class NumberPage(OfNumber):
    permission = "bot_campaigns.view_botcontact"
    template_name = "bot_campaigns/bot_contact.html"

    def get_title(self) -> str:
        return number_text(self.number)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user: Any = self.request.user
        row = changes.with_edits([row_or_404("contacts", self.number.pk, "phonebook", "contact")])[0]
        return super().get_context_data(
            row=row,
            state=row_state(row, row.change),
            closed=phonebooks.why_closed(row.phonebook),
            may_edit=user.has_perm("bot_campaigns.change_botcontact"),
            reasons=suppression.why(row.e164) if row.e164 else [],
            **receipt_context(changes.latest(row), user),
            **kwargs,
        )


class EditNumber(OfNumber, FormPage):
    permission = "bot_campaigns.change_botcontact"
    form_class = NumberForm
    submit = _("Save")

    def get_title(self) -> str:
        return _g("Edit %s") % number_text(self.number)

    def locked(self) -> str:
        return phonebooks.why_closed(self.number.phonebook)

    def initial(self) -> dict[str, Any]:
        row = changes.with_edits([row_or_404("contacts", self.number.pk)])[0]
        return {"number": row.number, **{name: getattr(row, name) for name in NUMBER_FIELDS}}

    def back(self) -> str:
        return reverse("bot:bot_contact", args=[self.number.pk])

    def save(self, form: DeskForm) -> str:
        if self.number.gone_at is not None:
            raise Refused(_g("AntBOT does not list this number any more."))
        phonebooks.edit_number(self.number, **form.cleaned_data, by=self.request.user)
        return self.back()
