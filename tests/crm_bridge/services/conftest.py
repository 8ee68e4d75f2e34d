"""A fake CRM behind a mirrored connection, and a staff user."""

import pytest

from crm_bridge.models import Connection, Contact
from crm_bridge.records import canonical
from crm_bridge.services import connecting
from tests import factories
from tests.crm_bridge.services.fake_crm import FakeCrm


@pytest.fixture
def crm(monkeypatch, settings) -> FakeCrm:
    fake = FakeCrm()
    monkeypatch.setattr(connecting, "connect_to", lambda connection: fake)
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    return fake


@pytest.fixture
def connection(db) -> Connection:
    return factories.connection()


@pytest.fixture
def staff(db):
    return factories.user(username="lan")


@pytest.fixture
def mirror(crm, connection):
    """Makes a contact that is the same here and there."""

    def make(**values) -> Contact:
        record = crm.add(**values)
        return factories.contact(
            connection, remote_id=record.identity.remote_id, kind=record.kind.value, values=canonical(record)
        )

    return make
