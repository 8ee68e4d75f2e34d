"""Udesk's customers in memory: seeded ones made on demand, touched ones kept.

Not thread-safe by itself: the vendor's lock is held around every call.
"""

import time
from collections.abc import Callable
from typing import Any

from . import udesk_words as words
from .udesk_seed import Customer, UdeskSeed, moment

LIVE, DELETED, MERGED = 0, 1, 2
STATE_NAMES = {LIVE: "live", DELETED: "deleted", MERGED: "merged"}
#: The ten types of get_customer; merge spells four of them differently and lacks two.
TYPES = (
    "id", "email", "cellphone", "token", "weixin_open_id", "weixin_mini_openid", "weixin_work_identifier",
    "weibo_id", "sdk_token", "web_token",
)  # fmt: skip
MERGE_TYPES = {
    "email": "email", "cellphone": "cellphone", "customer_token": "token", "weixin_openid": "weixin_open_id",
    "weibo_openid": "weibo_id", "sdk_token": "sdk_token", "web_token": "web_token",
    "weixin_mini_openid": "weixin_mini_openid",
}  # fmt: skip


def digits(phone: str) -> str:
    """Digits of a phone without the prefixes that are often left out."""
    found = "".join(filter(str.isdecimal, phone))
    for prefix in ("0086", "86", "0084", "84", "0"):
        if found.startswith(prefix) and len(found) - len(prefix) >= 9:
            return found[len(prefix) :]
    return found


def keys_of(customer: Customer) -> list[tuple[str, str]]:
    """Everything this customer can be found by, as (type, content)."""
    works = [
        f"cropid:{each['corpid']},agentid:{each['agentid']},userid:{each['userid']}"
        for each in customer["weixin_works"]
    ]
    several = (
        ("email", [customer["email"], *(text for _, text in customer["other_emails"])]),
        ("cellphone", [text for _, text in customer["cellphones"]]),
        ("token", [customer["open_api_token"]]),
        ("weixin_open_id", [each["openid"] for each in customer["weixins"]]),
        ("weixin_mini_openid", [each["openid"] for each in customer["weixin_minis"]]),
        ("weixin_work_identifier", works),
        ("weibo_id", [customer["weibo_id"]]),
        ("sdk_token", [customer["sdk_token"]]),
        ("web_token", [customer["web_token"]]),
    )
    return [(type_, index_text(type_, text)) for type_, texts in several for text in texts if text]


def index_text(type_: str, text: str) -> str:
    """The form in which a key is indexed; e-mails ignore letter case, phones keep only digits."""
    if type_ == "email":
        return str(text).strip().lower()
    return digits(str(text)) or str(text) if type_ == "cellphone" else str(text)


class CustomerBook:
    """All customers of one account and what can happen to them."""

    def __init__(self, data: UdeskSeed) -> None:
        self.data = data
        self.states = bytearray(data.size)
        self.survivors: dict[int, int] = {}
        self.version = 0
        self.changed: Callable[[int], None] = lambda position: None
        self._kept: dict[int, Customer] = {}
        self._feeds: dict[int, list[dict[str, Any]]] = {}
        self._index: dict[tuple[str, str], list[int]] | None = None
        self._part_ids = 900_000_000

    # ------------------------------------------------------------------ reading

    def get(self, position: int) -> Customer:
        """The customer at a position, kept or freshly made."""
        return self._kept.get(position) or self.data.customer(position)

    def live(self) -> list[int]:
        """Positions of all live customers, oldest first."""
        return [position for position, state in enumerate(self.states) if state == LIVE]

    def by_id(self, customer_id: int) -> int | None:
        """The position of an id, in whatever state."""
        position = self.data.position(customer_id)
        return position if 0 <= position < len(self.states) else None

    def find(self, type_: str, content: str, phone_match: str = "exact") -> int | None:
        """The live customer that this key names."""
        if type_ == "id":
            position = self.by_id(int(content)) if content.isdecimal() and len(content) < 18 else None
            return position if position is not None and self.states[position] == LIVE else None
        found = self.holders(type_, content)
        if type_ == "cellphone" and phone_match == "exact":
            found = [p for p in found if content in [text for _, text in self.get(p)["cellphones"]]]
        return found[0] if found else None

    def holders(self, type_: str, content: str) -> list[int]:
        """Live customers that hold this key; phones by their digits."""
        if self._index is None:
            self._index = {}
            for position in range(len(self.states)):
                self._add_to_index(position)
        key = (type_, index_text(type_, content))
        candidates = dict.fromkeys(self._index.get(key, ()))
        return [p for p in candidates if self.states[p] == LIVE and key in keys_of(self.get(p))]

    def _add_to_index(self, position: int) -> None:
        if self._index is not None:
            for key in keys_of(self.get(position)):
                self._index.setdefault(key, []).append(position)

    def feeds(self, position: int) -> list[dict[str, Any]]:
        """The history, newest first."""
        seeded = self.data.feeds(position) if position < self.data.size else []
        return self._feeds.get(position, []) + seeded

    # ------------------------------------------------------------------ writing

    def part_id(self) -> int:
        """The id of a new phone or other e-mail."""
        self._part_ids += 1
        return self._part_ids

    def create(self, fields: dict[str, Any]) -> int:
        """A new live customer."""
        position = len(self.states)
        self.states.append(LIVE)
        self._kept[position] = blank(self.data.customer_id(position)) | fields
        self._add_to_index(position)
        self._touch(position)
        return position

    def edit(self, position: int, changes: dict[str, Any], author: str | None = None) -> None:
        """Set fields; the history notes it."""
        customer = self._kept.setdefault(position, self.get(position))
        customer.update(changes)
        self._add_to_index(position)
        self._feeds.setdefault(position, []).insert(0, {
            "feed_type": "Alteration", "time": moment(time.time()),
            "author": {"id": 1 if author else None, "nick_name": author},
            "summary": "变更: " + ", ".join(sorted(changes)),
        })  # fmt: skip
        self._touch(position)

    def delete(self, position: int) -> None:
        """Gone for good."""
        self.states[position] = DELETED
        self._touch(position)

    def merge(self, loser: int, survivor: int) -> None:
        """The survivor's own values win, lists flow together, the loser is gone."""
        gone, kept = self.get(loser), self._kept.setdefault(survivor, self.get(survivor))
        for name in ("cellphones", "other_emails"):
            known = [text for _, text in kept[name]] + [kept["email"]]
            kept[name] = kept[name] + [pair for pair in gone[name] if pair[1] not in known]
        if gone["email"] and not kept["email"]:
            kept["email"] = gone["email"]
        elif gone["email"] and gone["email"] != kept["email"]:
            kept["other_emails"] = [*kept["other_emails"], [self.part_id(), gone["email"]]]
        for name in ("weixins", "weixin_minis", "weixin_works", "weixin_kfs"):
            kept[name] = kept[name] + [each for each in gone[name] if each not in kept[name]]
        kept["tags"] = list(dict.fromkeys(kept["tags"] + gone["tags"]))
        kept["custom_fields"] = gone["custom_fields"] | kept["custom_fields"]
        for name in (
            "description",
            "open_api_token",
            "organization_id",
            "web_token",
            "sdk_token",
            "weibo_id",
        ):
            kept[name] = kept[name] or gone[name]
        self.states[loser] = MERGED
        self.survivors[loser] = survivor
        self._feeds[survivor] = self._feeds.get(survivor, []) + self._feeds.get(loser, [])
        self._add_to_index(survivor)
        self._touch(loser)
        self._touch(survivor)

    def _touch(self, position: int) -> None:
        self.version += 1
        self.changed(position)


def blank(customer_id: int) -> Customer:
    """A customer of whom only the id is known."""
    return {
        "id": customer_id, "nick_name": "", "level": "normal", "description": None, "owner_id": None,
        "owner_group_id": None, "custom_fields": {}, "open_api_token": None, "organization_id": None,
        "is_blocked": False, "tags": [], "rich_tags": [], "email": None, "other_emails": [],
        "cellphones": [], "weixins": [], "weixin_minis": [], "weixin_works": [], "weixin_kfs": [],
        "weibo_id": "", "platform": "API", "source_channel": "API或SDK", "web_token": None,
        "sdk_token": None, "first_contact_at": None, "last_contact_at": None,
    }  # fmt: skip


def shown(customer: Customer, *, ids: str = "int", tags: str = "objects") -> dict[str, Any]:
    """The customer as the API shows it."""
    organization = customer["organization_id"]
    wire = {key: value for key, value in customer.items() if key != "weibo_id"}
    if tags == "objects":  # the page's sample gives every tag the same id
        wire["tags"] = [{"id": 1, "name": name, "company_id": 1} for name in customer["tags"]]
    wire["rich_tags"] = [
        {"id": number, "name": name, "color": color, "company_id": 1}
        for number, name, color in (words.RICH_TAGS[i] for i in customer["rich_tags"])
    ]
    wire["cellphones"] = [{"id": number, "content": text} for number, text in customer["cellphones"]]
    wire["organization_ids"] = [organization] if organization else []
    wire["default_organization_id"] = organization
    for channel in ("phone", "im"):
        for end in ("first", "last"):
            wire[f"{end}_contact_at_via_{channel}"] = customer[f"{end}_contact_at"]
    if ids == "text":
        wire["id"] = str(customer["id"])
    wire.update(customer.get("extra") or {})
    wire.pop("extra", None)
    return wire
