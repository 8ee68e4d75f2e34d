"""Addresses and permissions of a row's own app, for pages that every app shares.

Routes have the same names in each app's address space ("run" is ``crm:run`` and
``bot:run``), and permissions are named after the model as Django does.
"""

from functools import cache
from importlib import import_module
from typing import Any

from django.urls import reverse


@cache
def _space(app: str) -> str:
    return str(import_module(f"{app}.urls").app_name)


def address_of(row: Any, name: str, *args: Any) -> str:
    """The page ``name`` in the address space of the row's (or model's) app."""
    return reverse(f"{_space(row._meta.app_config.name)}:{name}", args=args)


def permission_on(row: Any, action: str) -> str:
    """ "view" and a run → "crm_bridge.view_run"."""
    return f"{row._meta.app_label}.{action}_{row._meta.model_name}"


def may(user: Any, action: str, row: Any) -> bool:
    """Whether somebody may do this to rows of that model."""
    return bool(user.has_perm(permission_on(row, action)))


def form_of(row: Any) -> str:
    """Address of the shell's form of a row."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
