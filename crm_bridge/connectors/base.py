"""The contract between a vendor package and everything else.

Pages, services and the engine read ``Capabilities``; nobody asks for a vendor's
name. A vendor is one package (``client``, ``payloads``, ``mapping``,
``connector``) plus one line in ``registry.py``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from backoffice.remote.auth import TokenStore
from backoffice.remote.walk import Walk
from crm_bridge.records import (
    Change,
    ContactRecord,
    FieldDefinition,
    Identity,
    Kind,
    Panel,
    PushResult,
    RelationAction,
)


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
    group: str = ""
    """Fields of one group belong together, and one whole group is enough: a token, or a set for OAuth."""


@dataclass(frozen=True, slots=True)
class PanelSpec:
    """Extras of a contact that the vendor keeps: shown on its page, read when asked for."""

    key: str
    label: str
    timeline: bool = False
    """Its entries have times and belong into the contact's timeline."""
    actions: frozenset[RelationAction] = frozenset()
    ref_label: str = ""
    """What staff type to attach an entry: "Company number"."""
    why_not: str = ""
    """Why its entries cannot be changed from here."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Something only public sources tell of: off until an admin has proven it on the account."""

    key: str
    label: str
    help: str = ""
    writes: bool = False
    """Proving it changes something there, on a disposable record."""
    streams: tuple[Stream, ...] = ()
    """Streams that it adds."""
    brings: Mapping[str, Any] = field(default_factory=dict)
    """Capabilities as they are once it is proven, by name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a capability report."""

    key: str
    label: str
    ok: bool | None
    """None: could not be told."""
    words: str = ""


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
    code_readable: bool = False
    """``get_by_code`` finds a record by our own code, and proves that there is none."""
    resumable: bool = True
    """A walk that was stopped can go on where it was; else its positions die, and it starts again."""
    panels: tuple[PanelSpec, ...] = ()
    features: tuple[Feature, ...] = ()
    contacts_every: int = 120
    """Seconds between two pulls of contacts, unless an admin sets another interval."""
    requests_per_second: float = 5
    """The rate a new connection gets; 0: no limit."""
    why_not: Mapping[str, str] = field(default_factory=dict)
    """Why something cannot be done, by capability or field name; shown on the disabled button."""
    unproven: Mapping[str, str] = field(default_factory=dict)
    """What no document settles, with the assumption made; shown to admins."""


def with_features(capabilities: Capabilities, proven: Collection[str]) -> Capabilities:
    """What an account can do on which these features were proven."""
    for feature in capabilities.features:
        if feature.key in proven:
            streams = dict.fromkeys((*capabilities.streams, *feature.streams))
            capabilities = replace(capabilities, streams=tuple(streams), **feature.brings)
    return capabilities


class Connector(Protocol):
    """One account on one vendor, ready to talk. Cheap to build, no I/O in ``__init__``.

    Every method raises only the errors of ``backoffice.remote.errors``.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    credential_fields: ClassVar[tuple[CredentialField, ...]]
    default_base_url: ClassVar[str]
    host_suffixes: ClassVar[tuple[str, ...]]
    """The account's host must end with one of these (or be loopback); empty: any host."""
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


class DefinesFields(Protocol):
    """A connector whose capabilities have ``custom_field_definitions``."""

    def field_definitions(self) -> list[FieldDefinition]:
        """Every custom field of the account, in the vendor's order."""


class ReadsCodes(Protocol):
    """A connector whose capabilities have ``code_readable``."""

    def get_by_code(self, code: str) -> ContactRecord | None:
        """The contact that was created under our code; None is the vendor's proof that there is none."""


class HasPanels(Protocol):
    """A connector whose capabilities list ``panels``."""

    def panel(self, identity: Identity, key: str, page: int = 1) -> Panel:
        """One page of a contact's extras, read now. Raises ``Gone`` where there is no such contact."""


class HasFeatures(Protocol):
    """A connector whose capabilities list ``features``."""

    def prove(self, feature: str) -> str:
        """Try a feature on this account; returns in a sentence what was seen.

        Raises ``Rejected`` or ``BadResponse`` where the account does not have it.
        """


class Probes(Protocol):
    """A connector that can tell more of an account than its other methods show."""

    def probe(self) -> list[Finding]:
        """Look, without changing anything, at what this account allows: limits, order, shapes."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a connector is built from. ``credentials`` never appears in a repr."""

    label: str
    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    parallel_requests: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)
    """Measured capabilities and switches of this account. ``features``: those that were proven."""
    tokens: TokenStore | None = field(default=None, repr=False)
    """Where tokens that rotate are kept, shared by all workers; None: in this process only."""
