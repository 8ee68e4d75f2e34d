"""Writes docs/vendors/capabilities.md from what the connectors declare."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Capabilities, PanelSpec
from crm_bridge.records import EDITABLE_FIELDS, RelationAction

PATH = Path("docs/vendors/capabilities.md")
HEAD = """# What each system can do

Made from the connectors by `manage.py capability_table`; do not edit by hand. The same
declarations decide what the pages offer and how the engine pulls.
"""


class Command(BaseCommand):
    help = f"Write {PATH} from the connectors; with --check only compare."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail when the file is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        path, text = settings.BASE_DIR / PATH, table()
        if not options["check"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            self.stdout.write(f"{PATH} written.")
        elif not path.exists() or path.read_text() != text:
            raise CommandError(f"{PATH} is out of date: run manage.py capability_table.")


def table() -> str:
    vendors = [registry.connector_class(kind) for kind, _label in registry.kinds()]
    columns = [facts(vendor.capabilities) for vendor in vendors]
    lines = [
        HEAD,
        "| | " + " | ".join(vendor.label for vendor in vendors) + " |",
        "|---" * (len(vendors) + 1) + "|",
    ]
    lines += [f"| {fact} | " + " | ".join(column[fact] for column in columns) + " |" for fact in columns[0]]
    for vendor in vendors:
        if vendor.capabilities.why_not:
            lines += ["", f"## {vendor.label}: what it cannot do, and why", ""]
            lines += [f"- **{topic}**: {words}" for topic, words in vendor.capabilities.why_not.items()]
        if vendor.capabilities.features:
            lines += ["", f"## {vendor.label}: told of in public, off until an admin has proven it", ""]
            lines += [
                f"- **{feature.label}**: {feature.help or 'no document tells of it'}"
                + (" (proving it writes to a disposable record)" if feature.writes else "")
                for feature in vendor.capabilities.features
            ]
        if vendor.capabilities.unproven:
            lines += ["", f"## {vendor.label}: assumed, as no document settles it", ""]
            lines += [f"- **{topic}**: {words}" for topic, words in vendor.capabilities.unproven.items()]
    return "\n".join(lines) + "\n"


def facts(able: Capabilities) -> dict[str, str]:
    """Row title → words, for one system."""
    return {
        "Streams": ", ".join(able.streams),
        "Kinds": ", ".join(able.kinds),
        "Changes since": able.changes.replace("_", " "),
        "Deletions": able.deletions.replace("_", " "),
        "Merges": able.merges.replace("_", " "),
        "Fields on create": named(able.creatable),
        "Fields on edit": named(able.writable),
        "Create, edit, delete": ", ".join(
            word
            for word, can in (
                ("create", able.can_create),
                ("edit", bool(able.writable)),
                ("delete", able.can_delete),
                ("restore", able.can_restore),
                ("merge", able.can_merge),
            )
            if can
        ),
        "Creates in one call": str(able.bulk_create or 1),
        "Our code selects a record": _yes(able.own_key),
        "Our code finds a record": _yes(able.code_readable),
        "Defines its custom fields": _yes(able.custom_field_definitions),
        "Further parts of a contact": "; ".join(_panel(spec) for spec in able.panels) or "none",
        "Off until proven on the account": ", ".join(str(each.label) for each in able.features) or "nothing",
        "Records per page": str(able.page_size),
        "Contacts pulled every": f"{able.contacts_every} s",
        "Requests a second": f"{able.requests_per_second:g}",
    }


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _panel(spec: PanelSpec) -> str:
    verbs = ", ".join(action.value for action in RelationAction if action in spec.actions)
    return f"{spec.label} ({verbs})" if verbs else str(spec.label)


def named(fields: frozenset[str]) -> str:
    """The fields in the order pages show them."""
    known = [name for name in EDITABLE_FIELDS if name in fields]
    return ", ".join([*known, *sorted(fields - set(known))])
