"""Nothing secret or personal survives in texts, structures and log records."""

from __future__ import annotations

import io
import logging
import pickle

import pytest

from backoffice.remote.errors import OutcomeUnknown, RateLimited, RemoteError
from backoffice.remote.redact import RedactingFilter, redact, redact_data

SECRET = "s3cr3t-Value_4711"


@pytest.mark.parametrize(
    "text",
    [
        f"apikey: {SECRET}",
        f"apikey={SECRET}&page=2",
        f'{{"api_key": "{SECRET}", "page": 2}}',
        f"{{'password': '{SECRET}'}}",
        f'{{\\"access_token\\": \\"{SECRET}\\"}}',
        f"https://x.example/a?sign={SECRET}",
        f"https://user:{SECRET}@x.example/",
        f"Authorization: Bearer {SECRET}",
        f"Bearer {SECRET}",
        f"client_secret = {SECRET}",
        f'"X-API-Key": "{SECRET}"',
        f"refreshToken={SECRET}",
        f"Set-Cookie: {SECRET}; Path=/",
        f"pwd:{SECRET}",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    assert SECRET not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "number",
    [
        "0912345678",
        "+84912345678",
        "84912345678",
        "0912 345 678",
        "0912.345.678",
        "091-234-5678",
        "(091) 234 5678",
        "+84 (0) 912 345 678",
        "%2B84912345678",
        "0912%20345%20678",
    ],
)
def test_phones_keep_their_last_three_digits(number: str) -> None:
    assert redact(f"call {number} now") == "call ***678 now"
    assert redact(f"?phone={number}&page=1") == "?phone=***678&page=1"


@pytest.mark.parametrize("address", ["an.nguyen@example.com", "a+b@mail.example.vn", "an%40example.com"])
def test_e_mail_addresses_are_masked(address: str) -> None:
    assert redact(f"?email={address}&page=1 <{address}>") == "?email=***@***&page=1 <***@***>"


@pytest.mark.parametrize(
    "text",
    [
        "GET /contacts page 12 of 5001, 20 records",
        "leadId 1234567",
        "updateAtf=2025-05-30",
        "68246bf18cd2b8bf9efb3d86",
        "design: done; signal: strong; tokens: 5",
    ],
)
def test_ordinary_words_and_numbers_stay(text: str) -> None:
    assert redact(text) == text


def test_structures_are_masked_by_key_and_by_text() -> None:
    data = {
        "apikey": SECRET,
        "phone": 912345678,
        "emails": "an@example.com",
        "nested": [{"note": "gọi 0912345678", "n": 5, "none": None}],
        "raw": b"Bearer abcdefgh",
    }
    assert redact_data(data) == {
        "apikey": "***",
        "phone": "***678",
        "emails": "***@***",
        "nested": [{"note": "gọi ***678", "n": 5, "none": None}],
        "raw": "Bearer ***",
    }


def logged(*arguments: object, **keywords: object) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s %(extra)s", defaults={"extra": ""}))
    handler.addFilter(RedactingFilter())
    log = logging.Logger("test")
    log.addHandler(handler)
    log.error(*arguments, **keywords)  # type: ignore[arg-type]
    return stream.getvalue()


def test_log_filter_masks_message_arguments_extras_and_traceback() -> None:
    try:
        raise ValueError(f"GET /contacts?phone=0912345678&apikey={SECRET} failed")
    except ValueError as error:
        text = logged(
            "call %s for %s", error, "an@example.com", exc_info=True, extra={"extra": {"token": SECRET}}
        )
    assert SECRET not in text
    assert "0912345678" not in text
    assert "an@example.com" not in text
    assert "Traceback" in text
    assert "ValueError" in text


def test_log_line_cannot_be_forged() -> None:
    text = logged("name %s", "An\nERROR forged\r\x1b[31m\u2028\u202e")
    assert text.count("\n") == 1
    assert text.startswith("ERROR name An\\nERROR forged\\r\\x1b[31m\\u2028\\u202e")


def test_wrong_number_of_arguments_is_still_logged_and_masked() -> None:
    assert "0912345678" not in logged("call %s %s", "0912345678")


def test_errors_are_readable_and_hold_no_personal_data() -> None:
    error = RemoteError(
        "it refused this",
        connection="Sài Gòn",
        operation="create",
        status=422,
        words="phone 0912 345 678 is taken\nby an@example.com",
        excerpt=f'{{"apikey":"{SECRET}"}}',
    )
    assert str(error) == (
        "Sài Gòn, create: it refused this (HTTP 422). Its words: “phone ***678 is taken\\nby ***@***”"
    )
    assert SECRET not in error.excerpt


def test_errors_survive_the_way_between_processes() -> None:
    error = RateLimited("slow down", connection="A", status=429, words="wait")
    error.after = 5.0
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.after, copy.status) == (str(error), 5.0, 429)
    assert str(OutcomeUnknown("plain")) == "plain"
