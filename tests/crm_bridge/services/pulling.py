"""A connection whose CRM is lists in memory, and short words to pull it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm_bridge.models import Connection, Contact, Run, StreamState
from crm_bridge.services import pull as pulling
from tests import factories
from tests.crm_bridge.services.fake_lists import FakeConnector, row


class Account:
    """One fake account with its connection; ``pull`` runs a stream of it."""

    def __init__(self, connector: FakeConnector) -> None:
        self.connection: Connection = factories.connection(parallel_requests=3)
        self.remote = connector

    def pull(self, stream: str = "contacts", mode: str | None = None, **options: Any) -> Run:
        return pulling.pull(self.connection, stream, mode=mode, **options)

    def complete(self) -> Run:
        return self.pull(mode="complete")

    def state(self, stream: str = "contacts") -> StreamState:
        return StreamState.objects.get(connection=self.connection, stream=stream)

    def lease_ends(self, stream: str = "contacts") -> None:
        """The time in which a killed run's lease runs out."""
        past = timezone.now() - timedelta(minutes=1)
        StreamState.objects.filter(connection=self.connection, stream=stream).update(lease_until=past)

    def ids(self, state: str = "live") -> set[int]:
        rows = Contact.objects.filter(connection=self.connection, state=state)
        return {int(remote_id) for remote_id in rows.values_list("remote_id", flat=True) if remote_id}

    def contact(self, number: int) -> Contact:
        return Contact.objects.get(connection=self.connection, remote_id=str(number))


@pytest.fixture(name="remote")
def remote_fixture(monkeypatch: pytest.MonkeyPatch) -> FakeConnector:
    """The fake CRM that every connection leads to: 23 contacts on pages of 5, newest first."""
    connector = FakeConnector([row(number) for number in range(23, 0, -1)])
    monkeypatch.setattr(pulling, "connect_to", lambda connection: connector)
    return connector


@pytest.fixture(name="account")
def account_fixture(db: None, remote: FakeConnector) -> Account:
    return Account(remote)
