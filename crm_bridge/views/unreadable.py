"""Unreadable records: what a CRM sent that could not be understood, and why."""

from django.utils.translation import gettext_lazy

from backoffice.connections import unreadable
from crm_bridge.filters_operations import UnreadableFilter
from crm_bridge.models import Quarantine
from crm_bridge.tables.operations import UnreadableTable


class UnreadableList(unreadable.UnreadableList):
    permission = "crm_bridge.view_quarantine"
    model = Quarantine
    empty_text = gettext_lazy("Every record that the CRMs sent could be read.")
    table_class = UnreadableTable
    filterset_class = UnreadableFilter


class UnreadablePage(unreadable.UnreadablePage):
    permission = "crm_bridge.view_quarantine"
    model = Quarantine
    crumbs = ((gettext_lazy("Unreadable records"), "crm:unreadable"),)
