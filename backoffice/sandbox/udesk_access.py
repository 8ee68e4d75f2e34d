"""Who may call Udesk, and how often: signatures, nonces, the calls of each interface in a minute."""

import hashlib
import time
from collections import defaultdict, deque
from typing import Any

from .switches import Switches
from .udesk_writes import Refused
from .wire import Request

TIMESTAMP_SLACK, NONCE_LIFE = 300, 900


class Access:
    """The gate of one account."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._nonces: dict[str, float] = {}
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._busiest: dict[str, int] = {}
        self.signatures: list[tuple[str, str]] = []

    def check_signature(self, request: Request) -> None:
        """Raises Refused with the code of what is wrong with the signature."""
        query, now = request.query, time.time() + self._switches["clock_skew_s"]
        if self._switches["subdomain"] == "unknown":
            raise Refused(2002, "company not found")
        if query.get("email") != self._switches["email"]:
            raise Refused(2015, "not an administrator")
        stamp = query.get("timestamp", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) == 10):
            raise Refused(20621, "timestamp is invalid")
        if abs(int(stamp) - now) > TIMESTAMP_SLACK:
            raise Refused(20622, "timestamp is expired")
        nonce = query.get("nonce", "")
        if not nonce:
            raise Refused(20624, "nonce is empty")
        self._nonces = {key: end for key, end in self._nonces.items() if end > time.monotonic()}
        if nonce in self._nonces:
            raise Refused(20623, "nonce is used")
        parts = (self._switches["email"], self._switches["token"], stamp, nonce, "v2")
        wanted = hashlib.sha256("&".join(parts).encode()).hexdigest()
        if query.get("sign_version") != "v2" or query.get("sign") != wanted:
            raise Refused(2059, "sign is invalid")
        self._nonces[nonce] = time.monotonic() + NONCE_LIFE
        self.signatures.append((stamp, nonce))

    def count(self, interface: str) -> None:
        """One call of an interface; refused ones count as well. Raises Refused when it is too many."""
        calls, now = self._calls[interface], time.monotonic()
        calls.append(now)
        while calls[0] <= now - 60:
            calls.popleft()
        self._busiest[interface] = max(self._busiest.get(interface, 0), len(calls))
        if 0 < self._switches["rate_per_minute"] < len(calls):
            raise Refused(429, "API interface exceeds request limit")

    def rates(self) -> dict[str, Any]:
        """The busiest minute of each interface, and how many signatures were seen, all different."""
        return {"busiest_minute": dict(self._busiest), "signatures": len(self.signatures),
                "distinct": len(set(self.signatures))}  # fmt: skip
