"""Merges: which contact went into which, when, how we know, and what moved."""

from typing import Any

from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.pages import ListPage, Page
from crm_bridge.filters_operations import MergeFilter
from crm_bridge.folding import fold
from crm_bridge.labels import field_label, merge_moved, shown_value
from crm_bridge.models import Contact, Merge
from crm_bridge.phones import to_e164
from crm_bridge.records import EDITABLE_FIELDS
from crm_bridge.services import merges_by_hand
from crm_bridge.tables.operations import MergeTable
from crm_bridge.views.actions import CrmAction

CANDIDATES = 20


class MergeList(ListPage):
    permission = "crm_bridge.view_merge"
    title = gettext_lazy("Merges")
    noun = gettext_lazy("merges")
    empty_text = gettext_lazy("No merges yet. Contacts that were merged in a CRM appear here.")
    table_class = MergeTable
    filterset_class = MergeFilter

    def get_queryset(self) -> QuerySet[Merge]:
        # each order has its index: by proof the work list, else the latest merges
        return Merge.objects.order_by("-seen_at" if self.request.GET.get("proof") else "-not_after", "-id")

    def with_related(self, rows: QuerySet[Merge]) -> QuerySet[Merge]:
        rows = rows.select_related("loser__connection", "survivor")
        return rows.defer("raw", "snapshot", "loser__raw", "survivor__raw")


class MergePage(Page):
    """Loser and survivor side by side; for an unproven merge, who it may be."""

    permission = "crm_bridge.view_merge"
    template_name = "crm_bridge/merge.html"
    crumbs = ((gettext_lazy("Merges"), "crm:merges"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        merge = get_object_or_404(
            Merge.objects.select_related("loser__connection", "survivor", "proven_by"), pk=kwargs["pk"]
        )
        self.title = str(merge)
        unproven = merge.survivor is None
        may_prove = self.request.user.has_perm("crm_bridge.prove_merge")
        return super().get_context_data(
            merge=merge,
            moved=merge_moved(merge),
            rows=side_by_side(merge),
            candidates=candidates(merge) if unproven else [],
            may_prove=unproven and may_prove,
            untold=untold(merge),
            **kwargs,
        )


def side_by_side(merge: Merge) -> list[dict[str, Any]]:
    """One row a field, differing ones first; the value that lives on is marked."""
    survivor = merge.survivor
    hint = merge.survivor_hint
    rows = []
    for name in EDITABLE_FIELDS:
        account = merge.loser.connection_id
        lost = shown_value(account, name, merge.snapshot.get(name))
        kept = shown_value(account, name, survivor.value(name) if survivor else hint.get(name))
        if lost == kept == "–":
            continue
        rows.append(
            {
                "label": field_label(name),
                "loser": lost,
                "survivor": kept,
                "differs": lost != kept,
                "side": _kept_side(lost, kept) if survivor else "",
            }
        )
    return sorted(rows, key=lambda row: not row["differs"])


def _kept_side(lost: str, kept: str) -> str:
    if lost == kept:
        return "both"
    return "survivor" if kept != "–" else "none"


def untold(merge: Merge) -> list[str]:
    """What the CRM left open about this merge."""
    gaps = [_("who merged them")]
    if merge.not_before is None or merge.not_after is None:
        gaps.append(_("when it happened"))
    elif merge.not_before != merge.not_after:
        gaps.append(_("the exact moment"))
    if not merge.survivor_uid and merge.survivor is None:
        gaps.append(_("the survivor's id"))
    gaps.append(_("which of two values it kept, field by field"))
    return gaps


def candidates(merge: Merge) -> list[Contact]:
    """Live contacts of the same CRM that share what the CRM told about the survivor."""
    hint = merge.survivor_hint
    numbers = {to_e164(str(phone.get("value", ""))) for phone in hint.get("phones") or []} - {""}
    emails = {fold(str(email.get("value", ""))) for email in hint.get("emails") or []} - {""}
    shared = Q(pk__in=[])
    if numbers:
        shared |= Q(phones__e164__in=numbers)
    if emails:
        shared |= Q(emails__address_folded__in=emails)
    if merge.survivor_uid:
        shared |= Q(uid=merge.survivor_uid)
    rows = Contact.objects.live().filter(shared, connection=merge.loser.connection_id)
    rows = rows.exclude(pk=merge.loser_id).distinct().order_by(F("touched_at").desc())
    return list(rows.with_lists()[:CANDIDATES])


class NameSurvivor(CrmAction):
    """A person says which contact survived; what belongs to the loser moves there."""

    permission = "crm_bridge.prove_merge"
    back_to = "crm:merges"

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        merge = get_object_or_404(Merge.objects.select_related("loser"), pk=kwargs["pk"])
        same_crm = Contact.objects.live().filter(connection=merge.loser.connection_id)
        number = request.POST.get("survivor", "")
        survivor = get_object_or_404(same_crm, pk=int(number) if number.isdecimal() else 0)
        merges_by_hand.name_survivor(merge=merge, survivor=survivor, by=request.user)
        return _("%(loser)s is now recorded as merged into %(survivor)s.") % {
            "loser": merge.loser.name,
            "survivor": survivor.name,
        }
