"""Udesk's part of the pull bench: signed calls, one batch after the other, nothing else.

Batches cannot be asked for ahead (each needs the cursor of the one before), so latency adds up in full.
"""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import orjson

from tests.benchmarks.vendors.table import Vendor
from tests.sandbox_fixture import SandboxControl

PATH = "/udesk/open_api_v1"
CREDENTIALS = {"email": "admin+api@sandbox.example.com", "api_token": "sandbox-udesk-token"}
BATCH = 1000
_nonces = itertools.count()


def pages(get: Callable[[str], bytes], since: str) -> Iterator[bytes]:
    """Every batch up to the empty one; each has to be parsed, for the next cursor is inside."""
    cursor = ""
    while True:
        query = _signed() | ({"scroll_id": cursor} if cursor else {})
        body = get(f"{PATH}/customers/export?{urlencode(query)}")
        data = orjson.loads(body)
        yield body
        if not data["customers"]:
            return
        cursor = data["scroll_id"]


def _signed() -> dict[str, str]:
    stamp, nonce = str(int(time.time())), f"bench-{time.monotonic_ns()}-{next(_nonces)}"
    text = "&".join((CREDENTIALS["email"], CREDENTIALS["api_token"], stamp, nonce, "v2"))
    sign = hashlib.sha256(text.encode()).hexdigest()
    email = CREDENTIALS["email"]
    return {"email": email, "timestamp": stamp, "nonce": nonce, "sign": sign, "sign_version": "v2"}


def rows(page: Any) -> int:
    """How many customers a parsed batch holds."""
    return len(page["customers"])


def shift(sandbox: SandboxControl) -> None:
    """Make every batch another one: the first customer goes."""
    first = sandbox.control("GET", "udesk/customers", state="live", brief=1)[0]
    sandbox.control("POST", "udesk/delete", {"id": first["id"]})


def edit(sandbox: SandboxControl, count: int, seed: int) -> int:
    """Change so many customers; how many different ones were hit."""
    done = sandbox.control("POST", "udesk/mutate", {"edits": count, "seed": seed})
    done = done["done"] if isinstance(done, dict) else done
    return len({each["id"] for each in done})


VENDOR = Vendor(
    name="udesk",
    path=PATH,
    page_size=BATCH,
    credentials=CREDENTIALS,
    headers={},
    pages=pages,
    rows=rows,
    steady=lambda sandbox: None,
    shift=shift,
    edit=edit,
    polls=False,
)
