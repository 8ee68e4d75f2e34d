"""amoCRM/Kommo as a connector: client, payloads and mapping glued together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar
from urllib.parse import urlsplit

from backoffice.remote.auth import Auth, HeaderToken, MemoryTokens, NoAuth
from backoffice.remote.errors import BadResponse, ConnectionBroken, Gone
from backoffice.remote.oauth import RefreshedToken
from backoffice.remote.session import RemoteSession
from backoffice.remote.walk import RawItem, Unreadable, Walk
from backoffice.remote.wire import is_loopback
from crm_bridge.connectors.amocrm import mapping, payloads
from crm_bridge.connectors.amocrm.changes import WRITABLE
from crm_bridge.connectors.amocrm.client import (
    BASE_URL,
    BATCH_SIZE,
    HOST_SUFFIXES,
    PAGE_SIZE,
    TOKEN_PATH,
    WITH,
    AmoCrmClient,
)
from crm_bridge.connectors.amocrm.features import CHATS, FEATURES, PANELS, UPDATED_FILTER, Proofs
from crm_bridge.connectors.amocrm.walks import ChangesWalk, CompleteWalk, DeletionsWalk, split_page
from crm_bridge.connectors.amocrm.writes import Writing
from crm_bridge.connectors.base import (
    Account,
    Capabilities,
    Changes,
    CredentialField,
    Deletions,
    Finding,
    Merges,
    Stream,
)
from crm_bridge.connectors.wires import usable_id
from crm_bridge.phones import digits
from crm_bridge.records import ContactRecord, FieldDefinition, Identity, Kind, Panel

#: A look-up by phone or e-mail that finds more pages than this is not a look-up.
_LOOKUP_PAGES = 4
_SHARED_DIGITS = 9
_LOGIN_DEADLINE = 20.0
_TOKEN, _OAUTH = "token", "oauth"
_NO_FIELD = "amoCRM's contacts have no such field of their own; use a custom field there."


class AmoCrmConnector(Writing):
    """One amoCRM or Kommo account; `session_parts` go to its RemoteSession (limiter, breaker, …)."""

    kind: ClassVar[str] = "amocrm"
    label: ClassVar[str] = "amoCRM"
    default_base_url: ClassVar[str] = BASE_URL
    host_suffixes: ClassVar[tuple[str, ...]] = HOST_SUFFIXES
    mapping_version: ClassVar[int] = 1
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            "token",
            "Long-lived token",
            help="An administrator makes it in the account, in a private integration.",
            group=_TOKEN,
        ),
        CredentialField("client_id", "Client id", secret=False, help="Of the integration.", group=_OAUTH),
        CredentialField("client_secret", "Client secret", help="Of the integration.", group=_OAUTH),
        CredentialField(
            "refresh_token",
            "Refresh token",
            help="The latest one. It is used at once and replaced each time, so no other program may use it.",
            group=_OAUTH,
        ),
        CredentialField(
            "redirect_uri", "Redirect URI", secret=False, help="As the integration has it.", group=_OAUTH
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        streams=(Stream.CONTACTS,),
        changes=Changes.NEWEST_FIRST,
        deletions=Deletions.BY_LOOKUP,
        merges=Merges.NONE,
        kinds=(Kind.CONTACT,),
        creatable=frozenset(WRITABLE),
        writable=frozenset(WRITABLE),
        page_size=PAGE_SIZE,
        bulk_create=BATCH_SIZE,
        can_delete=False,
        panels=PANELS,
        features=FEATURES,
        contacts_every=300,
        requests_per_second=6,
        why_not={
            "can_delete": "amoCRM's API cannot delete contacts; delete it in amoCRM, and it disappears here.",
            "can_restore": "amoCRM's API cannot restore contacts; restore it in amoCRM.",
            "can_merge": "amoCRM's API cannot merge contacts; merge them in amoCRM.",
            **dict.fromkeys(
                (
                    "gender",
                    "birth_date",
                    "addresses",
                    "social_accounts",
                    "industry",
                    "note",
                    "stage",
                    "source",
                    "group",
                ),
                _NO_FIELD,
            ),
        },
        unproven={
            "deletions": "a contact is gone when its id finds nobody (204) and the list filtered by its id"
            " does not show it; where that filter is ignored, when its id finds nobody twice",
            "merges": "not told; the loser disappears, the survivor shows as changed",
            "batches": "any doubt about an answer, a refusal included, leaves all of the batch unknown;"
            " each is then looked up",
            "lists on edit": "a field that is sent replaces all its values, tags are sent whole",
            "name": "sent whole; first and last name are shown and left alone",
            "dates": "written as noon UTC, read as the day whose beginning is nearest",
            "kinds of phones": "by their codes; a kind without one reads as Work",
            "search": "finds numbers by their digits; what it shows is compared again here",
            "last update": "may not change when tags or links do; the nightly complete walk sees those",
            "limits": "7 requests a second (public); 6 are used",
        },
    )

    def __init__(self, account: Account, **session_parts: Any) -> None:
        options = account.options
        self._page_size = int(options.get("page_size") or PAGE_SIZE)
        self._proven = frozenset(options.get("features") or ())
        self._types: dict[str, str] = {}
        self._login: RemoteSession | None = None
        parts: dict[str, Any] = {"words": payloads.words_of_problem, "empty_reads": True} | session_parts
        try:
            _check_host(account.base_url)
            self._auth = self._authenticated(account, parts)
            self._session = RemoteSession(
                account.base_url,
                self._auth,
                label=account.label,
                parallel=account.parallel_requests,
                **parts,
            )
        except ValueError as error:  # an address or credentials that cannot be used at all
            raise ConnectionBroken(str(error), connection=account.label, operation="connect") from error
        self._client = AmoCrmClient(self._session)
        self._proofs = Proofs(self._client)

    def _authenticated(self, account: Account, parts: Mapping[str, Any]) -> Auth:
        """The long-lived token where there is one, else OAuth. Raises ValueError."""
        given = account.credentials
        if given.get("token", "").strip():
            return HeaderToken("Authorization", f"Bearer {given['token'].strip()}")
        if not any(given.get(field.name) for field in self.credential_fields):
            raise ValueError("The token is empty; enter one, or the four values of OAuth.")
        # all calls wait for a login, so it may not take as long as they
        quick = {**parts, "deadline": min(parts.get("deadline", 60.0), _LOGIN_DEADLINE)}
        login = self._login = RemoteSession(account.base_url, NoAuth(), label=account.label, **quick)

        def post(body: Mapping[str, Any]) -> Any:
            return login.send_json("POST", TOKEN_PATH, body, operation="renew access").data

        return RefreshedToken(
            post,
            client_id=given.get("client_id", ""),
            client_secret=given.get("client_secret", ""),
            refresh_token=given.get("refresh_token", ""),
            redirect_uri=given.get("redirect_uri", ""),
            store=account.tokens or MemoryTokens(),
        )

    def close(self) -> None:
        """Give back sockets."""
        if self._login is not None:
            self._login.close()
        self._session.close()

    # Reading

    def check(self) -> str:
        """Reads one contact."""
        page = split_page(self._session, self._client.contacts(limit=1))
        seen = "it shows contacts" if page.items else "it shows no contacts yet"
        return f"{self._session.label} accepts the token; {seen}."

    def walks(self, stream: Stream, *, since: date | None = None) -> Sequence[Walk]:
        """All contacts by id, or the changed ones newest first; deletions where their events were proven."""
        if stream is Stream.DELETED:
            return [DeletionsWalk(self._client)]
        if since is None:
            return [CompleteWalk(self._client, self._page_size)]
        return [ChangesWalk(self._client, self._page_size, since, UPDATED_FILTER in self._proven)]

    def get(self, identity: Identity) -> ContactRecord | None:
        """One contact; None only after two answers that do not show it."""
        raw = self._raw(identity)
        return None if raw is None else self._record(raw)

    def _raw(self, identity: Identity, with_: Sequence[str] = ()) -> Any:
        number = usable_id(identity.remote_id)
        if not number or identity.family != payloads.FAMILY:
            return None
        raw = self._single(number, with_)
        if raw is None:
            raw = self._second_look(number, with_)
        return raw

    def _single(self, number: str, with_: Sequence[str] = ()) -> Any:
        """The contact as its own address shows it; None for a 204, and for one marked as deleted."""
        data = self._client.contact(int(number), with_).data
        if data is None:
            return None
        if not isinstance(data, dict) or usable_id(data.get("id")) != number:
            raise self._bad("it was asked for one contact and answered with something else")
        return None if data.get("is_deleted") is True else data

    def _second_look(self, number: str, with_: Sequence[str]) -> Any:
        """A 204 alone is no proof: one was seen for a contact that the list still showed."""
        page = split_page(self._session, self._client.contacts(ids=[int(number)], limit=2, with_=with_))
        found = [item for item in page.items if item.remote_id == number]
        if found:
            return found[0].raw
        if page.items:  # the filter is ignored here, so the list says nothing about this contact
            return self._single(number, with_)
        return None

    def _record(self, raw: Any) -> ContactRecord:
        try:
            record = mapping.to_record(RawItem(payloads.FAMILY, usable_id(raw.get("id")), raw))
            self._types |= mapping.field_types(raw)
        except Unreadable as error:
            raise self._bad(f"a contact in its answer cannot be read: {error}") from error
        return record

    def find(
        self,
        *,
        phone: str = "",
        email: str = "",
        kind: Kind | None = None,
        created_from: date | None = None,
        created_to: date | None = None,
    ) -> list[ContactRecord]:
        """Contacts with this phone or e-mail: amoCRM's search, narrowed here to those that have it."""
        if not (phone or email):
            raise ValueError("A look-up needs a phone number or an e-mail address.")
        if kind not in (None, Kind.CONTACT):
            return []
        found: dict[Identity, ContactRecord] = {}
        for text in _searches(phone, email):
            for record in self._searched(text):
                wanted = (not phone or _has_phone(record, phone)) and (not email or _has_email(record, email))
                if wanted and _within(record, created_from, created_to):
                    found[record.identity] = record
            if found:
                break
        return list(found.values())

    def _searched(self, text: str) -> list[ContactRecord]:
        records: list[ContactRecord] = []
        for page in range(1, _LOOKUP_PAGES + 1):
            body = self._client.contacts(query=text, page=page, limit=PAGE_SIZE)
            shown = split_page(self._session, body)
            records += [self._record(item.raw) for item in shown.items if not item.problem]
            if shown.ended:
                return records
        raise self._bad("its search finds far too many contacts to be one")

    def _bad(self, reason: str) -> BadResponse:
        return BadResponse(reason, connection=self._session.label, operation="look up contact")

    # Extras

    def panel(self, identity: Identity, key: str, page: int = 1) -> Panel:
        """What a contact is linked with, read now. Raises Gone where there is no such contact."""
        if key not in {panel.key for panel in PANELS}:
            raise ValueError(f"amoCRM has no panel {key!r}")
        raw = self._raw(identity, () if key == CHATS else WITH)
        if raw is None:
            raise Gone(
                "the contact does not exist there", connection=self._session.label, operation=f"read {key}"
            )
        try:
            if key == CHATS:
                number = int(identity.remote_id)
                chats = [chat for chat in self._chats(contacts=[number]) if chat.contact_id == number]
                return Panel(key, mapping.to_chat_entries(chats))
            return Panel(key, mapping.to_linked_entries(raw, key))
        except Unreadable as error:
            raise self._bad(f"its answer cannot be read: {error}") from error

    def field_definitions(self) -> list[FieldDefinition]:
        """Every custom field of contacts, in the vendor's order."""
        return self._proofs.field_definitions()

    def prove(self, feature: str) -> str:
        """Try a feature on this account, reading only."""
        return self._proofs.prove(feature)

    def probe(self) -> list[Finding]:
        """Look at limits, order, filters and further routes, without changing anything."""
        return self._proofs.probe()


def _check_host(base_url: str) -> None:
    """The secret goes to amoCRM's and Kommo's own hosts only (and to this machine in development)."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    if not is_loopback(host) and not host.endswith(HOST_SUFFIXES):
        raise ValueError(f"The address must end with {', '.join(HOST_SUFFIXES[:-1])} or {HOST_SUFFIXES[-1]}.")


def _searches(phone: str, email: str) -> list[str]:
    """What to search for: the digits every spelling of a number shares, then the number as given."""
    if not phone:
        return [email.strip()]
    return list(dict.fromkeys(filter(None, (_shared_digits(phone), phone.strip()))))


def _shared_digits(phone: str) -> str:
    """The last digits, which a number keeps with and without country code, trunk 0 (or the Russian 8)."""
    return digits(phone)[-_SHARED_DIGITS:]


def _has_phone(record: ContactRecord, phone: str) -> bool:
    wanted = _shared_digits(phone)
    if len(wanted) < _SHARED_DIGITS:  # an extension, or no number at all: only the very same
        texts = [each.value.strip().casefold() for each in record.phones]
        return phone.strip().casefold() in texts or (wanted != "" and wanted in map(digits, texts))
    return any(wanted in digits(each.value) for each in record.phones)


def _has_email(record: ContactRecord, email: str) -> bool:
    wanted = email.strip().casefold()
    return any(wanted in each.value.casefold() for each in record.emails)


def _within(record: ContactRecord, first: date | None, last: date | None) -> bool:
    """Created within these days, give or take one for the zone; unknown counts as within."""
    if record.created_at is None:
        return True
    day = record.created_at.date()
    return (first is None or (first - day).days <= 1) and (last is None or (day - last).days <= 1)
