"""Vendor-neutral dataclasses that every connector speaks, and their canonical form.

Connectors turn payloads into these and back; the engine and the services know
nothing else of a vendor. Values are *canonical*: what a vendor writes in one
shape and reads back in another compares equal here, otherwise every sync would
see a change that nobody made and push it back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    LEAD = "lead"
    CONTACT = "contact"
    ACCOUNT = "account"


class Gender(StrEnum):
    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the vendor calls one record: ids are unique within a family only.

    AntCRM counts leads and customers apart, so lead 12 and customer 12 are two
    people; vendors with a single counter use one family for everything.
    """

    family: str
    remote_id: str

    def __str__(self) -> str:
        return f"{self.family} {self.remote_id}"


@dataclass(frozen=True, slots=True)
class Phone:
    value: str
    type: str = ""
    e164: str = ""
    """``+84934890883`` where the number is valid, else empty."""


@dataclass(frozen=True, slots=True)
class Email:
    value: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    street: str = ""
    """House number, as AntCRM uses the word."""
    street_name: str = ""
    ward: str = ""
    district: str = ""
    city: str = ""
    country_code: str = ""
    country: str = ""
    postal_code: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class SocialAccount:
    protocol: str
    value: str


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """One live contact as the vendor holds it."""

    identity: Identity
    kind: Kind
    name: str
    uid: str = ""
    """The vendor's storage id where it has a second one (AntCRM ``_id``)."""
    aliases: tuple[Identity, ...] = ()
    """Other identities of the same person: the lead a customer was converted from."""
    gender: Gender = Gender.UNKNOWN
    birth_date: date | None = None
    phones: tuple[Phone, ...] = ()
    emails: tuple[Email, ...] = ()
    addresses: tuple[Address, ...] = ()
    social_accounts: tuple[SocialAccount, ...] = ()
    industry: str = ""
    note: str = ""
    stage: str = ""
    tags: tuple[str, ...] = ()
    source: str = ""
    responsible: str = ""
    custom_fields: Mapping[str, Any] = field(default_factory=dict)
    """By the key of its definition; by label where the vendor tells none."""
    score_available: float | None = None
    score_rank: float | None = None
    rank_name: str = ""
    ads_history: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further vendor values worth showing, by our label; never written back."""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeletionRecord:
    """Evidence that the vendor holds a contact as deleted."""

    contact: ContactRecord
    """The last state, as the list of deleted contacts shows it."""
    trashed_at: datetime | None = None
    trashed_by: str = ""


@dataclass(frozen=True, slots=True)
class MergeRecord:
    """Evidence that one contact was merged away into another."""

    loser: ContactRecord
    survivor_uid: str = ""
    survivor: Identity | None = None
    """Only where the vendor names it; AntCRM gives a uid, name, phones and e-mails."""
    survivor_name: str = ""
    survivor_phones: tuple[Phone, ...] = ()
    survivor_emails: tuple[Email, ...] = ()
    merged_at: datetime | None = None
    """Best statement of the vendor; the window is narrowed by our own runs."""


Record = ContactRecord | DeletionRecord | MergeRecord


class Operation(StrEnum):
    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"
    MERGE = "merge"
    """The change's contact goes into another one: ``values["survivor"]`` is its remote id."""
    RELATE = "relate"
    """Entries of a panel are attached, detached or replaced: ``values`` is a ``Relation`` as JSON."""


class FieldType(StrEnum):
    """How a custom field is entered and shown."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    LINK = "link"
    BOOLEAN = "boolean"
    SELECT = "select"
    RADIO = "radio"
    CHECKBOX = "checkbox"
    """Any number of the choices."""


@dataclass(frozen=True, slots=True)
class FieldChoice:
    value: str
    """What the vendor stores."""
    label: str


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """One custom field as the vendor defines it.

    Canonical values under ``ContactRecord.custom_fields[key]``: text (numbers too, as the
    vendor writes them; dates ISO) for all types but these: ``BOOLEAN`` a bool, ``SELECT`` and
    ``RADIO`` one choice's value, ``CHECKBOX`` a list of choice values in the order of the choices.
    """

    key: str
    label: str
    type: FieldType = FieldType.TEXT
    choices: tuple[FieldChoice, ...] = ()
    required: bool = False
    editable: bool = True
    help: str = ""


@dataclass(frozen=True, slots=True)
class PanelEntry:
    """One line of a panel: an association, or an event of a history."""

    title: str
    text: str = ""
    """Plain text; markup of the vendor is taken out by the mapping."""
    at: datetime | None = None
    author: str = ""
    kind: str = ""
    """What it is, in our words: ``call``, ``ticket``, ``chat``, ``change`` …"""
    ref: str = ""
    """The vendor's id, by which it is attached and detached."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Live extras of one contact, as the vendor holds them at this moment."""

    key: str
    entries: tuple[PanelEntry, ...] = ()
    next_page: int | None = None
    """More entries can be asked for under this number."""


class RelationAction(StrEnum):
    ATTACH = "attach"
    DETACH = "detach"
    REPLACE = "replace"
    """Exactly these, and no others."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What ``Operation.RELATE`` does. Each action applied twice is applied once."""

    panel: str
    action: RelationAction
    refs: tuple[str, ...]

    def to_values(self) -> dict[str, Any]:
        """As ``Change.values`` carries it."""
        return {"panel": self.panel, "action": self.action.value, "refs": list(self.refs)}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Relation":
        return cls(values["panel"], RelationAction(values["action"]), tuple(values["refs"]))


@dataclass(frozen=True, slots=True)
class Change:
    """What a connector is asked to write: canonical values by field name.

    ``values`` holds whole new values (lists are complete, already merged with
    what the vendor holds). ``before`` has the vendor's present values of the
    same fields, for vendors that need add and remove lists.
    """

    operation: Operation
    kind: Kind
    identity: Identity | None
    code: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class PushResult:
    """The vendor's clear yes. Everything unclear is an error from the tree."""

    identity: Identity | None = None
    words: str = ""
    record: ContactRecord | None = None
    """The contact as it was read back to prove the identity, where that was done already."""


# --- canonical field values --------------------------------------------------------------

EDITABLE_FIELDS: tuple[str, ...] = (
    "name",
    "gender",
    "birth_date",
    "phones",
    "emails",
    "addresses",
    "social_accounts",
    "industry",
    "note",
    "stage",
    "tags",
    "source",
    "responsible",
    "custom_fields",
)
"""Fields staff may edit where the connection can write them (``Capabilities.writable``)."""

LIST_FIELDS = frozenset({"phones", "emails", "addresses", "social_accounts", "tags"})


def canonical(record: ContactRecord, fields: Sequence[str] = EDITABLE_FIELDS) -> dict[str, Any]:
    """JSON-ready canonical values of a record, by field name."""
    return {name: canonical_value(getattr(record, name)) for name in fields}


def canonical_value(value: Any) -> Any:
    """Turn one record value into plain JSON data."""
    if isinstance(value, Phone | Email | Address | SocialAccount):
        return {slot: getattr(value, slot) for slot in value.__slots__ if slot != "e164"}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): canonical_value(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [canonical_value(item) for item in value]
    return value
