"""What happened to one contact, newest first: audit, outgoing changes, trash, merges."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from backoffice.models import AuditEntry
from crm_bridge.labels import field_label, relation_words, shown_pair
from crm_bridge.models import Contact, ContactChange, Merge
from crm_bridge.services.panels import Reading


@dataclass(frozen=True)
class Event:
    at: datetime
    icon: str
    text: str
    who: str = ""
    state: str = ""
    """A change's status and its word, for the badge."""
    state_label: str = ""
    words: str = ""
    """What the CRM said."""
    fields: list[dict[str, Any]] = field(default_factory=list)
    link: tuple[int, str] | None = None
    """Another contact that is part of it: (pk, name)."""
    url: str = ""
    """Where it can be opened."""


def timeline(contact: Contact, *, limit: int, more: Iterable[Event] = ()) -> list[Event]:
    """The newest ``limit`` events; each source is read no further than that.

    ``more`` is what other apps know of the contact.
    """
    events = [
        *more,
        *_audited(contact, limit),
        *_sent(contact, limit),
        *_buried(contact, limit),
        *_merged(contact, limit),
        Event(contact.created_at, "download", _("First mirrored here")),
    ]
    return sorted(events, key=lambda event: event.at, reverse=True)[:limit]


def _audited(contact: Contact, limit: int) -> list[Event]:
    entries = AuditEntry.objects.filter(object_type=contact._meta.label_lower, object_id=str(contact.pk))
    spoken = {
        "contact.create": _("Created here"),
        "contact.edit": _("Edited"),
        "contact.delete": _("Deletion asked for"),
        "contact.recreate": _("Created again"),
        "contact.merge": _("Merge asked for"),
        "contact.take_over": _("Another contact is to be merged into this one"),
        "contact.merged": _("Merged"),
        "contact.relate": _("Links changed"),
    }
    return [
        Event(
            entry.at,
            "edit" if entry.actor_name else "sync",
            spoken.get(entry.action, entry.action.replace(".", " ").replace("_", " ")),
            who=entry.actor_name,
            fields=_pairs(contact, entry.data),
        )
        for entry in entries[:limit]
    ]


def _pairs(contact: Contact, data: Any) -> list[dict[str, Any]]:
    """``{"fields": {name: [before, after]}}`` of an audit row as the lines of a change."""
    fields = data.get("fields") if isinstance(data, dict) else None
    if not isinstance(fields, dict):
        return []
    lines = []
    for name, pair in fields.items():
        if isinstance(pair, list) and len(pair) == 2:
            old, new = shown_pair(contact.connection_id, name, *pair)
            if old != new:
                lines.append({"name": name, "label": field_label(name), "old": old, "new": new})
    return lines


def _sent(contact: Contact, limit: int) -> list[Event]:
    spoken = {
        "create": _("Create"), "edit": _("Edit"), "delete": _("Deletion"), "merge": _("Merge"),
        "relate": _("Links"),
    }  # fmt: skip
    changes = contact.changes.select_related("author", "connection").order_by("-created_at")[:limit]
    return [
        Event(
            change.finished_at or change.created_at,
            "outbox",
            _("%s to the CRM") % spoken.get(change.operation, change.operation),
            who=change.author.get_username() if change.author else "",
            state=change.status,
            state_label=str(ContactChange.Status(change.status).label),
            words=change.words or (relation_words(change) if change.operation == "relate" else ""),
        )
        for change in changes
    ]


def _buried(contact: Contact, limit: int) -> list[Event]:
    events = []
    for stone in contact.tombstones.order_by("-seen_at")[:limit]:
        events.append(
            Event(
                stone.trashed_at or stone.seen_at,
                "delete",
                _("Deleted: %s") % stone.get_evidence_display(),
                who=stone.trashed_by,
            )
        )
        if stone.lifted_at:
            events.append(Event(stone.lifted_at, "restore_from_trash", _("Restored in the CRM")))
    return events


def _merged(contact: Contact, limit: int) -> list[Event]:
    events = []
    lost = Merge.objects.filter(loser=contact).select_related("survivor").first()
    if lost:
        survivor = (lost.survivor.pk, str(lost.survivor)) if lost.survivor else None
        events.append(Event(lost.not_after or lost.seen_at, "call_merge", _("Merged into"), link=survivor))
    for merge in contact.merges_won.select_related("loser").order_by("-seen_at")[:limit]:
        events.append(
            Event(
                merge.not_after or merge.seen_at,
                "call_merge",
                _("Took over"),
                link=(merge.loser_id, str(merge.loser)),
            )
        )
    return events


_ICONS = {
    "call": "call", "ticket": "confirmation_number", "chat": "chat", "change": "edit", "mail": "mail",
    "email": "mail", "note": "sticky_note_2", "task": "task_alt",
}  # fmt: skip


def panel_events(readings: Iterable[Reading]) -> list[Event]:
    """What the CRM's own histories tell, newest first; entries without a time have no place here."""
    events = [
        Event(
            entry.at,
            _ICONS.get(entry.kind, "cloud"),
            entry.title,
            who=entry.author,
            words=entry.text,
        )
        for reading in readings
        if reading.panel is not None
        for entry in reading.panel.entries
        if entry.at is not None
    ]
    return sorted(events, key=lambda event: event.at, reverse=True)
