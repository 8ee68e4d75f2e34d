"""A new campaign in steps. Drafts are kept; every step works without scripts."""

import uuid
from typing import Any, ClassVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice.pages import Page, nothing_selected
from bot_campaigns import rules as arithmetic
from bot_campaigns.forms.launch import AudienceForm, LaunchForm, MessageForm, PaceForm
from bot_campaigns.models import BotConnection, Launch, LaunchNumber
from bot_campaigns.services import drafts, preflight
from bot_campaigns.services.audience import Unusable
from bot_campaigns.services.number_files import Unreadable
from crm_bridge.models import Contact
from crm_bridge.views.contact_bulk import OfSelected
from crm_bridge.views.contacts import LIST as CONTACTS

STEPS = (
    ("bot:launch_audience", _("Audience")),
    ("bot:launch_message", _("Message")),
    ("bot:launch_pace", _("When and how fast")),
    ("bot:launch", _("Pre-flight")),
)
DRAFTS_OFFERED = 20
NAMES_SHOWN = 8
LINES_SHOWN = 5


def launch_of(pk: int) -> Launch:
    rows = Launch.objects.select_related("connection", "template", "gateway", "campaign", "confirmed_by")
    return get_object_or_404(rows.defer("connection__credentials"), pk=pk)


def steps(launch: Launch | None, here: str) -> list[tuple[str, Any, bool]]:
    """(address or "", label, whether it is this one)."""
    return [
        (reverse(route, args=[launch.pk]) if launch else "", label, route == here) for route, label in STEPS
    ]


class Step(Page):
    """One form of a draft."""

    permission: ClassVar[str | tuple[str, ...]] = "bot_campaigns.change_launch"
    crumbs = ((_("Campaigns"), "bot:campaigns"),)
    template_name = "bot_campaigns/launch_step.html"
    body_name = "bot_campaigns/launch_fields.html"
    here = ""
    before, following = "", ""

    @cached_property
    def launch(self) -> Launch | None:
        return launch_of(self.kwargs["pk"])

    @property
    def draft(self) -> Launch:
        if self.launch is None:
            raise Http404
        return self.launch

    def get_title(self) -> str:
        return self.launch.name if self.launch else _g("New campaign")

    def make_form(self, data: Any = None, files: Any = None) -> LaunchForm:
        raise NotImplementedError

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.launch is not None and not _editable(self.launch):
            return HttpResponseRedirect(reverse("bot:launch", args=[self.launch.pk]))
        return self.show(self.make_form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        go = request.POST.get("go", "next")
        form = self.make_form(request.POST, request.FILES)
        if not form.is_valid() or (go == "next" and not form.complete()):
            return self.show(form, status=422)
        try:
            launch = self.save(form)
        except drafts.Changed as changed:
            form.add_error(None, str(changed))
            return self.show(form, status=409)
        except Unusable as why:
            form.add_error(None, str(why))
            return self.show(form, status=422)
        except Unreadable as why:
            form.add_error("file", str(why))
            return self.show(form, status=422)
        return HttpResponseRedirect(self.onward(launch, go))

    def save(self, form: LaunchForm) -> Launch:
        seen = self.request.POST.get("version", "")
        return drafts.change(self.draft, by=self.request.user, seen=seen, **form.values())

    def onward(self, launch: Launch, go: str) -> str:
        if go == "later":
            messages.success(self.request, _g("“%s” is kept as a draft.") % launch.name)
            return reverse("bot:launches")
        route = self.before if go == "back" and self.before else self.following
        return reverse(route, args=[launch.pk])

    def show(self, form: LaunchForm, status: int = 200) -> HttpResponse:
        launch = launch_of(self.launch.pk) if self.launch else None  # not what the form put into it
        context = self.get_context_data(
            form=form,
            launch=launch,
            steps=steps(launch, self.here),
            body_name=self.body_name,
            version=drafts.version(launch) if launch else "",
            can_go_back=bool(self.before),
            **self.more(launch),
        )
        return self.render_to_response(context, status=status)

    def more(self, launch: Launch | None) -> dict[str, Any]:
        return {}


def _editable(launch: Launch) -> bool:
    return launch.status in (Launch.Status.DRAFT, Launch.Status.CHECKED) and launch.confirmed_at is None


# --- 1 audience --------------------------------------------------------------------------


class Audience(Step):
    here = "bot:launch_audience"
    following = "bot:launch_message"
    body_name = "bot_campaigns/launch_audience.html"

    def make_form(self, data: Any = None, files: Any = None) -> LaunchForm:
        return AudienceForm(data, files, launch=self.launch, initial=self.initial())

    def initial(self) -> dict[str, Any]:
        launch = self.draft
        spec = launch.audience_spec
        query = spec.get("query", "")
        return {
            "name": launch.name,
            "connection": launch.connection_id,
            "kind": launch.audience,
            "address": f"{reverse(CONTACTS)}?{query}" if query else "",
            "phonebook": spec.get("phonebook"),
        }

    def save(self, form: LaunchForm) -> Launch:
        assert isinstance(form, AudienceForm)
        seen = self.request.POST.get("version", "")
        launch = drafts.change(self.draft, by=self.request.user, seen=seen, file=form.upload, **form.values())
        if form.upload:
            self.tell_upload(launch)
        return launch

    def tell_upload(self, launch: Launch) -> None:
        """What was read, and the first lines that cannot be called; all are in the pre-flight."""
        rows = launch.numbers.order_by("pk")
        bad = rows.filter(e164="")
        count, wrong = rows.count(), bad.count()
        words = ngettext("%s row was read.", "%s rows were read.", count) % f"{count:,}"
        messages.success(self.request, words)
        if wrong:
            shown = ", ".join(
                number or _g("(empty)") for number in bad.values_list("number", flat=True)[:LINES_SHOWN]
            )
            words = ngettext(
                "%(n)s row holds no valid number and cannot be called: %(shown)s",
                "%(n)s rows hold no valid number and cannot be called, the first: %(shown)s",
                wrong,
            )
            messages.warning(self.request, words % {"n": f"{wrong:,}", "shown": shown})

    def more(self, launch: Launch | None) -> dict[str, Any]:
        found: dict[str, Any] = {"contacts_url": reverse(CONTACTS)}
        if launch is None:
            return found
        spec = launch.audience_spec
        if launch.audience == Launch.Audience.CONTACTS:
            ids = spec.get("ids", [])
            names = dict(Contact.objects.filter(pk__in=ids[:NAMES_SHOWN]).values_list("pk", "name"))
            found["chosen"] = [names.get(pk) or _g("(no name)") for pk in ids[:NAMES_SHOWN]]
            found["more_chosen"] = max(0, len(ids) - NAMES_SHOWN)
        if launch.audience == Launch.Audience.UPLOAD:
            found["uploaded"] = LaunchNumber.objects.filter(launch=launch).count()
        return found


class New(Audience):
    """The first step; the draft begins when it is right."""

    permission = "bot_campaigns.add_launch"

    @cached_property
    def launch(self) -> Launch | None:
        return None

    def initial(self) -> dict[str, Any]:
        """A phonebook, or the query of the contact list that led here."""
        query = self.request.GET.copy()
        book = query.pop("phonebook", [""])[-1]
        if book:
            return {"kind": Launch.Audience.PHONEBOOK, "phonebook": book}
        if any(any(query.getlist(name)) for name in query):
            return {"kind": Launch.Audience.FILTER, "address": f"{reverse(CONTACTS)}?{query.urlencode()}"}
        return {"kind": Launch.Audience.FILTER}

    def save(self, form: LaunchForm) -> Launch:
        assert isinstance(form, AudienceForm)
        launch = drafts.begin(
            by=self.request.user,
            nonce=_uuid(self.request.POST.get("nonce", "")),
            file=form.upload,
            **form.values(),
        )
        if form.upload:
            self.tell_upload(launch)
        return launch

    def more(self, launch: Launch | None) -> dict[str, Any]:
        asked = self.request.POST.get("nonce", "")
        return {**super().more(launch), "nonce": asked or uuid.uuid4()}


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


class OfContacts(OfSelected):
    """Contacts chosen in the list become an audience, a new one or that of a draft."""

    permission = "bot_campaigns.add_launch"
    title = _("Add to audience")

    def ask(self) -> HttpResponse:
        number = len(self.selected)
        drafts_ = [(str(pk), name) for pk, name in self._drafts().values_list("pk", "name")[:DRAFTS_OFFERED]]
        return self.question(
            question=ngettext("Call %d contact?", "Call %d contacts?", number) % number,
            text=_g("They become the audience of a campaign. Nobody is called before it is launched."),
            inputs=[
                {
                    "name": "launch",
                    "label": _g("Audience of"),
                    "choices": [("", _g("a new campaign")), *drafts_],
                }
            ],
            submit=_g("Add to audience"),
        )

    def _drafts(self) -> Any:
        rows = Launch.objects.filter(
            audience=Launch.Audience.CONTACTS,
            status__in=(Launch.Status.DRAFT, Launch.Status.CHECKED),
            confirmed_at__isnull=True,
        )
        return rows.order_by("-pk")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.selected:
            messages.error(request, " ".join(nothing_selected().messages))
            return self._leave(self.back)
        if not request.POST.get("sure"):
            return self.ask()
        order = request.POST.getlist("selected")
        ids = sorted((contact.pk for contact in self.selected), key=lambda pk: order.index(str(pk)))
        chosen = request.POST.get("launch", "")
        try:
            launch = self._add(ids, int(chosen)) if chosen.isdecimal() else self._begin(ids)
        except (Unusable, drafts.Changed) as why:
            messages.error(request, str(why))
            return self._leave(self.back)
        return self._leave(reverse("bot:launch_audience", args=[launch.pk]))

    def _add(self, ids: list[int], pk: int) -> Launch:
        launch = get_object_or_404(self._drafts(), pk=pk)
        new = drafts.add_contacts(launch, ids, by=self.request.user)
        words = ngettext(
            "%(n)d contact was added to “%(name)s”.", "%(n)d contacts were added to “%(name)s”.", new
        )
        messages.success(self.request, words % {"n": new, "name": launch.name})
        return launch

    def _begin(self, ids: list[int]) -> Launch:
        connection = BotConnection.objects.filter(is_active=True).defer("credentials").first()
        if connection is None:
            raise Unusable(_g("No voice bot is connected."))
        name = _g("Campaign of %s") % f"{timezone.localtime():%d.%m. %H:%M}"
        return drafts.begin(connection=connection, by=self.request.user, name=name, **drafts.of_contacts(ids))


# --- 2 message, 3 when -------------------------------------------------------------------


class Message(Step):
    here = "bot:launch_message"
    before, following = "bot:launch_audience", "bot:launch_pace"

    def make_form(self, data: Any = None, files: Any = None) -> LaunchForm:
        launch = self.draft
        initial = {
            "template": launch.template_id, "gateway": launch.gateway_id, "callerid": launch.callerid,
            "description": launch.description,
        }  # fmt: skip
        return MessageForm(data, launch=launch, initial=initial)


class Pace(Step):
    here = "bot:launch_pace"
    before, following = "bot:launch_message", "bot:launch"
    body_name = "bot_campaigns/launch_pace.html"

    def make_form(self, data: Any = None, files: Any = None) -> LaunchForm:
        launch = self.draft
        rules = preflight.rules_of(launch.connection)
        zone = arithmetic.zone(rules.zone) or timezone.get_default_timezone()
        names = ("starts_at", "expires_at", "daily_start", "daily_stop", "frequency", "not_called_days")
        initial = {name: getattr(launch, name) for name in names}
        return PaceForm(data, launch=launch, zone=zone, initial=initial)

    def more(self, launch: Launch | None) -> dict[str, Any]:
        return {"rules": preflight.rules_of(self.draft.connection)}
