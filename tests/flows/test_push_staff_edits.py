"""Staff edits reach the CRM: over real HTTP against the sandbox, faults included."""

import pytest

from crm_bridge import tasks
from crm_bridge.models import Contact, ContactChange
from crm_bridge.services import contacts, pull, push
from tests import factories
from tests.flows.mirrored import connected, mirrored, remote

pytestmark = pytest.mark.django_db
PHONE = {"type": "Work", "value": "0934890883"}


@pytest.fixture
def connection(sandbox, settings, monkeypatch):
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    return connected(sandbox)


@pytest.fixture
def staff(db):
    return factories.user()


def test_an_edit_is_sent_and_stored(sandbox, connection, staff):
    contact = mirrored(sandbox, connection, phones=[PHONE])
    contacts.edit(contact=contact, changes={"stage": "Hẹn gặp", "tags": ["vip"]}, by=staff)

    assert push.push_due(connection).done == 1, contact.changes.get().words
    held = remote(sandbox, contact)
    assert (held["stage"], held["tags"]) == ("Hẹn gặp", ["vip"])
    contact.refresh_from_db()
    assert contact.base is None
    assert push.receipt(contact).state == "done"
    assert len(sandbox.writes()) == 1


EVERYTHING = {
    "name": "Trần Thị Bình",
    "gender": "female",
    "birth_date": "1990-02-28",
    "phones": [{"value": "0912345678", "type": "Work"}, {"value": "024 3825 1234", "type": "Home"}],
    "emails": [{"value": "binh@example.vn", "type": "Work"}],
    "addresses": [
        {
            "street": "12", "street_name": "Hàng Bông", "ward": "Hàng Gai", "district": "Hoàn Kiếm",
            "city": "Hà Nội", "country_code": "VN", "country": "Vietnam", "postal_code": "", "type": "Work",
        }
    ],
    "social_accounts": [{"protocol": "Facebook", "value": "binh.tran"}],
    "industry": "Bán lẻ",
    "note": "Gọi sau 17 giờ\nKhông nhắn tin",
    "stage": "Hẹn gặp",
    "tags": ["hà nội", "vip"],
    "source": "Website",
    "custom_fields": {"Shipping unit": "GHN"},
}  # fmt: skip


@pytest.mark.parametrize("kind", ["lead", "contact", "account"])
def test_every_field_of_a_new_contact_arrives_and_comes_back_the_same(sandbox, connection, staff, kind):
    contact = contacts.create(connection=connection, kind=kind, values=EVERYTHING, by=staff)
    assert push.push_due(connection).done == 1, contact.changes.get().words
    change = contact.changes.get()
    assert change.words == ""
    contact.refresh_from_db()
    assert contact.values(tuple(EVERYTHING)) == EVERYTHING
    assert remote(sandbox, contact)["name"] == "Trần Thị Bình"
    assert len(sandbox.contacts(code=contact.code)) == 1


@pytest.mark.parametrize("field", [field for field in EVERYTHING if field not in ("name", "gender")])
def test_each_field_can_be_edited_and_cleared(sandbox, connection, staff, field):
    contact = mirrored(sandbox, connection)
    contacts.edit(contact=contact, changes={field: EVERYTHING[field]}, by=staff)
    assert push.push_due(connection).done == 1, contact.changes.get().words
    contact.refresh_from_db()
    assert contact.value(field) == EVERYTHING[field]
    assert contact.changes.get().words == ""
    empty = {list: [], dict: {}, str: ""}[type(EVERYTHING[field])]
    contacts.edit(contact=contact, changes={field: empty}, by=staff)
    assert push.push_due(connection).done == 1, contact.changes.latest("pk").words
    contact.refresh_from_db()
    assert contact.changes.latest("pk").words or (contact.value(field) or None) == (empty or None)


def test_a_deletion_puts_both_sides_into_the_trash(sandbox, connection, staff):
    contact = mirrored(sandbox, connection)
    contacts.delete(contact=contact, by=staff)
    assert push.push_due(connection).done == 1, contact.changes.get().words
    contact.refresh_from_db()
    assert contact.state == Contact.State.TRASHED
    assert remote(sandbox, contact)["state"] == "trashed"


def test_the_same_message_twenty_times_is_one_write(sandbox, connection, staff):
    contact = mirrored(sandbox, connection)
    change = contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    results = [tasks.push_change(change.pk) for _message in range(20)]
    assert sum(result["done"] for result in results) == 1
    assert len(sandbox.writes()) == 1


def test_with_every_message_lost_the_sweep_rings_again(sandbox, connection, staff, monkeypatch):
    rung = []
    contact = mirrored(sandbox, connection)
    change = contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    monkeypatch.setattr(push.outbox, "ring", lambda row: rung.append(row.pk))
    tasks.sweep()
    assert rung == [change.pk]
    tasks.push_change(rung[0])
    assert remote(sandbox, contact)["stage"] == "won"
    rung.clear()
    tasks.sweep()
    assert rung == []


@pytest.mark.django_db(transaction=True)
def test_push_then_pull_comes_to_rest(sandbox, connection, staff):
    """A second pull after a push writes nothing, and no pull ever enqueues anything."""
    pull.pull_connection(connection, ["contacts"], full=True)
    edited = Contact.objects.filter(connection=connection, state="live")[:5]
    for contact in edited:
        contacts.edit(contact=contact, changes={"note": "đã gọi", "tags": ["called"]}, by=staff)
    contacts.create(connection=connection, kind="lead", values=EVERYTHING, by=staff)
    assert push.push_due(connection).done == 6
    # settled a moment ago: a page of before may still be on its way, so let that moment pass
    ContactChange.objects.update(finished_at="2026-01-01T00:00:00Z")
    pull.pull_connection(connection, ["contacts"], full=True)
    before = len(sandbox.writes())
    (run,) = pull.pull_connection(connection, ["contacts"], full=True)
    assert (run.created, run.changed) == (0, 0)
    assert push.push_due(connection).total == 0
    assert len(sandbox.writes()) == before
    assert Contact.objects.filter(note="đã gọi").count() == 5


@pytest.mark.django_db(transaction=True)
def test_an_edit_on_its_way_survives_a_pull(sandbox, connection, staff):
    contact = mirrored(sandbox, connection, stage="new")
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    sandbox.patch({"leadId": int(contact.remote_id)}, bgInfo="note from there")
    pull.pull_connection(connection, ["contacts"], full=True)
    contact.refresh_from_db()
    assert (contact.stage, contact.note) == ("won", "note from there")
    push.push_due(connection)
    held = remote(sandbox, contact)
    assert (held["stage"], held["bgInfo"]) == ("won", "note from there")


@pytest.mark.django_db(transaction=True)
def test_a_create_seen_by_a_pull_before_its_answer_stays_one_contact(sandbox, connection, staff, settings):
    settings.OUTBOX_SETTLE_SECONDS = 3600
    values = {"name": "Một Người", "phones": [{"value": "0911222333", "type": "Work"}]}
    contact = contacts.create(connection=connection, kind="lead", values=values, by=staff)
    sandbox.fault("cut_after", method="POST", times=1)
    assert push.push_due(connection).unknown == 1
    pull.pull_connection(connection, ["contacts"], full=True)
    assert Contact.objects.filter(name="Một Người").count() == 2
    ContactChange.objects.update(not_before="2026-01-01T00:00:00Z")
    assert push.push_due(connection).done == 1, contact.changes.get().words
    assert Contact.objects.get(name="Một Người").pk == contact.pk


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("status", {"code": 503}),
        ("status_after", {"code": 500}),
        ("cut_before", {}),
        ("cut_after", {}),
        ("truncate", {}),
        ("html", {}),
        ("success", {"remove": True}),
        ("wrong_content_type", {}),
    ],
)
@pytest.mark.parametrize("operation", ["edit", "create", "delete"])
def test_every_fault_on_the_write_ends_in_exactly_one_effect(
    sandbox, connection, staff, fault, options, operation
):
    mirrored(sandbox, connection, phones=[{"type": "Work", "value": "0999888777"}])
    contact = mirrored(sandbox, connection, phones=[PHONE])
    total = sandbox.counts()["live"]
    if operation == "create":
        values = {"name": "Một Người", "phones": [{"value": "0911222333", "type": "Work"}]}
        contact = contacts.create(connection=connection, kind="lead", values=values, by=staff)
    elif operation == "edit":
        contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    else:
        contacts.delete(contact=contact, by=staff)
    method = {"edit": "PUT", "create": "POST", "delete": "DELETE"}[operation]
    sandbox.fault(fault, method=method, times=1, **options)

    for _round in range(5):
        push.push_due(connection)
    change = contact.changes.get()
    assert change.status == "done", (change.status, change.words)
    assert sandbox.counts()["live"] == total + {"edit": 0, "create": 1, "delete": -1}[operation]
    if operation == "edit":
        assert remote(sandbox, contact)["stage"] == "won"


@pytest.mark.parametrize(("method", "code"), [("GET", 429), ("GET", 503), ("PUT", 429)])
def test_slowing_down_is_obeyed(sandbox, connection, staff, method, code):
    contact = mirrored(sandbox, connection)
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    sandbox.fault("status", method=method, code=code, retry_after=120, times=1)
    push.push_due(connection)
    change = contact.changes.get()
    assert (change.status, change.attempts) == ("waiting", 0)
    assert push.push_due(connection).total == 0
    connection.health.__class__.objects.update(open_until=None)
    ContactChange.objects.update(not_before="2026-01-01T00:00:00Z")
    assert push.push_due(connection).done == 1


def test_an_edit_there_between_our_read_and_our_write_survives(sandbox, connection, staff):
    contact = mirrored(sandbox, connection, stage="new")
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    sandbox.fault("remote_event", method="PUT", event="edit", changes={"bgInfo": "theirs"}, times=1)
    assert push.push_due(connection).done == 1
    held = remote(sandbox, contact)
    assert (held["stage"], held["bgInfo"]) == ("won", "theirs")


def test_trashed_between_our_read_and_our_write_is_shown_to_a_person(sandbox, connection, staff):
    contact = mirrored(sandbox, connection, stage="new")
    contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    sandbox.fault("remote_event", method="PUT", event="trash", times=1)
    for _round in range(3):
        push.push_due(connection)
    change = contact.changes.get()
    assert change.status in ("conflict", "rejected"), (change.status, change.words)
    assert change.new == {"stage": "won"}
    assert remote(sandbox, contact)["state"] == "trashed"


def test_a_refusal_shows_the_crms_words(sandbox, connection, staff):
    contact = mirrored(sandbox, connection)
    contacts.edit(contact=contact, changes={"responsible": "nobody@nowhere.vn"}, by=staff)
    assert push.push_due(connection).rejected == 1
    assert "employee" in contact.changes.get().words


@pytest.mark.parametrize("omitted", ["keep", "clear"])
@pytest.mark.parametrize("arrays", ["replace", "merge"])
def test_undocumented_edits_lose_nothing(sandbox, connection, staff, omitted, arrays):
    sandbox.switches(put_omitted=omitted, put_arrays=arrays)
    contact = mirrored(
        sandbox, connection, phones=[PHONE], bgInfo="important", stage="new", tags=["vip"], industry="Bán lẻ"
    )
    contacts.edit(contact=contact, changes={"phones": [PHONE, {"value": "0912345678"}]}, by=staff)
    assert push.push_due(connection).done == 1, contact.changes.get().words
    held = remote(sandbox, contact)
    assert {phone["value"] for phone in held["phones"]} == {"0934890883", "0912345678"}
    assert (held["bgInfo"], held["stage"], held["tags"], held["industry"]) == (
        "important", "new", ["vip"], "Bán lẻ",
    )  # fmt: skip


def test_a_removed_phone_that_the_crm_keeps_is_told(sandbox, connection, staff):
    sandbox.switches(put_arrays="merge")
    contact = mirrored(sandbox, connection, phones=[PHONE, {"type": "Work", "value": "0912345678"}])
    contacts.edit(contact=contact, changes={"phones": [PHONE]}, by=staff)
    push.push_due(connection)
    words = contact.changes.get().words
    assert words.startswith("AntCRM stored phones as")
    assert "0912345678" in words
    assert len(contact.value("phones")) == 2


@pytest.mark.parametrize("operation", ["edit", "delete"])
def test_an_empty_answer_is_no_proof_that_a_contact_is_gone(sandbox, connection, staff, operation):
    mirrored(sandbox, connection)
    contact = mirrored(sandbox, connection, stage="new")
    if operation == "edit":
        change = contacts.edit(contact=contact, changes={"stage": "won"}, by=staff)
    else:
        change = contacts.delete(contact=contact, by=staff)
    sandbox.fault("empty_page", method="GET")
    push.push_one(change.pk)
    change.refresh_from_db()
    assert (change.status, sandbox.writes()) == ("waiting", [])

    sandbox.fault("empty_page", method="GET", times=1)
    ContactChange.objects.update(not_before="2026-01-01T00:00:00Z")
    assert push.push_due(connection).done == 1
    assert len(sandbox.writes()) == 1
