"""Taking back numbers that were handed over and must not be called any more.

``sweep`` looks every few seconds at what may still be dialled; ``withdraw_numbers`` says
at once what somebody just suppressed. A number is withdrawn when the bot shows its row as
inactive; one whose call had begun by then is listed as too late. Where that does not work
within a minute the campaign is paused.
"""

import logging
from collections.abc import Collection, Iterable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.remote.errors import RemoteError
from backoffice.sync import bell
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import BotConnection, BotContact, Launch, LaunchNumber, Suppression
from bot_campaigns.records import SubscriberStatus
from bot_campaigns.services import commands, connecting, preflight
from bot_campaigns.services.suppression import chunks
from bot_campaigns.services.verdicts import live_campaigns
from crm_bridge.models import Contact, ContactChange

logger = logging.getLogger(__name__)

WITHIN = timedelta(seconds=60)
"""A number that could not be taken back by then pauses its campaign."""
WITHDRAW_TASK = "bot_campaigns.tasks.withdraw"
_UNTOUCHED = (SubscriberStatus.PENDING, SubscriberStatus.PAUSED, SubscriberStatus.ABORTED)
_HANDED = (
    Launch.Status.HANDING_OVER, Launch.Status.READY, Launch.Status.STARTED, Launch.Status.HELD,
    Launch.Status.CANCELLED,
)  # fmt: skip

Withdrawal = LaunchNumber.Withdrawal


def exposed(at: datetime) -> QuerySet[LaunchNumber]:
    """Numbers at the bot that may still be dialled."""
    live = live_campaigns(at).filter(pk=OuterRef("launch__campaign_id"))
    handed = LaunchNumber.objects.filter(
        Q(launch__campaign__isnull=True) | Exists(live),
        verdict=LaunchNumber.Verdict.DIAL,
        handed_at__isnull=False,
        launch__status__in=_HANDED,
    )
    return handed.filter(withdrawal__in=(Withdrawal.NONE, Withdrawal.ASKED))


def sweep() -> dict[str, int]:
    """Find and take back what must not be called; every few seconds, one query when nothing is live."""
    now = timezone.now()
    rows = exposed(now)
    if not rows.exists():
        return {"asked": 0, "withdrawn": 0}
    asked = _find(rows, now)
    return {"asked": asked, "withdrawn": carry_out()}


def withdraw_numbers(e164s: Iterable[str], reason: str) -> int:
    """Mark numbers to be taken back wherever they are exposed, and ring a worker. No HTTP here."""
    asked = 0
    for chunk in chunks(e164s):
        rows = exposed(timezone.now()).filter(e164__in=set(chunk), withdrawal=Withdrawal.NONE)
        asked += _ask(rows.values_list("pk", flat=True), reason)
    if asked:
        bell.ring(WITHDRAW_TASK, on="control")
    return asked


def _find(rows: QuerySet[LaunchNumber], at: datetime) -> int:
    """Mark what the rules refuse since it was handed over."""
    asked = 0
    standing = Suppression.objects.standing().filter(e164=OuterRef("e164"))
    leaving = ContactChange.objects.filter(
        contact=OuterRef("contact_id"), operation="delete", status__in=ContactChange.OPEN
    )
    gone = Q(contact__isnull=False) & ~Q(contact__state=Contact.State.LIVE)
    untold = rows.filter(withdrawal=Withdrawal.NONE)
    launches = Launch.objects.filter(pk__in=untold.order_by().values("launch")).select_related("connection")
    for launch in launches:
        mine = untold.filter(launch=launch)
        if not preflight.rules_of(launch.connection).consent_required:
            mine = mine.filter(Q(Exists(standing)) | Q(Exists(leaving)) | gone)
        for chunk in chunks(mine.order_by("pk").values_list("pk", "e164")):
            numbers = dict((e164, pk) for pk, e164 in chunk)
            refused = preflight.refusals(numbers.keys(), launch.connection, at, launch=launch, calls=False)
            for e164, (verdict, words) in refused.items():
                asked += _ask([numbers[e164]], words or LaunchNumber.Verdict(verdict).label)
    return asked


def _ask(pks: Iterable[int], reason: Any) -> int:
    rows = LaunchNumber.objects.filter(pk__in=list(pks), withdrawal=Withdrawal.NONE)
    return rows.update(
        withdrawal=Withdrawal.ASKED, withdrawal_reason=str(reason)[:300], withdrawal_at=timezone.now()
    )


# --- doing it ----------------------------------------------------------------------------


def carry_out() -> int:
    """Take back everything that is asked for; what does not work in time pauses its campaign."""
    asked = LaunchNumber.objects.filter(withdrawal=Withdrawal.ASKED)
    done = 0
    connections = BotConnection.objects.filter(pk__in=asked.order_by().values("launch__connection"))
    for connection in connections:
        rows = list(
            asked.filter(launch__connection=connection)
            .select_related("launch__campaign", "launch__phonebook")
            .order_by("withdrawal_at", "pk")[:500]
        )
        try:
            with closing(connecting.connect_to(connection, urgent=True)) as bot:
                done += _withdraw_all(bot, rows)
        except RemoteError as error:
            connecting.note_trouble(connection, error)
    _pause_overdue(asked)
    return done


def _withdraw_all(bot: AntBotConnector, rows: Collection[LaunchNumber]) -> int:
    """One after the other; one that fails holds up none of the others."""
    done, failed = 0, 0
    for row in rows:
        try:
            outcome = _withdraw(bot, row)
        except RemoteError as error:
            logger.warning("a number of launch %s could not be withdrawn: %s", row.launch_id, error)
            failed += 1
            if failed >= 3:  # the bot is in trouble, not the number
                raise
            continue
        if outcome is not None:
            done += 1
            _finished(row, outcome)
    return done


def _withdraw(bot: AntBotConnector, row: LaunchNumber) -> "Withdrawal | None":
    """Switch the row off at the bot and see it switched off; None while that is not seen."""
    for remote_id in _ids(bot, row):
        bot.withdraw_contact(remote_id)
        shown = bot.contact(remote_id)
        if shown is not None and shown.active is not False:
            return None
        row.bot_contact_id = remote_id
    if not row.bot_contact_id:
        return None
    return Withdrawal.TOO_LATE if _dialled(bot, row) else Withdrawal.DONE


def _ids(bot: AntBotConnector, row: LaunchNumber) -> list[str]:
    """The bot's ids of a handed-over number, from our rows or looked up."""
    if row.bot_contact_id:
        return [row.bot_contact_id]
    book = row.launch.phonebook
    if book is None or not book.remote_id:
        return []
    mirrored = BotContact.objects.filter(phonebook=book, e164=row.e164, remote_id__isnull=False)
    if found := [each for each in mirrored.values_list("remote_id", flat=True) if each]:
        return found
    from bot_campaigns.services.handover import as_dialled

    walk = bot.contacts(phonebook_id=book.remote_id, search=as_dialled(row.e164))
    return [
        each.remote_id
        for each in walk.read_all(most_pages=50)
        if each.e164 == row.e164 and each.phonebook_id in ("", book.remote_id)
    ]


def _dialled(bot: AntBotConnector, row: LaunchNumber) -> bool:
    """Its call was made, or is reserved and cannot be held back any more."""
    campaign = row.launch.campaign
    if campaign is None or not campaign.remote_id:
        return False
    from bot_campaigns.services.handover import as_dialled

    walk = bot.subscribers(campaign_id=campaign.remote_id, number=as_dialled(row.e164))
    mine = [
        each
        for each in walk.read_all(most_pages=50)
        if row.e164 == each.e164 or (each.contact_id and each.contact_id == row.bot_contact_id)
    ]
    return any(each.attempts or (each.status or 0) not in _UNTOUCHED for each in mine)


def _finished(row: LaunchNumber, outcome: "Withdrawal") -> None:
    changed = LaunchNumber.objects.filter(pk=row.pk, withdrawal=Withdrawal.ASKED).update(
        withdrawal=outcome, withdrawal_at=timezone.now(), bot_contact_id=row.bot_contact_id
    )
    if changed:
        audit.record(
            "launch.withdraw", row.launch, by=None, summary=row.withdrawal_reason, row=row.pk, outcome=outcome
        )
    BotContact.objects.filter(connection_id=row.launch.connection_id, remote_id=row.bot_contact_id).update(
        is_enabled=False
    )


def _pause_overdue(asked: QuerySet[LaunchNumber]) -> None:
    late = asked.filter(withdrawal_at__lt=timezone.now() - WITHIN, launch__campaign__isnull=False)
    for launch in Launch.objects.filter(pk__in=late.order_by().values("launch")).select_related("campaign"):
        if launch.campaign is not None:
            commands.pause_for(
                launch.campaign,
                _("A number that must not be called could not be withdrawn within %d seconds.")
                % WITHIN.total_seconds(),
            )
