"""Trying writes on a disposable record, which is taken away again, whatever happens."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.remote.errors import OutcomeUnknown, Rejected, RemoteError
from crm_bridge.connectors.base import Finding
from crm_bridge.merging import same
from crm_bridge.records import Change, ContactRecord, Identity, Operation, canonical
from crm_bridge.services.health import remember_measured
from crm_bridge.services.probe_steps import Probe, Step

logger = logging.getLogger(__name__)

TEXTS = ("note", "stage", "industry", "source")


def steps(probe: Probe) -> list[Step]:
    """What is tried, one after the other, on the same record."""
    able = probe.able
    if not able.can_create:
        return [Step("create", _("Create"), _cannot_create)]
    made = [Step("create", _("Create"), _create), Step("stored", _("What was sent is stored"), _stored)]
    if able.own_key or able.code_readable:
        made.append(Step("twice", _("The same create twice"), _twice))
    if able.own_key:
        made.append(Step("unknown_code", _("Edit by an unknown code"), _unknown_code))
    made += [
        Step("omitted", _("Fields that an edit leaves out"), _omitted),
        Step("lists", _("Lists on edit"), _lists),
        Step("clear", _("Clearing a value"), _clear),
        Step("delete", _("Delete"), _delete),
    ]
    return made


def clean_up(probe: Probe) -> list[Finding]:
    """Take away what is left of the disposable records; what cannot be is named."""
    for email in probe.unclear:
        try:
            found = probe.connector.find(email=email)
            probe.made += [record.identity for record in found if record.identity not in probe.made]
        except RemoteError as error:
            logger.warning("check: a disposable record may be left: %s", error)
    probe.unclear = []
    findings = []
    for identity in list(probe.made):
        if probe.able.can_delete and _remove(probe, identity):
            continue
        words = _("Record %s is left; delete it in the CRM.") % identity.remote_id
        findings.append(Finding("left", _("Disposable record"), None, words))
    return findings


def _remove(probe: Probe, identity: Identity) -> bool:
    try:
        probe.connector.push(_change(probe, Operation.DELETE, {}, identity=identity))
    except RemoteError as error:
        logger.warning("check: a disposable record could not be deleted: %s", error)
        return False
    probe.made.remove(identity)
    return True


def _change(
    probe: Probe,
    operation: Operation,
    values: Mapping[str, Any],
    *,
    identity: Identity | None = None,
    before: Mapping[str, Any] | None = None,
    code: str = "",
) -> Change:
    return Change(
        operation=operation,
        kind=probe.able.kinds[0],
        identity=identity,
        code=code or probe.notes.get("code", ""),
        values=values,
        before=before or {},
        request_id=str(uuid.uuid4()),
    )


def _cannot_create(probe: Probe) -> Sequence[Finding]:
    words = probe.able.why_not.get("can_create") or _("it takes no new contacts")
    return [Finding("create", _("Create"), False, words)]


def _create(probe: Probe) -> Sequence[Finding]:
    mark = uuid.uuid4().hex[:12]
    probe.notes["code"] = f"bo-check-{mark}"
    email = f"check-{mark}@example.com"
    values: dict[str, Any] = {
        "name": f"Back-office check {timezone.localtime():%Y-%m-%d %H:%M}",
        "emails": [{"value": email, "type": "Work"}],
        "tags": ["back-office check"],
        **{name: "back-office check" for name in TEXTS},
    }
    values = {name: value for name, value in values.items() if name in probe.able.creatable}
    # stages, sources and industries are often lists of the account's own: only free text is made up
    for name in ("stage", "source", "industry"):
        values.pop(name, None)
    probe.notes["sent"] = values
    change = _change(probe, Operation.CREATE, values)
    probe.notes["create"] = change
    try:
        result = probe.connector.push(change)
    except OutcomeUnknown:
        probe.unclear.append(email)
        raise
    if result.identity is None:
        probe.unclear.append(email)
        return [Finding("create", _("Create"), False, _("it said yes but named no record"))]
    probe.made.append(result.identity)
    if probe.able.can_delete:
        words = _("made record %s, which is deleted at the end") % result.identity.remote_id
    else:
        words = _("made record %s; it stays, for it cannot be deleted from here") % result.identity.remote_id
    return [Finding("create", _("Create"), True, words)]


def _record(probe: Probe) -> ContactRecord | None:
    return probe.connector.get(probe.made[0]) if probe.made else None


def _nothing(key: str, label: str) -> list[Finding]:
    return [Finding(key, label, None, _("there is no disposable record to try it with"))]


def _stored(probe: Probe) -> Sequence[Finding]:
    label, record = _("What was sent is stored"), _record(probe)
    if record is None:
        return _nothing("stored", label)
    held = canonical(record)
    different = [name for name, value in probe.notes["sent"].items() if not same(name, value, held[name])]
    if different:
        return [Finding("stored", label, False, _("stored differently: %s") % ", ".join(different))]
    return [Finding("stored", label, True, _("all of it reads back the same"))]


def _twice(probe: Probe) -> Sequence[Finding]:
    label = _("The same create twice")
    if not probe.made:
        return _nothing("twice", label)
    again = replace(probe.notes["create"], request_id=str(uuid.uuid4()))
    try:
        result = probe.connector.push(again)
    except Rejected as refused:
        return [Finding("twice", label, True, _("refused: %s") % refused)]
    except OutcomeUnknown:
        probe.unclear += [each["value"] for each in again.values.get("emails", [])]
        raise
    if result.identity in probe.made:
        return [Finding("twice", label, True, _("the same record is answered"))]
    if result.identity is not None:
        probe.made.append(result.identity)
    return [Finding("twice", label, False, _("it makes a second record: our code is not unique there"))]


def _unknown_code(probe: Probe) -> Sequence[Finding]:
    """Where it fails visibly, a lost create can be told from one that arrived."""
    label = _("Edit by an unknown code")
    values = {"name": probe.notes["sent"].get("name", "Back-office check")}
    try:
        result = probe.connector.push(
            _change(probe, Operation.EDIT, values, code=f"bo-check-{uuid.uuid4().hex}")
        )
    except Rejected as refused:
        remember_measured(probe.connection, put_unknown_code="fails")
        return [Finding("unknown_code", label, True, _("refused: %s") % refused)]
    if result.identity is not None and result.identity not in probe.made:
        probe.made.append(result.identity)
    remember_measured(probe.connection, put_unknown_code="accepted")
    return [Finding("unknown_code", label, False, _("accepted without a word: it proves nothing"))]


def _edit(probe: Probe, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Canonical values after an edit; None when there is nothing to edit."""
    record = _record(probe)
    if record is None:
        return None
    identity = probe.made[0]
    probe.connector.push(_change(probe, Operation.EDIT, values, identity=identity, before=canonical(record)))
    after = probe.connector.get(identity)
    return None if after is None else canonical(after)


def _omitted(probe: Probe) -> Sequence[Finding]:
    label = _("Fields that an edit leaves out")
    sent = probe.notes.get("sent", {})
    held = _edit(probe, {"name": f"{sent.get('name', 'Back-office check')} 2"})
    if held is None:
        return _nothing("omitted", label)
    lost = [name for name, value in sent.items() if name != "name" and value and not held.get(name)]
    if lost:
        remember_measured(probe.connection, put_omitted="clear")
        words = _("they are cleared (%s); edits send everything from now on") % ", ".join(lost)
        return [Finding("omitted", label, False, words)]
    remember_measured(probe.connection, put_omitted="keep")
    return [Finding("omitted", label, True, _("they are kept"))]


def _lists(probe: Probe) -> Sequence[Finding]:
    label = _("Lists on edit")
    name = next((name for name in ("tags", "emails") if name in probe.able.writable), "")
    if not name or name not in probe.notes.get("sent", {}):
        return [Finding("lists", label, None, _("there is no list to try it with"))]
    new: list[Any] = ["back-office check 2"]
    if name == "emails":
        new = [{"value": f"check-{uuid.uuid4().hex[:12]}@example.com", "type": "Work"}]
    held = _edit(probe, {name: new})
    if held is None:
        return _nothing("lists", label)
    if same(name, new, held[name]):
        return [Finding("lists", label, True, _("replaced by what is sent"))]
    return [Finding("lists", label, False, _("not replaced: %d entries are there") % len(held[name]))]


def _clear(probe: Probe) -> Sequence[Finding]:
    label = _("Clearing a value")
    name = next(
        (each for each in TEXTS if each in probe.able.writable and probe.notes.get("sent", {}).get(each)), ""
    )
    if not name:
        return [Finding("clear", label, None, _("there is no text to try it with"))]
    held = _edit(probe, {name: ""})
    if held is None:
        return _nothing("clear", label)
    cleared = not held[name]
    return [Finding("clear", label, cleared, _("an empty text clears it") if cleared else _("it stays"))]


def _delete(probe: Probe) -> Sequence[Finding]:
    label = _("Delete")
    if not probe.able.can_delete:
        words = probe.able.why_not.get("can_delete") or _("it does not let us delete contacts")
        return [Finding("delete", label, False, words)]
    if not probe.made:
        return _nothing("delete", label)
    identity = probe.made[0]
    probe.connector.push(_change(probe, Operation.DELETE, {}, identity=identity))
    probe.made.remove(identity)
    gone = probe.connector.get(identity) is None
    words = (
        _("deleted, and a single read proves it") if gone else _("deleted, but a single read still finds it")
    )
    return [Finding("delete", label, gone, words)]
