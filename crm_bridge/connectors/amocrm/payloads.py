"""amoCRM's JSON, in its own words: tolerant parsing and exact building. Pure.

Tolerant means: texts may be null or missing, numbers may be texts, lists may be null; it does not
mean guessing: a text where a list belongs makes the record unreadable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field

from backoffice.remote.answers import words_of
from backoffice.remote.walk import RawItem, RawPage
from crm_bridge.connectors.wires import parse_wire, usable_id

FAMILY = "contact"
PHONE, EMAIL = "PHONE", "EMAIL"

T = TypeVar("T")
Text = str | None
Number = Annotated[int | str | None, Field(union_mode="left_to_right")]
Many = Annotated[list[T] | Literal[""] | None, Field(union_mode="left_to_right")]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, str_strip_whitespace=True)


class ValueWire(_Wire):
    """One value of a custom field; older answers say `enum` for `enum_code`."""

    value: Any = None
    enum_id: Number = None
    enum_code: Text = None
    enum: Text = None


class FieldWire(_Wire):
    field_id: Number = None
    field_name: Text = None
    field_code: Text = None
    field_type: Text = None
    values: Many[ValueWire] = None


class TagWire(_Wire):
    id: Number = None
    name: Text = None


class LinkedWire(_Wire):
    """A company, lead or customer, or an element of a list, by its id."""

    id: Number = None
    catalog_id: Number = None
    quantity: Any = None


class EmbeddedWire(_Wire):
    tags: Many[TagWire] = None
    companies: Many[LinkedWire] = None
    leads: Many[LinkedWire] = None
    customers: Many[LinkedWire] = None
    catalog_elements: Many[LinkedWire] = None


class ContactWire(_Wire):
    """A contact as the list and the single read show it."""

    id: Number = None
    name: Text = None
    first_name: Text = None
    last_name: Text = None
    responsible_user_id: Number = None
    group_id: Number = None
    created_by: Number = None
    updated_by: Number = None
    created_at: Number = None
    updated_at: Number = None
    closest_task_at: Number = None
    is_deleted: bool | None = None
    is_unsorted: bool | None = None
    custom_fields_values: Many[FieldWire] = None
    embedded: EmbeddedWire | None = Field(default=None, alias="_embedded")


class ChatWire(_Wire):
    id: Number = None
    chat_id: Text = None
    contact_id: Number = None
    request_id: Text = None


class EnumWire(_Wire):
    id: Number = None
    value: Text = None
    sort: Number = None


class DefinitionWire(_Wire):
    id: Number = None
    name: Text = None
    code: Text = None
    type: Text = None
    sort: Number = None
    enums: Many[EnumWire] = None


class EventWire(_Wire):
    id: Text = None
    type: Text = None
    entity_id: Number = None
    entity_type: Text = None
    created_by: Number = None
    created_at: Number = None


# Reading


def split_page(data: Any) -> RawPage:
    """Cuts a list answer; None is a 204, which ends the list. Raises ValueError on another shape.

    The end is said by the absence of a next link. Contacts marked as deleted are left out.
    """
    if data is None:
        return RawPage([], ended=True)
    raw_items, links = collection(data, "contacts")
    items = [_raw_item(raw) for raw in raw_items if not _is_deleted(raw)]
    following = next_page(links)
    return RawPage(items, next=following, ended=following is None)


def collection(data: Any, key: str) -> tuple[list[Any], Mapping[str, Any]]:
    """The items under `_embedded` and the links of a list answer. Raises ValueError."""
    embedded = data.get("_embedded") if isinstance(data, dict) else None
    items = embedded.get(key) if isinstance(embedded, dict) else None
    if not isinstance(items, list):
        raise ValueError(f"it holds no list of {key}")
    links = data.get("_links")
    if not isinstance(links, dict):
        raise ValueError("it has no links, which tell whether there is more")
    return items, links


def next_page(links: Mapping[str, Any]) -> int | None:
    """The page that the next link names; its host does not matter, for only the number is used."""
    following = links.get("next")
    if not following:
        return None
    address = following.get("href") if isinstance(following, dict) else following
    pages = parse_qs(urlsplit(str(address)).query).get("page", [])
    if len(pages) != 1 or not pages[0].isdecimal() or len(pages[0]) > 9:
        raise ValueError("its next link names no page")
    return int(pages[0])


def _raw_item(raw: Any) -> RawItem:
    if type(raw) is not dict:
        return RawItem("", "", raw, "not an object")
    number = usable_id(raw.get("id"))
    return RawItem(FAMILY, number, raw, "" if number else "id is missing or unusable")


def _is_deleted(raw: Any) -> bool:
    return isinstance(raw, dict) and raw.get("is_deleted") is True


def seconds(value: Any) -> int | None:
    """A Unix time as a number; None when it is none."""
    if type(value) is int:
        return value
    if type(value) is str and value.strip().lstrip("-").isdecimal():
        return int(value)
    return None


def parse_contact(raw: Any) -> ContactWire:
    """One contact. Raises Unreadable naming the field, never its value."""
    return parse_wire(ContactWire, raw)


# Answers to writes


def written(data: Any) -> list[dict[str, Any]]:
    """What a write's answer names: a collection, or one bare contact."""
    if not isinstance(data, dict):
        return []
    embedded = data.get("_embedded")
    items = embedded.get("contacts") if isinstance(embedded, dict) else None
    if isinstance(items, list):
        return [item for item in items if isinstance(item, dict)]
    return [data] if usable_id(data.get("id")) else []


def errors_beside(data: Any) -> str:
    """The words of `_embedded.errors`, which a 200 may carry; "" when there are none."""
    embedded = data.get("_embedded") if isinstance(data, dict) else None
    errors = embedded.get("errors") if isinstance(embedded, dict) else None
    return words_of(orjson.dumps(errors)) or "errors" if errors else ""


def words_of_problem(body: bytes) -> str:
    """What an error says: the mistakes by item and field, else its title, detail and hint."""
    try:
        data = orjson.loads(body[:100_000])
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(data, dict):
        return words_of(body)
    mistakes = list(_mistakes(data.get("validation-errors")))
    if mistakes:
        return "; ".join(mistakes[:5]) + (f" and {len(mistakes) - 5} more" if len(mistakes) > 5 else "")
    parts = [data.get(name) for name in ("title", "detail", "hint")]
    told = dict.fromkeys(part.strip() for part in parts if isinstance(part, str) and part.strip())
    return ": ".join(told) or words_of(body)


def _mistakes(given: Any) -> list[str]:
    found: list[str] = []
    items = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    for item in items:
        where = f"item {item.get('request_id')}, " if len(items) > 1 else ""
        errors = item.get("errors")
        for error in errors if isinstance(errors, list) else []:
            if isinstance(error, dict):
                words = error.get("detail") or error.get("code") or "invalid"
                found.append(f"{where}{error.get('path') or 'record'}: {words}")
    return found


# Building


def build_value(value: Any, enum_code: str = "") -> dict[str, Any]:
    """One value of a custom field."""
    return {"value": value, "enum_code": enum_code} if enum_code else {"value": value}


def build_field(key: str, values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One custom field with its whole list of values; none clear it."""
    selector: dict[str, Any] = {"field_id": int(key)} if key.isdecimal() else {"field_code": key}
    return selector | {"values": list(values) or None}


def build_tags(names: Sequence[str]) -> dict[str, Any]:
    """All tags of a contact; null clears them."""
    return {"tags": [{"name": name} for name in names] or None}


def build_link(kind: str, ref: int) -> dict[str, Any]:
    """One entity to link with or to unlink from."""
    return {"to_entity_id": ref, "to_entity_type": kind}
