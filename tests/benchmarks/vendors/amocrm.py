"""amoCRM's part of the pull bench: its list walked by hand, as the floor of the pull needs it."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.vendors.table import Vendor
from tests.sandbox_fixture import SandboxControl

CREDENTIALS = {"token": "sandbox-amocrm-token"}
HEADERS = {"Authorization": f"Bearer {CREDENTIALS['token']}"}
PAGE_SIZE = 250


def pages(get: Callable[[str], bytes], since: str) -> Iterator[bytes]:
    """Every page of the list to its end; of changes only those since a day, newest first."""
    order = "order[updated_at]=desc" if since else "order[id]=asc"
    first = int(datetime.fromisoformat(since).replace(tzinfo=UTC).timestamp()) if since else 0
    narrowed = f"&filter[updated_at][from]={first}" if since else ""
    for page in itertools.count(1):
        body = get(f"/amocrm/api/v4/contacts?page={page}&limit={PAGE_SIZE}&{order}{narrowed}")
        if body:
            yield body
        if b'"next"' not in body[:1000]:
            return


def rows(page: Any) -> int:
    """How many contacts a parsed page holds."""
    return len(page["_embedded"]["contacts"])


def shift(sandbox: SandboxControl) -> None:
    """Make every page another one: the first contact goes."""
    first = sandbox.control("GET", "amocrm/contacts", state="live", brief=1)[0]
    sandbox.control("POST", "amocrm/trash", {"id": first["id"]})


def edit(sandbox: SandboxControl, count: int, seed: int) -> int:
    """Change so many contacts; how many different ones were hit."""
    done = sandbox.control("POST", "amocrm/mutate", {"edits": count, "seed": seed})["done"]
    return len({each["id"] for each in done})


VENDOR = Vendor(
    name="amocrm",
    path="/amocrm",
    page_size=PAGE_SIZE,
    credentials=CREDENTIALS,
    headers=HEADERS,
    pages=pages,
    rows=rows,
    steady=lambda sandbox: None,
    shift=shift,
    edit=edit,
)
