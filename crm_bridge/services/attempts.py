"""One attempt at one outbox row: what it reads and writes of the CRM, and how far it got."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from backoffice.remote.errors import BadResponse, RemoteError
from crm_bridge.connectors.base import Capabilities, Connector
from crm_bridge.models import Contact, ContactChange
from crm_bridge.records import Change, ContactRecord, Identity, Kind, Operation, PushResult
from crm_bridge.services.connecting import able
from crm_bridge.services.outbox import OUTBOX

logger = logging.getLogger(__name__)

CONTROLS = 3


@dataclass(slots=True)
class Attempt:
    """A claimed row with the connector to use, and how far the attempt got."""

    entry: ContactChange
    connector: Connector
    writing: bool = False
    """The first byte of a write of this attempt may have left."""
    sent_before: Any = None
    """``sent_at`` of an earlier attempt whose outcome is not known."""

    def __post_init__(self) -> None:
        self.sent_before = self.entry.sent_at

    @property
    def label(self) -> str:
        return self.connector.label

    @property
    def identity(self) -> Identity:
        contact = self.entry.contact
        return Identity(contact.family, contact.remote_id or "")

    @property
    def able(self) -> Capabilities:
        """What this account can do, with what was proven on it."""
        return able(self.entry.connection, self.connector)

    def write(self, values: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> PushResult:
        """The one place where a single write leaves: marked first, then sent."""
        entry = self.entry
        operation = Operation(entry.operation)
        change = Change(
            operation=operation,
            kind=Kind(entry.contact.kind),
            identity=None if operation is Operation.CREATE else self.identity,
            code=entry.contact.code or "",
            values=values,
            before=before or {},
            request_id=str(entry.request_id),
        )
        OUTBOX.mark_sent(entry)
        self.writing = True
        return self.connector.push(change)

    def read(self, identity: Identity | None = None) -> ContactRecord | None:
        """The contact (or another one) as the CRM holds it now; None when it is certainly not there.

        An empty answer counts only beside one that is not: a contact that must be
        there is found in the same way, and this one is still not.
        """
        identity = identity or self.identity
        record = self._get(identity)
        if record is None:
            controls = certainly_there(self.entry)
            found = (self.connector.get(Identity(each.family, each.remote_id or "")) for each in controls)
            if controls and not any(found):
                raise BadResponse(_("its single reads do not even find contacts that are there"))
            record = self._get(identity)
        return record

    def _get(self, identity: Identity) -> ContactRecord | None:
        record = self.connector.get(identity)
        if record is not None and identity not in (record.identity, *record.aliases):
            return None
        return record

    def read_back(self, identity: Identity | None = None) -> ContactRecord | None:
        """The contact after a write that is known to be applied; None when it cannot be read now."""
        try:
            return self.connector.get(identity or self.identity)
        except RemoteError as error:
            logger.warning("push: change=%s applied but not read back: %s", self.entry.pk, error)
            return None


def certainly_there(entry: ContactChange, **filters: Any) -> list[Contact]:
    """A few other contacts that the CRM must find: what an answer "not found" is checked against."""
    known = Contact.objects.live().filter(
        connection_id=entry.connection_id, remote_id__isnull=False, base__isnull=True, **filters
    )
    return list(known.exclude(pk=entry.contact_id).order_by("-pk")[:CONTROLS])
