"""Creates with a lost answer: found, proven absent, or shown to a person; never twice."""

import random

import pytest

from backoffice.remote.errors import OutcomeUnknown, RateLimited, Rejected
from crm_bridge.models import ConnectionHealth, Contact, ContactChange
from crm_bridge.services import contacts, push, resolve

pytestmark = pytest.mark.django_db
Status = ContactChange.Status
CUT = OutcomeUnknown("the connection was cut")
APPLIED, NOT_APPLIED = ("after", CUT), ("before", CUT)


def phone(value: str) -> dict[str, str]:
    return {"value": value, "type": "Work"}


@pytest.fixture
def known(mirror):
    """A contact that the control look-up finds."""
    return mirror(name="Known", phones=[phone("0999999999")])


@pytest.fixture
def new(connection, staff):
    def make(**values) -> Contact:
        values = {"name": "An", "phones": [phone("0934890883")], **values}
        return contacts.create(connection=connection, kind="lead", values=values, by=staff)

    return make


def named(crm, name: str = "An") -> int:
    return sum(record.name == name for record in crm.records.values())


def test_an_applied_create_is_found_and_linked(known, crm, new):
    contact = new()
    crm.faults = [APPLIED]
    counts = push.push_due()
    assert (counts.unknown, counts.done, named(crm)) == (1, 1, 1)
    contact.refresh_from_db()
    assert crm.records[contact.remote_id].name == "An"


def test_two_empty_rounds_then_it_is_sent_again_under_the_same_code(known, crm, new):
    contact = new()
    code = contact.code
    crm.faults = [NOT_APPLIED]
    counts = push.push_due()
    assert (counts.unknown, counts.waiting, counts.done, named(crm)) == (2, 1, 1, 1)
    contact.refresh_from_db()
    assert crm.codes[code] == contact.remote_id
    assert contact.code == code


def test_one_empty_round_is_not_enough(known, crm, new):
    new()
    crm.faults = [NOT_APPLIED]
    push.push_due(limit=2)
    change = ContactChange.objects.get()
    assert (change.status, len(change.resolve["rounds"]), named(crm)) == (Status.UNKNOWN, 1, 0)


def test_rounds_are_a_settle_time_apart(known, crm, new, settings):
    settings.OUTBOX_SETTLE_SECONDS = 3600
    new()
    crm.faults = [NOT_APPLIED]
    assert push.push_due().unknown == 1
    assert push.push_due().total == 0


def test_a_late_write_is_found_in_the_second_round(known, crm, new):
    contact = new()
    crm.faults = [NOT_APPLIED]
    push.push_due(limit=2)
    crm.add(name="An", phones=[phone("0934890883")])
    push.push_due()
    contact.refresh_from_db()
    assert (named(crm), contact.remote_id is not None) == (1, True)


def test_a_search_that_finds_nothing_known_proves_nothing(known, crm, new):
    new()
    crm.faults = [APPLIED]
    crm.search_works = False
    push.push_due()
    assert (ContactChange.objects.get().status, named(crm)) == (Status.HELD, 1)


def test_without_anything_to_search_by_a_person_decides(known, crm, new, staff):
    contact = new(phones=[])
    crm.faults = [APPLIED]
    push.push_due()
    change = contact.changes.get()
    assert (change.status, named(crm)) == (Status.HELD, 1)
    with pytest.raises(contacts.NotWritable):
        push.retry(change=change, by=staff)
    resolve.resend(change=change, by=staff)
    assert push.push_due().done == 1


def test_an_edit_by_code_proves_it_where_that_fails_visibly(connection, crm, new):
    connection.measured = {"put_unknown_code": "fails"}
    connection.save()
    applied, lost = new(phones=[]), new(name="Bình", phones=[])
    crm.faults = [APPLIED, NOT_APPLIED]
    push.push_due()
    assert (named(crm), named(crm, "Bình")) == (1, 1)
    for contact in (applied, lost):
        contact.refresh_from_db()
        assert crm.codes[contact.code] == contact.remote_id


def test_somebody_alike_who_was_there_before_is_not_taken(known, crm, new, mirror):
    before = mirror(name="An", phones=[phone("0934890883")])
    contact = new()
    crm.faults = [NOT_APPLIED]
    push.push_due()
    contact.refresh_from_db()
    assert contact.remote_id not in (None, before.remote_id)
    assert named(crm) == 2


def test_a_similar_one_is_shown_and_can_be_linked(known, crm, new, staff):
    contact = new(stage="new")
    crm.faults = [NOT_APPLIED]
    crm.add(name="An Nguyễn", phones=[phone("0934890883")])
    push.push_due()
    change = contact.changes.get()
    assert change.status == Status.HELD
    (candidate,) = change.resolve["candidates"]
    assert candidate["name"] == "An Nguyễn"
    with pytest.raises(contacts.NotWritable):
        resolve.link(change=change, remote_id="999", by=staff)
    resolve.link(change=change, remote_id=candidate["remote_id"], by=staff)
    contact.refresh_from_db()
    assert contact.remote_id == candidate["remote_id"]
    assert len(crm.writes) == 0


def test_an_unclear_create_stays_unclear_and_as_it_was_sent(known, crm, new, staff):
    """A look-up that is not answered makes it neither editable nor fit to be sent again."""
    contact = new()
    crm.faults = [APPLIED]
    push.push_due(limit=1)
    crm.read_error = RateLimited("slow down")
    push.push_due()
    change = contact.changes.get()
    assert (change.status, change.sent_at is not None) == (Status.UNKNOWN, True)
    contacts.edit(contact=contact, changes={"name": "Ân"}, by=staff)
    change.refresh_from_db()
    assert change.new["name"] == "An"
    crm.read_error = None
    ConnectionHealth.objects.update(open_until=None)
    ContactChange.objects.update(not_before="2020-01-01T00:00:00Z")
    push.push_due()
    assert (named(crm), named(crm, "Ân")) == (0, 1)


def test_edits_made_meanwhile_wait_for_the_answer_and_then_go(known, crm, new, staff, settings):
    settings.OUTBOX_SETTLE_SECONDS = 3600
    contact = new()
    crm.faults = [APPLIED]
    push.push_due()
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    assert push.push_due().total == 0
    ContactChange.objects.update(not_before="2020-01-01T00:00:00Z")
    assert push.push_due().done == 2
    contact.refresh_from_db()
    assert (named(crm), crm.records[contact.remote_id].stage) == (1, "won")


def test_a_refused_create_that_happened_all_the_same_is_found(known, crm, new):
    contact = new()
    crm.faults = [("after", Rejected("it refused this", words="bad phone"))]
    push.push_due()
    assert (contact.changes.get().status, named(crm)) == (Status.DONE, 1)


def test_a_refused_create_is_shown_after_one_look_and_goes_on_when_corrected(known, crm, new, staff):
    contact = new()
    crm.faults = [("before", Rejected("it refused this", words="bad phone"))]
    counts = push.push_due()
    change = contact.changes.get()
    assert (counts.unknown, counts.rejected) == (1, 1)
    assert (change.status, "bad phone" in change.words) == (Status.REJECTED, True)
    contacts.edit(contact=contact, changes={"phones": [phone("0911111111")]}, by=staff)
    assert push.push_due().done == 1
    assert (named(crm), contact.changes.count()) == (1, 1)


@pytest.mark.parametrize("measured", [{}, {"put_unknown_code": "fails"}])
@pytest.mark.parametrize("seed", [1, 2])
def test_half_of_all_answers_lost_makes_no_duplicate(known, connection, crm, new, measured, seed):
    rng = random.Random(seed)
    connection.measured = measured
    connection.save()
    count = 60
    for number in range(count):
        new(name=f"Khách {number}", phones=[phone(f"09{number:08}")])
    crm.faults = [rng.choice([None, APPLIED, NOT_APPLIED]) for _ in range(4 * count)]
    for _round in range(10):
        push.push_due()
    names = [record.name for record in crm.records.values()]
    assert len(names) == len(set(names)) == count + 1
    assert not ContactChange.objects.exclude(status=Status.DONE).exists()
