"""From an HTTP status to the error that says what to do next; also Retry-After.

The rule for writes: once a byte may have left, only an answer that plainly says "no"
counts as not applied. Everything else is `OutcomeUnknown`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, Protocol

import orjson
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from backoffice.remote.body import TooBig, read_body
from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Gone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteConflict,
    RemoteError,
    RetryLater,
)

#: Longer waits are cut to this; a vendor asking for ten years is simply asked again.
LONGEST_WAIT = 900.0

_LONGEST_EXPLANATION = 65536
#: "You were too slow" and "too early": not a judgement on the request.
_UNCLEAR_4XX = frozenset({408, 425})
_MESSAGE_KEYS = ("message", "error_description", "error", "msg", "detail", "details", "title", "errors")
_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Correlation-Id", "X-Amzn-RequestId", "CF-Ray")


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait by the Retry-After header, within 0 and LONGEST_WAIT; None if unusable."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), LONGEST_WAIT))
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(moment - (time.time() if now is None else now), 0.0), LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came; the body is whole for a success, an excerpt otherwise."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Judge(Protocol):
    """For systems whose answers say in their body, not by their status, what became of a call."""

    def __call__(self, received: Received, *, read: bool) -> RemoteError | bool:
        """The error that the body tells, True for its plain yes, False where the status has to tell."""


def receive(answer: BaseHTTPResponse, max_bytes: int) -> Received:
    """Reads an answer and gives its connection back, or closes it if not read to the end."""
    body = b""
    try:
        if 200 <= answer.status < 300:
            body = read_body(answer, max_bytes)
        else:
            # the status counts, whatever happens to the explanation after it
            with suppress(TooBig, HTTPError, HTTPException, OSError):
                body = read_body(answer, _LONGEST_EXPLANATION)
    except BaseException:
        answer.close()
        raise
    answer.release_conn() if answer.closed or not answer.length_remaining else answer.close()
    return Received(answer.status, answer.headers, body)


def error_for(
    received: Received, *, read: bool, gone: Collection[int], throttling: Collection[int]
) -> RemoteError | None:
    """The error a status stands for, or None for a success (2xx)."""
    status, headers = received.status, received.headers
    if 200 <= status < 300:
        return None
    # a 503 to a write may come from a proxy that gave up waiting: no proof of "not applied"
    if status in throttling or (read and status == 503 and "Retry-After" in headers):
        limited = RateLimited("it asks us to slow down")
        limited.after = retry_after(headers)
        return limited
    if status in {401, 403}:
        return ConnectionBroken("it does not accept our credentials")
    if 300 <= status < 400:
        return ConnectionBroken("it answered with a redirect and did nothing; check the base URL")
    if status in gone:
        return Gone("the record does not exist there")
    if status == 409:
        return RemoteConflict("it holds something that contradicts this")
    if 400 <= status < 500 and status not in _UNCLEAR_4XX:
        return Rejected("it refused this")
    if read:
        return RetryLater("it has trouble at the moment")
    return OutcomeUnknown("it failed while working on this, so this may or may not be applied")


def refusal(read: bool, what: str) -> RemoteError:
    """For a success that cannot be understood: bad for a read, unclear for a write."""
    if read:
        return BadResponse(f"its answer cannot be used: {what}")
    return OutcomeUnknown(f"its answer cannot be used: {what}; so this may or may not be applied")


def with_evidence(error: RemoteError, received: Received) -> RemoteError:
    """Adds status, request id, masked excerpt and the remote system's own words."""
    error.status = received.status
    error.keep_evidence(
        request_id=next(filter(None, map(received.headers.get, _REQUEST_ID_HEADERS)), ""),
        excerpt=received.body[:2000].decode("utf-8", "replace"),
        words=error.words or words_of(received.body),
    )
    return error


def words_of(body: bytes) -> str:
    """The message in an error body, where it has one under a common name."""
    try:
        return _message(orjson.loads(body[:100_000]))
    except orjson.JSONDecodeError:
        return ""


def _message(data: Any) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return "; ".join(filter(None, map(_message, data[:5])))
    if isinstance(data, dict):
        named = next(filter(None, (_message(data.get(key)) for key in _MESSAGE_KEYS)), "")
        return named or "; ".join(_of_fields(data))
    return ""


def _of_fields(data: dict[str, Any]) -> list[str]:
    """`{"name": ["This field is required."]}`, as some frameworks explain a refused form."""
    lists = [(key, _message(value)) for key, value in list(data.items())[:10] if isinstance(value, list)]
    return [f"{key}: {text}" for key, text in lists if text]
