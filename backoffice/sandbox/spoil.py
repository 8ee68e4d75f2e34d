"""Bodies no client wants: wrong types, impossible numbers, bombs, endless streams."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

HTML = "<!doctype html><html><head><title>Đăng nhập</title></head><body><form>…</form></body></html>"
WRONG_TYPES: tuple[tuple[str, Any], ...] = (
    ("phones", None),
    ("phones", "0934000000"),
    ("phones", {"value": "0934000000"}),
    ("emails", [None, 7, "a@example.com"]),
    ("name", None),
    ("name", ["Nguyễn"]),
    ("createdAt", "hôm qua"),
    ("updatedAt", {"$date": 1}),
    ("tags", "VIP"),
    ("addresses", {"city": "Huế"}),
    ("cusFields", 5),
    ("gender", "nam"),
    ("id", "12a"),
    ("id", 12.5),
    ("id", None),
    ("total", None),
)
MARK = "7777777777777777"
LISTS = ("data", "results", "items", "customers")
#: What some vendors call the fields that rules name.
ALIASES = {"id": ("leadId", "customerId"), "name": ("nick_name",)}


def dump(value: Any) -> bytes:
    """JSON bytes; characters UTF-8 cannot carry are escaped."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def endless(size: int) -> Iterator[bytes]:
    """A JSON array that goes on and on, up to `size` bytes."""
    yield b"["
    block = b'{"name":"' + b"a" * 65_000 + b'"},'
    for _ in range(size // len(block)):
        yield block


@lru_cache(maxsize=4)
def gzip_bomb(size: int, layers: int) -> bytes:
    """Some kilobytes that unpack, layer by layer, to `size` bytes of JSON text."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as archive:
        archive.write(b'["')
        for _ in range(size // 1_048_576):
            archive.write(b"a" * 1_048_576)
        archive.write(b'"]')
    bomb = packed.getvalue()
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb)
    return bomb


def records_of(value: Any) -> list[Any]:
    """The list of records inside an answer of any shape, or an empty list."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        inner = next((v for k, v in value.items() if k in LISTS and isinstance(v, list)), None)
        return [value] if inner is None else inner
    return []


def fewer_records(body: bytes, drop: int | None) -> bytes:
    """The same page without its last `drop` records (0: half of them, None: all)."""
    value = json.loads(body)
    records = records_of(value)
    if records == [value]:
        return b"[]"
    keep = 0 if drop is None else max(0, len(records) - drop) if drop else len(records) // 2
    del records[keep:]
    return dump(value)


def wrong_types(body: bytes, options: dict[str, Any], turn: int) -> bytes:
    """Some records (or the envelope) with a field of the wrong type, or without it."""
    field, wrong = options["field"], options["value"]
    if field is None:
        field, wrong = WRONG_TYPES[(turn - 1) % len(WRONG_TYPES)]
    value = json.loads(body)
    targets = [value] if field in ("total", "success", "data") else records_of(value)[: options["records"]]
    for target in targets:
        if not isinstance(target, dict):
            continue
        key = _key(target, field)
        if options["missing"]:
            target.pop(key, None)
        else:
            target[key] = wrong
    return dump(value)


def success(body: bytes, options: dict[str, Any], turn: int) -> bytes:
    """The answer with another `success` (or what `key` names), or without it."""
    value = json.loads(body)
    if isinstance(value, dict):
        value[options["key"]] = options["value"]
        if options["remove"]:
            del value[options["key"]]
    return dump(value)


def big_int(body: bytes, options: dict[str, Any], turn: int) -> bytes:
    """The first record with an integer of very many digits."""
    changed = _in_first(body, options["field"] or "id", int(MARK))
    return changed.replace(MARK.encode(), b"7" * options["digits"])


def nan(body: bytes, options: dict[str, Any], turn: int) -> bytes:
    """The first record with NaN, which is not JSON."""
    return _in_first(body, options["field"], float("nan"))


def nul(body: bytes, options: dict[str, Any], turn: int) -> bytes:
    """The first record with a NUL character inside a text."""
    return _in_first(body, options["field"], "Nguyễn\x00 Văn\x00")


def lone_surrogate(body: bytes, options: dict[str, Any], turn: int) -> bytes:
    """The first record with half of a surrogate pair inside a text."""
    return _in_first(body, options["field"], "Nguyễn \ud83d Văn")


def _in_first(body: bytes, field: str, wrong: Any) -> bytes:
    value = json.loads(body)
    for record in records_of(value)[:1]:
        if isinstance(record, dict):
            record[_key(record, field)] = wrong
    return dump(value)


def _key(record: dict[str, Any], field: str) -> str:
    return next((key for key in (field, *ALIASES.get(field, ())) if key in record), field)


JSON_SPOILERS: dict[str, Callable[[bytes, dict[str, Any], int], bytes]] = {
    "wrong_types": wrong_types,
    "success": success,
    "big_int": big_int,
    "nan": nan,
    "nul": nul,
    "lone_surrogate": lone_surrogate,
}
