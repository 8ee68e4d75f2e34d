"""Canonical values → columns and child rows of one contact.

Used where single contacts are written (staff edits, settled changes, records
under edit). The bulk pull has its own set-based writer of the same rows.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.conf import settings

from crm_bridge.folding import fold, search_text
from crm_bridge.models import Contact, ContactEmail, ContactPhone, Tag
from crm_bridge.phones import digits_reversed, to_e164
from crm_bridge.services.field_values import write_one

_LISTS = ("phones", "emails", "tags")


def write_values(contact: Contact, values: Mapping[str, Any], **columns: Any) -> None:
    """Set canonical ``values`` (and plain ``columns``) on a contact and save it.

    Only what is named is written; the caller holds the row lock and the
    transaction. Keeps ``search_text`` true.
    """
    changed = dict(columns)
    for name, value in values.items():
        if name == "birth_date":
            changed[name] = date.fromisoformat(value) if value else None
        elif name not in _LISTS:
            changed[name] = value
    for name, value in changed.items():
        setattr(contact, name, value)
    fresh = contact.pk is None
    if fresh:
        contact.save()
        changed = {}
    if "phones" in values:
        contact.phones.all().delete()
        ContactPhone.objects.bulk_create(phone_rows(contact, values["phones"]))
    if "emails" in values:
        contact.emails.all().delete()
        ContactEmail.objects.bulk_create(email_rows(contact, values["emails"]))
    if "tags" in values:
        contact.tags.set(tags_of(contact.connection_id, values["tags"]))
    if {"name", "phones", "emails"} & values.keys():
        contact.search_text = search_text(
            contact.name,
            contact.phones.values_list("value", "e164"),
            contact.emails.values_list("value", flat=True),
        )
        changed["search_text"] = contact.search_text
    if "custom_fields" in values and (contact.custom_fields or not fresh):
        write_one(contact)
    vars(contact).pop("_prefetched_objects_cache", None)  # lists read before are not true any more
    if changed:
        contact.save(update_fields=list(changed))


def phone_rows(contact: Contact, phones: list[dict[str, str]]) -> list[ContactPhone]:
    rows = []
    for position, phone in enumerate(phones):
        e164 = to_e164(phone["value"], settings.PHONE_REGION)
        rows.append(
            ContactPhone(
                contact=contact,
                position=position,
                type=phone.get("type", ""),
                value=phone["value"],
                e164=e164,
                digits_reversed=digits_reversed(phone["value"], e164),
            )
        )
    return rows


def email_rows(contact: Contact, emails: list[dict[str, str]]) -> list[ContactEmail]:
    return [
        ContactEmail(
            contact=contact,
            position=position,
            type=email.get("type", ""),
            value=email["value"],
            address_folded=fold(email["value"]),
        )
        for position, email in enumerate(emails)
    ]


def tags_of(connection_id: int, names: list[str]) -> list[Tag]:
    """Tag rows of these names, made where missing."""
    known = {tag.name: tag for tag in Tag.objects.filter(connection_id=connection_id, name__in=names)}
    for name in names:
        if name not in known:
            known[name], _created = Tag.objects.get_or_create(connection_id=connection_id, name=name)
    return [known[name] for name in dict.fromkeys(names)]
