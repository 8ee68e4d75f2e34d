"""Calls that are signed in their query: who, when, a word used once, and a hash over all of it.

Only the caller is proven, not what is asked for: such calls need TLS like any other, and their
queries never enter a log.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable

from backoffice.remote.auth import Outgoing


def signature(user: str, secret: str, timestamp: str, nonce: str, version: str) -> str:
    """Lower-case hexadecimal SHA-256 of the five values joined by `&`, none of them escaped."""
    return hashlib.sha256("&".join((user, secret, timestamp, nonce, version)).encode()).hexdigest()


class SignedQuery:
    """Signs every attempt anew: a repeated call has another time, another nonce, another signature."""

    def __init__(
        self,
        user: str,
        secret: str,
        *,
        user_parameter: str = "email",
        version: str = "v2",
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        user, secret = user.strip(), secret.strip()
        if not user or not secret:
            raise ValueError("The user or the secret that signs is empty.")
        if not (user + secret).isprintable():
            raise ValueError("The user or the secret that signs holds unprintable characters.")
        self._user, self._secret, self._version = user, secret, version
        self._user_parameter, self._clock, self._nonce = user_parameter, clock, nonce

    def __repr__(self) -> str:
        return "SignedQuery(***)"

    def apply(self, request: Outgoing) -> int:
        """Adds the five parameters to the query."""
        timestamp, nonce = f"{int(self._clock()):010d}", self._nonce()
        request.params += [
            (self._user_parameter, self._user),
            ("timestamp", timestamp),
            ("nonce", nonce),
            ("sign", signature(self._user, self._secret, timestamp, nonce, self._version)),
            ("sign_version", self._version),
        ]
        return 0

    def refresh(self, seen: int) -> bool:
        """The next signature is a new one in any case."""
        return True
