"""Only the vendor sandbox: all vendors over real HTTP, with fault switches."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Run the built-in vendor sandbox (demo vendors over real HTTP) until Ctrl-C."
    requires_system_checks = []  # a process of its own that knows nothing of the product

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8901, help="0 picks a free one")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same data")
        parser.add_argument("--contacts", type=int, default=3000)
        parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every vendor request")

    def handle(self, *args: Any, **options: Any) -> None:
        flags = [
            text
            for name in ("port", "seed", "contacts", "latency_ms")
            for text in (f"--{name.replace('_', '-')}", str(options[name]))
        ]
        os.execv(sys.executable, [sys.executable, "-m", "backoffice.sandbox", *flags])  # noqa: S606  no shell
