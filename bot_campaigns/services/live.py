"""A campaign that dials: its state, calls and subscribers every few seconds.

One light poll of that campaign alone; the streams read everything again at leisure.
"""

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from backoffice.sync.pull import FilterIgnored
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import BotRun, BotStreamState, Call, Campaign, CampaignCommand
from bot_campaigns.records import ReportedStatus
from bot_campaigns.services.pull import Job, Status, running
from bot_campaigns.services.sinks import report
from bot_campaigns.services.streams import calls_since, count_numbers, subscriber_walk

EVERY = 12
"""Seconds."""
AFTER_COMMAND = timedelta(minutes=10)
"""So long after a command the campaign is watched, whatever it says of itself."""
CALLS_AGAIN = timedelta(minutes=5)
"""Calls are reported when they end, so not in the order in which they start."""
BOOK_READ_TO = 1_000
"""Phonebooks up to this size are read at once, so that subscribers have their numbers; larger ones
wait for the stream of bot contacts, for meanwhile nothing else of the campaign would be read."""
SHARE_FOR_SUBSCRIBERS = 0.1
"""Of the time of a poll's rhythm: a long list of subscribers is read less often."""


def due_polls(now: datetime) -> list[int]:
    """Ids of campaigns to poll now: those that dial, or were told something a moment ago."""
    open_commands = CampaignCommand.objects.filter(
        campaign=OuterRef("pk"), status__in=CampaignCommand.OPEN, created_at__gt=now - AFTER_COMMAND
    )
    campaigns = Campaign.objects.filter(
        Q(reported_status=ReportedStatus.STARTED)
        | Q(desired_at__gt=now - AFTER_COMMAND)
        | Exists(open_commands),
        connection__is_active=True,
        gone_at__isnull=True,
        remote_id__isnull=False,
    ).exclude(connection__health__needs_attention=True)
    wanted = dict(campaigns.values_list("pk", "connection_id"))
    recent = Q(last_started_at__gt=now - timedelta(seconds=EVERY)) | Q(lease_until__gt=now)
    states = BotStreamState.objects.filter(recent, stream__in=[_stream(pk) for pk in wanted])
    fresh = set(states.values_list("stream", flat=True))
    return [pk for pk in sorted(wanted) if _stream(pk) not in fresh]


def poll(campaign: Campaign) -> BotRun:
    """Read what is new of one campaign. Raises ``Busy`` while another reading of it is under way."""
    return _read(campaign, whole=False)


def read_all(campaign: Campaign) -> BotRun:
    """Read every call and subscriber of one campaign, as before it is deleted. Raises ``Busy``."""
    return _read(campaign, whole=True)


def _read(campaign: Campaign, *, whole: bool) -> BotRun:
    state, _made = BotStreamState.objects.get_or_create(
        connection=campaign.connection, stream=_stream(campaign.pk), defaults={"every": EVERY}
    )
    with running(state) as job:
        job.start(BotRun.Mode.INCREMENTAL)
        job.guard(lambda connector: _work(job, connector, campaign, whole))
    # a run every few seconds: of those that ended alike the last one tells enough
    alike = BotRun.objects.filter(status=job.run.status, error=job.run.error)
    alike.filter(connection=campaign.connection, stream=state.stream, pk__lt=job.run.pk).delete()
    return job.run


def _stream(pk: int) -> str:
    return f"live-{pk}"


def _work(job: Job, connector: AntBotConnector, campaign: Campaign, whole: bool) -> None:
    asked_at = timezone.now()
    record = connector.campaign(str(campaign.remote_id))
    job.run.requests += 1
    if record is None:
        job.details["missing"] = True  # the list of campaigns decides what that means
    else:
        with transaction.atomic():
            report(campaign, record, asked_at)
    reader, _sink = job.reader(connector, ("contacts", "subscribers", "calls"))
    newest = Call.objects.filter(campaign=campaign).aggregate(newest=Max("started_at"))["newest"]
    since = newest - CALLS_AGAIN if newest and not whole else None
    try:
        reader.read([calls_since(connector, job.connection, since, str(campaign.remote_id))], since=since)
    except FilterIgnored:
        reader.drop()
        job.details["filter_ignored"] = "The bot ignored the dates; the stream of calls reads them."
    if record is not None and (whole or _subscribers_due(job)):
        if not whole and (book := _unread_book(job, campaign)):
            reader.read([connector.contacts(phonebook_id=book)])
            job.state.cursor |= {"book": book}
        began = time.monotonic()
        reader.read([subscriber_walk(connector, campaign)])
        job.state.cursor |= {
            "subscribers_at": asked_at.isoformat(),
            "subscribers_seconds": round(time.monotonic() - began, 3),
        }
        count_numbers(job.connection, campaign.pk)
    Campaign.objects.filter(pk=campaign.pk).update(polled_at=asked_at)
    job.end(Status.OK)


def _unread_book(job: Job, campaign: Campaign) -> str:
    """The phonebook of a fresh launch whose rows at the bot are not known here yet, read once."""
    launch = campaign.launches.filter(phonebook__isnull=False).select_related("phonebook").first()
    if launch is None or launch.phonebook is None or launch.handed_over > BOOK_READ_TO:
        return ""
    book = launch.phonebook.remote_id or ""
    known = launch.phonebook.contacts.exists() or job.state.cursor.get("book") == book
    return "" if known else book


def _subscribers_due(job: Job) -> bool:
    last = job.state.cursor.get("subscribers_at")
    if last is None:
        return True
    rest = job.state.cursor.get("subscribers_seconds", 0.0) / SHARE_FOR_SUBSCRIBERS
    return timezone.now() - datetime.fromisoformat(last) >= timedelta(seconds=rest)
