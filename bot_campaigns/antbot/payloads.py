"""AntBOT's JSON, in its own words: read tolerantly. Pure.

The vendor shows a single answer, that of the gateways; all others are read as its framework
and its ancestor would write them. So ids may be numbers, texts, addresses or whole records,
and anything may be missing but what tells one record from another. Passwords and hashes are
dropped here, before a record is kept anywhere.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from backoffice.remote.walk import RawItem, RawPage, Unreadable

_SECRET = re.compile(r"passw|pwd|hash|secret|token", re.IGNORECASE)
_ITEM_ADDRESS = re.compile(r".*/(\d{1,20})/?")


class Refused(Exception):
    """An answer that looks like a success but says no; the text is the vendor's."""


# --- values --------------------------------------------------------------------------------


def usable_id(value: Any) -> str:
    """An id as text: 12, "12" and 12.0 are the same, as are …/12/ and {"id": 12}; "" if none."""
    if type(value) is int:
        return str(value) if 0 < value < 10**20 else ""
    if type(value) is float:
        return str(int(value)) if value.is_integer() and 0 < value < 2**53 else ""
    if isinstance(value, dict):
        return usable_id(value.get("id")) or usable_id(value.get("url"))
    if isinstance(value, str):
        text = value.strip()
        if text.isascii() and text.isdigit() and len(text) <= 20:
            return text.lstrip("0")
        address = _ITEM_ADDRESS.fullmatch(text)
        return address[1].lstrip("0") if address else ""
    return ""


def _reference(value: Any) -> str:
    found = usable_id(value)
    if not found and value not in (None, "", 0):
        raise ValueError("not an id")
    return found


def _references(value: Any) -> list[str]:
    if value in (None, ""):
        return []
    return [_reference(each) for each in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("not a text")
    return str(value).strip()


def _whole(value: Any) -> int | None:
    """A whole number, also as text and with a fraction of zero; None for nothing."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = float(value) if "." in value else int(value)
        except ValueError:
            raise ValueError("not a whole number") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError("not a whole number")
    if abs(value) >= 2**63:
        raise ValueError("not a number of sensible size")
    return int(value)


def _status(value: Any) -> int | None:
    """A number that stands for a state; a word in its place is "unknown", never an error."""
    try:
        return None if isinstance(value, bool) else _whole(value)
    except (ValueError, OverflowError):
        return None


def _flag(value: Any) -> bool | None:
    text = str(value).strip().lower()
    if text in {"1", "true", "yes"}:
        return True
    return False if text in {"0", "false", "no"} else None


def _variables(value: Any) -> dict[str, Any]:
    """An object, also as a JSON text in the place of one; another text is kept whole."""
    if isinstance(value, str) and value.strip():
        try:
            found = orjson.loads(value)
        except orjson.JSONDecodeError:
            found = value
        value = found if isinstance(found, dict) else {"": found}
    return value if isinstance(value, dict) else {}


Ref = Annotated[str, BeforeValidator(_reference)]
LooseRef = Annotated[str, BeforeValidator(usable_id)]
"""Where a name may stand instead of an id, and the record is worth keeping without it."""
Refs = Annotated[list[str], BeforeValidator(_references)]
Text = Annotated[str, BeforeValidator(_text)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
Status = Annotated[int | None, BeforeValidator(_status)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Variables = Annotated[dict[str, Any], BeforeValidator(_variables)]
Moment = Text
"""ISO 8601; `mapping` makes a time of it."""


# --- records -------------------------------------------------------------------------------


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Dated(_Wire):
    created_date: Moment = ""
    updated_date: Moment = ""


class _Named(_Dated):
    name: Text = ""
    description: Text = ""


class CampaignWire(_Named):
    callerid: Text = ""
    phonebook: Refs = []
    aleg_gateway: Ref = ""
    object_id: Ref = ""
    frequency: Whole = None
    startingdate: Moment = ""
    expirationdate: Moment = ""
    daily_start_time: Text = ""
    daily_stop_time: Text = ""
    status: Status = None


class PhonebookWire(_Named):
    pass


class ContactWire(_Dated):
    phonebook: Ref = ""
    contact: Text = ""
    email: Text = ""
    last_name: Text = ""
    first_name: Text = ""
    description: Text = ""
    country: Text = ""
    status: Status = None
    additional_vars: Variables = {}


class SubscriberWire(_Dated):
    """`contact` is an id, a number, or the contact itself."""

    campaign: Ref = ""
    contact: Any = None
    phone_number: Text = Field("", validation_alias=AliasChoices("phone_number", "duplicate_contact"))
    status: Status = None
    count_attempt: Whole = None
    completion_count_attempt: Whole = None
    last_attempt: Moment = ""
    duration: Whole = None
    billsec: Whole = None


class CallWire(_Wire):
    callid: Text = ""
    callerid: Text = ""
    phone_number: Text = ""
    starting_date: Moment = Field("", validation_alias=AliasChoices("starting_date", "created_date"))
    duration: Whole = None
    billsec: Whole = None
    disposition: Text = ""
    hangup_cause: Text = ""
    sip_term_status: Text = ""
    sip_term_cause: Text = ""
    endpoint_disposition: Text = ""
    leg_type: Status = None
    campaign: LooseRef = ""
    used_gateway: LooseRef = Field("", validation_alias=AliasChoices("used_gateway", "gateway"))
    alarm: Any = None
    otp: Any = None


class GatewayWire(_Named):
    status: Status = None
    addprefix: Text = ""
    removeprefix: Text = ""
    maximum_call: Whole = None
    count_in_use: Whole = None
    is_trial: Flag = None


class TemplateWire(_Named):
    tts_language: Text = ""


class SectionWire(_Wire):
    survey: Ref = ""
    question: Text = ""
    script: Text = ""
    type: Status = None
    order: Whole = None


class SurveyWire(_Named):
    tts_language: Text = ""
    campaign: Ref = ""


class DncListWire(_Named):
    pass


class DncEntryWire(_Dated):
    dnc: Ref = ""
    phone_number: Text = ""


class CalendarSettingWire(_Wire):
    label: Text = ""
    callerid: Text = ""
    caller_name: Text = ""
    call_timeout: Whole = None
    survey: Ref = ""
    aleg_gateway: Ref = ""


class CalendarUserWire(_Wire):
    """Has no field for a password, so that none can get through."""

    username: Text = ""
    calendar_setting: Ref = ""


class CalendarWire(_Wire):
    name: Text = ""
    user: Ref = ""
    created_date: Moment = ""


class EventWire(_Wire):
    title: Text = ""
    description: Text = ""
    start: Moment = ""
    end: Moment = ""
    creator: Ref = ""
    calendar: Ref = ""
    status: Status = None


class AlarmWire(_Wire):
    alarm_phonenumber: Text = ""
    date_start_notice: Moment = ""
    phonenumber_transfer: Text = ""
    event: Ref = ""
    status: Status = None
    result: Status = None
    created_date: Moment = ""


W = TypeVar("W", bound=BaseModel)


def parse(model: type[W], raw: Any) -> W:
    """One record. Raises Unreadable naming the field, never its value."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise Unreadable(f"{place or 'record'}: {message[:1].lower()}{message[1:]}") from None


# --- answers -------------------------------------------------------------------------------


def without_secrets(raw: Any) -> Any:
    """The same data without passwords, hashes and tokens, however deep they are."""
    if isinstance(raw, dict):
        kept = ((key, value) for key, value in raw.items() if not _SECRET.search(key))
        return {key: without_secrets(value) for key, value in kept}
    if isinstance(raw, list):
        return [without_secrets(each) for each in raw]
    return raw


def require_success(data: Any) -> None:
    """Raises Refused when a 2xx answer says no: several views answer 200 with an `error`."""
    if not isinstance(data, dict):
        return
    if error := data.get("error") or data.get("errors"):
        raise Refused(error if isinstance(error, str) else orjson.dumps(without_secrets(error)).decode())
    if "success" in data and _flag(data["success"]) is False:
        raise Refused(str(data.get("message") or "success is false"))


def split_page(data: Any, family: str, *, lone: bool = False) -> RawPage:
    """Cuts a list answer: `count` and `results`, `results` alone, or a bare array.

    `lone`: a single record may stand for a list of one, and a `note` for an empty list.
    Raises Refused when it says no and ValueError on any other shape.
    """
    require_success(data)
    total = None
    if isinstance(data, dict):
        if "results" in data:
            total, data = data.get("count"), data["results"]
        elif lone and usable_id(data):
            data = [data]
        elif lone and "note" in data:
            data = []
    if not isinstance(data, list):
        raise ValueError("neither an array nor an object with results")
    if isinstance(total, str) and total.isdecimal():
        total = int(total)
    items = [_raw_item(raw, family) for raw in data]
    return RawPage(items, total if type(total) is int and total >= 0 else None)


def _raw_item(raw: Any, family: str) -> RawItem:
    if not isinstance(raw, dict):
        return RawItem(family, "", raw, "not an object")
    raw = without_secrets(raw)
    remote_id = usable_id(raw)
    return RawItem(family, remote_id, raw, "" if remote_id else "id is missing or unusable")
