"""What Udesk accepts in a create, an update or an import: checks in the page's own words."""

import re
from typing import Any

from . import udesk_words as words
from .switches import Switches
from .udesk_book import CustomerBook

EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")
WEB_TOKEN = re.compile(r"[A-Za-z0-9@.\-_]+")
TEXTS = ("nick_name", "description", "open_api_token", "email", "web_token")
IDENTITIES = {
    "weixins": ("appid", "openid"),
    "weixin_minis": ("appid", "openid"),
    "weixin_works": ("corpid", "agentid", "userid"),
}
IMPORT_MAX = 100


class Refused(ValueError):
    """An answer other than code 1000: code, message, and the detail under `exception`."""

    def __init__(self, code: int, message: str, detail: str = "") -> None:
        super().__init__(detail or message)
        self.code, self.message, self.detail = code, message, detail


def unknown_error(detail: str) -> Refused:
    """The catch-all of the page."""
    return Refused(2000, "Unknown error", detail)


class Writer:
    """Turns bodies into stored fields; `position` is the customer that is changed, if any."""

    def __init__(self, book: CustomerBook, switches: Switches) -> None:
        self._book, self._switches = book, switches

    def fields(self, body: Any, position: int | None = None) -> dict[str, Any]:
        """The stored fields that a create or an update names. Raises Refused."""
        if not isinstance(body, dict):
            raise unknown_error("Incorrect parameter format")
        customer = body.get("customer")
        outside = {key: body[key] for key in ("other_emails", "tags") if key in body}
        if customer is None and not (outside and position is not None):
            raise unknown_error("param is missing or the value is empty: customer")
        if customer is not None and (not isinstance(customer, dict) or not customer):
            raise unknown_error("undefined method `each_with_index' for nil:NilClass")
        given = customer or {}
        if position is None and not str(given.get("nick_name") or "").strip():
            raise unknown_error("Verification failed: Nick name can't be blank")
        fields = self._scalars(given, position)
        fields |= self._owner(given)
        if "custom_fields" in given:
            fields["custom_fields"] = self._custom_fields(given["custom_fields"], position)
        if "cellphones" in given:
            fields["cellphones"] = self._pairs("cellphones", given["cellphones"], position)
        if "other_emails" in outside:
            fields["other_emails"] = self._pairs("other_emails", outside["other_emails"], position)
        if "tags" in outside:
            fields["tags"] = self._tags(outside["tags"], position)
        for name in IDENTITIES:
            if name in given:
                fields[name] = self._identities(name, given[name], position)
        return fields

    def imported(self, item: Any) -> dict[str, Any]:
        """The stored fields of one element of an import. Raises Refused."""
        if not isinstance(item, dict):
            raise unknown_error("Incorrect parameter format")
        emails, phones = item.get("emails") or [], item.get("cellphones") or []
        if not all(isinstance(text, str) for text in (*emails, *phones)):
            raise unknown_error("Incorrect parameter format")
        known = ("nick_name", "description", "organization_id", "owner_id", "owner_group_id", "level",
                 "custom_fields", "open_api_token")  # fmt: skip
        customer = {key: item[key] for key in known if key in item}
        customer["cellphones"] = [[None, text] for text in phones]
        for name in ("weixins", "weixin_minis"):
            customer[name] = [each | {"action": "new"} for each in item.get(name) or []]
        if emails:
            customer["email"] = emails[0]
        body = {"customer": customer, "other_emails": [[None, text] for text in emails[1:]]}
        if "tags" in item:
            body["tags"] = item["tags"]
        return self.fields(body)

    # ------------------------------------------------------------------ fields

    def _scalars(self, given: dict[str, Any], position: int | None) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name in (*TEXTS, "organization_id", "level", "is_blocked"):
            if name not in given:
                continue
            value = given[name]
            if value in (None, "") and name not in ("is_blocked",):
                fields |= self._cleared(name, position)
                continue
            fields[name] = self._checked(name, value, position)
        return fields

    def _cleared(self, name: str, position: int | None) -> dict[str, Any]:
        policy = self._switches["clear_scalars"]
        if position is None or policy == "ignore":
            return {}
        if policy == "refuse" or name in ("nick_name", "level"):
            raise unknown_error(f"Verification failed: {name} can't be blank")
        return {name: None}

    def _checked(self, name: str, value: Any, position: int | None) -> Any:
        if name == "is_blocked":
            return str(value).lower() == "true"
        if name == "level":
            if value not in ("normal", "vip"):
                raise unknown_error(f"'{value}' is not a valid level")
            return value
        if name == "organization_id":
            if value not in words.ORGANIZATIONS:
                raise unknown_error("Company id does not exist")
            return value
        if not isinstance(value, str):
            raise unknown_error(f"{name} must be a string")
        if len(value) > 255:
            raise unknown_error(f"Verification failed: {name} is too long (maximum is 255 characters)")
        if name == "email":
            self._free_email(value, position)
        if name == "web_token":
            if not WEB_TOKEN.fullmatch(value):
                raise unknown_error(f"web_token format error: {value}")
            if self._taken("web_token", value, position) is not None:
                raise unknown_error(f"web_token duplicate: {value}")
        if name == "open_api_token" and self._switches["unique_token"] == "yes":  # noqa: S105  a switch
            other = self._taken("token", value, position)
            if other is not None:
                raise unknown_error(f"open_api_token duplicate: customer id = {other}")
        return value

    def _free_email(self, value: Any, position: int | None) -> None:
        if not isinstance(value, str) or not EMAIL.fullmatch(value):
            raise unknown_error("Verification failed: Email is invalid")
        if (other := self._taken("email", value, position)) is not None:
            raise unknown_error(f"Email duplicate: customer id = {other}")

    def _taken(self, type_: str, content: str, position: int | None) -> int | None:
        """The id of another live customer that holds this key."""
        others = [each for each in self._book.holders(type_, content) if each != position]
        if type_ == "cellphone" and self._switches["phone_match"] == "exact":
            others = [p for p in others if content in [t for _, t in self._book.get(p)["cellphones"]]]
        return self._book.get(others[0])["id"] if others else None

    def _owner(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("owner_id") is None and given.get("owner_group_id") is None:
            return {}
        agent, group = given.get("owner_id"), given.get("owner_group_id")
        if agent is not None and agent not in words.AGENTS:
            raise unknown_error("Cannot find customer service")
        if group is None:
            raise unknown_error("Customer service exists but customer service group does not exist")
        if group not in words.GROUPS:
            raise unknown_error("Company does not have this customer service group")
        if agent is not None and group not in words.AGENTS[agent][1]:
            raise unknown_error("Customer service does not belong to this customer service group")
        return {"owner_id": agent, "owner_group_id": group}

    def _custom_fields(self, value: Any, position: int | None) -> dict[str, Any]:
        """Fields that are named are set; what becomes of the others is a switch."""
        if not isinstance(value, dict):
            raise unknown_error(f'undefined method `each\' for "{value}":{type(value).__name__}')
        known = {str(each["custom_field_name"]): each for each in words.DEFINITIONS}
        keeping = position is not None and self._switches["put_custom_fields"] == "merge"
        kept = dict(self._book.get(position)["custom_fields"]) if keeping and position is not None else {}
        for name, item in value.items():
            if name not in known:
                continue
            if name.startswith("SelectField_") and not isinstance(item, list):
                raise unknown_error("Incorrect parameter format")
            if item in (None, "", []):
                kept.pop(name, None)
            else:
                kept[name] = item
        return kept

    def _pairs(self, name: str, value: Any, position: int | None) -> list[list[Any]]:
        """`[id | null, text]`: an unknown id is refused, a known one changes its text."""
        old = [] if position is None else self._book.get(position)[name]
        ids = {number for number, _ in old}
        if not isinstance(value, list) or not all(
            isinstance(each, list) and len(each) == 2 for each in value
        ):
            raise unknown_error("Incorrect parameter format")
        kept: list[list[Any]] = []
        for number, text in value:
            if number is not None and number not in ids:
                raise unknown_error("Incorrect parameter format")
            if not isinstance(text, str) or not text.strip():
                continue
            if name == "other_emails":
                self._free_email(text, position)
            elif (self._taken("cellphone", text, position)) is not None:
                raise unknown_error(f"Verification failed: Phone {text} has been used")
            kept.append([number or self._book.part_id(), text])
        texts = [text for _, text in kept]
        if len(set(texts)) < len(texts):
            raise unknown_error(
                f"Verification failed: {'Phone' if name == 'cellphones' else 'Email'} repeated"
            )
        if self._switches["put_arrays"] == "merge":
            sent = {number for number, _ in kept}
            kept = [pair for pair in old if pair[0] not in sent and pair[1] not in texts] + kept
        return kept

    def _tags(self, value: Any, position: int | None) -> list[str]:
        if value is not None and not isinstance(value, str):
            raise unknown_error("Incorrect parameter format")
        tags = [text for part in (value or "").split(",") if (text := part.strip())]
        if position is not None and self._switches["put_tags"] == "add":
            tags = [*self._book.get(position)["tags"], *tags]
        return list(dict.fromkeys(tags))

    def _identities(self, name: str, value: Any, position: int | None) -> list[dict[str, str]]:
        """Deletes first, then adds; incomplete items and other actions are silently ignored."""
        if not isinstance(value, list):
            raise unknown_error("Incorrect parameter format")
        keys = IDENTITIES[name]
        good = [each for each in value if isinstance(each, dict) and all(each.get(key) for key in keys)]
        kept = [] if position is None else list(self._book.get(position)[name])
        if position is not None:
            gone = [tuple(each[key] for key in keys) for each in good if each.get("action") == "delete"]
            kept = [each for each in kept if tuple(each[key] for key in keys) not in gone]
        for each in good:
            if each.get("action") == "new":
                self._free_identity(name, each, kept, position)
                more = {key: each[key] for key in ("unionid", "open_userid") if each.get(key)}
                kept.append({key: str(each[key]) for key in keys} | more)
        return kept

    def _free_identity(
        self, name: str, each: dict[str, Any], kept: list[dict[str, str]], position: int | None
    ) -> None:
        keys = IDENTITIES[name]
        if each[keys[0]] not in words.CHANNELS[name]:
            raise unknown_error(f"{name}: channel {each[keys[0]]} is not bound")
        wanted = {key: each[key] for key in keys}
        type_ = {"weixins": "weixin_open_id", "weixin_minis": "weixin_mini_openid"}.get(name)
        if type_:
            holders = self._book.holders(type_, each["openid"])
        else:
            text = f"cropid:{each['corpid']},agentid:{each['agentid']},userid:{each['userid']}"
            holders = self._book.holders("weixin_work_identifier", text)
        others = [p for p in holders if p != position]
        mine = any(wanted.items() <= other.items() for other in kept)
        for other in [self._book.get(p) for p in others]:
            mine = mine or any(wanted.items() <= held.items() for held in other[name])
        if mine:
            label = {"weixins": "WeChat", "weixin_minis": "WeChat Mini Program"}.get(
                name, "Enterprise WeChat"
            )
            detail = ", ".join(f"{key}: {text}" for key, text in wanted.items())
            holder = self._book.get(others[0])["id"] if others else "this"
            raise unknown_error(f"{label} information ({detail}) already exists in customer (id: {holder})")
