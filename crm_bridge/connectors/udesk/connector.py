"""Udesk as a connector: client, payloads and mapping glued together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, ClassVar, NoReturn

from backoffice.remote.auth import process_tokens
from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Gone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RetryLater,
)
from backoffice.remote.session import Answer, RemoteSession
from backoffice.remote.signing import SignedQuery
from backoffice.remote.walk import RawPage, Unreadable
from crm_bridge.connectors.base import Account, Finding, Stream
from crm_bridge.connectors.udesk import changes, codes, history, imports, mapping, payloads, probing
from crm_bridge.connectors.udesk.capabilities import CAPABILITIES, CREDENTIALS, HISTORY
from crm_bridge.connectors.udesk.changes import Inexpressible
from crm_bridge.connectors.udesk.client import IMPORT_SIZE, UdeskClient
from crm_bridge.connectors.udesk.definitions import DefinitionsOf
from crm_bridge.connectors.udesk.lookups import has, spellings, strong_keys
from crm_bridge.connectors.udesk.payloads import CustomerWire
from crm_bridge.connectors.udesk.walk import ExportWalk
from crm_bridge.connectors.wires import parse_wire, usable_id
from crm_bridge.records import (
    Change,
    ContactRecord,
    FieldDefinition,
    Identity,
    Kind,
    Operation,
    Panel,
    PushResult,
)


class UdeskConnector:
    """One Udesk account; `session_parts` go to its RemoteSession (limiter, breaker, …)."""

    kind: ClassVar[str] = "udesk"
    label: ClassVar[str] = "Udesk"
    #: Each company has a host of its own, on more domains than one: there is no usual address.
    default_base_url: ClassVar[str] = ""
    host_suffixes: ClassVar[tuple[str, ...]] = ()
    mapping_version: ClassVar[int] = 1
    credential_fields = CREDENTIALS
    capabilities = CAPABILITIES

    def __init__(self, account: Account, **session_parts: Any) -> None:
        email, token = (account.credentials.get(name, "") for name in ("email", "api_token"))
        self._options = account.options
        try:
            self._session = RemoteSession(
                account.base_url,
                SignedQuery(email, token),
                label=account.label,
                parallel=account.parallel_requests,
                judge=codes.judge,
                renew_on=frozenset(),
                **session_parts,
            )
        except ValueError as error:  # an address or a credential that cannot be used at all
            raise ConnectionBroken(str(error), connection=account.label, operation="connect") from error
        self._client = UdeskClient(self._session)
        self._definitions = DefinitionsOf(self._client, account.base_url, email, token)
        self._turns = imports.ImportTurns(
            account.tokens or process_tokens("udesk import", account.base_url, email)
        )

    def close(self) -> None:
        """Give back sockets."""
        self._session.close()

    # Reading

    def check(self) -> str:
        """Reads one customer by a signed call."""
        total = self._total()
        seen = "it shows customers" if total is None else f"it holds {total:,} customers"
        return f"{self._session.label} accepts the signature; {seen}."

    def _total(self, **narrowed: Any) -> int | None:
        data = self._session.parse(self._client.customers(size=1, **narrowed), operation="list customers")
        page: RawPage = self._usable(payloads.split_list, data, "list customers")
        return page.total

    def walks(self, stream: Stream, *, since: date | None = None) -> Sequence[ExportWalk]:
        """One complete export; Udesk tells nothing of changes, so `since` narrows nothing."""
        if stream is not Stream.CONTACTS:
            raise ValueError(f"Udesk has no stream {stream.value!r}")
        filter_id, everybody = self._filter()
        return [ExportWalk(self._client, self._definitions.get(), filter_id, everybody)]

    def _filter(self) -> tuple[int | None, int | None]:
        """The saved filter of this connection, proven: a wrong one would export everybody."""
        number = usable_id(self._options.get("filter_id"))
        if not number:
            return None, None
        found = self._usable(payloads.elements, self._client.filters(), "list filters", "customer_filters")
        if not any(usable_id(each.get("id")) == number and each.get("active") for each in found):
            raise ConnectionBroken(
                f"its filter {number} does not exist or is not active; nothing was read",
                connection=self._session.label,
                operation="export customers",
            )
        everybody, chosen = self._total(), self._total(filter_id=int(number))
        if everybody is not None and chosen == everybody:
            everybody = None  # a filter that everybody fits
        return int(number), everybody

    def get(self, identity: Identity) -> ContactRecord | None:
        """One customer by its id; None on code 2005, the only proof of absence."""
        return self._found(("id", identity.remote_id), lambda record: record.identity == identity)

    def get_by_code(self, code: str) -> ContactRecord | None:
        """The customer whose external id is our code; None on code 2005."""
        return self._found(("token", code), lambda record: record.extra.get("external_id") == code)

    def find(
        self,
        *,
        phone: str = "",
        email: str = "",
        kind: Kind | None = None,
        created_from: date | None = None,
        created_to: date | None = None,
    ) -> list[ContactRecord]:
        """Customers with this e-mail or this phone, in each of its spellings; no dates are known."""
        if not (phone or email):
            raise ValueError("A look-up needs a phone number or an e-mail address.")
        keys = [("cellphone", text) for text in spellings(phone)] if phone else [("email", email)]
        found: dict[Identity, ContactRecord] = {}
        for key in keys:
            record = self._found(key, lambda each: has(each, phone, email))
            if record is not None:
                found[record.identity] = record
        if not found:  # a number may be stored with blanks of its own: the keyword search sees through some
            records = self._search(keys[-1][1])
            found = {record.identity: record for record in records if has(record, phone, email)}
        return list(found.values())

    def _search(self, words: str) -> list[ContactRecord]:
        data = self._session.parse(self._client.customers(query=words), operation="search customers")
        page: RawPage = self._usable(payloads.split_list, data, "search customers")
        return [self._record(item.raw) for item in page.items]

    def _found(self, key: tuple[str, str], fits: Callable[[ContactRecord], bool]) -> ContactRecord | None:
        raw = self._raw(key)
        if raw is None:
            return None
        record = self._record(raw)
        if not fits(record):
            raise self._bad(f"it was asked for one {key[0]} and answered with another customer")
        return record

    def _raw(self, key: tuple[str, str]) -> dict[str, Any] | None:
        try:
            data = self._client.customer(key)
        except Gone:
            return None
        raw: dict[str, Any] = self._usable(payloads.customer_of, data, "look up customer")
        return raw

    def _record(self, raw: dict[str, Any]) -> ContactRecord:
        needed = mapping.needs_definitions(raw)
        definitions = self._definitions.get() if needed else mapping.NO_DEFINITIONS
        try:
            return mapping.to_record(payloads.raw_item(raw), definitions)
        except Unreadable as error:
            raise self._bad(f"the customer in its answer cannot be read: {error}") from error

    def _usable(self, read: Callable[..., Any], data: Any, operation: str, *more: str) -> Any:
        try:
            return read(data, *more)
        except ValueError as error:
            raise self._bad(f"its answer cannot be used: {error}", operation) from error

    def _bad(self, reason: str, operation: str = "look up customer") -> BadResponse:
        return BadResponse(reason, connection=self._session.label, operation=operation)

    # Extras

    def field_definitions(self) -> list[FieldDefinition]:
        """Every custom field of the account."""
        return list(self._definitions.read().by_name.values())

    def panel(self, identity: Identity, key: str, page: int = 1) -> Panel:
        """One page of a customer's history. Its counts are not trusted: an empty page is the end."""
        if key != HISTORY:
            raise ValueError(f"Udesk has no panel {key!r}")
        data = self._client.feeds(("id", identity.remote_id), page)
        raws = self._usable(payloads.elements, data, "read history", "feeds")
        return Panel(key, history.to_entries(raws), page + 1 if raws else None)

    def probe(self) -> list[Finding]:
        """What this account allows, by reads alone."""
        return probing.findings(self._client)

    # Writing

    def push(self, change: Change) -> PushResult:
        """Sends one change; returns only on code 1000 about the right customer."""
        try:
            if change.operation is Operation.CREATE:
                return self._create(change)
            if change.operation is Operation.EDIT:
                return self._edit(change)
            if change.operation is Operation.DELETE:
                return self._delete(change)
            if change.operation is Operation.MERGE:
                return self._merge(change)
            raise Inexpressible("Udesk keeps no such links")
        except Inexpressible as error:
            self._refuse(str(error), change.operation)

    def _create(self, change: Change) -> PushResult:
        body = changes.to_create(change, self._needed(change))
        answer = self._client.create(body)
        number = self._answered(answer, change, "customer", "id")
        return PushResult(Identity(payloads.FAMILY, number))

    def _edit(self, change: Change) -> PushResult:
        key = changes.key_of(change)
        changes.to_update(change, None, mapping.NO_DEFINITIONS)  # what cannot be said is refused unasked
        present = self._present(key) if changes.NEEDS_PRESENT & change.values.keys() else None
        body = changes.to_update(change, present, self._needed(change))
        if not body:
            return PushResult(change.identity)
        answer = self._client.update(key, body)
        return self._same(change, self._answered(answer, change, "customer", "id"))

    def _delete(self, change: Change) -> PushResult:
        answer = self._client.destroy(changes.key_of(change))
        return self._same(change, self._answered(answer, change, "customer_id"))

    def _needed(self, change: Change) -> mapping.Definitions:
        needed = "custom_fields" in change.values
        return self._definitions.get() if needed else mapping.NO_DEFINITIONS

    def _present(self, key: tuple[str, str]) -> CustomerWire:
        """The customer as it is now: what stays is written with its ids. Raises Gone."""
        raw = self._usable(payloads.customer_of, self._client.customer(key), "look up customer")
        try:
            wire = parse_wire(CustomerWire, raw)
        except Unreadable as error:
            raise self._bad(f"the customer in its answer cannot be read: {error}") from error
        if key[0] == "id" and usable_id(wire.id) != key[1]:
            raise self._bad("it was asked for one id and answered with another customer")
        return wire

    def _merge(self, change: Change) -> PushResult:
        """The change's customer goes into the survivor. Neither can be named by its id."""
        loser_key = changes.key_of(change)
        survivor = usable_id(change.values.get("survivor"))
        if not survivor or loser_key == ("id", survivor):
            raise Inexpressible("a merge needs two different customers")
        loser = self._strong_key(loser_key)  # its absence is what Gone says: the change is about it
        try:
            into = self._strong_key(("id", survivor))
        except Gone as error:
            raise Inexpressible(
                f"customer {survivor}, which was to be kept, is not there any more"
            ) from error
        ends = payloads.build_merge(loser, into)
        answer = self._client.merge(ends, in_query=self._options.get("merge_as") == "query")
        number = self._answered(answer, change, "id")
        if number != survivor:
            raise self._unclear(answer, change.operation, "it names another customer than the one to be kept")
        return PushResult(Identity(payloads.FAMILY, survivor))

    def _strong_key(self, key: tuple[str, str]) -> tuple[str, str]:
        """A key by which merge finds this customer and nobody else, proven by a look-up."""
        wire = self._present(key)
        number = usable_id(wire.id)
        for name, content in strong_keys(wire):
            held = self._raw((name, content))
            if held is not None and usable_id(held.get("id")) == number:
                return name, content
        raise Inexpressible(
            f"customer {number} has no external id, e-mail, token or phone that names it alone, "
            "and Udesk does not merge by number"
        )

    def push_bulk(self, changes_: Sequence[Change]) -> list[PushResult]:
        """Imports up to 100 customers and looks each up by our code: the yes means received only.

        A result without identity is one that was not found in time: nothing is known of it. Raises
        RetryLater while another worker had the turn of this minute.
        """
        if not 1 <= len(changes_) <= IMPORT_SIZE:
            raise ValueError(f"Bulk create takes 1 to {IMPORT_SIZE} contacts.")
        if any(change.operation is not Operation.CREATE for change in changes_):
            raise ValueError("Bulk create takes creates only.")
        try:
            bodies = [changes.to_create(change, self._needed(change)) for change in changes_]
            items = [payloads.build_import_item(body) for body in bodies]
        except ValueError as error:
            self._refuse(str(error), "bulk create")
        try:
            self._turns.take()
        except RetryLater as error:
            error.connection, error.operation = self._session.label, "bulk create"
            raise
        try:
            self._client.import_customers(items)
        except RateLimited as error:  # of this interface alone: the others need not rest
            self._refused_turn(error)
        except Rejected as error:
            raise OutcomeUnknown(
                "it refused the import, of which a part may have been applied",
                connection=self._session.label,
                operation="bulk create",
                status=error.status,
                words=error.words,
            ) from error
        codes_ = [change.code for change in changes_]
        found = imports.reconcile(codes_, self.get_by_code)
        records = [found.get(code) for code in codes_]
        return [PushResult(each.identity if each else None, record=each) for each in records]

    def _refused_turn(self, error: RateLimited) -> NoReturn:
        later = RetryLater.in_seconds("it takes one import a minute; nothing was imported", error.after)
        later.connection, later.operation, later.status = error.connection, error.operation, error.status
        raise later from error

    def _answered(self, answer: Answer, change: Change, *path: str) -> str:
        """The customer's id in an answer of code 1000; without one nothing is known."""
        value: Any = answer.data
        said = codes.code_of(value)
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        number = usable_id(value)
        if said != codes.SUCCESS or not number:
            raise self._unclear(answer, change.operation, "it says yes but names no customer")
        return number

    def _same(self, change: Change, number: str) -> PushResult:
        if change.identity and change.identity.remote_id and change.identity.remote_id != number:
            raise OutcomeUnknown(
                "its answer is unclear: it names another customer than the one asked for",
                connection=self._session.label,
                operation=change.operation,
            )
        return PushResult(Identity(payloads.FAMILY, number))

    def _refuse(self, reason: str, operation: str) -> NoReturn:
        raise Rejected(reason, connection=self._session.label, operation=operation)

    def _unclear(self, answer: Answer, operation: str, reason: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"its answer is unclear: {reason}; so this may or may not be applied",
            connection=self._session.label,
            operation=operation,
            status=answer.status,
        )
