"""Whose outgoing changes and conflicts a person sees: their own, or everybody's."""

from typing import Any

from django.db.models import QuerySet

from crm_bridge.models import Conflict, ContactChange

ALL_CHANGES = "crm_bridge.view_all_contactchange"


def changes_for(user: Any) -> QuerySet[ContactChange]:
    rows = ContactChange.objects.all()
    return rows if user.has_perm(ALL_CHANGES) else rows.filter(author=user)


def open_conflicts_for(user: Any) -> QuerySet[Conflict]:
    rows = Conflict.objects.filter(resolved_at__isnull=True)
    return rows if user.has_perm(ALL_CHANGES) else rows.filter(change__author=user)
