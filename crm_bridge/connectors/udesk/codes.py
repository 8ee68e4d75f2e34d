"""What Udesk's codes mean: success is code 1000, whatever the HTTP status says.

The lists here are closed. A code that is in none of them is no judgement: a read is a bad
answer then, and a write may or may not have been applied.
"""

from __future__ import annotations

import re
from typing import Any

from backoffice.remote.answers import Received, refusal, retry_after
from backoffice.remote.body import NotJson, parse_json
from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Gone,
    RateLimited,
    Rejected,
    RemoteConflict,
    RemoteError,
    StaleCredential,
)

SUCCESS = 1000
#: The only code that proves absence. "Couldn't find Customer" under 2000 means a missing parameter.
GONE = 2005
TOO_MANY = 429
#: No wait is documented for 429; the limits are counted by the minute.
WAIT_SECONDS = 60.0
WRONG_CURSOR = 2062
NOT_IN_PLAN = 2058

_REFUSED = frozenset({2000, 2060, WRONG_CURSOR, 206201, 206211})
_STALE = {
    20621: "it cannot read the time of our signature",
    20622: "this machine's clock is more than five minutes off; set it by a time server",
    20623: "it has seen this signature before",
    20624: "the signature came without its nonce",
}
_BROKEN = {
    2002: "there is no Udesk account at this address; check the subdomain in the base URL",
    2015: "it does not accept our credentials: the e-mail is not an administrator's of this account",
    2059: "it does not accept our credentials: the signature is wrong; check the e-mail and the API token",
}
_PLAIN_YES = re.compile(rb'\s*\{\s*"code"\s*:\s*1000\s*[,}]')
_DUPLICATE = re.compile(
    r"duplicate|already exists|has been used|repeated|已存在|重复|已被使用|已使用", re.IGNORECASE
)


class NotInPlan(ConnectionBroken):
    """The account's plan does not include this interface."""


class WrongCursor(BadResponse):
    """A filter or an export's cursor that it does not know (any more)."""


def judge(received: Received, *, read: bool) -> RemoteError | bool:
    """What an answer means; see `remote.answers.Judge`."""
    if received.status == TOO_MANY:
        return _too_many(received)
    if _PLAIN_YES.match(received.body):
        return True
    try:
        data = parse_json(received.body)
    except NotJson:
        return False
    code = code_of(data)
    if code is None:
        succeeded = 200 <= received.status < 300
        return refusal(read, "it does not say whether it worked") if succeeded else False
    if code == SUCCESS:
        return True
    if code == TOO_MANY:
        return _too_many(received)
    error = _error(code, said(data), read)
    error.keep_evidence(request_id="", excerpt="", words=said(data))
    return error


def code_of(data: Any) -> int | None:
    """The code of an answer, also as text; None where it has none."""
    code = data.get("code") if isinstance(data, dict) else None
    if isinstance(code, str) and code.strip().isdecimal():
        code = int(code)
    return code if type(code) is int else None


def said(data: dict[str, Any]) -> str:
    """Message and detail of an error; pages and accounts name them differently."""
    message = data.get("message") or data.get("code_message") or ""
    detail = data.get("exception") or ""
    if isinstance(detail, dict):
        detail = detail.get("message") or ""
    texts = [str(text) for text in dict.fromkeys((message, detail)) if isinstance(text, str | int) and text]
    return ": ".join(texts)


def _too_many(received: Received) -> RateLimited:
    limited = RateLimited("it asks us to slow down")
    told = retry_after(received.headers)
    limited.after = WAIT_SECONDS if told is None else told
    return limited


def _error(code: int, words: str, read: bool) -> RemoteError:
    if code == GONE:
        return Gone("the customer does not exist there")
    if code in _STALE:
        return StaleCredential(_STALE[code])
    if code in _BROKEN:
        return ConnectionBroken(_BROKEN[code])
    if code == NOT_IN_PLAN:
        return NotInPlan("the account's plan does not include this interface")
    if code == WRONG_CURSOR and read:
        return WrongCursor("it does not know this filter, or the export's cursor is older than a minute")
    if code in _REFUSED:
        if _DUPLICATE.search(words):
            return RemoteConflict("it has this already")
        return Rejected("it refused this")
    return refusal(read, f"code {code} is none that we know")
