"""Logging in to AntBOT: get-token, bearer tokens that die, counts of both."""

import secrets
import time
from typing import Any

from .antbot_fields import Errors
from .switches import Switches
from .wire import Answer, Request, json_answer


class Access:
    """The tokens of one account."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._tokens: dict[str, float] = {}  # token → real time of its login
        self.logins = {"accepted": 0, "refused": 0}

    def log_in(self, request: Request, body: Any) -> Answer:
        """Answer get-token."""
        body = body if isinstance(body, dict) else {}
        missing = {key: ["This field is required."] for key in ("username", "password") if not body.get(key)}
        if missing:
            raise Errors(missing)
        wanted = (self._switches["username"], self._switches["password"])
        if (body["username"], body["password"]) != wanted:
            self.logins["refused"] += 1
            text = "No active account found with the given credentials"
            if self._switches["login_refusal"] == 400:
                raise Errors({"non_field_errors": [text]})
            return json_answer({"detail": text}, 401)
        self.logins["accepted"] += 1
        if self._switches["single_login"] == "yes":
            self._tokens.clear()
        token = secrets.token_urlsafe(32)
        self._tokens[token] = time.monotonic()
        return json_answer({self._switches["token_key"]: token})

    def refusal(self, request: Request) -> Answer | None:
        """Why this request may not pass, or None."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        since = self._tokens.get(token.strip()) if scheme == "Bearer" else None
        lifetime = self._switches["token_lifetime_s"]
        if since is None or (lifetime and time.monotonic() - since >= lifetime):
            given = scheme and "Given token not valid for any token type"
            answer = json_answer(
                {"detail": given or "Authentication credentials were not provided."},
                self._switches["auth_status"],
            )
            if answer.status == 401:
                answer.headers["WWW-Authenticate"] = 'Bearer realm="api"'
            return answer
        if self._switches["trial"] == "none":
            return json_answer({"detail": "You do not have permission to perform this action."}, 403)
        return None

    def expire(self) -> int:
        """End all tokens; how many there were."""
        count = self.live()
        self._tokens.clear()
        return count

    def live(self) -> int:
        """Tokens that still open the door."""
        lifetime = self._switches["token_lifetime_s"]
        now = time.monotonic()
        return sum(1 for since in self._tokens.values() if not lifetime or now - since < lifetime)
