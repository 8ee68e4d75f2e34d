"""Audiences: who is picked, streamed in chunks and written down with a verdict each.

A draft is picked afresh at every check; once a launch is confirmed its rows are
frozen. The rows of an uploaded file are kept instead of the file.
"""

import uuid
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, BinaryIO

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.sync.bulk import bulk
from bot_campaigns import outcomes
from bot_campaigns.models import BotContact, Call, Campaign, Launch, LaunchNumber, Phonebook, Subscriber
from bot_campaigns.records import SubscriberStatus
from bot_campaigns.services import number_files
from bot_campaigns.services.sets import chunks, ids, texts
from bot_campaigns.services.suppression import canonical
from bot_campaigns.services.verdicts import Judge, Pick, Verdict
from crm_bridge.browse import Browser
from crm_bridge.filters import ContactFilter
from crm_bridge.models import Contact, ContactEmail, ContactPhone
from crm_bridge.search import MOST_MATCHES

CHUNK = 2_000
LEASE = timedelta(minutes=10)
MOST_ERRORS_SHOWN = 200

REACHED = (SubscriberStatus.SENT, SubscriberStatus.COMPLETED)
REFUSED_BY_BOT = SubscriberStatus.NOT_AUTHORIZED
ANSWERED = outcomes.words_of(outcomes.ANSWERED)
"""What the report says of an answered call; older rows carry the raw cause."""

_ALIVE_FIRST = (
    Contact.State.LIVE, Contact.State.MISSING, Contact.State.MERGED, Contact.State.TRASHED,
)  # fmt: skip
_COLUMNS = ("launch_id", "contact_id", "number", "e164", "name", "email", "verdict", "reason")
_EMPTY = ("bot_contact_id", "withdrawal", "withdrawal_reason")


class Unusable(ValueError):
    """The audience cannot be picked as described; the message says why."""


class Frozen(Unusable):
    """Confirmed, or under another check right now."""


@dataclass
class Upload:
    """What an uploaded file held."""

    rows: int = 0
    errors: list[tuple[int, str, str]] = field(default_factory=list)
    """(row of the file, what stands there, message): the first of those that cannot be called."""


# --- freezing ----------------------------------------------------------------------------


def freeze(launch: Launch, judge: Judge) -> None:
    """Replace the rows of a draft by what its audience holds now, each with its verdict.

    In small transactions, so that nobody waits for a large audience: the caller holds
    the launch's lease, and no number counts before the check is complete.
    """
    if launch.audience == Launch.Audience.UPLOAD:
        _judge_again(launch, judge)
        return
    picks = _SOURCES[Launch.Audience(launch.audience)](launch)
    _clear(launch)
    for chunk in chunks(picks, CHUNK):
        judge.judge(chunk)
        with transaction.atomic():
            _write(launch, chunk)


def take_file(launch: Launch, *, file: BinaryIO, name: str) -> Upload:
    """Read an uploaded file into the rows of a draft; raises ``Unreadable`` and then keeps nothing."""
    found = Upload()
    with drafting(launch), transaction.atomic():
        _clear(launch)
        for rows in chunks(number_files.read(file, name), CHUNK):
            _write(launch, [_pick_of(row) for row in rows])
            found.rows += len(rows)
            for row in rows:
                if len(found.errors) < MOST_ERRORS_SHOWN and not canonical(row.number):
                    words = _("This is not a valid phone number.") if row.number else _("There is no number.")
                    found.errors.append((row.line, row.number, words))
    return found


def _pick_of(row: number_files.NumberRow) -> Pick:
    """Not to be dialled before it is checked, whatever the number."""
    e164 = canonical(row.number)
    return Pick(row.number[:120], e164, None, row.name[:200], row.email[:320], Verdict.NO_NUMBER)


@contextmanager
def drafting(launch: Launch) -> Iterator[uuid.UUID]:
    """Hold the launch as a draft under a lease: one check or upload at a time, none once confirmed."""
    token, now = uuid.uuid4(), timezone.now()
    drafts = Launch.objects.filter(
        pk=launch.pk, status__in=(Launch.Status.DRAFT, Launch.Status.CHECKED), confirmed_at__isnull=True
    )
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    claimed = drafts.filter(free).update(
        status=Launch.Status.DRAFT, checked_at=None, lease_token=token, lease_until=now + LEASE
    )
    if not claimed:
        frozen = not drafts.exists()
        raise Frozen(
            _("This launch was confirmed: its audience is frozen.")
            if frozen
            else _("This launch is being checked already. Wait a moment.")
        )
    try:
        yield token
    finally:
        Launch.objects.filter(pk=launch.pk, lease_token=token).update(lease_token=None, lease_until=None)
        launch.refresh_from_db()


def _clear(launch: Launch) -> None:
    with transaction.atomic():
        LaunchNumber.objects.filter(launch=launch)._raw_delete("default")


def _write(launch: Launch, picks: Sequence[Pick]) -> None:
    rows = [
        (launch.pk, pick.contact_id, pick.number, pick.e164, pick.name, pick.email, pick.verdict, pick.reason)
        + ("",) * len(_EMPTY)
        for pick in picks
    ]
    bulk().insert(LaunchNumber._meta.db_table, (*_COLUMNS, *_EMPTY), rows)


def _judge_again(launch: Launch, judge: Judge) -> None:
    """Rows of a file, read earlier: written anew with today's verdicts, in the same order."""
    rows = LaunchNumber.objects.filter(launch=launch).order_by("pk")
    last = rows.values_list("pk", flat=True).last()
    if last is None:
        raise Unusable(_("Upload a file of numbers first."))
    # the old rows must not stand in the way of the new ones, one "to dial" per number
    rows.filter(verdict=Verdict.DIAL).update(verdict=Verdict.NO_NUMBER)
    old = rows.filter(pk__lte=last)
    while chunk := list(old.values_list("pk", "number", "e164", "name", "email")[:CHUNK]):
        picks = [Pick(number, e164, None, name, email) for _pk, number, e164, name, email in chunk]
        _link(picks)
        judge.judge(picks)
        with transaction.atomic():
            old.filter(pk__lte=chunk[-1][0])._raw_delete("default")
            _write(launch, picks)


# --- sources -----------------------------------------------------------------------------


def _of_contacts(launch: Launch) -> Iterator[Pick]:
    return contact_picks(_ids(launch.audience_spec.get("ids", [])))


def _of_filter(launch: Launch) -> Iterator[Pick]:
    contacts = filtered(launch.audience_spec.get("query", ""))
    # all at once: the list must not move while it is picked; 8 bytes each
    return contact_picks(array("q", contacts.order_by("pk").values_list("pk", flat=True).iterator()))


def filtered(query: str) -> QuerySet[Contact]:
    """Exactly the contacts that the contact list shows for this query string.

    A filter that the list would leave out as wrong is refused here: leaving it out
    means calling everybody.
    """
    values = QueryDict(query)
    contact_filter = ContactFilter(values or None)
    if contact_filter.form.is_bound and not contact_filter.form.is_valid():
        fields = contact_filter.form.fields
        wrong = ", ".join(str(fields[name].label or name) for name in contact_filter.form.errors)
        raise Unusable(_("These filters of the contact list cannot be used: %s.") % wrong)
    browser = Browser(
        contact_filter.qs,
        walk=contact_filter.walkable,
        search=contact_filter.search,
        way=values.get("by", ""),
    )
    contacts = browser.matching()
    if contact_filter.search and contacts.count() >= MOST_MATCHES:
        raise Unusable(_("The search finds more than %d contacts: narrow it down.") % MOST_MATCHES)
    return contacts


def _of_phonebook(launch: Launch) -> Iterator[Pick]:
    books = Phonebook.objects.filter(connection=launch.connection)
    book = books.filter(pk=launch.audience_spec.get("phonebook")).first()
    if book is None:
        raise Unusable(_("The phonebook does not exist on this connection."))
    rows = BotContact.objects.filter(phonebook=book, is_enabled=True, gone_at__isnull=True)
    return _bot_picks(rows)


def _bot_picks(rows: QuerySet[BotContact]) -> Iterator[Pick]:
    for chunk in _by_key(rows, "number", "e164", "contact_id", "first_name", "last_name", "email"):
        picks = [
            Pick(number, e164, contact, _full_name(first, last), email)
            for number, e164, contact, first, last, email in chunk
        ]
        _link(picks)
        yield from picks


def _by_key(rows: QuerySet[Any], *columns: str) -> Iterator[list[tuple[Any, ...]]]:
    """Chunks of columns by primary key: no cursor stays open while others write."""
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", *columns)[:CHUNK]):
        last = chunk[-1][0]
        yield [row[1:] for row in chunk]


def _full_name(first: str | None, last: str | None) -> str:
    return f"{last or ''} {first or ''}".strip()[:200]


def _of_unreached(launch: Launch) -> Iterator[Pick]:
    campaign = Campaign.objects.filter(
        connection=launch.connection, pk=launch.audience_spec.get("campaign")
    ).first()
    if campaign is None:
        raise Unusable(_("The campaign does not exist on this connection."))
    return _unreached_picks(campaign)


def _unreached_picks(campaign: Campaign) -> Iterator[Pick]:
    """Whom the campaign did not reach, by its report, its calls and what was handed over to it."""
    subscribers = Subscriber.objects.filter(campaign=campaign)
    person = ("bot_contact__first_name", "bot_contact__last_name", "bot_contact__email")
    open_ = subscribers.exclude(status__in=(*REACHED, REFUSED_BY_BOT))
    for chunk in _by_key(open_, "number", "e164", "contact_id", *person):
        picks = [
            Pick(number, e164, contact, _full_name(first, last), email or "")
            for number, e164, contact, first, last, email in chunk
        ]
        yield from _without(_reached(campaign, picks), picks)
    handed = LaunchNumber.objects.filter(
        launch__campaign=campaign, verdict=Verdict.DIAL, handed_at__isnull=False, withdrawal=""
    )
    for chunk in _by_key(handed, "number", "e164", "contact_id", "name", "email"):
        picks = [Pick(*row) for row in chunk]
        known = subscribers.filter(e164__in=texts(pick.e164 for pick in picks)).values_list("e164", flat=True)
        yield from _without(_reached(campaign, picks) | set(known), picks)


def _reached(campaign: Campaign, picks: Sequence[Pick]) -> set[str]:
    """Numbers that answered a call of the campaign, whatever the subscriber's state says."""
    answered = Q(disposition__in=ANSWERED) | Q(endpoint_disposition__in=ANSWERED, billsec__gt=0)
    calls = Call.objects.filter(campaign=campaign, e164__in=texts(pick.e164 for pick in picks if pick.e164))
    return set(calls.filter(answered).order_by().values_list("e164", flat=True))


def _without(numbers: set[str], picks: Sequence[Pick]) -> Iterator[Pick]:
    _link(kept := [pick for pick in picks if pick.e164 not in numbers])
    yield from kept


_SOURCES = {
    Launch.Audience.CONTACTS: _of_contacts,
    Launch.Audience.FILTER: _of_filter,
    Launch.Audience.PHONEBOOK: _of_phonebook,
    Launch.Audience.UNREACHED: _of_unreached,
}


# --- contacts ----------------------------------------------------------------------------


def _ids(values: Iterable[object]) -> list[int]:
    chosen = [int(str(value)) for value in values if str(value).isdecimal()]
    if not chosen:
        raise Unusable(_("No contact was chosen."))
    return chosen


def contact_picks(wanted: Iterable[int]) -> Iterator[Pick]:
    """Contacts by id, each with its first valid number; one that is no more counts as missing."""
    for chunk in chunks(wanted, CHUNK):
        names = dict(Contact.objects.filter(pk__in=ids(chunk)).order_by().values_list("pk", "name"))
        phones: dict[int, tuple[str, str]] = {}
        rows = ContactPhone.objects.filter(contact_id__in=ids(chunk)).order_by("contact_id", "position", "id")
        for contact, value, e164 in rows.values_list("contact_id", "value", "e164"):
            if contact not in phones or (e164 and not phones[contact][1]):
                phones[contact] = (value, e164)
        emails: dict[int, str] = {}
        mails = ContactEmail.objects.filter(contact_id__in=ids(chunk)).order_by(
            "contact_id", "position", "id"
        )
        for contact, value in mails.values_list("contact_id", "value"):
            emails.setdefault(contact, value)
        for pk in chunk:
            number, e164 = phones.get(pk, ("", ""))
            if pk in names:
                yield Pick(number[:120], e164, pk, names[pk][:200], emails.get(pk, ""))
            else:
                yield Pick("", "", None, "", "", Verdict.MISSING, _("contact %d is not here any more") % pk)


def _link(picks: Sequence[Pick]) -> None:
    """Tie numbers to the contact that has them, a live one before all others."""
    wanted = {pick.e164 for pick in picks if pick.e164 and pick.contact_id is None}
    if not wanted:
        return
    best: dict[str, tuple[int, int]] = {}
    phones = ContactPhone.objects.filter(e164__in=texts(wanted)).exclude(e164="").order_by()
    for e164, contact, state in phones.values_list("e164", "contact_id", "contact__state"):
        rank = (_ALIVE_FIRST.index(Contact.State(state)), contact)
        if e164 not in best or rank < best[e164]:
            best[e164] = rank
    for pick in picks:
        if pick.contact_id is None and pick.e164 in best:
            pick.contact_id = best[pick.e164][1]
