"""Sends what waits in the outbox now, in this process."""

import json
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm_bridge.management import chosen_connections
from crm_bridge.models import Connection, ContactChange
from crm_bridge.services import push


class Command(BaseCommand):
    help = "Send what waits in the outbox now, in this process: all accounts, or the named ones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="connections; default: all active ones")
        parser.add_argument("--json", action="store_true", help="one JSON object per connection")

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        for connection in chosen_connections(options["names"]):
            result = send(connection, None if options["json"] or not sys.stderr.isatty() else show)
            self.stdout.write(json.dumps(result, ensure_ascii=False) if options["json"] else say(result))
            failed += not result["ok"]
        if failed:
            raise CommandError("Not everything was sent; see Outgoing changes.")


def send(connection: Connection, progress: Any) -> dict[str, Any]:
    """Send what is due of one connection; the result as ``--json`` prints it."""
    started = time.monotonic()
    counts = push.push_due(connection, progress=progress)
    if progress:
        sys.stderr.write("\r\x1b[K")
    ended = counts.as_dict()
    open_now = ContactChange.objects.filter(connection=connection, status__in=ContactChange.OPEN)
    return {
        "connection": connection.name,
        "sent": ended["done"],
        **{name: ended[name] for name in ("unknown", "conflict", "rejected", "held", "cancelled")},
        "waiting": open_now.filter(status=ContactChange.Status.WAITING).count(),
        "seconds": round(time.monotonic() - started, 3),
        "ok": counts.total == ended["done"] + ended["cancelled"],
    }


def say(result: dict[str, Any]) -> str:
    words = ("sent", "unknown", "conflict", "rejected", "held", "cancelled", "waiting")
    counts = ", ".join(f"{result[name]} {name}" for name in words if result[name])
    return f"{result['connection']}: {counts or 'nothing to send'}; {result['seconds']:.1f} s"


def show(counts: push.Counts) -> None:
    sys.stderr.write(f"\r\x1b[K{counts.done} sent, {counts.total} tried")
    sys.stderr.flush()
