"""Udesk's JSON, in its own words: tolerant parsing and exact building. Pure.

A phone has three forms: `{id, content}` when read, `[id, text]` when written, plain text when
imported. Tags and other e-mails stand beside `customer`, not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from backoffice.remote.walk import RawItem, RawPage, Unreadable

FAMILY = "customer"
#: What names a customer, and what merge calls the same; ids and WeChat Work cannot be merged by.
MERGE_NAMES = {
    "email": "email",
    "cellphone": "cellphone",
    "token": "customer_token",
    "weixin_open_id": "weixin_openid",
    "weixin_mini_openid": "weixin_mini_openid",
    "weibo_id": "weibo_openid",
    "sdk_token": "sdk_token",
    "web_token": "web_token",
}
KEY_TYPES = ("id", *MERGE_NAMES, "weixin_work_identifier")
#: The parts that make an identity one, by the list it stands in.
IDENTITY_PARTS = {
    "weixins": ("appid", "openid"),
    "weixin_minis": ("appid", "openid"),
    "weixin_works": ("corpid", "agentid", "userid"),
}


def _or_empty(value: Any) -> Any:
    return [] if value is None or value == "" else value


T = TypeVar("T")
Text = str | None
Number = Annotated[int | str | None, Field(union_mode="left_to_right")]
Many = Annotated[list[T], BeforeValidator(_or_empty)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, str_strip_whitespace=True)


class PhoneWire(_Wire):
    id: int | None = None
    content: Text = None


class TagWire(_Wire):
    name: Text = None


class IdentityWire(_Wire):
    """One WeChat identity of any kind; which parts it has depends on the list."""

    appid: Text = None
    openid: Text = None
    unionid: Text = None
    corpid: Text = None
    agentid: Text = None
    userid: Text = None
    open_userid: Text = None
    external_userid: Text = None
    open_kfid: Text = None


def _tag(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _pair(value: Any) -> Any:
    """`[id, text]` as `{id, content}`; a plain text has no id."""
    if isinstance(value, list) and len(value) == 2:
        return {"id": value[0], "content": value[1]}
    return {"content": value} if isinstance(value, str) else value


def _fields(value: Any) -> Any:
    return {} if value in (None, "", []) else value


class CustomerWire(_Wire):
    """A customer as list, export and get_customer show it."""

    id: Number = None
    nick_name: Text = None
    level: Text = None
    description: Text = None
    owner_id: Number = None
    owner_group_id: Number = None
    custom_fields: Annotated[dict[str, Any], BeforeValidator(_fields)] = {}
    open_api_token: Text = None
    organization_id: Number = None
    organization_ids: Many[Number] = []
    is_blocked: bool | None = None
    tags: Many[Annotated[TagWire, BeforeValidator(_tag)]] = []
    rich_tags: Many[Annotated[TagWire, BeforeValidator(_tag)]] = []
    email: Text = None
    other_emails: Many[Annotated[PhoneWire, BeforeValidator(_pair)]] = []
    cellphones: Many[Annotated[PhoneWire, BeforeValidator(_pair)]] = []
    weixins: Many[IdentityWire] = []
    weixin_minis: Many[IdentityWire] = []
    weixin_works: Many[IdentityWire] = []
    weixin_kfs: Many[IdentityWire] = []
    platform: Text = None
    source_channel: Text = None
    web_token: Text = None
    sdk_token: Text = None
    first_contact_at: Text = None
    last_contact_at: Text = None
    first_contact_at_via_phone: Text = None
    last_contact_at_via_phone: Text = None
    first_contact_at_via_im: Text = None
    last_contact_at_via_im: Text = None


class AuthorWire(_Wire):
    id: Number = None
    nick_name: Text = None


class FeedWire(_Wire):
    """One entry of the history, of any of the five kinds."""

    feed_type: str = ""
    id: Number = None
    subject: Text = None
    content: Text = None
    status_zh_name: Text = None
    call_type: Text = None
    result: Text = None
    duration: Number = None
    platform: Text = None
    customer_msg_num: Number = None
    agent_msg_num: Number = None
    agent_name: Text = None
    time: Text = None
    created_at: Text = None
    author: AuthorWire | None = None
    summary: Text = None


class DefinitionWire(_Wire):
    """One custom field; its `id` repeats across kinds, its name does not."""

    custom_field_name: str
    title: Text = None
    comment: Text = None
    content_type: Text = None
    options: Many[dict[str, Text]] = []
    agent_permission: Number = None


# Reading


def split_list(data: Any) -> RawPage:
    """The customers of a list answer with their total. Raises ValueError."""
    meta = data.get("meta") if isinstance(data, dict) else None
    total = meta.get("total_count") if isinstance(meta, dict) else None
    return RawPage(_items(data), count(total))


def split_export(data: Any) -> RawPage:
    """One batch of an export, and where to go on. Raises ValueError.

    An empty batch is its end, and only that one tells the total: customers may come twice, so a
    total that is reached proves nothing. The next position carries the last customer's id, for a
    cursor may stay the same from batch to batch.
    """
    items = _items(data)
    if not items:
        return RawPage([], count(data.get("total")), next="end")
    cursor = data.get("scroll_id")
    if not isinstance(cursor, str) or not cursor:
        raise ValueError("it names no cursor for the next batch")
    return RawPage(items, next=f"{items[-1].remote_id}:{cursor}")


def cursor_of(position: str) -> str:
    """The cursor within a position of `split_export`."""
    return position.partition(":")[2]


def export_total(data: Any) -> int | None:
    """How many customers an export says it holds."""
    return count(data.get("total")) if isinstance(data, dict) else None


def count(value: Any) -> int | None:
    """A number of records, also as text; None for anything else."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def _items(data: Any) -> list[RawItem]:
    customers = data.get("customers") if isinstance(data, dict) else None
    if not isinstance(customers, list):
        raise ValueError("it holds no list of customers")
    return [raw_item(each) for each in customers]


def raw_item(raw: Any) -> RawItem:
    """One customer before it is mapped."""
    number = usable_id(raw.get("id")) if isinstance(raw, dict) else ""
    problem = "" if number else "id is missing or unusable" if isinstance(raw, dict) else "not an object"
    return RawItem(FAMILY, number, raw, problem)


def usable_id(value: Any) -> str:
    """An id as text: 12, "12" and 12.0 are the same; "" when there is none."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is str and value.strip().isascii() and value.strip().isdecimal():
        value = int(value)
    return str(value) if type(value) is int and 0 < value < 10**20 else ""


def customer_of(data: Any) -> dict[str, Any]:
    """The customer in an answer about one. Raises ValueError."""
    customer = data.get("customer") if isinstance(data, dict) else None
    if not isinstance(customer, dict):
        raise ValueError("it holds no customer")
    return customer


def elements(data: Any, name: str) -> list[Any]:
    """The named list of an answer. Raises ValueError."""
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"it holds no {name.replace('_', ' ')}")
    return found


W = TypeVar("W", bound=_Wire)


def parse(model: type[W], raw: Any) -> W:
    """One element. Raises Unreadable naming the field, never its value."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("int", "str"))
        raise Unreadable(f"{place or 'record'}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


# Building


def build_body(
    customer: Mapping[str, Any],
    *,
    other_emails: Sequence[tuple[int | None, str]] | None = None,
    tags: Iterable[str] | None = None,
) -> dict[str, Any]:
    """The body of a create or an update. What is None is not said at all."""
    body: dict[str, Any] = {}
    if customer:
        body["customer"] = dict(customer)
    if other_emails is not None:
        body["other_emails"] = [list(pair) for pair in other_emails]
    if tags is not None:
        body["tags"] = build_tags(tags)
    return body


def build_tags(tags: Iterable[str]) -> str:
    """One text, separated by commas. Raises ValueError for a tag that holds one."""
    names = list(tags)
    if torn := next((name for name in names if "," in name), None):
        raise ValueError(
            f"Udesk separates tags by commas, so “{torn}” would become several; write it without"
        )
    return ",".join(names)


def build_pairs(texts: Sequence[str], present: Sequence[PhoneWire]) -> list[tuple[int | None, str]]:
    """`[id, text]` for each: what is there keeps its id, what is new has none."""
    ids: dict[str, list[int | None]] = {}
    for each in present:
        ids.setdefault(each.content or "", []).append(each.id)
    return [(ids[text].pop(0) if ids.get(text) else None, text) for text in texts]


def build_import_item(body: Mapping[str, Any]) -> dict[str, Any]:
    """One element of an import from the body of a create. Raises ValueError for what it does not take."""
    customer = dict(body["customer"])
    if refused := {"weixin_works", "web_token", "is_blocked"} & customer.keys():
        raise ValueError(f"An import does not take {', '.join(sorted(refused))}.")
    emails = [customer.pop("email", None), *(text for _, text in body.get("other_emails") or ())]
    phones = [text for _, text in customer.pop("cellphones", [])]
    for name in ("weixins", "weixin_minis"):
        if name in customer:
            bare = [{k: v for k, v in each.items() if k != "action"} for each in customer[name]]
            customer[name] = bare
    more: dict[str, Any] = {"emails": [text for text in emails if text], "cellphones": phones}
    if body.get("tags"):
        more["tags"] = body["tags"]
    return customer | {key: value for key, value in more.items() if value}


def build_merge(loser: tuple[str, str], survivor: tuple[str, str]) -> dict[str, str]:
    """The four parameters of a merge; both ends by keys that merge knows."""
    return {
        "from_type": MERGE_NAMES[loser[0]],
        "from_content": loser[1],
        "to_type": MERGE_NAMES[survivor[0]],
        "to_content": survivor[1],
    }
