"""Values in words: field names, what a change does, what a merge moved."""

from collections.abc import Mapping
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.templatetags.backoffice import plain
from crm_bridge import choices
from crm_bridge.custom_values import labelled
from crm_bridge.models import Contact, ContactChange, Merge
from crm_bridge.phones import display, to_e164
from crm_bridge.records import Operation, Relation

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
    name = name.partition(":")[0]  # "custom_fields:KEY" of a message that names the field itself
    special = {"phones": _("phones"), "emails": _("e-mails")}
    if name in special:
        return special[name].capitalize()
    try:
        label = str(Contact._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
    except LookupError:
        label = name
    return label[:1].upper() + label[1:]


def shown_value(connection_id: int, field: str, value: Any) -> str:
    """A canonical value in words; custom fields and their choices by their labels."""
    if field == "custom_fields" and isinstance(value, Mapping):
        value = labelled(value, choices.definitions_of(connection_id))
    return plain(value)


def shown_pair(connection_id: int, field: str, old: Any, new: Any) -> tuple[str, str]:
    """Two values of a field side by side; of custom fields only those that differ."""
    if field == "custom_fields" and isinstance(old, Mapping) and isinstance(new, Mapping):
        differ = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        old, new = ({key: side.get(key) for key in differ} for side in (old, new))
    return shown_value(connection_id, field, old), shown_value(connection_id, field, new)


def change_words(change: ContactChange) -> str:
    """What a change does, in a few words: its fields, or its deed."""
    if change.operation == Operation.MERGE:
        return _("merge into %s") % (change.new.get("name") or "?")
    if change.operation == Operation.RELATE:
        return relation_words(change)
    if change.operation == Operation.CREATE:
        return _("new contact")
    if change.operation == Operation.DELETE:
        return _("deletion")
    return ", ".join(field_label(name) for name in change.new)


def relation_words(change: ContactChange) -> str:
    """ "Companies: attach 5, 6"."""
    relation = Relation.from_values(change.new)
    label = next(
        (str(spec.label) for spec in change.connection.capabilities.panels if spec.key == relation.panel),
        relation.panel,
    )
    refs = ", ".join(relation.refs) or _("nothing")
    verbs = {
        "attach": _("%(what)s: attach %(refs)s"),
        "detach": _("%(what)s: detach %(refs)s"),
        "replace": _("%(what)s: exactly %(refs)s"),
    }
    return verbs[relation.action.value] % {"what": label, "refs": refs}


def further_label(name: str) -> str:
    """ "created_by" → "Created by"; unknown names lose at least their underscores."""
    return capfirst(str(_FURTHER.get(name, name.replace("_", " "))))


def changed_fields(change: ContactChange) -> list[dict[str, Any]]:
    """What a change does, field by field: label, value before, value after."""
    if change.operation in (Operation.MERGE, Operation.RELATE):
        words = change_words(change)
        return [{"name": change.operation, "label": _("In the CRM"), "old": "–", "new": words}]
    fields = []
    for name, value in change.new.items():
        old, new = shown_pair(change.connection_id, name, change.base.get(name), value)
        fields.append({"name": name, "label": field_label(name), "old": old, "new": new})
    return fields


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
        "aliases": lambda n: ngettext("%d former number", "%d former numbers", n) % n,
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
