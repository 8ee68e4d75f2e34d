"""How AntCRM shows a record: the list shape, the raw trash and merge shapes, and the truth.

The vendor's page prints the list fields as empty strings, so their wire types are switches; the
raw documents follow the page's two samples key by key.
"""

from datetime import UTC, datetime
from typing import Any

from .seed import LEAD, plain
from .state import STATE_NAMES, ContactBook, Record
from .switches import Switches

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip


def timestamp(ms: int, style: str) -> Any:
    """A moment as `ms`, `text_ms`, `iso` (UTC) or `iso_naive` (Vietnam's clock, no zone)."""
    if style == "ms":
        return ms
    if style == "text_ms":
        return str(ms)
    shown = ms + 7 * 3_600_000 if style == "iso_naive" else ms
    text = datetime.fromtimestamp(shown // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{shown % 1000:03d}"
    return text if style == "iso_naive" else text + "Z"


def birth_date(value: str | None, style: str) -> Any:
    """A stored ISO date as the list shows it; blank values stay what they are."""
    if not value or style == "iso":
        return value
    year, month, day = value.split("-")
    return f"{MONTHS[int(month) - 1]} {int(day)}, {year}"


def kind_name(kind: int) -> str:
    """The vendor's contactType of a kind."""
    return "lead" if kind == LEAD else "customer"


def id_name(kind: int) -> str:
    """The key that carries the number of this kind."""
    return "leadId" if kind == LEAD else "customerId"


def list_shape(book: ContactBook, record: Record, switches: Switches) -> dict[str, Any]:
    """A record as `GET /contacts` shows it."""
    fields, position = record.fields, record.position
    kind, number = book.kinds[position], book.numbers[position]
    style = switches["timestamps"]
    text = switches["numbers"] == "text"
    staff = fields["responsibleStaff"]
    if staff and switches["list_staff"] == "email":
        staff = book.staff_emails.get(staff, staff)
    shown: dict[str, Any] = {
        "name": fields["name"],
        "contactType": kind_name(kind),
        "type": _number(int(kind == 2), text),
        id_name(kind): _number(number, text),
        "dateOfBirth": birth_date(fields["dateOfBirth"], switches["birth_date"]),
        "gender": _number(fields["gender"], text),
        "addresses": fields["addresses"],
        "phones": fields["phones"],
        "emails": fields["emails"],
        "industry": fields["industry"],
        "im": fields["im"],
        "bgInfo": fields["bgInfo"],
        "stage": fields["stage"],
        "tags": fields["tags"],
        "sourceContact": fields["sourceContact"],
        "responsibleStaff": staff,
        "cusFields": _custom_fields(book, fields["cusFields"], switches["list_custom_fields"]),
        "scoreAvailable": fields["scoreAvailable"],
        "scoreRank": fields["scoreRank"],
        "rankName": fields["rankName"],
        "createdAt": timestamp(book.created[position], style),
        "updatedAt": timestamp(book.updated[position], style),
        "createdByBot": fields["createdByBot"],
        "historiesAds": fields["historiesAds"],
    }
    if fields["sourceLead"] is not None:
        shown["sourceLead"] = source_lead(book, record, switches)
    if switches["list_other_id"] == "empty":
        shown["customerId" if kind == LEAD else "leadId"] = ""
    if switches["list_id"] == "yes":
        shown["_id"] = record.oid
    if switches["echo_code"] == "yes" and record.code:
        shown["customerIdApiRing"] = record.code
    shown.update(fields.get("extra", {}))
    return shown


def source_lead(book: ContactBook, record: Record, switches: Switches) -> dict[str, str]:
    """Where a converted customer came from: the lead itself, or (the page allows it) the lead's source."""
    lead = book.get(record.fields["sourceLead"])
    if switches["source_lead"] == "source":
        return {"_id": book.data.org, "code": "6", "name": lead.fields["sourceContact"] or "Website"}
    return {"_id": lead.oid, "code": str(book.numbers[lead.position]), "name": lead.fields["name"]}


def _number(value: int, text: bool) -> Any:
    return str(value) if text else value


def _custom_fields(book: ContactBook, items: list[dict[str, Any]], style: str) -> list[dict[str, Any]]:
    if style == "id_value" or not items:
        return items
    named = [{"name": book.definitions[item["id"]], "value": item["value"]} for item in items]
    if style == "name_value":
        return named
    return [{"id": item["id"]} | shown for item, shown in zip(items, named, strict=True)]


def raw_shape(book: ContactBook, record: Record, *, merged: bool) -> dict[str, Any]:
    """A record as the trash (`merged=False`) or merge list shows it: the stored document."""
    fields, position = record.fields, record.position
    kind = book.kinds[position]
    born = fields["dateOfBirth"] or None
    year, month, day = (int(part) for part in born.split("-")) if born else (None, None, None)
    creator = book.data.staff[0][0]
    shown: dict[str, Any] = {
        "_id": record.oid,
        "contactType": kind_name(kind),
        "membership": 0,
        "fullInfoTransactionApiRing": False,
        "fullInfoCustomerApiRing": False,
        "type": int(kind == 2),
        "normalize": plain(fields["name"]),
        "title": "",
        "lastname": fields["lastname"],
        "passport": "",
        "gender": fields["gender"],
        "dateOfBirth": f"{born}T00:00:00.000Z" if born else None,
        "dateOfBirth2": "",
        "dayOfBirth": day,
        "monthOfBirth": month,
        "yearOfBirth": year,
        "avatar": "",
        "facebook": "",
        "linkedin": "",
        "twitter": "",
        "sourceLead": None if fields["sourceLead"] is None else book.get(fields["sourceLead"]).oid,
        "sourceContact": fields["sourceContact"],
        "leadStatus": None,
        "bgInfo": fields["bgInfo"],
        "tags": fields["tags"],
        "noteCount": 0,
        "favorites": [],
        "contactId": fields["contactId"],
        "stage": fields["stage"],
        "leadStage": None,
        "sendSMSCount": 0,
        "sendEmailCount": 0,
        "calledCount": 0,
        "industry": fields["industry"],
        "normalizeCompanyLead": "",
        "isConvertedLead": False,
        "segments": [],
        "blockedFB": False,
        "zalo_id": "",
        "omniName": "",
        "pageId": "",
        "name": fields["name"],
        "org": book.data.org,
        "createdBy": creator,
        "phones": fields["phones"],
        "addresses": fields["addresses"],
        "emails": fields["emails"],
        "im": fields["im"],
        "websites": [],
        "cusFields": fields["cusFields"],
        "createdAt": book.created[position],
        "historiesAds": fields["historiesAds"],
        "updatedAt": book.updated[position],
        "responsibleStaff": fields["responsibleStaff"],
        id_name(kind): book.numbers[position],
        "__v": 0,
    }
    if merged:
        shown |= {
            "files": [],
            "scoreAvailable": fields["scoreAvailable"],
            "scoreRank": fields["scoreRank"],
            "permit": {"status": 1, "group": fields["group"], "users": []},
            "assignedAt": book.created[position] - 5,
            "reassignLeadStatus": "",
            "zaloPAFriendStatus": "unfriend",
        }
    else:
        shown |= {
            "isFollowOA": False,
            "zaloPAFriendStatus": "not_friend",
            "createdByBot": fields["createdByBot"],
            "permit": {"status": 1},
        }
    shown.update(fields.get("extra", {}))
    shown["inTrash"] = in_trash(book, position)
    return shown


def in_trash(book: ContactBook, position: int) -> dict[str, Any]:
    """A trashed record's own note, or the survivor of a merged one as it is now."""
    note = book.trash_note(position)
    if note:
        return {"_id": note.oid, "trashAt": note.at, "trashBy": note.by}
    survivor = book.get(book.survivors[position])
    return {"_id": survivor.oid} | {name: survivor.fields[name] for name in ("name", "phones", "emails")}


def brief(book: ContactBook, position: int) -> dict[str, Any]:
    """Which record, in what state and when last changed: enough to compare whole accounts."""
    return {
        "_id": book.oid(position),
        "kind": ("lead", "contact", "account")[book.kinds[position]],
        id_name(book.kinds[position]): book.numbers[position],
        "id": book.numbers[position],
        "state": STATE_NAMES[book.states[position]],
        "updatedAt": book.updated[position],
    }


def truth(book: ContactBook, position: int) -> dict[str, Any]:
    """A record in full, as only the control API tells it."""
    record = book.get(position)
    kind = book.kinds[position]
    fields = dict(record.fields)
    note, survivor, lead = book.trash_note(position), book.survivors.get(position), fields["sourceLead"]
    fields["responsibleStaff"] = book.staff_emails.get(fields["responsibleStaff"] or "")
    fields["cusFields"] = _custom_fields(book, fields["cusFields"], "both")
    merged = STATE_NAMES[book.states[position]] == "merged"
    return fields | {
        **brief(book, position),
        "contactType": kind_name(kind),
        "type": int(kind == 2),
        "code": record.code,
        "createdAt": book.created[position],
        "trashAt": note.at if note else None,
        "survivor": _reference(book, survivor) if merged and survivor is not None else None,
        "sourceLead": None if lead is None else _reference(book, lead),
    }


def _reference(book: ContactBook, position: int) -> dict[str, Any]:
    kind = book.kinds[position]
    return {"_id": book.oid(position), id_name(kind): book.numbers[position]}
