"""Concord's part of the pull bench: its list walked by hand, as the floor of the pull needs it."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from tests.benchmarks.vendors.table import Vendor
from tests.sandbox_fixture import SandboxControl

PATH = "/concord/api"
CREDENTIALS = {"token": "sandbox-concord-token"}
HEADERS = {
    "Authorization": f"Bearer {CREDENTIALS['token']}",
    "Accept": "application/json",
    "Content-Type": "application/json",
}
PAGE_SIZE = 100


def pages(get: Callable[[str], bytes], since: str) -> Iterator[bytes]:
    """Every page of the list to its end; of changes only those since a day, newest first."""
    order = "updated_at%7Cdesc" if since else "created_at"
    first = datetime.fromisoformat(since).replace(tzinfo=UTC) if since else None
    for page in itertools.count(1):
        body = get(f"{PATH}/contacts?order={order}&per_page={PAGE_SIZE}&page={page}")
        yield body
        if b'"next":null' in body[-600:]:
            return
        if first and datetime.fromisoformat(orjson.loads(body)["data"][-1]["updated_at"]) < first:
            return


def rows(page: Any) -> int:
    """How many contacts a parsed page holds."""
    return len(page["data"])


def steady(sandbox: SandboxControl) -> None:
    """Nothing to do: in order of creation pages stay as they are."""


def shift(sandbox: SandboxControl) -> None:
    """Make every page another one: the first contact goes."""
    first = sandbox.control("GET", "concord/contacts", state="live")[0]
    sandbox.control("POST", "concord/trash", {"id": first["id"]})


def edit(sandbox: SandboxControl, count: int, seed: int) -> int:
    """Change so many contacts; how many different ones were hit."""
    done = sandbox.control("POST", "concord/mutate", {"edits": count, "seed": seed})["done"]
    return len({each["id"] for each in done})


VENDOR = Vendor(
    name="concord",
    path=PATH,
    page_size=PAGE_SIZE,
    credentials=CREDENTIALS,
    headers=HEADERS,
    pages=pages,
    rows=rows,
    steady=steady,
    shift=shift,
    edit=edit,
)
