"""What a connector can do and cannot, in words for admins."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_bridge.connectors.base import Capabilities
from crm_bridge.labels import field_label
from crm_bridge.records import EDITABLE_FIELDS


def capability_rows(able: Capabilities) -> list[dict[str, Any]]:
    """What a connector can do and cannot, in words."""
    cannot = sorted(field_label(name) for name in EDITABLE_FIELDS if name not in able.writable)
    return [
        {"what": _("Pulls"), "can": True, "how": ", ".join(able.streams)},
        {"what": _("Tells what changed"), "can": able.changes != "none", "how": CHANGES[able.changes]},
        {
            "what": _("Tells what was deleted"),
            "can": able.deletions == "listed",
            "how": DELETIONS[able.deletions],
        },
        {"what": _("Tells what was merged"), "can": able.merges == "listed", "how": ""},
        {"what": _("Creates contacts"), "can": able.can_create, "how": _bulk(able)},
        {
            "what": _("Edits contacts"),
            "can": bool(able.writable),
            "how": _("not these fields: %s") % ", ".join(cannot) if cannot else _("all fields"),
        },
        {"what": _("Deletes contacts"), "can": able.can_delete, "how": ""},
        {"what": _("Restores deleted contacts"), "can": able.can_restore, "how": ""},
        {"what": _("Merges contacts"), "can": able.can_merge, "how": ""},
        {
            "what": _("Finds a record by our own code"),
            "can": able.own_key,
            "how": _("a lost answer to a create is cleared up without a duplicate") if able.own_key else "",
        },
    ]


def _bulk(able: Capabilities) -> str:
    return _("up to %d in one request") % able.bulk_create if able.bulk_create else _("one by one")


CHANGES = {
    "by_day": gettext_lazy("by whole days; two days overlap"),
    "newest_first": gettext_lazy("newest first"),
    "by_second": gettext_lazy("to the second"),
    "none": gettext_lazy("complete walks only"),
}
DELETIONS = {
    "listed": gettext_lazy("has a list of deleted contacts"),
    "by_lookup": gettext_lazy("only a single look-up proves it"),
    "unknown": gettext_lazy("never; absence stays a question"),
}
