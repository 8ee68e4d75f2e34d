"""Calls as CSV and XLSX, row by row."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from backoffice import spreadsheets
from bot_campaigns import outcomes
from bot_campaigns.models import Call

CHUNK = 2_000
COLUMNS = (
    "started_at", "number", "e164", "contact", "campaign", "outcome", "disposition", "hangup_cause",
    "duration", "talked", "kind", "callerid", "leg", "sip_status", "sip_cause", "far_end", "callid",
    "account", "remote_id",
)  # fmt: skip
PHONES = ("number", "e164")
FORMATS = ("csv", "xlsx")

_VALUES = (
    "started_at", "number", "e164", "contact__name", "campaign__name", "disposition", "hangup_cause",
    "duration", "billsec", "is_alarm", "is_otp", "callerid", "leg", "sip_term_status", "sip_term_cause",
    "endpoint_disposition", "callid", "connection__name", "remote_id",
)  # fmt: skip


def pieces(calls: "QuerySet[Call]", format: str) -> Iterator[bytes]:
    """The file, piece by piece, for a streamed response."""
    encode = spreadsheets.csv_pieces if format == "csv" else spreadsheets.xlsx_pieces
    return encode(COLUMNS, _rows(calls), PHONES)


def _rows(calls: "QuerySet[Call]") -> Iterator[dict[str, str]]:
    for values in calls.values_list(*_VALUES).iterator(chunk_size=CHUNK):
        (started, number, e164, contact, campaign, disposition, cause, duration, talked, alarm, otp,
         caller, leg, sip_status, sip_cause, far_end, callid, account, remote_id) = values  # fmt: skip
        yield {
            "started_at": _moment(started),
            "number": number,
            "e164": e164,
            "contact": contact or "",
            "campaign": campaign or "",
            "outcome": str(outcomes.GROUPS[outcomes.group_of(disposition)]),
            "disposition": disposition,
            "hangup_cause": cause,
            "duration": str(duration),
            "talked": str(talked),
            "kind": "reminder" if alarm else "otp" if otp else "campaign" if campaign else "",
            "callerid": caller,
            "leg": str(leg),
            "sip_status": sip_status,
            "sip_cause": sip_cause,
            "far_end": far_end,
            "callid": callid,
            "account": account,
            "remote_id": remote_id or "",
        }


def _moment(value: datetime | None) -> Any:
    """In the company's zone, with its offset, so that nobody has to guess."""
    return timezone.localtime(value).isoformat(sep=" ", timespec="seconds") if value else ""
