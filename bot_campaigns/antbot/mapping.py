"""AntBOT's payloads as our records; the other direction is in `bodies`. Pure.

Numbers keep the vendor's text and get their E.164 form beside it. A gateway rewrites what it
dials, so a call's number is led back to the contact's by undoing the gateway's prefixes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from backoffice.remote.walk import RawItem, Unreadable
from bot_campaigns.antbot import payloads
from bot_campaigns.records import (
    Alarm,
    BotContact,
    Calendar,
    CalendarSetting,
    CalendarUser,
    Call,
    Campaign,
    DncEntry,
    DncList,
    Event,
    Gateway,
    Phonebook,
    SealedSurvey,
    Section,
    Subscriber,
    SurveyTemplate,
)
from crm_bridge.phones import digits, to_e164

_LONGEST_ID = 9  # digits; what is longer, or begins with 0 or +, is a phone number


# --- numbers -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PrefixRule:
    """What one gateway does to a number before it dials: removes one prefix, then adds one."""

    add: str = ""
    remove: tuple[str, ...] = ()


def prefix_rule(gateway: Gateway) -> PrefixRule:
    """The rule of a gateway."""
    return PrefixRule(gateway.add_prefix, gateway.remove_prefixes)


def dialled_number(number: str, rule: PrefixRule) -> str:
    """What a gateway with this rule dials for a contact's number."""
    for prefix in rule.remove:
        if number.startswith(prefix) and len(number) > len(prefix):
            number = number[len(prefix) :]
            break
    return rule.add + number


def numbers_behind(dialled: str, rules: Sequence[PrefixRule] = ()) -> tuple[str, ...]:
    """Every valid number (E.164) that one of the rules turns into what was dialled, best first.

    A candidate is put through its rule again: only what leads to exactly these digits counts.
    Without any rule that fits, the number as dialled is the only candidate.
    """
    wanted, found = digits(dialled), dict[str, None]()
    for rule in rules:
        added = digits(rule.add)
        if not wanted.startswith(added):
            continue
        rest = wanted[len(added) :]
        for original in (*(removed + rest for removed in rule.remove), rest, f"+{rest}"):
            if digits(dialled_number(original, rule)) == wanted and (number := to_e164(original)):
                found[number] = None
    if not found and (number := to_e164(dialled)):
        found[number] = None
    return tuple(found)


def contact_number(dialled: str, rules: Sequence[PrefixRule] = ()) -> str:
    """The contact's number behind a dialled one; "" when there is none or more than one."""
    found = numbers_behind(dialled, rules)
    return found[0] if len(found) == 1 else ""


# --- reading -------------------------------------------------------------------------------


def to_moment(text: str, place: str) -> datetime | None:
    """ISO 8601 as an aware time in UTC, which is also what a time without zone is read as."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{place}: not a time we can read") from None


def to_time(text: str, place: str) -> time | None:
    """`08:00:00`; it has no zone."""
    if not text:
        return None
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise Unreadable(f"{place}: not a time of day we can read") from None


def _active(status: int | None) -> bool | None:
    return None if status is None else status == 1


def _checked(item: RawItem) -> Any:
    if item.problem:
        raise Unreadable(item.problem)
    return item.raw


def to_campaign(item: RawItem) -> Campaign:
    """One campaign."""
    wire = payloads.parse(payloads.CampaignWire, _checked(item))
    return Campaign(
        remote_id=item.remote_id,
        name=wire.name,
        description=wire.description,
        caller_id=wire.callerid,
        phonebook_ids=tuple(wire.phonebook),
        gateway_id=wire.aleg_gateway,
        survey_id=wire.object_id,
        frequency=wire.frequency,
        starts_at=to_moment(wire.startingdate, "startingdate"),
        expires_at=to_moment(wire.expirationdate, "expirationdate"),
        daily_start=to_time(wire.daily_start_time, "daily_start_time"),
        daily_stop=to_time(wire.daily_stop_time, "daily_stop_time"),
        status=wire.status,
        created_at=to_moment(wire.created_date, "created_date"),
        updated_at=to_moment(wire.updated_date, "updated_date"),
    )


def to_phonebook(item: RawItem) -> Phonebook:
    """One phonebook."""
    wire = payloads.parse(payloads.PhonebookWire, _checked(item))
    return Phonebook(item.remote_id, wire.name, wire.description, *_dates(wire))


def to_contact(item: RawItem) -> BotContact:
    """One contact of a phonebook."""
    wire = payloads.parse(payloads.ContactWire, _checked(item))
    created_at, updated_at = _dates(wire)
    return BotContact(
        remote_id=item.remote_id,
        phonebook_id=wire.phonebook,
        number=wire.contact,
        e164=to_e164(wire.contact),
        first_name=wire.first_name,
        last_name=wire.last_name,
        email=wire.email,
        description=wire.description,
        country=wire.country,
        active=_active(wire.status),
        variables=wire.additional_vars,
        created_at=created_at,
        updated_at=updated_at,
    )


def to_subscriber(item: RawItem) -> Subscriber:
    """One subscriber of a campaign."""
    wire = payloads.parse(payloads.SubscriberWire, _checked(item))
    contact_id, number = _contact_of(wire)
    created_at, updated_at = _dates(wire)
    return Subscriber(
        remote_id=item.remote_id,
        campaign_id=wire.campaign,
        contact_id=contact_id,
        number=number,
        e164=to_e164(number) if number else "",
        status=wire.status,
        attempts=wire.count_attempt,
        completion_attempts=wire.completion_count_attempt,
        last_attempt_at=to_moment(wire.last_attempt, "last_attempt"),
        duration=wire.duration,
        talk_seconds=wire.billsec,
        created_at=created_at,
        updated_at=updated_at,
    )


def _contact_of(wire: payloads.SubscriberWire) -> tuple[str, str]:
    """Id and number of a subscriber's contact; either may be missing."""
    value = wire.contact
    if isinstance(value, dict):
        number = value.get("contact") or value.get("phone_number") or ""
        return payloads.usable_id(value), wire.phone_number or str(number).strip()
    text = str(value or "").strip()
    is_number = text.startswith(("0", "+")) or len(digits(text)) > _LONGEST_ID
    if is_number and "/" not in text:
        return "", wire.phone_number or text
    return payloads.usable_id(value), wire.phone_number


def identify_subscriber(item: RawItem) -> RawItem:
    """Without an id of its own, a subscriber is its contact within its campaign."""
    if item.remote_id or not isinstance(item.raw, dict):
        return item
    try:
        wire = payloads.parse(payloads.SubscriberWire, item.raw)
    except Unreadable as error:
        return RawItem(item.family, "", item.raw, str(error))
    contact_id, number = _contact_of(wire)
    if not wire.campaign or not (contact_id or number):
        return item
    return RawItem(item.family, f"{wire.campaign}-{contact_id or digits(number)}", item.raw)


def identify_call(item: RawItem) -> RawItem:
    """Without an id, a leg is a digest of call id, leg, number and start.

    All four are brought to one form first: the same leg written differently on another day
    must stay the same leg.
    """
    if item.remote_id or not isinstance(item.raw, dict):
        return item
    try:
        wire = payloads.parse(payloads.CallWire, item.raw)
        started = to_moment(wire.starting_date, "starting_date")
    except Unreadable as error:
        return RawItem(item.family, "", item.raw, str(error))
    if not wire.callid and not (wire.phone_number and started):
        return RawItem(item.family, "", item.raw, "neither an id nor what would tell it from others")
    parts = (wire.callid, wire.leg_type, wire.phone_number, started.isoformat() if started else "")
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
    return RawItem(item.family, f"x{digest[:39]}", item.raw)


def to_call(
    item: RawItem, rules: Sequence[PrefixRule] = (), by_gateway: Mapping[str, PrefixRule] | None = None
) -> Call:
    """One leg of a call. Where it names a gateway we know, only that one's rule is undone."""
    wire = payloads.parse(payloads.CallWire, _checked(item))
    own = (by_gateway or {}).get(wire.used_gateway)
    return Call(
        remote_id=item.remote_id,
        call_id=wire.callid,
        caller_id=wire.callerid,
        number=wire.phone_number,
        e164=contact_number(wire.phone_number, rules if own is None else (own,)),
        started_at=to_moment(wire.starting_date, "starting_date"),
        duration=wire.duration,
        talk_seconds=wire.billsec,
        disposition=wire.disposition,
        hangup_cause=wire.hangup_cause,
        sip_status=wire.sip_term_status,
        sip_cause=wire.sip_term_cause,
        far_end_disposition=wire.endpoint_disposition,
        leg=wire.leg_type,
        campaign_id=wire.campaign,
        gateway_id=wire.used_gateway,
        is_alarm=_said(wire.alarm),
        is_otp=_said(wire.otp),
    )


def _said(value: Any) -> bool | None:
    """A flag, or the id of what it stands for."""
    if value is None or isinstance(value, bool):
        return value
    return str(value).strip().lower() not in {"", "0", "false", "no"}


def to_gateway(item: RawItem) -> Gateway:
    """One gateway; it may remove one of several prefixes, written with commas."""
    wire = payloads.parse(payloads.GatewayWire, _checked(item))
    created_at, updated_at = _dates(wire)
    return Gateway(
        remote_id=item.remote_id,
        name=wire.name,
        description=wire.description,
        active=_active(wire.status),
        add_prefix=wire.addprefix,
        remove_prefixes=tuple(part for part in map(str.strip, wire.removeprefix.split(",")) if part),
        most_calls=wire.maximum_call,
        calls_in_use=wire.count_in_use,
        is_trial=wire.is_trial,
        created_at=created_at,
        updated_at=updated_at,
    )


def to_template(item: RawItem) -> SurveyTemplate:
    """One survey template."""
    wire = payloads.parse(payloads.TemplateWire, _checked(item))
    return SurveyTemplate(item.remote_id, wire.name, wire.tts_language, wire.description, *_dates(wire))


def to_section(item: RawItem) -> Section:
    """One section; the vendor calls its name the question."""
    wire = payloads.parse(payloads.SectionWire, _checked(item))
    return Section(item.remote_id, wire.survey, wire.question, wire.script, wire.type, wire.order)


def to_survey(item: RawItem) -> SealedSurvey:
    """One sealed survey."""
    wire = payloads.parse(payloads.SurveyWire, _checked(item))
    created_at, _ = _dates(wire)
    return SealedSurvey(
        item.remote_id, wire.name, wire.tts_language, wire.description, wire.campaign, created_at
    )


def to_dnc_list(item: RawItem) -> DncList:
    """One do-not-call list."""
    wire = payloads.parse(payloads.DncListWire, _checked(item))
    return DncList(item.remote_id, wire.name, wire.description, *_dates(wire))


def to_dnc_entry(item: RawItem) -> DncEntry:
    """One number of a do-not-call list."""
    wire = payloads.parse(payloads.DncEntryWire, _checked(item))
    number, created_at = wire.phone_number, to_moment(wire.created_date, "created_date")
    return DncEntry(item.remote_id, wire.dnc, number, to_e164(number), created_at)


def to_calendar_setting(item: RawItem) -> CalendarSetting:
    """One calendar setting."""
    wire = payloads.parse(payloads.CalendarSettingWire, _checked(item))
    return CalendarSetting(
        remote_id=item.remote_id,
        label=wire.label,
        caller_id=wire.callerid,
        caller_name=wire.caller_name,
        call_timeout=wire.call_timeout,
        survey_id=wire.survey,
        gateway_id=wire.aleg_gateway,
    )


def to_calendar_user(item: RawItem) -> CalendarUser:
    """One calendar user, without what the vendor tells of its password."""
    wire = payloads.parse(payloads.CalendarUserWire, _checked(item))
    return CalendarUser(item.remote_id, wire.username, wire.calendar_setting)


def to_calendar(item: RawItem) -> Calendar:
    """One calendar."""
    wire = payloads.parse(payloads.CalendarWire, _checked(item))
    return Calendar(item.remote_id, wire.name, wire.user, to_moment(wire.created_date, "created_date"))


def to_event(item: RawItem) -> Event:
    """One event."""
    wire = payloads.parse(payloads.EventWire, _checked(item))
    return Event(
        remote_id=item.remote_id,
        title=wire.title,
        description=wire.description,
        starts_at=to_moment(wire.start, "start"),
        ends_at=to_moment(wire.end, "end"),
        creator_id=wire.creator,
        calendar_id=wire.calendar,
        status=wire.status,
    )


def to_alarm(item: RawItem) -> Alarm:
    """One reminder call."""
    wire = payloads.parse(payloads.AlarmWire, _checked(item))
    return Alarm(
        remote_id=item.remote_id,
        number=wire.alarm_phonenumber,
        e164=to_e164(wire.alarm_phonenumber),
        due_at=to_moment(wire.date_start_notice, "date_start_notice"),
        transfer_number=wire.phonenumber_transfer,
        event_id=wire.event,
        status=wire.status,
        result=wire.result,
        created_at=to_moment(wire.created_date, "created_date"),
    )


def _dates(wire: Any) -> tuple[datetime | None, datetime | None]:
    return to_moment(wire.created_date, "created_date"), to_moment(wire.updated_date, "updated_date")
