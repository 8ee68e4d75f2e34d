"""OAuth: a refresh token that changes at each use, kept even when something goes wrong around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from backoffice.remote.auth import MemoryTokens, Outgoing
from backoffice.remote.errors import ConnectionBroken, OutcomeUnknown, Rejected, RemoteError, RetryLater
from backoffice.remote.oauth import RefreshedToken


class Endpoint:
    """A token endpoint: each refresh token works once."""

    def __init__(self) -> None:
        self.valid, self.spent, self.bodies = "refresh-0", [], []  # type: ignore[var-annotated]
        self.instead: Any = None

    def __call__(self, body: Mapping[str, Any]) -> Any:
        self.bodies.append(dict(body))
        if isinstance(self.instead, RemoteError):
            raise self.instead
        if self.instead is not None:
            return self.instead
        if body["refresh_token"] != self.valid:
            raise refusal(401)
        self.spent.append(self.valid)
        self.valid = f"refresh-{len(self.spent)}"
        return {"access_token": f"access-{len(self.spent)}", "refresh_token": self.valid, "expires_in": 86400}


def refusal(status: int) -> RemoteError:
    error = Rejected("it refused this") if status == 400 else ConnectionBroken("it does not accept this")
    error.status = status
    error.keep_evidence(request_id="", excerpt="", words="Token has been revoked")
    return error


def oauth(endpoint: Endpoint, store: MemoryTokens | None = None, **values: str) -> RefreshedToken:
    given = {
        "client_id": "client", "client_secret": "secret-4711", "refresh_token": "refresh-0",
        "redirect_uri": "https://us.example.com/",
    } | values  # fmt: skip
    return RefreshedToken(endpoint, **given, store=store or MemoryTokens())


def used(auth: RefreshedToken) -> str:
    request = Outgoing("GET", "/")
    auth.apply(request)
    return request.headers["Authorization"]


def test_each_renewal_spends_the_token_of_the_one_before() -> None:
    endpoint = Endpoint()
    auth = oauth(endpoint)
    assert used(auth) == "Bearer access-1"
    assert used(auth) == "Bearer access-1"
    auth.refresh(auth.apply(Outgoing("GET", "/")))
    assert used(auth) == "Bearer access-2"
    assert endpoint.spent == ["refresh-0", "refresh-1"]
    assert endpoint.bodies[0] == {
        "client_id": "client",
        "client_secret": "secret-4711",
        "redirect_uri": "https://us.example.com/",
        "grant_type": "refresh_token",
        "refresh_token": "refresh-0",
    }


def test_refresh_token_that_does_not_change_is_used_again() -> None:
    endpoint = Endpoint()
    endpoint.instead = {"access_token": "a"}
    auth = oauth(endpoint)
    used(auth)
    auth.renew()
    assert [body["refresh_token"] for body in endpoint.bodies] == ["refresh-0", "refresh-0"]


@pytest.mark.parametrize("status", [400, 401])
def test_refused_refresh_token_says_what_a_person_must_do(status: int) -> None:
    endpoint = Endpoint()
    endpoint.instead = refusal(status)
    with pytest.raises(ConnectionBroken, match="connect the account again with a new one") as told:
        used(oauth(endpoint))
    assert told.value.words == "Token has been revoked"
    assert told.value.status == status


def test_after_a_refusal_nobody_asks_again_at_once() -> None:
    endpoint = Endpoint()
    endpoint.instead = refusal(401)
    auth = oauth(endpoint)
    for _call in range(5):
        with pytest.raises(ConnectionBroken):
            used(auth)
    assert len(endpoint.bodies) == 1


def test_block_of_the_address_is_not_told_as_a_bad_token() -> None:
    endpoint = Endpoint()
    endpoint.instead = refusal(403)
    with pytest.raises(ConnectionBroken) as told:
        used(oauth(endpoint))
    assert "refresh token" not in told.value.reason


def test_lost_answer_is_tried_again_later_and_leaves_the_write_unsent() -> None:
    endpoint = Endpoint()
    endpoint.instead = OutcomeUnknown("cut")
    with pytest.raises(RetryLater, match="not called"):
        used(oauth(endpoint))


def test_new_refresh_token_is_kept_although_its_access_token_is_no_good() -> None:
    endpoint, store = Endpoint(), MemoryTokens()
    endpoint.instead = {"refresh_token": "refresh-9"}
    auth = oauth(endpoint, store)
    with pytest.raises(ConnectionBroken, match="holds no token"):
        used(auth)
    with store.exclusive() as state:
        assert state.secrets == {"refresh_token": "refresh-9"}


@pytest.mark.parametrize("name", ["client_id", "client_secret", "refresh_token", "redirect_uri"])
def test_empty_value_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"The {name.replace('_', ' ').replace('uri', 'URI')} is empty"):
        oauth(Endpoint(), **{name: "  "})


def test_no_secret_shows_in_a_repr() -> None:
    store = MemoryTokens()
    auth = oauth(Endpoint(), store)
    used(auth)
    with store.exclusive() as state:
        text = repr(auth) + repr(state)
    for canary in ("secret-4711", "refresh-", "access-"):
        assert canary not in text
