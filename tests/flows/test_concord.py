"""Concord over real HTTP: what its sandbox holds is what the mirror shows, and edits reach it once."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from crm_bridge.models import (
    Connection,
    ConnectionHealth,
    Contact,
    ContactChange,
    Run,
    StreamState,
    Tombstone,
)
from crm_bridge.phones import digits
from crm_bridge.records import Identity, canonical
from crm_bridge.services import contacts, pull, push, schedule
from crm_bridge.services.connecting import connect_to
from tests import factories
from tests.sandbox.concord_api import TOKEN, ConcordStaff
from tests.sandbox_fixture import SandboxControl

pytestmark = pytest.mark.django_db(transaction=True)
Status = Run.Status
LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture
def sandbox(sandbox: SandboxControl) -> SandboxControl:
    return sandbox.of("concord")


@pytest.fixture
def there(sandbox: SandboxControl) -> ConcordStaff:
    """The people at Concord."""
    return ConcordStaff(sandbox)


@pytest.fixture
def crm(sandbox: SandboxControl, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Connection:
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    return factories.connection(
        name="São Paulo",
        vendor="concord",
        base_url=sandbox.base(),
        credentials={"token": TOKEN},
        measured={"page_size": 25},
        parallel_requests=3,
    )


@pytest.fixture
def staff(db: Any) -> Any:
    return factories.user()


def expected(each: dict[str, Any]) -> dict[str, Any]:
    """What the mirror must show for a contact there: written anew from the vendor's fields."""
    custom = {key: value for key, value in each["custom"].items() if value not in (None, "", [])}
    for key, value in custom.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            custom[key] = str(value)
    if each["job_title"]:
        custom["job_title"] = each["job_title"]
    address = [each["street"], each["state"], each["city"], each["country_id"], each["postal_code"]]
    return {
        "name": " ".join(f"{each['first_name'] or ''} {each['last_name'] or ''}".split()),
        "phones": [
            (phone["number"].strip(), "" if phone["type"] == "other" else phone["type"])
            for phone in each["phones"]
        ],
        "emails": [each["email"]] if each["email"] else [],
        "tags": set(each["tags"]),
        "source": str(each["source_id"] or ""),
        "responsible": str(each["user_id"] or ""),
        "address": [str(part or "") for part in address] if any(address) else None,
        "custom_fields": custom,
    }


def shown(contact: Contact) -> dict[str, Any]:
    slots = ("street_name", "district", "city", "country", "postal_code")
    addresses = [[address[slot] for slot in slots] for address in contact.addresses]
    return {
        "name": contact.name,
        "phones": [(phone.value, phone.type) for phone in contact.phones.all()],
        "emails": [email.value for email in contact.emails.all()],
        "tags": {tag.name for tag in contact.tags.all()},
        "source": contact.source,
        "responsible": contact.responsible,
        "address": addresses[0] if addresses else None,
        "custom_fields": contact.custom_fields,
    }


def assert_mirror_is_true(there: ConcordStaff, crm: Connection) -> None:
    truth = there.visible()
    rows = Contact.objects.filter(connection=crm, state="live").prefetch_related("phones", "emails", "tags")
    mirror = {row.remote_id: shown(row) for row in rows}
    assert mirror.keys() == truth.keys()
    for number, each in truth.items():
        assert mirror[number] == expected(each), number


def mirrored(there: ConcordStaff, crm: Connection, first_name: str = "Ana", **fields: Any) -> Contact:
    """A contact made inside Concord and mirrored."""
    number = there.create(first_name, **fields)
    connector = connect_to(crm)
    record = connector.get(Identity("contact", str(number)))
    connector.close()
    assert record is not None
    return factories.contact(
        crm, family="contact", remote_id=str(number), kind="contact", values=canonical(record)
    )


def refreshed(contact: Contact) -> Contact:
    return Contact.objects.get(pk=contact.pk)


# Pull


def test_first_pull_brings_everything_and_the_second_writes_nothing(
    there: ConcordStaff, crm: Connection
) -> None:
    (run,) = pull.pull_connection(crm)
    assert (run.status, run.mode, run.rejected) == (Status.OK, "complete", 0)
    assert run.created == run.seen == len(there.visible())
    assert_mirror_is_true(there, crm)
    (again,) = pull.pull_connection(crm, full=True)
    assert (again.status, again.created, again.changed, again.trashed) == (Status.OK, 0, 0, 0)
    assert again.unchanged == run.seen
    (changes,) = pull.pull_connection(crm)
    assert (changes.mode, changes.status, changes.created, changes.changed) == (
        "incremental",
        Status.OK,
        0,
        0,
    )


def test_changes_are_read_down_to_the_watermark_and_no_further(there: ConcordStaff, crm: Connection) -> None:
    pull.pull_connection(crm)
    one, two = list(there.visible())[:2]
    there.patch(one, job_title="Diretora", custom={"credit_limit": 7})
    new = there.create("Nova", last_name="Pessoa", phones=[{"number": "+55 11 98888-7777", "type": "mobile"}])
    there.act("trash", two)
    (run,) = pull.pull_connection(crm)
    assert (run.mode, run.created, run.changed, run.trashed) == ("incremental", 1, 1, 0)
    assert run.requests < 6
    assert Contact.objects.get(remote_id=str(new)).name == "Nova Pessoa"
    assert Contact.objects.get(remote_id=one).custom_fields["job_title"] == "Diretora"
    assert Contact.objects.get(remote_id=two).state == "live"  # a list cannot tell what it does not show


@pytest.mark.parametrize("seed", range(3))
def test_mirror_equals_the_account_after_any_script_of_changes(
    there: ConcordStaff, crm: Connection, seed: int
) -> None:
    pull.pull_connection(crm)
    pages = 0

    def change(run: Run) -> None:
        nonlocal pages
        pages += 1
        if pages < 8:
            there.mutate(edits=3, creates=2, trash=1, merges=1, seed=seed * 100 + pages)

    pull.pull(crm, "contacts", progress=change)
    pull.pull(crm, "contacts", mode="complete", progress=change)
    (last,) = pull.pull_connection(crm, full=True)
    assert last.status == Status.OK, last.error
    assert_mirror_is_true(there, crm)
    gone = Contact.objects.filter(connection=crm).exclude(state="live")
    assert set(gone.values_list("state", flat=True)) == {"trashed"}
    assert Tombstone.objects.filter(lifted_at=None).count() == gone.count() > 4


def test_deleted_contact_gets_a_tombstone_by_proof_and_a_restored_one_comes_back(
    there: ConcordStaff, crm: Connection
) -> None:
    pull.pull_connection(crm)
    number = next(iter(there.visible()))
    there.act("trash", number)
    (run,) = pull.pull_connection(crm, full=True)
    assert (run.status, run.trashed) == (Status.OK, 1)
    contact = Contact.objects.get(remote_id=number)
    assert contact.state == "trashed"
    assert contact.tombstones.get(lifted_at=None).evidence == Tombstone.Evidence.LOOKUP
    there.act("restore", number)
    pull.pull_connection(crm)
    assert refreshed(contact).state == "live"
    assert_mirror_is_true(there, crm)


def test_contact_out_of_sight_is_missing_and_no_reason_to_stop(there: ConcordStaff, crm: Connection) -> None:
    pull.pull_connection(crm)
    hidden, deleted = list(there.visible())[:2]
    there.act("hide", hidden)
    there.act("trash", deleted)
    (run,) = pull.pull_connection(crm, full=True)
    assert (run.status, run.trashed, run.details["missing"]) == (Status.OK, 1, 1)
    assert Contact.objects.get(remote_id=hidden).state == "missing"
    assert not Tombstone.objects.filter(contact__remote_id=hidden).exists()
    assert not ConnectionHealth.objects.filter(needs_attention=True).exists()
    there.act("hide", hidden, hidden=False)
    pull.pull_connection(crm, full=True)
    assert Contact.objects.get(remote_id=hidden).state == "live"


def test_token_that_suddenly_sees_little_removes_nobody(there: ConcordStaff, crm: Connection) -> None:
    pull.pull_connection(crm)
    before = len(there.visible())
    for number in list(there.visible())[:40]:
        there.act("hide", number)
    (run,) = pull.pull_connection(crm, full=True)
    assert run.status == Status.HELD
    assert Contact.objects.live().count() == before


@pytest.mark.parametrize(
    "switches",
    [
        {"order": "ignore", "usual_order": "created_desc"},
        {"order": "created_only"},
        {"order": "refuse"},
    ],
    ids=str,
)
def test_account_that_does_not_sort_by_update_is_read_whole(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, switches: dict[str, str]
) -> None:
    pull.pull_connection(crm)
    sandbox.switches(**switches)
    there.mutate(edits=4, creates=2, seed=1)
    (run,) = pull.pull_connection(crm)
    assert (run.mode, run.status) == ("complete", Status.OK)
    assert "filter_ignored" in run.details
    assert_mirror_is_true(there, crm)
    StreamState.objects.update(last_started_at=timezone.now() - timedelta(minutes=5))
    assert schedule.due_streams(timezone.now()) == []  # not again every other minute


def test_account_without_times_of_update_is_read_whole(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection
) -> None:
    pull.pull_connection(crm)
    sandbox.switches(updated_at="absent")
    there.mutate(edits=4, creates=2, seed=1)
    pull.pull_connection(crm)
    assert_mirror_is_true(there, crm)


@pytest.mark.parametrize(
    "switches",
    [
        {"paging": "bare"},
        {"paging": "simple", "per_page": "ignore"},
        {"paging": "flat", "one_as": "data"},
        {"numbers": "text", "timestamps": "space", "nested": "no"},
    ],
    ids=str,
)
def test_other_shapes_change_nothing(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, switches: dict[str, str]
) -> None:
    sandbox.switches(**switches)
    for full in (True, False, True):
        (run,) = pull.pull_connection(crm, full=full)
        assert run.status == Status.OK, run.error
    there.act("trash", next(iter(there.visible())))
    pull.pull_connection(crm, full=True)
    assert_mirror_is_true(there, crm)


def test_unknown_extra_fields_and_unreadable_records_stop_nobody(
    there: ConcordStaff, crm: Connection
) -> None:
    number = there.create("Ana", extra={"future": {"nested": [1]}, "loyalty": "ouro", "phones": "0934"})
    other = there.create("Bia", extra={"loyalty": "prata", "future": {"nested": [1]}})
    (run,) = pull.pull_connection(crm)
    assert (run.status, run.rejected) == (Status.OK, 1)
    assert not Contact.objects.filter(remote_id=str(number)).exists()
    bia = Contact.objects.get(remote_id=str(other))
    assert bia.custom_fields == {"loyalty": "prata"}
    assert '"nested":[1]' in bia.raw


@pytest.mark.parametrize(
    "kind", ["status", "cut_after", "truncate", "html", "wrong_content_type", "deep_json"]
)
def test_fault_of_the_list_ends_incomplete_and_heals(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, kind: str
) -> None:
    sandbox.fault(kind)
    (run,) = pull.pull_connection(crm)
    assert run.status == Status.INCOMPLETE
    assert run.error
    sandbox.clear()
    ConnectionHealth.objects.update(failures=0, open_until=None)
    pull.pull_connection(crm)
    assert_mirror_is_true(there, crm)


@pytest.mark.parametrize(
    "fault",
    [{"kind": "empty_page", "page": 2}, {"kind": "short_page", "page": 2}, {"kind": "ignore_page"}],
    ids=str,
)
def test_pages_that_are_not_what_they_should_be_remove_nobody(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, fault: dict[str, Any]
) -> None:
    pull.pull_connection(crm)
    sandbox.faults([fault])
    (run,) = pull.pull_connection(crm, full=True)
    assert run.status in (Status.OK, Status.HELD, Status.INCOMPLETE)
    sandbox.clear()
    assert_mirror_is_true(there, crm)


def test_wrong_token_waits_for_a_person(crm: Connection) -> None:
    crm.credentials = {"token": "revoked"}
    crm.save()
    (run,) = pull.pull_connection(crm)
    assert run.status == Status.FAILED
    assert "credentials" in run.error
    assert ConnectionHealth.objects.get().needs_attention


def test_rate_of_the_connection_holds_and_a_limit_reached_is_waited_for(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection
) -> None:
    crm.requests_per_second, crm.measured = 15, {"page_size": 5}
    crm.save()
    sandbox.reset_stats()
    started = time.monotonic()
    (run,) = pull.pull_connection(crm)
    took = time.monotonic() - started
    stats = sandbox.stats()
    assert run.status == Status.OK
    assert stats["requests"] == run.requests >= 24
    assert stats["max_per_second"] <= 16
    assert run.requests / took <= 16
    sandbox.switches(rate_per_minute=10)
    (run,) = pull.pull_connection(crm, full=True)
    assert run.status == Status.INCOMPLETE
    assert "slow down" in run.error
    assert sandbox.stats()["statuses"].get("429", 0) <= crm.parallel_requests * 3
    sandbox.switches(rate_per_minute=0)
    (run,) = pull.pull_connection(crm)
    assert run.status == Status.OK
    assert_mirror_is_true(there, crm)


@pytest.mark.parametrize("style", ["trashed_contacts", "contacts_trashed"])
def test_proven_trash_is_a_stream_that_tells_when(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, style: str
) -> None:
    sandbox.switches(trash_routes=style)
    pull.pull_connection(crm)
    number = next(iter(there.visible()))
    there.act("trash", number)
    pull.pull_connection(crm, full=True)
    assert Contact.objects.get(remote_id=number).tombstones.get().trashed_at is None
    connector: Any = connect_to(crm)
    crm.measured |= {"features": {"trash": connector.prove("trash")}}
    connector.close()
    crm.save()
    runs = pull.pull_connection(crm)
    assert [(run.stream, run.status) for run in runs] == [("contacts", "ok"), ("deleted", "ok")]
    tombstone = Contact.objects.get(remote_id=number).tombstones.get()
    assert abs(timezone.now() - tombstone.trashed_at) < timedelta(minutes=1)
    assert Tombstone.objects.count() == there.counts()["trashed"]
    assert_mirror_is_true(there, crm)


# Push

EVERYTHING: dict[str, Any] = {
    "name": "Trần Thị Bình",
    "phones": [{"value": "0912345678", "type": "work"}, {"value": "024 3825 1234", "type": ""}],
    "emails": [{"value": "binh@example.vn", "type": ""}],
    "addresses": [
        {
            "street": "", "street_name": "12 Hàng Bông", "ward": "", "district": "Hoàn Kiếm",
            "city": "Hà Nội", "country_code": "", "country": "704", "postal_code": "100000", "type": "",
        }
    ],
    "tags": ["hà nội", "vip"],
    "source": "2",
    "responsible": "3",
    "custom_fields": {"contract_number": "HĐ-1", "credit_limit": "5000", "job_title": "Kế toán"},
}  # fmt: skip


def test_every_field_of_a_new_contact_arrives_and_comes_back_the_same(
    there: ConcordStaff, crm: Connection, staff: Any
) -> None:
    contact = contacts.create(connection=crm, kind="contact", values=EVERYTHING, by=staff)
    assert push.push_due(crm).done == 1, contact.changes.get().words
    assert contact.changes.get().words == ""
    contact = refreshed(contact)
    assert contact.values(tuple(EVERYTHING)) == EVERYTHING
    held = there.contact(contact.remote_id or "")
    assert (held["first_name"], held["last_name"]) == ("Trần", "Thị Bình")
    assert shown(contact) == expected(held)
    pull.pull_connection(crm)
    assert Contact.objects.filter(name="Trần Thị Bình").count() == 1


@pytest.mark.parametrize("field", [field for field in EVERYTHING if field != "name"])
def test_each_field_can_be_edited_and_cleared(
    there: ConcordStaff, crm: Connection, staff: Any, field: str
) -> None:
    contact = mirrored(there, crm, last_name="Souza", job_title="Chefe", companies=[3])
    empty = type(EVERYTHING[field])()
    for value in (EVERYTHING[field], empty):
        contacts.edit(contact=contact, changes={field: value}, by=staff)
        assert push.push_due(crm).done == 1, contact.changes.latest("pk").words
        contact = refreshed(contact)
        assert contact.value(field) == value
        assert contact.changes.latest("pk").words == ""
        held = there.contact(contact.remote_id or "")
        assert shown(contact) == expected(held)
        assert (held["first_name"], held["last_name"], held["companies"]) == ("Ana", "Souza", [3])


@pytest.mark.parametrize(
    ("first", "last", "name", "parts"),
    [
        ("Ana", "Souza", "Ana Lúcia Souza", ("Ana Lúcia", "Souza")),
        ("Nguyễn Văn", "An", "Nguyễn Văn Bình", ("Nguyễn Văn", "Bình")),
        ("Ana", None, "Ana Souza", ("Ana", "Souza")),
        ("Ana", "Souza", "Ana", ("Ana", None)),
        ("Nguyễn Văn An", None, "Trần Bình", ("Trần", "Bình")),
    ],
)
def test_changed_name_comes_back_as_it_was_typed(
    there: ConcordStaff, crm: Connection, staff: Any, first: str, last: str | None, name: str, parts: Any
) -> None:
    contact = mirrored(there, crm, first, last_name=last)
    contacts.edit(contact=contact, changes={"name": name}, by=staff)
    assert push.push_due(crm).done == 1, contact.changes.get().words
    assert (refreshed(contact).name, contact.changes.get().words) == (name, "")
    held = there.contact(contact.remote_id or "")
    assert (held["first_name"], held["last_name"]) == parts


def test_deletion_puts_both_sides_into_the_trash(there: ConcordStaff, crm: Connection, staff: Any) -> None:
    contact = mirrored(there, crm)
    contacts.delete(contact=contact, by=staff)
    assert push.push_due(crm).done == 1, contact.changes.get().words
    assert refreshed(contact).state == Contact.State.TRASHED
    assert there.contact(contact.remote_id or "")["status"] == "trashed"


def test_push_then_pull_comes_to_rest(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, staff: Any
) -> None:
    pull.pull_connection(crm)
    for contact in Contact.objects.live().order_by("pk")[:5]:
        fields = {**contact.custom_fields, "contract_number": "novo"}
        contacts.edit(contact=contact, changes={"custom_fields": fields, "tags": ["chamado"]}, by=staff)
    contacts.create(connection=crm, kind="contact", values=EVERYTHING, by=staff)
    assert push.push_due(crm).done == 6, list(ContactChange.objects.values_list("words", flat=True))
    ContactChange.objects.update(finished_at=LONG_AGO)
    pull.pull_connection(crm, full=True)
    before = len(sandbox.writes())
    for full in (False, True):
        (run,) = pull.pull_connection(crm, full=full)
        assert (run.created, run.changed) == (0, 0)
    assert push.push_due(crm).total == 0
    assert len(sandbox.writes()) == before == 6
    assert_mirror_is_true(there, crm)


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("status", {"code": 503}),
        ("status_after", {"code": 500}),
        ("cut_before", {}),
        ("cut_after", {}),
        ("truncate", {}),
        ("html", {}),
        ("wrong_content_type", {}),
        ("hang", {"seconds": 1.5, "applied": True}),
    ],
)
@pytest.mark.parametrize("operation", ["edit", "create", "delete"])
def test_every_fault_on_the_write_ends_in_exactly_one_effect(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, staff: Any,
    fault: str, options: dict[str, Any], operation: str,
) -> None:  # fmt: skip
    mirrored(there, crm, "Controle", phones=[{"number": "0999888777", "type": "work"}])
    contact = mirrored(there, crm, phones=[{"number": "0934890883", "type": "work"}])
    total = there.counts()["live"]
    if operation == "create":
        values = {"name": "Uma Pessoa", "phones": [{"value": "0911222333", "type": "work"}]}
        contact = contacts.create(connection=crm, kind="contact", values=values, by=staff)
    elif operation == "edit":
        contacts.edit(contact=contact, changes={"tags": ["novo"]}, by=staff)
    else:
        contacts.delete(contact=contact, by=staff)
    method = {"edit": "PUT", "create": "POST", "delete": "DELETE"}[operation]
    sandbox.fault(fault, method=method, times=1, **options)
    for _round in range(6):
        push.push_due(crm)
    change = contact.changes.get()
    assert change.status == "done", (change.status, change.words)
    assert there.counts()["live"] == total + {"edit": 0, "create": 1, "delete": -1}[operation]
    if operation == "edit":
        assert there.contact(contact.remote_id or "")["tags"] == ["novo"]


def test_lost_answers_to_many_creates_make_no_duplicate(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, staff: Any
) -> None:
    mirrored(there, crm, "Controle", phones=[{"number": "0999888777", "type": "work"}])
    for number in range(12):
        values = {"name": f"Lote {number}", "phones": [{"value": f"09110000{number:02}", "type": "work"}]}
        contacts.create(connection=crm, kind="contact", values=values, by=staff)
    sandbox.faults(
        [
            {"kind": "cut_after", "method": "POST", "probability": 0.4},
            {"kind": "cut_before", "method": "POST", "probability": 0.2},
        ],
        seed=5,
    )
    for _round in range(6):
        push.push_due(crm)
    sandbox.clear()
    ConnectionHealth.objects.update(failures=0, open_until=None)
    for _round in range(12):
        ContactChange.objects.update(not_before=LONG_AGO)
        if not push.push_due(crm).total:
            break
    names = sorted(each["name"] for each in there.contacts(state="live") if each["name"].startswith("Lote"))
    assert names == sorted(f"Lote {number}" for number in range(12))
    assert set(ContactChange.objects.values_list("status", flat=True)) == {"done"}


def test_edits_on_both_sides_are_merged_and_a_clash_is_shown(
    there: ConcordStaff, crm: Connection, staff: Any
) -> None:
    contact = mirrored(there, crm, tags=["VIP"], source_id=1, user_id=1)
    contacts.edit(contact=contact, changes={"tags": ["VIP", "nosso"], "responsible": "2"}, by=staff)
    there.patch(contact.remote_id or "", tags=["VIP", "deles"], source_id=5)
    assert push.push_due(crm).done == 1, contact.changes.get().words
    held = there.contact(contact.remote_id or "")
    assert set(held["tags"]) == {"VIP", "nosso", "deles"}
    assert (held["source_id"], held["user_id"]) == (5, 2)
    contacts.edit(contact=refreshed(contact), changes={"responsible": "3"}, by=staff)
    there.patch(contact.remote_id or "", user_id=4)
    assert push.push_due(crm).conflict == 1
    assert there.contact(contact.remote_id or "")["user_id"] == 4


def test_contact_deleted_between_our_read_and_our_write_is_shown_to_a_person(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, staff: Any
) -> None:
    mirrored(there, crm, "Controle")
    contact = mirrored(there, crm)
    contacts.edit(contact=contact, changes={"tags": ["novo"]}, by=staff)
    sandbox.fault("remote_event", method="PUT", event="trash", times=1)
    for _round in range(3):
        push.push_due(crm)
    change = contact.changes.get()
    assert (change.status, change.new) == ("conflict", {"tags": ["novo"]})
    assert there.contact(contact.remote_id or "")["status"] == "trashed"


def test_refusal_shows_the_crms_words_with_the_field(
    there: ConcordStaff, crm: Connection, staff: Any
) -> None:
    contact = mirrored(there, crm)
    contacts.edit(contact=contact, changes={"responsible": "77"}, by=staff)
    assert push.push_due(crm).rejected == 1
    assert "user_id: The selected user id is invalid." in contact.changes.get().words


def test_contact_out_of_sight_stops_its_own_edit_only(
    there: ConcordStaff, crm: Connection, staff: Any
) -> None:
    hidden, other = mirrored(there, crm), mirrored(there, crm, "Bia")
    for contact in (hidden, other):
        contacts.edit(contact=contact, changes={"tags": ["novo"]}, by=staff)
    there.act("hide", hidden.remote_id or "")
    counts = push.push_due(crm)
    assert (counts.rejected, counts.done) == (1, 1)
    assert "may not see" in hidden.changes.get().words
    assert not ConnectionHealth.objects.filter(needs_attention=True).exists()


@pytest.mark.parametrize("lists", ["replace", "merge"])
@pytest.mark.parametrize("omitted", ["keep", "clear"])
def test_undocumented_updates_lose_nothing(
    sandbox: SandboxControl, there: ConcordStaff, crm: Connection, staff: Any, lists: str, omitted: str
) -> None:
    sandbox.switches(put_lists=lists, put_omitted=omitted)
    contact = mirrored(
        there, crm, last_name="Souza", city="Santos", tags=["VIP"], custom={"credit_limit": 7},
        phones=[{"number": "0934890883", "type": "work"}], deals=[4],
    )  # fmt: skip
    phones = [{"value": "0934890883", "type": "work"}, {"value": "0912345678", "type": "mobile"}]
    contacts.edit(contact=contact, changes={"phones": phones}, by=staff)
    assert push.push_due(crm).done == 1, contact.changes.get().words
    held = there.contact(contact.remote_id or "")
    assert {digits(phone["number"]) for phone in held["phones"]} == {"0934890883", "0912345678"}
    assert (held["last_name"], held["city"], held["tags"], held["deals"]) == ("Souza", "Santos", ["VIP"], [4])
    assert held["custom"]["credit_limit"] == 7


# Pages and commands


def test_pages_show_it_like_any_other_crm(
    client: Any, there: ConcordStaff, crm: Connection, settings: Any
) -> None:
    """No page knows this vendor: list, contact, form and connection follow what the connector declares."""
    contact = mirrored(
        there, crm, "Ana", last_name="Souza", job_title="Diretora", user_id=3, email="a@example.com"
    )
    client.force_login(factories.user("Admins"))
    contact_url = "admin:crm_bridge_contact_"
    for name, words in (
        (reverse(f"{contact_url}changelist") + "?q=souza", ["Ana Souza"]),
        (reverse(f"{contact_url}change", args=[contact.pk]), ["Ana Souza", "Diretora", "a@example.com"]),
        (reverse("admin:crm_bridge_connection_change", args=[crm.pk]), ["newest first", "single look-up"]),
    ):
        response = client.get(name, follow=True)
        assert response.status_code == 200
        page = response.content.decode()
        assert not [word for word in words if word not in page], name
        assert TOKEN not in page


def test_account_is_connected_and_synced_by_command(
    sandbox: SandboxControl, there: ConcordStaff, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command(
        "connect", "concord", "--name", "Matriz", "--base-url", sandbox.base(), "--set", f"token={TOKEN}"
    )
    assert f"Matriz accepts the token; it shows {len(there.visible())} contacts." in capsys.readouterr().out
    call_command("sync", "Matriz")
    assert_mirror_is_true(there, Connection.objects.get(name="Matriz"))
