"""What is done to many contacts at once: tag, delete, export. Each asks first."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice import audit
from backoffice.pages import Page, nothing_selected, safe_next
from crm_bridge import choices, exports
from crm_bridge.models import Contact
from crm_bridge.services import contacts as service
from crm_bridge.views.contact_forms import confirm
from crm_bridge.views.contacts import LIST, Selection

MOST_SELECTED = 500
NAMES_SHOWN = 8


class OfSelected(Page):
    """Asks on the first POST, acts on the one that carries ``sure``."""

    http_method_names = ["post"]
    crumbs = ((_("Contacts"), LIST),)

    @cached_property
    def selected(self) -> list[Contact]:
        texts = self.request.POST.getlist("selected")[:MOST_SELECTED]
        ids = [int(text) for text in texts if text.isdecimal() and len(text) < 19]
        rows: QuerySet[Contact] = Contact.objects.filter(pk__in=ids).select_related("connection")
        return list(rows.defer("raw", "search_text", "connection__credentials").prefetch_related("tags"))

    @property
    def back(self) -> str:
        return safe_next(self.request, self.request.POST.get("next", "")) or reverse(LIST)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.selected:
            messages.error(request, " ".join(nothing_selected().messages))
            return self._leave(self.back)
        if not request.POST.get("sure"):
            return self.ask()
        done, refused = 0, []
        for contact in self.selected:
            try:
                done += bool(self.act(contact))
            except service.Invalid as wrong:
                refused.append(f"{contact}: {' '.join(wrong.errors.values())}")
            except service.NotWritable as words:
                refused.append(f"{contact}: {words}")
        self.tell(done, refused)
        return self._leave(self.back)

    def act(self, contact: Contact) -> Any:
        """Do it to one contact; falsy when there was nothing to do."""
        raise NotImplementedError

    def ask(self) -> HttpResponse:
        raise NotImplementedError

    def done(self, count: int) -> str:
        raise NotImplementedError

    def tell(self, done: int, refused: list[str]) -> None:
        if done or not refused:
            messages.success(self.request, self.done(done))
        for words in refused[:NAMES_SHOWN]:
            messages.error(self.request, words)
        if len(refused) > NAMES_SHOWN:
            messages.error(self.request, _g("and %d more were refused.") % (len(refused) - NAMES_SHOWN))

    def question(self, **context: Any) -> HttpResponse:
        names = [str(contact) or _g("(no name)") for contact in self.selected]
        return confirm(
            self,
            action=self.request.path,
            back=self.back,
            names=names[:NAMES_SHOWN],
            more_names=max(0, len(names) - NAMES_SHOWN),
            hidden=[
                ("sure", "1"),
                ("next", self.back),
                *(("selected", contact.pk) for contact in self.selected),
            ],
            **context,
        )

    def _leave(self, address: str) -> HttpResponse:
        """Back to the list; a dialog that htmx asked for has to leave the page as a whole."""
        if self.request.htmx:  # type: ignore[attr-defined]
            return HttpResponse(headers={"HX-Redirect": address})
        return HttpResponseRedirect(address)


class DeleteSelected(OfSelected):
    permission = "crm_bridge.delete_contact"
    title = _("Delete contacts")

    def ask(self) -> HttpResponse:
        number = len(self.selected)
        crms = ", ".join(sorted({contact.connection.name for contact in self.selected}))
        return self.question(
            question=ngettext("Delete %d contact?", "Delete %d contacts?", number) % number,
            text=_g("%s will be told to delete them. They stay visible here, in Trash.") % crms,
            submit=ngettext("Delete %d contact", "Delete %d contacts", number) % number,
            danger=True,
        )

    def act(self, contact: Contact) -> Any:
        return service.delete(contact=contact, by=self.request.user)

    def done(self, count: int) -> str:
        return ngettext("%d deletion is on its way.", "%d deletions are on their way.", count) % count


class TagSelected(OfSelected):
    permission = "crm_bridge.change_contact"
    title = _("Tag contacts")

    def ask(self) -> HttpResponse:
        number = len(self.selected)
        known = choices.tag_names()
        carried = sorted({tag.name for contact in self.selected for tag in contact.tags.all()})
        return self.question(
            question=ngettext("Tag %d contact", "Tag %d contacts", number) % number,
            inputs=[
                {"name": "add", "label": _g("Add this tag"), "suggestions": known},
                {"name": "remove", "label": _g("Remove this tag"), "suggestions": carried},
            ],
            submit=ngettext("Change %d contact", "Change %d contacts", number) % number,
        )

    def act(self, contact: Contact) -> Any:
        add = self.request.POST.get("add", "").strip()
        remove = self.request.POST.get("remove", "").strip()
        before = contact.value("tags")
        after = [name for name in before if name != remove or name == add]
        if add and add not in after:
            after.append(add)
        if after == before:
            return None
        return service.edit(
            contact=contact, changes={"tags": after}, by=self.request.user, seen={"tags": before}
        )

    def done(self, count: int) -> str:
        return ngettext("%d contact was changed.", "%d contacts were changed.", count) % count


class Export(OfSelected):
    """A file of exactly the filtered set, or of the selected contacts. Every export is audited."""

    permission = "crm_bridge.export_contact"
    title = _("Export contacts")
    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        selection = Selection(request.GET)
        count = selection.browser.count()
        shown = _g("more than %d") % count.number if count.more else str(count.number)
        return confirm(
            self,
            action=f"{request.path}?{request.GET.urlencode()}",
            back=f"{reverse(LIST)}?{request.GET.urlencode()}",
            question=_g("Export %s contacts") % shown,
            facts=[(pill["label"], pill["value"]) for pill in selection.pills],
            hidden=[("all", "1")],
            **self._offer,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.POST.get("all"):
            if not self.selected or not request.POST.get("sure"):
                return super().post(request, *args, **kwargs)
            return self._file(Contact.objects.filter(pk__in=[row.pk for row in self.selected]))
        return self._file(Selection(request.GET).browser.matching())

    def ask(self) -> HttpResponse:
        number = len(self.selected)
        words = ngettext("Export %d contact", "Export %d contacts", number) % number
        return self.question(question=words, **self._offer)

    @property
    def _offer(self) -> dict[str, Any]:
        formats = [("xlsx", _g("Excel (XLSX)")), ("csv", "CSV"), ("jsonl", _g("JSON lines"))]
        return {
            "inputs": [{"name": "format", "label": _g("Format"), "choices": formats}],
            "submit": _g("Download"),
            "download": True,
        }

    def _file(self, contacts: QuerySet[Contact]) -> Any:
        user: Any = self.request.user
        format = self.request.POST.get("format", "")
        if format not in exports.FORMATS:
            messages.error(self.request, _g("Choose one of the formats offered."))
            return HttpResponseRedirect(reverse(LIST))
        filters = {name: value for name, value in self.request.GET.items() if name != "q"}
        audit.record(
            "contact.export", user, by=user, summary=format, filters=filters,
            search=bool(self.request.GET.get("q")), selected=[row.pk for row in self.selected],
        )  # fmt: skip
        name = f"contacts-{timezone.localtime():%Y%m%d-%H%M}.{format}"
        return StreamingHttpResponse(
            exports.pieces(contacts, format),
            content_type=exports.content_type(format),
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
