"""Making a reminder call at the bot, step by step: calendar user, calendar, event, alarm.

The first two are made once per setting and shared. Each step has a name of its own by which
it is found again after a lost answer. The alarm is the call itself: after an unclear answer
it is looked for by its event, and sent once more only when a full list proves that it is
not there and it can no longer arrive.
"""

import logging
import secrets
import uuid
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.remote.errors import OutcomeUnknown, RemoteError
from backoffice.sync.push import LostLease, after_failure, database_now, lease_seconds, settle_seconds
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.antbot.walks import NotOffered
from bot_campaigns.models import Alarm, BotConnection, Calendar, CalendarUser, Call, Event
from bot_campaigns.services import connecting, reminders
from bot_campaigns.services.reminders import GRACE, LEAD, Progress, ring
from bot_campaigns.services.targets import TARGETS

logger = logging.getLogger(__name__)

PAGE = 200
LOOK_AGAIN = 20.0
EVENT_LENGTH = timedelta(minutes=30)
MOST_CRASHES = 5


class _Ended(Exception):
    """Nothing more is tried."""

    def __init__(self, progress: str, words: str) -> None:
        super().__init__(words)
        self.progress, self.words = progress, words


class _Later(Exception):
    """Not now."""

    def __init__(self, at: datetime, words: str = "") -> None:
        super().__init__(words)
        self.at, self.words = at, words


def send_one(pk: int) -> str:
    """Carry one reminder on, if it is due. Returns its progress; "" when nothing was done."""
    alarm = _claim(pk)
    if alarm is None:
        return ""
    try:
        _Attempt(alarm).run()
    except LostLease:
        logger.info("reminder %s was taken over", pk)
        return ""
    return str(alarm.progress)


def sweep() -> int:
    """Ring the reminders that are due; one query when there is none."""
    pks = list(_due().order_by("not_before", "pk").values_list("pk", flat=True)[:PAGE])
    for pk in pks:
        ring(pk)
    return len(pks)


def _due() -> Any:
    now = database_now()
    usable = BotConnection.objects.filter(pk=OuterRef("connection_id"), is_active=True)
    usable = usable.exclude(health__needs_attention=True).exclude(health__open_until__gt=now)
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
    return Alarm.objects.filter(free, Exists(usable), progress__in=reminders.OPEN, not_before__lte=now)


def _claim(pk: int) -> Alarm | None:
    """Take a due reminder. Those of one connection go one by one, for they share a calendar."""
    with transaction.atomic():
        alarm = Alarm.objects.filter(pk=pk).only("connection_id").first()
        if alarm is None:
            return None
        BotConnection.objects.select_for_update(of=("self",)).get(pk=alarm.connection_id)
        now, token = database_now(), uuid.uuid4()
        busy = Alarm.objects.filter(connection_id=alarm.connection_id, lease_until__gt=now)
        if busy.exists():
            return None
        row = _due().filter(pk=pk).first()
        if row is None:
            return None
        steps = dict(row.steps)
        if row.lease_until is not None:  # its worker died
            steps["crashes"] = steps.get("crashes", 0) + 1
        unclear = "alarm_sent" in steps
        Alarm.objects.filter(pk=pk).update(
            progress=Progress.UNKNOWN if unclear else Progress.SENDING, lease_token=token, steps=steps,
            lease_until=now + timedelta(seconds=lease_seconds()), attempts=row.attempts + 1,
        )  # fmt: skip
    return Alarm.objects.select_related("connection", "contact").get(pk=pk)


class _Attempt:
    def __init__(self, alarm: Alarm) -> None:
        self.alarm, self.steps = alarm, dict(alarm.steps)
        self.writing = ""
        """The step whose request may have left."""

    def run(self) -> None:
        alarm = self.alarm
        try:
            with closing(connecting.connect_to(alarm.connection)) as bot:
                self._go(bot)
            connecting.note_working(alarm.connection)
        except _Ended as end:
            self._leave(end.progress, end.words)
            audit.record("reminder." + end.progress, alarm, by=None, summary=end.words or alarm.title)
        except _Later as later:
            self._leave(self._open_progress(), later.words, at=later.at)
        except LostLease:
            raise
        except Exception as error:
            if isinstance(error, RemoteError):
                connecting.note_trouble(alarm.connection, error)
            else:
                logger.exception("reminder %s", alarm.pk)
            self._failed(error)

    # --- the steps

    def _go(self, bot: AntBotConnector) -> None:
        now = timezone.now()
        if self.steps.get("crashes", 0) >= MOST_CRASHES:
            raise _Ended(Progress.REJECTED, _("Sending this broke off again and again; ask anew."))
        if "alarm_sent" in self.steps:
            self._look_for_alarm(bot, now)
        rings_at = self._rings_at()
        if now > rings_at + GRACE:
            raise _Ended(Progress.REJECTED, _("It could not be handed to AntBOT in time; nobody was called."))
        self._prepare(bot)
        if now < rings_at - LEAD:
            raise _Later(rings_at - LEAD)
        found = reminders.problems(
            connection=self.alarm.connection, e164=self.alarm.e164, rings_at=max(now, rings_at),
            contact=self.alarm.contact, but=self.alarm,
        )  # fmt: skip
        if found:
            raise _Ended(
                Progress.REJECTED, " ".join([_("Nobody was called."), *(words for _f, words in found)])
            )
        event = self._event(bot, rings_at)
        self._alarm(bot, event, rings_at)

    def _rings_at(self) -> datetime:
        if self.alarm.rings_at is None:
            raise _Ended(Progress.REJECTED, _("It has no time."))
        return self.alarm.rings_at

    def _prepare(self, bot: AntBotConnector) -> None:
        """The calendar that all reminders of the setting share."""
        if "calendar" in self.steps:
            return
        choice = reminders.choice_of(self.alarm.connection)
        if choice is None:
            raise _Ended(Progress.REJECTED, _("Reminder calls are not set up for this connection any more."))
        setting = choice.setting.remote_id
        if not setting:
            raise _Later(_in(LOOK_AGAIN), _("The setting of the reminder calls is still on its way."))
        name = f"backoffice-{setting}"
        connection = self.alarm.connection
        user = _mirrored(CalendarUser, connection, username=name) or self._found(
            bot.calendar_users, lambda each: each.username == name and each.setting_id in ("", setting)
        )
        if not user:
            if "user_sent" in self.steps and not self._lists(bot.calendar_users):
                name = f"{name}-{self.steps['code']}"  # the first may be there, and nothing tells its id
            self._write(user_sent=_stamp())
            # sent once and kept nowhere: nobody ever logs in with it
            password = secrets.token_urlsafe(24)
            with self._sending("user"):
                made = bot.create_calendar_user(username=name, password=password, setting_id=setting)
            user = made.remote_id
            _mirror("calendar_users", connection, made)
        calendar = _mirrored(Calendar, connection, name=name, user_id=user) or self._found(
            bot.calendars, lambda each: each.name == name and each.user_id in ("", user)
        )
        if not calendar:
            self._write(calendar_sent=_stamp())
            with self._sending("calendar"):
                new = bot.create_calendar(name=name, user_id=user)
            calendar = new.remote_id
            _mirror("calendars", connection, new)
        self._write(user=user, calendar=calendar)

    def _event(self, bot: AntBotConnector, rings_at: datetime) -> str:
        """The event of this reminder alone; its title carries our code."""
        if known := self.steps.get("event"):
            return str(known)
        title = f"{self.alarm.title[:200]} · {self.steps['code']}"
        event = ""
        if "event_sent" in self.steps:
            event = self._found(bot.events, lambda each: each.title == title)
        if not event:
            self._write(event_sent=_stamp())
            with self._sending("event"):
                made = bot.create_event(
                    title=title, starts_at=rings_at, ends_at=rings_at + EVENT_LENGTH,
                    creator_id=self.steps["user"], calendar_id=self.steps["calendar"],
                )  # fmt: skip
            event = made.remote_id
            _mirror("events", self.alarm.connection, made)
        self._write(event=event)
        return event

    def _alarm(self, bot: AntBotConnector, event: str, rings_at: datetime) -> None:
        self._write(alarm_sent=_stamp())
        with self._sending("alarm"):
            made = bot.create_alarm(
                number=self.alarm.number, event_id=event, due_at=rings_at,
                transfer_number=self.alarm.transfer_to,
            )  # fmt: skip
        self._arrived(made)

    def _look_for_alarm(self, bot: AntBotConnector, now: datetime) -> None:
        """It may be there. Comes back only when it certainly is not and cannot arrive any more."""
        event = str(self.steps["event"])
        try:
            found = [each for each in bot.alarms().read_all() if each.event_id == event]
        except NotOffered:
            self._look_at_calls(now)
            return
        if found:
            self._arrived(found[0])
        sent = datetime.fromisoformat(self.steps["alarm_sent"])
        settled = sent + timedelta(seconds=settle_seconds())
        if now < settled:
            raise _Later(min(settled, _in(LOOK_AGAIN)), _("Its answer was lost; looking whether it arrived."))
        self.steps.pop("alarm_sent")
        self._write()

    def _look_at_calls(self, now: datetime) -> None:
        """Without a list of reminders only the call itself tells. It is never sent twice."""
        rings_at = self._rings_at()
        around = (rings_at - LEAD, rings_at + timedelta(hours=1))
        calls = Call.objects.filter(e164=self.alarm.e164, is_alarm=True, started_at__range=around)
        if calls.exists():
            raise _Ended(Progress.SENT, "")
        if now > around[1] + timedelta(minutes=30):
            raise _Ended(
                Progress.REJECTED,
                _("Its answer was lost and no call was seen. Most likely nobody was called."),
            )
        raise _Later(
            now + timedelta(minutes=5),
            _(
                "Its answer was lost, and this account lists no reminders: the call will tell. It is not"
                " sent twice."
            ),
        )

    def _arrived(self, record: Any) -> None:
        """The bot has it. A row that a pull made of it meanwhile gives way to ours."""
        with transaction.atomic():
            twins = Alarm.objects.filter(connection_id=self.alarm.connection_id, remote_id=record.remote_id)
            twins.exclude(pk=self.alarm.pk).delete()
            event = Event.objects.filter(
                connection_id=self.alarm.connection_id, remote_id=self.steps.get("event")
            ).first()
            self._keep(
                remote_id=record.remote_id, status=record.status, result=record.result, event=event,
                content_hash="", seen_at=timezone.now(),
            )  # fmt: skip
        raise _Ended(Progress.SENT, "")

    def _found(self, lists: Any, fits: Any) -> str:
        """The id of the first record that fits; "" also where the account does not offer the list."""
        try:
            return next((each.remote_id for each in lists().read_all() if fits(each)), "")
        except NotOffered:
            return ""

    def _lists(self, lists: Any) -> bool:
        walk = lists()
        try:
            walk.fetch(walk.first)
        except NotOffered:
            return False
        return True

    # --- bookkeeping

    def _sending(self, step: str) -> "_Sending":
        return _Sending(self, step)

    def _write(self, **steps: Any) -> None:
        """Commit how far it got before anything else leaves, and renew the lease."""
        self.steps |= steps
        self._keep(steps=self.steps, lease_until=database_now() + timedelta(seconds=lease_seconds()))

    def _keep(self, **values: Any) -> None:
        mine = Alarm.objects.filter(
            pk=self.alarm.pk, lease_token=self.alarm.lease_token, lease_until__gt=database_now()
        )
        if mine.update(**values) != 1:
            raise LostLease(f"reminder {self.alarm.pk}")
        for name, value in values.items():
            setattr(self.alarm, name, value)

    def _open_progress(self) -> str:
        return Progress.UNKNOWN if "alarm_sent" in self.steps else Progress.WAITING

    def _leave(self, progress: str, words: str, at: datetime | None = None) -> None:
        if at is not None:
            self.steps.pop("crashes", None)
        self._keep(
            progress=progress, words=words[:500], not_before=at or timezone.now(), steps=self.steps,
            lease_token=None, lease_until=None,
        )  # fmt: skip

    def _failed(self, error: Exception) -> None:
        failure = after_failure(error, writing=bool(self.writing), attempts=self.alarm.attempts)
        unclear = isinstance(error, OutcomeUnknown) or failure.status == "unknown"
        if self.writing == "alarm" and not unclear:
            self.steps.pop("alarm_sent", None)  # it certainly did not arrive
        if failure.status == "rejected" and "alarm_sent" not in self.steps:
            self._leave(Progress.REJECTED, failure.words)
            audit.record("reminder.rejected", self.alarm, by=None, summary=failure.words)
            return
        wait = LOOK_AGAIN if "alarm_sent" in self.steps else failure.wait
        self._leave(self._open_progress(), failure.words, at=_in(wait))


class _Sending:
    """Marks which request is out, so that a failure is read the right way."""

    def __init__(self, attempt: _Attempt, step: str) -> None:
        self.attempt, self.step = attempt, step

    def __enter__(self) -> None:
        self.attempt.writing = self.step

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if kind is None:
            self.attempt.writing = ""


def _in(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def _stamp() -> str:
    return timezone.now().isoformat()


def _mirrored(model: Any, connection: BotConnection, **fields: Any) -> str:
    rows = model._default_manager.filter(
        connection=connection, remote_id__isnull=False, gone_at__isnull=True, **fields
    )
    return rows.values_list("remote_id", flat=True).first() or ""


def _mirror(family: str, connection: BotConnection, record: Any) -> None:
    """Show at once what was made; the next pull reads it again."""
    target = TARGETS[family]
    target.model._default_manager.update_or_create(
        connection=connection,
        remote_id=record.remote_id,
        defaults={**target.values(record), "content_hash": "", "seen_at": timezone.now(), "gone_at": None},
    )
