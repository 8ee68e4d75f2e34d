"""How Concord shows contacts and pages of them, after the habits of its framework (Laravel)."""

import json
from datetime import UTC, datetime
from typing import Any

from .concord_book import STATE_NAMES, ConcordBook
from .concord_seed import CUSTOM, POOLS, SOURCES, USERS, names_of
from .switches import Switches
from .wire import Answer, json_answer

TEXTS = (
    "first_name", "last_name", "email", "job_title", "street", "city", "state", "postal_code",
)  # fmt: skip
NUMBERS = ("user_id", "source_id", "country_id")
NAMES = {pool: names_of(pool) for pool in POOLS}
_USERS = {number: {"id": number, "name": name, "email": email} for number, name, email in USERS}
_SOURCES = {number: {"id": number, "name": name} for number, name in SOURCES}
encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def timestamp(us: int | None, style: str = "micro") -> str | None:
    """A moment in UTC: ISO 8601 with microseconds, with seconds, or as databases print it."""
    if us is None:
        return None
    moment = datetime.fromtimestamp(us // 1_000_000, UTC)
    if style == "space":
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{us % 1_000_000:06d}Z" if style == "micro" else "Z")


def display_name(fields: dict[str, Any]) -> str:
    """First and last name, as the product shows a contact."""
    return " ".join(str(part) for part in (fields["first_name"], fields["last_name"]) if part)


def contact(book: ConcordBook, position: int, switches: Switches, *, one: bool = False) -> dict[str, Any]:
    """A contact as lists show it, or as it is shown alone."""
    fields, style = book.get(position), switches["timestamps"]
    text = switches["numbers"] == "text"
    shown: dict[str, Any] = {"id": str(position + 1) if text else position + 1}
    shown |= {key: fields[key] for key in TEXTS}
    shown |= {key: str(fields[key]) if text and fields[key] else fields[key] for key in NUMBERS}
    shown |= {"phones": fields["phones"], "tags": fields["tags"]}
    shown |= {key: fields["custom"].get(key) for key in CUSTOM}
    if switches["nested"] == "yes":
        shown["user"] = _USERS.get(fields["user_id"])
        shown["source"] = _SOURCES.get(fields["source_id"])
    shown |= {
        "display_name": display_name(fields),
        "path": f"/contacts/{position + 1}",
        "avatar_url": None,
        "next_activity_date": None,
        "authorizations": {"view": True, "update": True, "delete": True},
        "created_at": timestamp(book.created[position], style),
    }
    if switches["updated_at"] == "shown":
        shown["updated_at"] = timestamp(book.updated[position], style)
    if position in book.deleted_at:
        shown["deleted_at"] = timestamp(book.deleted_at[position], style)
    if one or switches["list_associations"] == "yes":
        shown |= _associations(fields, switches["associations"])
    shown.update(fields.get("extra", {}))
    return shown


def _associations(fields: dict[str, Any], style: str) -> dict[str, Any]:
    if style == "absent":
        return {}
    if style == "ids":
        return {pool: list(fields[pool]) for pool in POOLS}
    return {
        pool: [{"id": number, "display_name": NAMES[pool][number - 1], "path": f"/{pool}/{number}"}
               for number in fields[pool]]
        for pool in POOLS
    }  # fmt: skip


def brief(book: ConcordBook, position: int) -> dict[str, Any]:
    """A hit of the search with little more than its name."""
    fields = book.get(position)
    return {"id": position + 1, "display_name": display_name(fields), "path": f"/contacts/{position + 1}"}


def one_answer(shown: dict[str, Any], switches: Switches, status: int = 200) -> Answer:
    """One contact, bare or wrapped."""
    return json_answer({"data": shown} if switches["one_as"] == "data" else shown, status)


def page_answer(
    parts: bytes, *, style: str, base: str, page: int, size: int, count: int, shown: int
) -> Answer:
    """One page whose elements are serialised already."""
    if style == "bare":
        return Answer(body=b"[" + parts + b"]")
    last = max(1, -(-count // size))
    url = f"{base}?page="
    more = page < last
    links = {
        "first": f"{url}1",
        "last": f"{url}{last}",
        "prev": f"{url}{page - 1}" if page > 1 else None,
        "next": f"{url}{page + 1}" if more else None,
    }
    begin = (page - 1) * size + 1 if shown else None
    meta: dict[str, Any] = {
        "current_page": page,
        "from": begin,
        "path": base,
        "per_page": size,
        "to": begin + shown - 1 if begin else None,
    }
    if style == "simple":
        links["last"] = None
    else:
        meta |= {"last_page": last, "total": count}
    if style == "flat":
        head: dict[str, Any] = meta | {f"{name}_page_url": link for name, link in links.items()}
    else:
        head = {"links": links, "meta": meta}
    return Answer(body=b'{"data":[' + parts + b"]," + encode(head)[1:].encode())


def truth(book: ConcordBook, position: int) -> dict[str, Any]:
    """A contact in full, as only the control API tells it."""
    fields = book.get(position)
    return fields | {
        "id": position + 1,
        "status": STATE_NAMES[book.states[position]],
        "hidden": position in book.hidden,
        "name": display_name(fields),
        "created_at": timestamp(book.created[position]),
        "updated_at": timestamp(book.updated[position]),
        "deleted_at": timestamp(book.deleted_at.get(position)),
    }
