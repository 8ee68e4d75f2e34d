"""Calls as tables: the list, and the short ones on other pages."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from backoffice.pages import link
from backoffice.tables import AgeColumn, ListTable
from bot_campaigns import outcomes
from bot_campaigns.labels import CONTACT, kind_words, link_or_text, number_text, outcome_badge, seconds
from bot_campaigns.models import Call
from crm_bridge.marking import Marker
from crm_bridge.search import Search

SECONDS = {"td": {"class": "bo-num bo-nowrap"}, "th": {"class": "bo-num"}}


class CallTable(ListTable):
    facts = ("number", "outcome", "started_at", "contact")

    started_at = AgeColumn(verbose_name=_("When"), empty_values=())
    number = tables.Column(verbose_name=_("Number"), attrs={"td": {"class": "bo-nowrap"}})
    contact = tables.Column(accessor="contact__name", verbose_name=_("Contact"), empty_values=())
    campaign = tables.Column(
        accessor="campaign__name", verbose_name=_("Campaign"), empty_values=(),
        attrs={"td": {"class": "bo-clip"}},
    )  # fmt: skip
    outcome = tables.Column(accessor="disposition", verbose_name=_("Outcome"), empty_values=())
    cause = tables.Column(accessor="hangup_cause", verbose_name=_("Cause"), default="–")
    talked = tables.Column(accessor="billsec", verbose_name=_("Talked"), attrs=SECONDS)
    lasted = tables.Column(accessor="duration", verbose_name=_("Lasted"), attrs=SECONDS)
    kind = tables.Column(accessor="pk", verbose_name=_("Kind"))

    class Meta(ListTable.Meta):
        model = Call
        fields = (
            "started_at", "number", "contact", "campaign", "outcome", "cause", "talked", "lasted", "kind",
        )  # fmt: skip

    def __init__(
        self, *args: object, search: str = "", links_campaigns: bool = False, **kwargs: object
    ) -> None:
        self.marker, self.links_campaigns = Marker(Search(search)), links_campaigns
        super().__init__(*args, **kwargs)

    def row_url(self, record: Call) -> str:
        return reverse("bot:call", args=[record.pk])

    def render_number(self, record: Call) -> str:
        return format_html(
            '<a href="{}">{}</a>', self.row_url(record), self.marker.phone(number_text(record) or "–")
        )

    def render_contact(self, record: Call) -> str:
        if record.contact is None:
            return "–"
        name = self.marker.text(record.contact.name) if record.contact.name else _("(no name)")
        return str(link_or_text(reverse(CONTACT, args=[record.contact_id]), name))

    def render_campaign(self, record: Call) -> str:
        if record.campaign is None:
            return "–"
        address = (
            link("bot:campaign", record.campaign_id) if self.links_campaigns and record.campaign_id else ""
        )
        return format_html("<span>{}</span>", link_or_text(address, record.campaign.name))

    def render_outcome(self, record: Call) -> str:
        return outcome_badge(record)

    def render_cause(self, value: str) -> str:
        return format_html('<span title="{}">{}</span>', value, outcomes.cause_words(value) or value)

    def render_talked(self, value: int) -> str:
        return seconds(value)

    def render_lasted(self, value: int) -> str:
        return seconds(value)

    def render_kind(self, record: Call) -> str:
        return kind_words(record)
