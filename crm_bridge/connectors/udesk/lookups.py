"""By what a customer is looked up, and whether an answer is the one that was asked for. Pure."""

from __future__ import annotations

from crm_bridge.connectors.udesk.payloads import CustomerWire
from crm_bridge.phones import digits, to_e164
from crm_bridge.records import ContactRecord

#: Country prefix → what stands in its place at home.
_AT_HOME = {"+84": "0", "+86": ""}
_TELLING_DIGITS = 9


def strong_keys(wire: CustomerWire) -> list[tuple[str, str]]:
    """What a merge could name this customer by, the surest first: phones move from hand to hand."""
    held = [
        ("token", [wire.open_api_token]),
        ("email", [wire.email]),
        ("web_token", [wire.web_token]),
        ("sdk_token", [wire.sdk_token]),
        ("weixin_open_id", [each.openid for each in wire.weixins]),
        ("weixin_mini_openid", [each.openid for each in wire.weixin_minis]),
        ("cellphone", [each.content for each in wire.cellphones]),
    ]
    return [(name, text) for name, texts in held for text in texts if text]


def spellings(phone: str) -> list[str]:
    """The ways one number may be stored: as given, bare, with its country, as at home."""
    spelt = [phone.strip(), digits(phone)]
    if e164 := to_e164(phone) or to_e164(phone, "CN"):
        spelt.append(e164)
        prefix = next((each for each in _AT_HOME if e164.startswith(each)), "")
        if prefix:
            spelt.append(_AT_HOME[prefix] + e164.removeprefix(prefix))
    return list(dict.fromkeys(text for text in spelt if text))


def has(record: ContactRecord, phone: str, email: str) -> bool:
    """Whether a customer bears this phone, however it is spelt, or this e-mail."""
    if phone:
        return _telling(phone) in [_telling(each.value) for each in record.phones]
    return email.strip().casefold() in [each.value.casefold() for each in record.emails]


def _telling(phone: str) -> str:
    """The last digits; the text itself where it has none."""
    return digits(phone)[-_TELLING_DIGITS:] or phone.strip()
