"""Pulls now, in this process."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backoffice.management import chosen_connections
from backoffice.sync import registry
from backoffice.sync.models import AbstractRun

COUNTS = ("seen", "created", "changed", "unchanged", "trashed", "merged", "rejected", "requests")
BAR = 30


class Command(BaseCommand):
    help = "Pull now, in this process: all accounts, or the named ones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="connections; default: all active ones")
        parser.add_argument(
            "--stream",
            action="extend",
            nargs="+",
            metavar="STREAM",
            help="only these lists",
        )
        parser.add_argument("--full", action="store_true", help="complete walk instead of changes only")
        parser.add_argument("--json", action="store_true", help="one JSON object per run")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted, failed = options["stream"] or [], 0
        for connection in chosen_connections(options["names"]):
            side = registry.side_of(connection)
            offered = side.streams(connection)
            if absent := [name for name in wanted if name not in offered]:
                words = f"It has: {', '.join(offered)}."
                raise CommandError(f"{connection} has no stream {absent[0]}. {words}")
            bar = None if options["json"] else Bar.on(sys.stderr)
            streams = wanted or offered
            runs = side.pull(connection, streams=streams, full=options["full"], progress=bar)
            if bar:
                bar.clear()
            for run in runs:
                self.stdout.write(json.dumps(shape(run), ensure_ascii=False) if options["json"] else say(run))
                failed += run.status != AbstractRun.Status.OK
            pulled = {run.stream for run in runs}
            for stream in streams:
                if stream not in pulled:
                    self.stderr.write(f"{connection} {stream}: another process is pulling it right now.")
                    failed += 1
        if failed:
            raise CommandError("Not every stream was pulled.")


def shape(run: Any) -> dict[str, Any]:
    """One run as ``--json`` prints it."""
    return {
        "connection": run.connection.name,
        "stream": run.stream,
        "mode": run.mode,
        **{name: getattr(run, name) for name in COUNTS},
        "seconds": round(run.seconds, 3),
        "ok": run.status == AbstractRun.Status.OK,
        "error": run.error,
    }


def say(run: Any) -> str:
    counts = ", ".join(f"{getattr(run, name):,} {name}" for name in COUNTS if getattr(run, name))
    words = f"{run.connection} {run.stream} ({run.get_mode_display()}): {counts or 'nothing'}"
    return f"{words}; {run.seconds:.1f} s" + (
        "" if run.status == AbstractRun.Status.OK else f"; {run.get_status_display()}: {run.error}"
    )


class Bar:
    """A progress bar in one line of a terminal; called with the run after each page."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    @classmethod
    def on(cls, stream: Any) -> "Bar | None":
        return cls(stream) if stream.isatty() else None

    def __call__(self, run: Any) -> None:
        text = f"{run.connection} {run.stream} "
        if run.expected:
            done = min(1.0, run.seen / run.expected)
            filled = round(BAR * done)
            text += f"[{'#' * filled}{'.' * (BAR - filled)}] {run.seen:,} of about {run.expected:,}"
        else:
            text += f"{run.seen:,} seen"
        self.stream.write(f"\r\x1b[K{text}")
        self.stream.flush()

    def clear(self) -> None:
        self.stream.write("\r\x1b[K")
        self.stream.flush()
