"""The key of another organisation must not touch this mirror.

Ids are small numbers, so contact 12 of one account is somebody else in the next one. When
address or credentials of a connection have changed, a few contacts that must be there are
looked up before anything else is read or sent: one that is as it is here proves the account.
"""

import hashlib
from itertools import chain

import orjson
from django.conf import settings

from backoffice.remote.errors import ConnectionBroken
from crm_bridge.connectors.base import Connector
from crm_bridge.models import Connection, Contact
from crm_bridge.records import ContactRecord, Identity
from crm_bridge.services import health

MEASURED = "account"
"""``measured`` keeps under this name for which address and credentials the account was proven."""
EACH_END = 4
"""So many of the oldest contacts are looked up, and so many of those changed last."""


def ensure(connection: Connection, credentials: dict[str, str], connector: Connector) -> None:
    """Raise ``ConnectionBroken`` when a changed address or key leads to another account.

    The first one is trusted: there is nothing yet to compare it with.
    """
    now = _digest(connection, credentials)
    before = connection.measured.get(MEASURED)
    if before == now:
        return
    if before:
        _prove(connection, connector)
    health.remember_measured(connection, **{MEASURED: now})


def _digest(connection: Connection, credentials: dict[str, str]) -> str:
    """Tells one address with its credentials from another, and nothing about them."""
    content = orjson.dumps([connection.base_url, credentials], option=orjson.OPT_SORT_KEYS)
    key = hashlib.sha256(settings.SECRET_KEY.encode()).digest()
    return hashlib.blake2b(content, key=key, digest_size=16).hexdigest()


def _prove(connection: Connection, connector: Connector) -> None:
    known = Contact.objects.live().filter(connection=connection, remote_id__isnull=False, base__isnull=True)
    first, last = known.order_by("pk")[:EACH_END], known.order_by("-touched_at", "-pk")[:EACH_END]
    samples = {contact.pk: contact for contact in chain(first, last)}
    for contact in samples.values():
        record = connector.get(Identity(contact.family, contact.remote_id or ""))
        if record is not None and _is_the_same(contact, record):
            return
    if samples:
        raise ConnectionBroken(
            f"these credentials open another account: of {len(samples)} contacts that were looked up none is"
            " there as it is here. Nothing was read or sent. Give the other account a connection of its own",
            connection=connection.name,
            operation="compare account",
        )


def _is_the_same(contact: Contact, record: ContactRecord) -> bool:
    if contact.uid and record.uid:
        return contact.uid == record.uid
    if contact.remote_created_at and record.created_at:
        return contact.remote_created_at == record.created_at
    return contact.name == record.name
