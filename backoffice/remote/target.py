"""Where a connection leads: checks a base URL before anything is sent to it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from backoffice.remote.wire import is_loopback

_USUAL_PORT = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:]+")


@dataclass(frozen=True, slots=True)
class Target:
    """A checked base URL; `path` has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, as compared with redirects."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = _USUAL_PORT[self.scheme]
        return f"{self.scheme}://{host}" + ("" if self.port == usual else f":{self.port}")


def check_base_url(url: str, *, allow_loopback: bool = False, host_suffixes: Collection[str] = ()) -> Target:
    """Parses a base URL or raises ValueError in words a form can show.

    ``host_suffixes`` are the domains that the account must be in; none: any.

    Only https on port 443 to a named host; on this machine (development) any port, and http.
    Where the name leads is checked at each connect, by the address it resolves to.
    """
    if any(ord(char) <= 0x20 or char == "\\" or ord(char) > 0x7E for char in url):
        raise ValueError("The address may hold only plain characters, without spaces.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("The address is not a valid URL.") from None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in {"https", "http"} or not _HOST.fullmatch(host):
        raise ValueError("The address must look like https://api.example.com.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("The address must not hold a user name or password.")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("The address must end before any ? or #.")
    if is_loopback(host):
        if not allow_loopback:
            raise ValueError("The address leads to this machine.")
    elif parts.scheme != "https":
        raise ValueError("The address must begin with https://.")
    elif port not in {None, 443}:
        raise ValueError("The address must use the https port 443.")
    elif host_suffixes and not any(_within(host, suffix) for suffix in host_suffixes):
        domains = " or ".join(suffix.strip(".") for suffix in host_suffixes)
        raise ValueError(f"The address must be one of {domains}, as https://company.{domains.split()[0]}.")
    return Target(
        parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/")
    )


def _within(host: str, suffix: str) -> bool:
    """In a domain, by whole labels: ``a.example.com`` is in ``example.com``, ``badexample.com`` is not."""
    domain = suffix.strip(".").lower()
    return host == domain or host.endswith(f".{domain}")
