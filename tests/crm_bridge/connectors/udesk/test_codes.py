"""What each code means, in either shape of an error; the lists are closed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backoffice.remote.answers import Received
from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Gone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteConflict,
    StaleCredential,
)
from crm_bridge.connectors.udesk.codes import NotInPlan, WrongCursor, judge


def judged(body: Any, status: int = 200, *, read: bool = True, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge(Received(status, headers, raw), read=read)


@pytest.mark.parametrize("status", [200, 201, 400, 404, 500])
@pytest.mark.parametrize(
    "body", [{"code": 1000}, {"code": "1000", "x": 1}, b' {\n "code" : 1000 , "a": [1]}']
)
def test_success_is_code_1000_whatever_the_status(body: Any, status: int) -> None:
    assert judged(body, status) is True


KINDS = [
    (2005, Gone, Gone),
    (2000, Rejected, Rejected),
    (2060, Rejected, Rejected),
    (2062, WrongCursor, Rejected),
    (206201, Rejected, Rejected),
    (206211, Rejected, Rejected),
    (2002, ConnectionBroken, ConnectionBroken),
    (2015, ConnectionBroken, ConnectionBroken),
    (2058, NotInPlan, NotInPlan),
    (2059, ConnectionBroken, ConnectionBroken),
    (20621, StaleCredential, StaleCredential),
    (20622, StaleCredential, StaleCredential),
    (20623, StaleCredential, StaleCredential),
    (20624, StaleCredential, StaleCredential),
    (429, RateLimited, RateLimited),
    (2001, BadResponse, OutcomeUnknown),
    (0, BadResponse, OutcomeUnknown),
    (200, BadResponse, OutcomeUnknown),
    (-1, BadResponse, OutcomeUnknown),
]


@pytest.mark.parametrize(("code", "read", "write"), KINDS)
@pytest.mark.parametrize("status", [200, 400])
def test_each_code(code: int, read: type, write: type, status: int) -> None:
    assert type(judged({"code": code, "message": "x"}, status)) is read
    assert type(judged({"code": code, "message": "x"}, status, read=False)) is write


@pytest.mark.parametrize("code", [None, True, "ok", "", [1000], 1000.0])
def test_what_is_no_code_is_no_yes(code: Any) -> None:
    assert type(judged({"code": code})) is BadResponse
    assert type(judged({"code": code}, read=False)) is OutcomeUnknown
    assert judged({"code": code}, 500) is False


@pytest.mark.parametrize("body", [b"", b"oops", b"<html>", b"NaN"])
def test_what_is_no_json_is_left_to_the_status(body: bytes) -> None:
    assert judged(body, 502) is False


@pytest.mark.parametrize("body", [[], "x", None, 5])
def test_json_without_a_code_is_unclear_under_a_success(body: Any) -> None:
    assert type(judged(body)) is BadResponse
    assert type(judged(body, read=False)) is OutcomeUnknown
    assert judged(body, 404) is False


@pytest.mark.parametrize(
    ("told", "status", "headers", "after"),
    [
        ({"code": 429}, 200, {}, 60),
        ({"code": 429}, 429, {"Retry-After": "7"}, 7),
        (b"slow down", 429, {}, 60),
        ({"code": 1000}, 429, {}, 60),
    ],
)
def test_too_many_waits_a_minute_unless_told_otherwise(
    told: Any, status: int, headers: dict[str, str], after: float
) -> None:
    error = judged(told, status, read=False, **headers)
    assert (type(error), error.after) == (RateLimited, after)


@pytest.mark.parametrize("exception", [{"message": "Couldn't find Customer"}, "Couldn't find Customer", None])
@pytest.mark.parametrize("key", ["message", "code_message"])
def test_missing_parameter_is_not_absence_however_it_is_told(exception: Any, key: str) -> None:
    error = judged({"code": 2000, key: "Unknown error", "exception": exception})
    assert type(error) is Rejected
    assert error.words == ("Unknown error: Couldn't find Customer" if exception else "Unknown error")


@pytest.mark.parametrize(
    "detail",
    [
        "Email duplicate: customer id = 27",
        "web_token duplicate: abc",
        "Verification failed: Phone 13100000002 has been used",
        "WeChat information (appid: a, openid: b) already exists in customer (id: 5)",
        "邮箱已存在",
    ],
)
def test_duplicates_are_told_apart_and_phones_masked(detail: str) -> None:
    error = judged({"code": 2000, "message": "Unknown error", "exception": {"message": detail}}, read=False)
    assert type(error) is RemoteConflict
    assert "13100000002" not in error.words
    assert "27" in error.words or "27" not in detail
