"""Concord's payloads → our records, in canonical form. Pure; the way back is `changes`.

What is written and read back must compare equal, so both directions share one rule per field:

- name: first and last name with single spaces between them;
- phones: the type in lower case, "other" and none are the same; e-mail: one, without a type;
- address: one; the vendor's street is our street name, its state our district, its country a number;
- responsible and source: numbers, or names where an admin has told which number is whom;
- custom fields: foreign top-level keys by their key (or the label an admin gave), with `job_title` among
  them; numbers as texts, empty ones dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.concord import payloads
from crm_bridge.connectors.concord.payloads import ContactWire
from crm_bridge.connectors.wires import custom_value, usable_id
from crm_bridge.phones import to_e164
from crm_bridge.records import (
    Address,
    ContactRecord,
    DeletionRecord,
    Email,
    Identity,
    Kind,
    PanelEntry,
    Phone,
)

JOB_TITLE = "job_title"
UNTYPED = "other"
_ENTRY_KINDS = {"companies": "company", "deals": "deal", "activities": "activity"}


@dataclass(frozen=True, slots=True)
class Names:
    """What the account's numbers and keys stand for, where an admin has told."""

    users: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    countries: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    """Key → label. When there are any, no other key is a custom field."""

    @property
    def custom_keys(self) -> tuple[str, ...]:
        return tuple(self.custom_fields)


NO_NAMES = Names()


def to_record(item: RawItem, names: Names = NO_NAMES) -> ContactRecord:
    """One contact as a record. Raises Unreadable naming the field."""
    if item.problem:
        raise Unreadable(item.problem)
    wire = payloads.parse_contact(item.raw)
    return ContactRecord(
        identity=Identity(item.family, item.remote_id),
        kind=Kind.CONTACT,
        name=to_name(wire.first_name, wire.last_name) or to_name(wire.display_name, None),
        phones=_phones(wire),
        emails=(Email(wire.email),) if wire.email else (),
        addresses=_addresses(wire, names),
        tags=tuple(payloads.tag_names(wire)),
        source=_named(wire.source_id, names.sources),
        responsible=_named(wire.user_id, names.users),
        custom_fields=to_custom_fields(item.raw, wire, names),
        extra=_extra(wire),
        created_at=to_moment(wire.created_at, "created_at"),
        updated_at=to_moment(wire.updated_at, "updated_at"),
    )


def to_deletion(item: RawItem, names: Names = NO_NAMES) -> DeletionRecord:
    """One element of the trash. Only `deleted_at` makes it evidence: a list of the living has none."""
    contact = to_record(item, names)
    wire = payloads.parse_contact(item.raw)
    deleted_at = to_moment(wire.deleted_at, "deleted_at")
    if deleted_at is None:
        raise Unreadable("deleted_at: missing, so nothing says that it is deleted")
    who = wire.deleted_by
    who = who.get("name") if isinstance(who, dict) else who
    return DeletionRecord(contact, deleted_at, str(who).strip() if isinstance(who, str | int) else "")


def to_entries(raw: Mapping[str, Any], pool: str) -> tuple[PanelEntry, ...] | None:
    """Associated companies, deals or activities; None when the contact does not show them."""
    found = payloads.parse_associations(raw, pool)
    if found is None:
        return None
    kind = _ENTRY_KINDS[pool]
    return tuple(
        PanelEntry(
            title=wire.display_name or wire.name or wire.title or f"{kind} {number}",
            kind=kind,
            ref=number,
        )
        for number, wire in found
    )


def to_name(first: str | None, last: str | None) -> str:
    """The canonical name: both parts, with single spaces."""
    return " ".join(f"{first or ''} {last or ''}".split())


def to_moment(value: str | None, place: str) -> datetime | None:
    """ISO 8601, also as databases print it; aware, in UTC. Raises Unreadable."""
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{place}: not a time we can read") from None


def to_address(wire: ContactWire, names: Names = NO_NAMES) -> Address:
    """The vendor's address fields in our slots, all of them empty where it has none."""
    return Address(
        street_name=wire.street or "",
        district=wire.state or "",
        city=wire.city or "",
        country=_named(wire.country_id, names.countries),
        postal_code=wire.postal_code or "",
    )


def to_custom_fields(raw: Mapping[str, Any], wire: ContactWire, names: Names = NO_NAMES) -> dict[str, Any]:
    """Custom fields by label, else by key; the job title is one of them."""
    values: dict[str, Any] = {JOB_TITLE: wire.job_title} if wire.job_title else {}
    for key in payloads.custom_keys(raw, names.custom_keys):
        value = raw[key]
        value = [custom_value(each) for each in value] if isinstance(value, list) else custom_value(value)
        if value not in ("", None, []):
            values[names.custom_fields.get(key, key)] = value
    return values


def phone_type(text: str | None) -> str:
    """A phone's type as it compares."""
    kind = (text or "").strip().lower()
    return "" if kind == UNTYPED else kind


def _phones(wire: ContactWire) -> tuple[Phone, ...]:
    return tuple(
        [
            Phone(each.number, phone_type(each.type), to_e164(each.number))
            for each in wire.phones or ()
            if each.number
        ]
    )


def _addresses(wire: ContactWire, names: Names) -> tuple[Address, ...]:
    address = to_address(wire, names)
    return () if address == Address() else (address,)


def _named(number: str | None, names: Mapping[str, str]) -> str:
    found = usable_id(number)
    return names.get(found, found)


def _extra(wire: ContactWire) -> dict[str, Any]:
    shown = {
        "owner": wire.user.name if wire.user else None,
        "source": wire.source.name if wire.source else None,
        "country": wire.country.name if wire.country else None,
        "next_activity": wire.next_activity_date,
    }
    return {label: value for label, value in shown.items() if value}
