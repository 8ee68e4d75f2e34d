"""AntCRM's part of the pull bench."""

import itertools
from collections.abc import Iterator

from tests.benchmarks.vendors.table import Get, Vendor
from tests.sandbox_fixture import SandboxControl


def _pages(get: Get, since: str) -> Iterator[bytes]:
    changed = f"&updateAtf={since}" if since else ""
    for family in ("lead", "customer"):
        for page in itertools.count(1):
            body = get(f"/antcrm/contacts?contactType={family}&page={page}&limit=20{changed}")
            yield body
            if len(body) <= 2:
                break


def _shift(sandbox: SandboxControl) -> None:
    for kind in ("lead", "customer"):
        sandbox.create(name="Người mới", contactType=kind)


def _edit(sandbox: SandboxControl, count: int, seed: int) -> int:
    edited = sandbox.mutate(edits=count, seed=seed)
    return len({(each.get("leadId"), each.get("customerId")) for each in edited})


VENDOR = Vendor(
    name="antcrm",
    path="/antcrm",
    page_size=20,
    credentials={"api_key": SandboxControl.key},
    headers={"apikey": SandboxControl.key},
    pages=_pages,
    rows=len,
    steady=lambda sandbox: sandbox.switches(sort="created"),
    shift=_shift,
    edit=_edit,
)
