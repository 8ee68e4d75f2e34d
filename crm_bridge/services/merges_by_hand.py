"""A person names the survivor of a merge that the CRM's answers do not prove."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from backoffice import audit
from crm_bridge.models import Contact, Merge
from crm_bridge.services.contacts import NotWritable


def name_survivor(*, merge: Merge, survivor: Contact, by: Any) -> Merge:
    """Record ``survivor``, with who said so. Raises ``NotWritable`` in words.

    A proven merge stays as it is; a survivor is a live contact of the same CRM,
    and nobody survives themselves.
    """
    with transaction.atomic():
        row = Merge.objects.select_for_update(of=("self",)).select_related("loser").get(pk=merge.pk)
        kept = Contact.objects.select_for_update(of=("self",)).get(pk=survivor.pk)
        if row.proof != Merge.Proof.TO_PROVE:
            raise NotWritable(_("This merge has a survivor already: it was %s.") % row.get_proof_display())
        if kept.pk == row.loser_id or kept.connection_id != row.loser.connection_id:
            raise NotWritable(_("The survivor must be another contact of the same CRM."))
        if kept.state != Contact.State.LIVE:
            raise NotWritable(_("%s is not live, so it cannot be the survivor.") % kept.name)
        row.survivor, row.proof, row.proven_by = kept, Merge.Proof.BY_HAND, by
        row.reason = _("named by %s") % by.get_username()
        row.save(update_fields=["survivor", "proof", "proven_by", "reason"])
        Contact.objects.filter(pk=row.loser_id).update(survivor=kept)
        audit.record("merge.named", row, by=by, summary=str(kept), loser=row.loser_id, survivor=kept.pk)
    merge.refresh_from_db()
    return merge
