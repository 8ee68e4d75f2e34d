"""A person settles a conflict; every choice is kept and nothing is lost on the way."""

import pytest

from backoffice.models import AuditEntry
from crm_bridge.models import Contact, ContactChange
from crm_bridge.services import conflicts, contacts, push

pytestmark = pytest.mark.django_db
Status = ContactChange.Status


@pytest.fixture
def clashing(mirror, crm, staff):
    """Stage and note were changed on both sides."""
    contact = mirror(stage="new", note="a")
    contacts.edit(contact=contact, changes={"stage": "won", "note": "b"}, by=staff)
    crm.change(contact.remote_id, stage="lost", note="c")
    push.push_due()
    contact.refresh_from_db()
    return contact


def test_each_field_goes_the_way_it_was_chosen(clashing, crm, staff):
    conflicts.settle(contact=clashing, choices={"stage": "ours", "note": "theirs"}, by=staff)
    clashing.refresh_from_db()
    assert (clashing.stage, clashing.note, clashing.base) == ("won", "c", {"stage": "lost"})
    assert push.push_due().done == 1
    held = crm.records[clashing.remote_id]
    assert (held.stage, held.note) == ("won", "c")
    clashing.refresh_from_db()
    assert clashing.base is None
    assert set(clashing.conflicts.values_list("field", "choice", "resolved_by")) == {
        ("stage", "ours", staff.pk),
        ("note", "theirs", staff.pk),
    }
    assert AuditEntry.objects.get(action="contact.conflict").data["choices"]["stage"] == "ours"


def test_one_field_may_be_settled_before_the_other(clashing, crm, staff):
    conflicts.settle(conflict=clashing.conflicts.get(field="stage"), choices={"stage": "ours"}, by=staff)
    assert push.push_due().done == 1
    assert crm.records[clashing.remote_id].stage == "won"
    assert clashing.changes.get(status=Status.CONFLICT).new == {"note": "b"}


def test_keeping_ours_does_not_overwrite_a_third_value(clashing, crm, staff):
    conflicts.settle(contact=clashing, choices={"stage": "ours"}, by=staff)
    crm.change(clashing.remote_id, stage="paused")
    assert push.push_due().conflict == 1
    assert crm.records[clashing.remote_id].stage == "paused"


def test_editing_a_clashing_field_changes_our_side(clashing, crm, staff):
    contacts.edit(contact=clashing, changes={"stage": "signed"}, by=staff)
    assert clashing.conflicts.get(field="stage").ours == "signed"
    assert push.push_due().total == 0
    conflicts.settle(contact=clashing, choices={"stage": "ours"}, by=staff)
    push.push_due()
    assert crm.records[clashing.remote_id].stage == "signed"


def test_a_choice_for_a_field_without_conflict_is_refused(clashing, staff):
    with pytest.raises(contacts.Invalid, match="name"):
        conflicts.settle(contact=clashing, choices={"name": "ours"}, by=staff)
    with pytest.raises(contacts.Invalid, match="stage"):
        conflicts.settle(contact=clashing, choices={"stage": "mine"}, by=staff)
    with pytest.raises(contacts.Invalid):
        conflicts.settle(contact=clashing, choices={}, by=staff)


def test_dropping_takes_theirs(clashing, crm, staff):
    push.drop(change=clashing.changes.get(), by=staff)
    clashing.refresh_from_db()
    assert (clashing.stage, clashing.note, clashing.base) == ("lost", "c", None)
    assert not clashing.conflicts.filter(resolved_at=None).exists()


@pytest.fixture
def gone(mirror, crm, staff):
    contact = mirror(name="An", stage="new", note="a")
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    crm.records.clear()
    push.push_due()
    return contact


def test_a_gone_contact_is_created_again_with_our_values(gone, crm, staff):
    again = conflicts.settle(contact=gone, choices={"*": "ours"}, by=staff)
    assert push.push_due().done == 1
    again.refresh_from_db()
    held = crm.records[again.remote_id]
    assert (held.name, held.stage, held.note) == ("An", "won", "a")
    gone.refresh_from_db()
    assert (gone.state, gone.stage) == (Contact.State.MISSING, "new")


def test_the_edit_of_a_gone_contact_can_be_given_up(gone, crm, staff):
    assert conflicts.settle(contact=gone, choices={"*": "theirs"}, by=staff) is None
    gone.refresh_from_db()
    assert (gone.stage, gone.base) == ("new", None)
    assert push.push_due().total == 0


@pytest.fixture
def edited_there(mirror, crm, staff):
    contact = mirror(stage="new")
    contacts.delete(contact=contact, by=staff)
    crm.change(contact.remote_id, stage="won")
    push.push_due()
    return contact


def test_deleting_all_the_same(edited_there, crm, staff):
    conflicts.settle(contact=edited_there, choices={"*": "ours"}, by=staff)
    assert push.push_due().done == 1
    assert crm.records == {}


def test_keeping_what_was_edited_there(edited_there, crm, staff):
    conflicts.settle(contact=edited_there, choices={"*": "theirs"}, by=staff)
    assert push.push_due().total == 0
    edited_there.refresh_from_db()
    assert edited_there.state == Contact.State.LIVE
    assert edited_there.changes.get().status == Status.CANCELLED
