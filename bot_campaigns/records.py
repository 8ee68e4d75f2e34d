"""What a voice-bot system holds, in our words: the records every part of the product speaks.

The connector turns payloads into these; the mirror and the pages know nothing else of the
vendor. Numbers that stand for a state are kept as they came, so that one we do not know is
shown and never lost; the tables at the top say what the known ones mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import IntEnum
from typing import Any

# --- states --------------------------------------------------------------------------------


class ReportedStatus(IntEnum):
    """A campaign's status as it is *read*. Never written: see `Command`."""

    STARTED = 1
    WAITING = 2
    STOPPED = 3
    ENDED = 4
    COMPLETED = 5


class Command(IntEnum):
    """What a campaign can be *told*. The numbers are not those of `ReportedStatus`."""

    START = 1
    PAUSE = 2
    ABORT = 3
    END = 4

    @property
    def stops(self) -> bool:
        """Safe to repeat until it is confirmed; a start is not."""
        return self is not Command.START


class SubscriberStatus(IntEnum):
    """One number within one campaign; does not have to agree with its calls."""

    PENDING = 1
    PAUSED = 2
    ABORTED = 3
    FAILED = 4
    SENT = 5
    IN_PROCESS = 6
    NOT_AUTHORIZED = 7
    COMPLETED = 8


class Leg(IntEnum):
    """Which side of a call a record is about."""

    CALLEE = 1
    TRANSFER = 2


class EventStatus(IntEnum):
    PENDING = 1
    COMPLETED = 2
    PAUSED = 3


class AlarmStatus(IntEnum):
    PENDING = 1
    IN_PROCESS = 2
    FAILED = 3
    RETRY = 4
    SUCCESS = 5


class AlarmResult(IntEnum):
    NONE = 0
    CONFIRMED = 1
    CANCELLED = 2
    RESCHEDULED = 3


class SectionType(IntEnum):
    PLAY_MESSAGE = 1
    MULTI_CHOICE = 2
    RATING = 3
    CAPTURE_DIGITS = 4
    RECORD_MESSAGE = 5
    CALL_TRANSFER = 6
    HANG_UP = 7
    CONFERENCE = 8
    DO_NOT_CALL = 9
    SMS = 10


def status_label(table: type[IntEnum], number: int | None) -> str:
    """`Started`, or `unknown (9)` for a number that is in no table, or `unknown`."""
    if number is None:
        return "unknown"
    try:
        return table(number).name.replace("_", " ").capitalize()
    except ValueError:
        return f"unknown ({number})"


def certainly_stopped(status: int | None) -> bool:
    """Only these two are certain not to dial again by themselves."""
    return status in (ReportedStatus.ENDED, ReportedStatus.COMPLETED)


def dialling(status: int | None) -> bool:
    """It dials, or will as soon as its window opens."""
    return status == ReportedStatus.STARTED


def may_resume(status: int | None) -> bool:
    """Not dialling now, but no promise: waiting, stopped and every number we do not know."""
    return not dialling(status) and not certainly_stopped(status)


# --- campaigns -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Campaign:
    remote_id: str
    name: str
    description: str = ""
    caller_id: str = ""
    phonebook_ids: tuple[str, ...] = ()
    gateway_id: str = ""
    survey_id: str = ""
    """A template before the first start, its sealed copy after it: two id spaces."""
    frequency: int | None = None
    """Calls per minute."""
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    daily_start: time | None = None
    """In the zone of the vendor's server, which has to be confirmed for each account."""
    daily_stop: time | None = None
    status: int | None = None
    """As reported; see `ReportedStatus` and `status_label`."""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def status_text(self) -> str:
        return status_label(ReportedStatus, self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignDraft:
    """Everything that can be said about a campaign when it is created or changed."""

    name: str
    phonebook_ids: tuple[str, ...]
    gateway_id: str
    survey_template_id: str = ""
    """Needed to create; on a change empty leaves the call flow alone."""
    frequency: int
    starts_at: datetime
    expires_at: datetime
    daily_start: time
    daily_stop: time
    description: str = ""
    caller_id: str = ""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One contact within one campaign."""

    remote_id: str
    campaign_id: str
    contact_id: str = ""
    number: str = ""
    e164: str = ""
    status: int | None = None
    attempts: int | None = None
    completion_attempts: int | None = None
    last_attempt_at: datetime | None = None
    duration: int | None = None
    talk_seconds: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def status_text(self) -> str:
        return status_label(SubscriberStatus, self.status)


@dataclass(frozen=True, slots=True)
class Call:
    """One leg of one call (CDR)."""

    remote_id: str
    """The vendor's id, or a digest of what makes the leg the one it is."""
    call_id: str = ""
    caller_id: str = ""
    number: str = ""
    """As dialled, with what the gateway put before it."""
    e164: str = ""
    """The contact's number, gateway prefixes undone; "" where that is not certain."""
    started_at: datetime | None = None
    duration: int | None = None
    """Seconds, ringing included."""
    talk_seconds: int | None = None
    disposition: str = ""
    hangup_cause: str = ""
    sip_status: str = ""
    sip_cause: str = ""
    far_end_disposition: str = ""
    leg: int | None = None
    campaign_id: str = ""
    gateway_id: str = ""
    is_alarm: bool | None = None
    is_otp: bool | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    remote_id: str
    name: str
    description: str = ""
    active: bool | None = None
    add_prefix: str = ""
    remove_prefixes: tuple[str, ...] = ()
    most_calls: int | None = None
    calls_in_use: int | None = None
    is_trial: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


# --- phonebooks ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Phonebook:
    remote_id: str
    name: str
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BotContact:
    """One number in one phonebook; the same number may be in many."""

    remote_id: str
    phonebook_id: str
    number: str
    e164: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    description: str = ""
    country: str = ""
    active: bool | None = None
    """False: withdrawn, not to be dialled."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Values that the call flow may speak."""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BotContactDraft:
    number: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    description: str = ""
    country: str = ""
    active: bool = True
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DncList:
    remote_id: str
    name: str
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DncEntry:
    """A number that must not be called, on one of the vendor's lists."""

    remote_id: str
    list_id: str
    number: str
    e164: str = ""
    created_at: datetime | None = None


# --- call flows ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SurveyTemplate:
    """What a campaign says, while it can still be changed."""

    remote_id: str
    name: str
    language: str = ""
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One step of a survey template."""

    remote_id: str
    template_id: str
    name: str = ""
    script: str = ""
    type: int | None = None
    order: int | None = None

    @property
    def type_text(self) -> str:
        return status_label(SectionType, self.type)


@dataclass(frozen=True, slots=True)
class SealedSurvey:
    """The copy of a template that a campaign was started with; a different id space."""

    remote_id: str
    name: str
    language: str = ""
    description: str = ""
    campaign_id: str = ""
    created_at: datetime | None = None


# --- reminder calls ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CalendarSetting:
    remote_id: str
    label: str
    caller_id: str = ""
    caller_name: str = ""
    call_timeout: int | None = None
    """Seconds."""
    survey_id: str = ""
    gateway_id: str = ""


@dataclass(frozen=True, slots=True)
class CalendarUser:
    """Whose calendars they are. There is no password here on purpose."""

    remote_id: str
    username: str
    setting_id: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    remote_id: str
    name: str
    user_id: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    remote_id: str
    title: str
    description: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    creator_id: str = ""
    calendar_id: str = ""
    status: int | None = None

    @property
    def status_text(self) -> str:
        return status_label(EventStatus, self.status)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A reminder call: creating one is placing a call."""

    remote_id: str
    number: str
    e164: str = ""
    due_at: datetime | None = None
    transfer_number: str = ""
    event_id: str = ""
    status: int | None = None
    result: int | None = None
    created_at: datetime | None = None

    @property
    def status_text(self) -> str:
        return status_label(AlarmStatus, self.status)

    @property
    def result_text(self) -> str:
        return status_label(AlarmResult, self.result)
