"""The part of Home about campaigns: what needs a person, what runs, the calls of today."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.charts import Chart, Series
from backoffice.home import Card, Notice
from backoffice.pages import link
from bot_campaigns.models import BotChange, Campaign, CampaignCommand, Launch
from bot_campaigns.services import commands, figures, waiting
from bot_campaigns.views import campaign_rows, connections
from bot_campaigns.views.base import may_change, page_of

SHOWN = 5
KEEP_SECONDS = 30


# --- what needs a person -----------------------------------------------------------------


def notices(user: Any) -> Iterator[Notice]:
    """Worst first: calls that may still go out, then what did not happen, then what waits."""
    if user.has_perm("bot_campaigns.view_campaign"):
        yield from _commands(waiting.unconfirmed_stops(), _unstopped, state="unconfirmed")
    for notice in connections.attention(user):
        yield Notice(**notice)
    if user.has_perm("bot_campaigns.view_campaign"):
        yield from _commands(waiting.failed_starts(), _unstarted, state="not_started")
    if user.has_perm("bot_campaigns.view_launch"):
        for launch in waiting.held_launches().order_by("-pk")[:SHOWN]:
            yield Notice(
                _("The hand-over of “%s” is held.") % launch.name, _launch(launch), launch.words, grave=True
            )
        for launch in waiting.unstarted_launches().order_by("-pk")[:SHOWN]:
            yield Notice(
                _("“%s” is handed over and was not started.") % launch.name, _launch(launch), launch.words
            )
    for change in BotChange.objects.filter(status__in=BotChange.FAILING).order_by("pk")[:SHOWN]:
        if may_change(user, change.family):
            words = _("A change was not taken by %s: read why, then correct or drop it.")
            yield Notice(words % change.connection, page_of(change), change.words, grave=True)


def _commands(rows: Any, words: Any, state: str) -> Iterator[Notice]:
    found: list[CampaignCommand] = list(rows.select_related("campaign").order_by("pk")[: SHOWN + 1])
    for command in found[:SHOWN]:
        yield words(command)
    if len(found) > SHOWN:
        yield Notice(_("More campaigns like these"), link("bot:campaigns", state=state), grave=True)


def _unstopped(command: CampaignCommand) -> Notice:
    campaign, waits = command.campaign, _("It is repeated until AntBOT confirms it.")
    line = commands.state_line(campaign)
    return Notice(
        _("NOT YET STOPPED: “%(name)s”, %(line)s.") % {"name": campaign.name, "line": line.text},
        reverse("bot:campaign", args=[campaign.pk]),
        waits if line.in_progress else command.words or waits,
        grave=True,
    )


def _unstarted(command: CampaignCommand) -> Notice:
    return Notice(
        _("The start of “%s” came to nothing.") % command.campaign.name,
        reverse("bot:campaign", args=[command.campaign_id]),
        command.words,
        grave=True,
    )


def _launch(launch: Launch) -> str:
    return reverse("bot:launch", args=[launch.pk])


# --- what runs ---------------------------------------------------------------------------


def cards(request: HttpRequest) -> Iterator[Card]:
    """The sections of Home about campaigns."""
    user: Any = request.user
    if not user.has_perm("bot_campaigns.view_campaign"):
        return
    bots, may_connect = connections.cards(user), user.has_perm("bot_campaigns.add_botconnection")
    if bots or may_connect:
        yield Card(
            "bot_campaigns/home_connections.html", {"cards": bots, "may_connect": may_connect}, row=1, place=1
        )
    yield Card("bot_campaigns/campaign_home.html", running(user), row=1)
    yield Card("bot_campaigns/campaign_home_calls.html", {"chart": calls_today()}, row=2)


def running(user: Any) -> dict[str, Any]:
    """Campaigns that dial now, or should have stopped."""
    found = waiting.running(SHOWN + 1)
    shown = campaign_rows.rows(found[:SHOWN], user, back=reverse("admin:index"))
    return {
        "rows": [shown[row.pk] for row in found[:SHOWN]],
        "more": len(found) > SHOWN,
        "may_launch": user.has_perm("bot_campaigns.add_launch"),
        "any": bool(found) or Campaign.objects.exists(),
    }


def calls_today() -> Chart:
    """Today's calls by hour and outcome."""
    now = timezone.localtime()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    key = f"home:calls:{midnight:%Y%m%d}"
    hours: dict[str, list[int]] | None = cache.get(key)
    if hours is None:
        calls = figures.calls_to_people().filter(
            started_at__gte=midnight, started_at__lt=midnight + timedelta(days=1)
        )
        hours = by_hour(figures.by_minute(calls))
        cache.set(key, hours, KEEP_SECONDS)
    first = min([8, *(int(label[11:13]) for label in hours)])
    last = max([16, *(int(label[11:13]) for label in hours)])
    labels = [f"{midnight:%Y-%m-%d} {hour:02d}" for hour in range(first, last + 1)]
    return chart_of(labels, hours, short=True)


def by_hour(minutes: Iterable[tuple[str | None, str, int, int]]) -> dict[str, list[int]]:
    """Local hour → [answered, no answer, failed]; calls without a time are in none."""
    places = {name: place for place, (name, _label) in enumerate(figures.OUTCOMES)}
    found: dict[str, list[int]] = {}
    local: dict[tuple[str, int], str] = {}
    for minute, disposition, number, _last in minutes:
        if minute is None:
            continue
        quarter = (minute[:13], int(minute[14:16]) // 15)  # zones differ by whole quarters of an hour
        if quarter not in local:
            moment = datetime.fromisoformat(f"{minute}:00+00:00")
            local[quarter] = f"{timezone.localtime(moment):%Y-%m-%d %H}"
        counts = found.setdefault(local[quarter], [0] * len(places))
        counts[places[figures.outcome_of(disposition)]] += number
    return found


def chart_of(labels: list[str], hours: dict[str, list[int]], *, short: bool, name: str = "") -> Chart:
    """Bars by hour; ``short`` where all hours are of one day."""
    none = [0] * len(figures.OUTCOMES)
    colours = ("strong", "soft", "bad")
    return Chart(
        _("Hour"),
        [f"{label[11:]}:00" if short else f"{label[8:10]}/{label[5:7]} {label[11:]}:00" for label in labels],
        [
            Series(str(words), [hours.get(label, none)[place] for label in labels], colours[place])
            for place, (_name, words) in enumerate(figures.OUTCOMES)
        ],
        stacked=True,
        name=name,
    )
