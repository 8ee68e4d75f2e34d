"""Edit, create and delete one contact. Saving never waits for the CRM."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice.pages import Page
from crm_bridge import choices
from crm_bridge.forms.contacts import ContactForm, opened
from crm_bridge.labels import field_label, shown_pair, shown_value
from crm_bridge.models import Connection, Contact
from crm_bridge.records import EDITABLE_FIELDS
from crm_bridge.services import contacts as service
from crm_bridge.views.contact import OfContact, phones_shown, why_not_edit


def contact_page(pk: int) -> str:
    return reverse("admin:crm_bridge_contact_change", args=[pk])


def account_of(connection: Connection, writable: frozenset[str]) -> dict[str, Any]:
    """What a form has to know of the account: which fields it takes, and its own ones."""
    return {
        "writable": writable,
        "crm": connection.name,
        "custom": choices.present_fields(connection.pk),
        "why_not": connection.capabilities.why_not,
    }


class Edit(OfContact):
    permission = "crm_bridge.change_contact"
    template_name = "crm_bridge/contacts/form.html"

    def get_title(self) -> str:
        return _g("Edit %s") % super().get_title()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if why := why_not_edit(self.contact):
            messages.error(request, why)
            return HttpResponseRedirect(contact_page(self.contact.pk))
        return self._show(ContactForm(**self._account, seen=self.contact.values()))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        contact = self.contact
        seen = opened(request.POST.get("seen", ""), contact.values())
        form = ContactForm.posted(request.POST, **self._account, seen=seen)
        version = request.POST.get("version", "")
        try:
            service.edit(
                contact=contact,
                changes=form.changes(),
                by=request.user,
                version=int(version) if version.isdecimal() and len(version) < 10 else -1,
                seen=seen,
            )
        except service.Invalid as wrong:
            form.errors = wrong.errors
            return self._show(form, version=version)
        except service.VersionClash as clash:
            return self._show(form, clash=clash)
        except service.NotWritable as refused:
            messages.error(request, str(refused))
        return HttpResponseRedirect(contact_page(contact.pk))

    @property
    def _account(self) -> dict[str, Any]:
        connection = self.contact.connection
        return account_of(connection, connection.capabilities.writable)

    def _show(
        self, form: ContactForm, *, version: str = "", clash: service.VersionClash | None = None
    ) -> HttpResponse:
        mine: list[dict[str, Any]] = []
        if clash:
            self.__dict__.pop("contact", None)
            mine = _both_sides(form, clash)
            form.rebase(self.contact.values())
        context = self.get_context_data(
            form=form,
            contact=self.contact,
            version=version or self.contact.version,
            clash=clash,
            clash_fields=mine,
            back=contact_page(self.contact.pk),
            submit=_g("Save"),
        )
        return self.render_to_response(context, status=409 if clash else 422 if form.errors else 200)


def _both_sides(form: ContactForm, clash: service.VersionClash) -> list[dict[str, Any]]:
    """What others saved meanwhile, field by field, and what was typed here of it."""
    typed, account = form.changes(), clash.contact.connection_id
    lines = []
    for edit in clash.edits:
        for name, pair in edit.fields.items():
            old, new = shown_pair(account, name, *pair)
            mine = shown_value(account, name, typed[name]) if name in typed else ""
            lines.append(
                {
                    "label": field_label(name), "old": old, "new": new, "mine": mine,
                    "who": edit.who, "when": edit.when,
                }
            )  # fmt: skip
    return lines


class Create(Page):
    permission = "crm_bridge.add_contact"
    template_name = "crm_bridge/contacts/form.html"
    title = _("New contact")
    crumbs = ((_("Contacts"), "admin:crm_bridge_contact_changelist"),)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._show(self._form(), asked=request.GET, nonce=uuid.uuid4().hex)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        connection, kind = self._chosen(request.POST)
        nonce = request.POST.get("nonce", "")[:64] or uuid.uuid4().hex
        if connection is None:
            messages.error(request, _g("Choose a CRM that takes new contacts."))
            return HttpResponseRedirect(request.path)
        account = account_of(connection, connection.capabilities.creatable)
        form = ContactForm.posted(request.POST, **account, seen=_EMPTY)
        try:
            contact = service.create(
                connection=connection, kind=kind, values=form.changes(), by=request.user, nonce=nonce
            )
        except service.Invalid as wrong:
            form.errors = wrong.errors
            return self._show(form, asked=request.POST, nonce=nonce)
        except service.NotWritable as refused:
            messages.error(request, str(refused))
            return self._show(form, asked=request.POST, nonce=nonce)
        return HttpResponseRedirect(contact_page(contact.pk))

    @cached_property
    def _connections(self) -> list[Connection]:
        rows = Connection.objects.filter(is_active=True).defer("credentials")
        return [connection for connection in rows if connection.capabilities.can_create]

    def _chosen(self, asked: QueryDict) -> tuple[Connection | None, str]:
        wanted = asked.get("connection", "")
        connection = next((row for row in self._connections if str(row.pk) == wanted), None)
        if connection is None and self._connections and not wanted:
            connection = self._connections[0]
        kinds = [kind.value for kind in connection.capabilities.kinds] if connection else []
        kind = asked.get("kind", "")
        return connection, kind if kind in kinds else (kinds[0] if kinds else "")

    def _form(self) -> ContactForm | None:
        connection, _kind = self._chosen(self.request.GET)
        if connection is None:
            return None
        return ContactForm(**account_of(connection, connection.capabilities.creatable), seen=_EMPTY)

    def _show(self, form: ContactForm | None, *, asked: QueryDict, nonce: str) -> HttpResponse:
        connection, kind = self._chosen(asked)
        labels = dict(Contact.Kind.choices)
        context = self.get_context_data(
            form=form,
            connections=self._connections,
            connection=connection,
            kind=kind,
            kinds=[(one.value, labels[one.value]) for one in connection.capabilities.kinds]
            if connection
            else [],
            nonce=nonce,
            back=reverse("admin:crm_bridge_contact_changelist"),
            submit=_g("Create"),
        )
        return self.render_to_response(context, status=422 if form and form.errors else 200)


_EMPTY: dict[str, Any] = {
    field: [] if field in ("phones", "emails", "addresses", "social_accounts", "tags")
    else {} if field == "custom_fields" else None if field == "birth_date" else ""
    for field in EDITABLE_FIELDS
}  # fmt: skip


class Delete(OfContact):
    """Repeats who will be deleted; deletes on POST only."""

    permission = "crm_bridge.delete_contact"

    def get_title(self) -> str:
        return _g("Delete %s?") % super().get_title()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        contact = self.contact
        phones = ", ".join(phone["shown"] for phone in phones_shown(contact))
        return confirm(
            self,
            question=self.get_title(),
            text=_g("%s will be told to delete this contact. It stays visible here, in Trash.")
            % contact.connection.name,
            facts=[
                (field_label("name"), contact.name),
                (field_label("phones"), phones or "–"),
                (field_label("connection"), f"{contact.connection.name} #{contact.remote_id or '–'}"),
            ],
            action=request.path,
            submit=_g("Delete"),
            danger=True,
            back=contact_page(contact.pk),
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            service.delete(contact=self.contact, by=request.user)
            messages.success(request, _g("The deletion is on its way to %s.") % self.contact.connection.name)
        except service.NotWritable as refused:
            messages.error(request, str(refused))
        return HttpResponseRedirect(contact_page(self.contact.pk))


def confirm(page: Page, **context: Any) -> HttpResponse:
    """A question as a dialog where htmx asked for it, else as a page of its own."""
    request: Any = page.request
    name = "crm_bridge/contacts/confirm_body.html" if request.htmx else "crm_bridge/contacts/confirm.html"
    return TemplateResponse(request, name, page.get_context_data(**context))
