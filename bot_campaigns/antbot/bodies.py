"""Our records as AntBOT's request bodies. Pure; raises ValueError for what cannot be said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import time
from typing import Any

import orjson

from bot_campaigns.antbot.client import build_moment
from bot_campaigns.antbot.payloads import usable_id
from bot_campaigns.records import BotContact, BotContactDraft, Campaign, CampaignDraft

#: Our field → the vendor's key, where a change may leave out what it does not know.
CAMPAIGN_KEYS = {
    "name": "name",
    "description": "description",
    "caller_id": "callerid",
    "phonebook_ids": "phonebook",
    "gateway_id": "aleg_gateway",
    "survey_template_id": "object_id",
    "frequency": "frequency",
    "starts_at": "startingdate",
    "expires_at": "expirationdate",
    "daily_start": "daily_start_time",
    "daily_stop": "daily_stop_time",
}
CONTACT_KEYS = {
    "number": "contact",
    "first_name": "first_name",
    "last_name": "last_name",
    "email": "email",
    "description": "description",
    "country": "country",
    "active": "status",
    "variables": "additional_vars",
}


def to_draft(campaign: Campaign) -> CampaignDraft:
    """What is known of a campaign, to be changed. Raises ValueError when a part is missing.

    The call flow is left out: what a campaign shows may be its sealed copy, and the same
    number sent back would mean a template.
    """
    needed = ("frequency", "starts_at", "expires_at", "daily_start", "daily_stop")
    if missing := [name for name in needed if getattr(campaign, name) is None]:
        raise ValueError(f"AntBOT does not show the campaign's {', '.join(missing)}.")
    values: dict[str, Any] = {name: getattr(campaign, name) for name in needed}
    return CampaignDraft(
        name=campaign.name,
        description=campaign.description,
        caller_id=campaign.caller_id,
        phonebook_ids=campaign.phonebook_ids,
        gateway_id=campaign.gateway_id,
        **values,
    )


def new_campaign(draft: CampaignDraft) -> dict[str, Any]:
    """A campaign as it is created; all that the vendor requires is always there."""
    body = _campaign(draft)
    body["aleg_gateway"] = build_id(draft.gateway_id, "gateway")
    body["object_id"] = build_id(draft.survey_template_id, "survey template")
    return without_empty(body)


def changed_campaign(
    draft: CampaignDraft, shown: Mapping[str, Any], changed: Collection[str]
) -> dict[str, Any]:
    """A whole campaign as it is changed: what the vendor showed a moment ago, and the changes.

    What it did not show is left out, for sending it empty would clear it.
    """
    body = _campaign(draft)
    if draft.gateway_id:
        body["aleg_gateway"] = build_id(draft.gateway_id, "gateway")
    if draft.survey_template_id:
        body["object_id"] = build_id(draft.survey_template_id, "survey template")
    keep = {CAMPAIGN_KEYS[name] for name in changed} | shown.keys()
    return {key: value for key, value in body.items() if key in keep}


def _campaign(draft: CampaignDraft) -> dict[str, Any]:
    if not draft.name.strip():
        raise ValueError("A campaign needs a name.")
    if draft.frequency < 1:
        raise ValueError("A campaign calls at least one number a minute.")
    return {
        "name": draft.name,
        "description": draft.description,
        "callerid": draft.caller_id,
        "phonebook": _ids(draft.phonebook_ids, "phonebook"),
        "frequency": draft.frequency,
        "startingdate": build_moment(draft.starts_at),
        "expirationdate": build_moment(draft.expires_at),
        "daily_start_time": _clock(draft.daily_start),
        "daily_stop_time": _clock(draft.daily_stop),
    }


def _clock(value: time) -> str:
    if value.tzinfo is not None:
        raise ValueError("AntBOT's daily times have no zone.")
    return value.strftime("%H:%M:%S")


def contact_draft(contact: BotContact) -> BotContactDraft:
    """What is known of a contact, to be changed."""
    return BotContactDraft(
        number=contact.number,
        first_name=contact.first_name,
        last_name=contact.last_name,
        email=contact.email,
        description=contact.description,
        country=contact.country,
        active=contact.active is not False,
        variables=contact.variables,
    )


def new_contact(draft: BotContactDraft) -> dict[str, Any]:
    """A contact as it is created; the number goes as it is given, the state always."""
    return without_empty(_contact(draft))


def changed_contact(
    draft: BotContactDraft, shown: Mapping[str, Any], changed: Collection[str]
) -> dict[str, Any]:
    """A whole contact as it is changed, without what the vendor did not show."""
    keep = {CONTACT_KEYS[name] for name in changed} | shown.keys() | {"contact", "status"}
    return {key: value for key, value in _contact(draft).items() if key in keep}


def _contact(draft: BotContactDraft) -> dict[str, Any]:
    if not draft.number.strip():
        raise ValueError("A contact needs a number.")
    return {
        "contact": draft.number,
        "status": int(draft.active),
        "email": draft.email,
        "last_name": draft.last_name,
        "first_name": draft.first_name,
        "description": draft.description,
        "country": draft.country,
        # the vendor wants a JSON document inside a text
        "additional_vars": orjson.dumps(dict(draft.variables)).decode() if draft.variables else "",
    }


def build_id(remote_id: str, what: str) -> int:
    """An id as the number the vendor's samples show. Raises ValueError naming what it is of."""
    number = usable_id(remote_id)
    if not number:
        raise ValueError(f"The {what} is not known to AntBOT.")
    return int(number)


def _ids(remote_ids: Sequence[str], what: str) -> list[int]:
    """Several ids; none would be refused or, worse, mean all."""
    if not remote_ids:
        raise ValueError(f"At least one {what} is needed.")
    return [build_id(each, what) for each in dict.fromkeys(remote_ids)]


def without_empty(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without optional texts that say nothing."""
    return {key: value for key, value in body.items() if value not in ("", None)}
