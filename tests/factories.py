"""Rows for tests. Plain functions with sensible defaults; nothing random."""

import itertools
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from crm_bridge.models import Connection, Contact
from crm_bridge.services.rows import write_values

_numbers = itertools.count(1)


def connection(**fields: Any) -> Connection:
    number = next(_numbers)
    defaults = {
        "name": f"AntCRM {number}",
        "vendor": "antcrm",
        "base_url": "http://127.0.0.1:1/antcrm",
        "credentials": {"api_key": "sandbox-antcrm-key"},
        "requests_per_second": 0,
    }
    return Connection.objects.create(**{**defaults, **fields})


def contact(connection: Connection, *, values: dict[str, Any] | None = None, **fields: Any) -> Contact:
    """A mirrored contact; ``values`` are canonical (phones, emails, tags …)."""
    number = next(_numbers)
    defaults = {"family": "lead", "remote_id": str(100_000 + number), "kind": "lead"}
    row = Contact(connection=connection, **{**defaults, **fields})
    write_values(row, {"name": f"Khách {number}", "phones": [], "emails": [], "tags": [], **(values or {})})
    return row


def user(group: str = "", **fields: Any) -> Any:
    """A staff user, in one of the groups Sales, Managers, Admins where named."""
    number = next(_numbers)
    defaults = {"username": f"{group.lower() or 'user'}{number}", "is_staff": True}
    row = get_user_model().objects.create_user(**{**defaults, **fields})
    if group:
        row.groups.add(Group.objects.get(name=group))
    return row
