"""Reminder calls: the list, one of them, a new one for a contact, and how an account makes them."""

import uuid
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice.pages import Action, ListPage, Page
from bot_campaigns import rules as arithmetic
from bot_campaigns.filters.desk import ReminderFilter
from bot_campaigns.forms.base import DeskForm
from bot_campaigns.forms.reminders import ChooseSettingForm, ReminderForm, SettingForm
from bot_campaigns.labels import CONTACT, number_text
from bot_campaigns.models import Alarm, BotConnection, CalendarSetting
from bot_campaigns.services import changes, reminders, suppression
from bot_campaigns.services.changes import Refused
from bot_campaigns.services.verdicts import since_words
from bot_campaigns.tables.desk import ReminderTable, reminder_result, reminder_state
from bot_campaigns.views.base import FormPage, receipt_context
from crm_bridge.models import Contact
from crm_bridge.phones import display

LIST = ((_("Reminders"), "bot:reminders"),)


class ReminderList(ListPage):
    permission = "bot_campaigns.view_alarm"
    title = _("Reminders")
    noun = _("reminders")
    empty_text = _("No reminder call yet. “Remind by phone…” on a contact's page makes one.")
    template_name = "bot_campaigns/list.html"
    table_class = ReminderTable
    filterset_class = ReminderFilter

    def get_queryset(self) -> QuerySet[Alarm]:
        return Alarm.objects.order_by("-rings_at", "-id")

    def with_related(self, rows: QuerySet[Alarm]) -> QuerySet[Alarm]:
        rows = rows.select_related("contact", "asked_by", "event")
        return rows.defer("raw", "contact__raw", "contact__search_text", "contact__note")

    def prepared(self, rows: list[Alarm]) -> list[Alarm]:
        soon = timezone.now() + timedelta(minutes=1)
        self.moving = any(row.progress in reminders.OPEN and row.not_before <= soon for row in rows)
        return rows

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user: Any = self.request.user
        buttons = []
        if user.has_perm("bot_campaigns.add_calendarsetting"):
            accounts = BotConnection.objects.filter(is_active=True).only("name").order_by("name")
            buttons = [
                {
                    "url": reverse("bot:reminder_setting", args=[row.pk]),
                    "label": _g("Settings of %s") % row.name,
                    "icon": "tune",
                }
                for row in accounts
            ]
        context = super().get_context_data(buttons=buttons, **kwargs)
        return {**context, "polling": self.moving}


class OfReminder(Page):
    permission = "bot_campaigns.view_alarm"
    crumbs = LIST

    @cached_property
    def alarm(self) -> Alarm:
        rows = Alarm.objects.select_related("contact", "asked_by", "connection", "event")
        rows = rows.defer("raw", "contact__raw", "contact__search_text", "connection__credentials")
        return get_object_or_404(rows, pk=self.kwargs["pk"])

    def get_title(self) -> str:
        return self.alarm.title or number_text(self.alarm)

    def state(self) -> dict[str, Any]:
        alarm = self.alarm
        soon = timezone.now() + timedelta(minutes=1)
        return {
            "alarm": alarm,
            "number": number_text(alarm),
            "state": reminder_state(alarm),
            "result": reminder_result(alarm),
            "goes_out": reminders.goes_out_at(alarm),
            "busy": alarm.progress in reminders.OPEN and alarm.not_before <= soon,
            "can_drop": reminders.can_drop(alarm) and self.request.user.has_perm("bot_campaigns.add_alarm"),  # type: ignore[union-attr]
            "rules_zone": reminders.rules_for(alarm.connection).zone,
            "here": reverse("bot:reminder", args=[alarm.pk]),
        }


class ReminderPage(OfReminder):
    template_name = "bot_campaigns/reminder.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        alarm = self.alarm
        row = suppression.suppressed([alarm.e164]).get(alarm.e164) if alarm.e164 else None
        return super().get_context_data(**self.state(), suppressed=since_words(row) if row else "", **kwargs)


class ReminderReceipt(OfReminder):
    """The state alone; asks again by itself while something is on its way."""

    template_name = "bot_campaigns/reminder_state.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return self.state()

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if not self.request.htmx:  # type: ignore[attr-defined]
            raise Http404
        return super().render_to_response(context, **kwargs)


class DropReminder(Action):
    permission = "bot_campaigns.add_alarm"
    back_to = "bot:reminders"
    refusals = (Refused,)

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        alarm = get_object_or_404(Alarm, pk=kwargs["pk"])
        reminders.drop(alarm, by=request.user)
        return _g("The reminder was dropped. Nobody will be called.")


# --- a new one ---------------------------------------------------------------------------


class NewReminder(FormPage):
    """A call to one contact, when and about what."""

    permission = "bot_campaigns.add_alarm"
    submit = _("Remind by phone")
    template_name = "bot_campaigns/reminder_new.html"

    @cached_property
    def contact(self) -> Contact:
        rows = Contact.objects.select_related("connection").prefetch_related("phones")
        return get_object_or_404(
            rows.defer("raw", "search_text", "connection__credentials"), pk=self.kwargs["pk"]
        )

    @cached_property
    def connections(self) -> list[BotConnection]:
        return reminders.ready_connections()

    def get_title(self) -> str:
        return _g("Remind %s by phone") % (self.contact.name or _g("(no name)"))

    def back(self) -> str:
        return reverse(CONTACT, args=[self.contact.pk])

    def locked(self) -> str:
        if not self.connections:
            return _g("An admin has to set up reminder calls first: Reminders, “Settings of …”.")
        if self.contact.state != Contact.State.LIVE:
            return _g("Only a live contact can be reminded.")
        numbers = reminders.numbers_of(self.contact)
        if not numbers:
            return _g("This contact has no valid phone number.")
        silent = suppression.suppressed(numbers)
        if len(silent) == len(numbers):
            words = "; ".join(f"{display(each, each)} {since_words(row)}" for each, row in silent.items())
            return _g("No number of this contact may be called: %s.") % words
        return ""

    def initial(self) -> dict[str, Any]:
        numbers = reminders.numbers_of(self.contact)
        silent = suppression.suppressed(numbers)
        free = [each for each in numbers if each not in silent]
        if not free or not self.connections:
            return {}
        rules = reminders.rules_for(self.connections[0])
        zones = arithmetic.zones_of(free[0])
        opening = arithmetic.next_opening(rules, zones, timezone.now() + timedelta(hours=1))
        if opening is None:
            return {"number": free[0]}
        local = timezone.localtime(opening, arithmetic.zone(rules.zone))
        return {"number": free[0], "rings_at": f"{local:%Y-%m-%dT%H:%M}"}

    def form(self, *data: Any) -> ReminderForm:
        return ReminderForm(*data, contact=self.contact, connections=self.connections, initial=self.initial())

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(self.form(), nonce=uuid.uuid4().hex)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form(request.POST)
        if form.is_valid() and not self.locked():
            try:
                alarm = reminders.ask(
                    **form.cleaned_data, contact=self.contact, by=request.user, nonce=self.nonce
                )
            except Refused as refused:
                form.add_error(refused.field if refused.field in form.fields else None, str(refused))
            else:
                return HttpResponseRedirect(reverse("bot:reminder", args=[alarm.pk]))
        return self.show(form, nonce=self.nonce)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        numbers = reminders.numbers_of(self.contact)
        rules = reminders.rules_for(self.connections[0]) if self.connections else None
        silent = suppression.suppressed(numbers)
        return super().get_context_data(
            rules=rules,
            lead_minutes=int(reminders.LEAD.total_seconds() // 60),
            silent=[(display(each, each), since_words(row)) for each, row in silent.items()],
            **kwargs,
        )


# --- how an account makes them -----------------------------------------------------------


class ReminderSetting(Page):
    """Which setting the reminders of an account use: an existing one or a new one."""

    permission = "bot_campaigns.add_calendarsetting"
    template_name = "bot_campaigns/reminder_setting.html"
    crumbs = LIST

    @cached_property
    def connection(self) -> BotConnection:
        return get_object_or_404(BotConnection.objects.defer("credentials"), pk=self.kwargs["pk"])

    def get_title(self) -> str:
        return _g("Reminder calls of %s") % self.connection.name

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._show(SettingForm(connection=self.connection), uuid.uuid4().hex)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "setting" in request.POST:
            choice = ChooseSettingForm(request.POST, connection=self.connection)
            if choice.is_valid():
                try:
                    reminders.choose(self.connection, choice.cleaned_data["setting"], by=request.user)
                    return HttpResponseRedirect(request.path)
                except Refused as refused:
                    choice.add_error("setting", str(refused))
            return self._show(SettingForm(connection=self.connection), uuid.uuid4().hex, choice)
        nonce = request.POST.get("nonce", "")[:64]
        form = SettingForm(request.POST, connection=self.connection)
        if form.is_valid():
            try:
                reminders.make_setting(self.connection, **form.cleaned_data, by=request.user, nonce=nonce)
                return HttpResponseRedirect(request.path)
            except Refused as refused:
                form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        return self._show(form, nonce)

    def _show(self, form: SettingForm, nonce: str, choice: DeskForm | None = None) -> HttpResponse:
        chosen = reminders.choice_of(self.connection)
        there = CalendarSetting.objects.filter(connection=self.connection, gone_at__isnull=True)
        initial = {"setting": chosen.setting_id} if chosen else {}
        choice = choice or ChooseSettingForm(connection=self.connection, initial=initial)
        context = self.get_context_data(
            connection=self.connection,
            form=form,
            nonce=nonce,
            chosen=chosen,
            choice=choice if there.exists() else None,
            **receipt_context(changes.latest(chosen.setting) if chosen else None, self.request.user),
        )
        wrong = (form.is_bound and form.errors) or (choice.is_bound and choice.errors)
        return self.render_to_response(context, status=422 if wrong else 200)
