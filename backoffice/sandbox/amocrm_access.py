"""Getting into amoCRM: the long-lived token, OAuth with rotating refresh tokens, limits and blocks."""

import secrets
import time
from typing import Any

from .amocrm_shapes import BLOCKED, hal, problem
from .switches import Switches
from .wire import Answer, BadRequest, Request

CODE = "sandbox-amocrm-code"


class Access:
    """Tokens and limits of one account."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._access: dict[str, float] = {}  # token → when it was given
        self._refresh: dict[str, float] = {}  # token → when it was given; the one of the switch has no age
        self._spent: set[str] = set()
        self._code_used = False
        self._too_many = 0
        self.blocked = False
        self.counts = {"granted": 0, "refused": 0, "reused": 0}

    # ------------------------------------------------------------------ every call

    def refusal(self, request: Request) -> Answer | None:
        """Why this call may not pass, or None."""
        if self.blocked:
            return Answer(403, BLOCKED.encode(), content_type="text/html; charset=utf-8")
        limit = self._switches["rate_limit"]
        if 0 < limit < request.hints.get("in_last_second", 0):
            self._too_many += 1
            if 0 < self._switches["block_after"] <= self._too_many:
                self.blocked = True
            wait = self._switches["rate_retry_after"]
            return problem(429, "Too many requests", **({"retry_after": wait} if wait else {}))
        return None

    def unauthorized(self, request: Request) -> Answer | None:
        """401 unless the bearer token is good."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme == "Bearer" and token:
            if token == self._switches["token"]:
                return None
            given = self._access.get(token)
            if given is not None and time.monotonic() - given < self._switches["access_lifetime_s"]:
                return None
        return problem(401, "Invalid or expired token")

    # ------------------------------------------------------------------ OAuth

    def token(self, request: Request) -> Answer:
        """`POST /oauth2/access_token`."""
        body = request.json()
        if not isinstance(body, dict):
            raise BadRequest("the body must be an object")
        same = ("client_id", "client_secret", "redirect_uri")
        if any(body.get(name) != self._switches[name] for name in same):
            return self._no(
                401, "Client authentication failed", "Check the client id, secret and redirect uri"
            )
        grant = body.get("grant_type")
        if grant == "authorization_code":
            if body.get("code") != CODE or self._code_used:
                return self._no(
                    400, "Authorization code has been revoked", "Cannot decrypt the authorization code"
                )
            self._code_used = True
        elif grant == "refresh_token":
            if not self._take(str(body.get("refresh_token"))):
                return self._no(401, "Token has been revoked", "The refresh token is invalid or expired")
        else:
            return self._no(400, "Unsupported grant", "The grant type is not supported")
        return self._pair()

    def _take(self, token: str) -> bool:
        """Spend a refresh token: each works once."""
        if token in self._spent:
            self.counts["reused"] += 1
            return False
        given = self._refresh.pop(token, None)
        if given is None and token == self._switches["refresh_token"]:
            given = time.monotonic()
        self._spent.add(token)
        return given is not None and time.monotonic() - given < self._switches["refresh_lifetime_s"]

    def _pair(self) -> Answer:
        self.counts["granted"] += 1
        access, refresh = f"access-{secrets.token_urlsafe(24)}", f"refresh-{secrets.token_urlsafe(24)}"
        self._access[access] = self._refresh[refresh] = time.monotonic()
        return hal(
            {
                "token_type": "Bearer",
                "expires_in": self._switches["access_lifetime_s"],
                "server_time": int(time.time()),
                "access_token": access,
                "refresh_token": refresh,
            }
        )

    def _no(self, status: int, hint: str, detail: str) -> Answer:
        self.counts["refused"] += 1
        return problem(status, detail, hint=hint)

    # ------------------------------------------------------------------ control

    def state(self) -> dict[str, Any]:
        """Counts, for tests; no token is told."""
        return {**self.counts, "access_tokens": len(self._access), "refresh_tokens": len(self._refresh),
                "blocked": self.blocked}  # fmt: skip

    def expire(self, body: dict[str, Any]) -> dict[str, Any]:
        """End tokens: {"access": true} and/or {"refresh": true}; {"unblock": true} lifts a block."""
        if body.get("access"):
            self._access.clear()
        if body.get("refresh"):
            self._spent |= {*self._refresh, self._switches["refresh_token"]}
            self._refresh.clear()
        if body.get("unblock"):
            self.blocked, self._too_many = False, 0
        return self.state()
