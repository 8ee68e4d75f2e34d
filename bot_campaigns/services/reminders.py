"""A reminder call to one contact: asked for here, made by ``reminder_sending``.

A call that AntBOT knows of cannot be taken back, and its reminders look at no do-not-call
list. So a reminder stays here until shortly before it rings, is held against the rules once
more then, and can be dropped until that moment.
"""

import secrets
import string
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.sync import bell
from backoffice.sync.push import database_now
from bot_campaigns import rules as arithmetic
from bot_campaigns.models import (
    Alarm,
    BotChange,
    BotConnection,
    CalendarSetting,
    CallingRules,
    Gateway,
    ReminderChoice,
    SealedSurvey,
)
from bot_campaigns.services import changes, suppression
from bot_campaigns.services.changes import Refused
from bot_campaigns.services.handover import as_dialled
from bot_campaigns.services.verdicts import consenting, contact_verdicts, last_called, since_words
from crm_bridge.models import Contact

LEAD = timedelta(minutes=10)
"""It is handed to AntBOT so long before it rings; until then it can be dropped."""
GRACE = timedelta(minutes=10)
"""Later than this it is not rung any more: the moment it was meant for has passed."""
FARTHEST = timedelta(days=366)
SEND_TASK = "bot_campaigns.tasks.send_reminder"
LABEL_LENGTH = 80

Progress = Alarm.Progress
OPEN = (Progress.WAITING, Progress.SENDING, Progress.UNKNOWN)


# --- how they are made -------------------------------------------------------------------


def choice_of(connection: BotConnection) -> ReminderChoice | None:
    """Which setting the reminders of a connection use; None until an admin chose one."""
    rows = ReminderChoice.objects.filter(connection=connection, setting__gone_at__isnull=True)
    return rows.select_related("setting").first()


def ready_connections() -> list[BotConnection]:
    """Active connections whose reminders an admin has set up."""
    chosen = ReminderChoice.objects.filter(setting__gone_at__isnull=True).values("connection")
    rows = BotConnection.objects.filter(is_active=True, pk__in=chosen).defer("credentials")
    return list(rows.order_by("name"))


def choose(connection: BotConnection, setting: CalendarSetting, *, by: Any) -> None:
    """Make the reminders of a connection with a setting that is there."""
    if setting.connection_id != connection.pk or setting.gone_at is not None:
        raise Refused(_("This setting is not in AntBOT any more. Choose another one."), "setting")
    with transaction.atomic():
        ReminderChoice.objects.update_or_create(
            connection=connection,
            defaults={"setting": setting, "chosen_by": by, "chosen_at": timezone.now()},
        )
        audit.record("reminder.setting", connection, by=by, summary=setting.label, setting=setting.pk)


def make_setting(
    connection: BotConnection,
    *,
    label: str,
    callerid: str,
    caller_name: str,
    call_timeout: int,
    survey: SealedSurvey,
    gateway: Gateway,
    by: Any,
    nonce: str = "",
) -> BotChange:
    """A new setting at the bot, chosen for this connection at once."""
    if not label.strip():
        raise Refused(_("The setting needs a name."), "label")
    if survey.connection_id != connection.pk or not survey.remote_id or survey.gone_at:
        raise Refused(_("Choose a sealed survey of this connection."), "survey")
    if gateway.connection_id != connection.pk or not gateway.is_enabled or gateway.gone_at:
        raise Refused(_("Choose an active gateway of this connection."), "gateway")
    named = changes.coded(label, LABEL_LENGTH)
    values: dict[str, Any] = {
        **named, "callerid": callerid.strip(), "caller_name": caller_name.strip(),
        "call_timeout": call_timeout, "survey_id": survey.remote_id,
    }  # fmt: skip
    row = CalendarSetting(
        connection=connection, label=named["name"], callerid=values["callerid"],
        caller_name=values["caller_name"], call_timeout=call_timeout, survey_id=survey.remote_id,
        gateway=gateway,
    )  # fmt: skip
    with transaction.atomic():
        change = changes.create(row, values, by=by, nonce=nonce)
        choose(connection, CalendarSetting.objects.get(pk=change.row_id), by=by)
    return change


def rules_for(connection: BotConnection) -> CallingRules:
    """The calling rules of a connection, the strict ones where nobody has made any; writes nothing."""
    return CallingRules.objects.filter(connection=connection).first() or CallingRules(connection=connection)


# --- what forbids one --------------------------------------------------------------------


def problems(
    *,
    connection: BotConnection,
    e164: str,
    rings_at: datetime,
    contact: Contact | None,
    but: Alarm | None = None,
) -> list[tuple[str, str]]:
    """(field, words): everything that forbids ringing this number at that moment."""
    rules = rules_for(connection)
    found: list[tuple[str, str]] = []
    if not e164 or suppression.canonical(e164) != e164:
        return [("number", _("This is not a valid phone number."))]
    if row := suppression.suppressed([e164]).get(e164):
        found.append(("number", _("This number must not be called, %s.") % since_words(row)))
    if not arithmetic.window_now(rules, arithmetic.zones_of(e164), rings_at):
        found.append(("rings_at", _closed(rules, e164, rings_at)))
    if rules.hours_between_calls:
        found += _too_soon(rules, e164, rings_at, but)
    if contact is not None:
        if verdict := contact_verdicts([contact.pk]).get(contact.pk):
            found.append(("number", _("This contact is not live: %s.") % " ".join(map(str, verdict))))
        if rules.consent_required and contact.pk not in consenting([contact.pk], rules):
            found.append(
                ("number", _("Consent is required, and the contact has no tag “%s”.") % rules.consent_tag)
            )
    return found


def _closed(rules: CallingRules, e164: str, at: datetime) -> str:
    zones = arithmetic.zones_of(e164)
    if not zones:
        return _("Nobody knows in which time zone this number is, so no time is right.")
    local = arithmetic.next_opening(rules, zones, at)
    words = _("The calling rules allow calls from %(start)s to %(end)s, in the time of the number.") % {
        "start": f"{rules.window_start:%H:%M}", "end": f"{rules.window_end:%H:%M}",
    }  # fmt: skip
    if local is None:
        return words
    shown = timezone.localtime(local, arithmetic.zone(rules.zone))
    return words + " " + _("The next moment would be %s.") % f"{shown:%Y-%m-%d %H:%M}"


def _too_soon(rules: CallingRules, e164: str, at: datetime, but: Alarm | None) -> list[tuple[str, str]]:
    """At most one call to a number within the hours that the rules name."""
    hours = timedelta(hours=rules.hours_between_calls)
    zone = arithmetic.zone(rules.zone)
    last = last_called([e164], at - hours).get(e164)
    if last is not None and last <= at:
        words = _("This number was called %(last)s; the rules allow the next call from %(next)s on.") % {
            "last": f"{timezone.localtime(last, zone):%Y-%m-%d %H:%M}",
            "next": f"{timezone.localtime(last + hours, zone):%Y-%m-%d %H:%M}",
        }
        return [("rings_at", words)]
    near = Alarm.objects.filter(
        Q(progress__in=OPEN) | Q(progress=Progress.SENT, gone_at__isnull=True), e164=e164,
        rings_at__gt=at - hours, rings_at__lt=at + hours,
    )  # fmt: skip
    if but is not None:
        near = near.exclude(pk=but.pk)
    other = near.order_by("rings_at").first()
    if other is None or other.rings_at is None:
        return []
    shown = f"{timezone.localtime(other.rings_at, zone):%Y-%m-%d %H:%M}"
    return [("rings_at", _("Another reminder rings this number at %s; the rules keep calls apart.") % shown)]


# --- asking ------------------------------------------------------------------------------


def ask(
    *,
    connection: BotConnection,
    contact: Contact,
    number: str,
    rings_at: datetime,
    title: str,
    by: Any,
    nonce: str,
    transfer_to: str = "",
) -> Alarm:
    """A reminder for a contact. The same ``nonce`` twice is one reminder. Raises ``Refused``."""
    token = _uuid(nonce)
    before = Alarm.objects.filter(nonce=token).first()
    if before is not None:
        return before
    if not by.has_perm("bot_campaigns.add_alarm"):
        raise Refused(_("Your role does not make reminder calls."))
    if not connection.is_active or choice_of(connection) is None:
        raise Refused(_("An admin has to set up reminder calls for this connection first."), "connection")
    e164 = suppression.canonical(number)
    if e164 not in numbers_of(contact):
        raise Refused(_("Choose one of the contact's numbers."), "number")
    if not title.strip():
        raise Refused(_("Say what the call is about."), "title")
    transfer = suppression.canonical(transfer_to) if transfer_to.strip() else ""
    if transfer_to.strip() and not transfer:
        raise Refused(_("“%s” is not a valid phone number.") % transfer_to.strip()[:40], "transfer_to")
    now = timezone.now()
    if rings_at <= now:
        raise Refused(_("That moment has passed. A reminder dated in the past never rings."), "rings_at")
    if rings_at > now + FARTHEST:
        raise Refused(_("A reminder can be at most a year ahead."), "rings_at")
    with transaction.atomic():
        BotConnection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
        forbidden = problems(connection=connection, e164=e164, rings_at=rings_at, contact=contact)
        if forbidden:
            field, words = forbidden[0]
            raise Refused(words, field)
        try:
            with transaction.atomic():
                alarm = Alarm.objects.create(
                    connection=connection, number=as_dialled(e164), e164=e164, contact=contact,
                    title=title.strip()[:200], rings_at=rings_at, asked_by=by, nonce=token,
                    transfer_to=as_dialled(transfer) if transfer else "", progress=Progress.WAITING,
                    not_before=database_now(), steps={"code": _code()},
                )  # fmt: skip
        except IntegrityError:
            return Alarm.objects.get(nonce=token)
        audit.record("reminder.ask", alarm, by=by, summary=alarm.title, contact=contact.pk)
        ring(alarm.pk)
    return alarm


def _uuid(nonce: str) -> uuid.UUID:
    try:
        return uuid.UUID(nonce)
    except ValueError:
        return uuid.uuid4()


def _code() -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _turn in range(8))


def numbers_of(contact: Contact) -> list[str]:
    """The contact's valid numbers, each once."""
    return list(dict.fromkeys(row.e164 for row in contact.phones.all() if row.e164))


def ring(pk: int) -> None:
    """Wake a worker for this reminder after commit."""
    bell.ring(SEND_TASK, pk, on="push")


def drop(alarm: Alarm, *, by: Any) -> None:
    """Give a reminder up while it is still here. Raises ``Refused``."""
    with transaction.atomic():
        dropped = droppable(Alarm.objects.filter(pk=alarm.pk)).update(
            progress=Progress.CANCELLED, words=_("Dropped by %s.") % by, lease_token=None, lease_until=None
        )
        if not dropped:
            raise Refused(_("It is on its way or at AntBOT already and cannot be taken back."))
        audit.record("reminder.drop", alarm, by=by, summary=alarm.title)


def droppable(alarms: QuerySet[Alarm]) -> QuerySet[Alarm]:
    """Reminders of which certainly nothing that rings has left."""
    return alarms.filter(progress=Progress.WAITING, remote_id__isnull=True)


def can_drop(alarm: Alarm) -> bool:
    return alarm.progress == Progress.WAITING and alarm.remote_id is None


def goes_out_at(alarm: Alarm) -> datetime | None:
    """When it is handed to AntBOT; None once it was."""
    if alarm.progress != Progress.WAITING or alarm.rings_at is None:
        return None
    return alarm.rings_at - LEAD


def of_contact(contact: Contact, e164s: Sequence[str]) -> QuerySet[Alarm]:
    """The reminders of a contact, by itself or by its numbers."""
    return Alarm.objects.filter(Q(contact=contact) | (Q(e164__in=e164s) & ~Q(e164="")))
