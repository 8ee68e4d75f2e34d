"""Saving: one transaction, coalescing, clashes, words; nobody waits for a remote system."""

import socket
import threading
from dataclasses import replace
from uuid import UUID

import pytest
from django.db import transaction

from backoffice.models import AuditEntry
from backoffice.sync import bell
from crm_bridge.connectors.antcrm.connector import AntCrmConnector as Vendor
from crm_bridge.models import Contact, ContactChange
from crm_bridge.services import contacts, push

pytestmark = pytest.mark.django_db
Status = ContactChange.Status


def open_rows(contact: Contact) -> list[tuple[str, str, dict]]:
    rows = contact.changes.filter(status__in=ContactChange.OPEN).order_by("pk")
    return [(row.operation, row.status, row.new) for row in rows]


def test_an_edit_writes_contact_agreed_values_audit_and_outbox(mirror, staff):
    contact = mirror(name="An", stage="new", phones=[{"value": "0934890883", "type": "Work"}])
    change = contacts.edit(contact=contact, changes={"name": "Ân", "stage": "won"}, by=staff)

    fresh = Contact.objects.get(pk=contact.pk)
    assert (fresh.name, fresh.stage, fresh.version) == ("Ân", "won", contact.version)
    assert fresh.base == {"name": "An", "stage": "new"}
    assert "an" in fresh.search_text
    assert (change.base, change.new) == ({"name": "An", "stage": "new"}, {"name": "Ân", "stage": "won"})
    entry = AuditEntry.objects.get(action="contact.edit")
    assert entry.data["fields"] == {"name": ["An", "Ân"], "stage": ["new", "won"]}
    assert entry.actor == staff


def test_a_failure_in_the_middle_saves_nothing(mirror, staff, monkeypatch):
    contact = mirror(name="An")

    def broken(*args, **kwargs):
        raise RuntimeError("disk full")

    monkeypatch.setattr(contacts.outbox, "queue_edit", broken)
    with pytest.raises(RuntimeError):
        contacts.edit(contact=contact, changes={"name": "Bình"}, by=staff)
    assert Contact.objects.get(pk=contact.pk).name == "An"
    assert not AuditEntry.objects.exists()
    assert not ContactChange.objects.exists()


def test_later_edits_join_the_waiting_one(mirror, staff):
    contact = mirror(name="An", stage="new")
    for name in ("B", "C", "D"):
        contacts.edit(contact=contact, changes={"name": name}, by=staff)
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    assert open_rows(contact) == [("edit", "waiting", {"name": "D", "stage": "won"})]
    assert contact.changes.get().base == {"name": "An", "stage": "new"}


def test_a_field_edited_back_drops_out(mirror, staff):
    contact = mirror(name="An", stage="new")
    contacts.edit(contact=contact, changes={"name": "B", "stage": "won"}, by=staff)
    contacts.edit(contact=contact, changes={"name": "An"}, by=staff)
    assert open_rows(contact) == [("edit", "waiting", {"stage": "won"})]
    contacts.edit(contact=contact, changes={"stage": "new"}, by=staff)
    assert open_rows(contact) == []
    assert contact.changes.get().status == Status.CANCELLED
    contact.refresh_from_db()
    assert contact.base is None


def test_a_thousand_edits_of_few_contacts_become_one_write_each(mirror, crm, staff):
    rows = [mirror(name=f"Khách {number}") for number in range(5)]
    for number in range(1000):
        contacts.edit(contact=rows[number % 5], changes={"note": f"call {number}"}, by=staff)
    assert push.push_due().done == 5
    assert len(crm.writes) == 5
    assert {record.note for record in crm.records.values()} == {
        f"call {number}" for number in range(995, 1000)
    }


def test_an_edit_while_one_is_sent_waits_behind_it(mirror, crm, staff):
    contact = mirror(name="An")
    contacts.edit(contact=contact, changes={"name": "B"}, by=staff)

    def meanwhile(_change):
        crm.before_write = None
        contacts.edit(contact=contact, changes={"name": "C"}, by=staff)
        assert [row[1] for row in open_rows(contact)] == ["sending", "waiting"]

    crm.before_write = meanwhile
    assert push.push_due().done == 2
    assert [change.values["name"] for change in crm.writes] == ["B", "C"]
    contact.refresh_from_db()
    assert (contact.name, contact.base) == ("C", None)


def test_the_second_of_two_people_is_told_who_and_what(mirror, staff):
    contact = mirror(name="An", stage="new")
    opened = contact.version
    contacts.edit(contact=contact, changes={"name": "Bình"}, by=staff, version=opened)
    with pytest.raises(contacts.VersionClash) as clash:
        contacts.edit(contact=contact, changes={"stage": "won"}, by=staff, version=opened)
    assert "lan" in str(clash.value)
    assert clash.value.edits[0].fields == {"name": ["An", "Bình"]}
    assert Contact.objects.get(pk=contact.pk).stage == "new"


def test_the_same_form_sent_twice_is_one_edit_and_no_clash(mirror, staff):
    contact = mirror(name="An")
    opened = contact.version
    first = contacts.edit(contact=contact, changes={"name": "B"}, by=staff, version=opened)
    second = contacts.edit(contact=contact, changes={"name": "B"}, by=staff, version=opened)
    assert second.pk == first.pk
    assert contact.changes.count() == 1


def test_an_edit_on_top_of_a_value_that_a_pull_replaced_becomes_a_conflict(mirror, crm, staff):
    contact = mirror(stage="new")
    crm.change(contact.remote_id, stage="lost")
    Contact.objects.filter(pk=contact.pk).update(stage="lost")  # as a pull writes it
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff, seen={"stage": "new"})
    assert push.push_due().conflict == 1
    assert crm.records[contact.remote_id].stage == "lost"


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("name", "  ", "name is needed"),
        ("name", "A\x00B", "cannot be stored"),
        ("name", "x" * 501, "500"),
        ("emails", [{"value": "no at"}], "no at"),
        ("phones", [{"value": "call me"}], "no digits"),
        ("phones", "0934", "list"),
        ("phones", [{"number": "1"}], "value, type"),
        ("birth_date", "15/03/2000", "2000-03-15"),
        ("birth_date", "0001-01-01", "year"),
        ("gender", "robot", "male"),
        ("custom_fields", {"a": {"b": 1}}, "custom field"),
        ("tags", ["x" * 201], "200"),
        ("shoe_size", 44, "no such field"),
        ("score_rank", 1, "no such field"),
    ],
)
def test_bad_values_are_refused_with_the_field(mirror, staff, field, value, word):
    contact = mirror()
    with pytest.raises(contacts.Invalid) as refused:
        contacts.edit(contact=contact, changes={field: value}, by=staff)
    assert word in refused.value.errors[field]
    assert not ContactChange.objects.exists()


def test_every_wrong_field_is_named_at_once(mirror, staff):
    with pytest.raises(contacts.Invalid) as refused:
        contacts.edit(contact=mirror(), changes={"name": "", "emails": [{"value": "x"}]}, by=staff)
    assert refused.value.errors.keys() == {"name", "emails"}


def test_a_phone_that_is_no_valid_number_may_be_saved(mirror, staff):
    contact = mirror()
    contacts.edit(contact=contact, changes={"phones": [{"value": "ext. 12"}, {"value": ""}]}, by=staff)
    assert contact.value("phones") == [{"value": "ext. 12", "type": ""}]


def test_a_field_the_crm_does_not_take_is_refused(mirror, staff, monkeypatch):
    contact = mirror()
    monkeypatch.setattr(Vendor, "capabilities", replace(Vendor.capabilities, writable=frozenset({"name"})))
    with pytest.raises(contacts.Invalid, match="does not take"):
        contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)


def test_create_with_the_same_nonce_is_one_contact(connection, crm, staff):
    made = {
        contacts.create(
            connection=connection, kind="lead", values={"name": "An"}, by=staff, nonce="form-1"
        ).pk
        for _click in range(5)
    }
    assert len(made) == 1
    assert ContactChange.objects.count() == 1


def test_edit_of_a_waiting_create_changes_the_create(connection, crm, staff):
    contact = contacts.create(connection=connection, kind="lead", values={"name": "An"}, by=staff)
    code = contact.code
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    assert open_rows(contact) == [("create", "waiting", {"name": "An", "stage": "won"})]
    push.push_due()
    contact.refresh_from_db()
    assert (len(crm.writes), crm.writes[0].code, contact.code) == (1, code, code)
    assert contact.base is None


def test_delete_of_a_create_that_never_left_cancels_both(connection, crm, staff):
    contact = contacts.create(connection=connection, kind="lead", values={"name": "An"}, by=staff)
    contacts.delete(contact=contact, by=staff)
    assert push.push_due().total == 0
    assert (contact.state, crm.writes) == (Contact.State.TRASHED, [])
    assert contact.tombstones.get().snapshot["name"] == "An"


def test_delete_replaces_a_waiting_edit_and_is_asked_once(mirror, crm, staff):
    contact = mirror(name="An")
    contacts.edit(contact=contact, changes={"name": "B"}, by=staff)
    first = contacts.delete(contact=contact, by=staff)
    assert contacts.delete(contact=contact, by=staff).pk == first.pk
    assert [row[:2] for row in open_rows(contact)] == [("delete", "waiting")]
    with pytest.raises(contacts.NotWritable, match="being deleted"):
        contacts.edit(contact=contact, changes={"name": "C"}, by=staff)
    push.push_due()
    contact.refresh_from_db()
    assert (contact.state, crm.records) == (Contact.State.TRASHED, {})


def test_a_dropped_deletion_brings_the_unsent_edit_back(mirror, crm, staff):
    contact = mirror(name="An")
    contacts.edit(contact=contact, changes={"name": "B"}, by=staff)
    deletion = contacts.delete(contact=contact, by=staff)
    assert contact.name == "An"
    push.drop(change=deletion, by=staff)
    contact.refresh_from_db()
    assert contact.name == "B"
    assert push.push_due().done == 1
    assert crm.records[contact.remote_id].name == "B"


def test_a_trashed_contact_is_not_written_but_can_be_created_again(mirror, crm, staff):
    contact = mirror(name="An", stage="won")
    contacts.delete(contact=contact, by=staff)
    push.push_due()
    contact.refresh_from_db()
    with pytest.raises(contacts.NotWritable, match="trashed"):
        contacts.edit(contact=contact, changes={"name": "B"}, by=staff)
    again = contacts.recreate(contact=contact, by=staff)
    push.push_due()
    again.refresh_from_db()
    assert again.pk != contact.pk
    assert crm.records[again.remote_id].stage == "won"


def test_an_import_names_bad_rows_and_writes_none(connection, crm, staff):
    rows = [("lead", {"name": "An"}), ("lead", {"name": ""}), ("pirate", {"name": "X"})]
    with pytest.raises(contacts.Invalid) as refused:
        contacts.create_many(connection=connection, rows=rows, by=staff)
    assert refused.value.errors.keys() == {"row 2 name", "row 3 kind"}
    assert not Contact.objects.exists()


def test_an_import_shares_one_batch(connection, crm, staff):
    rows = [("lead", {"name": f"Khách {number}"}) for number in range(3)]
    batch = contacts.create_many(connection=connection, rows=rows, by=staff)
    assert isinstance(batch, UUID)
    assert ContactChange.objects.filter(batch=batch).count() == 3


@pytest.mark.django_db(transaction=True)
def test_saving_opens_no_socket_whatever_state_the_broker_is_in(mirror, staff, monkeypatch):
    """The request's own thread must not talk to the broker; the bell's thread may fail."""
    here, opened, published = threading.get_ident(), [], threading.Event()
    real = socket.socket.connect

    def watched(self, address):
        if threading.get_ident() == here:
            opened.append(address)
        return real(self, address)

    def refused(*args, **kwargs):
        published.set()
        socket.create_connection(("127.0.0.1", 9), timeout=0.2)

    contact = mirror(name="An")
    monkeypatch.setattr(socket.socket, "connect", watched)
    monkeypatch.setattr(bell.current_app, "send_task", refused)
    monkeypatch.setattr(bell, "REST_SECONDS", 0)
    contacts.edit(contact=contact, changes={"name": "B"}, by=staff)
    assert published.wait(5), "nobody was rung"
    assert opened == []
    assert Contact.objects.get(pk=contact.pk).name == "B"


@pytest.mark.django_db(transaction=True)
def test_nobody_is_rung_for_what_was_not_saved(mirror, staff, monkeypatch):
    rung = []
    monkeypatch.setattr(bell, "_hand_over", rung.append)
    contact = mirror(name="An")

    def save_and_fail():
        with transaction.atomic():
            contacts.edit(contact=contact, changes={"name": "B"}, by=staff)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        save_and_fail()
    assert rung == []
    change = contacts.edit(contact=contact, changes={"name": "B"}, by=staff)
    assert rung == [("crm_bridge.tasks.push_change", (change.pk,), "push")]
