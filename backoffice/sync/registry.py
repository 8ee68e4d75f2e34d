"""What the apps mirror: their connections, vendors and how to pull, for commands about any of them.

Each app registers its side when it is ready; nobody has to import the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backoffice.sync.models import AbstractConnection, AbstractRun
from backoffice.sync.tokens import SharedTokens


@dataclass(frozen=True)
class Side:
    """One app's accounts."""

    connections: type[AbstractConnection]
    health: Any
    """The model of their health, one row for each connection."""
    vendors: Mapping[str, Callable[[], Any]]
    """Kind → its connector class, imported when it is asked for."""
    account: Callable[..., Any]
    """Makes what a connector is built from: label, base URL, credentials."""
    streams: Callable[[Any], Sequence[str]]
    """Of a connection, in the order in which they are pulled."""
    pull: Callable[..., Sequence[AbstractRun]]
    """Takes the connection, then ``streams``, ``full`` and ``progress``."""
    tokens: Callable[[Any], SharedTokens] | None = None
    """Where the tokens of a connection are kept that rotate; None: nowhere."""

    def rows(self) -> dict[str, AbstractConnection]:
        """All connections by name, without their credentials."""
        return {row.name: row for row in self.connections._default_manager.defer("credentials")}


_sides: list[Side] = []


def register(side: Side) -> None:
    """Make a side known; called once by its app."""
    _sides.append(side)


def sides() -> tuple[Side, ...]:
    """Every side, in the order of the installed apps."""
    return tuple(_sides)


def side_of(connection: AbstractConnection) -> Side:
    """The side that a connection belongs to."""
    return next(side for side in _sides if isinstance(connection, side.connections))


def vendors() -> dict[str, Side]:
    """Every kind of vendor and whose it is."""
    return {kind: side for side in _sides for kind in side.vendors}
