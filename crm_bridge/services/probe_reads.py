"""Looking at an account: nothing here writes anything."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backoffice.remote.walk import Unreadable
from crm_bridge.connectors.base import (
    DefinesFields,
    Finding,
    HasPanels,
    PanelSpec,
    Probes,
    ReadsCodes,
    Stream,
)
from crm_bridge.records import ContactRecord, DeletionRecord, Identity, MergeRecord
from crm_bridge.services.probe_steps import Probe, Step, known

UNKNOWN_CODE = "bo-check-of-an-unknown-code"
SAMPLED = 20


def steps(probe: Probe) -> list[Step]:
    """What is looked at, in the order in which it is shown."""
    able = probe.able
    made = [Step("check", _("Address and credentials"), _check)]
    made += [
        Step(f"list_{stream}", _("List: %s") % stream.value, partial(_first_page, stream=stream))
        for stream in able.streams
    ]
    made += [
        Step("single", _("Single read"), _single),
        Step("absence", _("Absence can be proven"), _absence),
        Step("phone", _("Search by phone"), _phone),
    ]
    if able.code_readable:
        made.append(Step("code", _("Search by our own code"), _code))
    if able.custom_field_definitions:
        made.append(Step("fields", _("Custom fields"), _fields))
    made += [
        Step(f"panel_{spec.key}", _("Part: %s") % spec.label, partial(_panel, spec=spec))
        for spec in able.panels
    ]
    if hasattr(probe.connector, "probe"):
        made.append(Step("probe", _("Limits and particulars"), _particulars))
    return made


def _check(probe: Probe) -> Sequence[Finding]:
    return [Finding("check", _("Address and credentials"), True, probe.connector.check())]


def _first_page(probe: Probe, *, stream: Stream) -> Sequence[Finding]:
    """The first page of a list, and what it tells about page size, order and readability."""
    walk = probe.connector.walks(stream)[0]
    page = walk.split(walk.fetch(walk.first))
    records, unreadable = [], 0
    for item in page.items:
        try:
            records.append(walk.read(item))
        except Unreadable:
            unreadable += 1
    label = _("List: %s") % stream.value
    words = ngettext("%d record on the first page", "%d records on the first page", len(page.items))
    words %= len(page.items)
    if page.total is not None:
        words += "; " + _("%s in all") % f"{page.total:,}"
    if unreadable:
        words += "; " + ngettext("%d cannot be read", "%d cannot be read", unreadable) % unreadable
    found = [Finding(f"list_{stream}", label, not unreadable, words)]
    if stream is Stream.CONTACTS:
        probe.sample = [record for record in records if isinstance(record, ContactRecord)][:SAMPLED]
        found += [_page_size(probe, len(page.items), page.total), _order(records)]
    return found


def _page_size(probe: Probe, rows: int, total: int | None) -> Finding:
    asked, label = probe.able.page_size, _("Page size")
    if rows > asked:
        return Finding("page_size", label, False, _("asked for %(asked)d, got %(rows)d") % _both(asked, rows))
    if rows == asked:
        return Finding("page_size", label, True, _("asked for %(asked)d, got %(rows)d") % _both(asked, rows))
    if total is not None and total > rows:
        return Finding(
            "page_size", label, False, _("capped: asked for %(asked)d, got %(rows)d") % _both(asked, rows)
        )
    return Finding("page_size", label, None, _("too few records to tell"))


def _both(asked: int, rows: int) -> dict[str, int]:
    return {"asked": asked, "rows": rows}


def _order(records: Sequence[Any]) -> Finding:
    moments = [moment for record in records if (moment := _moment(record)) is not None]
    label = _("Order of the list")
    if len(moments) < 3 or len(set(moments)) < 2:
        return Finding("order", label, None, _("too few dated records to tell"))
    if moments == sorted(moments, reverse=True):
        return Finding("order", label, True, _("newest change first"))
    if moments == sorted(moments):
        return Finding("order", label, True, _("oldest change first"))
    return Finding("order", label, None, _("not by the time of change"))


def _moment(record: Any) -> Any:
    if isinstance(record, DeletionRecord):
        record = record.contact
    if isinstance(record, MergeRecord):
        record = record.loser
    return record.updated_at


def _single(probe: Probe) -> Sequence[Finding]:
    label, contact = _("Single read"), known(probe)
    if contact is None:
        return [Finding("single", label, None, _("there is no contact to try it with"))]
    record = probe.connector.get(contact.identity)
    if record is None:
        return [Finding("single", label, False, _("it does not find a contact that its list shows"))]
    same = record.name == contact.name
    return [Finding("single", label, same, _("found by its id") if same else _("it shows another contact"))]


def _absence(probe: Probe) -> Sequence[Finding]:
    """An id that nobody has: only "certainly not there" may be said to it."""
    label, contact = _("Absence can be proven"), known(probe)
    if contact is None:
        return [Finding("absence", label, None, _("there is no contact to try it with"))]
    nobody = Identity(contact.identity.family, _unused(contact.identity.remote_id))
    if probe.connector.get(nobody) is None:
        return [Finding("absence", label, True, _("an unknown id is answered with proof of absence"))]
    return [Finding("absence", label, False, _("an unknown id is answered with a contact"))]


def _unused(remote_id: str) -> str:
    """An id of the same shape that is taken by nobody."""
    if remote_id.isdecimal() and len(remote_id) < 10:
        return str(min(int(remote_id) + 1_000_000_000, 2_147_483_000))
    return remote_id[:-4] + "".join("0" if char != "0" else "9" for char in remote_id[-4:])


def _phone(probe: Probe) -> Sequence[Finding]:
    label = _("Search by phone")
    contact = next((record for record in probe.sample if record.phones), None)
    if contact is None:
        return [Finding("phone", label, None, _("no contact of the first page has a phone"))]
    found = probe.connector.find(phone=contact.phones[0].value)
    if any(record.identity == contact.identity for record in found):
        return [Finding("phone", label, True, _("it finds a known contact by its phone"))]
    return [Finding("phone", label, False, _("it does not find a known contact by its phone"))]


def _code(probe: Probe) -> Sequence[Finding]:
    label = _("Search by our own code")
    if cast(ReadsCodes, probe.connector).get_by_code(UNKNOWN_CODE) is None:
        return [Finding("code", label, True, _("an unknown code is answered with proof of absence"))]
    return [Finding("code", label, False, _("an unknown code is answered with a contact"))]


def _fields(probe: Probe) -> Sequence[Finding]:
    fields = cast(DefinesFields, probe.connector).field_definitions()
    kinds = ", ".join(sorted({field.type.value for field in fields}))
    words = ngettext("%d field is defined", "%d fields are defined", len(fields)) % len(fields)
    return [Finding("fields", _("Custom fields"), True, f"{words}: {kinds}" if kinds else words)]


def _panel(probe: Probe, *, spec: PanelSpec) -> Sequence[Finding]:
    key, label, contact = f"panel_{spec.key}", _("Part: %s") % spec.label, known(probe)
    if contact is None:
        return [Finding(key, label, None, _("there is no contact to try it with"))]
    panel = cast(HasPanels, probe.connector).panel(contact.identity, spec.key)
    count = len(panel.entries)
    return [Finding(key, label, True, ngettext("%d entry", "%d entries", count) % count)]


def _particulars(probe: Probe) -> Sequence[Finding]:
    return cast(Probes, probe.connector).probe()
