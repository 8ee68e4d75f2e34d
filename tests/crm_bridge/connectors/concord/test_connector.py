"""Concord's connector on its sandbox: the contract and what only this vendor does."""

from __future__ import annotations

from typing import Any, ClassVar

from backoffice.remote.errors import Forbidden, Gone
from crm_bridge.connectors.base import Connector
from crm_bridge.records import Address, Email, Identity, Kind, Operation, Phone, canonical_value
from tests.crm_bridge.connectors.contract import ConnectorContract, Ending
from tests.sandbox.concord_api import TOKEN, ConcordStaff
from tests.sandbox_fixture import SandboxControl

#: Faults that spoil a body: an answer that has none stays what it is.
_SPOIL_BODIES = {"truncate", "wrong_content_type", "nan"}


class TestConcordConnector(ConnectorContract):
    kind: ClassVar[str] = "concord"
    credentials: ClassVar[dict[str, str]] = {"token": TOKEN}
    wrong_credentials: ClassVar[dict[str, str]] = {"token": "another-token"}
    family_of: ClassVar[dict[Kind, str]] = {Kind.CONTACT: "contact"}
    name_key: ClassVar[str] = "first_name"
    spoiled: ClassVar[tuple[tuple[str, Any], ...]] = (
        ("phones", "0912"), ("first_name", ["An"]), ("updated_at", "soon"), ("tags", {"a": 1}),
    )  # fmt: skip
    says_success: ClassVar[bool] = False

    def live(self, sandbox: SandboxControl) -> dict[Identity, str]:
        return {
            Identity("contact", number): " ".join(each["name"].split())
            for number, each in ConcordStaff(sandbox).visible().items()
        }

    def trash(self, sandbox: SandboxControl, identity: Identity) -> None:
        ConcordStaff(sandbox).act("trash", identity.remote_id)

    def full_values(self, connector: Connector, sandbox: SandboxControl, mark: str) -> dict[str, Any]:
        values = {
            "name": f"Nguyễn Thử {mark}",
            "phones": (Phone(f"09340000{mark}", "work"), Phone(f"+84 912 000 0{mark}", "")),
            "emails": (Email(f"thu{mark}@example.com"),),
            "addresses": (Address(street_name="12A Lê Lợi", district="Quận 3", city="Huế", country="704"),),
            "tags": ("VIP", "Hẹn gọi lại"),
            "source": "2",
            "responsible": "3",
            "custom_fields": {
                "contract_number": "HD-2025-001",
                "interests": ["vinhos"],
                "job_title": "Giám đốc",
            },
        }
        return {name: canonical_value(value) for name, value in values.items()}

    def edited(self, connector: Connector, sandbox: SandboxControl) -> dict[str, Any]:
        return self.full_values(connector, sandbox, "22") | {
            "tags": ["mới"],
            "addresses": [],
            "source": "5",
            "custom_fields": {"credit_limit": "5", "newsletter": True},
        }

    def write_ending(
        self, operation: Operation, fault: str, options: dict[str, Any], usual: Ending
    ) -> Ending:
        if options.get("code") == 403 and fault == "status":
            return Forbidden  # the list still answers, so it is this contact, not the token
        if options.get("code") == 404 and fault == "status" and operation is not Operation.CREATE:
            return Gone
        if operation is Operation.DELETE and fault in _SPOIL_BODIES:
            return None
        return usual
