"""Sending commands to campaigns and reading what came of them.

A start is held against every rule at the moment it leaves, leaves once, and after an
unclear answer is only ever looked for. A stop is repeated until the report fits it, no
call of the campaign goes on, and no start that was sent before can still take effect.
"""

import logging
from contextlib import closing, suppress
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.remote.errors import ConnectionBroken, Gone, OutcomeUnknown, Rejected, RemoteError, RetryLater
from backoffice.sync.push import IN_FLIGHT, LostLease, Status, backoff, database_now, settle_seconds
from bot_campaigns import records
from bot_campaigns import rules as arithmetic
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import BotRun, Call, Campaign, CampaignCommand, Launch, LaunchNumber
from bot_campaigns.records import Command, ReportedStatus, SubscriberStatus, certainly_stopped, status_label
from bot_campaigns.services import connecting, live, preflight, remote_edits
from bot_campaigns.services.commands import (
    DELETE,
    OUTBOX,
    START,
    STOPS,
    TAIL,
    launch_of,
    ring,
    unclear_start,
)
from bot_campaigns.services.pull import Busy
from bot_campaigns.services.suppression import chunks

logger = logging.getLogger(__name__)

EVERY, LATER = 5.0, 15.0
"""Seconds between two attempts of a stop: at first, and after a minute of them."""
SOON = timedelta(minutes=1)
STOP_LEASE = timedelta(seconds=40)
"""Longer than the few urgent calls of one attempt; a dead worker's stop is repeated then."""
LOOK_AGAIN = 5.0
READ_AGAIN = 120.0
"""Between the two readings of a campaign's calls before it is deleted: calls are reported late."""

_FITS = {
    "pause": {ReportedStatus.WAITING, ReportedStatus.STOPPED, ReportedStatus.ENDED, ReportedStatus.COMPLETED},
    "abort": {ReportedStatus.STOPPED, ReportedStatus.ENDED, ReportedStatus.COMPLETED},
    "end": {ReportedStatus.ENDED, ReportedStatus.COMPLETED},
}
"""What may be reported after each stop, whichever way the vendor counts."""
_RAN = (ReportedStatus.STARTED, ReportedStatus.COMPLETED)


def send_one(pk: int) -> str:
    """Attempt one command, if it is due. Returns the state it was left in; "" when nothing was done."""
    entry = OUTBOX.claim(pk)
    if entry is None:
        return ""
    try:
        _attempt(entry)
    except LostLease:
        logger.info("command %s was replaced while it was under way", pk)
        return ""
    return str(entry.status)


def sweep() -> dict[str, int]:
    """Ring the commands that are due and free those of dead workers; one query when there is none."""
    if not CampaignCommand.objects.filter(status__in=(Status.WAITING, *IN_FLIGHT)).exists():
        return {"released": 0, "rung": 0}
    released = OUTBOX.release_dead_stops() + sum(OUTBOX.release_expired().values())
    due = list(OUTBOX.due().order_by("operation", "pk").values_list("pk", flat=True)[:200])
    for pk in due:
        ring(pk)
    return {"released": released, "rung": len(due)}


def _attempt(entry: CampaignCommand) -> None:
    stopping = entry.operation in STOPS
    if stopping:
        OUTBOX.write(entry, lease_until=database_now() + STOP_LEASE)
    try:
        with closing(connecting.connect_to(entry.connection, urgent=stopping)) as bot:
            _STEPS.get(entry.operation, _stop)(entry, bot)
        connecting.note_working(entry.connection)
    except RemoteError as error:
        connecting.note_trouble(entry.connection, error)
        _AFTER.get(entry.operation, _after_stop_error)(entry, error)
    except LostLease:
        raise
    except Exception as error:
        logger.exception("command %s", entry.pk)
        if stopping or entry.operation == DELETE:
            _again(entry, _("an error of our own: %s") % type(error).__name__)
        else:
            _hold(entry, _("an error of our own: %s") % type(error).__name__)
        raise


# --- start -------------------------------------------------------------------------------


def _start(entry: CampaignCommand, bot: AntBotConnector) -> None:
    campaign = entry.campaign
    if entry.sent_at is not None:
        _look_for_start(entry, bot)
        return
    if entry.expires_at is not None and timezone.now() >= entry.expires_at:
        _drop(entry, _("It could not be sent within ten minutes. Start again if it is still wanted."))
        return
    shown = bot.campaign(campaign.remote_id or "")
    if shown is None:
        OUTBOX.settle(entry, Status.REJECTED, words=_("AntBOT has no such campaign."))
        return
    store_report(campaign, shown)
    if shown.status == ReportedStatus.STARTED:
        _started(entry)
        return
    if words := obstacles(entry, bot, shown, timezone.now()):
        OUTBOX.settle(entry, Status.REJECTED, words=" ".join(words))
        audit.record("campaign.start.refused", campaign, by=entry.author, summary=" ".join(words))
        return
    OUTBOX.mark_sent(entry)
    audit.record("campaign.start.sent", campaign, by=entry.author, command=entry.pk)
    bot.command(campaign.remote_id or "", Command.START)
    entry.resolve["accepted"] = True
    _look_for_start(entry, bot)


def obstacles(
    entry: CampaignCommand, bot: AntBotConnector, shown: records.Campaign, at: datetime
) -> list[str]:
    """What forbids this start now, asked again at the last moment."""
    campaign, launch = entry.campaign, launch_of(entry.campaign)
    if launch is None:
        return [_("This campaign was not launched from here.")]
    overridden = {*launch.proof.get("overrides", {}), *entry.new.get("overrides", {})}
    found = [
        brake.words
        for brake in preflight.brakes(launch, at)
        if not (brake.can_override and brake.code in overridden)
    ]
    for name in ("frequency", "starts_at", "expires_at", "daily_start", "daily_stop"):
        setattr(campaign, name, getattr(shown, name))
    found += remote_edits.broken(campaign, preflight.rules_of(campaign.connection), at)
    found += _forbidden_numbers(launch, at)
    if launch.phonebook is None or not launch.phonebook.remote_id:
        found.append(_("The launch has no phonebook."))
    else:
        walk = bot.contacts(phonebook_id=launch.phonebook.remote_id)
        if not walk.split(walk.fetch(1)).items:
            found.append(_("Its phonebook is empty at AntBOT."))
    return list(dict.fromkeys(found))


def _forbidden_numbers(launch: Launch, at: datetime) -> list[str]:
    """Handed-over numbers that must not be called (any more), or not at this hour of theirs."""
    rules = preflight.rules_of(launch.connection)
    rows = LaunchNumber.objects.filter(launch=launch, handed_at__isnull=False, withdrawal="")
    refused, closed = 0, set()
    for numbers in chunks(rows.order_by("pk").values_list("e164", flat=True)):
        refused += len(preflight.refusals(numbers, launch.connection, at, launch=launch, calls=False))
        closed |= {
            zones
            for zones in {arithmetic.zones_of(each) for each in numbers}
            if not arithmetic.window_now(rules, zones, at)
        }
    found = []
    if refused:
        found.append(_("%d handed-over numbers must not be called and are being withdrawn.") % refused)
    if closed:
        names = ", ".join(sorted({name for zones in closed for name in zones})) or _("an unknown zone")
        found.append(_("No calls at this hour in %s.") % names)
    return found


def _look_for_start(entry: CampaignCommand, bot: AntBotConnector) -> None:
    """Read whether it runs. Never sends: a start that did not arrive is for a person to repeat."""
    shown = bot.campaign(entry.campaign.remote_id or "")
    if shown is None:
        OUTBOX.settle(entry, Status.REJECTED, words=_("AntBOT has no such campaign."))
        return
    store_report(entry.campaign, shown)
    if shown.status in _RAN:
        _started(entry)
        return
    sent_at = entry.sent_at or entry.created_at
    says = status_label(ReportedStatus, shown.status).lower()
    if database_now() - sent_at < timedelta(seconds=settle_seconds()):
        words = _("The start was sent; AntBOT says %s.") % says
        OUTBOX.settle(entry, Status.UNKNOWN, wait=LOOK_AGAIN, words=words, resolve=entry.resolve)
        return
    _hold(entry, _("The start was sent once and AntBOT says %s. Start again only if it shall call.") % says)


def _started(entry: CampaignCommand) -> None:
    OUTBOX.settle(entry, Status.DONE, words="", confirmed_at=timezone.now())
    ready = Launch.objects.filter(
        campaign=entry.campaign, status__in=(Launch.Status.READY, Launch.Status.HELD)
    )
    ready.update(status=Launch.Status.STARTED, words="")
    audit.record("campaign.start.confirmed", entry.campaign, by=entry.author, command=entry.pk)


def _after_start_error(entry: CampaignCommand, error: RemoteError) -> None:
    """Only what certainly did not arrive is tried again, and only until it expires."""
    words = str(error)
    if entry.sent_at is None or (isinstance(error, RetryLater | ConnectionBroken) and not _looking(error)):
        wait = getattr(error, "after", None)
        wait = max(LOOK_AGAIN, backoff(2) if wait is None else wait)
        OUTBOX.settle(entry, Status.WAITING, wait=wait, words=words, sent_at=None)
    elif isinstance(error, Rejected) and not _looking(error):
        OUTBOX.settle(entry, Status.REJECTED, words=words)
    elif not isinstance(error, OutcomeUnknown) and _too_long(entry):
        _hold(entry, _("The start was sent once; whether it arrived cannot be read: %s") % words)
    else:
        OUTBOX.settle(entry, Status.UNKNOWN, wait=LOOK_AGAIN, words=words, resolve=entry.resolve)


def _looking(error: RemoteError) -> bool:
    """The error is of a look-up after the start had left, not of the start itself."""
    return not error.operation.startswith(START)


def _too_long(entry: CampaignCommand) -> bool:
    limit = timedelta(seconds=max(settle_seconds(), 600))
    return database_now() - (entry.sent_at or entry.created_at) > limit


def _drop(entry: CampaignCommand, words: str) -> None:
    OUTBOX.settle(entry, Status.CANCELLED, words=words)
    audit.record("campaign.start.expired", entry.campaign, by=entry.author, summary=words)


def _hold(entry: CampaignCommand, words: str) -> None:
    OUTBOX.settle(entry, Status.HELD, words=words, resolve=entry.resolve)
    audit.record("campaign.start.held", entry.campaign, by=entry.author, summary=words)


# --- stops -------------------------------------------------------------------------------


def _stop(entry: CampaignCommand, bot: AntBotConnector) -> None:
    campaign, remote_id = entry.campaign, entry.campaign.remote_id or ""
    first = entry.sent_at is None
    fits = not first and entry.resolve.get("accepted", False) and _read(entry, bot)
    if not fits:
        OUTBOX.write(entry, sent_at=database_now())
        if first:
            audit.record(f"campaign.{entry.operation}.sent", campaign, by=entry.author, command=entry.pk)
        trouble: RemoteError | None = None
        try:
            bot.command(remote_id, Command[entry.operation.upper()])
            entry.resolve["accepted"] = True
        except Gone:
            _confirm(entry, _("AntBOT has no such campaign any more."))
            return
        except RemoteError as error:  # what is reported decides, not the answer
            trouble = error
        try:
            fits = _read(entry, bot)
        except RemoteError as error:
            raise trouble or error from None
        if trouble is not None and not (fits and _proved(entry)):
            raise trouble
    _settle_stop(entry, bot, fits)


def _read(entry: CampaignCommand, bot: AntBotConnector) -> bool:
    """Whether the report fits the command."""
    shown = bot.campaign(entry.campaign.remote_id or "")
    if shown is None:
        entry.resolve["gone"] = True
        return True
    store_report(entry.campaign, shown)
    known = shown.status in set(ReportedStatus)
    if not known and shown.status is not None:
        # a number nobody knows is not dialling; it is taken for a pause only after a clear yes
        return entry.operation == "pause" and bool(entry.resolve.get("accepted"))
    return shown.status in _FITS[entry.operation]


def _proved(entry: CampaignCommand) -> bool:
    """The report alone is enough: "waiting" is also what a campaign outside its hours may say."""
    reported = entry.campaign.reported_status
    return entry.resolve.get("gone") or reported in _FITS["abort"]


def _settle_stop(entry: CampaignCommand, bot: AntBotConnector, fits: bool) -> None:
    campaign, now = entry.campaign, timezone.now()
    if entry.resolve.get("gone"):
        _confirm(entry, _("AntBOT has no such campaign any more."))
        return
    entry.resolve["in_progress"] = in_progress = _in_progress(campaign, bot)
    if not fits:
        entry.resolve.pop("fits_since", None)
        says = status_label(ReportedStatus, campaign.reported_status).lower()
        _again(entry, _("AntBOT still says %s.") % says)
        return
    since = datetime.fromisoformat(entry.resolve.setdefault("fits_since", now.isoformat()))
    if late := _late_calls(campaign, entry.created_at + TAIL):
        entry.resolve["accepted"] = False  # it goes on calling: tell it again
        _again(entry, _("%d calls were made after it was stopped.") % late)
    elif in_progress and now - since < TAIL:
        _again(entry, _("%d calls are in progress.") % in_progress)
    elif unclear_start(campaign):
        _again(entry, _("A start that was sent before may still arrive."))
    else:
        _confirm(entry, "")


def _in_progress(campaign: Campaign, bot: AntBotConnector) -> int:
    walk = bot.subscribers(campaign_id=campaign.remote_id or "", status=SubscriberStatus.IN_PROCESS)
    return sum(each.status == SubscriberStatus.IN_PROCESS for each in walk.read_all(most_pages=200))


def _late_calls(campaign: Campaign, after: datetime) -> int:
    """Calls in the mirror that began after the tail of a stop."""
    return Call.objects.filter(campaign=campaign, started_at__gt=after).count()


def _confirm(entry: CampaignCommand, words: str) -> None:
    now = timezone.now()
    resolve = {**entry.resolve, "in_progress": 0}
    OUTBOX.settle(entry, Status.DONE, words=words, confirmed_at=now, resolve=resolve)
    audit.record(f"campaign.{entry.operation}.confirmed", entry.campaign, by=entry.author, command=entry.pk)


def _again(entry: CampaignCommand, words: str) -> None:
    """Keep trying: every few seconds, without end."""
    wait = EVERY if timezone.now() - entry.created_at < SOON else LATER
    OUTBOX.settle(entry, Status.UNKNOWN, wait=wait, words=words, resolve=entry.resolve)


def _after_stop_error(entry: CampaignCommand, error: RemoteError) -> None:
    _again(entry, str(error))


# --- removal -----------------------------------------------------------------------------


def _delete(entry: CampaignCommand, bot: AntBotConnector) -> None:
    """Delete a campaign at the bot, after two readings of all its calls agreed.

    Its calls go with it there, and some are reported late: nothing is deleted before the
    mirror has them. A delete that arrives twice finds nothing, so it may be repeated.
    """
    campaign = entry.campaign
    shown = bot.campaign(campaign.remote_id or "")
    if shown is None:
        _deleted(entry)
        return
    store_report(campaign, shown)
    if not certainly_stopped(shown.status):
        OUTBOX.settle(entry, Status.REJECTED, words=_("It has not ended: AntBOT may still call."))
        return
    if entry.sent_at is None:
        try:
            read = live.read_all(campaign)
        except Busy:
            _later(entry, LOOK_AGAIN, _("Its calls are being read."))
            return
        if read.status != BotRun.Status.OK or "filter_ignored" in read.details:
            words = read.error or _("AntBOT ignores what its call report is asked for.")
            _later(entry, LATER, _("Its calls could not be read to the end, so it stays: %s") % words)
            return
        calls, people = campaign.calls.count(), campaign.subscribers.count()
        seen, entry.resolve["read"] = entry.resolve.get("read"), [calls, people]
        if seen != [calls, people] or _in_progress(campaign, bot):
            words = _("%d calls are here. They are read once more before it is deleted.") % calls
            _later(entry, READ_AGAIN, words)
            return
        OUTBOX.mark_sent(entry)
        audit.record("campaign.delete.sent", campaign, by=entry.author, command=entry.pk, calls=calls)
    with suppress(Gone):
        bot.delete_campaign(campaign.remote_id or "")
    if bot.campaign(campaign.remote_id or "") is None:
        _deleted(entry)
    else:
        _later(entry, LATER, _("AntBOT still shows it."))


def _deleted(entry: CampaignCommand) -> None:
    now = timezone.now()
    OUTBOX.settle(entry, Status.DONE, words="", confirmed_at=now)
    Campaign.objects.filter(pk=entry.campaign_id, gone_at__isnull=True).update(gone_at=now)
    audit.record("campaign.delete.confirmed", entry.campaign, by=entry.author, command=entry.pk)


def _later(entry: CampaignCommand, wait: float, words: str) -> None:
    OUTBOX.settle(entry, Status.UNKNOWN, wait=wait, words=words, resolve=entry.resolve)


def _after_delete_error(entry: CampaignCommand, error: RemoteError) -> None:
    if isinstance(error, Rejected):
        OUTBOX.settle(entry, Status.REJECTED, words=str(error))
    else:
        _later(entry, LATER, str(error))


_STEPS = {START: _start, DELETE: _delete}
_AFTER = {START: _after_start_error, DELETE: _after_delete_error}


# --- what is reported --------------------------------------------------------------------


def store_report(campaign: Campaign, shown: records.Campaign) -> None:
    """Write the state AntBOT says. The rest of the campaign is for the pull, which looks for edits."""
    campaign.reported_status, campaign.reported_at = shown.status, timezone.now()
    Campaign.objects.filter(pk=campaign.pk).update(
        reported_status=campaign.reported_status, reported_at=campaign.reported_at
    )
