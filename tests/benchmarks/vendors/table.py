"""What the pull bench has to know of each vendor: one file each, nothing else changes.

The floors are read by the plainest client there is, so a vendor's entry says how its list is
walked by hand; everything else is asked of the connector.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.sandbox_fixture import SandboxControl

Get = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor of the sandbox. Targets begin with `path`, which is below the sandbox's address."""

    name: str
    path: str
    page_size: int
    credentials: Mapping[str, str]
    headers: Mapping[str, str]
    pages: Callable[[Get, str], Iterator[bytes]]
    """Every page of the list of contacts to its end; the second argument is a day or ""."""
    rows: Callable[[Any], int]
    """How many contacts a parsed page holds."""
    steady: Callable[[SandboxControl], Any]
    """Give the list an order in which pages stay the same from pull to pull."""
    shift: Callable[[SandboxControl], Any]
    """Make every page another one, by new contacts in front."""
    edit: Callable[[SandboxControl, int, int], int]
    """Change so many contacts (and a seed); returns how many different ones were hit."""
    polls: bool = True
    """The list can be asked for changes since a day."""
