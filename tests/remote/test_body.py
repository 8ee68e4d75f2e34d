"""JSON from outside: strict where it matters, forgiving for single bad characters."""

from __future__ import annotations

import time

import pytest

from backoffice.remote.body import NotJson, parse_json


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html></html>",
        b"[NaN]",
        b"[Infinity]",
        b'["\xff\xfe"]',
        b"[" * 100_000,
        b"[" * 300 + b"]" * 300,
        b'{"a":' * 250 + b"1" + b"}" * 250,
        b'["\\ud800", NaN]',
        b'["\\ud800"' + b",[" * 3000,
    ],
)
def test_what_is_not_acceptable_json_is_refused(body: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(NotJson):
        parse_json(body)
    assert time.monotonic() - started < 1


def test_nul_is_dropped_and_lone_surrogates_are_replaced() -> None:
    body = b'{"na\\u0000me": ["A\\u0000n", "B\\uD800\\u1eddi", "\\ud83d\\ude00", 5, null]}'
    assert parse_json(body) == {"name": ["An", "B\ufffdời", "😀", 5, None]}


def test_nul_alone_is_dropped_too() -> None:
    assert parse_json(b'[{"a": "A\\u0000n"}]') == [{"a": "An"}]


def test_escaped_text_that_only_looks_like_nul_survives() -> None:
    assert parse_json(b'["C:\\\\u0000"]') == ["C:\\u0000"]


@pytest.mark.parametrize("digits", [19, 20, 40, 1_000_000])
def test_huge_numbers_do_not_break_the_page(digits: int) -> None:
    started = time.monotonic()
    try:
        data = parse_json(b'[{"id": 1, "big": ' + b"9" * digits + b"}]")
    except NotJson:
        assert digits > 300
    else:
        assert data[0]["id"] == 1
    assert time.monotonic() - started < 1


def test_depth_within_reason_and_brackets_in_texts_are_fine() -> None:
    deep = b"[" * 100 + b"]" * 100
    texts = b'["' + b"[{" * 500 + b'", ' + deep + b"]"
    assert parse_json(texts)[0] == "[{" * 500
    assert parse_json(b'{"a": {"b": []}}') == {"a": {"b": []}}
