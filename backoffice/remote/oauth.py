"""OAuth 2: a bearer token that is renewed with a refresh token, which may change at each use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backoffice.remote.auth import RenewedToken
from backoffice.remote.errors import ConnectionBroken, Rejected, RemoteError
from backoffice.remote.tokens import TokenStore

#: Statuses by which a token endpoint says that what it was given is no good.
_ENDED = frozenset({400, 401})


class RefreshedToken(RenewedToken):
    """Renews by one POST. The refresh token that comes back replaces the one that was spent.

    The store keeps the new pair before anybody uses it. One thing no store can help: when the
    process dies, or the answer is lost, after the vendor has rotated and before we have kept it,
    the refresh token we hold is spent; a person then has to connect the account again.
    """

    def __init__(
        self,
        post: Callable[[Mapping[str, Any]], Any],
        *,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        redirect_uri: str,
        store: TokenStore,
    ) -> None:
        """`refresh_token` is the first one, from a person; `post` sends a body to the token endpoint."""
        given = {
            "client id": client_id,
            "client secret": client_secret,
            "refresh token": refresh_token,
            "redirect URI": redirect_uri,
        }
        if empty := [name for name, value in given.items() if not value.strip()]:
            raise ValueError(f"The {empty[0]} is empty.")
        super().__init__(store)
        self._post, self._first = post, refresh_token.strip()
        self._client = {
            "client_id": client_id.strip(),
            "client_secret": client_secret.strip(),
            "redirect_uri": redirect_uri.strip(),
        }

    def __repr__(self) -> str:
        return "RefreshedToken(***)"

    def obtain(self, secrets: dict[str, str]) -> str:
        """Spends the latest refresh token. Raises RemoteError."""
        spent = secrets.get("refresh_token") or self._first
        try:
            data = self._post(self._client | {"grant_type": "refresh_token", "refresh_token": spent})
        except (Rejected, ConnectionBroken) as error:
            if error.status not in _ENDED:
                raise
            raise _ended(error) from error
        data = data if isinstance(data, dict) else {}
        access, fresh = data.get("access_token"), data.get("refresh_token")
        if isinstance(fresh, str) and fresh.strip():
            secrets["refresh_token"] = fresh.strip()  # kept even if the rest of the answer is no good
        if not isinstance(access, str):
            raise ConnectionBroken("its answer to the renewal of our access holds no token")
        return access


def _ended(error: RemoteError) -> ConnectionBroken:
    """What a person has to do about a refusal, with the vendor's words kept."""
    broken = ConnectionBroken(
        "the refresh token was refused, for it is used up, expired or revoked; connect the account again"
        " with a new one"
    )
    broken.connection, broken.operation, broken.status = error.connection, error.operation, error.status
    broken.keep_evidence(request_id=error.request_id, excerpt=error.excerpt, words=error.words)
    return broken
