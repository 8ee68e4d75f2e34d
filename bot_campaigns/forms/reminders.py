"""Forms of reminder calls: one call, and how an account makes them."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from bot_campaigns import rules as arithmetic
from bot_campaigns.forms.base import DeskForm
from bot_campaigns.models import BotConnection, CalendarSetting, Gateway, SealedSurvey
from bot_campaigns.services import reminders
from crm_bridge.models import Contact
from crm_bridge.phones import display


class ReminderForm(DeskForm):
    """Which number, when, about what. The time is the company's own."""

    wide = ("title",)
    number = forms.ChoiceField(label=_("Number"))
    rings_at = forms.CharField(
        label=_("When"), widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": 60})
    )
    title = forms.CharField(label=_("What it is about"), max_length=200)
    transfer_to = forms.CharField(
        label=_("Transfer to, if the person wants to talk"), required=False, max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "tel"}),
    )  # fmt: skip

    def __init__(self, *args: Any, contact: Contact, connections: list[BotConnection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        numbers = reminders.numbers_of(contact)
        self.fields["number"].choices = [(each, display(each, each)) for each in numbers]  # type: ignore[attr-defined]
        choices = [(row.pk, row.name) for row in connections]
        account = forms.TypedChoiceField(label=_("Account"), choices=choices, coerce=int)
        account.widget.attrs["class"] = "bo-input"
        if len(choices) == 1:
            account.initial = choices[0][0]
            account.widget = forms.HiddenInput()
        self.fields["connection"] = account
        self.connections = {row.pk: row for row in connections}
        zone = self._zone(connections[0]) if connections else timezone.get_current_timezone()
        self.fields["rings_at"].help_text = _g("Time in %s") % zone

    @staticmethod
    def _zone(connection: BotConnection) -> ZoneInfo:
        return arithmetic.zone(reminders.rules_for(connection).zone) or ZoneInfo("UTC")

    def clean_connection(self) -> BotConnection:
        return self.connections[self.cleaned_data["connection"]]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        connection = data.get("connection")
        if connection is not None and data.get("rings_at"):
            try:
                local = datetime.fromisoformat(data["rings_at"])
            except ValueError:
                self.add_error("rings_at", _g("This is no date and time."))
                return data
            zone = self._zone(connection)
            data["rings_at"] = local.replace(tzinfo=zone) if local.tzinfo is None else local
        return data


class SettingForm(DeskForm):
    """How the reminder calls of an account are made."""

    label = forms.CharField(label=_("Name of the setting"), max_length=70)
    survey = forms.ModelChoiceField(
        queryset=SealedSurvey.objects.none(), label=_("What it says (a sealed survey)")
    )
    gateway = forms.ModelChoiceField(queryset=Gateway.objects.none(), label=_("Gateway"))
    call_timeout = forms.IntegerField(label=_("Rings for (seconds)"), min_value=5, max_value=600, initial=45)
    callerid = forms.CharField(label=_("Caller shown"), required=False, max_length=80)
    caller_name = forms.CharField(label=_("Caller's name"), required=False, max_length=80)

    def __init__(self, *args: Any, connection: BotConnection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        listed = {"connection": connection, "gone_at__isnull": True, "remote_id__isnull": False}
        self.fields["survey"].queryset = SealedSurvey.objects.filter(**listed).defer("raw")  # type: ignore[attr-defined]
        active = Gateway.objects.filter(**listed, is_enabled=True).defer("raw")
        self.fields["gateway"].queryset = active  # type: ignore[attr-defined]


class ChooseSettingForm(DeskForm):
    setting = forms.ModelChoiceField(
        queryset=CalendarSetting.objects.none(), label=_("Setting"), empty_label=None
    )

    def __init__(self, *args: Any, connection: BotConnection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = CalendarSetting.objects.filter(connection=connection, gone_at__isnull=True).defer("raw")
        self.fields["setting"].queryset = rows.order_by("label")  # type: ignore[attr-defined]
