"""One campaign: its state and progress live, and the lists behind every number."""

import hashlib
import time
from typing import Any, ClassVar

from django.core.cache import cache
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from backoffice.charts import Chart
from backoffice.pages import ListPage, Page, link
from bot_campaigns.campaign_labels import (
    COMMAND_TONES,
    OUTCOME_TONES,
    command_words,
    disposition_words,
)
from bot_campaigns.filters.campaigns import CallOfCampaignFilter, SubscriberFilter, WithdrawnFilter
from bot_campaigns.models import Call, Campaign, LaunchNumber, Subscriber, SurveyTemplate
from bot_campaigns.records import Leg, certainly_stopped
from bot_campaigns.services import commands, drafts, figures, preflight
from bot_campaigns.tables.campaigns import CallTable, SubscriberTable, WithdrawnTable
from bot_campaigns.views import campaign_rows
from bot_campaigns.views.campaign_commands import CAMPAIGNS, campaign_of
from bot_campaigns.views.campaign_home import by_hour, chart_of
from bot_campaigns.views.launch_words import proof_context

KEEP_SECONDS = 10
COUNT_AGAIN = 60
"""Seconds after which the calls of a campaign are all counted again."""
HOURS_SHOWN = 48
COMMANDS_SHOWN = 30
INCIDENTS_SHOWN = 10
WITHDRAWN = [value for value, _label in LaunchNumber.Withdrawal.choices if value]
LIVE_SECONDS, QUIET_SECONDS = 2, 15

TABS = (
    ("bot:campaign", gettext_lazy("Overview")),
    ("bot:campaign_subscribers", gettext_lazy("Subscribers")),
    ("bot:campaign_calls", gettext_lazy("Calls")),
    ("bot:campaign_withdrawn", gettext_lazy("Withdrawn")),
    ("bot:campaign_proof", gettext_lazy("Launch proof")),
)


class OfCampaign(Page):
    """A page about the campaign of the address."""

    permission: ClassVar[str | tuple[str, ...]] = "bot_campaigns.view_campaign"
    crumbs = (CAMPAIGNS,)
    here = "bot:campaign"

    @cached_property
    def campaign(self) -> Campaign:
        return campaign_of(self.kwargs["pk"])

    def get_title(self) -> str:
        return self.campaign.name

    def tabs(self) -> list[tuple[str, Any, bool]]:
        """(address, label, whether it is this one)."""
        pk = self.campaign.pk
        may_see = self.request.user.has_perm("bot_campaigns.view_launch")  # type: ignore[union-attr]
        return [
            (reverse(route, args=[pk]), label, route == self.here)
            for route, label in TABS
            if may_see or route not in ("bot:campaign_withdrawn", "bot:campaign_proof")
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"campaign": self.campaign, "tabs": self.tabs(), **kwargs})


class CampaignPage(OfCampaign):
    template_name = "bot_campaigns/campaign.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        campaign, user = self.campaign, self.request.user
        launch = drafts.launch_of(campaign)
        template = launch.template if launch else _template(campaign)
        found = live(campaign, user)
        return super().get_context_data(
            **found,
            launch=launch,
            template=template,
            phonebooks=[
                (book, link("bot:phonebook", book.pk)) for book in campaign.phonebooks.order_by("pk")[:5]
            ],
            zone=preflight.rules_of(campaign.connection).zone,
            may_again=user.has_perm("bot_campaigns.add_launch"),  # type: ignore[union-attr]
            **kwargs,
        )


def _template(campaign: Campaign) -> SurveyTemplate | None:
    if not campaign.survey_id:
        return None
    rows = SurveyTemplate.objects.filter(connection=campaign.connection, remote_id=campaign.survey_id)
    return rows.first()


class CampaignLive(OfCampaign):
    """What refreshes itself; says nothing while nothing changed, and stops when it is over."""

    template_name = "bot_campaigns/campaign_live.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        found = live(self.campaign, request.user)
        if found["seen"] == request.GET.get("seen"):
            return HttpResponse(status=204)
        return self.render_to_response({**found, "swap": True})


# --- what is live ------------------------------------------------------------------------


def live(campaign: Campaign, user: Any) -> dict[str, Any]:
    """State, numbers, outcomes and commands of a campaign: everything that moves."""
    line = commands.state_line(campaign)
    numbers = read_numbers(campaign)
    given = list(campaign.commands.select_related("author").order_by("-pk")[:COMMANDS_SHOWN])
    moving = any(command.status in command.MOVING for command in given)
    over = (certainly_stopped(campaign.reported_status) or campaign.gone_at is not None) and not moving
    running = campaign_rows.state(campaign, line)
    may_see_incidents = user.has_perm("bot_campaigns.view_incident")
    incidents = list(campaign.incidents.select_related("call")[:INCIDENTS_SHOWN]) if may_see_incidents else []
    found = {
        **running,
        "figures": numbers["figures"],
        "cards": cards(campaign, numbers["figures"], numbers["withdrawn"], user),
        "outcomes": numbers["outcomes"],
        "calls": numbers["calls"],
        "hours": numbers["hours"],
        "buttons": (offered := campaign_rows.buttons(campaign, line, user)),
        "refusals": _refusals(offered),
        "timeline": [_told(command) for command in given],
        "incidents": incidents,
        "incidents_url": link("bot:incidents", campaign=campaign.pk),
        "every": 0 if over else LIVE_SECONDS if moving or running["word"] == _("running") else QUIET_SECONDS,
    }
    found["seen"] = _digest(
        campaign.reported_status, campaign.reported_at, campaign.gone_at, line.text, line.words,
        found["figures"], found["calls"], numbers["withdrawn"], found["every"], len(incidents),
        [(command.pk, command.status, command.words) for command in given[:3]],
    )  # fmt: skip
    return found


def _refusals(buttons: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Reason → the buttons it disables."""
    found: dict[str, list[str]] = {}
    for button in buttons:
        if button["why"]:
            found.setdefault(button["why"], []).append(button["label"])
    return found


def _digest(*values: Any) -> str:
    return hashlib.blake2b(repr(values).encode(), digest_size=9).hexdigest()


def read_numbers(campaign: Campaign) -> dict[str, Any]:
    """What is counted, kept for a few seconds unless the campaign was read again meanwhile."""
    read = campaign.polled_at.timestamp() if campaign.polled_at else ""
    key = f"campaign:numbers:{campaign.pk}:{read}:{campaign.total}:{get_language()}"
    found: dict[str, Any] | None = cache.get(key)
    if found is None:
        said, hours = _calls(campaign)
        withdrawn = LaunchNumber.objects.filter(launch__campaign=campaign, withdrawal__in=WITHDRAWN)
        found = {
            "figures": figures.figures(campaign),
            "withdrawn": withdrawn.count(),
            "calls": sum(said.values()),
            "outcomes": _outcomes(campaign, said),
            "hours": calls_per_hour(hours),
        }
        cache.set(key, found, KEEP_SECONDS)
    return found


def _calls(campaign: Campaign) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Calls by outcome and by hour. New ones are added to what was counted a moment ago.

    Now and then all are counted again, for a report may be corrected.
    """
    key = f"campaign:calls:{campaign.pk}"
    kept = cache.get(key) or {"until": time.monotonic() + COUNT_AGAIN, "upto": 0, "said": {}, "hours": {}}
    rows = figures.calls_to_people().filter(campaign=campaign)
    new = figures.by_minute(rows.filter(pk__gt=kept["upto"]) if kept["upto"] else rows)
    said, hours = dict(kept["said"]), {hour: list(counts) for hour, counts in kept["hours"].items()}
    for _minute, disposition, number, _last in new:
        said[disposition] = said.get(disposition, 0) + number
    for hour, counts in by_hour(new).items():
        before = hours.get(hour, [0] * len(counts))
        hours[hour] = [old + more for old, more in zip(before, counts, strict=True)]
    upto = max([kept["upto"], *(last for *_rest, last in new)])
    left = kept["until"] - time.monotonic()
    cache.set(key, {"until": kept["until"], "upto": upto, "said": said, "hours": hours}, max(1, left))
    return said, hours


def cards(campaign: Campaign, numbers: figures.Figures, withdrawn: int, user: Any) -> list[dict[str, Any]]:
    """The numbers on top, each with the address of exactly its rows."""

    def group(name: str, value: int, label: Any, tone: str = "") -> dict[str, Any]:
        url = link("bot:campaign_subscribers", campaign.pk, group=name)
        return {"value": value, "label": label, "url": url, "tone": tone if value else ""}

    if not numbers.started:  # no subscribers yet: the numbers that were handed over are meant
        launch = commands.launch_of(campaign)
        url = link("bot:launch_numbers", launch.pk, handed="yes") if launch else ""
        to_dial = {"value": numbers.to_dial, "label": _("to dial"), "url": url, "tone": ""}
    else:
        to_dial = group("to_dial", numbers.to_dial, _("to dial"))
    rate = numbers.answer_rate
    connected = _("connected") if rate is None else _("connected, %d %%") % rate
    found = [
        to_dial,
        group("dialled", numbers.dialled, _("dialled")),
        group("connected", numbers.connected, connected),
        group("failed", numbers.failed, _("failed")),
    ]
    if numbers.aborted:
        found.append(group("aborted", numbers.aborted, _("aborted")))
    if user.has_perm("bot_campaigns.view_launch"):
        url = link("bot:campaign_withdrawn", campaign.pk)
        tone = "warn" if withdrawn else ""
        found.append({"value": withdrawn, "label": _("withdrawn"), "url": url, "tone": tone})
    return found


def _outcomes(campaign: Campaign, said: dict[str, int]) -> list[dict[str, Any]]:
    """Outcomes by how many calls had them."""
    total = sum(said.values())
    return [
        {
            "label": disposition_words(disposition),
            "said": disposition,
            "value": number,
            "share": round(100 * number / total),
            "tone": OUTCOME_TONES[figures.outcome_of(disposition)],
            "url": link("bot:campaign_calls", campaign.pk, said=disposition, leg=int(Leg.CALLEE)),
        }
        for disposition, number in sorted(said.items(), key=lambda item: (-item[1], item[0]))
    ]


def calls_per_hour(hours: dict[str, list[int]]) -> Chart:
    """Calls by hour and outcome: the hours with calls, and those between them on one day."""
    labels: list[str] = []
    for label in sorted(hours):
        if labels and labels[-1][:10] == label[:10]:
            labels += [
                f"{label[:10]} {hour:02d}" for hour in range(int(labels[-1][11:]) + 1, int(label[11:]))
            ]
        labels.append(label)
    labels = labels[-HOURS_SHOWN:]
    return chart_of(labels, hours, short=len({label[:10] for label in labels}) < 2, name="hours")


def _told(command: Any) -> dict[str, Any]:
    tone, word = COMMAND_TONES.get(command.status, "sending"), command.get_status_display()
    if command.confirmed_at is not None:
        tone, word = "done", _("confirmed")
    elif command.status == "done":
        tone, word = "sending", _("taken, not confirmed")
    return {
        "command": command,
        "name": command_words(command.operation),
        "who": command.author.get_username() if command.author else _("the calling rules"),
        "tone": tone,
        "word": word,
    }


# --- the lists ---------------------------------------------------------------------------


class ListOfCampaign(OfCampaign, ListPage):
    template_name = "bot_campaigns/campaign_part.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        line = commands.state_line(self.campaign)
        return super().get_context_data(**campaign_rows.state(self.campaign, line), **kwargs)


class Subscribers(ListOfCampaign):
    permission = ("bot_campaigns.view_campaign", "bot_campaigns.view_subscriber")
    here = "bot:campaign_subscribers"
    noun = gettext_lazy("subscribers")
    empty_text = gettext_lazy("AntBOT makes its subscribers when the campaign is started for the first time.")
    table_class = SubscriberTable
    filterset_class = SubscriberFilter

    def get_queryset(self) -> QuerySet[Subscriber]:
        return Subscriber.objects.filter(campaign=self.campaign).order_by("pk")

    def with_related(self, rows: QuerySet[Subscriber]) -> QuerySet[Subscriber]:
        calls = Call.objects.filter(campaign=OuterRef("campaign"), e164=OuterRef("e164"), leg=Leg.CALLEE)
        withdrawn = LaunchNumber.objects.filter(
            launch__campaign=OuterRef("campaign"), e164=OuterRef("e164"), withdrawal__in=("done", "too_late")
        )
        rows = rows.annotate(
            said=Subquery(calls.exclude(e164="").order_by("-started_at").values("disposition")[:1]),
            withdrawn=Subquery(withdrawn.exclude(e164="").values("withdrawal_reason")[:1]),
        )
        return _with_contact(rows).select_related("bot_contact").defer("raw", "bot_contact__raw")


class Calls(ListOfCampaign):
    permission = ("bot_campaigns.view_campaign", "bot_campaigns.view_call")
    here = "bot:campaign_calls"
    noun = gettext_lazy("calls")
    empty_text = gettext_lazy("No call was reported yet.")
    table_class = CallTable
    filterset_class = CallOfCampaignFilter

    def get_queryset(self) -> QuerySet[Call]:
        return Call.objects.filter(campaign=self.campaign).order_by("-started_at", "-pk")

    def with_related(self, rows: QuerySet[Call]) -> QuerySet[Call]:
        return _with_contact(rows).defer("raw")


class Withdrawn(ListOfCampaign):
    """Numbers that were taken back, or could not be any more."""

    permission = ("bot_campaigns.view_campaign", "bot_campaigns.view_launch")
    here = "bot:campaign_withdrawn"
    noun = gettext_lazy("numbers")
    empty_text = gettext_lazy("No number had to be taken back.")
    table_class = WithdrawnTable
    filterset_class = WithdrawnFilter

    def get_queryset(self) -> QuerySet[LaunchNumber]:
        rows = LaunchNumber.objects.filter(launch__campaign=self.campaign).exclude(withdrawal="")
        return rows.order_by("-withdrawal_at", "-pk")

    def with_related(self, rows: QuerySet[LaunchNumber]) -> QuerySet[LaunchNumber]:
        return _with_contact(rows)


def _with_contact(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.select_related("contact").defer("contact__raw", "contact__search_text", "contact__note")


class Proof(OfCampaign):
    """The pre-flight and the confirmation, as they were stored."""

    permission = ("bot_campaigns.view_campaign", "bot_campaigns.view_launch")
    template_name = "bot_campaigns/campaign_proof.html"
    here = "bot:campaign_proof"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        line = commands.state_line(self.campaign)
        launch = drafts.launch_of(self.campaign)
        proof = proof_context(launch) if launch else {}
        return super().get_context_data(
            **campaign_rows.state(self.campaign, line), launch=launch, **proof, **kwargs
        )
