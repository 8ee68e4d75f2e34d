"""amoCRM's payloads → our records, in canonical form. Pure; the way back is `changes`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.amocrm import fields, payloads
from crm_bridge.connectors.amocrm.payloads import (
    ChatWire,
    ContactWire,
    DefinitionWire,
    EventWire,
    FieldWire,
    LinkedWire,
)
from crm_bridge.connectors.wires import parse_wire, usable_id
from crm_bridge.phones import to_e164
from crm_bridge.records import (
    ContactRecord,
    DeletionRecord,
    Email,
    FieldChoice,
    FieldDefinition,
    FieldType,
    Identity,
    Kind,
    PanelEntry,
    Phone,
)

_TITLES = {
    "companies": "Company",
    "leads": "Lead",
    "customers": "Customer",
    "catalog_elements": "List element",
}


def to_record(item: RawItem) -> ContactRecord:
    """One contact as a record. Raises Unreadable naming the field."""
    if item.problem:
        raise Unreadable(item.problem)
    wire = payloads.parse_contact(item.raw)
    by_code = {field.field_code: field for field in _fields(wire) if field.field_code in fields.KINDS}
    return ContactRecord(
        identity=Identity(item.family, item.remote_id),
        kind=Kind.CONTACT,
        name=wire.name or "",
        phones=_phones(by_code.get(payloads.PHONE)),
        emails=_emails(by_code.get(payloads.EMAIL)),
        tags=_tags(wire),
        responsible=usable_id(wire.responsible_user_id),
        custom_fields=_custom_fields(wire),
        extra=_extra(wire),
        created_at=to_moment(wire.created_at, "created_at"),
        updated_at=to_moment(wire.updated_at, "updated_at"),
    )


def to_moment(value: int | str | None, place: str) -> datetime | None:
    """Unix seconds, as number or text; aware, in UTC. Raises Unreadable."""
    if value is None or value in ("", 0):
        return None
    number = payloads.seconds(value)
    try:
        if number is None:
            raise ValueError(place)
        return datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError):
        raise Unreadable(f"{place}: not a time we can read") from None


def field_types(raw: Any) -> dict[str, str]:
    """The vendor's types of the custom fields that a contact carries, by our key."""
    wire = payloads.parse_contact(raw)
    return {fields.key_of(each): each.field_type or "" for each in _fields(wire) if fields.key_of(each)}


def _fields(wire: ContactWire) -> list[FieldWire]:
    found = wire.custom_fields_values
    return [] if not found or isinstance(found, str) else found


def _phones(field: FieldWire | None) -> tuple[Phone, ...]:
    return tuple(
        Phone(text, fields.kind_word(payloads.PHONE, each), to_e164(text))
        for each in (field.values if field else None) or ()
        if not isinstance(each, str) and (text := fields.as_text(each.value))
    )


def _emails(field: FieldWire | None) -> tuple[Email, ...]:
    return tuple(
        Email(text, fields.kind_word(payloads.EMAIL, each))
        for each in (field.values if field else None) or ()
        if not isinstance(each, str) and (text := fields.as_text(each.value))
    )


def _tags(wire: ContactWire) -> tuple[str, ...]:
    tags = wire.embedded.tags if wire.embedded else None
    return tuple(dict.fromkeys(tag.name for tag in tags or () if not isinstance(tag, str) and tag.name))


def _custom_fields(wire: ContactWire) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in _fields(wire):
        key = fields.key_of(field)
        if key and key not in fields.KINDS and field.field_type in fields.TYPES:
            value = fields.read_value(field)
            if value not in ("", []):
                found[key] = value
    return found


def _extra(wire: ContactWire) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for name in ("first_name", "last_name"):
        if text := getattr(wire, name):
            extra[name] = text
    companies = [usable_id(each.id) for each in _linked(wire, "companies")]
    if companies:
        extra["company"] = ", ".join(filter(None, companies))
    for name in ("created_by", "updated_by"):
        if number := usable_id(getattr(wire, name)):
            extra[name] = number
    if task := to_moment(wire.closest_task_at, "closest_task_at"):
        extra["closest_task_at"] = task.isoformat()
    if wire.is_unsorted:
        extra["incoming_lead"] = "yes"
    for field in _fields(wire):
        special = field.field_type not in fields.TYPES and field.field_code not in fields.KINDS
        if special and (text := fields.shown_value(field)):
            extra[field.field_name or fields.key_of(field) or "field"] = text
    return extra


# Panels, definitions, events


def _linked(wire: ContactWire, key: str) -> Sequence[LinkedWire]:
    found = getattr(wire.embedded, key, None) if wire.embedded else None
    return [] if not found or isinstance(found, str) else found


def to_linked_entries(raw: Any, key: str) -> tuple[PanelEntry, ...]:
    """The companies, leads, customers or list elements of a contact: amoCRM shows only their ids."""
    wire = payloads.parse_contact(raw)
    entries = []
    for each in _linked(wire, key):
        if ref := usable_id(each.id):
            of_list = f"List {each.catalog_id}" if each.catalog_id else ""
            quantity = f"quantity {each.quantity}" if each.quantity else ""
            text = ", ".join(filter(None, (of_list, quantity)))
            entries.append(PanelEntry(f"{_TITLES[key]} {ref}", text=text, kind=key, ref=ref))
    return tuple(entries)


def to_chat_entries(chats: Iterable[ChatWire]) -> tuple[PanelEntry, ...]:
    """Chats of a contact; their contents are kept elsewhere."""
    return tuple(
        PanelEntry(f"Chat {chat.chat_id}", kind="chat", ref=chat.chat_id) for chat in chats if chat.chat_id
    )


def to_definition(raw: Any) -> FieldDefinition | None:
    """One custom field; None for phone and e-mail, which are no custom fields here."""
    wire = parse_wire(DefinitionWire, raw)
    key = fields.key_of(FieldWire(field_id=wire.id, field_code=wire.code))
    if not key:
        raise Unreadable("id: missing or unusable")
    if key in fields.KINDS:
        return None
    kind = fields.TYPES.get(wire.type or "")
    choices: list[FieldChoice] = []
    if kind in {FieldType.SELECT, FieldType.RADIO, FieldType.CHECKBOX}:
        enums = [each for each in wire.enums or () if not isinstance(each, str)]
        enums.sort(key=lambda each: payloads.seconds(each.sort) or 0)
        choices = [FieldChoice(each.value, each.value) for each in enums if each.value]
    return FieldDefinition(
        key=key,
        label=wire.name or key,
        type=kind or FieldType.TEXT,
        choices=tuple(choices),
        editable=kind is not None,
        help="" if kind else "amoCRM keeps this in a shape of its own; change it there.",
    )


def to_deletion(item: RawItem) -> DeletionRecord:
    """One event of a deletion, which tells of the contact no more than its id."""
    wire = parse_wire(EventWire, item.raw)
    identity = Identity(item.family, item.remote_id)
    by = usable_id(wire.created_by)
    return DeletionRecord(
        contact=ContactRecord(identity, Kind.CONTACT, name=f"Contact {item.remote_id}"),
        trashed_at=to_moment(wire.created_at, "created_at"),
        trashed_by=f"user {by}" if by else "amoCRM",
    )


def chats_of(data: Any) -> list[ChatWire]:
    """The links of a list of chats; None is a 204. Raises ValueError or Unreadable."""
    if data is None:
        return []
    embedded = data.get("_embedded") if isinstance(data, dict) else None
    items = embedded.get("chats") if isinstance(embedded, Mapping) else None
    if not isinstance(items, list):
        raise ValueError("it holds no list of chats")
    return [parse_wire(ChatWire, item) for item in items]
