"""Contacts that are the same in the sandbox and in the mirror, as a pull leaves them."""

from typing import Any

from crm_bridge.models import Connection, Contact
from crm_bridge.records import Identity, canonical
from crm_bridge.services.connecting import connect_to
from tests import factories
from tests.sandbox_fixture import SandboxControl


def connected(sandbox: SandboxControl) -> Connection:
    """A connection to the sandbox's AntCRM."""
    key = sandbox.key
    return factories.connection(base_url=sandbox.base(), credentials={"api_key": key, "apikey": key})


def mirrored(sandbox: SandboxControl, connection: Connection, **fields: Any) -> Contact:
    """A contact made inside the CRM and mirrored."""
    made = sandbox.create(**{"name": "Nguyễn Văn An", "contactType": "lead", **fields})
    family = "lead" if made.get("leadId") else "customer"
    identity = Identity(family, str(made.get("leadId") or made.get("customerId")))
    connector = connect_to(connection)
    record = connector.get(identity)
    connector.close()
    assert record is not None
    return factories.contact(
        connection,
        family=family,
        remote_id=identity.remote_id,
        kind=record.kind.value,
        values=canonical(record),
    )


def remote(sandbox: SandboxControl, contact: Contact) -> dict[str, Any]:
    """What the CRM truly holds of a contact."""
    return sandbox.contact(kind=contact.kind, id=contact.remote_id)
