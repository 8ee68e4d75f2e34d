"""Phonebooks, numbers, call flows, gateways, do-not-call lists, suppressions and reminders as tables."""

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from backoffice.tables import AgeColumn, ListTable
from backoffice.templatetags.backoffice import age, badge
from bot_campaigns.labels import CONTACT, link_or_text, number_text, row_state
from bot_campaigns.models import (
    Alarm,
    BotContact,
    DncEntry,
    DncList,
    Gateway,
    Phonebook,
    Suppression,
    SurveyTemplate,
)
from bot_campaigns.records import AlarmResult, AlarmStatus, status_label
from bot_campaigns.services import reminders

CLIP = {"td": {"class": "bo-clip"}}
NUMBER = {"td": {"class": "bo-num"}, "th": {"class": "bo-num"}}


class RowTable(ListTable):
    """Rows that staff can change: ``state`` says what is on its way."""

    route = ""

    state = tables.Column(accessor="pk", verbose_name=_("State"))

    def row_url(self, record: Any) -> str:
        return reverse(self.route, args=[record.pk]) if self.route else ""

    def render_state(self, record: Any) -> str:
        change = getattr(record, "change", None)
        state, words = row_state(record, change)
        return badge(state, words, title=change.words if change is not None else "")

    def render_name(self, value: str, record: Any) -> str:
        return format_html("<span>{}</span>", link_or_text(self.row_url(record), value or _("(no name)")))


class PhonebookTable(RowTable):
    route = "bot:phonebook"
    facts = ("name", "numbers", "state")

    name = tables.Column(verbose_name=_("Name"), attrs=CLIP, empty_values=())
    numbers = tables.Column(verbose_name=_("Numbers"), attrs=NUMBER)
    launch = tables.Column(accessor="launch_name", verbose_name=_("Written by"), default=_("staff or AntBOT"))
    connection = tables.Column(accessor="connection__name", verbose_name=_("Account"))
    seen_at = AgeColumn(verbose_name=_("Read"))

    class Meta(ListTable.Meta):
        model = Phonebook
        fields = ("name", "numbers", "state", "launch", "connection", "seen_at")

    def render_launch(self, value: str) -> str:
        return str(_("launch “%s”") % value)


class NumbersTable(RowTable):
    route = "bot:bot_contact"
    facts = ("number", "person", "is_enabled", "state")

    number = tables.Column(verbose_name=_("Number"))
    person = tables.Column(accessor="pk", verbose_name=_("Name"), attrs=CLIP)
    contact = tables.Column(accessor="contact__name", verbose_name=_("Contact"), default="–", attrs=CLIP)
    is_enabled = tables.Column(verbose_name=_("Active"))
    seen_at = AgeColumn(verbose_name=_("Read"))

    class Meta(ListTable.Meta):
        model = BotContact
        fields = ("number", "person", "contact", "is_enabled", "state", "seen_at")

    def render_number(self, record: BotContact) -> str:
        silent = getattr(record, "silent", "")
        return format_html(
            '<a href="{}">{}</a>{}', self.row_url(record), number_text(record),
            format_html(" {}", badge("rejected", _("suppressed"), title=silent)) if silent else "",
        )  # fmt: skip

    def render_person(self, record: BotContact) -> str:
        return format_html("<span>{}</span>", f"{record.last_name} {record.first_name}".strip() or "–")

    def render_contact(self, value: str, record: BotContact) -> str:
        return format_html(
            '<span><a href="{}">{}</a></span>', reverse(CONTACT, args=[record.contact_id]), value
        )

    def render_is_enabled(self, value: bool) -> str:
        return badge("active", _("active")) if value else badge("off", _("inactive"))


class TemplateTable(RowTable):
    route = "bot:template"
    facts = ("name", "sections", "state")

    name = tables.Column(verbose_name=_("Name"), attrs=CLIP, empty_values=())
    language = tables.Column(verbose_name=_("Language"), default="–")
    sections = tables.Column(verbose_name=_("Sections"), attrs=NUMBER)
    connection = tables.Column(accessor="connection__name", verbose_name=_("Account"))
    seen_at = AgeColumn(verbose_name=_("Read"))

    class Meta(ListTable.Meta):
        model = SurveyTemplate
        fields = ("name", "language", "sections", "state", "connection", "seen_at")

    def render_sections(self, value: Any, record: Any) -> str:
        return str(record.steps)


class GatewayTable(ListTable):
    facts = ("name", "state", "changes")

    name = tables.Column(verbose_name=_("Name"), attrs=CLIP)
    state = tables.Column(accessor="is_enabled", verbose_name=_("State"))
    changes = tables.Column(accessor="pk", verbose_name=_("Does to numbers"))
    maximum_calls = tables.Column(verbose_name=_("Calls at once"), default=_("not told"))
    is_trial = tables.Column(verbose_name=_("Trial"))
    connection = tables.Column(accessor="connection__name", verbose_name=_("Account"))
    seen_at = AgeColumn(verbose_name=_("Read"))

    class Meta(ListTable.Meta):
        model = Gateway
        fields = ("name", "state", "changes", "maximum_calls", "is_trial", "connection", "seen_at")

    def render_state(self, record: Gateway) -> str:
        if record.gone_at is not None:
            return badge("missing", _("not listed any more"))
        return badge("active", _("active")) if record.is_enabled else badge("off", _("inactive"))

    def render_changes(self, record: Gateway) -> str:
        parts = []
        if record.remove_prefix:
            parts.append(_("removes %s") % record.remove_prefix)
        if record.add_prefix:
            parts.append(_("adds %s") % record.add_prefix)
        return ", ".join(map(str, parts)) or str(_("dials as written"))

    def render_is_trial(self, value: bool) -> str:
        return str(_("yes") if value else _("no"))


class DncListTable(RowTable):
    route = "bot:dnc_list"
    facts = ("name", "numbers", "state")

    name = tables.Column(verbose_name=_("Name"), attrs=CLIP, empty_values=())
    numbers = tables.Column(verbose_name=_("Numbers"), attrs=NUMBER)
    description = tables.Column(verbose_name=_("Description"), default="–", attrs=CLIP)
    connection = tables.Column(accessor="connection__name", verbose_name=_("Account"))
    seen_at = AgeColumn(verbose_name=_("Read"))

    class Meta(ListTable.Meta):
        model = DncList
        fields = ("name", "numbers", "description", "state", "connection", "seen_at")

    def render_description(self, value: str) -> str:
        return format_html("<span>{}</span>", value)


class EntryTable(RowTable):
    facts = ("number", "compared", "state")

    number = tables.Column(verbose_name=_("As written there"))
    compared = tables.Column(accessor="e164", verbose_name=_("Number"), empty_values=())
    seen_at = AgeColumn(verbose_name=_("Read"))

    class Meta(ListTable.Meta):
        model = DncEntry
        fields = ("compared", "number", "state", "seen_at")

    def render_compared(self, record: DncEntry) -> str:
        if not record.e164:
            return badge("rejected", _("no valid number: it protects nobody"))
        return number_text(record)


class SuppressionTable(ListTable):
    facts = ("e164", "reason", "since")

    e164 = tables.Column(verbose_name=_("Number"))
    reason = tables.Column(verbose_name=_("Why"), default="–", attrs=CLIP)
    source = tables.Column(verbose_name=_("Source"))
    since = AgeColumn(verbose_name=_("Since"))
    added_by = tables.Column(verbose_name=_("By"), default="–")
    state = tables.Column(accessor="lifted_at", verbose_name=_("State"), empty_values=())

    class Meta(ListTable.Meta):
        model = Suppression
        fields = ("e164", "reason", "source", "since", "added_by", "state")

    def row_url(self, record: Suppression) -> str:
        return reverse("bot:suppression", args=[record.pk])

    def render_e164(self, record: Suppression) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), number_text(record))

    def render_reason(self, value: str) -> str:
        return format_html("<span>{}</span>", value)

    def render_source(self, record: Suppression) -> str:
        return str(record.get_source_display())

    def render_state(self, record: Suppression) -> str:
        if record.lifted_at is not None:
            return format_html("{} {}", badge("dropped", _("lifted")), age(record.lifted_at))
        return badge("rejected", _("must not be called"))


PROGRESS_TONES = {
    Alarm.Progress.SENT: "done", Alarm.Progress.WAITING: "waiting", Alarm.Progress.SENDING: "sending",
    Alarm.Progress.UNKNOWN: "unknown", Alarm.Progress.REJECTED: "rejected",
    Alarm.Progress.CANCELLED: "cancelled",
}  # fmt: skip


def reminder_state(alarm: Alarm) -> tuple[str, str]:
    """(tone, words): what became of a reminder, on our side and at the bot."""
    if alarm.progress != Alarm.Progress.SENT:
        return PROGRESS_TONES[Alarm.Progress(alarm.progress)], str(alarm.get_progress_display())
    rung = {AlarmStatus.SUCCESS: ("ok", _("rung")), AlarmStatus.FAILED: ("failed", _("not reached"))}
    if alarm.status in rung:
        tone, words = rung[AlarmStatus(alarm.status)]
        return tone, str(words)
    return "done", str(_("at AntBOT"))


def reminder_result(alarm: Alarm) -> str:
    """What the person called did with it; "" for nothing."""
    words: dict[int, Any] = {
        AlarmResult.CONFIRMED: _("confirmed"),
        AlarmResult.CANCELLED: _("cancelled"),
        AlarmResult.RESCHEDULED: _("wants another time"),
    }
    if not alarm.result:
        return ""
    return str(words.get(alarm.result) or status_label(AlarmResult, alarm.result))


def about(alarm: Alarm) -> str:
    """What a reminder is about; one that was made in AntBOT says it in its event."""
    return alarm.title or (alarm.event.title if alarm.event else "") or "–"


class ReminderTable(ListTable):
    facts = ("number", "title", "rings_at", "state")

    rings_at = tables.Column(verbose_name=_("Rings"), empty_values=())
    number = tables.Column(verbose_name=_("Number"))
    contact = tables.Column(accessor="contact__name", verbose_name=_("Contact"), default="–", attrs=CLIP)
    title = tables.Column(verbose_name=_("About"), empty_values=(), attrs=CLIP)
    state = tables.Column(accessor="progress", verbose_name=_("State"))
    asked_by = tables.Column(verbose_name=_("By"), default="–")

    class Meta(ListTable.Meta):
        model = Alarm
        fields = ("rings_at", "number", "contact", "title", "state", "asked_by")

    def row_url(self, record: Alarm) -> str:
        return reverse("bot:reminder", args=[record.pk])

    def render_rings_at(self, record: Alarm) -> str:
        if record.rings_at is None:
            return "–"
        exact = date_format(timezone.localtime(record.rings_at), "Y-m-d H:i")
        return format_html("{} <span class='bo-quiet'>{}</span>", exact, age(record.rings_at))

    def render_number(self, record: Alarm) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), number_text(record))

    def render_contact(self, value: str, record: Alarm) -> str:
        return format_html(
            '<span><a href="{}">{}</a></span>', reverse(CONTACT, args=[record.contact_id]), value
        )

    def render_title(self, record: Alarm) -> str:
        return format_html("<span>{}</span>", about(record))

    def render_state(self, record: Alarm) -> str:
        tone, words = reminder_state(record)
        result = reminder_result(record)
        goes = reminders.goes_out_at(record)
        return format_html(
            "{}{}{}",
            badge(tone, words, title=record.words),
            f" {result}" if result else "",
            format_html(" {} {}", _("goes out"), age(goes)) if goes else "",
        )
