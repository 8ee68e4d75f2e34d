"""What a guided check works with: the account, what was read of it so far, and its steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_bridge.connectors.base import Capabilities, Connector, Finding
from crm_bridge.models import Connection
from crm_bridge.records import ContactRecord, Identity
from crm_bridge.services.connecting import able


@dataclass(slots=True)
class Probe:
    """One account under check."""

    connection: Connection
    connector: Connector
    sample: list[ContactRecord] = field(default_factory=list)
    """Contacts of the first page."""
    made: list[Identity] = field(default_factory=list)
    """Disposable records that are still there."""
    unclear: list[str] = field(default_factory=list)
    """E-mails of creates whose outcome is not known: the record is looked for and taken away."""
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def able(self) -> Capabilities:
        return able(self.connection, self.connector)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is tried."""

    key: str
    label: str
    make: Callable[[Probe], Sequence[Finding]]


def known(probe: Probe) -> ContactRecord | None:
    """A contact that is certainly there."""
    return probe.sample[0] if probe.sample else None
