"""How AntBOT shows rows: field by field, page by page, in Django REST framework's envelopes."""

import json
import random
from collections.abc import Callable
from datetime import datetime, time
from typing import Any
from urllib.parse import urlencode

from .antbot_clock import wire_time
from .antbot_dialer import ABORTED, COMPLETED, ENDED, NEW, PAUSED, STARTED
from .antbot_resources import CORE_CAMPAIGN_FIELDS, FIXED_CAMPAIGN_FIELDS
from .antbot_tables import Row, Tables
from .switches import Switches
from .wire import Answer, Request, json_answer

# Reading → what the status field shows. Under C a started campaign outside its window shows 2.
SHOWN = {
    "A": {NEW: 2, STARTED: 1, PAUSED: 2, ABORTED: 3, ENDED: 4, COMPLETED: 5},
    "B": {NEW: 2, STARTED: 1, PAUSED: 3, ABORTED: 4, ENDED: 4, COMPLETED: 5},
    "C": {NEW: 3, STARTED: 1, PAUSED: 3, ABORTED: 3, ENDED: 4, COMPLETED: 5},
}


def not_found(detail: str = "Not found.") -> Answer:
    """A 404 in the framework's shape."""
    return json_answer({"detail": detail}, 404)


def shown_status(campaign: Row, switches: Switches, dials_now: Callable[[Row], bool]) -> int:
    """The number a campaign shows."""
    state = campaign["_state"]
    if campaign["_raw"] is not None:
        return int(campaign["_raw"])
    if switches["odd_status"] and state == PAUSED:
        return int(switches["odd_status"])
    if switches["reading"] == "C" and state == STARTED and not dials_now(campaign):
        return 2
    return SHOWN[switches["reading"]][state]


def show(table: str, row: Row, tables: Tables, switches: Switches) -> dict[str, Any]:
    """One row as the API shows it."""
    shown = {key: _wire(value) for key, value in row.items() if not key.startswith("_")}
    if table == "campaign":
        shown = shown | FIXED_CAMPAIGN_FIELDS | {"status": row["_shown"]}
        if switches["campaign_fields"] == "core":
            shown = {key: shown[key] for key in CORE_CAMPAIGN_FIELDS}
    elif table == "contact" and switches["additional_vars"] == "object":
        shown["additional_vars"] = json.loads(row["additional_vars"] or "{}")
    elif table == "cdr" and switches["cdr_id"] == "no":
        del shown["id"]
    elif table == "subscriber" and switches["subscriber_contact"] == "number":
        shown["contact"] = row["_number"]
    elif table == "subscriber" and switches["subscriber_contact"] == "object":
        contact = tables["contact"].get(row["contact"])
        shown["contact"] = show("contact", contact, tables, switches) if contact else None
    elif table == "calendar_user":
        shown["password"] = row["_password_hash"]
    return shown


def _wire(value: Any) -> Any:
    if isinstance(value, datetime):
        return wire_time(value)
    if isinstance(value, time):
        return value.isoformat()
    return list(value) if isinstance(value, list) else value


class Pager:
    """Cuts lists into pages."""

    def __init__(self, switches: Switches, seed: int) -> None:
        self._switches = switches
        self._seed = seed
        self._deals = 0

    def ordered(self, rows: list[Row], request: Request) -> list[Row]:
        """The rows in the order the switch asks for."""
        order = self._switches["sort"]
        if order == "id_desc":
            return rows[::-1]
        if order == "random":
            if request.query.get("page", "1") == "1":
                self._deals += 1
            rows = list(rows)
            random.Random(f"{self._seed}.{self._deals}").shuffle(rows)
        return rows

    def answer(self, rows: list[Row], request: Request, shower: Callable[[Row], Any]) -> Answer:
        """The page the request asks for; beyond the last one there is nothing, which is a 404."""
        envelope, size = self._switches["envelope"], max(1, self._switches["page_size"])
        rows = self.ordered(rows, request)
        if envelope == "list":
            return json_answer([shower(row) for row in rows])
        last = max(1, -(-len(rows) // size))
        asked = request.query.get("page", "1")
        page = last if asked == "last" else int(asked) if asked.isdecimal() and len(asked) < 10 else 0
        if not 1 <= page <= last:
            return not_found("Invalid page.")
        found = [shower(row) for row in rows[(page - 1) * size : page * size]]
        if envelope == "list_pages":
            return json_answer(found)
        if envelope == "results":
            return json_answer({"results": found})
        return json_answer(
            {
                "count": len(rows),
                "next": self._link(request, page + 1) if page < last else None,
                "previous": self._link(request, page - 1) if page > 1 else None,
                "results": found,
            }
        )

    def _link(self, request: Request, page: int) -> str:
        """An absolute URL, as the server believes it is called."""
        query = {key: value for key, value in request.query.items() if key != "page"}
        if page > 1:
            query["page"] = str(page)
        host = f"http://{request.headers.get('host', '127.0.0.1')}"
        if self._switches["next_host"] == "wrong":
            host = "http://alice-internal:8000"
        return f"{host}{request.path}" + (f"?{urlencode(query)}" if query else "")
