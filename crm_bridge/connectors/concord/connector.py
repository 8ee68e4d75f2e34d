"""Concord CRM as a connector: client, payloads and mapping glued together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, ClassVar, TypeVar

from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Forbidden,
    Gone,
    OutcomeUnknown,
    Rejected,
)
from backoffice.remote.session import Answer, RemoteSession
from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.base import Account, Capabilities, CredentialField, Finding, Stream
from crm_bridge.connectors.concord import mapping, payloads, trials
from crm_bridge.connectors.concord.abilities import CAPABILITIES, CREDENTIAL_FIELDS
from crm_bridge.connectors.concord.changes import Inexpressible, to_associations, to_create, to_update
from crm_bridge.connectors.concord.client import PAGE_SIZE, TRASH_STYLES, Access, ConcordClient, Query
from crm_bridge.connectors.concord.mapping import Names
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
)

T = TypeVar("T")
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
        self._names = Names(
            *(options.get(key) or {} for key in ("users", "sources", "countries", "custom_fields"))
        )
        self._trash_style = ""
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

    def close(self) -> None:
        """Give back sockets."""
        self._session.close()

    # Reading

    def check(self) -> str:
        """Reads one contact of the list."""
        try:
            page = self._cut(self._client.contacts(Query(), per_page=1))
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
            return [ListWalk(self._trashed, self._cut, mapping.to_deletion, self._names)]
        if stream is not Stream.CONTACTS:
            raise ValueError(f"Concord has no stream {stream.value!r}.")
        if since is None:
            query = Query(order="created_at")
            return [
                ListWalk(
                    lambda page: client.contacts(query, page, size), self._cut, mapping.to_record, self._names
                )
            ]
        newest, oldest = Query(order="updated_at", descending=True), Query(order="updated_at")
        return [
            NewestWalk(
                lambda page: client.contacts(newest, page, size),
                lambda: client.contacts(oldest, 1, 1),
                self._cut,
                mapping.to_record,
                self._names,
                since,
            )
        ]

    def get(self, identity: Identity) -> ContactRecord | None:
        """One live contact by its id; None on a 404 with a message, which is the only proof."""
        try:
            return self._record(self._read(identity.remote_id))
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
            listed = self._cut(self._client.contacts(query, page, self._page_size))
            records = [self._record(item) for item in listed.items]
            fresh = [record for record in records if record.identity not in found]
            found |= {record.identity: record for record in fresh}
            if not fresh or listed.more is False:
                break
        else:
            raise self._bad("it was asked for one contact and answered with very many")
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
        return [self._record(item) for item in self._split(payloads.split_page, answer.data).items]

    def panel(self, identity: Identity, key: str, page: int = 1) -> Panel:
        """The companies, deals or activities of a contact; they come in one page."""
        item = self._read(identity.remote_id)
        try:
            entries = mapping.to_entries(item.raw, key)
        except Unreadable as error:
            raise self._bad(f"its {key} cannot be read: {error}") from error
        if entries is None:
            raise self._bad(f"it does not show the {key} of a contact")
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
            with self._single():
                answer = self._client.create(body)
            item = self._written(answer, change.operation)
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
        with self._single():
            answer = self._client.delete(number)
        if answer.status not in (200, 204):
            raise self._unclear(answer, change.operation, "it does not say whether it was deleted")
        return PushResult(change.identity)

    def _update(self, change: Change, number: str) -> PushResult:
        """Read, change, write: a first name is required, and what is left out may be cleared."""
        to_update(change, _BLANK, self._names)  # what cannot be said at all needs no reading
        item = self._read(number)
        try:
            body = to_update(change, item, self._names)
        except Unreadable as error:
            raise self._bad(f"the contact as it is now cannot be read: {error}") from error
        with self._single():
            answer = self._client.update(number, body)
        if self._written(answer, change.operation).remote_id != number:
            raise self._unclear(answer, change.operation, "it names another contact than the one asked for")
        return PushResult(change.identity)

    def _relate(self, change: Change, number: str) -> PushResult:
        """Attach, detach or replace; a detach is looked at again, for its body may get lost on the way."""
        relation, ids = to_associations(change)
        send = {
            RelationAction.ATTACH: self._client.attach,
            RelationAction.DETACH: self._client.detach,
            RelationAction.REPLACE: self._client.sync,
        }[relation.action]
        with self._single():
            answer = send(number, ids)
        if answer.status not in (200, 201, 204):
            raise self._unclear(answer, change.operation, "it does not say whether it was applied")
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
            entries = mapping.to_entries(self._read(number).raw, pool)
        except (Gone, BadResponse, Unreadable):
            return False
        return bool({entry.ref for entry in entries or ()} & {str(each) for each in ids[pool]})

    def push_bulk(self, changes: Sequence[Change]) -> list[PushResult]:
        """Concord creates one at a time."""
        raise ValueError("Concord has no bulk create.")

    def restore(self, identity: Identity) -> PushResult:
        """Bring a deleted contact back, where that was proven on the account. Raises Gone."""
        number = usable_id(identity.remote_id)
        if not number:
            raise Rejected("it is not said which contact is meant", connection=self._session.label)
        for style in self._styles():
            try:
                with self._single():
                    answer = self._client.restore(style, number)
            except (Gone, Rejected) as error:
                if error.status not in (404, 405) or style == self._styles()[-1]:
                    raise
                continue
            if answer.status not in (200, 204):
                raise self._unclear(answer, "restore", "it does not say whether it was restored")
            return PushResult(identity)
        raise AssertionError("unreachable")

    # What only some accounts have

    def prove(self, feature: str) -> str:
        """Try a feature on this account. Raises Rejected or BadResponse where it does not have it."""
        return trials.prove(self, feature)

    def probe(self) -> list[Finding]:
        """Look, without changing anything, at what this account allows."""
        return trials.probe(self._client, self._cut)

    def trash_page(self, style: str, per_page: int) -> payloads.Listed:
        """The first page of the trash in one of its styles."""
        return self._cut(self._client.trashed(style, 1, per_page))

    def settle_on(self, style: str) -> None:
        """Ask for the trash in this style from now on."""
        self._trash_style = style

    def _styles(self) -> list[str]:
        """The style that has answered; before one has, all of them."""
        return [self._trash_style] if self._trash_style else list(TRASH_STYLES)

    def _trashed(self, page: int) -> bytes:
        """One page of the trash, in whichever style the account answers."""
        for style in self._styles():
            try:
                body = self._client.trashed(style, page, self._page_size)
            except Rejected as error:
                if error.status not in (404, 405) or style == self._styles()[-1]:
                    raise
                continue
            self.settle_on(style)
            return body
        raise AssertionError("unreachable")

    # Reading answers

    def _read(self, number: str) -> RawItem:
        """One contact as it is now. Raises Gone where the vendor proves that there is none."""
        number = usable_id(number)
        if not number:
            raise Gone("no contact can have this id", connection=self._session.label)
        with self._single():
            answer = self._client.contact(number)
        item = self._split(payloads.split_one, answer.data)
        if item.remote_id != number:
            raise self._bad("it was asked for one contact and answered with another")
        return item

    @contextmanager
    def _single(self) -> Iterator[None]:
        """Around a call about one contact: what its 404 and its 403 really say."""
        try:
            yield
        except Gone as error:
            if not proves_absence(error):
                raise Rejected(
                    "it answers that there is no such address; check the base URL",
                    connection=error.connection,
                    operation=error.operation,
                    status=error.status,
                    excerpt=error.excerpt,
                    words=error.words,
                ) from error
            raise
        except ConnectionBroken as error:
            if error.status != 403:
                raise
            self._client.peek(Query())  # raises the same when this token may see nothing at all
            raise Forbidden(
                "this token may not see or change this contact",
                connection=error.connection,
                operation=error.operation,
                status=error.status,
                words=error.words,
            ) from error

    def _cut(self, body: bytes) -> payloads.Listed:
        """The elements of a list answer. Raises BadResponse."""
        data = self._session.parse(body, operation="read list")
        return self._split(payloads.split_page, data, body[:1000].decode("utf-8", "replace"))

    def _split(self, split: Callable[[Any], T], data: Any, excerpt: str = "") -> T:
        try:
            return split(data)
        except ValueError as error:
            raise self._bad(f"its answer is not what was asked for: {error}", excerpt) from error

    def _record(self, item: RawItem) -> ContactRecord:
        try:
            return mapping.to_record(item, self._names)
        except Unreadable as error:
            raise self._bad(f"a contact in its answer cannot be read: {error}") from error

    def _written(self, answer: Answer, operation: str) -> RawItem:
        """The contact that a write answers with: 200 or 201 and an id, else nothing is sure."""
        if answer.status in (200, 201):
            try:
                return payloads.split_one(answer.data)
            except ValueError as error:
                raise self._unclear(answer, operation, str(error)) from error
        raise self._unclear(answer, operation, "it does not say whether it was applied")

    def _bad(self, reason: str, excerpt: str = "") -> BadResponse:
        label = self._session.label
        return BadResponse(reason, connection=label, operation="read contact", excerpt=excerpt)

    def _unclear(self, answer: Answer, operation: str, reason: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"its answer is unclear: {reason}; so this may or may not be applied",
            connection=self._session.label,
            operation=operation,
            status=answer.status,
        )


_BLANK = RawItem(payloads.FAMILY, "1", {"first_name": "-"})


def proves_absence(error: Gone) -> bool:
    """Whether a 404 speaks of the contact: JSON with a message that is not about the route.

    This is the whole list of answers that mean "gone"; a proxy's page and a wrong address are not on it.
    """
    spoken = error.excerpt.lstrip().startswith("{") and '"message"' in error.excerpt
    return error.status == 404 and spoken and "route" not in error.words.casefold()


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
