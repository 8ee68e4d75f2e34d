"""Concord's JSON, in its own words: tolerant parsing and exact building. Pure.

The vendor's page shows no answers. Pages come as its framework (Laravel) makes them, with totals or
without, with `meta` or flat, or as a bare array; one contact comes bare or under `data`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from backoffice.remote.walk import RawItem
from crm_bridge.connectors.wires import parse_wire, usable_id

FAMILY = "contact"
"""Contacts have one counter."""
POOLS = ("companies", "deals", "activities")
TEXTS = ("first_name", "last_name", "email", "job_title", "street", "city", "state", "postal_code")
NUMBERS = ("user_id", "source_id", "country_id")

#: Top-level keys that are the product's own. Every other one that holds a plain value is a custom field.
OWN_KEYS = frozenset({
    *TEXTS, *NUMBERS, *POOLS, "id", "phones", "tags", "created_at", "updated_at", "deleted_at", "created_by",
    "deleted_by", "updated_by", "user", "source", "country", "creator", "owner", "name", "display_name",
    "full_name", "path", "avatar", "avatar_url", "uploaded_avatar_url", "authorizations", "permissions",
    "actions", "links", "type", "uuid", "owner_assigned_date", "last_contacted_at", "next_activity_id",
    "next_activity_date", "next_activity", "notes", "calls", "emails", "media", "documents", "data",
})  # fmt: skip

T = TypeVar("T")
Text = str | None
Many = Annotated[list[T] | Literal[""] | None, Field(union_mode="left_to_right")]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, str_strip_whitespace=True)


class PhoneWire(_Wire):
    number: Text = None
    type: Text = None


class TagWire(_Wire):
    """A tag that comes with more than its name."""

    name: Text = None


class NamedWire(_Wire):
    """An owner, source or country shown beside its id."""

    name: Text = None


class ContactWire(_Wire):
    """A contact as lists, searches and single reads show it."""

    first_name: Text = None
    last_name: Text = None
    display_name: Text = None
    email: Text = None
    phones: Many[PhoneWire] = None
    user_id: Text = None
    tags: Many[Annotated[str | TagWire, Field(union_mode="left_to_right")]] = None
    source_id: Text = None
    job_title: Text = None
    street: Text = None
    city: Text = None
    state: Text = None
    postal_code: Text = None
    country_id: Text = None
    user: NamedWire | None = None
    source: NamedWire | None = None
    country: NamedWire | None = None
    next_activity_date: Text = None
    created_at: Text = None
    updated_at: Text = None
    deleted_at: Text = None
    deleted_by: Any = None


class AssociationWire(_Wire):
    """A company, deal or activity; which of these names it has differs."""

    id: Any = None
    display_name: Text = None
    name: Text = None
    title: Text = None


# Reading


@dataclass(frozen=True, slots=True)
class Listed:
    """One page: its elements and what it says about the rest."""

    items: list[RawItem]
    total: int | None = None
    more: bool | None = None
    """Whether another page follows; None: it does not say."""


def split_page(data: Any) -> Listed:
    """Cuts a list answer of any of the known shapes. Raises ValueError on anything else."""
    if isinstance(data, list):
        return Listed([raw_item(raw) for raw in data])
    elements = data.get("data") if isinstance(data, dict) else None
    if not isinstance(elements, list):
        raise ValueError("neither a page of contacts nor a list of them")
    meta = data["meta"] if isinstance(data.get("meta"), dict) else data
    return Listed([raw_item(raw) for raw in elements], _count(meta.get("total")), _more(data, meta))


def _more(data: Mapping[str, Any], meta: Mapping[str, Any]) -> bool | None:
    current, last = _count(meta.get("current_page")), _count(meta.get("last_page"))
    if current is not None and last is not None:
        return current < last
    links = data.get("links")
    for holder, key in ((links, "next"), (data, "next_page_url")):
        if isinstance(holder, dict) and key in holder:
            return holder[key] is not None
    return None


def _count(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def raw_item(raw: Any) -> RawItem:
    """One contact with its id, or with the reason why it has none."""
    if type(raw) is not dict:
        return RawItem(FAMILY, "", raw, "not an object")
    number = usable_id(raw.get("id"))
    return RawItem(FAMILY, number, raw, "" if number else "id is missing or unusable")


def split_one(data: Any) -> RawItem:
    """One contact, bare or under `data`. Raises ValueError when it is neither."""
    if isinstance(data, dict) and "id" not in data and isinstance(data.get("data"), dict):
        data = data["data"]
    item = raw_item(data)
    if item.problem:
        raise ValueError(f"no contact: {item.problem}")
    return item


def parse_contact(raw: Any) -> ContactWire:
    """One contact. Raises Unreadable naming the field, never its value."""
    return parse_wire(ContactWire, raw)


def parse_associations(raw: Mapping[str, Any], pool: str) -> list[tuple[str, AssociationWire]] | None:
    """Id and names of the entries of one pool, as objects or bare ids; None when they are not shown."""
    elements = raw.get(pool)
    if not isinstance(elements, list):
        return None
    found = []
    for element in elements:
        wire = parse_wire(AssociationWire, element if isinstance(element, dict) else {"id": element})
        if number := usable_id(wire.id):
            found.append((number, wire))
    return found


def custom_keys(raw: Mapping[str, Any], known: Sequence[str] = ()) -> list[str]:
    """The keys of custom fields: those an admin has named, else every foreign one with a plain value."""
    return [
        key for key, value in raw.items() if (key in known if known else not is_own(key)) and _is_plain(value)
    ]


def is_own(key: str) -> bool:
    """Whether a top-level key is the product's own, and so no custom field."""
    return key in OWN_KEYS or key.endswith(("_count", "_url"))


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str | int | float) for item in value)
    return value is None or isinstance(value, str | int | float)


# Building


def build_update(raw: Mapping[str, Any], wire: ContactWire, known: Sequence[str] = ()) -> dict[str, Any]:
    """Every writable field as the vendor holds it now: an update may clear what it does not name.

    Companies and deals stay out of it: nobody says whether a body replaces or adds them.
    """
    body: dict[str, Any] = {key: getattr(wire, key) for key in TEXTS}
    body |= {key: int(usable_id(getattr(wire, key)) or 0) or None for key in NUMBERS}
    body["phones"] = [build_phone(each.number, each.type) for each in wire.phones or () if each.number]
    body["tags"] = tag_names(wire)
    return body | {key: raw[key] for key in custom_keys(raw, known)}


def build_phone(number: str, kind: str | None) -> dict[str, str]:
    """A phone; without a type it is an "other" one."""
    return {"number": number, "type": kind or "other"}


def tag_names(wire: ContactWire) -> list[str]:
    """Tags by name, each once."""
    names = [each.name if isinstance(each, TagWire) else each for each in wire.tags or ()]
    return list(dict.fromkeys(name for name in names if name))


def build_ids(pool: str, refs: Sequence[str]) -> dict[str, list[int]]:
    """The body of an associations call. Raises ValueError naming what is no id."""
    if pool not in POOLS:
        raise ValueError(f"it has no associations called “{pool}”")
    wrong = [ref for ref in refs if not usable_id(ref)]
    if wrong:
        raise ValueError(f"“{wrong[0]}” is no number of its {pool}")
    return {pool: [int(usable_id(ref)) for ref in refs]}
