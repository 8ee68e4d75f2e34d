"""Runs of the CRMs' lists, and held ones with the contacts that they did not show."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.connections import runs
from backoffice.connections.runs import progress
from crm_bridge.filters_operations import RunFilter
from crm_bridge.models import Contact, Run
from crm_bridge.tables.operations import RunTable
from crm_bridge.views.contact import phones_shown

__all__ = ["Approve", "Dismiss", "RunList", "RunPage", "RunProgress", "progress"]

ABSENT_PAGE = 50


class RunList(runs.RunList):
    permission = "crm_bridge.view_run"
    model = Run
    table_class = RunTable
    filterset_class = RunFilter


class RunPage(runs.RunPage):
    permission = "crm_bridge.view_run"
    model = Run
    template_name = "crm_bridge/run.html"
    crumbs = ((gettext_lazy("Runs"), "crm:runs"),)

    def absent(self, run: Run) -> dict[str, Any]:
        """One page of the contacts that the held walk did not show, as they are here now."""
        if not self.request.user.has_perm("crm_bridge.view_contact"):
            return {}
        paginator = Paginator(run.details.get("held", {}).get("ids", []), ABSENT_PAGE)
        page = paginator.get_page(self.request.GET.get("page"))
        rows = Contact.objects.only("name", "touched_at").prefetch_related("phones")
        found = rows.in_bulk(list(page.object_list))
        shown = [found[pk] for pk in page.object_list if pk in found]
        return {
            "absent_page": page,
            "absent_rows": [(contact, phones_shown(contact)) for contact in shown],
            "absent_known": paginator.count,
        }


class RunProgress(runs.RunProgress):
    permission = "crm_bridge.view_run"
    model = Run


class Approve(runs.Approve):
    permission = "crm_bridge.approve_run"
    model = Run
    back_to = "crm:runs"

    def told(self, run: Run) -> str:
        return _("Approved. %s is walked once more at once, and each absent contact is asked for singly.") % (
            run.connection.name
        )


class Dismiss(runs.Dismiss):
    permission = "crm_bridge.approve_run"
    model = Run
    back_to = "crm:runs"

    def told(self, run: Run) -> str:
        return _("Dismissed: all contacts of %s stay as they are.") % run.connection.name
