"""Sending: merge, outcomes, echoes, order, bulk, retry and drop; against a CRM in memory."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RetryLater,
)
from crm_bridge.models import Connection, Contact, ContactChange
from crm_bridge.services import contacts, push
from tests import factories

pytestmark = pytest.mark.django_db
Status = ContactChange.Status
LOST = ("after", OutcomeUnknown("the connection was cut"))


def phone(value: str) -> dict[str, str]:
    return {"value": value, "type": "Work"}


def test_fields_changed_on_both_sides_survive_both(mirror, crm, staff):
    contact = mirror(name="An", stage="new", phones=[phone("0934890883")])
    contacts.edit(
        contact=contact,
        changes={"stage": "won", "phones": [phone("0934890883"), phone("0912345678")]},
        by=staff,
    )
    crm.change(contact.remote_id, name="Ân", phones=[phone("0934890883"), phone("0987654321")])
    Contact.objects.update(content_hash="as pulled")

    assert push.push_due().done == 1
    held = crm.records[contact.remote_id]
    assert (held.name, held.stage) == ("Ân", "won")
    assert {each.value for each in held.phones} == {"0934890883", "0912345678", "0987654321"}
    assert crm.writes[0].values.keys() == {"stage", "phones"}
    contact.refresh_from_db()
    assert {each["value"] for each in contact.value("phones")} == {each.value for each in held.phones}
    assert contact.content_hash == "", "or the next pull would not read it anew"


def test_what_is_there_already_is_not_sent(mirror, crm, staff):
    contact = mirror(stage="new")
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    crm.change(contact.remote_id, stage="won")
    assert push.push_due().done == 1
    assert crm.writes == []


def test_the_clean_fields_go_and_only_the_clashing_one_waits(mirror, crm, staff):
    contact = mirror(stage="new", note="")
    contacts.edit(contact=contact, changes={"stage": "won", "note": "call back"}, by=staff)
    crm.change(contact.remote_id, stage="lost")

    assert push.push_due().conflict == 1
    assert crm.records[contact.remote_id].note == "call back"
    assert crm.records[contact.remote_id].stage == "lost"
    conflict = contact.conflicts.get()
    assert (conflict.field, conflict.base, conflict.ours, conflict.theirs) == ("stage", "new", "won", "lost")
    assert contact.changes.get().new == {"stage": "won"}
    contact.refresh_from_db()
    assert (contact.stage, contact.note, contact.base) == ("won", "call back", {"stage": "lost"})


def test_a_cut_name_is_told_in_words(mirror, crm, staff):
    crm.truncate_name = 5
    contact = mirror(name="An")
    contacts.edit(contact=contact, changes={"name": "Nguyễn Văn An"}, by=staff)
    assert push.push_due().done == 1
    assert contact.changes.get().words == "FakeCRM stored name as “Nguyễ”"
    contact.refresh_from_db()
    assert contact.name == "Nguyễ"
    assert push.push_due().total == 0


def test_a_crm_that_clears_what_is_left_out_gets_it_back(mirror, crm, connection, staff):
    crm.clear_omitted = True
    contact = mirror(name="An", note="important", stage="new", tags=["vip"])
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    assert push.push_due().done == 1
    held = crm.records[contact.remote_id]
    assert (held.note, held.stage, held.tags) == ("important", "won", ("vip",))
    connection.refresh_from_db()
    assert connection.measured["put_omitted"] == "clear"
    contacts.edit(contact=contact, changes={"stage": "lost"}, by=staff)
    push.push_due()
    assert len(crm.writes) == 3
    assert crm.records[contact.remote_id].note == "important"


def test_an_edit_with_a_lost_answer_restarts_at_the_read(mirror, crm, staff):
    contact = mirror(stage="new")
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    crm.faults = [LOST]
    counts = push.push_due()
    assert (counts.unknown, counts.done) == (1, 1)
    assert len(crm.writes) == 1
    assert crm.records[contact.remote_id].stage == "won"


def test_an_edit_that_was_not_applied_is_sent_again(mirror, crm, staff):
    contact = mirror(stage="new")
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    crm.faults = [("before", RetryLater("refused")), ("before", OutcomeUnknown("?"))]
    assert push.push_due().done == 1
    assert len(crm.writes) == 1
    assert contact.changes.get().attempts == 3


def test_a_refusal_keeps_the_staff_value_and_the_crms_words(mirror, crm, staff):
    contact = mirror(stage="new")
    change = contacts.edit(contact=contact, changes={"stage": "wön"}, by=staff)
    crm.faults = [("before", Rejected("it refused this", words="unknown stage"))]
    assert push.push_due().rejected == 1
    change.refresh_from_db()
    assert "unknown stage" in change.words
    assert Contact.objects.get(pk=contact.pk).stage == "wön"

    contacts.edit(contact=contact, changes={"note": "hello"}, by=staff)
    assert push.push_due().done == 1, "another field is not held up"

    corrected = contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    assert (corrected.base, corrected.new) == ({"stage": "new"}, {"stage": "won"})
    assert push.push_due().done == 1
    change.refresh_from_db()
    assert change.status == Status.CANCELLED
    assert crm.records[contact.remote_id].stage == "won"


def test_a_later_edit_of_a_refused_field_starts_from_what_the_crm_holds(mirror, crm, staff):
    contact = mirror(stage="new")
    contacts.edit(contact=contact, changes={"stage": "wön"}, by=staff)

    def meanwhile(_change):
        crm.before_write = None
        contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)

    crm.before_write = meanwhile
    crm.faults = [("before", Rejected("unknown stage"))]
    counts = push.push_due()
    assert (counts.done, counts.conflict, counts.cancelled) == (1, 0, 1)
    assert crm.records[contact.remote_id].stage == "won"


def test_slowing_down_pauses_the_connection_and_costs_no_attempt(mirror, crm, connection, staff):
    one, other = mirror(stage="new"), mirror(stage="new")
    for contact in (one, other):
        contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    limited = RateLimited("slow down")
    limited.after = 60
    crm.read_error = limited
    assert push.push_due().total == 1, "the second row must not even be tried"
    connection.health.refresh_from_db()
    assert connection.health.open_until > timezone.now() + timedelta(seconds=50)
    assert set(ContactChange.objects.values_list("attempts", "status")) == {(0, "waiting")}


def test_bad_credentials_stop_the_connection_until_a_person_looked(mirror, crm, connection, staff):
    contacts.edit(contact=mirror(stage="new"), changes={"stage": "won"}, by=staff)
    crm.read_error = ConnectionBroken("it does not accept our credentials")
    push.push_due()
    connection.health.refresh_from_db()
    assert connection.health.needs_attention
    crm.read_error = None
    assert push.push_due().total == 0
    connection.health.__class__.objects.update(needs_attention=False)
    assert push.push_due().done == 1


def test_a_connection_switched_off_sends_nothing(mirror, crm, connection, staff):
    contacts.edit(contact=mirror(stage="new"), changes={"stage": "won"}, by=staff)
    Connection.objects.update(is_active=False)
    assert push.push_due().total == 0


def test_a_contact_gone_there_keeps_the_edit_as_a_conflict(mirror, crm, staff):
    contact = mirror(stage="new")
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    crm.records.clear()
    assert push.push_due().conflict == 1
    conflict = contact.conflicts.get()
    assert (conflict.field, conflict.ours) == ("*", {"stage": "won"})
    contacts.edit(contact=contact, changes={"note": "still here"}, by=staff)
    assert push.push_due().total == 0
    conflict.refresh_from_db()
    assert conflict.ours == {"stage": "won", "note": "still here"}


def test_deleting_what_was_edited_there_asks_a_person(mirror, crm, staff):
    contact = mirror(stage="new")
    crm.change(contact.remote_id, stage="won")
    contacts.delete(contact=contact, by=staff)
    assert push.push_due().conflict == 1
    assert contact.remote_id in crm.records
    assert contact.conflicts.get().theirs == {"stage": "won"}


def test_deleting_what_is_gone_already_is_done(mirror, crm, staff):
    contact = mirror()
    contacts.delete(contact=contact, by=staff)
    crm.records.clear()
    assert push.push_due().done == 1
    contact.refresh_from_db()
    assert contact.state == Contact.State.TRASHED


def test_a_deletion_with_a_lost_answer_is_looked_up(mirror, crm, staff):
    contact = mirror()
    contacts.delete(contact=contact, by=staff)
    crm.faults = [LOST]
    counts = push.push_due()
    assert (counts.unknown, counts.done, len(crm.writes)) == (1, 1, 1)


def test_an_error_of_our_own_is_kept_in_words_and_tried_again(mirror, crm, staff):
    contact = mirror(stage="new")
    change = contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    calls = []

    def once(_change):
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError

    crm.before_write = once
    counts = push.push_due()
    assert (counts.unknown, counts.done) == (1, 1)
    change.refresh_from_db()
    assert change.status == Status.DONE


def test_a_pulled_twin_of_a_new_contact_is_taken_in(mirror, crm, connection, staff):
    contact = contacts.create(connection=connection, kind="lead", values={"name": "An"}, by=staff)

    def pull_in_between(_change):
        number = str(crm.next_id)
        factories.contact(connection, remote_id=number, values={"name": "An"}, raw="{}", uid="abc")

    crm.before_write = pull_in_between
    assert push.push_due().done == 1
    mirrored = Contact.objects.get()
    assert (mirrored.pk, mirrored.uid, mirrored.raw) == (contact.pk, "abc", "{}")


def test_an_import_travels_in_bulk_and_every_id_is_proven(connection, crm, staff):
    rows = [("lead", {"name": f"Khách {n}", "phones": [phone(f"09123456{n:02}")]}) for n in range(25)]
    contacts.create_many(connection=connection, rows=rows, by=staff)
    assert push.push_due().done == 25
    assert (crm.bulks, len(crm.records)) == ([25], 25)
    for contact in Contact.objects.all():
        assert crm.records[contact.remote_id].name == contact.name


@pytest.mark.parametrize("fault", [("after", OutcomeUnknown("cut")), ("half", OutcomeUnknown("cut"))])
def test_a_bulk_with_a_lost_answer_makes_no_duplicates(mirror, connection, crm, staff, fault):
    mirror(name="Known", phones=[phone("0999999999")])
    rows = [("lead", {"name": f"Khách {n}", "phones": [phone(f"09123456{n:02}")]}) for n in range(10)]
    contacts.create_many(connection=connection, rows=rows, by=staff)
    crm.faults = [fault]
    push.push_due()
    assert len(crm.records) == 11
    assert sorted(record.name for record in crm.records.values())[:-1] == [f"Khách {n}" for n in range(10)]
    assert Contact.objects.filter(remote_id=None).count() == 0


def test_a_bad_answer_to_a_bulk_item_is_never_believed(connection, crm, staff, monkeypatch):
    real = crm.push_bulk

    def swapped(changes):
        return list(reversed(real(changes)))

    monkeypatch.setattr(crm, "push_bulk", swapped)
    rows = [("lead", {"name": f"Khách {n}", "phones": [phone(f"09123456{n:02}")]}) for n in range(2)]
    contacts.create_many(connection=connection, rows=rows, by=staff)
    push.push_due()
    assert len(crm.records) == 2
    for contact in Contact.objects.all():
        assert crm.codes[contact.code] == contact.remote_id


def test_no_connection_starves_another(mirror, crm, connection, staff):
    other = factories.connection()
    many = [mirror(stage="new") for _ in range(4)]
    record = crm.add(stage="new")
    single = factories.contact(other, remote_id=record.identity.remote_id, values={"stage": "new"})
    for contact in [*many, single]:
        contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    push.push_due(limit=2)
    assert single.changes.get().status == Status.DONE


def test_retry_sends_again_and_joins_a_later_edit(mirror, crm, staff):
    contact = mirror(stage="new", note="")
    refused = contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    crm.faults = [("before", Rejected("not now"))]
    push.push_due()
    contacts.edit(contact=contact, changes={"note": "x"}, by=staff)
    push.retry(change=refused, by=staff)
    assert push.push_due().done == 1
    assert (crm.records[contact.remote_id].stage, crm.records[contact.remote_id].note) == ("won", "x")
    with pytest.raises(contacts.NotWritable):
        push.retry(change=refused, by=staff)


def test_drop_shows_the_agreed_value_again(mirror, crm, staff):
    contact = mirror(stage="new")
    change = contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    push.drop(change=change, by=staff)
    contact.refresh_from_db()
    assert (contact.stage, contact.base) == ("new", None)
    assert push.push_due().total == 0


def test_dropping_a_create_leaves_it_in_the_trash(connection, crm, staff):
    contact = contacts.create(connection=connection, kind="lead", values={"name": "An"}, by=staff)
    push.drop(change=contact.changes.get(), by=staff)
    contact.refresh_from_db()
    assert contact.state == Contact.State.TRASHED
    assert push.push_due().total == 0


def test_the_receipt_tells_where_an_edit_is(mirror, crm, staff):
    contact = mirror(stage="new")
    assert push.receipt(contact) is None
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    waiting = push.receipt(contact)
    assert (waiting.state, waiting.saved_by, waiting.sent_at) == ("waiting", "lan", None)
    push.push_due()
    done = push.receipt(contact)
    assert (done.state, done.sent_at is not None, done.open_changes) == ("done", True, 0)


def test_a_pre_read_that_cannot_be_used_sends_nothing(mirror, crm, staff):
    contact = mirror(stage="new")
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    crm.read_error = BadResponse("a login page")
    push.push_one(contact.changes.get().pk)
    change = contact.changes.get()
    assert (change.status, change.sent_at, crm.writes) == (Status.WAITING, None, [])


def test_one_row_done_rings_the_next_of_its_connection(mirror, crm, staff, monkeypatch):
    """A backlog whose messages were all lost drains from a single ring."""
    for _number in range(5):
        contacts.edit(contact=mirror(stage="new"), changes={"stage": "won"}, by=staff)
    rung = [ContactChange.objects.earliest("pk").pk]
    monkeypatch.setattr(push.outbox, "ring", lambda row: rung.append(row.pk))
    for pk in rung:
        push.push_one(pk)
    assert len(rung) == 5
    assert set(ContactChange.objects.values_list("status", flat=True)) == {Status.DONE}
