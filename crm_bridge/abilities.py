"""What a connector can do and cannot, in words for admins."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_bridge.connectors.base import Capabilities
from crm_bridge.labels import field_label
from crm_bridge.records import EDITABLE_FIELDS, RelationAction


def capability_rows(able: Capabilities, measured: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """What a connector can do and cannot, in words; ``measured`` of the account proves features."""
    cannot = sorted(field_label(name) for name in EDITABLE_FIELDS if name not in able.writable)
    return [
        {"what": _("Pulls"), "can": True, "how": ", ".join(able.streams)},
        {"what": _("Tells what changed"), "can": able.changes != "none", "how": CHANGES[able.changes]},
        {
            "what": _("Tells what was deleted"),
            "can": able.deletions != "unknown",
            "how": DELETIONS[able.deletions],
        },
        {"what": _("Tells what was merged"), "can": able.merges == "listed", "how": ""},
        {"what": _("Creates contacts"), "can": able.can_create, "how": _bulk(able)},
        {
            "what": _("Edits contacts"),
            "can": bool(able.writable),
            "how": _("not these fields: %s") % ", ".join(cannot) if cannot else _("all fields"),
        },
        _row(able, _("Deletes contacts"), "can_delete"),
        _row(able, _("Restores deleted contacts"), "can_restore"),
        _row(able, _("Merges contacts"), "can_merge"),
        _row(able, _("Defines its custom fields"), "custom_field_definitions"),
        {"what": _("Finds a record by our own code"), "can": _by_code(able) != "", "how": _by_code(able)},
        {
            "what": _("Keeps further parts of a contact"),
            "can": bool(able.panels),
            "how": ", ".join(_panel(spec) for spec in able.panels),
        },
        *(_feature(feature, (measured or {}).get("features") or {}) for feature in able.features),
    ]


def why_not(able: Capabilities, what: str) -> str:
    """Why a capability or field is not there, in the connector's words; "" where it gives none."""
    return able.why_not.get(what, "")


def _row(able: Capabilities, what: str, name: str) -> dict[str, Any]:
    can = bool(getattr(able, name))
    return {"what": what, "can": can, "how": "" if can else why_not(able, name)}


def _by_code(able: Capabilities) -> str:
    if able.own_key or able.code_readable:
        return _("a lost answer to a create is cleared up without a duplicate")
    return ""


def _panel(spec: Any) -> str:
    verbs = [str(ACTIONS[action]) for action in RelationAction if action in spec.actions]
    return f"{spec.label} ({', '.join(verbs)})" if verbs else str(spec.label)


def _feature(feature: Any, proven: Mapping[str, Any]) -> dict[str, Any]:
    if feature.key in proven:
        told = proven[feature.key]
        return {"what": feature.label, "can": True, "how": told.get("words", "") if told else ""}
    return {"what": feature.label, "can": None, "how": feature.help or _("not documented; off until proven")}


def _bulk(able: Capabilities) -> str:
    if not able.can_create:
        return why_not(able, "can_create")
    return _("up to %d in one request") % able.bulk_create if able.bulk_create else _("one by one")


ACTIONS = {
    RelationAction.ATTACH: gettext_lazy("attach"),
    RelationAction.DETACH: gettext_lazy("detach"),
    RelationAction.REPLACE: gettext_lazy("replace all"),
}
CHANGES = {
    "by_day": gettext_lazy("by whole days; two days overlap"),
    "newest_first": gettext_lazy("newest first"),
    "by_second": gettext_lazy("to the second"),
    "none": gettext_lazy("complete walks only"),
}
DELETIONS = {
    "listed": gettext_lazy("has a list of deleted contacts"),
    "by_lookup": gettext_lazy("a single look-up proves it"),
    "unknown": gettext_lazy("never; absence stays a question"),
}
