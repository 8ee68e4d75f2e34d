"""Reads an answer's body within its bounds and turns JSON bytes into data."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson
from urllib3.response import BaseHTTPResponse

_CHUNK = 65536
_SURROGATE = re.compile("[\ud800-\udfff]")
#: orjson reads 1024 levels but writes only 254; nothing deeper than this comes in.
_MAX_DEPTH = 200
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class TooBig(Exception):
    """More bytes, after decompression, than any honest answer has."""


class NotJson(ValueError):
    """The bytes are not JSON we can accept; the text says why."""


def read_body(answer: BaseHTTPResponse, max_bytes: int) -> bytes:
    """Reads to the end, counting decoded bytes; raises TooBig past the cap."""
    announced = answer.headers.get("Content-Length", "")
    if announced.isdigit() and len(announced) < 20 and int(announced) > max_bytes:
        raise TooBig
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(_CHUNK, decode_content=True):
        size += len(part)
        if size > max_bytes:
            raise TooBig
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def parse_json(body: bytes) -> Any:
    """JSON as strict as orjson, with two documented mercies for single bad characters.

    NUL characters are dropped from texts (PostgreSQL cannot store them) and lone surrogates
    become U+FFFD, so that one odd name does not make a whole page unreadable. Whole numbers
    beyond 64 bits come as floats or int. NaN, wrong UTF-8 and deep nesting are refused.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        data = _forgiving(body, error)
    if b"\\u0000" in body or _may_be_deep(body):
        data = _clean(data)
    return data


def _may_be_deep(body: bytes) -> bool:
    """Cheap upper bound of the nesting: peels pairs of brackets from the inside out."""
    left = body.translate(None, _NO_BRACKETS)
    for depth in range(_MAX_DEPTH):
        inner = left.replace(b"[]", b"").replace(b"{}", b"")
        if len(inner) == len(left):  # empty, or brackets inside texts: count these as levels
            return depth + len(left) > _MAX_DEPTH
        left = inner
    return True


def _forgiving(body: bytes, why: orjson.JSONDecodeError) -> Any:
    """Only for texts with lone surrogates, which the strict parser refuses."""
    if rb"\ud" not in body.lower():
        raise NotJson(f"not JSON: {why.msg}") from why
    try:
        return _clean(json.loads(body, parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        raise NotJson(f"not JSON: {why.msg}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _clean(data: Any, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        raise NotJson("nested too deeply")
    if isinstance(data, str):
        return _SURROGATE.sub("\ufffd", data.replace("\0", ""))
    if isinstance(data, dict):
        return {_clean(key): _clean(value, depth + 1) for key, value in data.items()}
    if isinstance(data, list):
        return [_clean(item, depth + 1) for item in data]
    return data
