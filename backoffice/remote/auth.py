"""How a request proves who we are; one object per credential, shared by threads.

`apply` runs for every attempt, so a signature with a timestamp is always fresh. After a
401 the session asks `refresh` once; a credential that can be renewed renews it (one
renewal however many threads ask, by comparing generations) and says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from backoffice.remote.errors import ConnectionBroken, Rejected, RemoteError, RetryLater
from backoffice.remote.tokens import (
    MemoryTokens,
    TokenState,
    TokenStore,
    forget_process_tokens,
    process_tokens,
)

__all__ = [
    "Auth",
    "HeaderToken",
    "MemoryTokens",
    "NoAuth",
    "Outgoing",
    "PasswordToken",
    "RenewedToken",
    "TokenState",
    "TokenStore",
    "forget_process_tokens",
    "process_tokens",
]


@dataclass(slots=True)
class Outgoing:
    """The parts of one attempt that an auth may read or add to."""

    method: str
    path: str
    params: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def target(self) -> str:
        """Path and query exactly as they go over the wire."""
        if not self.params:
            return self.path
        return f"{self.path}?{'&'.join([f'{_quoted(key)}={_quoted(value)}' for key, value in self.params])}"


def _quoted(text: str) -> str:
    """Percent-encoded; most names and values are letters and digits, which stay as they are."""
    return text if text.isalnum() and text.isascii() else quote(text, safe="")


class Auth(Protocol):
    """Static keys, tokens got by password or OAuth, and signed queries all fit this."""

    def apply(self, request: Outgoing) -> int:
        """Adds the credential; returns the generation of the credential it used."""

    def refresh(self, seen: int) -> bool:
        """After a 401 with generation `seen`: True when a newer credential is ready now."""


class NoAuth:
    """For calls without a credential, such as a login."""

    def apply(self, request: Outgoing) -> int:
        """Adds nothing."""
        return 0

    def refresh(self, seen: int) -> bool:
        """There is nothing to renew."""
        return False


class HeaderToken:
    """One fixed secret in one header, e.g. `apikey: …` or `Authorization: Bearer …`."""

    def __init__(self, header: str, value: str) -> None:
        value = value.strip()
        if not value:
            raise ValueError("The key is empty.")
        if not value.isascii() or not value.isprintable():
            raise ValueError("The key holds characters that cannot be sent in a header.")
        self._header, self._value = header, value

    def __repr__(self) -> str:
        return f"HeaderToken({self._header!r}, ***)"

    def apply(self, request: Outgoing) -> int:
        """Sets the header."""
        request.headers[self._header] = self._value
        return 0

    def refresh(self, seen: int) -> bool:
        """A fixed key cannot be renewed; a person has to."""
        return False


# --- tokens that are got and renewed -------------------------------------------------------


class RenewedToken(ABC):
    """A bearer token that is got when first needed and renewed when it is refused.

    However many threads find it refused, one renews and the others take what it got: they
    compare generations. A failed renewal is shared too, and the next one waits, longer each
    time; nor is a token that works but never lasts renewed without end. So there is never a
    storm of logins. Subclasses say how a token is got.
    """

    #: Seconds before the next try after a clear no and after a disturbance; they double.
    REFUSED_WAIT, DISTURBED_WAIT, LONGEST_WAIT = 30.0, 1.0, 900.0
    #: This many renewals within this many seconds are the most.
    MOST_RENEWALS, RENEWALS_WITHIN = 10, 60.0

    def __init__(self, store: TokenStore, header: str = "Authorization", prefix: str = "Bearer ") -> None:
        self._store, self._header, self._prefix = store, header, prefix

    @abstractmethod
    def obtain(self, secrets: dict[str, str]) -> str:
        """A new token by one call; may read and replace `secrets`. Raises RemoteError."""

    def apply(self, request: Outgoing) -> int:
        """Sets the header; gets the first token when there is none."""
        token, generation = self._store.current()
        if not token:
            token, generation = self._renewed(generation)
        request.headers[self._header] = self._prefix + token
        return generation

    def refresh(self, seen: int) -> bool:
        """Renews, unless somebody did so since generation `seen`. Raises when that fails."""
        self._renewed(seen)
        return True

    def renew(self) -> None:
        """Renews in any case: proves that the credential still works."""
        self._renewed(None)

    def _renewed(self, seen: int | None) -> tuple[str, int]:
        with self._store.exclusive() as state:
            if seen is not None and state.token and state.generation != seen:
                return state.token, state.generation
            self._check_turn(state)
            try:
                token = _sendable(self.obtain(state.secrets))
            except (ConnectionBroken, RetryLater) as error:
                self._note_failure(state, error)
                raise
            except RemoteError as error:
                raise self._clear(error, self._note_failure(state, error)) from error
            now = self._store.now()
            state.token, state.generation = token, state.generation + 1
            state.renewed_at = [*state.renewed_at, now][-self.MOST_RENEWALS :]
            state.failures, state.not_before, state.refused, state.reason = 0, 0.0, False, ""
            return state.token, state.generation

    def _check_turn(self, state: TokenState) -> None:
        """Raises while it is too early for another renewal."""
        now, most = self._store.now(), len(state.renewed_at) >= self.MOST_RENEWALS
        if now < state.not_before:
            raise _not_called(state.reason, state.refused, state.not_before - now)
        if most and (left := state.renewed_at[0] + self.RENEWALS_WITHIN - now) > 0:
            raise _not_called(f"{self.MOST_RENEWALS} logins were made within a minute", True, left)

    def _note_failure(self, state: TokenState, error: RemoteError) -> float:
        """Makes everybody wait, and says how long. A token that still works is kept meanwhile."""
        refused = isinstance(error, ConnectionBroken | Rejected)
        state.failures = state.failures + 1 if refused == state.refused else 1
        wait = (self.REFUSED_WAIT if refused else self.DISTURBED_WAIT) * 2.0 ** min(state.failures - 1, 16)
        told = error.after if isinstance(error, RetryLater) else None
        wait = min(max(wait, told or 0.0), self.LONGEST_WAIT)
        state.refused, state.not_before = refused, self._store.now() + wait
        state.reason = f"logging in was refused: {error.reason}" if refused else "logging in did not work"
        return wait

    @staticmethod
    def _clear(error: RemoteError, wait: float) -> RemoteError:
        """The same failure for the call it was made for, of which nothing was sent: no outcome is unknown."""
        clear: RemoteError = RetryLater.in_seconds("not called: logging in did not work", wait)
        if isinstance(error, Rejected):
            nowhere = error.status in {404, 405}
            what = "there is no login at this address" if nowhere else "it does not accept our login"
            clear = ConnectionBroken(what)
        clear.connection, clear.operation, clear.status = error.connection, error.operation, error.status
        clear.keep_evidence(request_id=error.request_id, excerpt=error.excerpt, words=error.words)
        return clear


class PasswordToken(RenewedToken):
    """A token for a user name and a password, got by one POST."""

    #: Names under which a token may come back.
    KEYS = ("access_token", "access", "token")

    def __init__(
        self, post: Callable[[Mapping[str, Any]], Any], username: str, password: str, store: TokenStore
    ) -> None:
        if not username or not password:
            raise ValueError("The user name or the password is empty.")
        super().__init__(store)
        self._post, self._body = post, {"username": username, "password": password}

    def __repr__(self) -> str:
        return "PasswordToken(***)"

    def obtain(self, secrets: dict[str, str]) -> str:
        """Logs in."""
        data = self._post(self._body)
        token = next(filter(None, map(data.get, self.KEYS)), None) if isinstance(data, dict) else None
        if not isinstance(token, str):
            raise ConnectionBroken("its answer to our login holds no token; check the address of the login")
        return token


def _sendable(token: str) -> str:
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise ConnectionBroken("the token it gave cannot be sent in a header")
    return token


def _not_called(reason: str, refused: bool, seconds: float) -> RemoteError:
    text = f"not called: {reason}; the next try is in {max(1, round(seconds))} s"
    return ConnectionBroken(text) if refused else RetryLater.in_seconds(text, seconds)
