"""Streams contacts into a file or to standard output."""

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm_bridge import exports
from crm_bridge.models import Connection, Contact


class Command(BaseCommand):
    help = "Stream contacts out as JSON lines, CSV or XLSX."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", required=True, choices=exports.FORMATS)
        parser.add_argument("--connection", metavar="NAME", help="only this account")
        parser.add_argument("--state", choices=[*Contact.State.values, "all"], default="live")
        parser.add_argument("-o", "--output", metavar="FILE", help="default: standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        contacts = Contact.objects.order_by("id")
        if options["state"] != "all":
            contacts = contacts.filter(state=options["state"])
        if options["connection"]:
            connection = Connection.objects.defer("credentials").filter(name=options["connection"]).first()
            if connection is None:
                raise CommandError(f"There is no connection named {options['connection']!r}.")
            contacts = contacts.filter(connection=connection)
        if options["output"] in (None, "-"):
            self.to_stdout(contacts, options["format"])
        else:
            count = to_file(contacts, options["format"], Path(options["output"]))
            self.stderr.write(f"{count:,} contacts written to {options['output']}.")

    def to_stdout(self, contacts: Any, format: str) -> None:
        if format == "xlsx" and sys.stdout.isatty():
            raise CommandError("XLSX is no text: name a file with -o.")
        try:
            exports.write(contacts, format, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # the reader (head, say) has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def to_file(contacts: Any, format: str, path: Path) -> int:
    """Write beside the target and rename: a failed export leaves no half file. Owner-only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            count = exports.write(contacts, format, file)
        draft.replace(path)
    except OSError as problem:
        raise CommandError(f"Cannot write {path}: {problem.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
    return count
