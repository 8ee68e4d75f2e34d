"""Stores an account on any vendor, once its credentials have proved themselves."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from backoffice import audit
from backoffice.remote.errors import RemoteError
from backoffice.remote.target import check_base_url
from backoffice.remote.tokens import MemoryTokens
from backoffice.sync import registry
from backoffice.sync.credentials import group_of, lack, needs_own_address
from backoffice.sync.models import AbstractConnection
from backoffice.sync.tokens import adopt


class Command(BaseCommand):
    help = "Store a connection after checking its credentials. A value of - is read from standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("vendor", help=", ".join(registry.vendors()))
        parser.add_argument("--name", required=True, help="what staff will call this account")
        parser.add_argument("--base-url", help="default: the vendor's usual address")
        parser.add_argument(
            "--set",
            action="extend",
            nargs="+",
            default=[],
            metavar="KEY=VALUE",
            help=f"credentials: {'; '.join(map(_keys, registry.vendors()))}",
        )
        parser.add_argument("--rate", type=float, metavar="N", help="requests per second; 0: no limit")

    def handle(self, *args: Any, **options: Any) -> None:
        kind = options["vendor"]
        side = registry.vendors().get(kind)
        if side is None:
            known_kinds = ", ".join(sorted(registry.vendors()))
            raise CommandError(f"unknown vendor {kind!r}; known: {known_kinds}")
        vendor = side.vendors[kind]()
        name = options["name"].strip()
        if not name or len(name) > 80:
            raise CommandError("--name must have 1 to 80 characters.")
        if options["rate"] is not None and not 0 <= options["rate"] <= 1000:
            raise CommandError("--rate must be from 0 (no limit) to 1000 requests per second.")
        base_url = (options["base_url"] or vendor.default_base_url).rstrip("/")
        if needs_own_address(base_url):
            pattern = vendor.default_base_url or "https://…"
            raise CommandError(f"--base-url is needed: {pattern}, with the name of your account for SUB.")
        suffixes = getattr(vendor, "host_suffixes", ())
        try:
            check_base_url(base_url, allow_loopback=settings.ALLOW_LOOPBACK, host_suffixes=suffixes)
        except ValueError as problem:
            raise CommandError(f"--base-url: {problem}") from None
        credentials = read_credentials(options["set"], vendor)

        known = next((rows[name] for rows in map(registry.Side.rows, registry.sides()) if name in rows), None)
        if known and (known.vendor, known.base_url) != (kind, base_url):
            raise CommandError(
                f"{name} already stands for {known.vendor} at {known.base_url}. Choose another name."
            )
        account, tokens = side.account(name, base_url, credentials), MemoryTokens()
        if side.tokens is not None:
            account = replace(account, tokens=tokens)
        words = proven(vendor, account, tokens)
        fields = {"credentials": credentials, "is_active": True}
        rate = options["rate"]
        if rate is None and known is None:  # the vendor's own limit; later it is the admin's
            rate = getattr(vendor.capabilities, "requests_per_second", None)
        if rate is not None:
            fields["requests_per_second"] = rate
        connection = store(side, known, fields, name=name, vendor=kind, base_url=base_url)
        if side.tokens is not None:
            adopt(side.tokens(connection), tokens)
        self.stdout.write(f"{words}\n{name} is {'updated' if known else 'connected'}.")


def _keys(kind: str) -> str:
    """Which keys a vendor takes: single ones, and groups of which one is enough."""
    groups: dict[str, list[str]] = {}
    for field in registry.vendors()[kind].vendors[kind]().credential_fields:
        groups.setdefault(group_of(field), []).append(field.name)
    return f"{kind}: {' or '.join(', '.join(names) for names in groups.values())}"


def proven(vendor: Any, account: Any, tokens: MemoryTokens) -> str:
    """What the vendor says to these credentials; anything but a yes ends the command.

    A refresh token may be spent by this: what came in its place is in ``tokens``, to be kept.
    """
    connector = vendor(account, allow_loopback=settings.ALLOW_LOOPBACK)
    try:
        return str(connector.check())
    except RemoteError as problem:
        spent = ". The refresh token is used up by this check: get a new one" if tokens.current()[1] else ""
        raise CommandError(f"Nothing was stored: {problem}{spent}") from None
    finally:
        connector.close()


@transaction.atomic
def store(
    side: registry.Side, known: AbstractConnection | None, fields: dict[str, Any], **identity: str
) -> AbstractConnection:
    if known is None:
        connection = side.connections._default_manager.create(**identity, **fields)
    else:
        connection = known
        side.connections._default_manager.filter(pk=known.pk).update(**fields)
        side.health._default_manager.filter(connection=known).update(
            needs_attention=False, failures=0, open_until=None
        )
    audit.record(
        "connection.update" if known else "connection.create",
        connection,
        by=None,
        summary="Credentials checked and stored from the command line",
    )
    return connection


def read_credentials(pairs: list[str], vendor: Any) -> dict[str, str]:
    """The values of ``--set``, complete and without strangers; ``-`` is one line of standard input."""
    fields = {field.name: field for field in vendor.credential_fields}
    credentials: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:  # never echo it: it may be a secret that lost its name
            raise CommandError("--set takes KEY=VALUE pairs.")
        if key not in fields:
            raise CommandError(f"--set: unknown key; {vendor.label} takes: {', '.join(fields)}")
        if value == "-":
            value = sys.stdin.readline().rstrip("\r\n")
        if not value.isprintable():
            raise CommandError(f"{key} holds unprintable characters.")
        credentials[key] = value
    lacking = lack(fields.values(), credentials)
    if lacking.names:
        raise CommandError(f"{vendor.label} also needs {_as_options(lacking.names)}")
    if lacking.groups:
        ways = ", or ".join(_as_options(group) for group in lacking.groups)
        raise CommandError(f"{vendor.label} needs {ways}")
    return credentials


def _as_options(names: Iterable[str]) -> str:
    return f"--set {' '.join(f'{name}=…' for name in names)}"
