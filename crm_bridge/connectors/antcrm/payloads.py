"""AntCRM's JSON, in its own words: tolerant parsing and exact building. Pure.

Tolerant means: texts may be null, "" or missing, numbers may be texts, lists may be null;
it does not mean guessing: a list where a text belongs makes the record unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from backoffice.remote.walk import RawItem, RawPage
from crm_bridge.connectors.wires import parse_wire, usable_id

LEAD, CUSTOMER = "lead", "customer"
ID_KEYS = {LEAD: "leadId", CUSTOMER: "customerId"}

T = TypeVar("T")
Text = str | None
Moment = Annotated[int | float | str | None, Field(union_mode="left_to_right")]
Number = Annotated[int | float | str | None, Field(union_mode="left_to_right")]
Many = Annotated[list[T] | Literal[""] | None, Field(union_mode="left_to_right")]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, str_strip_whitespace=True)


class TypedWire(_Wire):
    """A phone or e-mail."""

    type: Text = None
    value: Text = None


class CountryWire(_Wire):
    code: Text = None
    name: Text = None


class AddressWire(_Wire):
    """`street` is the house number, `state` the district."""

    type: Text = None
    street: Text = None
    streetName: Text = None
    wards: Text = None
    state: Text = None
    city: Text = None
    zip: Text = None
    country: Annotated[CountryWire | str | None, Field(union_mode="left_to_right")] = None


class ImWire(_Wire):
    protocol: Text = None
    value: Text = None


class CustomFieldWire(_Wire):
    """Written by name; read by name, by definition id, or by both."""

    id: Text = None
    name: Text = None
    value: Any = None


class AdWire(_Wire):
    fb_ads_id: Text = None
    fb_post_id: Text = None
    createdAt: Moment = None


class InTrashWire(_Wire):
    """A trash note in the list of deleted, the survivor in the list of merged contacts."""

    id: Text = Field(default=None, alias="_id")
    trashAt: Moment = None
    trashBy: Text = None
    name: Text = None
    phones: Many[TypedWire] = None
    emails: Many[TypedWire] = None


class ContactWire(_Wire):
    """A contact as any of the three lists shows it."""

    id: Text = Field(default=None, alias="_id")
    contactType: Text = None
    type: Text = None
    leadId: Text = None
    customerId: Text = None
    name: Text = None
    lastname: Text = None
    dateOfBirth: Moment = None
    dateOfBirth2: Moment = None
    dayOfBirth: Number = None
    monthOfBirth: Number = None
    yearOfBirth: Number = None
    gender: Text = None
    addresses: Many[AddressWire] = None
    phones: Many[TypedWire] = None
    emails: Many[TypedWire] = None
    industry: Text = None
    im: Many[ImWire] = None
    bgInfo: Text = None
    stage: Text = None
    tags: Annotated[list[Text] | str | None, Field(union_mode="left_to_right")] = None
    sourceContact: Text = None
    responsibleStaff: Text = None
    cusFields: Many[CustomFieldWire] = None
    scoreAvailable: Number = None
    scoreRank: Number = None
    rankName: Text = None
    createdAt: Moment = None
    updatedAt: Moment = None
    createdByBot: Text = None
    sourceLead: Any = None
    historiesAds: Many[AdWire] = None


class _WithTrash(_Wire):
    inTrash: InTrashWire | None = None


# Reading


def split_page(data: Any, family: str = "") -> RawPage:
    """Cuts a list answer: a bare array, an envelope with `data`, or a lone contact.

    Raises ValueError on anything else. `family` is what the list was asked for; elements
    say themselves what they are, for the filter may have been ignored.
    """
    total = None
    if isinstance(data, dict):
        if "data" in data:
            if "success" in data and said_success(data["success"]) is not True:
                raise ValueError("the list says it was not successful")
            total = data.get("total")
            data = data["data"]
        elif "leadId" in data or "customerId" in data:
            data = [data]
    if not isinstance(data, list):
        raise ValueError("neither a list of contacts nor one contact")
    if isinstance(total, str) and total.isdecimal():
        total = int(total)
    items = [_raw_item(raw, family) for raw in data]
    return RawPage(items, total if type(total) is int and total >= 0 else None)


def _raw_item(raw: Any, family: str) -> RawItem:
    if type(raw) is not dict:
        return RawItem(family, "", raw, "not an object")
    said = raw.get("contactType") or family
    if not said:
        said = CUSTOMER if usable_id(raw.get("customerId")) else LEAD
    if not isinstance(said, str) or said not in ID_KEYS:
        return RawItem("", "", raw, f"contactType is neither {LEAD} nor {CUSTOMER}")
    family = said
    number = usable_id(raw.get(ID_KEYS[family]))
    return RawItem(family, number, raw, "" if number else f"{ID_KEYS[family]} is missing or unusable")


def parse_contact(raw: Any) -> ContactWire:
    """One contact of any list. Raises Unreadable naming the field, never its value."""
    return parse_wire(ContactWire, raw)


def parse_in_trash(raw: Any) -> InTrashWire:
    """What the record says about its trash or its survivor; all empty when it says nothing."""
    return parse_wire(_WithTrash, raw).inTrash or InTrashWire()


def said_success(value: Any) -> bool | None:
    """True for 1 and true, False for 0 and false, also as texts; None for anything else."""
    text = str(value).strip().lower()
    if text in {"1", "true"}:
        return True
    return False if text in {"0", "false"} else None


def written_ids(data: Any, family: str) -> list[str] | None:
    """The ids in a write's answer under the key of this family; None when there are none."""
    value = data.get(ID_KEYS[family]) if isinstance(data, dict) else None
    values = value if isinstance(value, list) else [value]
    ids = [usable_id(each) for each in values]
    return ids if all(ids) else None


# Building

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_LONG_DATE = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}), ?(\d{4})")


def build_birth_date(value: date | None) -> str:
    """ "March 15, 2000", in English whatever the locale; empty to clear."""
    return f"{_MONTHS[value.month - 1]} {value.day}, {value.year:04d}" if value else ""


def parse_long_date(text: str) -> date | None:
    """The date of "March 15, 2000" or "Mar 15, 2000"; None for other texts."""
    found = _LONG_DATE.fullmatch(text)
    if not found:
        return None
    month = found[1].lower()
    number = next((n for n, name in enumerate(_MONTHS, 1) if month in (name.lower(), name[:3].lower())), 0)
    try:
        return date(int(found[3]), number, int(found[2]))
    except ValueError:
        return None


def build_create(code: str, contact_type: str, account: bool, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A new contact. The kind is always said: the vendor's default is a lead."""
    return {"customerIdApiRing": code, "contactType": contact_type, "type": int(account), **fields}


def build_selector(family: str, remote_id: str, code: str) -> dict[str, Any]:
    """Exactly one selector, never an empty one, which might select everybody."""
    if remote_id:
        if family not in ID_KEYS or not usable_id(remote_id):
            raise ValueError("the id is none of AntCRM's")
        return {ID_KEYS[family]: int(remote_id)}
    if code:
        return {"customerIdApiRing": code}
    raise ValueError("neither an id nor our code is known")


def build_package(bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bulk create takes the same bodies without `group`."""
    if any("group" in body for body in bodies):
        raise ValueError("a group can only be given to a contact created on its own")
    return list(bodies)
