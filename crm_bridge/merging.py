"""Three-way merge of one field: what both sides agreed on, ours, theirs. Pure.

Lists are sets keyed by what makes two items the same thing (a phone by its
number however written, an e-mail without case, a custom field by its name), so
that two people adding different phones do not clash.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from crm_bridge.folding import fold
from crm_bridge.phones import digits, to_e164
from crm_bridge.records import LIST_FIELDS

Key = Hashable
Keyed = dict[Key, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome for one field; ``value`` is theirs where ``conflict`` is set."""

    value: Any
    conflict: bool = False


def merge(field: str, base: Any, ours: Any, theirs: Any) -> Merged:
    """Merge one field. Both unchanged or equal is fine, both different is a conflict."""
    if same(field, ours, theirs):
        return Merged(theirs if identical(field, ours, theirs) or identical(field, base, ours) else ours)
    if same(field, base, theirs):
        return Merged(ours)
    if identical(field, base, ours):
        return Merged(theirs)
    if not _is_keyed(field):
        return Merged(theirs, conflict=True)
    return _merge_keyed(field, base, ours, theirs)


def same(field: str, one: Any, other: Any) -> bool:
    """Mean the same thing: spelling of numbers, case of addresses and order do not count."""
    if _is_keyed(field):
        return _meanings(field, one) == _meanings(field, other)
    return bool(_plain(one) == _plain(other))


def identical(field: str, one: Any, other: Any) -> bool:
    """Are written the same; only the order of a list does not count."""
    if _is_keyed(field):
        return _keyed(field, one) == _keyed(field, other)
    return bool(_plain(one) == _plain(other))


def _merge_keyed(field: str, base: Any, ours: Any, theirs: Any) -> Merged:
    was, mine, other = _keyed(field, base), _keyed(field, ours), _keyed(field, theirs)
    merged: Keyed = {}
    for key in [*mine, *(key for key in other if key not in mine)]:
        old, our, their = (_Item(field, side.get(key)) for side in (was, mine, other))
        if our.means == their.means:
            kept = their if our.item == old.item else our
        elif their.means == old.means:
            kept = our
        elif our.item == old.item or our.means == old.means:
            kept = their
        else:
            return Merged(theirs, conflict=True)
        if kept.item is not None:
            merged[key] = kept.item
    return Merged(_unkeyed(field, merged))


class _Item:
    """One item of one side (None: not there) with what it means."""

    __slots__ = ("item", "means")

    def __init__(self, field: str, item: Any) -> None:
        self.item = item
        self.means = None if item is None else _meaning(field, item)


def _plain(value: Any) -> Any:
    """A missing text and an empty one are the same."""
    return value.strip() if isinstance(value, str) else ("" if value is None else value)


def _is_keyed(field: str) -> bool:
    return field in LIST_FIELDS or field == "custom_fields"


def _keyed(field: str, value: Any) -> Keyed:
    """Items by key; a second item with the same key gets a key of its own."""
    if field == "custom_fields":
        filled: Mapping[str, Any] = value or {}
        return {name: item for name, item in filled.items() if item not in (None, "", [])}
    seen: Counter[Key] = Counter()
    items: Keyed = {}
    for item in value or []:
        key = _KEYS[field](item)
        items[(key, seen[key])] = item
        seen[key] += 1
    return items


def _unkeyed(field: str, items: Keyed) -> Any:
    return dict(items) if field == "custom_fields" else list(items.values())


def _meanings(field: str, value: Any) -> dict[Key, Any]:
    return {key: _meaning(field, item) for key, item in _keyed(field, value).items()}


def _meaning(field: str, item: Any) -> Any:
    """What an item says besides its key: two of these differ only if a person would say so."""
    if field in ("phones", "emails"):
        return fold(item.get("type", "") or "")
    if field == "custom_fields":
        return _plain(item)
    return True


def _phone_key(phone: Mapping[str, str]) -> Key:
    value = phone["value"]
    return to_e164(value) or digits(value) or fold(value)


def _email_key(email: Mapping[str, str]) -> Key:
    return email["value"].strip().casefold()


def _address_key(address: Mapping[str, str]) -> Key:
    return tuple(sorted((slot, fold(text)) for slot, text in address.items() if text and slot != "type"))


def _social_key(account: Mapping[str, str]) -> Key:
    return account["protocol"].strip().casefold(), account["value"].strip()


def _tag_key(tag: str) -> Key:
    return tag.strip().casefold()


_KEYS: dict[str, Callable[[Any], Key]] = {
    "phones": _phone_key,
    "emails": _email_key,
    "addresses": _address_key,
    "social_accounts": _social_key,
    "tags": _tag_key,
}
