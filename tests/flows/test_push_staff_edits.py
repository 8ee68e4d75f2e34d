"""Staff edits reach the CRM: over real HTTP against the sandbox."""

import pytest

from crm_bridge.models import Connection, Contact
from crm_bridge.services import contacts, push
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(sandbox) -> Connection:
    return factories.connection(
        base_url=sandbox.base(), credentials={"api_key": sandbox.key, "apikey": sandbox.key}
    )


@pytest.fixture
def staff(db):
    return factories.user()


def mirrored(sandbox, connection: Connection, **fields) -> Contact:
    """A contact made inside the CRM, mirrored as a pull would leave it."""
    from crm_bridge.records import Identity, canonical
    from crm_bridge.services.connecting import connect_to

    made = sandbox.create(**{"name": "Nguyễn Văn An", "contactType": "lead", **fields})
    family = "lead" if made.get("leadId") else "customer"
    identity = Identity(family, str(made.get("leadId") or made.get("customerId")))
    record = connect_to(connection).get(identity)
    return factories.contact(
        connection,
        family=family,
        remote_id=identity.remote_id,
        kind=record.kind.value,
        values=canonical(record),
    )


def remote(sandbox, contact: Contact) -> dict:
    return sandbox.contact(kind=contact.kind, id=contact.remote_id)


def test_an_edit_is_sent_and_stored(sandbox, connection, staff):
    contact = mirrored(sandbox, connection, phones=[{"type": "Work", "value": "0934890883"}])
    contacts.edit(contact=contact, changes={"stage": "Hẹn gặp", "tags": ["vip"]}, by=staff)

    counts = push.push_due(connection)

    assert counts.as_dict()["done"] == 1, contact.changes.get().words
    held = remote(sandbox, contact)
    assert (held["stage"], held["tags"]) == ("Hẹn gặp", ["vip"])
    contact.refresh_from_db()
    assert contact.base is None
    assert push.receipt(contact).state == "done"
    assert len(sandbox.writes()) == 1


def test_a_new_contact_is_created_once_under_its_code(sandbox, connection, staff):
    contact = contacts.create(
        connection=connection,
        kind="lead",
        values={"name": "Trần Thị Bình", "phones": [{"value": "0912345678", "type": "Work"}]},
        by=staff,
    )
    assert push.push_due(connection).done == 1, contact.changes.get().words
    contact.refresh_from_db()
    assert contact.remote_id
    assert remote(sandbox, contact)["name"] == "Trần Thị Bình"
    assert sandbox.contact(code=contact.code)["leadId"] == int(contact.remote_id)


def test_a_deletion_puts_both_sides_into_the_trash(sandbox, connection, staff):
    contact = mirrored(sandbox, connection)
    contacts.delete(contact=contact, by=staff)
    assert push.push_due(connection).done == 1, contact.changes.get().words
    contact.refresh_from_db()
    assert contact.state == Contact.State.TRASHED
    assert remote(sandbox, contact)["state"] == "trashed"
