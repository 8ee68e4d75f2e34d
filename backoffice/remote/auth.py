"""How a request proves who we are; one object per credential, shared by threads.

`apply` runs for every attempt, so a signature with a timestamp is always fresh. After a
401 the session asks `refresh` once; a credential that can be renewed renews it (one
renewal however many threads ask, by comparing generations) and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlencode


@dataclass(slots=True)
class Outgoing:
    """The parts of one attempt that an auth may read or add to."""

    method: str
    path: str
    params: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def target(self) -> str:
        """Path and query exactly as they go over the wire."""
        if not self.params:
            return self.path
        return f"{self.path}?{urlencode(self.params, quote_via=quote, safe='')}"


class Auth(Protocol):
    """Static keys, tokens got by password or OAuth, and signed queries all fit this."""

    def apply(self, request: Outgoing) -> int:
        """Adds the credential; returns the generation of the credential it used."""

    def refresh(self, seen: int) -> bool:
        """After a 401 with generation `seen`: True when a newer credential is ready now."""


class NoAuth:
    """For calls without a credential, such as a login."""

    def apply(self, request: Outgoing) -> int:
        """Adds nothing."""
        return 0

    def refresh(self, seen: int) -> bool:
        """There is nothing to renew."""
        return False


class HeaderToken:
    """One fixed secret in one header, e.g. `apikey: …` or `Authorization: Bearer …`."""

    def __init__(self, header: str, value: str) -> None:
        value = value.strip()
        if not value:
            raise ValueError("The key is empty.")
        if not value.isascii() or not value.isprintable():
            raise ValueError("The key holds characters that cannot be sent in a header.")
        self._header, self._value = header, value

    def __repr__(self) -> str:
        return f"HeaderToken({self._header!r}, ***)"

    def apply(self, request: Outgoing) -> int:
        """Sets the header."""
        request.headers[self._header] = self._value
        return 0

    def refresh(self, seen: int) -> bool:
        """A fixed key cannot be renewed; a person has to."""
        return False
