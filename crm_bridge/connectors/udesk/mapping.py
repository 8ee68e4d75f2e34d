"""Udesk's payloads → our records, in canonical form. Pure; the way back is `changes`.

Udesk keeps no types of phones and e-mails, no creation and no update time. The first e-mail is
the primary one. WeChat identities are social accounts, their parts joined by slashes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.udesk import payloads
from crm_bridge.connectors.udesk.payloads import CustomerWire, DefinitionWire, IdentityWire
from crm_bridge.phones import to_e164
from crm_bridge.records import (
    ContactRecord,
    Email,
    FieldChoice,
    FieldDefinition,
    FieldType,
    Identity,
    Kind,
    Phone,
    SocialAccount,
)

FAMILY = payloads.FAMILY
TYPES = {
    "text": FieldType.TEXT,
    "area_text": FieldType.LONG_TEXT,
    "date": FieldType.DATE,
    "time": FieldType.TIME,
    "datetime": FieldType.DATETIME,
    "link": FieldType.LINK,
    "number": FieldType.NUMBER,
    "numeric": FieldType.NUMBER,
    "droplist": FieldType.SELECT,
    "radio": FieldType.RADIO,
    "checkbox": FieldType.CHECKBOX,
}
SELECT_PREFIX = "SelectField"
#: Our names of the networks, by the list they stand in.
NETWORKS = {"weixins": "WeChat", "weixin_minis": "WeChat Mini Program", "weixin_works": "WeChat Work"}
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})(?::00)?")
_REQUIRED = "1"


@dataclass(frozen=True, slots=True)
class Definitions:
    """Custom fields of the account by their name; empty where the account does not tell them."""

    by_name: Mapping[str, FieldDefinition] = field(default_factory=dict)

    def type_of(self, name: str) -> FieldType | None:
        """None where nothing is known of this field."""
        definition = self.by_name.get(name)
        return definition.type if definition else None


NO_DEFINITIONS = Definitions()


def to_record(item: RawItem, definitions: Definitions = NO_DEFINITIONS) -> ContactRecord:
    """One customer as a record. Raises Unreadable naming the field."""
    if item.problem:
        raise Unreadable(item.problem)
    wire = payloads.parse(CustomerWire, item.raw)
    return ContactRecord(
        identity=Identity(FAMILY, item.remote_id),
        kind=Kind.CONTACT,
        name=wire.nick_name or "",
        phones=tuple([_phone(each.content) for each in wire.cellphones if each.content]),
        emails=tuple([Email(text) for text in emails_of(wire)]),
        social_accounts=tuple(social_accounts(wire)),
        note=_lines(wire.description),
        stage=wire.level or "",
        tags=tuple(dict.fromkeys([each.name for each in wire.tags if each.name])),
        source=wire.source_channel or "",
        responsible=responsible_of(wire),
        custom_fields={
            name: value
            for name, raw in wire.custom_fields.items()
            if (value := to_value(name, raw, definitions)) not in ("", None, [])
        },
        extra=_extra(wire),
    )


def needs_definitions(raw: Any) -> bool:
    """Whether a customer has custom fields, which only their definitions explain."""
    return isinstance(raw, dict) and bool(raw.get("custom_fields"))


def emails_of(wire: CustomerWire) -> list[str]:
    """All addresses, the primary one first; one that stands in both places counts once."""
    texts = [wire.email, *(each.content for each in wire.other_emails)]
    return list(dict.fromkeys([text for text in texts if text]))


def social_accounts(wire: CustomerWire) -> list[SocialAccount]:
    """WeChat identities of the kinds that can be written; customer service ones are `extra`."""
    found = []
    for name, network in NETWORKS.items():
        for each in getattr(wire, name):
            if text := identity_text(name, each):
                found.append(SocialAccount(network, text))
    return found


def identity_text(name: str, each: IdentityWire) -> str:
    """`appid/openid`, or `corpid/agentid/userid`; "" where a part is missing."""
    parts = [getattr(each, part) or "" for part in payloads.IDENTITY_PARTS[name]]
    return "/".join(parts) if all(parts) else ""


def responsible_of(wire: CustomerWire) -> str:
    """The agent and the group, which Udesk shows and takes as numbers only."""
    agent, group = payloads.usable_id(wire.owner_id), payloads.usable_id(wire.owner_group_id)
    parts = [f"agent {agent}" if agent else "", f"group {group}" if group else ""]
    return ", ".join(filter(None, parts))


def to_value(name: str, raw: Any, definitions: Definitions) -> Any:
    """A custom field's value as it compares; texts, one choice, or choices in their order."""
    if name.startswith(SELECT_PREFIX):
        return _chosen(name, raw if isinstance(raw, list) else [raw], definitions)
    if raw is None or isinstance(raw, list | dict):
        return raw or ""
    text = _lines(str(raw))
    if definitions.type_of(name) is FieldType.DATETIME and (found := _MOMENT.fullmatch(text)):
        return f"{found[1]}T{found[2]}"
    return text


def _chosen(name: str, raw: list[Any], definitions: Definitions) -> Any:
    texts = list(dict.fromkeys([str(each).strip() for each in raw if each not in (None, "")]))
    definition = definitions.by_name.get(name)
    if definition is None:
        return texts
    if definition.type is not FieldType.CHECKBOX:
        return texts[0] if len(texts) == 1 else (texts or "")
    order = {choice.value: place for place, choice in enumerate(definition.choices)}
    return sorted(texts, key=lambda text: order.get(text, len(order)))


def to_definitions(raws: list[Any]) -> list[FieldDefinition]:
    """All definitions that can be read, in the vendor's order."""
    found: dict[str, FieldDefinition] = {}
    for raw in raws:
        try:
            wire = payloads.parse(DefinitionWire, raw)
        except Unreadable:
            continue
        found.setdefault(wire.custom_field_name, _definition(wire))
    return list(found.values())


def _definition(wire: DefinitionWire) -> FieldDefinition:
    choices = [
        FieldChoice(value, label or value) for option in wire.options for value, label in option.items()
    ]
    name = wire.custom_field_name
    unknown = FieldType.CHECKBOX if name.startswith(SELECT_PREFIX) else FieldType.TEXT
    return FieldDefinition(
        key=name,
        label=wire.title or name,
        type=TYPES.get(wire.content_type or "", unknown),
        choices=tuple(choices),
        required=str(wire.agent_permission) == _REQUIRED,
        help=wire.comment or "",
    )


def to_moment(text: str | None) -> datetime | None:
    """A time of Udesk (ISO 8601 with an offset); None where it has none or is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _phone(value: str) -> Phone:
    """A number without a country is looked at as the company's, then as a Chinese one."""
    return Phone(value, "", to_e164(value) or to_e164(value, "CN"))


def _lines(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n").strip()


def _extra(wire: CustomerWire) -> dict[str, Any]:
    moments = {
        name: value
        for name in (
            "first_contact_at",
            "last_contact_at",
            "last_contact_at_via_phone",
            "last_contact_at_via_im",
        )
        if (value := _checked_moment(name, getattr(wire, name)))
    }
    organizations = [number for each in wire.organization_ids if (number := payloads.usable_id(each))]
    main = payloads.usable_id(wire.organization_id)
    kfs = [f"{each.open_kfid}/{each.external_userid}" for each in wire.weixin_kfs if each.external_userid]
    values = {
        "blocked": bool(wire.is_blocked),
        "external_id": wire.open_api_token or "",
        "organizations": ", ".join(dict.fromkeys(filter(None, [main, *organizations]))),
        "coloured_tags": ", ".join(filter(None, [each.name for each in wire.rich_tags])),
        "wechat_customer_service": ", ".join(kfs),
        "platform": wire.platform or "",
        "web_token": wire.web_token or "",
        "sdk_token": wire.sdk_token or "",
    }
    return {key: value for key, value in values.items() if value} | moments


def _checked_moment(name: str, text: str | None) -> str:
    if text and to_moment(text) is None:
        raise Unreadable(f"{name}: not a time we can read")
    return text or ""
