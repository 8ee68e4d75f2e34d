"""What an account allows, found out by reads alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backoffice.remote.errors import ConnectionBroken, Gone, Rejected, RemoteError
from crm_bridge.connectors.base import Finding
from crm_bridge.connectors.udesk import payloads
from crm_bridge.connectors.udesk.client import PAGE_SIZE, UdeskClient

#: An id no account reaches: what is answered for it is what absence looks like here.
_NOBODY = "99999999999"


def findings(client: UdeskClient) -> list[Finding]:
    """One line for each interface that can be looked at. Raises only when the account refuses us."""
    probes: tuple[tuple[str, str, Callable[[UdeskClient], tuple[bool | None, str]]], ...] = (
        ("list", "List of customers", _list),
        ("export", "Export of all customers", _export),
        ("absence", "Customers that are not there", _absence),
        ("definitions", "Custom fields (deprecated by the vendor)", _definitions),
        ("filters", "Saved filters", _filters),
        ("history", "History of a customer", _history),
    )
    found = []
    for key, label, look in probes:
        try:
            ok, words = look(client)
        except ConnectionBroken:
            raise
        except (RemoteError, ValueError) as error:
            ok, words = False, str(error)
        found.append(Finding(key, label, ok, words))
    return found


def _list(client: UdeskClient) -> tuple[bool | None, str]:
    page = _first_page(client)
    whole = len(page.items) == PAGE_SIZE or page.total == len(page.items)
    words = f"{page.total if page.total is not None else 'an unknown number of'} customers"
    if not whole:
        return False, f"{words}; a page of {PAGE_SIZE} came with {len(page.items)}"
    return True, f"{words}; pages of {PAGE_SIZE}"


def _export(client: UdeskClient) -> tuple[bool | None, str]:
    body = client.export()
    data = client.session.parse(body, operation="export customers")
    page, total = payloads.split_export(data), payloads.export_total(data)
    listed = _first_page(client).total
    words = f"a first batch of {len(page.items)}, {total if total is not None else 'no'} in total"
    if total is not None and listed is not None and total != listed:
        return None, f"{words}, while the list counts {listed}"
    return True, words


def _absence(client: UdeskClient) -> tuple[bool | None, str]:
    try:
        client.customer(("id", _NOBODY))
    except Gone:
        return True, "code 2005, which proves absence"
    except Rejected as error:
        return False, f"another refusal, which proves nothing: {error.words or error.reason}"
    return False, "it answers with a customer nobody asked for"


def _definitions(client: UdeskClient) -> tuple[bool | None, str]:
    count = len(payloads.elements(client.custom_fields(), "custom_fields"))
    return True, f"{count} definitions"


def _filters(client: UdeskClient) -> tuple[bool | None, str]:
    found = payloads.elements(client.filters(), "customer_filters")
    active = sum(1 for each in found if isinstance(each, dict) and each.get("active"))
    return True, f"{len(found)} filters, {active} of them active"


def _history(client: UdeskClient) -> tuple[bool | None, str]:
    items = [item for item in _first_page(client).items if item.remote_id]
    if not items:
        return None, "there is no customer to look at"
    feeds = payloads.elements(client.feeds(("id", items[0].remote_id)), "feeds")
    return True, f"{len(feeds)} entries of one customer"


def _first_page(client: UdeskClient) -> Any:
    data = client.session.parse(client.customers(), operation="list customers")
    return payloads.split_list(data)
