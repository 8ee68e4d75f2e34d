"""The whole product on one machine: sandbox, web, worker and beat until Ctrl-C."""

import fcntl
import logging
import os
import queue
import secrets
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time as clock
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.remote.wire import is_loopback
from backoffice.supervisor import Supervisor
from backoffice.sync import registry
from bot_campaigns.models import BotConnection, Call, CallingRules
from crm_bridge.models import Contact


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """One account that the sandbox plays. ``path`` follows its address."""

    kind: str
    path: str
    credentials: Mapping[str, str]
    prepare: Callable[[Any], None] | None = None
    """What else the connection needs before its first sync."""


def ready_to_call(connection: Any) -> None:
    """What an admin does once: confirm the vendor's clock. Rules that allow any hour, to try it at night."""
    BotConnection.objects.filter(pk=connection.pk, zone_confirmed_at=None).update(
        vendor_zone=BOT_ZONE, zone_confirmed_at=timezone.now()
    )
    CallingRules.objects.get_or_create(
        connection=connection, defaults={"window_start": clock(0), "window_end": clock(23, 59)}
    )


BOT_ZONE = "Asia/Ho_Chi_Minh"
SIGNED = {"email": "admin+api@sandbox.example.com", "api_token": "sandbox-udesk-token"}

#: Every account of the demo, in the order of the first sync: contacts first, for calls meet them.
DEMO_ACCOUNTS = (
    DemoAccount("antcrm", "/antcrm", {"api_key": "sandbox-antcrm-key"}),
    DemoAccount("concord", "/concord/api", {"token": "sandbox-concord-token"}),
    DemoAccount("udesk", "/udesk/open_api_v1", SIGNED),
    DemoAccount("amocrm", "/amocrm", {"token": "sandbox-amocrm-token"}),
    DemoAccount(
        "antbot",
        "/antbot/rest-api",
        {"username": "sandbox", "password": "sandbox-antbot-password"},
        ready_to_call,
    ),
)
LOGINS = {"Sales": "sales", "Managers": "manager", "Admins": "admin"}
START_SECONDS = 60


class Command(BaseCommand):
    help = "Run the whole product with a built-in vendor sandbox. Ctrl-C ends all of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="web port; the next free one is taken")
        parser.add_argument("--sandbox-port", type=int, default=8901, help="likewise")
        parser.add_argument("--contacts", type=int, default=3000, help="live contacts in the sandbox")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same data")
        parser.add_argument("--latency-ms", type=float, default=20.0, help="of the sandbox, per request")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOOPBACK_ONLY:
            raise CommandError("demo is for this machine only: unset ALLOWED_HOSTS (see .env) first.")
        logging.getLogger().setLevel(logging.WARNING)
        with (settings.VAR_DIR / "demo.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise CommandError(f"A demo is already running on {settings.VAR_DIR}.") from None
            try:
                with Supervisor() as supervisor:
                    self.run(supervisor, options)
                    ended = supervisor.wait()
            except KeyboardInterrupt:
                self.stdout.write("\nStopped.")
                return
        raise CommandError(f"The {ended} process ended by itself, so everything was stopped.")

    def run(self, supervisor: Supervisor, options: dict[str, Any]) -> None:
        """Start everything in its order and say where it is."""
        self.environment = os.environ | {"LOG_LEVEL": "WARNING", "LOG_FORMAT": "text"}
        self.supervisor = supervisor
        self.stdout.write("Setting up the database …")
        call_command("migrate", verbosity=0)
        refuse_real_accounts()
        sandbox = self.start_sandbox(options)
        address = self.start_web(free_port(options["port"]))
        logins = {role: login(role, name) for role, name in LOGINS.items()}
        self.first_sync(sandbox)
        worker = (
            "celery",
            "-q",
            "-A",
            "backoffice",
            "worker",
            "-P",
            "threads",
            "-c",
            "8",
            "-B",
            "-l",
            "WARNING",
        )
        self.start("worker", "-m", *worker, "--without-gossip", "--without-mingle", "--without-heartbeat")
        wait_for(address)
        self.stdout.write(self.style.SUCCESS(f"\nReady: {address}\n"))
        for role, (name, password) in logins.items():
            self.stdout.write(f"  {role:<9} {name:<8} {password}")
        contacts, calls = Contact.objects.live().count(), Call.objects.count()
        self.stdout.write(
            f"\n{contacts:,} contacts mirrored, {calls:,} calls, from the sandbox at {sandbox}."
            " Ctrl-C ends it all.\n"
        )

    def start(self, name: str, *arguments: str, heard: Any = None) -> None:
        self.supervisor.start(
            name,
            [sys.executable, *arguments],
            heard or (lambda line: self.stdout.write(f"{name:>7} | {line}")),
            cwd=settings.BASE_DIR,
            env=self.environment,
        )

    def start_sandbox(self, options: dict[str, Any]) -> str:
        """Start the vendors; returns their address once they listen."""
        lines: queue.Queue[str] = queue.Queue()
        flags = [f"--{name}={options[name.replace('-', '_')]}" for name in ("seed", "contacts", "latency-ms")]
        port = free_port(options["sandbox_port"])
        flags += [f"--port={port}", f"--bot-zone={BOT_ZONE}"]
        self.start("sandbox", "-m", "backoffice.sandbox", *flags, heard=lines.put)
        said: list[str] = []
        try:
            while not said or " listening on " not in said[-1]:
                said.append(lines.get(timeout=START_SECONDS))
        except queue.Empty:
            raise CommandError("\n".join(["The sandbox did not start.", *said])) from None
        return said[-1].rpartition(" ")[2]

    def start_web(self, port: int) -> str:
        self.start(
            "web", "-m", "gunicorn", "backoffice.wsgi", f"--bind=127.0.0.1:{port}", "--log-level=warning"
        )
        return f"http://127.0.0.1:{port}/"

    def first_sync(self, sandbox: str) -> None:
        """Connect the sandbox's accounts and read everything: contacts first, for calls meet them."""
        self.stdout.write("Mirroring the sandbox …")
        for each in DEMO_ACCOUNTS:
            side = registry.vendors()[each.kind]
            connector = side.vendors[each.kind]()
            name = f"{connector.label} sandbox"
            connection = account(side, name, each, f"{sandbox}{each.path}")
            began = time.monotonic()
            for run in side.pull(connection):
                if run.error:
                    raise CommandError(f"The first sync of {name}, {run.stream}, failed: {run.error}")
            self.stdout.write(f"  {name}: {time.monotonic() - began:.1f} s")


def account(side: registry.Side, name: str, wanted: DemoAccount, base_url: str) -> Any:
    """The demo's connection to one vendor of the sandbox, as fast as this machine allows."""
    fields = {
        "vendor": wanted.kind,
        "base_url": base_url,
        "credentials": dict(wanted.credentials),
        "is_active": True,
    }
    quick = {"requests_per_second": 0, "parallel_requests": 4}
    connection, _made = side.connections._default_manager.update_or_create(
        name=name, defaults=fields, create_defaults=fields | quick
    )
    if wanted.prepare is not None:
        wanted.prepare(connection)
    return connection


def refuse_real_accounts() -> None:
    """The demo makes logins with known names: never beside real data."""
    for connection in (each for side in registry.sides() for each in side.rows().values()):
        if not is_loopback(urlsplit(connection.base_url).hostname or ""):
            raise CommandError(
                f"This database holds a real account ({connection}). Give the demo a database of its own: "
                "set VAR_DIR to an empty directory and unset DATABASE_URL."
            )


def login(role: str, name: str) -> tuple[str, str]:
    """The demo's user of a role, with a fresh random password."""
    password = secrets.token_urlsafe(9)
    user, _created = get_user_model().objects.update_or_create(username=name, defaults={"is_staff": True})
    user.set_password(password)
    user.save()
    user.groups.set([Group.objects.get(name=role)])
    return name, password


def free_port(wanted: int) -> int:
    """This port or the next one that nobody listens on."""
    for port in range(wanted, wanted + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CommandError(f"No free port from {wanted} on.")


def wait_for(address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310  our own address
                return
        except urllib.error.HTTPError as answer:
            raise CommandError(f"The web process answers with status {answer.code}.") from None
        except OSError:
            time.sleep(0.2)
    raise CommandError("The web process did not start.")
