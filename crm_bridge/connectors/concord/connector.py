"""Concord CRM as a connector: client, payloads and mapping glued together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, ClassVar

from backoffice.remote.errors import BadResponse, ConnectionBroken, Gone, Rejected, RetryLater
from backoffice.remote.session import RemoteSession
from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.base import Account, Capabilities, CredentialField, Finding, Stream
from crm_bridge.connectors.concord import mapping, payloads, trials
from crm_bridge.connectors.concord.abilities import CAPABILITIES, CREDENTIAL_FIELDS, PARTIAL_UPDATE
from crm_bridge.connectors.concord.changes import Inexpressible, to_associations, to_create, to_update
from crm_bridge.connectors.concord.client import PAGE_SIZE, Access, ConcordClient, Query
from crm_bridge.connectors.concord.mapping import Names
from crm_bridge.connectors.concord.reading import Reader
from crm_bridge.connectors.concord.trash import Trash
from crm_bridge.connectors.concord.walks import ListWalk, NewestWalk
from crm_bridge.connectors.wires import usable_id
from crm_bridge.phones import digits, to_e164
from crm_bridge.records import (
    Change,
    ContactRecord,
    Identity,
    Kind,
    Operation,
    Panel,
    PushResult,
    RelationAction,
    canonical,
)

#: A look-up by phone or e-mail that finds more pages than this is not a look-up.
_LOOKUP_PAGES = 10


class ConcordConnector:
    """One Concord account; `session_parts` go to its RemoteSession (limiter, breaker, …)."""

    kind: ClassVar[str] = "concord"
    label: ClassVar[str] = "Concord CRM"
    default_base_url: ClassVar[str] = ""
    """None: each customer has a host, and to guess one would show the token to a stranger."""
    host_suffixes: ClassVar[tuple[str, ...]] = ()
    mapping_version: ClassVar[int] = 1
    credential_fields: ClassVar[tuple[CredentialField, ...]] = CREDENTIAL_FIELDS
    capabilities: ClassVar[Capabilities] = CAPABILITIES

    def __init__(self, account: Account, **session_parts: Any) -> None:
        options = account.options
        self._page_size = int(options.get("page_size") or PAGE_SIZE)
        self._partial = PARTIAL_UPDATE in (options.get("features") or {})
        self._names = Names(
            *(options.get(key) or {} for key in ("users", "sources", "countries", "custom_fields"))
        )
        try:
            self._session = RemoteSession(
                account.base_url,
                Access(account.credentials.get("token", "")),
                label=account.label,
                parallel=account.parallel_requests,
                **session_parts,
            )
        except ValueError as error:  # an address or a token that cannot be used at all
            raise ConnectionBroken(str(error), connection=account.label, operation="connect") from error
        self._client = ConcordClient(self._session)
        self._reader = Reader(self._session, self._client, self._names)
        self._trash = Trash(self._client, self._reader)

    def close(self) -> None:
        """Give back sockets."""
        self._session.close()

    # Reading

    def check(self) -> str:
        """Reads one contact of the list."""
        try:
            page = self._reader.cut(self._client.contacts(Query(), per_page=1))
        except Rejected as error:
            if error.status == 404:
                raise ConnectionBroken(
                    "there are no contacts at this address; it usually ends in /api",
                    connection=self._session.label,
                    operation="check",
                    status=404,
                ) from error
            raise
        seen = f"it shows {page.total:,} contacts" if page.total else "it shows contacts"
        seen = seen if page.items else "it shows no contacts yet"
        return f"{self._session.label} accepts the token; {seen}."

    def walks(self, stream: Stream, *, since: date | None = None) -> Sequence[ListWalk | NewestWalk]:
        """The whole list in order of creation, or its newest part; the trash where it was proven."""
        client, size = self._client, self._page_size
        if stream is Stream.DELETED:
            trash = self._trash
            return [
                ListWalk(
                    lambda page: trash.page(page, size), self._reader.cut, mapping.to_deletion, self._names
                )
            ]
        if stream is not Stream.CONTACTS:
            raise ValueError(f"Concord has no stream {stream.value!r}.")

        def in_order(page: int) -> bytes:
            return client.contacts(Query(order="created_at"), page, size)

        if since is None:
            return [ListWalk(in_order, self._reader.cut, mapping.to_record, self._names)]
        newest, oldest = Query(order="updated_at", descending=True), Query(order="updated_at")
        return [
            NewestWalk(
                load=lambda page: client.contacts(newest, page, size),
                oldest=lambda: client.contacts(oldest, 1, 1),
                plain=in_order,
                cut=self._reader.cut,
                map=mapping.to_record,
                names=self._names,
                since=since,
            )
        ]

    def get(self, identity: Identity) -> ContactRecord | None:
        """One live contact by its id; None on a 404 with a message, which is the only proof."""
        try:
            return self._reader.record(self._reader.read(identity.remote_id))
        except Gone:
            return None

    def find(
        self,
        *,
        phone: str = "",
        email: str = "",
        kind: Kind | None = None,
        created_from: date | None = None,
        created_to: date | None = None,
    ) -> list[ContactRecord]:
        """Live contacts with exactly this phone or e-mail, as Concord's own search matches."""
        if not (phone or email):
            raise ValueError("A look-up needs a phone number or an e-mail address.")
        if kind not in (None, Kind.CONTACT):
            return []
        field = "phones.number" if phone else "email"
        query = Query(q=phone or email, search_fields={field: "="})
        found: dict[Identity, ContactRecord] = {}
        for page in range(1, _LOOKUP_PAGES + 1):
            listed = self._reader.cut(self._client.contacts(query, page, self._page_size))
            records = [self._reader.record(item) for item in listed.items]
            fresh = [record for record in records if record.identity not in found]
            found |= {record.identity: record for record in fresh}
            if not fresh or listed.more is False:
                break
        else:
            raise self._reader.bad("it was asked for one contact and answered with very many")
        # an account that ignores the search fields answers with more than was asked for
        return [
            record
            for record in found.values()
            if (not phone or _has_phone(record, phone))
            and (not email or _has_email(record, email))
            and _created_within(record, created_from, created_to)
        ]

    def search(self, text: str, *, take: int = 20) -> list[ContactRecord]:
        """What Concord's own search finds for a text; hits may be incomplete, so never mirror them."""
        answer = self._client.search(Query(q=text), take)
        return [
            self._reader.record(item) for item in self._reader.split(payloads.split_page, answer.data).items
        ]

    def panel(self, identity: Identity, key: str, page: int = 1) -> Panel:
        """The companies, deals or activities of a contact; they come in one page."""
        item = self._reader.read(identity.remote_id)
        try:
            entries = mapping.to_entries(item.raw, key)
        except Unreadable as error:
            raise self._reader.bad(f"its {key} cannot be read: {error}") from error
        if entries is None:
            raise self._reader.bad(f"it does not show the {key} of a contact")
        return Panel(key, entries)

    # Writing

    def push(self, change: Change) -> PushResult:
        """Sends one change; returns only on Concord's clear yes."""
        try:
            return self._pushed(change)
        except Inexpressible as error:
            raise Rejected(str(error), connection=self._session.label, operation=change.operation) from error

    def _pushed(self, change: Change) -> PushResult:
        if change.operation is Operation.CREATE:
            body = to_create(change, self._names)
            with self._reader.single():
                answer = self._client.create(body)
            item = self._reader.written(answer, change.operation)
            return PushResult(Identity(payloads.FAMILY, item.remote_id))
        number = usable_id(change.identity.remote_id) if change.identity else ""
        if not number:
            raise Inexpressible("it is not said which contact is meant")
        if change.operation is Operation.EDIT:
            return self._update(change, number)
        if change.operation is Operation.RELATE:
            return self._relate(change, number)
        if change.operation is not Operation.DELETE:
            raise Inexpressible(f"Concord cannot {change.operation.value} contacts")
        with self._reader.single():
            answer = self._client.delete(number)
        if answer.status not in (200, 204):
            raise self._reader.unclear(answer, change.operation, "it does not say whether it was deleted")
        return PushResult(change.identity)

    def _update(self, change: Change, number: str) -> PushResult:
        """Read, change, write: a first name is required, and what is left out may be cleared."""
        to_update(change, _BLANK, self._names)  # what cannot be said at all needs no reading
        item = self._reader.read(number)
        now = canonical(self._reader.record(item), list(change.values))
        if any(now[name] != change.before.get(name, now[name]) for name in now):
            raise RetryLater(
                "it was changed there while this was being sent, so both are merged anew",
                connection=self._session.label,
                operation=change.operation,
            )
        body = to_update(change, item, self._names, partial=self._partial)
        with self._reader.single():
            answer = self._client.update(number, body)
        if self._reader.written(answer, change.operation).remote_id != number:
            raise self._reader.unclear(
                answer, change.operation, "it names another contact than the one asked for"
            )
        return PushResult(change.identity)

    def _relate(self, change: Change, number: str) -> PushResult:
        """Attach, detach or replace; a detach is looked at again, for its body may get lost on the way."""
        relation, ids = to_associations(change)
        send = {
            RelationAction.ATTACH: self._client.attach,
            RelationAction.DETACH: self._client.detach,
            RelationAction.REPLACE: self._client.sync,
        }[relation.action]
        with self._reader.single():
            answer = send(number, ids)
        if answer.status not in (200, 201, 204):
            raise self._reader.unclear(answer, change.operation, "it does not say whether it was applied")
        if relation.action is RelationAction.DETACH and self._still_holds(number, relation.panel, ids):
            raise Rejected(
                "it said yes and still holds them: something on the way drops the body of such a call; "
                "replace the whole list instead",
                connection=self._session.label,
                operation=change.operation,
            )
        return PushResult(change.identity)

    def _still_holds(self, number: str, pool: str, ids: dict[str, list[int]]) -> bool:
        """Whether any of these is still associated; where contacts do not show it, the yes has to do."""
        try:
            entries = mapping.to_entries(self._reader.read(number).raw, pool)
        except (Gone, BadResponse, Unreadable):
            return False
        return bool({entry.ref for entry in entries or ()} & {str(each) for each in ids[pool]})

    def push_bulk(self, changes: Sequence[Change]) -> list[PushResult]:
        """Concord creates one at a time."""
        raise ValueError("Concord has no bulk create.")

    # What only some accounts have

    def restore(self, identity: Identity) -> PushResult:
        """Bring a deleted contact back, where that was proven on the account. Raises Gone."""
        self._trash.restore(identity.remote_id)
        return PushResult(identity)

    def prove(self, feature: str) -> str:
        """Try a feature on this account. Raises Rejected or BadResponse where it does not have it."""
        return trials.prove(feature, self, self._client, self._trash)

    def probe(self) -> list[Finding]:
        """Look, without changing anything, at what this account allows."""
        return trials.probe(self._client, self._reader)


_BLANK = RawItem(payloads.FAMILY, "1", {"first_name": "-"})


def _has_phone(record: ContactRecord, phone: str) -> bool:
    wanted = to_e164(phone) or digits(phone) or phone.strip()
    return any(wanted in (each.e164, digits(each.value), each.value) for each in record.phones)


def _has_email(record: ContactRecord, email: str) -> bool:
    wanted = email.strip().casefold()
    return any(wanted == each.value.casefold() for each in record.emails)


def _created_within(record: ContactRecord, first: date | None, last: date | None) -> bool:
    """By the day; a contact without a date may have been created whenever."""
    if record.created_at is None:
        return True
    day = record.created_at.date()
    return (first is None or day >= first) and (last is None or day <= last)
