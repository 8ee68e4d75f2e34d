"""Tables of the campaign pages."""

from typing import Any

import django_tables2 as tables
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice.tables import AgeColumn, ListTable
from backoffice.templatetags.backoffice import age, badge, contact_url
from bot_campaigns.campaign_labels import (
    LAUNCH_TONES,
    OUTCOME_TONES,
    disposition_words,
    subscriber_reason,
    subscriber_state,
)
from bot_campaigns.models import Call, Campaign, Launch, LaunchNumber, Subscriber
from bot_campaigns.services.figures import outcome_of

CLIP = {"td": {"class": "bo-clip"}}
NUM = {"td": {"class": "bo-num bo-nowrap"}, "th": {"class": "bo-num"}}
NOWRAP = {"td": {"class": "bo-nowrap"}}


class CampaignTable(ListTable):
    """``shown`` is campaign id → what the page worked out for all rows together."""

    facts = ("name", "state", "progress", "actions")

    name = tables.Column(verbose_name=_("Name"), attrs=CLIP)
    state = tables.Column(empty_values=(), verbose_name=_("State"))
    progress = tables.Column(empty_values=(), verbose_name=_("Progress"))
    connected = tables.Column(empty_values=(), verbose_name=_("Connected"), attrs=NUM)
    pace = tables.Column(empty_values=(), verbose_name=_("Calls/min"), attrs=NUM)
    window = tables.Column(empty_values=(), verbose_name=_("Window today"), attrs=NOWRAP)
    actions = tables.Column(empty_values=(), verbose_name="")

    class Meta(ListTable.Meta):
        model = Campaign
        fields = ("name", "state", "progress", "connected", "pace", "window", "actions")

    def __init__(self, *args: Any, shown: dict[int, dict[str, Any]], **kwargs: Any) -> None:
        self.shown = shown
        super().__init__(*args, **kwargs)

    def row_url(self, record: Campaign) -> str:
        return reverse("bot:campaign", args=[record.pk])

    def render_name(self, value: str, record: Campaign) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), value)

    def render_state(self, record: Campaign) -> str:
        return render_to_string("bot_campaigns/campaign_state.html", self.shown[record.pk])

    def render_progress(self, record: Campaign) -> str:
        return render_to_string("bot_campaigns/campaign_progress.html", self.shown[record.pk])

    def render_connected(self, record: Campaign) -> str:
        figures = self.shown[record.pk]["figures"]
        if figures.answer_rate is None:
            return "–"
        return format_html(
            "{}<small class='bo-quiet block'>{}</small>", f"{figures.connected:,}", f"{figures.answer_rate} %"
        )

    def render_pace(self, record: Campaign) -> str:
        pace = self.shown[record.pk]["pace"]
        return "–" if pace is None else f"{pace:.1f}"

    def render_window(self, record: Campaign) -> str:
        today = self.shown[record.pk]["today"]
        return format_html("{}<small class='bo-quiet block'>{}</small>", today.words, today.detail)

    def render_actions(self, record: Campaign) -> str:
        return render_to_string("bot_campaigns/campaign_rowbuttons.html", self.shown[record.pk])


class LaunchTable(ListTable):
    facts = ("name", "status", "audience_words", "numbers")

    name = tables.Column(verbose_name=_("Name"), attrs=CLIP)
    status = tables.Column(verbose_name=_("State"))
    audience_words = tables.Column(verbose_name=_("Audience"), empty_values=(), attrs=CLIP)
    numbers = tables.Column(empty_values=(), verbose_name=_("To dial"), attrs=NUM)
    created_at = AgeColumn(verbose_name=_("Begun"))
    created_by = tables.Column(verbose_name=_("By"), default="–")
    words = tables.Column(verbose_name=_("What happened"), default="–", attrs=CLIP)

    class Meta(ListTable.Meta):
        model = Launch
        fields = ("name", "status", "audience_words", "numbers", "created_at", "created_by", "words")

    def row_url(self, record: Launch) -> str:
        return reverse("bot:launch", args=[record.pk])

    def render_name(self, value: str, record: Launch) -> str:
        return format_html('<a href="{}">{}</a>', self.row_url(record), value or _g("(no name)"))

    def render_status(self, record: Launch) -> str:
        return badge(LAUNCH_TONES[Launch.Status(record.status)], record.get_status_display())

    def render_audience_words(self, record: Launch) -> str:
        return format_html(
            "<span>{}<small class='bo-quiet block'>{}</small></span>",
            record.audience_words or "–",
            record.get_audience_display(),
        )

    def render_words(self, value: str) -> str:
        return format_html("<span>{}</span>", value)

    def render_numbers(self, record: Launch) -> str:
        to_dial = record.counts.get("to_dial")
        if to_dial is None:
            return "–"
        if record.status == Launch.Status.HANDING_OVER:
            return _g("%(done)s of %(all)s") % {"done": f"{record.handed_over:,}", "all": f"{to_dial:,}"}
        return f"{to_dial:,}"


class _NumberTable(ListTable):
    """Rows with a number that may belong to a contact."""

    def render_number(self, record: Any) -> str:
        return format_html("<span>{}</span>", record.number or _g("(none)"))

    def contact_cell(self, contact: Any, fallback: str) -> str:
        if contact is None:
            return fallback or "–"
        return format_html(
            '<a href="{}">{}</a>', contact_url(contact.pk), contact.name or fallback or _g("(no name)")
        )


class NumberTable(_NumberTable):
    facts = ("number", "name", "verdict")

    number = tables.Column(verbose_name=_("Number"), attrs=CLIP, empty_values=())
    name = tables.Column(verbose_name=_("Name"), empty_values=(), attrs=CLIP)
    verdict = tables.Column(verbose_name=_("Verdict"))
    reason = tables.Column(verbose_name=_("Reason"), default="–", attrs=CLIP)
    handed_at = AgeColumn(verbose_name=_("Handed over"))

    class Meta(ListTable.Meta):
        model = LaunchNumber
        fields = ("number", "name", "verdict", "reason", "handed_at")

    def render_name(self, record: LaunchNumber) -> str:
        return self.contact_cell(record.contact, record.name)

    def render_verdict(self, record: LaunchNumber) -> str:
        tone = "done" if record.verdict == LaunchNumber.Verdict.DIAL else "held"
        return badge(tone, record.get_verdict_display())

    def render_reason(self, value: str) -> str:
        return format_html("<span>{}</span>", value)


class SubscriberTable(_NumberTable):
    facts = ("number", "contact", "status")

    number = tables.Column(verbose_name=_("Number"), attrs=CLIP, empty_values=())
    contact = tables.Column(verbose_name=_("Contact"), empty_values=(), attrs=CLIP)
    status = tables.Column(verbose_name=_("State"), empty_values=())
    reason = tables.Column(verbose_name=_("Reason"), empty_values=(), attrs=CLIP)
    attempts = tables.Column(verbose_name=_("Attempts"), attrs=NUM)
    last_attempt_at = AgeColumn(verbose_name=_("Last attempt"))
    billsec = tables.Column(verbose_name=_("Talked"), default="–", attrs=NUM)

    class Meta(ListTable.Meta):
        model = Subscriber
        fields = ("number", "contact", "status", "reason", "attempts", "last_attempt_at", "billsec")

    def render_number(self, record: Subscriber) -> str:
        number = record.number or (record.bot_contact.number if record.bot_contact else "")
        if number:
            return format_html("<span>{}</span>", number)
        words = _g("AntBOT names only its own row; whose number it is, is read within ten minutes.")
        return format_html('<span class="bo-quiet" title="{}">{}</span>', words, _g("not read yet"))

    def render_contact(self, record: Subscriber) -> str:
        return self.contact_cell(record.contact, "")

    def render_status(self, record: Any) -> str:
        if record.withdrawn is not None and not record.attempts:
            return badge("held", _g("withdrawn"))
        return badge(*subscriber_state(record.status))

    def render_reason(self, record: Any) -> str:
        words = record.withdrawn or subscriber_reason(record.status)
        if not words and record.said:
            words = _g("last call: %s") % disposition_words(record.said)
        return format_html("<span>{}</span>", words or "–")

    def render_billsec(self, value: int) -> str:
        return _g("%d s") % value


class CallTable(_NumberTable):
    facts = ("started_at", "number", "disposition")

    started_at = tables.Column(verbose_name=_("Started"), attrs=NOWRAP, default="–")
    number = tables.Column(verbose_name=_("Number"), attrs=CLIP, empty_values=())
    contact = tables.Column(verbose_name=_("Contact"), empty_values=(), attrs=CLIP)
    disposition = tables.Column(verbose_name=_("Outcome"), empty_values=())
    hangup_cause = tables.Column(verbose_name=_("Cause"), default="–", attrs=CLIP)
    duration = tables.Column(verbose_name=_("Rang and talked"), attrs=NUM)
    billsec = tables.Column(verbose_name=_("Talked"), attrs=NUM)

    class Meta(ListTable.Meta):
        model = Call
        fields = ("started_at", "number", "contact", "disposition", "hangup_cause", "duration", "billsec")

    def render_started_at(self, value: Any) -> str:
        exact = date_format(timezone.localtime(value), "Y-m-d H:i:s")
        return format_html("{}<small class='bo-quiet block'>{}</small>", exact, age(value))

    def render_contact(self, record: Call) -> str:
        return self.contact_cell(record.contact, "")

    def render_disposition(self, record: Call) -> str:
        tone = OUTCOME_TONES[outcome_of(record.disposition)]
        return badge(tone, disposition_words(record.disposition), title=record.disposition)

    def render_duration(self, value: int) -> str:
        return _g("%d s") % value

    render_billsec = render_duration


class WithdrawnTable(_NumberTable):
    facts = ("number", "name", "withdrawal")

    number = tables.Column(verbose_name=_("Number"), attrs=CLIP, empty_values=())
    name = tables.Column(verbose_name=_("Name"), empty_values=(), attrs=CLIP)
    withdrawal = tables.Column(verbose_name=_("State"))
    withdrawal_reason = tables.Column(verbose_name=_("Reason"), default="–", attrs=CLIP)
    withdrawal_at = AgeColumn(verbose_name=_("When"))
    handed_at = AgeColumn(verbose_name=_("Handed over"))

    class Meta(ListTable.Meta):
        model = LaunchNumber
        fields = ("number", "name", "withdrawal", "withdrawal_reason", "withdrawal_at", "handed_at")

    def render_name(self, record: LaunchNumber) -> str:
        return self.contact_cell(record.contact, record.name)

    def render_withdrawal(self, record: LaunchNumber) -> str:
        tones = {"asked": "sending", "done": "done", "too_late": "attention"}
        return badge(tones.get(record.withdrawal, ""), record.get_withdrawal_display())

    def render_withdrawal_reason(self, value: str) -> str:
        return format_html("<span>{}</span>", value)
