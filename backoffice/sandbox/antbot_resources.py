"""AntBOT's operations as data: which paths there are, what they take, filter and show.

`reads` and `writes` tell what the page prints; reads it does not print are answered while the
switch `undocumented_reads` says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import time
from typing import Any

from .antbot_fields import (
    Field,
    Match,
    boolean,
    clock_time,
    contains_id,
    has_text,
    is_true,
    json_text,
    moment,
    not_after,
    not_before,
    one_of,
    ref,
    refs,
    same_number,
    same_text,
    search,
    text,
    whole,
)

Filter = Callable[[str], Match]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Resource:
    """One path below /rest-api/ with its table."""

    table: str
    fields: dict[str, Field] = field(default_factory=dict)
    reads: frozenset[str] = frozenset({"list"})  # list, item
    writes: frozenset[str] = frozenset()  # create, update, delete
    filters: dict[str, Filter] = field(default_factory=dict)


def _does(*names: str) -> frozenset[str]:
    return frozenset(names)


CAMPAIGN_FIELDS = {
    "name": Field(text(100, blank=False), required=True),
    "description": Field(text(2000, null=True), default=""),
    "callerid": Field(text(80), default=""),
    "phonebook": Field(refs("phonebook"), required=True),
    "aleg_gateway": Field(ref("gateway"), required=True),
    "object_id": Field(whole(1), required=True),
    "frequency": Field(whole(1), required=True),
    "startingdate": Field(moment, required=True),
    "expirationdate": Field(moment, required=True),
    "daily_start_time": Field(clock_time, required=True),
    "daily_stop_time": Field(clock_time, required=True),
}
# Known from the ancestor, absent from the page: taken when `extra_campaign_fields` says so.
EXTRA_CAMPAIGN_FIELDS = {
    "dnc": Field(ref("dnc_list", null=True), default=None),
    "maxretry": Field(whole(0, 3), default=0),
    "intervalretry": Field(whole(0, 86_400), default=300),
    "calltimeout": Field(whole(1, 45), default=45),
    "callmaxduration": Field(whole(1, 1800), default=1800),
    **{day: Field(boolean, default=True) for day in WEEKDAYS},
}
CORE_CAMPAIGN_FIELDS = (
    "id", "name", "status", "phonebook", "startingdate", "expirationdate", "daily_start_time",
    "daily_stop_time", "frequency",
)  # fmt: skip
FIXED_CAMPAIGN_FIELDS: dict[str, Any] = {
    "user": 203, "extra_data": "", "voicemail": False, "amd_behavior": 1, "voicemail_audiofile": None,
    "completion_maxretry": 0, "completion_intervalretry": 900, "sms_gateway": None,
}  # fmt: skip

CONTACT_FIELDS = {
    "phonebook": Field(ref("phonebook"), required=True),
    "contact": Field(text(90, blank=False), required=True),
    "status": Field(one_of(1, 0), required=True),
    "last_name": Field(text(120), default=""),
    "first_name": Field(text(120), default=""),
    "email": Field(text(254), default=""),
    "address": Field(text(250), default=""),
    "city": Field(text(120), default=""),
    "state": Field(text(120), default=""),
    "country": Field(text(2), default=""),
    "unit_number": Field(text(50), default=""),
    "description": Field(text(2000, null=True), default=""),
    "additional_vars": Field(json_text, default=""),
}
SECTION_FIELDS = {
    "survey": Field(ref("template"), required=True),
    "type": Field(one_of(*range(1, 11)), required=True),
    "question": Field(text(500, blank=False), required=True),
    "script": Field(text(1000, null=True), default=""),
    "order": Field(whole(1), default=1),
    "retries": Field(whole(), default=0),
    "timeout": Field(whole(), default=5),
    "phonenumber": Field(text(50, null=True), default=""),
    "completed": Field(boolean, default=False),
}

RESOURCES = {
    "campaigns": Resource(
        "campaign",
        CAMPAIGN_FIELDS,
        writes=_does("create", "update", "delete"),
        filters={
            "name": has_text("name"),
            "phonebook": contains_id("phonebook"),
            "status": same_number("_shown"),
        },
    ),
    "survey-template": Resource(
        "template",
        {
            "name": Field(text(90, blank=False), required=True),
            "tts_language": Field(one_of("vi", "en"), default="en"),
            "description": Field(text(2000, null=True), default=""),
        },
        writes=_does("create"),
        filters={
            "search": search("name"),
            "description": has_text("description"),
            "is_onboarding": is_true("is_onboarding"),
            "user": same_number("user"),
        },
    ),
    "section-template": Resource(
        "section", SECTION_FIELDS, reads=frozenset(), writes=_does("create", "update")
    ),
    "survey-list": Resource(
        "survey",
        filters={
            "search": search("name"),
            "tts_language": same_text("tts_language"),
            "description": has_text("description"),
            "campaign": same_number("campaign"),
        },
    ),
    "phonebook": Resource(
        "phonebook",
        {
            "name": Field(text(90, blank=False), required=True),
            "description": Field(text(2000, null=True), default=""),
        },
        reads=_does("list", "item"),
        writes=_does("create", "update"),
        filters={"search": search("name")},
    ),
    "contact": Resource(
        "contact",
        CONTACT_FIELDS,
        reads=_does("list", "item"),
        writes=_does("create", "update"),
        filters={
            "phonebook": same_number("phonebook"),
            "search": search("contact", "first_name", "last_name"),
        },
    ),
    "gateway": Resource("gateway"),
    "dnc-list": Resource(
        "dnc_list",
        {
            "name": Field(text(50, blank=False), required=True),
            "description": Field(text(2000, null=True), default=""),
        },
        writes=_does("create"),
    ),
    "dnc-contact": Resource(
        "dnc_entry",
        {
            "dnc": Field(ref("dnc_list"), required=True),
            "phone_number": Field(text(120, blank=False), required=True),
        },
        writes=_does("create"),
    ),
    "cdr": Resource(
        "cdr",
        filters={
            "callid": same_text("callid"),
            "callerid": same_text("callerid"),
            "phone_number": same_text("phone_number"),
            "from_date": not_before("starting_date"),
            "to_date": not_after("starting_date"),
            "duration": same_number("duration"),
            "billsec": same_number("billsec"),
            "disposition": same_text("disposition"),
            "hangup_cause": same_text("hangup_cause"),
            "sip_term_status": same_number("sip_term_status"),
            "sip_term_cause": same_number("sip_term_cause"),
            "endpoint_disposition": same_text("endpoint_disposition"),
            "campaign": same_number("campaign"),
            "alarm": is_true("alarm"),
            "otp": is_true("otp"),
        },
    ),
    "subscriber-list": Resource(
        "subscriber",
        filters={
            "campaign": same_number("campaign"),
            "contact": same_text("_number"),
            "status": same_number("status"),
            "duration": same_number("duration"),
            "billsec": same_number("billsec"),
        },
    ),
    "calendar-setting": Resource(
        "setting",
        {
            "label": Field(text(80, blank=False), required=True),
            "callerid": Field(text(80), default=""),
            "caller_name": Field(text(80), default=""),
            "call_timeout": Field(whole(1), required=True),
            "survey": Field(ref("survey"), required=True),
            "aleg_gateway": Field(ref("gateway"), required=True),
        },
        reads=frozenset(),
        writes=_does("create"),
    ),
    "calendar-user": Resource(
        "calendar_user",
        {
            "username": Field(text(30, blank=False), required=True),
            "password": Field(text(128, blank=False), required=True),
            "calendar_setting": Field(ref("setting"), required=True),
        },
        reads=frozenset(),
        writes=_does("create"),
    ),
    "calendar": Resource(
        "calendar",
        {
            "name": Field(text(200, blank=False), required=True),
            "user": Field(ref("calendar_user"), required=True),
        },
        reads=frozenset(),
        writes=_does("create"),
    ),
    "event": Resource(
        "event",
        {
            "title": Field(text(255, blank=False), required=True),
            "description": Field(text(2000, null=True), default=""),
            "start": Field(moment, required=True),
            "end": Field(moment, required=True),
            "creator": Field(ref("calendar_user", null=True), default=None),
            "calendar": Field(ref("calendar", null=True), default=None),
        },
        reads=frozenset(),
        writes=_does("create"),
    ),
    "alarm": Resource(
        "alarm",
        {
            "alarm_phonenumber": Field(text(50, blank=False), required=True),
            "date_start_notice": Field(moment, default=None),
            "phonenumber_transfer": Field(text(50, null=True), default=""),
            "event": Field(ref("event"), required=True),
        },
        reads=frozenset(),
        writes=_does("create"),
    ),
}
# What a new row has besides the fields of its body; dates are added where the table keeps them.
EXTRAS: dict[str, dict[str, Any]] = {
    "template": {"user": 203, "is_onboarding": False},
    "phonebook": {"user": 203},
    "dnc_list": {"user": 203},
    "section": {"key_0": "", "key_1": "", "key_2": ""},
    "calendar": {"max_concurrent": 0},
    "event": {"status": 1, "notify_count": 0, "data": {}, "parent_event": None, "rule": None},
    "alarm": {
        "alarm_email": "", "daily_start": time(0), "daily_stop": time(23, 59, 59), "advance_notice": 0,
        "maxretry": 0, "retry_delay": 0, "num_attempt": 0, "method": 1, "status": 1, "result": 0,
    },
}  # fmt: skip
