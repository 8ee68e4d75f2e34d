"""Handing a confirmed launch over to the bot: one phonebook, its numbers, one campaign.

Any step may be lost, repeated or killed: the launch's code stands in both names, so what
exists is found before anything is made, and the numbers of the phonebook are listed again
after every answer that is not a clear yes. The phonebook belongs to this launch alone.
"""

import logging
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

import phonenumbers
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.remote.errors import ConnectionBroken, OutcomeUnknown, Rejected, RemoteError
from backoffice.sync import bell
from backoffice.sync.push import LostLease, backoff, database_now, lease_seconds, settle_seconds
from bot_campaigns import records
from bot_campaigns.antbot.client import BULK_SIZE
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import BotContact, Campaign, Launch, LaunchNumber, Phonebook
from bot_campaigns.plan import Unclear, dialling_days, vendor_hours
from bot_campaigns.records import BotContactDraft, CampaignDraft
from bot_campaigns.services import commands, connecting, preflight
from bot_campaigns.services.launching import HAND_OVER_TASK
from bot_campaigns.services.sets import texts

logger = logging.getLogger(__name__)

NAME_LENGTH = 90
"""The shorter of the vendor's two limits."""
MOST_REFUSED = 20
"""So many numbers refused one after the other are no matter of the numbers."""
_BROKEN_REST = 60.0
LOOK_AT, GOOD_FOR = 500, 2.0
"""So many rows are held against the rules at once, and so many seconds may pass until they leave."""
SURE_FOR = 1.0
"""Seconds after a renewal in which the lease is ours without asking, for it lasts far longer."""

Status, Withdrawal = Launch.Status, LaunchNumber.Withdrawal


class Held(Exception):
    """A person has to look; the message says at what."""


def due() -> list[int]:
    """Launches whose hand-over waits for a worker."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=Now())
    rows = Launch.objects.filter(free, status=Status.HANDING_OVER, not_before__lte=Now())
    return list(rows.order_by("not_before").values_list("pk", flat=True)[:50])


def sweep() -> int:
    """Ring the hand-overs that a lost message or a dead worker left behind."""
    found = due()
    for pk in found:
        bell.ring(HAND_OVER_TASK, pk, on="push")
    return len(found)


def hand_over(launch_id: int, *, connector: AntBotConnector | None = None) -> str:
    """Carry one hand-over on to its end, or as far as it goes now. Returns the launch's state.

    Somebody who dies here leaves a lease that runs out later than anything it sent can
    still be applied.
    """
    token = uuid.uuid4()
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=Now())
    claimed = Launch.objects.filter(
        free, pk=launch_id, status=Status.HANDING_OVER, not_before__lte=Now()
    ).update(lease_token=token, lease_until=Now() + timedelta(seconds=lease_seconds()))
    if not claimed:
        return ""
    launch = Launch.objects.select_related("connection", "phonebook", "template", "gateway").get(pk=launch_id)
    work = _HandOver(launch, token)
    try:
        with closing(connector or connecting.connect_to(launch.connection)) as bot:
            work.run(bot)
    except LostLease:
        return ""
    except Held as problem:
        work.leave(status=Status.HELD, words=str(problem))
    except RemoteError as error:
        connecting.note_trouble(launch.connection, error)
        if isinstance(error, Rejected):
            work.leave(status=Status.HELD, words=str(error))
        else:
            work.leave(words=str(error), wait=_wait(error))
    except Exception as error:
        logger.exception("hand-over of launch %s", launch_id)
        work.leave(words=_("an error of our own: %s") % type(error).__name__, wait=settle_seconds())
        raise
    return str(work.launch.status)


def _wait(error: RemoteError) -> float:
    """Seconds until it goes on; after an unclear write as long as that may still be applied."""
    if isinstance(error, OutcomeUnknown):
        return settle_seconds()
    if isinstance(error, ConnectionBroken):
        return _BROKEN_REST
    after = getattr(error, "after", None)
    return backoff(3) if after is None else float(after)


def full_name(launch: Launch) -> str:
    """The name of phonebook and campaign at the bot: ours, and the code they are found by."""
    suffix = f" · {launch.code}"
    return launch.name.strip()[: NAME_LENGTH - len(suffix)] + suffix


def as_dialled(e164: str) -> str:
    """The vendor's way of writing: our own country's numbers with a leading 0."""
    country, national = _own_country(settings.PHONE_REGION)
    return national + e164[len(country) :] if country and e164.startswith(country) else e164


@lru_cache(maxsize=8)
def _own_country(region: str) -> tuple[str, str]:
    """``+84`` and ``0``: how its numbers begin in E.164 and inside the country."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return "", ""
    return f"+{metadata.country_code}", metadata.national_prefix or ""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Up to a hundred rows that may still be called, as they go out."""

    together: list[LaunchNumber]
    singly: list[LaunchNumber]
    drafts: list[BotContactDraft]
    last: int


class _Look:
    """Rows that were found callable a moment ago; what is left of them is looked at again later."""

    def __init__(self, rows: Sequence[LaunchNumber], known: set[str]) -> None:
        self._rows, self._known, self._at = deque(rows), known, time.monotonic()

    @property
    def is_fresh(self) -> bool:
        return bool(self._rows) and time.monotonic() - self._at < GOOD_FOR

    def take(self) -> _Chunk:
        rows = [self._rows.popleft() for _row in range(min(BULK_SIZE, len(self._rows)))]
        # the vendor's bulk call stops at a number that any phonebook holds
        together = [row for row in rows if row.e164 not in self._known]
        singly = [row for row in rows if row.e164 in self._known]
        return _Chunk(together, singly, [_draft(row) for row in together], rows[-1].pk)


class _HandOver:
    """One worker's turn at one launch. Every write repeats the lease's token."""

    def __init__(self, launch: Launch, token: uuid.UUID) -> None:
        self.launch, self.token = launch, token
        self.rows = LaunchNumber.objects.filter(launch=launch, verdict=LaunchNumber.Verdict.DIAL)
        self._refused_in_a_row = 0
        self._renewed = time.monotonic()
        self._look: _Look | None = None
        self._taken = 0

    def run(self, bot: AntBotConnector) -> None:
        """All steps; those done before are found done."""
        fresh = self._phonebook(bot)
        if not fresh and self._pending().exists():
            self._list_again(bot)
        self._numbers(bot)
        if not self.rows.filter(handed_at__isnull=False).exclude(withdrawal=Withdrawal.DONE).exists():
            raise Held(_("Nobody is left to dial: every number was taken out since the check."))
        self._campaign(bot)
        self._ready()

    # --- the lease

    def save(self, **values: Any) -> None:
        """Write columns of the launch and renew the lease. Raises ``LostLease``."""
        mine = Launch.objects.filter(pk=self.launch.pk, lease_token=self.token, status=Status.HANDING_OVER)
        lease = Now() + timedelta(seconds=lease_seconds())
        if mine.filter(lease_until__gt=Now()).update(lease_until=lease, **values) != 1:
            raise LostLease(f"launch {self.launch.pk}: somebody else hands it over, or it was cancelled")
        self._renewed = time.monotonic()
        for name, value in values.items():
            setattr(self.launch, name, value)

    def still_mine(self) -> None:
        """Before a number leaves: the lease is ours. Raises ``LostLease``."""
        if time.monotonic() - self._renewed > SURE_FOR:
            self.save()

    def leave(self, *, words: str = "", wait: float = 0.0, status: str = Status.HANDING_OVER) -> None:
        """End this turn."""
        Launch.objects.filter(pk=self.launch.pk, lease_token=self.token).update(
            status=status,
            words=words[:500],
            not_before=database_now() + timedelta(seconds=wait),
            lease_token=None,
            lease_until=None,
        )
        self.launch.status = status

    # --- the phonebook

    def _phonebook(self, bot: AntBotConnector) -> bool:
        """Find or make the phonebook; True when it was made in this turn and so is empty."""
        if self.launch.phonebook is not None:
            return False
        name, fresh = full_name(self.launch), False
        found = [each for each in bot.find_phonebooks(self.launch.code) if each.name == name]
        if len(found) > 1:
            raise Held(_("AntBOT has %(n)d phonebooks named “%(name)s”.") % {"n": len(found), "name": name})
        if found:
            there = found[0]
        else:
            self.save()
            there, fresh = bot.create_phonebook(name=name, description=self.launch.description), True
        row, _made = Phonebook.objects.get_or_create(
            connection=self.launch.connection,
            remote_id=there.remote_id,
            defaults={"name": there.name, "description": there.description},
        )
        self.save(phonebook=row)
        return fresh

    @property
    def _book(self) -> str:
        book = self.launch.phonebook
        if book is None or not book.remote_id:
            raise Held(_("The phonebook of this launch is not known."))
        return book.remote_id

    # --- its numbers

    def _pending(self) -> Any:
        return self.rows.filter(handed_at__isnull=True, withdrawal="")

    def _numbers(self, bot: AntBotConnector) -> None:
        """Hand over what is pending.

        While a hundred are on their way, those before them are written down and the next
        are looked at. What is lost by dying in between is found by listing the phonebook.
        """
        chunk, arrived = self._next(), list[LaunchNumber]()
        with ThreadPoolExecutor(1, "hand-over") as sender:
            while chunk is not None:
                sent = None
                if chunk.together:
                    self.still_mine()
                    sent = sender.submit(bot.create_contacts, self._book, chunk.drafts)
                self._handed({row.pk: "" for row in arrived})
                following = self._next()
                missing = self._missing(bot, chunk, sent)
                if missing is not None:  # the phonebook was listed: what comes next may be there
                    self._look, self._taken = None, chunk.last
                    following = None
                arrived = chunk.together if missing is None else []
                for row in [*chunk.singly, *(missing or [])]:
                    self._one(bot, row)
                chunk = following or self._next()
        self._handed({row.pk: "" for row in arrived})

    def _next(self) -> _Chunk | None:
        """The next rows that may still be called at this moment; None at the end."""
        if self._look is None or not self._look.is_fresh:
            self._look = self._look_at_more()
        if self._look is None:
            return None
        chunk = self._look.take()
        self._taken = chunk.last
        return chunk

    def _look_at_more(self) -> _Look | None:
        """Hold the rows that come next against the rules; those refused are written down."""
        after = self._taken
        while rows := list(self._pending().filter(pk__gt=after).order_by("pk")[:LOOK_AT]):
            if allowed := self._still_allowed(rows):
                numbers = [row.e164 for row in allowed]
                known = BotContact.objects.filter(connection=self.launch.connection, e164__in=texts(numbers))
                known = known.exclude(e164="")  # what the index leaves out
                return _Look(allowed, set(known.order_by().values_list("e164", flat=True)))
            after = rows[-1].pk
        return None

    def _missing(
        self, bot: AntBotConnector, chunk: _Chunk, sent: "Future[None] | None"
    ) -> list[LaunchNumber] | None:
        """None when all arrived; else those that did not, the others being written down."""
        try:
            if sent is not None:
                sent.result()
        except OutcomeUnknown as error:
            if error.status is None or error.status >= 500:
                raise  # it may still be at work: wait, then list
            there = self._list_again(bot)
            return [row for row in chunk.together if row.e164 not in there]
        return None

    def _still_allowed(self, chunk: Sequence[LaunchNumber]) -> list[LaunchNumber]:
        now = timezone.now()
        numbers = [row.e164 for row in chunk]
        refused = preflight.refusals(numbers, self.launch.connection, now, launch=self.launch)
        allowed = []
        for row in chunk:
            if row.e164 in refused:
                self._left_out(row, refused[row.e164][1] or str(refused[row.e164][0]))
            else:
                allowed.append(row)
        return allowed

    def _one(self, bot: AntBotConnector, row: LaunchNumber) -> None:
        self.save()
        try:
            made = bot.create_contact(self._book, _draft(row))
        except Rejected as error:
            self._refused_in_a_row += 1
            if self._refused_in_a_row >= MOST_REFUSED:
                raise Held(
                    _("AntBOT refuses one number after the other. The last time: %s") % error
                ) from error
            self._left_out(row, str(error))
        else:
            self._refused_in_a_row = 0
            self._handed({row.pk: made.remote_id})

    def _left_out(self, row: LaunchNumber, why: str) -> None:
        """Never handed over, so there is nothing to withdraw."""
        self.rows.filter(pk=row.pk, handed_at__isnull=True).update(
            withdrawal=Withdrawal.DONE,
            withdrawal_reason=(_("Not handed over: %s") % why)[:300],
            withdrawal_at=timezone.now(),
        )

    def _list_again(self, bot: AntBotConnector) -> set[str]:
        """What the phonebook truly holds; the numbers found there count as handed over."""
        there: dict[str, str] = {}
        for each in self._read_book(bot):
            if each.e164:
                there.setdefault(each.e164, each.remote_id)
        pending = self._pending().values_list("pk", "e164")
        self._handed({pk: there[e164] for pk, e164 in pending if e164 in there})
        return set(there)

    def _read_book(self, bot: AntBotConnector) -> Iterator[records.BotContact]:
        self.save()
        return iter(bot.contacts(phonebook_id=self._book).read_all())

    def _handed(self, ids: Mapping[int, str]) -> None:
        if not ids:
            return
        now = timezone.now()
        with transaction.atomic():
            self.save(handed_over=self.launch.handed_over + len(ids))
            unknown = [pk for pk, remote_id in ids.items() if not remote_id]
            self.rows.filter(pk__in=unknown).update(handed_at=now)
            known = [
                LaunchNumber(pk=pk, bot_contact_id=remote_id, handed_at=now)
                for pk, remote_id in ids.items()
                if remote_id
            ]
            if known:
                LaunchNumber.objects.bulk_update(known, ["bot_contact_id", "handed_at"], batch_size=500)

    # --- the campaign

    def _campaign(self, bot: AntBotConnector) -> None:
        name = full_name(self.launch)
        found = [each for each in bot.find_campaigns(self.launch.code) if each.name == name]
        if len(found) > 1:
            raise Held(_("AntBOT has %(n)d campaigns named “%(name)s”.") % {"n": len(found), "name": name})
        if found:
            there = found[0]
        else:
            draft = self._draft()
            self.save()
            there = bot.create_campaign(draft)
        if there.phonebook_ids and set(there.phonebook_ids) != {self._book}:
            raise Held(_("The campaign “%s” at AntBOT dials another phonebook than this launch's.") % name)
        with transaction.atomic():
            row, _made = Campaign.objects.get_or_create(
                connection=self.launch.connection,
                remote_id=there.remote_id,
                defaults={
                    "name": there.name,
                    "description": there.description,
                    "callerid": there.caller_id,
                    "gateway": self.launch.gateway,
                    "survey_id": there.survey_id,
                    "frequency": there.frequency,
                    "starts_at": there.starts_at,
                    "expires_at": there.expires_at,
                    "daily_start": there.daily_start,
                    "daily_stop": there.daily_stop,
                    "reported_status": there.status,
                    "reported_at": timezone.now() if there.status is not None else None,
                },
            )
            if self.launch.phonebook is not None:
                row.phonebooks.add(self.launch.phonebook)
            self.save(campaign=row)

    def _draft(self) -> CampaignDraft:
        launch, connection = self.launch, self.launch.connection
        rules, plan, now = preflight.rules_of(connection), preflight.plan_of(launch), timezone.now()
        if errors := preflight.form_errors(launch, now):
            raise Held(" ".join(errors.values()))
        if not plan.vendor_zone:
            raise Held(_("The zone of the vendor's daily window is not confirmed."))
        first, last = dialling_days(plan, rules, now)
        gateway, template = launch.gateway, launch.template
        if (
            gateway is None
            or template is None
            or launch.daily_start is None
            or launch.daily_stop is None
            or launch.starts_at is None
            or launch.expires_at is None
        ):
            raise ValueError("form_errors lets no incomplete form pass")
        try:
            opens, closes = vendor_hours(
                launch.daily_start, launch.daily_stop,
                rules=rules, vendor_zone=plan.vendor_zone, first=first, last=last,
            )  # fmt: skip
        except Unclear as problem:
            raise Held(str(problem)) from problem
        return CampaignDraft(
            name=full_name(launch),
            phonebook_ids=(self._book,),
            gateway_id=gateway.remote_id or "",
            survey_template_id=template.remote_id or "",
            frequency=launch.frequency,
            starts_at=launch.starts_at,
            expires_at=launch.expires_at,
            daily_start=opens,
            daily_stop=closes,
            description=launch.description,
            caller_id=launch.callerid,
        )

    def _ready(self) -> None:
        """Everything stands there; start it if that is what was confirmed a moment ago."""
        launch = self.launch
        counts = self.rows.aggregate(
            handed=Count("pk", filter=Q(handed_at__isnull=False)),
            left_out=Count("pk", filter=Q(handed_at__isnull=True)),
        )
        with transaction.atomic():
            self.save(handed_over=counts["handed"])
            self.leave(status=Status.READY)
            audit.record("launch.handed_over", launch, by=None, summary=launch.name, **counts)
            if launch.campaign is not None:
                Campaign.objects.filter(pk=launch.campaign.pk, total__isnull=True).update(
                    total=counts["handed"]
                )
            soon = launch.confirmed_at and timezone.now() - launch.confirmed_at < commands.START_WITHIN
            if not launch.proof.get("start") or launch.campaign is None:
                return
            words = ""
            if not soon:
                words = _("Handing over took more than ten minutes: start it yourself if it is still wanted.")
            else:
                try:
                    commands.start(launch.campaign, by=launch.confirmed_by)
                except (commands.NotCommanded, PermissionDenied) as problem:
                    words = _("It was not started: %s") % problem
            Launch.objects.filter(pk=launch.pk).update(words=words)


def _draft(row: LaunchNumber) -> BotContactDraft:
    last, _space, first = row.name.strip().partition(" ")
    return BotContactDraft(
        number=as_dialled(row.e164),
        first_name=(first or last)[:120],
        last_name=last[:120] if first else "",
        email=row.email if len(row.email) <= 254 else "",
    )
