"""Start, pause, abort, end and removal of campaigns: asked for here, sent by ``control``.

The newest command wins: one that is asked for takes the place of every older one, even of
a start that is being sent at this moment, whose worker then writes nothing any more. A
start leaves once; the others are repeated until the bot's report shows what was asked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.sync import bell
from backoffice.sync.push import IN_FLIGHT, Outbox, Status, database_now, settle_seconds
from bot_campaigns.models import BotConnection, Campaign, CampaignCommand, Launch
from bot_campaigns.records import Command, ReportedStatus, certainly_stopped, status_label

START_WITHIN = timedelta(minutes=10)
"""A start that could not be sent by then is dropped: the moment it was meant for has passed."""

TAIL = timedelta(minutes=2)
"""How long after a stop calls that were queued before may still go out."""

LAUNCH, STOP = "bot_campaigns.launch_campaign", "bot_campaigns.stop_campaign"
REMOVE = "bot_campaigns.delete_campaign"
SEND_TASK = "bot_campaigns.tasks.send_command"
START = Command.START.name.lower()
STOPS = ("pause", "abort", "end")
DELETE = "delete"
_FINAL = ("abort", "end")


class NotCommanded(ValueError):
    """The command cannot be given; the message says why."""


class _Commands(Outbox[CampaignCommand]):
    """The outbox of campaigns. Stops wait for nothing but their time."""

    def due(self) -> QuerySet[CampaignCommand]:
        """Rows that may be claimed now.

        A stop goes out although the circuit is open or the login is in doubt, for it has
        to be tried; of several open rows of one campaign only the newest counts.
        """
        active = BotConnection.objects.filter(pk=OuterRef("connection_id"), is_active=True)
        healthy = active.exclude(health__needs_attention=True).exclude(health__open_until__gt=Now())
        newer = self.rows.filter(campaign=OuterRef("campaign"), pk__gt=OuterRef("pk"))
        return self.rows.filter(
            Q(operation__in=STOPS) | Exists(healthy),
            ~Exists(newer),
            status__in=(Status.WAITING, Status.UNKNOWN),
            lease_until__isnull=True,
            not_before__lte=Now(),
        )

    def release_dead_stops(self) -> int:
        """Stops of workers that died are repeated at once: they can do no harm."""
        dead = self.rows.filter(operation__in=STOPS, status__in=IN_FLIGHT, lease_until__lte=Now())
        return dead.update(status=Status.UNKNOWN, lease_token=None, lease_until=None, not_before=Now())


OUTBOX = _Commands(model=CampaignCommand, subject="campaign")


# --- asking ------------------------------------------------------------------------------


def start(campaign: Campaign, *, by: Any, overrides: Mapping[str, str] | None = None) -> CampaignCommand:
    """Ask for a start, or for going on after a pause; ``overrides`` is brake → reason."""
    _allow(by, LAUNCH)
    if not campaign.launches.filter(confirmed_at__isnull=False).exists():
        raise NotCommanded(_("This campaign was not launched from here: nobody has checked its numbers."))
    if certainly_stopped(campaign.reported_status):
        raise NotCommanded(_("This campaign has ended. Launch a new one."))
    given = {code: reason.strip() for code, reason in (overrides or {}).items() if reason.strip()}
    return _ask(campaign, START, by=by, new={"overrides": given})


def pause(campaign: Campaign, *, by: Any, reason: str = "") -> CampaignCommand:
    """Ask for a pause."""
    return _stop(campaign, "pause", by, reason)


def abort(campaign: Campaign, *, by: Any, reason: str = "") -> CampaignCommand:
    """Ask for an abort."""
    return _stop(campaign, "abort", by, reason)


def end(campaign: Campaign, *, by: Any, reason: str = "") -> CampaignCommand:
    """Ask for the end."""
    return _stop(campaign, "end", by, reason)


def delete(campaign: Campaign, *, by: Any) -> CampaignCommand:
    """Ask for its removal at the bot, once all its calls are here. What is mirrored stays forever."""
    _allow(by, REMOVE)
    if why := state_line(campaign).refused.get(DELETE):
        raise NotCommanded(why)
    return _ask(campaign, DELETE, by=by)


def pause_for(campaign: Campaign, reason: str) -> CampaignCommand | None:
    """The product itself pauses, for a broken rule; None where it has been stopped already."""
    with transaction.atomic():
        campaign = _locked(campaign)
        newest = latest(campaign)
        if newest is not None and newest.operation in STOPS and newest.status != Status.REJECTED:
            return None
        if campaign.remote_id is None or certainly_stopped(campaign.reported_status):
            return None
        return _ask(campaign, "pause", by=None, reason=reason)


def latest(campaign: Campaign) -> CampaignCommand | None:
    """The command that counts."""
    return campaign.commands.order_by("-pk").first()


def _stop(campaign: Campaign, operation: str, by: Any, reason: str) -> CampaignCommand:
    _allow(by, STOP)
    return _ask(campaign, operation, by=by, reason=reason)


def _allow(by: Any, permission: str) -> None:
    if by is None or not by.has_perm(permission):
        raise PermissionDenied(permission)


def _locked(campaign: Campaign) -> Campaign:
    return Campaign.objects.select_for_update(of=("self",)).select_related("connection").get(pk=campaign.pk)


def _ask(
    campaign: Campaign, operation: str, *, by: Any, reason: str = "", new: Mapping[str, Any] | None = None
) -> CampaignCommand:
    with transaction.atomic():
        campaign = _locked(campaign)
        if campaign.remote_id is None or campaign.gone_at is not None:
            raise NotCommanded(_("AntBOT has no such campaign (any more)."))
        newest = latest(campaign)
        if newest is not None and newest.operation == operation and newest.status in _UNDER_WAY:
            return newest  # the button was pressed twice
        now = timezone.now()
        replaced = campaign.commands.filter(status__in=CampaignCommand.OPEN).update(
            status=Status.CANCELLED,
            words=_("Replaced by a newer command."),
            finished_at=now,
            lease_token=None,
            lease_until=None,
            updated_at=now,
        )
        command = CampaignCommand.objects.create(
            connection_id=campaign.connection_id,
            campaign=campaign,
            operation=operation,
            author=by,
            reason=reason[:300],
            new=dict(new or {}),
            created_at=now,
            not_before=database_now(),
            expires_at=now + START_WITHIN if operation == START else None,
        )
        Campaign.objects.filter(pk=campaign.pk).update(desired=operation, desired_at=now)
        audit.record(
            f"campaign.{operation}",
            campaign,
            by=by,
            summary=reason or campaign.name,
            command=command.pk,
            replaced=replaced,
            **(new or {}),
        )
        ring(command.pk)
    return command


_UNDER_WAY = (Status.WAITING, *IN_FLIGHT)


def ring(pk: int) -> None:
    """Wake a worker for this command after commit."""
    bell.ring(SEND_TASK, pk, on="control")


def unclear_start(campaign: Campaign) -> datetime | None:
    """When a start left whose effect may still come; None when none can."""
    since = database_now() - timedelta(seconds=settle_seconds())
    starts = campaign.commands.filter(operation=START, sent_at__gte=since).exclude(status=Status.DONE)
    return starts.order_by("-sent_at").values_list("sent_at", flat=True).first()


def launch_of(campaign: Campaign) -> Launch | None:
    """The launch that made a campaign."""
    return campaign.launches.filter(confirmed_at__isnull=False).order_by("pk").first()


# --- for the pages -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StateLine:
    """What was asked for beside what the bot says; the two are never mixed."""

    operation: str
    """start, pause, abort, end; "" when nothing was asked for."""
    status: str
    """Of the command: waiting, sending, unknown (being checked), done, held, rejected …"""
    asked_at: datetime | None
    asked_by: str
    reason: str
    confirmed_at: datetime | None
    reported: str
    """ "Started", "unknown (9)" … as AntBOT last said."""
    reported_at: datetime | None
    in_progress: int | None
    words: str
    """What stands in the way, in the bot's or our own words."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why a command cannot be given now, in words, for those that cannot."""
    resumes: bool = False
    """A start now goes on with what was started before."""

    @property
    def actions(self) -> list[str]:
        """What can be asked for now: start, pause, abort, end, delete."""
        return [name for name in (START, *STOPS, DELETE) if name not in self.refused]

    @property
    def not_yet_stopped(self) -> bool:
        """A stop was asked for and is not proved: the page shows it in red."""
        return self.operation in STOPS and self.confirmed_at is None and self.status != Status.CANCELLED

    @property
    def text(self) -> str:
        """ "pause asked 14:02:10, AntBOT still says started, 2 calls in progress"."""
        says = self.reported.lower()
        if not self.operation or self.asked_at is None:
            return _("AntBOT says %s") % says
        asked = f"{timezone.localtime(self.asked_at):%H:%M:%S}"
        if self.confirmed_at is not None:
            at = f"{timezone.localtime(self.confirmed_at):%H:%M:%S}"
            return _("%(what)s asked %(asked)s, confirmed %(at)s") % {
                "what": _NAMES[self.operation](), "asked": asked, "at": at,
            }  # fmt: skip
        parts = [
            _("%(what)s asked %(asked)s") % {"what": _NAMES[self.operation](), "asked": asked},
            _("AntBOT still says %s") % says,
        ]
        if self.in_progress:
            parts.append(_("%d calls in progress") % self.in_progress)
        return ", ".join(parts)


_NAMES = {
    "start": lambda: _("start"), "pause": lambda: _("pause"),
    "abort": lambda: _("abort"), "end": lambda: _("end"), "delete": lambda: _("delete"),
}  # fmt: skip


def state_line(campaign: Campaign) -> StateLine:
    """What a page says of a campaign's state; two cheap queries."""
    return state_lines([campaign])[campaign.pk]


def state_lines(campaigns: Iterable[Campaign]) -> dict[int, StateLine]:
    """The same for a whole list, in as many queries."""
    rows = list(campaigns)
    given = CampaignCommand.objects.filter(campaign__in=[row.pk for row in rows]).order_by()
    newest = given.values("campaign").annotate(last=Max("pk")).values("last")
    commands = {
        command.campaign_id: command
        for command in CampaignCommand.objects.filter(pk__in=newest).select_related("author")
    }
    launched = Launch.objects.filter(
        campaign__in=[row.pk for row in rows], confirmed_at__isnull=False
    ).order_by()
    statuses = dict(launched.values_list("campaign", "status"))
    return {row.pk: _line(row, commands.get(row.pk), statuses.get(row.pk)) for row in rows}


def _line(campaign: Campaign, command: CampaignCommand | None, launched: str | None) -> StateLine:
    return StateLine(
        operation=command.operation if command else "",
        status=command.status if command else "",
        asked_at=command.created_at if command else None,
        asked_by=_asker(command) if command else "",
        reason=command.reason if command else "",
        confirmed_at=command.confirmed_at if command else None,
        reported=status_label(ReportedStatus, campaign.reported_status),
        reported_at=campaign.reported_at,
        in_progress=command.resolve.get("in_progress") if command else None,
        words=command.words if command else "",
        refused=_refused(campaign, command, launched is not None),
        resumes=launched == Launch.Status.STARTED,
    )


def _asker(command: CampaignCommand) -> str:
    return command.author.get_username() if command.author else _("the calling rules")


def _refused(campaign: Campaign, command: CampaignCommand | None, launched: bool) -> dict[str, str]:
    if campaign.remote_id is None or campaign.gone_at is not None:
        words = _("AntBOT has no such campaign (any more).")
        return dict.fromkeys((START, *STOPS, DELETE), words)
    asked = command.operation if command and command.status in _UNDER_WAY else ""
    if asked == DELETE:
        return dict.fromkeys((START, *STOPS, DELETE), _("It is being deleted."))
    found: dict[str, str] = {}
    if certainly_stopped(campaign.reported_status):
        found = dict.fromkeys((START, *STOPS), _("This campaign has ended."))
        if asked:
            found[DELETE] = _("Its end is not confirmed yet.")
        return found
    found[DELETE] = _("End it first: only a campaign that has ended can be deleted.")
    if asked in STOPS:
        found[asked] = _("It is asked for, and repeated until AntBOT confirms it.")
    if not launched:
        found[START] = _("This campaign was not launched from here: nobody has checked its numbers.")
    elif asked == START:
        found[START] = _("Its start is on its way.")
    elif campaign.reported_status == ReportedStatus.STARTED:
        found[START] = _("It is running.")
    elif asked in _FINAL:
        found[START] = _("It is being stopped for good.")
    paused = command is not None and command.operation == "pause" and command.confirmed_at is not None
    if paused and campaign.reported_status != ReportedStatus.STARTED:
        found["pause"] = _("It is paused.")
    return found
