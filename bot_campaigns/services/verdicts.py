"""Who may be called and who not, decided for thousands of numbers at once.

Each reason is one set-based question per chunk. ``Judge`` asks them in the order in
which a pre-flight names them; the hand-over and the recall ask the same ones again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from bot_campaigns import rules as arithmetic
from bot_campaigns.models import BotContact, Call, CallingRules, Campaign, Launch, LaunchNumber, Suppression
from bot_campaigns.records import ReportedStatus
from bot_campaigns.rules import Window
from bot_campaigns.services import suppression
from bot_campaigns.services.sets import ids, texts
from crm_bridge.models import Contact, ContactChange, ContactTag

Verdict = LaunchNumber.Verdict

EXPIRY_SLACK = timedelta(hours=1)
"""The vendor ends an expired campaign late, and retries may still be queued."""

_FINISHED = (ReportedStatus.ENDED, ReportedStatus.COMPLETED)
_UNDER_WAY = (
    Launch.Status.HANDING_OVER, Launch.Status.READY, Launch.Status.STARTED, Launch.Status.HELD,
)  # fmt: skip
_OF_STATE = {
    Contact.State.TRASHED: Verdict.TRASHED,
    Contact.State.MERGED: Verdict.MERGED,
    Contact.State.MISSING: Verdict.MISSING,
}


@dataclass(slots=True)
class Pick:
    """One row of an audience on its way to a verdict."""

    number: str
    e164: str
    contact_id: int | None = None
    name: str = ""
    email: str = ""
    verdict: str = ""
    reason: str = ""

    def refuse(self, verdict: str, reason: str = "") -> None:
        self.verdict, self.reason = verdict, reason[:300]


# --- one question each -------------------------------------------------------------------


def contact_verdicts(contact_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Contacts that are not live, or are being deleted: (verdict, reason)."""
    found: dict[int, tuple[str, str]] = {}
    states = Contact.objects.filter(pk__in=ids(contact_ids)).exclude(state=Contact.State.LIVE)
    for pk, state, since in states.order_by().values_list("pk", "state", "state_since"):
        shown = date_format(timezone.localtime(since), "j M Y") if since else ""
        found[pk] = (_OF_STATE[Contact.State(state)], _("since %s") % shown if shown else "")
    leaving = ContactChange.objects.filter(
        contact_id__in=ids(contact_ids), operation="delete", status__in=ContactChange.OPEN
    )
    for pk in leaving.order_by().values_list("contact_id", flat=True):
        found.setdefault(pk, (Verdict.TRASHED, _("being deleted in the CRM")))
    return found


def consenting(contact_ids: Collection[int], rules: CallingRules) -> set[int]:
    """Contacts that carry the tag which states consent; nobody does when none is named."""
    if not rules.consent_tag.strip():
        return set()
    tagged = ContactTag.objects.filter(contact_id__in=ids(contact_ids), tag__name=rules.consent_tag.strip())
    return set(tagged.values_list("contact_id", flat=True))


def last_called(e164s: Collection[str], since: datetime) -> dict[str, datetime]:
    """When each number was last called, for those called since; by whatever campaign or account."""
    calls = Call.objects.filter(e164__in=texts(e164s)).annotate(at=Coalesce("started_at", "seen_at"))
    last = calls.filter(at__gte=since).order_by().values_list("e164").annotate(last=Max("at"))
    return dict(last)


def live_campaigns(at: datetime) -> QuerySet[Campaign]:
    """Campaigns that dial or may dial again; only the vendor's "ended" and "completed" are sure."""
    campaigns = Campaign.objects.filter(gone_at__isnull=True).exclude(reported_status__in=_FINISHED)
    return campaigns.exclude(expires_at__lt=at - EXPIRY_SLACK)


class Busy:
    """Numbers that another campaign or launch has, whoever made it."""

    def __init__(self, at: datetime, *, but: Launch | None = None) -> None:
        campaigns = live_campaigns(at)
        launches = Launch.objects.filter(status__in=_UNDER_WAY).filter(
            Q(campaign__isnull=True) | Exists(campaigns.filter(pk=OuterRef("campaign_id")))
        )
        if but is not None:
            # before its id is known, a campaign of this launch is told by the code in its name
            campaigns = campaigns.exclude(launches=but.pk).exclude(name__contains=but.code)
            launches = launches.exclude(pk=but.pk)
        self._launches = dict(launches.values_list("pk", "name"))
        self._phonebooks: dict[int, str] = {
            book: name
            for book, name in campaigns.order_by("pk").values_list("phonebooks", "name")
            if book is not None
        }

    def among(self, e164s: Collection[str]) -> dict[str, str]:
        """Number → name of the campaign that has it."""
        found: dict[str, str] = {}
        if self._phonebooks:
            rows = BotContact.objects.filter(e164__in=texts(e164s), is_enabled=True, gone_at__isnull=True)
            rows = rows.exclude(e164="")  # what the index leaves out
            for e164, book in rows.order_by().values_list("e164", "phonebook_id"):
                if book in self._phonebooks:
                    found[e164] = self._phonebooks[book]
        if self._launches:
            taken = LaunchNumber.objects.filter(e164__in=texts(e164s), verdict=Verdict.DIAL)
            taken = taken.exclude(withdrawal=LaunchNumber.Withdrawal.DONE)
            for e164, launch in taken.order_by().values_list("e164", "launch_id"):
                if launch in self._launches:
                    found[e164] = self._launches[launch]
        return found


# --- all of them -------------------------------------------------------------------------


class Judge:
    """Verdicts for the audience of one launch. Remembers which numbers were taken."""

    def __init__(
        self, launch: Launch, rules: CallingRules, at: datetime, windows: Sequence[Window] = ()
    ) -> None:
        self.rules = rules
        self.windows = windows
        hours = max(launch.not_called_days * 24, rules.hours_between_calls)
        self.called_since = at - timedelta(hours=hours) if hours else None
        self.busy = Busy(at, but=launch)
        self._taken: set[str] = set()
        self._zones: dict[tuple[str, ...], bool] = {}

    def judge(self, picks: Sequence[Pick]) -> None:
        """Give every pick that has none its verdict; the first reason in order wins."""
        contacts = {pick.contact_id for pick in picks if pick.contact_id is not None}
        not_live = contact_verdicts(contacts)
        for pick in picks:
            if pick.verdict:
                continue
            if pick.contact_id in not_live:
                pick.refuse(*not_live[pick.contact_id])
            elif not pick.e164:
                pick.refuse(Verdict.NO_NUMBER, _("not a valid number") if pick.number else _("no number"))
            elif pick.e164 in self._taken:
                pick.refuse(Verdict.DUPLICATE, _("the number stands earlier in this audience"))
            else:
                self._taken.add(pick.e164)
        self._judge_numbers([pick for pick in picks if not pick.verdict], contacts)

    def _judge_numbers(self, picks: Sequence[Pick], contacts: Collection[int]) -> None:
        numbers = [pick.e164 for pick in picks]
        silent = suppression.suppressed(numbers)
        consent = consenting(contacts, self.rules) if self.rules.consent_required else set()
        called = last_called(numbers, self.called_since) if self.called_since else {}
        busy = self.busy.among(numbers)
        for pick in picks:
            if row := silent.get(pick.e164):
                pick.refuse(Verdict.SUPPRESSED, since_words(row))
            elif self.rules.consent_required and pick.contact_id not in consent:
                pick.refuse(
                    Verdict.NO_CONSENT, self.rules.consent_tag and _("no tag “%s”") % self.rules.consent_tag
                )
            elif pick.e164 in called:
                shown = date_format(
                    timezone.localtime(called[pick.e164], arithmetic.zone(self.rules.zone)), "j M Y, H:i"
                )
                pick.refuse(Verdict.CALLED, _("last called %s") % shown)
            elif pick.e164 in busy:
                pick.refuse(Verdict.RUNNING, _("in “%s”") % busy[pick.e164])
            elif not self._suits(pick.e164):
                zones = ", ".join(arithmetic.zones_of(pick.e164)) or _("unknown zone")
                pick.refuse(Verdict.ZONE, zones)
            else:
                pick.verdict = Verdict.DIAL

    def _suits(self, e164: str) -> bool:
        """Whether the campaign dials only at hours allowed where this number is."""
        zones = arithmetic.zones_of(e164)
        if zones not in self._zones:
            self._zones[zones] = bool(zones) and arithmetic.fits(self.rules, zones, self.windows)
        return self._zones[zones]


def since_words(row: Suppression) -> str:
    """ "since 12 Oct 2026: asked not to be called"."""
    day = date_format(timezone.localtime(row.since), "j M Y")
    return _("since %(day)s: %(why)s") % {"day": day, "why": row.reason or row.get_source_display()}
