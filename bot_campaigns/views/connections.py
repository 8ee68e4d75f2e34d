"""What a person asks of a bot's connection, and what Home shows of each."""

from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.urls import NoReverseMatch
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backoffice.connections import pages
from backoffice.connections.addresses import form_of
from backoffice.connections.runs import sync_progress
from backoffice.pages import link
from bot_campaigns.models import (
    BotConnection,
    BotQuarantine,
    BotRun,
    BotStreamState,
    Call,
    Campaign,
    Incident,
)
from bot_campaigns.records import ReportedStatus
from bot_campaigns.services import connecting, troubles
from bot_campaigns.services.streams import STREAMS

PULL = "bot_campaigns.tasks.pull_stream"
KEEP_SECONDS = 15


class SyncNow(pages.SyncNow):
    permission = "bot_campaigns.sync_botconnection"
    model = BotConnection
    task = PULL


class Progress(pages.Progress):
    permission = "bot_campaigns.view_campaign"
    model = BotConnection


class Check(pages.Check):
    permission = "bot_campaigns.change_botconnection"
    model = BotConnection
    connect = staticmethod(connecting.connect_to)


# --- Home --------------------------------------------------------------------------------


def cards(user: Any) -> list[dict[str, Any]]:
    """A card for each bot connection, as ``backoffice/connections/card.html`` shows it."""
    if not user.has_perm("bot_campaigns.view_campaign"):
        return []
    rows = BotConnection.objects.defer("credentials").select_related("health").prefetch_related("streams")
    return [_card(connection, user) for connection in rows.order_by("-is_active", "name")]


def _card(connection: BotConnection, user: Any) -> dict[str, Any]:
    numbers = _numbers(connection.pk)
    health = getattr(connection, "health", None)
    streams: list[BotStreamState] = [row for row in connection.streams.all() if row.stream in STREAMS]
    today = f"{timezone.localdate():%Y-%m-%d}"
    pk = connection.pk
    return {
        "connection": connection,
        "numbers": [
            _number(
                _("dialling"), numbers["dialling"], _page("bot:campaigns", connection=pk, state="running")
            ),
            _number(
                _("calls today"), numbers["calls"],
                _page("bot:calls", connection=pk, since=today, until=today),
            ),
            _number(
                _("incidents"), numbers["incidents"],
                _page("bot:incidents", connection=pk, state="open"), "bad",
            ),
            _number(
                _("unreadable"), numbers["unreadable"],
                _page("bot:unreadable", connection=pk, settled="false")
                if user.has_perm("bot_campaigns.view_botquarantine") else "",
                "warn",
            ),
        ],
        "pulled": max((row.last_ok_at for row in streams if row.last_ok_at), default=None),
        "health": health,
        "paused": bool(health and health.open_until and health.open_until > timezone.now()),
        "may_open": user.has_perm("bot_campaigns.view_botconnection"),
        "may_sync": user.has_perm("bot_campaigns.sync_botconnection"),
        "progress": sync_progress(connection, streams=len(STREAMS)),
    }  # fmt: skip


def _number(label: str, value: int, url: str, tone: str = "") -> dict[str, Any]:
    return {"label": label, "value": value, "url": url, "tone": tone if value else ""}


def _page(route: str, **query: Any) -> str:
    """Its address; "" where this installation has no such page."""
    try:
        return link(route, **query)
    except NoReverseMatch:
        return ""


def _numbers(connection_id: int) -> dict[str, int]:
    key = f"home:bot:{connection_id}"
    numbers: dict[str, int] | None = cache.get(key)
    if numbers is None:
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        today = Call.objects.filter(started_at__gte=midnight, started_at__lt=midnight + timedelta(days=1))
        campaigns = Campaign.objects.filter(connection=connection_id, gone_at__isnull=True)
        incidents = Incident.objects.filter(connection=connection_id, closed_at__isnull=True)
        records = BotQuarantine.objects.filter(connection=connection_id, resolved_at__isnull=True)
        numbers = {
            "dialling": campaigns.filter(reported_status=ReportedStatus.STARTED).count(),
            "calls": today.filter(connection=connection_id).count(),
            "incidents": incidents.count(),
            "unreadable": records.count(),
        }
        cache.set(key, numbers, KEEP_SECONDS)
    return numbers


def attention(user: Any) -> list[dict[str, Any]]:
    """What about the bots needs this person, worst first: text, url, detail, grave."""
    found: list[dict[str, Any]] = []

    def tell(text: str, url: str, detail: str = "", *, grave: bool = False) -> None:
        found.append({"text": text, "url": url, "detail": detail, "grave": grave})

    if user.has_perm("bot_campaigns.view_incident") and (count := troubles.incidents(user)):
        words = ngettext("%d open incident", "%d open incidents", count) % count
        detail = _("Calls or campaigns against the calling rules. Look into each and close it with a reason.")
        tell(words, link("bot:incidents", state="open"), detail, grave=True)
    if user.has_perm("bot_campaigns.view_botconnection"):
        for health in troubles.troubled().select_related("connection"):
            words = (
                _("%s needs attention: it is not pulled and nothing starts until its settings are corrected.")
                if health.needs_attention
                else _("%s does not answer well: requests to it are paused for a while.")
            )
            tell(words % health.connection, form_of(health.connection), health.last_error, grave=True)
        for connection in troubles.unconfirmed().defer("credentials"):
            tell(
                _("Nothing can be launched from %s: its clock is not confirmed.") % connection,
                link("bot:vendor_clock", connection.pk),
                _("In which zone it reads the daily hours is not documented. Find out once, and confirm it."),
            )
    if user.has_perm("bot_campaigns.view_botrun"):
        held = BotRun.objects.filter(status=BotRun.Status.HELD).select_related("connection")
        for run in held[:5]:
            tell(
                _("A walk of %(bot)s (%(stream)s) is held: %(absent)s rows were not there.")
                % {"bot": run.connection.name, "stream": run.stream, "absent": f"{run.absent:,}"},
                link("bot:run", run.pk),
                _("Nothing was changed. Approve or dismiss it."),
            )
    if user.has_perm("bot_campaigns.view_botquarantine") and (count := troubles.unreadable(user)):
        words = ngettext("%d bot record could not be read", "%d bot records could not be read", count) % count
        tell(words, link("bot:unreadable", settled="false"))
    return found
