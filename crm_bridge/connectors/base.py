"""The contract between a vendor package and everything else.

Pages, services and the engine read ``Capabilities``; nobody asks for a vendor's
name. A vendor is one package (``client``, ``payloads``, ``mapping``,
``connector``) plus one line in ``registry.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from backoffice.remote.walk import Walk
from crm_bridge.records import Change, ContactRecord, Identity, Kind, PushResult


class Stream(StrEnum):
    """One list that is pulled."""

    CONTACTS = "contacts"
    DELETED = "deleted"
    MERGED = "merged"


class Changes(StrEnum):
    """How a vendor tells what changed since a moment."""

    BY_DAY = "by_day"
    """A filter in whole days, zone unknown: overlap at least two days."""
    NEWEST_FIRST = "newest_first"
    """Sorted by update, newest first: walk until the watermark."""
    BY_SECOND = "by_second"
    NONE = "none"
    """Complete walks only."""


class Deletions(StrEnum):
    LISTED = "listed"
    """A list of deleted contacts is the evidence."""
    BY_LOOKUP = "by_lookup"
    """Only a single read that proves absence is evidence."""
    UNKNOWN = "unknown"


class Merges(StrEnum):
    LISTED = "listed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One value that a connection of this vendor needs."""

    name: str
    label: str
    secret: bool = True
    required: bool = True
    help: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector can do. What is not listed here is not offered to staff."""

    streams: tuple[Stream, ...]
    changes: Changes
    deletions: Deletions
    merges: Merges
    kinds: tuple[Kind, ...]
    creatable: frozenset[str]
    """Field names that may be sent on create; ``EDITABLE_FIELDS`` and ``group``."""
    writable: frozenset[str]
    """Field names that may be sent on edit."""
    page_size: int
    bulk_create: int = 0
    """Largest batch of one bulk create; 0: none."""
    own_key: bool = False
    """Our code is stored by the vendor and selects a record on edit and delete."""
    can_create: bool = True
    can_delete: bool = True
    can_restore: bool = False
    can_merge: bool = False
    custom_field_definitions: bool = False
    unproven: Mapping[str, str] = field(default_factory=dict)
    """What no document settles, with the assumption made; shown to admins."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Answer of a single read. ``found`` empty and ``healthy`` proves nothing by itself."""

    found: tuple[ContactRecord, ...] = ()


class Connector(Protocol):
    """One account on one vendor, ready to talk. Cheap to build, no I/O in ``__init__``.

    Every method raises only the errors of ``backoffice.remote.errors``.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    credential_fields: ClassVar[tuple[CredentialField, ...]]
    default_base_url: ClassVar[str]
    mapping_version: ClassVar[int]
    """Raised when ``mapping`` reads more or differently: stored records are read again."""

    def check(self) -> str:
        """Prove host and credentials with one harmless read; returns a sentence."""

    def walks(self, stream: Stream, *, since: date | None = None) -> Sequence[Walk]:
        """The walks that make up one pull of a stream; ``since`` narrows to changes."""

    def get(self, identity: Identity) -> ContactRecord | None:
        """One contact by its id; None is the vendor's proof that no live one has it."""

    def find(
        self,
        *,
        phone: str = "",
        email: str = "",
        kind: Kind | None = None,
        created_from: date | None = None,
        created_to: date | None = None,
    ) -> list[ContactRecord]:
        """Live contacts with this phone or e-mail, as the vendor's own search sees it."""

    def push(self, change: Change) -> PushResult:
        """Apply one change. A clear yes returns, everything else raises."""

    def push_bulk(self, changes: Sequence[Change]) -> list[PushResult]:
        """Create many at once (one family, at most ``bulk_create``).

        Raises ``OutcomeUnknown`` when the answer does not pair one to one: each
        item then has to be resolved singly.
        """

    def close(self) -> None:
        """Give back sockets."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a connector is built from. ``credentials`` never appears in a repr."""

    label: str
    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    parallel_requests: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)
    """Measured capabilities and switches of this account."""
