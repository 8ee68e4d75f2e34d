"""System checks of the mirror: stored credentials must be readable with today's keys."""

from collections.abc import Sequence
from typing import Any

from cryptography.fernet import InvalidToken
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import OperationalError, ProgrammingError

from backoffice.checks import WORK
from crm_bridge.connectors import registry
from crm_bridge.models import Connection


@register(WORK, Tags.database)
def credentials_can_be_read(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Wrong or lost CREDENTIAL_KEYS keep the workers from starting, in words."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            names = list(Connection.objects.using(alias).values_list("pk", "name", "vendor", "is_active"))
        except (OperationalError, ProgrammingError):
            return []  # not migrated yet: there is nothing stored that could be lost
        for pk, name, vendor, active in names:
            try:
                Connection.objects.using(alias).values_list("credentials", flat=True).get(pk=pk)
            except (InvalidToken, ValueError):
                found.append(
                    Error(
                        f"No key of CREDENTIAL_KEYS reads the credentials of {name}.",
                        hint="Put the key they were stored with back, or connect the account again.",
                        id="crm_bridge.E001",
                    )
                )
            if active and vendor not in dict(registry.kinds()):
                found.append(Warning(f"{name} is of an unknown system: {vendor}.", id="crm_bridge.W001"))
    return found
