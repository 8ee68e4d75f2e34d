"""Two doors for staff: merge a contact into another one, and link it with other records of its CRM."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from crm_bridge.connectors.base import PanelSpec
from crm_bridge.models import Connection, Contact, ContactChange
from crm_bridge.records import EDITABLE_FIELDS, Operation, Relation, RelationAction
from crm_bridge.services import outbox
from crm_bridge.services.refusals import NotWritable
from crm_bridge.services.rows import write_values
from crm_bridge.validation import Invalid

REFS_ALLOWED = 100
REF_LENGTH = 64


def merge(
    *, loser: Contact, survivor: Contact, by: Any, seen: Mapping[str, Mapping[str, Any]] | None = None
) -> ContactChange:
    """Merge ``loser`` into ``survivor`` in their CRM; both stay as they are until it has been done.

    ``seen`` holds what the person was shown of both (``{"loser": {…}, "survivor": {…}}``); both are
    read right before the merge, and anything that differs by then stops it. Unsent edits of the
    loser travel with the merge and are handed to a person after it. Raises ``NotWritable``.
    """
    refuse_unmergeable(loser, survivor)
    with transaction.atomic():
        rows = {pk: outbox.lock(Contact(pk=pk)) for pk in sorted((loser.pk, survivor.pk))}
        gone, kept = rows[loser.pk], rows[survivor.pk]
        asked = gone.changes.filter(status__in=ContactChange.OPEN, operation=Operation.MERGE).first()
        if asked is not None and asked.new.get("contact") == kept.pk:
            return asked
        refuse_busy(gone, kept)
        shown = seen or {}
        base = {
            "loser": _known({**outbox.agreed_values(gone), **shown.get("loser", {})}),
            "survivor": _known({**outbox.agreed_values(kept), **shown.get("survivor", {})}),
        }
        unsent = outbox.set_aside(gone, by, _("The contact is being merged."))
        version = gone.version + 1
        audit.record(
            "contact.merge", gone, by=by, summary=f"{gone} → {kept}", version=version, survivor=kept.pk
        )
        audit.record("contact.take_over", kept, by=by, summary=f"{gone} → {kept}", loser=gone.pk)
        write_values(gone, {}, version=version, touched_at=timezone.now())
        outbox.show_agreed(gone, unsent)
        new = {"survivor": kept.remote_id, "contact": kept.pk, "name": kept.name, "unsent": unsent}
        change = outbox.add(gone, Operation.MERGE, by=by, base=base, new=new)
    loser.refresh_from_db()
    return change


def refuse_unmergeable(loser: Contact, survivor: Contact) -> None:
    """Raises ``NotWritable`` where these two can never be merged from here, whatever is on its way."""
    if why := why_not_merge(loser.connection):
        raise NotWritable(why)
    if loser.pk == survivor.pk:
        raise NotWritable(_("A contact cannot be merged into itself."))
    if loser.connection_id != survivor.connection_id:
        raise NotWritable(_("Only two contacts of the same CRM can be merged."))
    if loser.family != survivor.family:
        raise NotWritable(_("The CRM keeps these two apart; it cannot merge them."))
    for each in (loser, survivor):
        if not each.remote_id:
            raise NotWritable(_("%s is not in the CRM yet.") % each.name)


def why_not_merge(connection: Connection) -> str:
    """Why contacts of this connection cannot be merged from here; "" when they can."""
    able = connection.capabilities
    if able.can_merge:
        return ""
    return able.why_not.get("can_merge") or _("%s does not let us merge contacts.") % connection.vendor_label


def refuse_busy(loser: Contact, survivor: Contact) -> None:
    """Raises ``NotWritable`` while something about either of them is not settled."""
    for each in (loser, survivor):
        outbox.check_live(each)
    if outbox.open_changes(survivor):
        raise NotWritable(
            _("%s has a change on its way. Merge them once the CRM has taken it.") % survivor.name
        )
    stuck = [
        change for change in outbox.open_changes(loser)
        if change.status in (*outbox.IN_FLIGHT, ContactChange.Status.HELD)
        or change.operation not in (Operation.EDIT, Operation.RELATE)
    ]  # fmt: skip
    if stuck:
        raise NotWritable(_("%s has a change on its way. Merge them once the CRM has taken it.") % loser.name)
    into = ContactChange.objects.filter(
        connection_id=loser.connection_id, operation=Operation.MERGE, status__in=ContactChange.OPEN
    )
    if any(change.new.get("contact") == loser.pk for change in into):
        raise NotWritable(_("Another contact is being merged into %s. Wait until that is done.") % loser.name)


def relate(*, contact: Contact, relation: Relation, by: Any) -> ContactChange:
    """Attach, detach or replace entries of one of a contact's panels; sent like an edit.

    The same one asked for again while it waits is the same change. Raises ``Invalid``
    (``errors`` under "refs") and ``NotWritable``.
    """
    spec = panel_spec(contact.connection, relation.panel)
    if relation.action not in spec.actions:
        words = _("%(crm)s does not let us change %(what)s from here.") % {
            "crm": contact.connection.vendor_label, "what": spec.label,
        }  # fmt: skip
        raise NotWritable(spec.why_not or words)
    values = Relation(relation.panel, relation.action, _clean_refs(relation, spec)).to_values()
    with transaction.atomic():
        row = outbox.lock(contact)
        outbox.check_live(row)
        waiting = row.changes.filter(operation=Operation.RELATE, status=ContactChange.Status.WAITING)
        last = waiting.order_by("-pk").first()
        if last is not None and last.new == values:
            return last
        audit.record(
            "contact.relate", row, by=by, summary=f"{relation.action} {relation.panel}", relation=values
        )
        return outbox.add(row, Operation.RELATE, by=by, new=values)


def panel_spec(connection: Connection, key: str) -> PanelSpec:
    """What is declared of a panel. Raises ``NotWritable`` for one that the CRM does not have."""
    for spec in connection.capabilities.panels:
        if spec.key == key:
            return spec
    raise NotWritable(_("%s has no such part.") % connection.vendor_label)


def _clean_refs(relation: Relation, spec: PanelSpec) -> tuple[str, ...]:
    refs = tuple(dict.fromkeys(ref.strip() for ref in relation.refs if ref.strip()))
    what = spec.ref_label or spec.label
    if not refs and relation.action is not RelationAction.REPLACE:
        raise Invalid({"refs": _("%s: enter at least one.") % what})
    if len(refs) > REFS_ALLOWED:
        raise Invalid(
            {"refs": _("%(what)s: these are more than %(most)d.") % {"what": what, "most": REFS_ALLOWED}}
        )
    for ref in refs:
        if len(ref) > REF_LENGTH or not ref.isprintable():
            raise Invalid({"refs": _("%(what)s: “%(ref)s” cannot be one.") % {"what": what, "ref": ref[:40]}})
    return refs


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: values[field] for field in EDITABLE_FIELDS if field in values}
