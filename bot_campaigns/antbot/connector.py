"""AntBOT as a connector: login, session, client and mapping glued together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from backoffice.remote.auth import NoAuth, PasswordToken, TokenStore, process_tokens
from backoffice.remote.errors import ConnectionBroken
from backoffice.remote.session import RemoteSession
from bot_campaigns.antbot.base import Account, Capabilities, CredentialField, Option, Stream
from bot_campaigns.antbot.client import BASE_URL, BULK_SIZE, LOGIN_PATH, AntBotClient
from bot_campaigns.antbot.walks import ListWalk
from bot_campaigns.antbot.writes import Writing

INSIDE, BESIDE = "inside", "beside"
YES, NO = "yes", "no"
LOGIN_DEADLINE = 20.0


class AntBotConnector(Writing):
    """One AntBOT account; `session_parts` go to its RemoteSession (limiter, breaker, …).

    Cheap to build and without I/O: it logs in with its first call, and all connectors of one
    process that use the same login share its token. `tokens` shares it wider.
    """

    kind: ClassVar[str] = "antbot"
    label: ClassVar[str] = "AntBOT"
    default_base_url: ClassVar[str] = BASE_URL
    mapping_version: ClassVar[int] = 1
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField("username", "User name", secret=False, help="Name or e-mail of the AntBuddy user."),
        CredentialField("password", "Password", help="Of the same user; the company needs Alice enabled."),
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "login_path",
            "Address of the login",
            ((INSIDE, "…/rest-api/get-token/"), (BESIDE, "…/get-token/")),
            help="The vendor's page leaves open which of the two it is.",
        ),
        Option(
            "whole_lists",
            "Lists come whole",
            ((NO, "No, in pages"), (YES, "Yes")),
            help="Set when reading stops because every page is the same.",
        ),
        Option(
            "renew_on_403",
            "403 may mean an expired token",
            ((YES, "Yes, log in again once"), (NO, "No")),
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        streams=tuple(Stream),
        undocumented=frozenset(
            {
                Stream.SECTIONS,
                Stream.CALENDAR_SETTINGS,
                Stream.CALENDAR_USERS,
                Stream.CALENDARS,
                Stream.EVENTS,
                Stream.ALARMS,
            }
        ),
        by_date=frozenset({Stream.CALLS}),
        page_size=10,
        bulk_contacts=BULK_SIZE,
        can_delete_campaigns=True,
        can_delete_contacts=False,
        can_remove_dnc_entries=False,
        unproven={
            "login": "the token's name, lifetime and address are tried, not known; a 401 renews it once",
            "lists": "read in pages to an empty one, to a page out of range or to their count",
            "status 2 and 3": "neither dialling nor certainly stopped: both may resume",
            "status after a command": "read again; the number sent is never taken for the number reported",
            "pause": "calls of about a minute, and retries already queued, may still go out",
            "daily window": "times without a zone, in that of the vendor's server: to be confirmed",
            "change of a campaign": "sent whole as read just before; its call flow only when that is changed",
            "call flow of a started campaign": "shows a sealed copy, whose number is no template's",
            "bulk contacts": "not all or nothing; any doubt means listing the phonebook again",
            "contacts added later": "may not join a campaign that was started before",
            "withdrawn contacts": "one already taken into a started campaign may still be dialled",
            "do-not-call lists": "nothing says that AntBOT applies them to our campaigns",
            "calls": "may come late, in any order, or twice; without an id they are told apart by"
            " call id, leg, number and start",
            "numbers of calls": "led back to the contact's by undoing the gateway's prefixes",
            "subscriber status": "numbers of the open-source ancestor",
            "deleting a campaign": "cannot be undone and may take its calls with it",
            "reminder calls": "cannot be taken back; one due more than an hour ago is never made",
        },
    )

    def __init__(self, account: Account, *, tokens: TokenStore | None = None, **session_parts: Any) -> None:
        base_url = account.base_url.rstrip("/")
        username = account.credentials.get("username", "").strip()
        password = account.credentials.get("password", "")
        beside = account.options.get("login_path", INSIDE) == BESIDE
        login_base = base_url.rpartition("/")[0] if beside else base_url
        self._whole_lists = account.options.get("whole_lists", NO) == YES
        renew_on = {401} if account.options.get("renew_on_403", YES) == NO else {401, 403}
        try:
            store = tokens or process_tokens(login_base, username, password)
            # all calls wait for a login, so it may not take as long as they
            quick = session_parts | {"deadline": min(session_parts.get("deadline", 60.0), LOGIN_DEADLINE)}
            self._login = RemoteSession(login_base, NoAuth(), label=account.label, **quick)
            self._auth = PasswordToken(self._log_in, username, password, store)
            self._session = RemoteSession(
                base_url,
                self._auth,
                label=account.label,
                parallel=account.parallel_requests,
                renew_on=renew_on,
                **session_parts,
            )
        except ValueError as error:  # an address or a login that cannot be used at all
            raise ConnectionBroken(str(error), connection=account.label, operation="connect") from error
        self._client = AntBotClient(self._session)

    def __enter__(self) -> AntBotConnector:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back sockets."""
        self._login.close()
        self._session.close()

    def _log_in(self, body: Mapping[str, Any]) -> Any:
        return self._login.send_json("POST", LOGIN_PATH, body, operation="log in").data

    def check(self) -> str:
        """Logs in afresh and reads the gateways."""
        try:
            self._auth.renew()
        except ConnectionBroken as error:
            error.connection, error.operation = self._session.label, "log in"
            raise
        gateways = self.gateways().read_all()
        active = sum(gateway.active is True for gateway in gateways)
        return f"{self._session.label} accepts the login; {len(gateways)} gateways, {active} of them active."

    def walks(self, stream: Stream) -> ListWalk[Any]:
        """The walk over all of one list; calls and subscribers can be narrowed by their own methods."""
        walk: ListWalk[Any] = getattr(self, stream.value)()
        return walk
