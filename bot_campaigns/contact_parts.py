"""What the campaigns add to the page of a contact: calls, suppressions, reminders.

A call belongs to the contact that had the number when it was read, and is shown to whoever
has the number now: so nothing is missing after a merge, a deletion or a new import.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from bot_campaigns import outcomes
from bot_campaigns.labels import number_text, seconds
from bot_campaigns.models import Call, Suppression
from bot_campaigns.services import reminders, suppression
from bot_campaigns.tables.calls import CallTable
from bot_campaigns.tables.desk import about, reminder_state
from crm_bridge import parts
from crm_bridge.models import Contact
from crm_bridge.phones import display
from crm_bridge.timeline import Event

CALLS_SHOWN = 50
COUNT_TO = 1_000


def register() -> None:
    """Called once, when the app is ready."""
    tab = parts.Tab("calls", "bot_campaigns.view_call", label=_label, show=_calls)
    parts.register(parts.Part(tabs=(tab,), notices=_notices, buttons=_buttons, events=_events))


def calls_of(contact: Contact) -> "QuerySet[Call]":
    """The contact's own calls and those of its numbers."""
    numbers = reminders.numbers_of(contact)
    mine = Q(contact=contact)
    return Call.objects.filter(mine | Q(e164__in=numbers) if numbers else mine)


def _label(contact: Contact) -> str:
    count = calls_of(contact).order_by()[: COUNT_TO + 1].count()
    if count > COUNT_TO:
        return _("Calls (more than %d)") % COUNT_TO
    return _("Calls (%d)") % count if count else _("Calls")


def _calls(contact: Contact, request: Any) -> parts.Fragment:
    rows = calls_of(contact).order_by("-started_at", "-id")[: CALLS_SHOWN + 1]
    found = list(rows.select_related("campaign").defer("raw", "campaign__raw"))
    table = CallTable(
        found[:CALLS_SHOWN],
        order_by=(),
        exclude=("contact",),
        links_campaigns=request.user.has_perm("bot_campaigns.view_campaign"),
    )
    numbers = reminders.numbers_of(contact)
    more = f"{reverse('bot:calls')}?{urlencode({'q': numbers[0]})}" if numbers else reverse("bot:calls")
    context = {"table": table, "found": found, "more": len(found) > CALLS_SHOWN, "all": more}
    return parts.Fragment("bot_campaigns/contact_calls.html", context)


def _notices(contact: Contact, request: Any) -> parts.Fragment | None:
    """Each of the contact's numbers that must not be called, with its oldest reason."""
    if not request.user.has_perm("bot_campaigns.view_suppression"):
        return None
    found = suppression.suppressed(reminders.numbers_of(contact))
    if not found:
        return None
    rows: list[tuple[str, Suppression]] = [(display(e164, e164), row) for e164, row in found.items()]
    return parts.Fragment("bot_campaigns/contact_suppressed.html", {"rows": rows})


def _buttons(contact: Contact, request: Any) -> parts.Fragment | None:
    user = request.user
    numbers = reminders.numbers_of(contact)
    silent = suppression.suppressed(numbers)
    free = [each for each in numbers if each not in silent]
    return parts.Fragment(
        "bot_campaigns/contact_buttons.html",
        {
            "remind": reverse("bot:reminder_new", args=[contact.pk])
            if user.has_perm("bot_campaigns.add_alarm")
            else "",
            "why_not": _why_no_reminder(contact, numbers, free),
            "suppress": _suppress_address(contact, free)
            if free and user.has_perm("bot_campaigns.add_suppression")
            else "",
        },
    )


def _why_no_reminder(contact: Contact, numbers: list[str], free: list[str]) -> str:
    if contact.state != Contact.State.LIVE:
        return _("Only a live contact can be reminded.")
    if not numbers:
        return _("This contact has no valid phone number.")
    return "" if free else _("No number of this contact may be called.")


def _suppress_address(contact: Contact, numbers: list[str]) -> str:
    here = reverse("admin:crm_bridge_contact_change", args=[contact.pk])
    query = urlencode({"number": display(numbers[0], numbers[0]), "next": here})
    return f"{reverse('bot:suppression_add')}?{query}"


def _events(contact: Contact, request: Any, limit: int) -> Iterable[Event]:
    user = request.user
    if user.has_perm("bot_campaigns.view_call"):
        rows = calls_of(contact).exclude(started_at=None).order_by("-started_at", "-id")[:limit]
        for call in rows.select_related("campaign").defer("raw", "campaign__raw"):
            yield _call_event(call)
    if user.has_perm("bot_campaigns.view_alarm"):
        alarms = reminders.of_contact(contact, reminders.numbers_of(contact))
        for alarm in alarms.select_related("asked_by", "event").order_by("-created_at")[:limit]:
            tone, words = reminder_state(alarm)
            yield Event(
                alarm.created_at, "alarm", _("Reminder: %s") % about(alarm),
                who=alarm.asked_by.get_username() if alarm.asked_by else "",
                state=tone, state_label=words, words=alarm.words,
                url=reverse("bot:reminder", args=[alarm.pk]),
            )  # fmt: skip


def _call_event(call: Call) -> Event:
    by = call.campaign.name if call.campaign else _("a reminder") if call.is_alarm else _("the bot")
    group = outcomes.group_of(call.disposition)
    talked = f", {seconds(call.billsec)}" if call.billsec else ""
    words = _("Called by %(who)s on %(number)s") % {"who": by, "number": number_text(call)}
    return Event(
        call.started_at or call.seen_at, "call", words,
        state=outcomes.TONES[group], state_label=f"{outcomes.GROUPS[group]}{talked}",
        url=reverse("bot:call", args=[call.pk]),
    )  # fmt: skip
