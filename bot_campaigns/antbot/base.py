"""What the pages and services know of a voice-bot account besides its records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Stream(StrEnum):
    """One list that is mirrored."""

    CAMPAIGNS = "campaigns"
    PHONEBOOKS = "phonebooks"
    CONTACTS = "contacts"
    SUBSCRIBERS = "subscribers"
    CALLS = "calls"
    GATEWAYS = "gateways"
    TEMPLATES = "templates"
    SECTIONS = "sections"
    SURVEYS = "surveys"
    DNC_LISTS = "dnc_lists"
    DNC_ENTRIES = "dnc_entries"
    CALENDAR_SETTINGS = "calendar_settings"
    CALENDAR_USERS = "calendar_users"
    CALENDARS = "calendars"
    EVENTS = "events"
    ALARMS = "alarms"


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One value that a connection needs."""

    name: str
    label: str
    secret: bool = True
    required: bool = True
    help: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One switch of an account, for what differs between accounts or was measured."""

    name: str
    label: str
    choices: tuple[tuple[str, str], ...]
    """Value and label; the first one is what holds when nothing is set."""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What can be done, and what no document settles."""

    streams: tuple[Stream, ...]
    undocumented: frozenset[Stream]
    """Lists the vendor's page does not print: they may answer `NotOffered`."""
    by_date: frozenset[Stream]
    """Lists that can be narrowed to a span of time."""
    page_size: int
    """The likely one; nothing relies on it."""
    bulk_contacts: int
    can_delete_campaigns: bool
    can_delete_contacts: bool
    can_remove_dnc_entries: bool
    unproven: Mapping[str, str] = field(default_factory=dict)
    """What is assumed, shown to admins."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a connector is built from. `credentials` never appears in a repr."""

    label: str
    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    parallel_requests: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)
    """Values of the connector's options by name."""
