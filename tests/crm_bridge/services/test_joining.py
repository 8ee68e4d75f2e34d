"""Merges and links through the outbox: sent once, settled by reading, nothing of the loser lost."""

from dataclasses import replace

import pytest
from django.utils import timezone

from backoffice.models import AuditEntry
from backoffice.remote.errors import OutcomeUnknown, RetryLater
from crm_bridge.models import Conflict, Contact, ContactChange, Merge
from crm_bridge.records import Operation, Relation, RelationAction, canonical
from crm_bridge.services import conflicts, contacts, push
from crm_bridge.services.contacts import Invalid, NotWritable
from tests import factories
from tests.crm_bridge.services.fake_vendor import FakeVendor, FakeWorld

pytestmark = pytest.mark.django_db
Status = ContactChange.Status


@pytest.fixture
def account(vendor):
    return factories.connection(vendor="fake", name="Fake")


@pytest.fixture
def mirror(account, vendor):
    def make(**values) -> Contact:
        record = vendor.add(kind="contact", **values)
        return factories.contact(
            account,
            family="one",
            remote_id=record.identity.remote_id,
            kind="contact",
            values=canonical(record),
        )

    return make


@pytest.fixture
def two(mirror):
    mirror(name="Somebody else")
    return (
        mirror(name="An", phones=[{"value": "0934890883", "type": ""}], stage="new"),
        mirror(name="Nguyễn An", phones=[{"value": "0911222333", "type": ""}]),
    )


@pytest.fixture
def lan(db):
    return factories.user("Managers", username="lan")


def due_now() -> None:
    ContactChange.objects.filter(status__in=("waiting", "unknown")).update(not_before=timezone.now())


# --- merge ---------------------------------------------------------------------------------


def test_a_merge_is_done_there_and_kept_in_the_ledger(two, vendor, lan):
    loser, survivor = two
    change = contacts.merge(loser=loser, survivor=survivor, by=lan)
    loser.refresh_from_db()
    assert loser.state == "live", "it stays until the CRM has done it"
    assert push.push_due().done == 1
    assert loser.remote_id not in vendor.records
    loser.refresh_from_db()
    survivor.refresh_from_db()
    assert (loser.state, loser.survivor) == ("merged", survivor)
    assert [row.value for row in survivor.phones.all()] == ["0911222333", "0934890883"]
    merge = Merge.objects.get(loser=loser)
    assert (merge.survivor, merge.proof, merge.proven_by) == (survivor, "proven", lan)
    assert merge.snapshot["stage"] == "new"
    assert merge.survivor_snapshot["phones"] == [{"value": "0911222333", "type": ""}]
    change.refresh_from_db()
    assert change.status == Status.DONE
    assert AuditEntry.objects.filter(action="contact.merge", actor=lan, object_id=str(loser.pk)).exists()


def test_a_merge_is_not_sent_about_values_nobody_saw(two, vendor, lan):
    loser, survivor = two
    contacts.merge(loser=loser, survivor=survivor, by=lan)
    vendor.change(survivor.remote_id, stage="won")
    assert push.push_due().conflict == 1
    assert loser.remote_id in vendor.records
    conflict = Conflict.objects.get(contact=loser, field="*")
    assert conflict.theirs == {"survivor": canonical(vendor.records[survivor.remote_id])}
    conflicts.settle(contact=loser, choices={"*": "ours"}, by=lan)
    assert push.push_due().done == 1
    assert loser.remote_id not in vendor.records


def test_a_merge_in_conflict_can_be_left(two, vendor, lan):
    loser, survivor = two
    contacts.edit(contact=loser, changes={"note": "call back"}, by=lan)
    contacts.merge(loser=loser, survivor=survivor, by=lan)
    vendor.change(loser.remote_id, stage="won")
    push.push_due()
    conflicts.settle(contact=loser, choices={"*": "theirs"}, by=lan)
    assert push.push_due().done == 1, "the edit that was set aside goes on"
    assert vendor.records[loser.remote_id].note == "call back"


def test_a_lost_answer_to_a_merge_is_settled_by_reading_both(two, vendor, lan):
    loser, survivor = two
    contacts.merge(loser=loser, survivor=survivor, by=lan)
    vendor.faults.append(("after", OutcomeUnknown("lost")))
    assert push.push_due().done == 1
    assert [change.operation for change in vendor.writes] == [Operation.MERGE]
    assert Merge.objects.get().survivor == survivor


def test_a_merge_that_did_not_arrive_asks_a_person_before_it_is_sent_again(two, vendor, lan):
    loser, survivor = two
    contacts.merge(loser=loser, survivor=survivor, by=lan)
    vendor.faults.append(("before", OutcomeUnknown("lost")))
    counts = push.push_due()
    assert counts.held == 1
    assert vendor.writes == []
    change = ContactChange.objects.get(operation="merge")
    assert "still holds both" in change.words
    due_now()
    assert push.push_due().total == 0, "nothing goes on by itself"
    push.retry(change=change, by=lan)
    assert push.push_due().done == 1
    assert loser.remote_id not in vendor.records


def test_a_worker_that_dies_after_the_merge_left_is_found_out(two, vendor, lan):
    loser, survivor = two
    change = contacts.merge(loser=loser, survivor=survivor, by=lan)

    def die(_change):
        raise KeyboardInterrupt

    vendor.before_write = die
    with pytest.raises(KeyboardInterrupt):
        push.push_one(change.pk)
    vendor.before_write = None
    ContactChange.objects.update(lease_until=timezone.now() - timezone.timedelta(seconds=1))
    push.sweep()
    due_now()
    assert push.push_due().held == 1
    assert vendor.writes == []


def test_nothing_is_merged_when_one_of_them_is_gone(two, vendor, lan):
    loser, survivor = two
    contacts.merge(loser=loser, survivor=survivor, by=lan)
    del vendor.records[survivor.remote_id]
    assert push.push_due().rejected == 1
    assert loser.remote_id in vendor.records
    assert "does not hold Nguyễn An" in ContactChange.objects.get().words


def test_unsent_edits_of_the_loser_go_to_a_person_and_from_there_to_the_survivor(two, vendor, lan):
    loser, survivor = two
    contacts.edit(contact=loser, changes={"note": "call back", "tags": ["vip"]}, by=lan)
    contacts.merge(loser=loser, survivor=survivor, by=lan)
    assert push.push_due().done == 1
    assert Merge.objects.get().moved["changes"] == 2
    conflict = Conflict.objects.get(contact=loser, resolved_at=None)
    assert conflict.ours == {"note": "call back", "tags": ["vip"]}
    conflicts.settle(contact=loser, choices={"*": "ours"}, by=lan)
    assert push.push_due().done == 1
    kept = vendor.records[survivor.remote_id]
    assert (kept.note, kept.tags) == ("call back", ("vip",))


def test_a_dropped_merge_gives_the_unsent_edit_back(two, vendor, lan):
    loser, survivor = two
    contacts.edit(contact=loser, changes={"note": "call back"}, by=lan)
    change = contacts.merge(loser=loser, survivor=survivor, by=lan)
    loser.refresh_from_db()
    assert loser.note == ""
    push.drop(change=change, by=lan)
    assert push.push_due().done == 1
    assert vendor.records[loser.remote_id].note == "call back"


def test_what_cannot_be_merged_says_why(two, mirror, vendor, lan, monkeypatch):
    loser, survivor = two
    with pytest.raises(NotWritable, match="into itself"):
        contacts.merge(loser=loser, survivor=loser, by=lan)
    elsewhere = factories.contact(factories.connection(), family="one")
    with pytest.raises(NotWritable, match="same CRM"):
        contacts.merge(loser=loser, survivor=elsewhere, by=lan)
    contacts.edit(contact=survivor, changes={"note": "x"}, by=lan)
    with pytest.raises(NotWritable, match="Nguyễn An has a change on its way"):
        contacts.merge(loser=loser, survivor=survivor, by=lan)
    push.push_due()
    contacts.merge(loser=loser, survivor=survivor, by=lan)
    third = mirror(name="Third")
    with pytest.raises(NotWritable, match="being merged into Nguyễn An"):
        contacts.merge(loser=survivor, survivor=third, by=lan)
    with pytest.raises(NotWritable, match="being merged into another one"):
        contacts.edit(contact=loser, changes={"note": "y"}, by=lan)
    same = contacts.merge(loser=loser, survivor=survivor, by=lan)
    assert ContactChange.objects.filter(operation="merge").get() == same
    able = replace(FakeVendor.capabilities, can_merge=False, why_not={"can_merge": "Its API has no merge."})
    monkeypatch.setattr(FakeVendor, "capabilities", able)
    with pytest.raises(NotWritable, match="Its API has no merge"):
        contacts.merge(loser=third, survivor=survivor, by=lan)


# --- relate ----------------------------------------------------------------------------------


def attach(*refs: str, action: RelationAction = RelationAction.ATTACH, panel: str = "companies") -> Relation:
    return Relation(panel, action, refs)


def held(world: FakeWorld, contact: Contact) -> list[str]:
    return world.relations.get((contact.remote_id, "companies"), [])


def test_links_are_sent_in_their_order(mirror, vendor, lan):
    contact = mirror()
    contacts.relate(contact=contact, relation=attach("5", "6"), by=lan)
    contacts.relate(contact=contact, relation=attach("5", action=RelationAction.DETACH), by=lan)
    contacts.edit(contact=contact, changes={"stage": "won"}, by=lan)
    contacts.relate(contact=contact, relation=attach("7"), by=lan)
    assert push.push_due().done == 4
    assert held(vendor, contact) == ["6", "7"]
    assert vendor.records[contact.remote_id].stage == "won"


def test_an_edit_while_a_link_waits_is_its_own_change(mirror, vendor, lan):
    contact = mirror()
    contacts.relate(contact=contact, relation=attach("5"), by=lan)
    edit = contacts.edit(contact=contact, changes={"stage": "won"}, by=lan)
    assert edit is not None
    assert edit.new == {"stage": "won"}
    again = contacts.relate(contact=contact, relation=attach("5"), by=lan)
    assert ContactChange.objects.filter(operation="relate").get() == again
    contact.refresh_from_db()
    assert contact.stage == "won"


def test_a_link_with_a_lost_answer_is_sent_again_and_there_once(mirror, vendor, lan):
    contact = mirror()
    contacts.relate(contact=contact, relation=attach("5"), by=lan)
    vendor.faults += [("after", OutcomeUnknown("lost")), ("before", RetryLater("busy"))]
    for _round in range(4):
        push.push_due()
        due_now()
    assert ContactChange.objects.get().status == Status.DONE
    assert held(vendor, contact) == ["5"]


def test_a_refused_link_says_so_and_can_be_dropped(mirror, vendor, lan):
    contact = mirror()
    change = contacts.relate(contact=contact, relation=attach("abc"), by=lan)
    assert push.push_due().rejected == 1
    change.refresh_from_db()
    assert "The selected companies is invalid." in change.words
    push.drop(change=change, by=lan)
    contact.refresh_from_db()
    assert contact.state == "live"


def test_a_link_of_a_contact_that_is_gone_is_refused_not_lost(mirror, vendor, lan):
    mirror()
    contact = mirror()
    contacts.relate(contact=contact, relation=attach("5"), by=lan)
    del vendor.records[contact.remote_id]
    assert push.push_due().rejected == 1


@pytest.mark.parametrize(
    ("relation", "words"),
    [
        (attach(), "Company number: enter at least one"),
        (attach("x" * 65), "cannot be one"),
        (attach(*map(str, range(101))), "more than 100"),
    ],
)
def test_wrong_references_are_named(mirror, lan, relation, words):
    with pytest.raises(Invalid, match=words):
        contacts.relate(contact=mirror(), relation=relation, by=lan)


def test_a_panel_that_takes_no_links_says_why(mirror, lan):
    contact = mirror()
    with pytest.raises(NotWritable, match="joined by the CRM itself"):
        contacts.relate(contact=contact, relation=attach("5", panel="chats"), by=lan)
    with pytest.raises(NotWritable, match="no such part"):
        contacts.relate(contact=contact, relation=attach("5", panel="deals"), by=lan)


# --- creates, looked up by our own code --------------------------------------------------------


def test_a_lost_create_is_found_by_our_code(account, vendor, lan):
    contact = contacts.create(connection=account, kind="contact", values={"name": "An"}, by=lan)
    vendor.faults.append(("after", OutcomeUnknown("lost")))
    assert push.push_due().done == 1
    assert len(vendor.records) == 1
    contact.refresh_from_db()
    assert contact.remote_id == vendor.codes[contact.code]


def test_a_create_that_our_code_does_not_find_is_sent_again(account, vendor, lan):
    """Without a phone or e-mail a person would have to look; the code proves it."""
    contacts.create(connection=account, kind="contact", values={"name": "An"}, by=lan)
    vendor.faults.append(("before", OutcomeUnknown("lost")))
    assert push.push_due().done == 1
    assert [record.name for record in vendor.records.values()] == ["An"]
