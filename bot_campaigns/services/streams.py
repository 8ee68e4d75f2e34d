"""Which lists of the bot are read together, how often, and as which walks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from bot_campaigns.antbot.client import CallFilters
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.antbot.mapping import PrefixRule, prefix_rule
from bot_campaigns.antbot.walks import ListWalk, NotOffered
from bot_campaigns.models import BotConnection, BotStreamState, Campaign, Gateway
from bot_campaigns.records import certainly_stopped
from bot_campaigns.services import figures

RETRIES_END = 24 * 3600
"""Seconds for which a stopped campaign may still change its subscribers: queued retries."""


@dataclass(frozen=True)
class Kind:
    """One stream: lists that belong together."""

    every: int
    """Seconds."""
    families: tuple[str, ...]


STREAMS: dict[str, Kind] = {
    "gateways": Kind(600, ("gateways",)),
    "templates": Kind(600, ("templates", "sections")),
    "surveys": Kind(600, ("surveys",)),
    "phonebooks": Kind(600, ("phonebooks",)),
    "bot_contacts": Kind(600, ("contacts",)),
    "campaigns": Kind(60, ("campaigns",)),
    "subscribers": Kind(600, ("subscribers",)),
    "calls": Kind(120, ("calls",)),
    "dnc": Kind(300, ("dnc_lists", "dnc_entries")),
    "reminders": Kind(600, ("calendar_settings", "calendar_users", "calendars", "events", "alarms")),
}
"""In the order in which a connection is first read: what others refer to comes first."""

Walks = list[ListWalk[Any]]


def whole_walks(
    connector: AntBotConnector, state: BotStreamState, not_offered: Callable[[str], None]
) -> Walks:
    """Everything of a stream. Tells which undocumented lists the account does not have."""
    if state.stream == "subscribers":
        return [subscriber_walk(connector, campaign) for campaign in changing(state)]
    if state.stream == "calls":
        return [calls_since(connector, state.connection, None)]
    walks: Walks = [getattr(connector, family)() for family in STREAMS[state.stream].families]
    return [walk for walk in walks if walk.documented or _offered(walk, not_offered)]


def _offered(walk: ListWalk[Any], not_offered: Callable[[str], None]) -> bool:
    """Whether the account has this list at all; found out before pages are read ahead."""
    try:
        walk.fetch(walk.first)
    except NotOffered:
        not_offered(walk.family)
        return False
    return True


# --- calls -------------------------------------------------------------------------------


def calls_since(
    connector: AntBotConnector, connection: BotConnection, since: datetime | None, campaign_id: str = ""
) -> ListWalk[Any]:
    """Calls that started since then, of all campaigns or of one, with the gateways' rules undone."""
    rules = _prefix_rules(connector, connection)
    if not campaign_id:
        return connector.calls_between(since, None, by_gateway=rules)
    filters = CallFilters(from_date=since, campaign=campaign_id)
    return connector.calls(filters, rules=list(rules.values()), by_gateway=rules)


def _prefix_rules(connector: AntBotConnector, connection: BotConnection) -> dict[str, PrefixRule]:
    """What each gateway does to a number, also one that is gone; asked for before the first pull."""
    known = Gateway.objects.filter(connection=connection, remote_id__isnull=False)
    rules = {
        str(gateway.remote_id): PrefixRule(
            gateway.add_prefix, tuple(part for part in gateway.remove_prefix.split(",") if part)
        )
        for gateway in known
    }
    return rules or {gateway.remote_id: prefix_rule(gateway) for gateway in connector.gateways().read_all()}


# --- subscribers -------------------------------------------------------------------------


def subscriber_walk(connector: AntBotConnector, campaign: Campaign) -> ListWalk[Any]:
    """The subscribers of one campaign; one that does not name its campaign is of this one."""
    remote_id = str(campaign.remote_id)
    walk = connector.subscribers(campaign_id=remote_id)
    read = walk.map

    def of_campaign(item: Any) -> Any:
        record = read(item)
        return record if record.campaign_id else replace(record, campaign_id=remote_id)

    return replace(walk, map=of_campaign)


def changing(state: BotStreamState) -> Sequence[Campaign]:
    """Campaigns whose subscribers may still change: not those that ended a day ago and were read since."""
    quiet = state.cursor.get("quiet", {})
    now = timezone.now().timestamp()
    campaigns = Campaign.objects.filter(
        connection_id=state.connection_id, gone_at__isnull=True, remote_id__isnull=False
    )
    return [
        campaign
        for campaign in campaigns.order_by("pk")
        if not certainly_stopped(campaign.reported_status)
        or now - quiet.get(campaign.remote_id, now) < RETRIES_END
    ]


def quiet_since(state: BotStreamState) -> dict[str, float]:
    """Since when each ended campaign was found ended by a walk over subscribers; goes into the cursor."""
    before = state.cursor.get("quiet", {})
    now = timezone.now().timestamp()
    campaigns = Campaign.objects.filter(
        connection_id=state.connection_id, gone_at__isnull=True, remote_id__isnull=False
    )
    return {
        str(remote_id): before.get(remote_id, now)
        for remote_id, status in campaigns.values_list("remote_id", "reported_status")
        if certainly_stopped(status)
    }


def count_numbers(connection: BotConnection, campaign_id: int | None = None) -> None:
    """How many numbers each campaign has and how far they are, for lists; kept when it is gone."""
    campaigns = Campaign.objects.filter(connection=connection).order_by()
    if campaign_id is not None:
        campaigns = campaigns.filter(pk=campaign_id)
    known = {pk: (total, counts) for pk, total, counts in campaigns.values_list("pk", "total", "counts")}
    counted = figures.count(known if campaign_id is not None else None)
    for pk, (total, before) in known.items():
        counts = counted.get(pk, {})
        number = sum(counts.get(name, 0) for name, _label in figures.GROUPS)
        if (total, before) != (number, counts):
            Campaign.objects.filter(pk=pk).update(total=number, counts=counts)
