"""Contacts mirrored from CRMs, and everything that keeps the two sides true."""

from crm_bridge.models.account_check import AccountCheck
from crm_bridge.models.connection import Connection, ConnectionHealth
from crm_bridge.models.contact import Contact, ContactAlias, ContactEmail, ContactPhone, ContactTag, Tag
from crm_bridge.models.fields import ContactFieldValue, CustomField
from crm_bridge.models.history import Conflict, Merge, Tombstone
from crm_bridge.models.sharing import SharedReach, SharingCount
from crm_bridge.models.sync import ContactChange, PageMark, Quarantine, Run, StreamState
from crm_bridge.models.token import ConnectionToken

__all__ = [
    "AccountCheck",
    "Conflict",
    "Connection",
    "ConnectionHealth",
    "ConnectionToken",
    "Contact",
    "ContactAlias",
    "ContactChange",
    "ContactEmail",
    "ContactFieldValue",
    "ContactPhone",
    "ContactTag",
    "CustomField",
    "Merge",
    "PageMark",
    "Quarantine",
    "Run",
    "SharedReach",
    "SharingCount",
    "StreamState",
    "Tag",
    "Tombstone",
]
