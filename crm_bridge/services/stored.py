"""What the CRM stored, held against what was sent: does it fit, and what differs in words."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from crm_bridge.merging import same


def resembles(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Every value that was sent is there: this is the record that was asked for."""
    return all(same(field, value, stored[field]) for field, value in sent.items() if field in stored)


def stored_words(label: str, sent: Mapping[str, Any], stored: Mapping[str, Any]) -> str:
    """Names the fields that came back different from what was sent."""
    different = [
        field for field, value in sent.items() if field in stored and not same(field, value, stored[field])
    ]
    return "; ".join(
        _("%(crm)s stored %(field)s as “%(value)s”")
        % {"crm": label, "field": field.replace("_", " "), "value": in_words(stored[field])}
        for field in different
    )


def in_words(value: Any) -> str:
    """A canonical value on one short line."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{key}: {item}" for key, item in value.items() if item)
    elif isinstance(value, list):
        text = ", ".join(
            item if isinstance(item, str) else item.get("value", in_words(item)) for item in value
        )
    else:
        text = "" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def emptied(before: Mapping[str, Any], after: Mapping[str, Any], sent: Iterable[str]) -> bool:
    """Fields that nobody touched were filled before the write and are empty after it."""
    untouched = before.keys() - set(sent)
    return any(before[field] and not after[field] for field in untouched)
