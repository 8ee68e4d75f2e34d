"""Which record of the bot becomes which row: one line per column, nothing else.

A family is one kind of record. Order matters: what others refer to comes first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import models

from backoffice.remote.walk import Unreadable
from bot_campaigns import models as rows
from bot_campaigns import records

Read = str | Callable[[Any], Any]
"""The record's attribute, or what makes the value of it."""


@dataclass(frozen=True)
class Parent:
    """A reference to another family by the vendor's id."""

    model: type[models.Model]
    attribute: str
    required: bool = False
    """Without it the row cannot be stored; it waits until the parent is here."""


@dataclass(frozen=True)
class Target:
    """How the records of one family become rows of one table."""

    model: type[models.Model]
    record: type
    columns: Mapping[str, Read]
    parents: Mapping[str, Parent] = field(default_factory=dict)
    forever: bool = False
    """Kept with all it says when the vendor forgets it: never gone, references never emptied."""

    @cached_property
    def has_contact(self) -> bool:
        """Its number is tied to a mirrored contact."""
        return any(each.name == "contact" for each in self.model._meta.get_fields())

    def values(self, record: Any) -> dict[str, Any]:
        """The columns of a record, parents aside. Raises ``Unreadable``."""
        if not isinstance(record, self.record):
            raise Unreadable(f"not a {self.record.__name__} but a {type(record).__name__}")
        for name, parent in self.parents.items():
            if parent.required and not getattr(record, parent.attribute):
                raise Unreadable(f"it names no {name}")
        found = {}
        for column, read in self.columns.items():
            value = getattr(record, read) if isinstance(read, str) else read(record)
            found[column] = _fitting(self.model._meta.get_field(column), value)
        return found


# What every database holds; SQLite alone would take more.
_RANGES: dict[str, tuple[int, int]] = {
    "IntegerField": (-(2**31), 2**31 - 1),
    "PositiveIntegerField": (0, 2**31 - 1),
    "PositiveSmallIntegerField": (0, 2**15 - 1),
}


def _fitting(column: Any, value: Any) -> Any:
    """A value as the column takes it; texts are cut, for ``raw`` keeps them whole."""
    if value is None:
        return None if column.null else column.get_default()
    if isinstance(value, str):
        value = value.replace("\0", "")
        return value[: column.max_length] if column.max_length else value
    least, most = _RANGES.get(column.get_internal_type(), (None, None))
    if least is not None and not least <= value <= most:
        raise Unreadable(f"{column.name}: not a number of sensible size")
    return value


def _without_nul(value: Any) -> Any:
    """PostgreSQL stores no NUL character in JSON."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(each) for key, each in value.items()}
    return [_without_nul(each) for each in value] if isinstance(value, list) else value


def _same(*names: str, **renamed: Read) -> dict[str, Read]:
    return {**{name: name for name in names}, **renamed}


TARGETS: dict[str, Target] = {
    "gateways": Target(
        rows.Gateway,
        records.Gateway,
        _same(
            "name",
            "description",
            "add_prefix",
            "is_trial",
            is_enabled="active",
            remove_prefix=lambda record: ",".join(record.remove_prefixes),
            maximum_calls="most_calls",
        ),
    ),
    "templates": Target(
        rows.SurveyTemplate, records.SurveyTemplate, _same("name", "language", "description")
    ),
    "sections": Target(
        rows.Section,
        records.Section,
        _same("type", "script", "order", question="name"),
        {"template": Parent(rows.SurveyTemplate, "template_id", required=True)},
    ),
    "surveys": Target(rows.SealedSurvey, records.SealedSurvey, _same("name", "language", "description")),
    "phonebooks": Target(rows.Phonebook, records.Phonebook, _same("name", "description")),
    "contacts": Target(
        rows.BotContact,
        records.BotContact,
        _same(
            "number",
            "e164",
            "first_name",
            "last_name",
            "email",
            "description",
            is_enabled="active",
            additional_vars=lambda record: _without_nul(dict(record.variables)),
        ),
        {"phonebook": Parent(rows.Phonebook, "phonebook_id", required=True)},
    ),
    "campaigns": Target(
        rows.Campaign,
        records.Campaign,
        _same(
            "name",
            "description",
            "survey_id",
            "frequency",
            "starts_at",
            "expires_at",
            "daily_start",
            "daily_stop",
            callerid="caller_id",
            reported_status="status",
        ),
        {"gateway": Parent(rows.Gateway, "gateway_id")},
    ),
    "subscribers": Target(
        rows.Subscriber,
        records.Subscriber,
        _same(
            "number",
            "e164",
            "status",
            "attempts",
            "last_attempt_at",
            "duration",
            billsec="talk_seconds",
        ),
        {
            "campaign": Parent(rows.Campaign, "campaign_id", required=True),
            "bot_contact": Parent(rows.BotContact, "contact_id"),
        },
        forever=True,
    ),
    "calls": Target(
        rows.Call,
        records.Call,
        _same(
            "leg",
            "number",
            "e164",
            "started_at",
            "duration",
            "disposition",
            "hangup_cause",
            "is_alarm",
            "is_otp",
            callid="call_id",
            callerid="caller_id",
            billsec="talk_seconds",
            sip_term_status="sip_status",
            sip_term_cause="sip_cause",
            endpoint_disposition="far_end_disposition",
        ),
        {"campaign": Parent(rows.Campaign, "campaign_id")},
        forever=True,
    ),
    "dnc_lists": Target(rows.DncList, records.DncList, _same("name", "description")),
    "dnc_entries": Target(
        rows.DncEntry,
        records.DncEntry,
        _same("number", "e164"),
        {"dnc_list": Parent(rows.DncList, "list_id")},
    ),
    "calendar_settings": Target(
        rows.CalendarSetting,
        records.CalendarSetting,
        _same("label", "caller_name", "call_timeout", "survey_id", callerid="caller_id"),
        {"gateway": Parent(rows.Gateway, "gateway_id")},
    ),
    "calendar_users": Target(rows.CalendarUser, records.CalendarUser, _same("username", "setting_id")),
    "calendars": Target(rows.Calendar, records.Calendar, _same("name", "user_id")),
    "events": Target(
        rows.Event,
        records.Event,
        _same("title", "description", "starts_at", "ends_at", "creator_id", "calendar_id", "status"),
    ),
    "alarms": Target(
        rows.Alarm,
        records.Alarm,
        _same("number", "e164", "status", "result", rings_at="due_at", transfer_to="transfer_number"),
        {"event": Parent(rows.Event, "event_id")},
    ),
}
