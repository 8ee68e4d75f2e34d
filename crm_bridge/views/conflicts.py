"""Conflicts: fields that both sides changed; a person chooses, field by field."""

from collections import defaultdict
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.pages import ListPage, Page
from crm_bridge.labels import WHOLE_RECORD, changed_fields, field_label, shown_pair, shown_value
from crm_bridge.models import Conflict
from crm_bridge.services import conflicts
from crm_bridge.services.access import open_conflicts_for
from crm_bridge.tables.operations import ConflictTable
from crm_bridge.views.actions import CrmAction


class ConflictList(ListPage):
    permission = "crm_bridge.view_conflict"
    title = gettext_lazy("Conflicts")
    noun = gettext_lazy("contacts")
    empty_text = gettext_lazy(
        "No conflicts. A field that is changed here and in the CRM at once appears here."
    )
    table_class = ConflictTable

    def get_queryset(self) -> QuerySet[Conflict]:
        mine = open_conflicts_for(self.request.user)
        newest = mine.order_by().values("contact").annotate(newest=Max("pk")).values("newest")
        return Conflict.objects.filter(pk__in=newest).order_by("-created_at", "-id")

    def with_related(self, rows: QuerySet[Conflict]) -> QuerySet[Conflict]:
        return rows.select_related("contact__connection", "change__author").defer("contact__raw")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        names: dict[int, list[str]] = defaultdict(list)
        page = list(self.get_queryset().values_list("contact_id", flat=True)[:1000])
        rows = open_conflicts_for(self.request.user).filter(contact__in=page).values_list("contact", "field")
        for contact, field in rows:
            names[contact].append(field_label(field))
        self.names = {contact: ", ".join(sorted(fields)) for contact, fields in names.items()}
        return super().get_context_data(**kwargs)

    def table_options(self) -> dict[str, Any]:
        return {"names": self.names}


def _open(request: HttpRequest, contact: int) -> list[Conflict]:
    rows = open_conflicts_for(request.user).filter(contact=contact)
    found = list(rows.select_related("contact__connection", "change__author").order_by("field"))
    if not found:
        raise Http404
    return found


class ConflictPage(Page):
    """All open conflicts of one contact, settled together."""

    permission = "crm_bridge.view_conflict"
    template_name = "crm_bridge/conflict.html"
    crumbs = ((gettext_lazy("Conflicts"), "crm:conflicts"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = _open(self.request, kwargs["pk"])
        contact = rows[0].contact
        self.title = contact.name
        may = self.request.user.has_perm
        return super().get_context_data(
            contact=contact,
            change=rows[0].change,
            edited=changed_fields(rows[0].change),
            newer=_newer(rows[0]) if rows[0].change.operation == "merge" else [],
            whole=next((row for row in rows if row.field == WHOLE_RECORD), None),
            fields=[
                {
                    "name": row.field,
                    "label": field_label(row.field),
                    "base": shown_value(contact.connection_id, row.field, row.base),
                    "ours": shown_value(contact.connection_id, row.field, row.ours),
                    "theirs": shown_value(contact.connection_id, row.field, row.theirs),
                    "author": row.change.author,
                    "saved": row.change.created_at,
                    "theirs_at": row.theirs_at,
                }
                for row in rows
                if row.field != WHOLE_RECORD
            ],
            may_settle=may("crm_bridge.resolve_conflict"),
            **kwargs,
        )


def _newer(conflict: Conflict) -> list[dict[str, str]]:
    """What a merge was decided about, beside what the CRM holds now, where they differ."""
    lines = []
    sides = {"loser": _("the one that goes"), "survivor": _("the one that stays")}
    for side, name in sides.items():
        seen, now = (conflict.base or {}).get(side, {}), (conflict.theirs or {}).get(side, {})
        for field in now:
            old, new = shown_pair(conflict.contact.connection_id, field, seen.get(field), now[field])
            if field in seen and old != new:
                lines.append({"label": f"{field_label(field)} ({name})", "old": old, "new": new})
    return lines


class Settle(CrmAction):
    permission = "crm_bridge.resolve_conflict"
    back_to = "crm:conflicts"

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        rows = _open(request, kwargs["pk"])
        choices = {row.field: request.POST.get(f"choice-{row.field}", "") for row in rows}
        open_fields = [
            field_label(field) for field, choice in choices.items() if choice not in Conflict.Choice
        ]
        if open_fields or not choices:
            raise ValidationError(
                _("Choose a side for: %s. Nothing was changed.") % (", ".join(open_fields) or "–")
            )
        contact = rows[0].contact
        conflicts.settle(contact=contact, choices=choices, by=request.user)
        return _("The conflict of %s is settled.") % contact.name
