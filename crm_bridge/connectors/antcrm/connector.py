"""AntCRM as a connector: client, payloads and mapping glued together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from backoffice.remote.auth import HeaderToken
from backoffice.remote.errors import BadResponse, ConnectionBroken, OutcomeUnknown, Rejected
from backoffice.remote.session import Answer, RemoteSession
from backoffice.remote.walk import Position, RawItem, RawPage, Unreadable
from crm_bridge.connectors.antcrm import mapping, payloads
from crm_bridge.connectors.antcrm.changes import (
    Inexpressible,
    canonical_sent,
    contact_type_of,
    to_create,
    to_delete,
    to_edit,
)
from crm_bridge.connectors.antcrm.client import BASE_URL, PACKAGE_SIZE, PAGE_SIZE, AntCrmClient, Filters
from crm_bridge.connectors.antcrm.mapping import Names
from crm_bridge.connectors.base import (
    Account,
    Capabilities,
    Changes,
    CredentialField,
    Deletions,
    Merges,
    Stream,
)
from crm_bridge.phones import digits
from crm_bridge.records import (
    EDITABLE_FIELDS,
    Change,
    ContactRecord,
    Identity,
    Kind,
    Operation,
    PushResult,
    canonical,
)

#: A look-up by phone or e-mail that finds more pages than this is not a look-up.
_LOOKUP_PAGES = 10
#: What tells one new contact from another when a bulk answer is checked.
_TELLING_FIELDS = ("name", "phones", "emails")


@dataclass(frozen=True, slots=True)
class _ListWalk:
    """One list of AntCRM from page 1 to an empty page."""

    key: str
    family: str
    load: Callable[[int], bytes]
    map: Callable[[RawItem, Names], Any]
    names: Names
    session: RemoteSession
    numbered: bool = True
    first: Position = 1
    empty_pages_at_end: int = 2

    def fetch(self, position: Position) -> bytes:
        """One page as bytes."""
        return self.load(int(position))

    def split(self, body: bytes) -> RawPage:
        """Its elements. Raises BadResponse on another shape."""
        return split_page(self.session, body, self.family)

    def read(self, item: RawItem) -> Any:
        """One element as a record. Raises Unreadable."""
        return self.map(item, self.names)


class AntCrmConnector:
    """One AntCRM account; `session_parts` go to its RemoteSession (limiter, breaker, …)."""

    kind: ClassVar[str] = "antcrm"
    label: ClassVar[str] = "AntCRM"
    default_base_url: ClassVar[str] = BASE_URL
    host_suffixes: ClassVar[tuple[str, ...]] = ()
    mapping_version: ClassVar[int] = 1
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField("api_key", "API key", help="The secret that AntBuddy gave for the apikey header."),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        streams=(Stream.CONTACTS, Stream.DELETED, Stream.MERGED),
        changes=Changes.BY_DAY,
        deletions=Deletions.LISTED,
        merges=Merges.LISTED,
        kinds=(Kind.LEAD, Kind.CONTACT, Kind.ACCOUNT),
        creatable=frozenset({*EDITABLE_FIELDS, "group"}),
        writable=frozenset(EDITABLE_FIELDS),
        page_size=PAGE_SIZE,
        bulk_create=PACKAGE_SIZE,
        own_key=True,
        unproven={
            "page size": "more than 20 per page is not asked for",
            "order of lists": "none is assumed",
            "time without zone": "read as Vietnamese time",
            "lists on edit": "sent whole, for they may be replaced",
            "clearing": "a text is cleared by sending it empty",
            "source lead": "taken as the former lead only when it bears the contact's name",
            "our code": "neither shown nor searchable; its uniqueness is not relied on",
            "not found": "no answer is known to mean it; only an empty list proves absence",
        },
    )

    def __init__(self, account: Account, **session_parts: Any) -> None:
        options = account.options
        self._page_size = int(options.get("page_size") or PAGE_SIZE)
        self._names = Names(options.get("staff_emails") or {}, options.get("custom_field_names") or {})
        try:
            self._session = RemoteSession(
                account.base_url,
                HeaderToken("apikey", account.credentials.get("api_key", "")),
                label=account.label,
                parallel=account.parallel_requests,
                **session_parts,
            )
        except ValueError as error:  # an address or a key that cannot be used at all
            raise ConnectionBroken(str(error), connection=account.label, operation="connect") from error
        self._client = AntCrmClient(self._session)

    def close(self) -> None:
        """Give back sockets."""
        self._session.close()

    # Reading

    def check(self) -> str:
        """Reads one page of contacts."""
        page = split_page(self._session, self._client.contacts(Filters(), limit=1), "")
        seen = "it shows contacts" if page.items else "it shows no contacts yet"
        return f"{self._session.label} accepts the key; {seen}."

    def walks(self, stream: Stream, *, since: date | None = None) -> Sequence[_ListWalk]:
        """Leads and customers apart, as their ids are; merged ones in a single list."""
        size, client = self._page_size, self._client
        if stream is Stream.MERGED:
            return [self._walk("merged", "", lambda page: client.merged(page, size), mapping.to_merge)]

        def contacts(family: str) -> _ListWalk:
            filters = Filters(contact_type=family, updated_from=since)
            return self._walk(
                family, family, lambda page: client.contacts(filters, page, size), mapping.to_record
            )

        def deleted(family: str) -> _ListWalk:
            return self._walk(
                family,
                family,
                lambda page: client.deleted(page, size, contact_type=family),
                mapping.to_deletion,
            )

        one = contacts if stream is Stream.CONTACTS else deleted
        return [one(family) for family in payloads.ID_KEYS]

    def _walk(
        self, key: str, family: str, load: Callable[[int], bytes], map: Callable[[RawItem, Names], Any]
    ) -> _ListWalk:
        return _ListWalk(key, family, load, map, self._names, self._session)

    def get(self, identity: Identity) -> ContactRecord | None:
        """One live contact by its id; None when the vendor lists nobody under it."""
        filters = (
            Filters(lead_id=identity.remote_id)
            if identity.family == payloads.LEAD
            else Filters(customer_id=identity.remote_id)
        )
        records = self._records(self._client.contacts(filters), identity.family)
        found = next((r for r in records if identity in (r.identity, *r.aliases)), None)
        if records and found is None:
            raise self._ignored("id")
        return found

    def find(
        self,
        *,
        phone: str = "",
        email: str = "",
        kind: Kind | None = None,
        created_from: date | None = None,
        created_to: date | None = None,
    ) -> list[ContactRecord]:
        """Live contacts with this phone or e-mail, as AntCRM's own filter matches."""
        if not (phone or email):
            raise ValueError("A look-up needs a phone number or an e-mail address.")
        contact_type = contact_type_of(kind) if kind else ""
        filters = Filters(
            contact_type=contact_type,
            type="1" if kind is Kind.ACCOUNT else "0" if kind is Kind.CONTACT else "",
            phone=phone,
            email=email,
            created_from=created_from,
            created_to=created_to,
        )
        found: dict[Identity, ContactRecord] = {}
        for page in range(1, _LOOKUP_PAGES + 1):
            records = self._records(self._client.contacts(filters, page), contact_type)
            fresh = [record for record in records if record.identity not in found]
            found.update((record.identity, record) for record in fresh)
            if not fresh:
                break
        for record in found.values():
            if (phone and not _has_phone(record, phone)) or (email and not _has_email(record, email)):
                raise self._ignored("phone" if phone else "e-mail")
        return list(found.values())

    def _records(self, body: bytes, family: str) -> list[ContactRecord]:
        try:
            items = split_page(self._session, body, family).items
            return [mapping.to_record(item, self._names) for item in items]
        except Unreadable as error:
            raise self._bad(f"a contact in its answer cannot be read: {error}") from error

    def _ignored(self, what: str) -> BadResponse:
        return self._bad(f"it was asked for one {what} and answered with other contacts")

    def _bad(self, reason: str) -> BadResponse:
        return BadResponse(reason, connection=self._session.label, operation="look up contact")

    # Writing

    def push(self, change: Change) -> PushResult:
        """Sends one change; returns only on AntCRM's clear yes."""
        try:
            if change.operation is Operation.CREATE:
                family = contact_type_of(change.kind)
                answer = self._client.create(to_create(change))
                return self._settled(answer, change, family, must_name_it=True)
            if change.operation is Operation.EDIT:
                answer = self._client.edit(to_edit(change))
            else:
                answer = self._client.delete(to_delete(change))
        except Inexpressible as error:
            raise Rejected(str(error), connection=self._session.label, operation=change.operation) from error
        family = change.identity.family if change.identity else contact_type_of(change.kind)
        return self._settled(answer, change, family, must_name_it=False)

    def _settled(self, answer: Answer, change: Change, family: str, *, must_name_it: bool) -> PushResult:
        """Success is HTTP 200 with success 1 and, if it names an id, the right one."""
        self._require_success(answer, change.operation)
        ids = payloads.written_ids(answer.data, family) or []
        if must_name_it and len(ids) != 1:
            raise self._unclear(answer, change.operation, "it says yes but names no id")
        if ids and change.identity and ids != [change.identity.remote_id]:
            raise self._unclear(answer, change.operation, "it names another contact than the one asked for")
        return PushResult(Identity(family, ids[0]) if ids else change.identity)

    def push_bulk(self, changes: Sequence[Change]) -> list[PushResult]:
        """Creates up to 100 contacts of one family and proves which id belongs to which.

        The answer is a bare list of ids, so each id is read back and compared; any doubt,
        a refusal included, makes all of them unknown.
        """
        families = {contact_type_of(change.kind) for change in changes}
        if not 1 <= len(changes) <= PACKAGE_SIZE or len(families) != 1:
            raise ValueError(f"Bulk create takes 1 to {PACKAGE_SIZE} contacts of one family.")
        if any(change.operation is not Operation.CREATE for change in changes):
            raise ValueError("Bulk create takes creates only.")
        family = families.pop()
        try:
            bodies = payloads.build_package([to_create(change) for change in changes])
        except ValueError as error:
            raise Rejected(str(error), connection=self._session.label, operation="bulk create") from error
        try:
            answer = self._client.create_package(bodies)
            self._require_success(answer, "bulk create")
        except Rejected as error:
            raise OutcomeUnknown(
                "it refused the batch, of which a part may have been applied",
                connection=self._session.label,
                operation="bulk create",
                status=error.status,
                words=error.words,
            ) from error
        ids = payloads.written_ids(answer.data, family) or []
        if len(ids) != len(changes) or len(set(ids)) != len(ids):
            raise self._unclear(answer, "bulk create", f"{len(changes)} sent, {len(ids)} ids answered")
        for number, change in zip(ids, changes, strict=True):
            if not self._is_this(Identity(family, number), change):
                raise self._unclear(answer, "bulk create", "its ids cannot be matched to what was sent")
        return [PushResult(Identity(family, number)) for number in ids]

    def _is_this(self, identity: Identity, change: Change) -> bool:
        """Whether the contact with this id is the one a create asked for."""
        record = self.get(identity)
        if record is None:
            return False
        telling = {name: change.values[name] for name in _TELLING_FIELDS if change.values.get(name)}
        return record.kind is change.kind and canonical(record, list(telling)) == canonical_sent(telling)

    def _require_success(self, answer: Answer, operation: str) -> None:
        said = None
        if answer.status == 200 and isinstance(answer.data, dict):
            said = payloads.said_success(answer.data.get("success"))
        if said is None:
            raise self._unclear(answer, operation, "it does not say whether it was applied")
        if not said:
            raise Rejected(
                "it refused this",
                connection=self._session.label,
                operation=operation,
                status=answer.status,
                words=str(answer.data.get("message") or ""),
            )

    def _unclear(self, answer: Answer, operation: str, reason: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"its answer is unclear: {reason}; so this may or may not be applied",
            connection=self._session.label,
            operation=operation,
            status=answer.status,
        )


def split_page(session: RemoteSession, body: bytes, family: str) -> RawPage:
    """The elements of a list answer. Raises BadResponse."""
    data = session.parse(body, operation="read list")
    try:
        return payloads.split_page(data, family)
    except ValueError as error:
        raise BadResponse(
            f"its answer is no list of contacts: {error}",
            connection=session.label,
            operation="read list",
            excerpt=body[:1000].decode("utf-8", "replace"),
        ) from error


def _has_phone(record: ContactRecord, phone: str) -> bool:
    wanted = _national(phone)
    return any(wanted in _national(each.value) for each in record.phones)


def _national(phone: str) -> str:
    """Digits without country code or leading zero, so that all ways of writing compare."""
    found = digits(phone)
    for prefix in ("0084", "84", "0"):
        if found.startswith(prefix) and len(found) > 8:
            return found[len(prefix) :].removeprefix("0")
    return found or phone.strip()


def _has_email(record: ContactRecord, email: str) -> bool:
    wanted = email.strip().casefold()
    return any(wanted in each.value.casefold() for each in record.emails)
