"""What the commands share: which accounts a command is about."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from django.core.management.base import CommandError

from backoffice.sync import registry
from backoffice.sync.models import AbstractConnection

C = TypeVar("C", bound=AbstractConnection)


def chosen_connections(names: Sequence[str]) -> list[AbstractConnection]:
    """The named connections of any side, or every active one. Says which name is wrong."""
    known: dict[str, AbstractConnection] = {}
    for side in registry.sides():
        for name, connection in side.rows().items():
            if name in known and name in names:
                raise CommandError(f"{name} is the name of two connections: rename one of them.")
            known[name if name not in known else f"{name} ({connection.vendor})"] = connection
    return choose(known, names)


def choose(known: Mapping[str, C], names: Sequence[str]) -> list[C]:
    """The named ones of these, or every active one."""
    if not names:
        active = [connection for connection in known.values() if connection.is_active]
        if not active:
            raise CommandError("There is no active connection. Make one with: manage.py connect")
        return active
    for name in names:
        if name not in known:
            raise CommandError(f"There is no connection named {name!r}. Known: {', '.join(known) or 'none'}.")
        if not known[name].is_active:
            raise CommandError(f"{name} is switched off.")
    return [known[name] for name in dict.fromkeys(names)]
