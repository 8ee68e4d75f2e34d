"""AntCRM's payloads → our records, in canonical form. Pure; the way back is `changes`.

What is written and read back must compare equal, so both directions share one rule per
field: texts trimmed, empty list items dropped, a missing type is "Work", e-mail of staff in
lower case, custom field values as texts and empty ones dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.antcrm import payloads
from crm_bridge.connectors.antcrm.payloads import AddressWire, ContactWire, TypedWire
from crm_bridge.connectors.wires import custom_value, usable_id
from crm_bridge.phones import to_e164
from crm_bridge.records import (
    Address,
    ContactRecord,
    DeletionRecord,
    Email,
    Gender,
    Identity,
    Kind,
    MergeRecord,
    Phone,
    SocialAccount,
    canonical_value,
)

#: Times without a zone, and the day a birth date means: the company's clock (guessed).
VIETNAM = timezone(timedelta(hours=7))
DEFAULT_TYPE = "Work"

_GENDERS = {"0": Gender.MALE, "1": Gender.FEMALE, "2": Gender.OTHER, "": Gender.UNKNOWN}
_LEAST_MS = 100_000_000_000  # smaller numbers are seconds


@dataclass(frozen=True, slots=True)
class Names:
    """What the account's ids stand for, where it was measured: staff and custom fields."""

    staff: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, str] = field(default_factory=dict)


NO_NAMES = Names()


def to_record(item: RawItem, names: Names = NO_NAMES) -> ContactRecord:
    """One element of a list as a record. Raises Unreadable naming the field."""
    if item.problem:
        raise Unreadable(item.problem)
    wire = payloads.parse_contact(item.raw)
    identity = Identity(item.family, item.remote_id)
    birth_date, birth_text = _birth_date(wire)
    return ContactRecord(
        identity=identity,
        kind=_kind(item.family, wire),
        name=wire.name or "",
        uid=wire.id or "",
        aliases=_aliases(identity, wire),
        gender=_gender(wire),
        birth_date=birth_date,
        phones=_phones(wire.phones),
        emails=_emails(wire.emails),
        addresses=_addresses(wire),
        social_accounts=_social_accounts(wire),
        industry=wire.industry or "",
        note=wire.bgInfo or "",
        stage=wire.stage or "",
        tags=_tags(wire.tags),
        source=wire.sourceContact or "",
        responsible=_responsible(wire, names),
        custom_fields=_custom_fields(wire, names),
        score_available=_number(wire.scoreAvailable, "scoreAvailable"),
        score_rank=_number(wire.scoreRank, "scoreRank"),
        rank_name=wire.rankName or "",
        ads_history=_ads(wire),
        extra=_extra(wire, birth_text),
        created_at=to_moment(wire.createdAt, "createdAt"),
        updated_at=to_moment(wire.updatedAt, "updatedAt"),
    )


def to_deletion(item: RawItem, names: Names = NO_NAMES) -> DeletionRecord:
    """One element of the list of deleted: `inTrash` tells when and who."""
    contact = to_record(item, names)
    note = payloads.parse_in_trash(item.raw)
    return DeletionRecord(
        contact=contact,
        trashed_at=to_moment(note.trashAt, "inTrash.trashAt"),
        trashed_by=_staff(note.trashBy or "", names),
    )


def to_merge(item: RawItem, names: Names = NO_NAMES) -> MergeRecord:
    """One element of the list of merged: the row is the loser, `inTrash` the survivor.

    The survivor is named by its storage id only. No field says when; the loser's last
    update is the best statement there is.
    """
    loser = to_record(item, names)
    survivor = payloads.parse_in_trash(item.raw)
    return MergeRecord(
        loser=loser,
        survivor_uid=survivor.id or "",
        survivor_name=survivor.name or "",
        survivor_phones=_phones(survivor.phones),
        survivor_emails=_emails(survivor.emails),
        merged_at=loser.updated_at,
    )


def to_moment(value: float | str | None, place: str) -> datetime | None:
    """Epoch in ms or s, as number or text, or ISO 8601; aware, in UTC. Raises Unreadable."""
    try:
        if isinstance(value, str):
            text = value.strip()
            if text and not text.isdecimal():
                moment = datetime.fromisoformat(text)
                return (moment if moment.tzinfo else moment.replace(tzinfo=VIETNAM)).astimezone(UTC)
            value = int(text or 0)
        if not value:
            return None
        return datetime.fromtimestamp(value / 1000 if abs(value) >= _LEAST_MS else value, UTC)
    except (ValueError, OverflowError, OSError):
        raise Unreadable(f"{place}: not a time we can read") from None


def _kind(family: str, wire: ContactWire) -> Kind:
    if family == payloads.LEAD:
        return Kind.LEAD
    number = wire.type or ""
    if number in {"", "0"}:
        return Kind.CONTACT
    if number == "1":
        return Kind.ACCOUNT
    raise Unreadable("type: neither 0 (contact) nor 1 (account)")


def _gender(wire: ContactWire) -> Gender:
    try:
        return _GENDERS[wire.gender or ""]
    except KeyError:
        raise Unreadable("gender: none of 0, 1 and 2") from None


def _aliases(identity: Identity, wire: ContactWire) -> tuple[Identity, ...]:
    """The lead this customer was, if that is certain.

    `sourceLead` may describe the lead or merely the lead's *source* ("Website"): the page
    allows both. Only a `sourceLead` with this very name is taken as the lead.
    """
    if identity.family != payloads.CUSTOMER:
        return ()
    number = usable_id(wire.leadId)
    source = wire.sourceLead
    if not number and isinstance(source, dict) and wire.name:
        name = source.get("name")
        if isinstance(name, str) and name.strip().casefold() == wire.name.strip().casefold():
            number = usable_id(source.get("code"))
    return (Identity(payloads.LEAD, number),) if number else ()


def _birth_date(wire: ContactWire) -> tuple[date | None, str]:
    """The birth date, or the text that stands in its place and is no date."""
    for value in (wire.dateOfBirth, wire.dateOfBirth2):
        if value is None or value == "":
            continue
        if isinstance(value, str) and (found := payloads.parse_long_date(value.strip())):
            return found, ""
        try:
            moment = to_moment(value, "dateOfBirth")
        except Unreadable:
            return None, str(value)[:100]
        if moment:
            return moment.astimezone(VIETNAM).date(), ""
    if wire.yearOfBirth and wire.monthOfBirth and wire.dayOfBirth:
        parts = [wire.yearOfBirth, wire.monthOfBirth, wire.dayOfBirth]
        try:
            return date(*(int(part) for part in parts)), ""
        except (ValueError, OverflowError):
            return None, "-".join(str(part) for part in parts)[:100]
    return None, ""


def _phones(wires: list[TypedWire] | str | None) -> tuple[Phone, ...]:
    if not wires or isinstance(wires, str):
        return ()
    return tuple(
        [Phone(value, each.type or DEFAULT_TYPE, to_e164(value)) for each in wires if (value := each.value)]
    )


def _emails(wires: list[TypedWire] | str | None) -> tuple[Email, ...]:
    if not wires or isinstance(wires, str):
        return ()
    return tuple([Email(value, each.type or DEFAULT_TYPE) for each in wires if (value := each.value)])


def _addresses(wire: ContactWire) -> tuple[Address, ...]:
    if not wire.addresses or isinstance(wire.addresses, str):
        return ()
    return tuple([address for each in wire.addresses if (address := _address(each))])


def _social_accounts(wire: ContactWire) -> tuple[SocialAccount, ...]:
    if not wire.im or isinstance(wire.im, str):
        return ()
    return tuple([SocialAccount(each.protocol or "", each.value) for each in wire.im if each.value])


def _address(wire: AddressWire) -> Address | None:
    """None for the empty address that AntCRM gives to contacts without one."""
    street, street_name, ward = wire.street or "", wire.streetName or "", wire.wards or ""
    district, city, postal_code = wire.state or "", wire.city or "", wire.zip or ""
    if not (street or street_name or ward or district or city or postal_code):
        return None
    country = wire.country or ""
    return Address(
        street=street,
        street_name=street_name,
        ward=ward,
        district=district,
        city=city,
        country_code="" if isinstance(country, str) else country.code or "",
        country=country if isinstance(country, str) else country.name or "",
        postal_code=postal_code,
        type=wire.type or DEFAULT_TYPE,
    )


def _tags(value: list[str | None] | str | None) -> tuple[str, ...]:
    if not value:
        return ()
    values = [value] if isinstance(value, str) else value
    return tuple(dict.fromkeys(filter(None, values)))


def _responsible(wire: ContactWire, names: Names) -> str:
    return _staff(wire.responsibleStaff or "", names)


def _staff(text: str, names: Names) -> str:
    """An e-mail in lower case; an internal id as its e-mail where known, else as it is."""
    return names.staff.get(text, text).lower() if text else ""


def _custom_fields(contact: ContactWire, names: Names) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if not contact.cusFields or isinstance(contact.cusFields, str):
        return values
    for wire in contact.cusFields:
        identifier = wire.id or ""
        name = wire.name or names.custom_fields.get(identifier, identifier)
        value = custom_value(wire.value)
        if name and value not in ("", None, [], {}):
            values[name] = value
    return values


def _number(value: float | str | None, place: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except ValueError:
        raise Unreadable(f"{place}: not a number") from None
    if not abs(number) < 1e15:
        raise Unreadable(f"{place}: not a number we can keep")
    return number


def _ads(wire: ContactWire) -> tuple[Mapping[str, Any], ...]:
    if not wire.historiesAds or isinstance(wire.historiesAds, str):
        return ()
    return tuple(
        {
            "ads_id": each.fb_ads_id or "",
            "post_id": each.fb_post_id or "",
            "created_at": canonical_value(to_moment(each.createdAt, "historiesAds.createdAt")),
        }
        for each in wire.historiesAds
    )


def _extra(wire: ContactWire, birth_text: str) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if wire.createdByBot:
        extra["created_by"] = wire.createdByBot
    if wire.lastname:
        extra["last_name"] = wire.lastname
    if wire.sourceLead:
        extra["source_lead"] = wire.sourceLead
    if birth_text:
        extra["birth_date_text"] = birth_text
    return extra
