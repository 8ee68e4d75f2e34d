"""What an account allows beyond the vendor's page: looked at, and tried where an admin wants it.

Looking (`probe`) changes nothing. Trying (`prove`) answers in a sentence, or raises where the account
does not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from backoffice.remote.errors import BadResponse, Gone, Rejected, RemoteError
from crm_bridge.connectors.base import Finding
from crm_bridge.connectors.concord.abilities import PARTIAL_UPDATE, RESTORE, TRASH
from crm_bridge.connectors.concord.client import PAGE_SIZE, TRASH_STYLES, ConcordClient, Query
from crm_bridge.connectors.concord.mapping import JOB_TITLE
from crm_bridge.connectors.concord.payloads import FAMILY, Listed, split_page
from crm_bridge.connectors.concord.walks import is_newer, updated
from crm_bridge.records import Change, Identity, Kind, Operation, canonical

if TYPE_CHECKING:
    from crm_bridge.connectors.concord.connector import ConcordConnector
    from crm_bridge.connectors.concord.reading import Reader
    from crm_bridge.connectors.concord.trash import Trash

_DISPOSABLE = "Disposable check"


def prove(feature: str, connector: ConcordConnector, client: ConcordClient, trash: Trash) -> str:
    """Try a feature. Raises Rejected or BadResponse where the account does not have it."""
    if feature == TRASH:
        return _prove_trash(connector, trash)
    if feature == RESTORE:
        return _prove_restore(connector, trash)
    if feature == PARTIAL_UPDATE:
        return _prove_partial_update(connector, client)
    raise Rejected(f"there is nothing to prove called “{feature}”")


def _prove_trash(connector: ConcordConnector, trash: Trash) -> str:
    """One of the two styles answers with contacts that say they are deleted, and that are gone."""
    refusals = []
    for style, page in trash.first_pages(PAGE_SIZE):
        path = TRASH_STYLES[style][0]
        if not isinstance(page, Listed):
            refusals.append(f"{path}: {page.reason}")
            continue
        for item in page.items[:1]:
            if not isinstance(item.raw, dict) or not item.raw.get("deleted_at"):
                raise BadResponse(f"{path} lists contacts that do not say they are deleted")
            if connector.get(Identity(FAMILY, item.remote_id)) is not None:
                raise BadResponse(f"{path} lists a contact as deleted that is still there")
        held = page.total if page.total is not None else len(page.items)
        return f"{path} answers and lists {held} deleted contacts."
    raise Rejected(f"this account shows no list of deleted contacts ({'; '.join(refusals)})")


def _prove_restore(connector: ConcordConnector, trash: Trash) -> str:
    """A contact of our own is created, deleted, restored, seen again, and deleted for good measure."""
    _prove_trash(connector, trash)
    with _disposable(connector, {}) as identity:
        connector.push(Change(Operation.DELETE, Kind.CONTACT, identity))
        if connector.get(identity) is not None:
            raise BadResponse("a contact that was deleted is still there")
        try:
            trash.restore(identity.remote_id)
        except Gone as error:
            raise Rejected("this account does not restore contacts") from error
        if connector.get(identity) is None:
            raise BadResponse("it said that it restored a contact, which is still gone")
    return f"Contact {identity.remote_id} was created, deleted, restored and deleted again."


def _prove_partial_update(connector: ConcordConnector, client: ConcordClient) -> str:
    """A contact of our own with a value in every kind of field keeps them when only its name is updated."""
    values = {
        "phones": [{"value": "000 000 0000", "type": ""}],
        "addresses": [{"city": "Disposable"}],
        "tags": ["disposable"],
        "custom_fields": {JOB_TITLE: "Disposable"},
    }
    with _disposable(connector, values) as identity:
        before = connector.get(identity)
        client.update(identity.remote_id, {"first_name": _DISPOSABLE})
        after = connector.get(identity)
        if before is None or after is None:
            raise BadResponse("a contact that was just created is not there")
        held, kept = canonical(before, list(values)), canonical(after, list(values))
        lost = [name for name in values if not held[name] or kept[name] != held[name]]
        if lost:
            raise Rejected(f"an update that named only the name also changed {', '.join(lost)}")
    return f"Contact {identity.remote_id} kept its other fields when only its name was updated."


@contextmanager
def _disposable(connector: ConcordConnector, values: Mapping[str, Any]) -> Iterator[Identity]:
    """A contact of our own, deleted at the end whatever happens."""
    values = {"name": _DISPOSABLE, **values}
    identity = connector.push(Change(Operation.CREATE, Kind.CONTACT, None, values=values)).identity
    if identity is None:
        raise BadResponse("it created a contact and did not name it")
    try:
        yield identity
    finally:
        with suppress(RemoteError):
            connector.push(Change(Operation.DELETE, Kind.CONTACT, identity))


def probe(client: ConcordClient, reader: Reader) -> list[Finding]:
    """What no general check looks at, by reads only; what one look finds out never stops the next."""
    looks: tuple[tuple[str, str, Callable[[], tuple[bool | None, str]]], ...] = (
        ("sorts_by_update", "Sorts by update", lambda: _order(client, reader.cut)),
        ("rate", "Tells its request limit", lambda: _rate(client)),
        ("search", "Search without pages", lambda: _search(client)),
    )
    findings = []
    for key, label, look in looks:
        try:
            ok, words = look()
        except (RemoteError, ValueError) as error:
            ok, words = False, str(error)
        findings.append(Finding(key, label, ok, words))
    return findings


def _order(client: ConcordClient, cut: Callable[[bytes], Listed]) -> tuple[bool | None, str]:
    newest = cut(client.contacts(Query(order="updated_at", descending=True), 1, PAGE_SIZE))
    if len(newest.items) < 2:
        return None, "There are too few contacts to tell."
    if None in updated(newest.items):
        return False, "Contacts do not tell when they were updated; each pull reads all of them."
    if not is_newer(newest, cut(client.contacts(Query(order="updated_at"), 1, 1))):
        return False, "The list is not sorted by update; each pull reads all of it."
    return True, "A pull reads only what changed."


def _rate(client: ConcordClient) -> tuple[bool | None, str]:
    headers = client.peek(Query()).headers
    limit, left = headers.get("X-RateLimit-Limit"), headers.get("X-RateLimit-Remaining")
    if not limit:
        return None, "No limit is told."
    return True, f"{limit} requests a minute; {left or 'an unknown number'} were left."


def _search(client: ConcordClient) -> tuple[bool | None, str]:
    page = split_page(client.search(Query(q="a"), take=2).data)
    return len(page.items) <= 2, f"{len(page.items)} contacts came when at most 2 were asked for."
