"""Values in words: field names, what a change does, what a merge moved."""

from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.templatetags.backoffice import plain
from crm_bridge.models import Contact, ContactChange, Merge
from crm_bridge.phones import display, to_e164

WHOLE_RECORD = "*"
_FURTHER = {
    "created_by": gettext_lazy("created by"),
    "last_name": gettext_lazy("last name"),
    "source_lead": gettext_lazy("source of the lead"),
    "birth_date_text": gettext_lazy("birth date as written"),
    "ads_id": gettext_lazy("ad"),
    "post_id": gettext_lazy("post"),
    "created_at": gettext_lazy("seen"),
}
"""What connectors call values that have no column of their own."""


def field_label(name: str) -> str:
    """ "birth_date" → "Birth date"; names that are no column of ours stay as they are."""
    if name == WHOLE_RECORD:
        return _("whole record")
    special = {"phones": _("phones"), "emails": _("e-mails")}
    if name in special:
        return special[name].capitalize()
    try:
        label = str(Contact._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
    except LookupError:
        label = name
    return label[:1].upper() + label[1:]


def further_label(name: str) -> str:
    """ "created_by" → "Created by"; unknown names lose at least their underscores."""
    return capfirst(str(_FURTHER.get(name, name.replace("_", " "))))


def changed_fields(change: ContactChange) -> list[dict[str, Any]]:
    """What a change does, field by field: label, value before, value after."""
    return [
        {"name": name, "label": field_label(name), "old": plain(change.base.get(name)), "new": plain(value)}
        for name, value in change.new.items()
    ]


def phone_text(values: dict[str, Any]) -> str:
    """The first phone of canonical values, readable."""
    for phone in values.get("phones") or []:
        value = str(phone.get("value", "")) if isinstance(phone, dict) else str(phone)
        if value:
            return display(value, to_e164(value))
    return ""


def merge_moved(merge: Merge) -> str:
    """ "2 calls, 1 suppression": what moved from the loser to the survivor."""
    known = {
        "calls": lambda n: ngettext("%d call", "%d calls", n) % n,
        "suppressions": lambda n: ngettext("%d suppression", "%d suppressions", n) % n,
        "changes": lambda n: ngettext("%d unsent edit", "%d unsent edits", n) % n,
    }
    parts = []
    for key, value in merge.moved.items():
        count = len(value) if isinstance(value, list | dict) else value
        if isinstance(count, int) and not isinstance(count, bool):
            if count:
                parts.append(known[key](count) if key in known else f"{count} {field_label(key).lower()}")
        elif value:
            parts.append(f"{field_label(key).lower()}: {plain(value)}")
    return ", ".join(parts)
