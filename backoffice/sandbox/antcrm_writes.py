"""What AntCRM accepts in a create or an edit: checks in the vendor's words, then stored fields."""

import re
from datetime import date
from typing import Any

from .antcrm_shapes import MONTHS
from .seed import ACCOUNT, ADDRESS_TEXTS, CONTACT, LEAD
from .state import ContactBook
from .switches import Switches

EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")
LONG_DATE = re.compile(r"([A-Za-z]+) (\d{1,2}), (\d{4})")
PLAIN_TEXTS = ("industry", "bgInfo", "stage", "sourceContact")
BLANK: dict[str, Any] = {
    "name": "", "lastname": "", "dateOfBirth": None, "gender": 2, "addresses": [], "phones": [], "emails": [],
    "industry": None, "im": [], "bgInfo": "", "stage": None, "tags": [], "sourceContact": None,
    "responsibleStaff": None, "cusFields": [], "scoreAvailable": 0, "scoreRank": 0, "rankName": "",
    "createdByBot": "API", "sourceLead": None, "historiesAds": [], "group": None, "contactId": [],
}  # fmt: skip
EDITABLE = (
    "name", "dateOfBirth", "gender", "addresses", "phones", "emails", "industry", "im", "bgInfo", "stage",
    "tags", "sourceContact", "responsibleStaff", "cusFields",
)  # fmt: skip


class Refused(Exception):
    """The vendor says no; the text names the field."""


def kind_of(body: dict[str, Any]) -> int:
    """The kind a create asks for: a lead unless it says customer, a contact unless type is 1."""
    contact_type = body.get("contactType", "lead")
    if contact_type not in ("lead", "customer"):
        raise Refused('contactType must be "lead" or "customer"')
    account = _choice("type", body.get("type", 0), (0, 1)) == 1
    if contact_type == "lead":
        return LEAD
    return ACCOUNT if account else CONTACT


def stored_fields(book: ContactBook, body: dict[str, Any], switches: Switches) -> dict[str, Any]:
    """The fields named in a body, checked and in stored form."""
    fields: dict[str, Any] = {}
    if "name" in body:
        name = body["name"]
        if not isinstance(name, str) or not name.strip():
            raise Refused("name must be a text that is not empty")
        limit = switches["cut_name"]
        fields["name"] = name[:limit] if limit else name
    for key in PLAIN_TEXTS:
        if key in body:
            if body[key] is not None and not isinstance(body[key], str):
                raise Refused(f"{key} must be a text")
            fields[key] = body[key]
    if "dateOfBirth" in body:
        fields["dateOfBirth"] = _birth(body["dateOfBirth"])
    if "gender" in body:
        fields["gender"] = _choice("gender", body["gender"], (0, 1, 2))
    if "phones" in body:
        fields["phones"] = [_typed(book, "phones", item) for item in _list(body, "phones")]
    if "emails" in body:
        fields["emails"] = [_typed(book, "emails", item) for item in _list(body, "emails")]
        for item in fields["emails"]:
            if not EMAIL.fullmatch(item["value"]):
                raise Refused(f"emails: {item['value']!r} is not an e-mail address")
    if "addresses" in body:
        fields["addresses"] = [_address(book, item) for item in _list(body, "addresses")]
    if "im" in body:
        fields["im"] = [_im(item) for item in _list(body, "im")]
    if "tags" in body:
        tags = _list(body, "tags")
        if not all(isinstance(tag, str) for tag in tags):
            raise Refused("tags must be texts")
        fields["tags"] = list(dict.fromkeys(tags))
    if "cusFields" in body:
        fields["cusFields"] = [_custom_field(book, item) for item in _list(body, "cusFields")]
    if "responsibleStaff" in body:
        fields["responsibleStaff"] = _staff(book, body["responsibleStaff"], switches["unknown_staff"])
    return fields


def merged_fields(old: dict[str, Any], new: dict[str, Any], switches: Switches) -> dict[str, Any]:
    """What an edit stores: arrays replaced or merged, omitted fields kept or cleared."""
    changes = {key: _keeping_ids(old[key], value) for key, value in new.items()}
    if switches["put_arrays"] == "merge":
        for key, value in changes.items():
            if isinstance(value, list):
                known = [_same(item) for item in value]
                changes[key] = [item for item in old[key] if _same(item) not in known] + value
    if switches["put_omitted"] == "clear":
        changes = {key: BLANK[key] for key in EDITABLE if key not in new and key != "name"} | changes
    return changes


def _same(item: Any) -> Any:
    """What makes two items of an array one: the value, the custom field, or the whole item."""
    if isinstance(item, dict):
        return item.get("id") or item.get("value") or {k: v for k, v in item.items() if k != "_id"}
    return item


def _keeping_ids(old: Any, new: Any) -> Any:
    """Array items that were there before keep their sub-document id."""
    if not isinstance(old, list) or not isinstance(new, list):
        return new
    ids = [(_same(item), item["_id"]) for item in old if isinstance(item, dict) and "_id" in item]
    return [
        item | {"_id": next((oid for same, oid in ids if same == _same(item)), item["_id"])}
        if isinstance(item, dict) and "_id" in item
        else item
        for item in new
    ]


def _list(body: dict[str, Any], key: str) -> list[Any]:
    value = body[key]
    if not isinstance(value, list):
        raise Refused(f"{key} must be an array")
    return value


def _choice(key: str, value: Any, allowed: tuple[int, ...]) -> int:
    if isinstance(value, bool) or str(value) not in map(str, allowed):
        raise Refused(f"{key} must be one of {', '.join(map(str, allowed))}")
    return int(value)


def _birth(value: Any) -> str | None:
    """The stored ISO date of "March 15, 2000"; blank clears."""
    if value is None or value == "":
        return None
    found = LONG_DATE.fullmatch(value) if isinstance(value, str) else None
    if found and found[1] in MONTHS:
        try:
            return date(int(found[3]), MONTHS.index(found[1]) + 1, int(found[2])).isoformat()
        except ValueError:
            pass
    raise Refused('dateOfBirth must look like "March 15, 2000"')


def _typed(book: ContactBook, key: str, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("value"), str):
        raise Refused(f'{key} must hold objects like {{"type": "Work", "value": "…"}}')
    kind = item.get("type", "Work")
    if not isinstance(kind, str):
        raise Refused(f"{key}: type must be a text")
    return {"type": kind, "_id": book.new_oid(), "value": item["value"]}


def _address(book: ContactBook, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise Refused("addresses must hold objects")
    country = item.get("country", {"code": "VN", "name": "Vietnam"})
    if not isinstance(country, dict):
        raise Refused("addresses: country must be an object with code and name")
    texts = {key: item.get(key) or "" for key in ADDRESS_TEXTS}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise Refused(f"addresses: {key} must be a text")
    country = {key: str(country.get(key, "")) for key in ("code", "name")}
    return {"type": str(item.get("type", "Work")), **texts, "_id": book.new_oid(), "country": country}


def _im(item: Any) -> dict[str, str]:
    if not isinstance(item, dict) or not isinstance(item.get("value"), str):
        raise Refused('im must hold objects like {"protocol": "Facebook", "value": "…"}')
    return {"protocol": str(item.get("protocol", "")), "value": item["value"]}


def _custom_field(book: ContactBook, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
        raise Refused('cusFields must hold objects like {"name": "Shipping unit", "value": "…"}')
    return {"_id": book.new_oid(), "id": book.definition_id(item["name"]), "value": item.get("value", "")}


def _staff(book: ContactBook, value: Any, unknown: str) -> str | None:
    if value is None or value == "":
        return None
    oid = book.staff_ids.get(value.lower()) if isinstance(value, str) else None
    if oid is None and unknown == "reject":
        raise Refused("responsibleStaff must be the e-mail of an employee")
    return oid
