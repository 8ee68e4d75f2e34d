"""Shared by the tests of Udesk's connector."""

from collections.abc import Iterator

import pytest

from crm_bridge.connectors.udesk import imports
from crm_bridge.connectors.udesk.definitions import forget_definitions


@pytest.fixture(autouse=True)
def no_definitions_kept() -> Iterator[None]:
    """Another test's account may have other custom fields."""
    forget_definitions()
    yield
    forget_definitions()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look-ups after an import come at once; the sandbox applies it after half a second."""
    monkeypatch.setattr(imports, "WAITS", (0.0, 0.7, 0.1))
