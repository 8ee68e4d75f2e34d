"""AntCRM's endpoints as methods; the only place that knows its paths and parameters.

Lists come back as bytes, so that an unchanged page need not be parsed. The vendor spells
`updateAtf`/`updateAtt` without and `createdAtf`/`createdAtt` with the "d".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from backoffice.remote.session import Answer, RemoteSession

BASE_URL = "https://apiring.antbuddy.com"
PAGE_SIZE = 20
PACKAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Everything the list of contacts can be narrowed by; empty means not at all."""

    contact_type: str = ""
    type: str = ""
    phone: str = ""
    email: str = ""
    customer_id: str = ""
    lead_id: str = ""
    updated_from: date | None = None
    updated_to: date | None = None
    created_from: date | None = None
    created_to: date | None = None

    def params(self) -> dict[str, object]:
        """The query of the vendor; an empty value is left out, for it might select nothing."""
        named = {
            "contactType": self.contact_type,
            "type": self.type,
            "phone": self.phone,
            "email": self.email,
            "customerId": self.customer_id,
            "leadId": self.lead_id,
            "updateAtf": self.updated_from,
            "updateAtt": self.updated_to,
            "createdAtf": self.created_from,
            "createdAtt": self.created_to,
        }
        return {key: value for key, value in named.items() if value}


class AntCrmClient:
    """Raw access; raises only the errors of `backoffice.remote.errors`."""

    def __init__(self, session: RemoteSession) -> None:
        self.session = session

    def contacts(self, filters: Filters, page: int = 1, limit: int = PAGE_SIZE) -> bytes:
        """One page of live contacts, or the few that an id, phone or e-mail selects."""
        params = filters.params() | {"page": page, "limit": limit}
        return self.session.fetch("/contacts", params, operation="list contacts")

    def deleted(
        self,
        page: int = 1,
        limit: int = PAGE_SIZE,
        *,
        contact_type: str = "",
        phone: str = "",
        name: str = "",
        email: str = "",
    ) -> bytes:
        """One page of the trash; it knows no dates and no ids."""
        named = {"contactType": contact_type, "phone": phone, "name": name, "email": email}
        params: dict[str, object] = {key: value for key, value in named.items() if value}
        params |= {"page": page, "limit": limit}
        return self.session.fetch("/contacts/list-deleted", params, operation="list deleted contacts")

    def merged(
        self, page: int = 1, limit: int = PAGE_SIZE, *, phone: str = "", name: str = "", email: str = ""
    ) -> bytes:
        """One page of contacts that were merged away."""
        named = {"phone": phone, "name": name, "email": email}
        params: dict[str, object] = {key: value for key, value in named.items() if value}
        params |= {"page": page, "limit": limit}
        return self.session.fetch("/contacts/merged", params, operation="list merged contacts")

    def create(self, body: Mapping[str, Any]) -> Answer:
        """Create one contact."""
        return self.session.send_json("POST", "/contacts", body, operation="create contact")

    def edit(self, body: Mapping[str, Any]) -> Answer:
        """Change one contact; the selector is in the body."""
        return self.session.send_json("PUT", "/contacts", body, operation="edit contact")

    def delete(self, body: Mapping[str, Any]) -> Answer:
        """Move one contact to the trash; the selector is in the body."""
        return self.session.send_json("DELETE", "/contacts", body, operation="delete contact")

    def create_package(self, bodies: Sequence[Mapping[str, Any]]) -> Answer:
        """Create up to PACKAGE_SIZE contacts at once."""
        return self.session.send_json("POST", "/contacts/package", bodies, operation="create contacts")
