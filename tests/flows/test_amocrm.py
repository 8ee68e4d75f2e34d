"""amoCRM over real HTTP with models: the mirror equals what the sandbox holds, and staff edits reach it."""

import uuid
from collections import Counter
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from backoffice.sandbox import amocrm_words as words
from crm_bridge.models import (
    Connection,
    ConnectionHealth,
    ConnectionToken,
    Contact,
    ContactChange,
    Quarantine,
    Run,
    Tombstone,
)
from crm_bridge.records import Identity, canonical
from crm_bridge.services import contacts, push
from crm_bridge.services import pull as pulling
from crm_bridge.services.connecting import connect_to
from tests import factories
from tests.sandbox_fixture import SandboxControl

pytestmark = pytest.mark.django_db(transaction=True)
Status = Run.Status
TOKEN = {"token": "sandbox-amocrm-token"}
OAUTH = {
    "client_id": "sandbox-amocrm-client",
    "client_secret": "sandbox-amocrm-secret",
    "refresh_token": "sandbox-amocrm-refresh",
    "redirect_uri": "https://backoffice.example.com/amocrm",
}
SMALL = {"page_size": 20}


@pytest.fixture
def sandbox(sandbox: SandboxControl) -> SandboxControl:
    return sandbox.of("amocrm")


@pytest.fixture
def crm(sandbox: SandboxControl, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Connection:
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    return connection(sandbox)


def connection(sandbox: SandboxControl, **fields: Any) -> Connection:
    usual = {"vendor": "amocrm", "base_url": sandbox.base(), "credentials": TOKEN, "measured": SMALL}
    return factories.connection(**{**usual, "parallel_requests": 3, **fields})


@pytest.fixture
def staff(db: None) -> Any:
    return factories.user()


def truth(sandbox: SandboxControl, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.control("GET", "amocrm/contacts", **filters)
    return found


def live(sandbox: SandboxControl) -> set[str]:
    return {str(each["id"]) for each in truth(sandbox, state="live", brief=1)}


def mirror(state: str = "live") -> set[str]:
    return set(
        Contact.objects.filter(state=state, remote_id__isnull=False).values_list("remote_id", flat=True)
    )


def unreadable() -> int:
    return Quarantine.objects.filter(resolved_at=None).count()


def remote(sandbox: SandboxControl, contact: Contact) -> dict[str, Any]:
    (found,) = truth(sandbox, id=contact.remote_id)
    return found


def staff_act(sandbox: SandboxControl, what: str, **body: Any) -> dict[str, Any]:
    """Something that people do inside amoCRM."""
    method = "PATCH" if what == "contacts" else "POST"
    done: dict[str, Any] = sandbox.control(method, f"amocrm/{what}", body)
    return done


def assert_same(sandbox: SandboxControl, crm: Connection) -> None:
    """Counts and fields of the mirror equal what the vendor holds."""
    assert mirror() <= live(sandbox)
    assert len(live(sandbox) - mirror()) == unreadable()
    connector = connect_to(crm)
    for each in truth(sandbox, state="live"):
        contact = Contact.objects.filter(connection=crm, remote_id=str(each["id"])).first()
        if contact is None:
            continue
        assert contact.name == each["name"].strip()
        filled = [phone["value"].strip() for phone in each["phones"] if phone["value"].strip()]
        assert [phone["value"] for phone in contact.value("phones")] == filled
        assert sorted(contact.value("tags")) == sorted(each["tags"])
        assert contact.remote_updated_at is not None
        assert int(contact.remote_updated_at.timestamp()) == each["updated_at"]
    sample = Contact.objects.live().filter(connection=crm).order_by("id")[:10]
    for contact in sample:
        record = connector.get(Identity(contact.family, contact.remote_id or ""))
        assert record is not None
        stored = canonical(record)
        assert contact.values(tuple(stored)) == stored
    connector.close()


# Pulling


def test_everything_arrives_and_the_second_pull_writes_nothing(
    sandbox: SandboxControl, crm: Connection
) -> None:
    (run,) = pulling.pull_connection(crm)
    assert (run.status, run.stream) == (Status.OK, "contacts")
    assert_same(sandbox, crm)
    touched = set(Contact.objects.values_list("pk", "touched_at"))
    (again,) = pulling.pull_connection(crm)
    assert (again.mode, again.created, again.changed) == ("incremental", 0, 0)
    (full,) = pulling.pull_connection(crm, full=True)
    assert (full.status, full.created, full.changed, full.absent) == (Status.OK, 0, 0, 0)
    assert set(Contact.objects.values_list("pk", "touched_at")) == touched


def test_changes_cost_one_page_and_show_what_changed(sandbox: SandboxControl, crm: Connection) -> None:
    pulling.pull_connection(crm)
    contact = Contact.objects.live().order_by("id")[3]
    staff_act(sandbox, "contacts", id=int(contact.remote_id or 0), name="Đổi tên ở nơi khác")
    made = sandbox.control("POST", "amocrm/contacts", {"name": "Người mới"})["id"]
    sandbox.reset_stats()
    (run,) = pulling.pull_connection(crm)
    assert (run.mode, run.status, run.created, run.changed) == ("incremental", Status.OK, 1, 1)
    assert sandbox.stats()["requests"] <= 2
    contact.refresh_from_db()
    assert contact.name == "Đổi tên ở nơi khác"
    assert str(made) in mirror()


def test_unsorted_changes_become_a_complete_walk(sandbox: SandboxControl, crm: Connection) -> None:
    pulling.pull_connection(crm)
    sandbox.switches(order="ignore")
    contact = Contact.objects.live().order_by("-id")[0]
    staff_act(sandbox, "contacts", id=int(contact.remote_id or 0), name="Vẫn thấy")
    (run,) = pulling.pull_connection(crm)
    assert (run.mode, run.status) == ("complete", Status.OK)
    assert "filter_ignored" in run.details
    contact.refresh_from_db()
    assert contact.name == "Vẫn thấy"


def test_deleted_contact_gets_its_tombstone_by_look_up_and_comes_back_when_restored(
    sandbox: SandboxControl, crm: Connection
) -> None:
    pulling.pull_connection(crm)
    gone = Contact.objects.live().order_by("id")[0]
    staff_act(sandbox, "trash", id=int(gone.remote_id or 0))
    pulling.pull_connection(crm, full=True)
    gone.refresh_from_db()
    assert gone.state == "trashed"
    assert gone.tombstones.get(lifted_at=None).evidence == Tombstone.Evidence.LOOKUP
    staff_act(sandbox, "restore", id=int(gone.remote_id or 0))
    pulling.pull_connection(crm)
    gone.refresh_from_db()
    assert gone.state == "live"
    assert_same(sandbox, crm)


def test_204_for_a_contact_that_the_list_still_shows_buries_nobody(
    sandbox: SandboxControl, crm: Connection
) -> None:
    """The complete walk is short by one contact, and its own address answers 204: still no proof."""
    pulling.pull_connection(crm)
    before = mirror()
    sandbox.faults(
        [
            {"kind": "short_page", "page": 2, "drop": 1},
            {"kind": "status", "code": 204, "body": "", "path": "/api/v4/contacts/*"},
        ]
    )
    (run,) = pulling.pull_connection(crm, full=True)
    assert run.status in (Status.OK, Status.INCOMPLETE)
    assert mirror() == before
    assert not Tombstone.objects.exists()


def test_merged_contact_disappears_and_its_survivor_shows_what_it_got(
    sandbox: SandboxControl, crm: Connection
) -> None:
    pulling.pull_connection(crm)
    with_phones = [c for c in Contact.objects.live().order_by("id") if len(c.value("phones")) == 1]
    loser, survivor = with_phones[0], with_phones[1]
    staff_act(sandbox, "merge", loser=int(loser.remote_id or 0), survivor=int(survivor.remote_id or 0))
    pulling.pull_connection(crm)
    pulling.pull_connection(crm, full=True)
    loser.refresh_from_db()
    survivor.refresh_from_db()
    assert (loser.state, survivor.state) == ("trashed", "live")
    assert len(survivor.value("phones")) == 2
    assert_same(sandbox, crm)


@pytest.mark.parametrize("seed", range(3))
def test_mirror_equals_truth_after_a_script_of_remote_changes(
    sandbox: SandboxControl, crm: Connection, seed: int
) -> None:
    pulling.pull_connection(crm)
    pages = 0

    def change(run: Run) -> None:
        nonlocal pages
        pages += 1
        if pages < 8:
            staff_act(sandbox, "mutate", edits=3, creates=1, trash=1, merges=1, seed=seed * 100 + pages)

    pulling.pull(crm, "contacts", mode="complete", progress=change)
    pulling.pull_connection(crm)
    pulling.pull_connection(crm, full=True)
    last = pulling.pull(crm, "contacts", mode="complete")
    assert last.settled
    assert mirror("missing") == set()
    assert_same(sandbox, crm)


def test_proven_features_bring_their_streams_and_evidence(sandbox: SandboxControl, crm: Connection) -> None:
    connector = connect_to(crm)
    for feature in ("updated_filter", "deletion_events", "field_definitions"):
        connector.prove(feature)
    connector.close()
    crm.measured = SMALL | {"features": {"updated_filter": "seen", "deletion_events": "seen"}}
    crm.save()
    runs = pulling.pull_connection(crm)
    assert [(run.stream, run.status) for run in runs] == [("contacts", Status.OK), ("deleted", Status.OK)]
    gone = Contact.objects.live().order_by("id")[0]
    staff_act(sandbox, "trash", id=int(gone.remote_id or 0), by=504207)
    pulling.pull_connection(crm)
    tombstone = gone.tombstones.get(lifted_at=None)
    assert tombstone.evidence == Tombstone.Evidence.LISTED
    assert (tombstone.trashed_by, tombstone.trashed_at is not None) == ("user 504207", True)
    staff_act(sandbox, "restore", id=int(gone.remote_id or 0))
    pulling.pull_connection(crm)
    gone.refresh_from_db()
    assert gone.state == "live"


FAULTS = ["status", "cut_after", "truncate", "html", "nan", "deep_json", "wrong_content_type"]


@pytest.mark.parametrize("kind", FAULTS)
def test_fault_of_a_list_ends_incomplete_and_heals(
    sandbox: SandboxControl, crm: Connection, kind: str
) -> None:
    sandbox.fault(kind)
    assert pulling.pull(crm, "contacts").status == Status.INCOMPLETE
    assert mirror() == set()
    sandbox.clear()
    ConnectionHealth.objects.update(failures=0, open_until=None)
    assert pulling.pull(crm, "contacts").status == Status.OK
    assert_same(sandbox, crm)


@pytest.mark.parametrize("kind", ["empty_page", "short_page", "ignore_page", "repeat_page", "stale"])
def test_list_that_lies_loses_nobody(sandbox: SandboxControl, crm: Connection, kind: str) -> None:
    pulling.pull(crm, "contacts")
    before = mirror()
    page = {} if kind in ("ignore_page", "stale") else {"page": 2}
    sandbox.fault(kind, **page)
    pulling.pull(crm, "contacts", mode="complete")
    assert mirror() == before


def test_unreadable_contact_is_put_aside_and_the_page_goes_on(
    sandbox: SandboxControl, crm: Connection
) -> None:
    bad = truth(sandbox, state="live", brief=1)[5]["id"]
    staff_act(sandbox, "contacts", id=bad, extra={"name": ["not", "a", "text"]})
    pulling.pull_connection(crm)
    assert len(live(sandbox) - mirror()) == unreadable() == 1
    assert Quarantine.objects.get(remote_id=str(bad)).reason.startswith("name:")
    staff_act(sandbox, "contacts", id=bad, extra={"name": "Đọc được rồi"})
    pulling.pull_connection(crm)
    assert str(bad) in mirror()


def test_documented_rate_is_kept_by_all_requests_together(sandbox: SandboxControl, crm: Connection) -> None:
    crm.requests_per_second = crm.capabilities.requests_per_second
    crm.save()
    sandbox.switches(rate_limit=7)
    (run,) = pulling.pull_connection(crm)
    stats = sandbox.stats()
    assert run.status == Status.OK
    assert stats["max_per_second"] <= 7
    assert "429" not in stats["statuses"]


def test_429_is_waited_out_and_a_block_stops_everything(sandbox: SandboxControl, crm: Connection) -> None:
    sandbox.fault("status", code=429, body={"title": "Too Many Requests", "retry_after": 300})
    sandbox.reset_stats()
    run = pulling.pull(crm, "contacts")
    assert run.status == Status.INCOMPLETE
    assert sandbox.stats()["requests"] <= crm.parallel_requests
    sandbox.fault("html", code=403)
    sandbox.reset_stats()
    assert pulling.pull(crm, "contacts").status == Status.FAILED
    assert sandbox.stats()["requests"] == 1
    assert ConnectionHealth.objects.get().needs_attention


# Pushing


EVERYTHING: dict[str, Any] = {
    "name": "Trần Thị Bình",
    "phones": [{"value": "0912345678", "type": "Mobile"}, {"value": "024 3825 1234", "type": "Fax"}],
    "emails": [{"value": "binh@example.vn", "type": "Private"}],
    "tags": ["hà nội", "vip"],
    "responsible": "504207",
    "custom_fields": {"POSITION": "Kế toán", str(words.CONTRACT): "HD-1", str(words.LIMIT): "50"},
}


def push_until_still(crm: Connection) -> None:
    for _round in range(12):
        if not push.push_due(crm).total:
            return


def mirrored(sandbox: SandboxControl, crm: Connection, **fields: Any) -> Contact:
    made = sandbox.control("POST", "amocrm/contacts", {"name": "Nguyễn Văn An", **fields})["id"]
    pulling.pull_connection(crm)
    return Contact.objects.get(connection=crm, remote_id=str(made))


def test_every_field_of_a_new_contact_arrives_and_comes_back_the_same(
    sandbox: SandboxControl, crm: Connection, staff: Any
) -> None:
    contact = contacts.create(connection=crm, kind="contact", values=EVERYTHING, by=staff)
    assert push.push_due(crm).done == 1, contact.changes.get().words
    contact.refresh_from_db()
    assert contact.values(tuple(EVERYTHING)) == EVERYTHING
    assert contact.changes.get().words == ""
    held = remote(sandbox, contact)
    assert [phone["enum"] for phone in held["phones"]] == ["MOB", "FAX"]
    assert held["tags"] == ["hà nội", "vip"]
    pulling.pull_connection(crm, full=True)
    contact.refresh_from_db()
    assert contact.values(tuple(EVERYTHING)) == EVERYTHING
    assert len(sandbox.writes(vendor="amocrm")) == 1


@pytest.mark.parametrize("field", [field for field in EVERYTHING if field not in ("name", "responsible")])
def test_each_field_can_be_edited_and_cleared(
    sandbox: SandboxControl, crm: Connection, staff: Any, field: str
) -> None:
    contact = mirrored(sandbox, crm)
    contacts.edit(contact=contact, changes={field: EVERYTHING[field]}, by=staff)
    assert push.push_due(crm).done == 1, contact.changes.get().words
    contact.refresh_from_db()
    assert contact.value(field) == EVERYTHING[field]
    empty: Any = {list: [], dict: {}}[type(EVERYTHING[field])]
    contacts.edit(contact=contact, changes={field: empty}, by=staff)
    assert push.push_due(crm).done == 1, contact.changes.latest("pk").words
    contact.refresh_from_db()
    assert not contact.value(field)
    assert contact.changes.latest("pk").words == ""


def test_edit_of_a_phone_keeps_the_one_that_was_added_there_meanwhile(
    sandbox: SandboxControl, crm: Connection, staff: Any
) -> None:
    def phones(*numbers: str) -> list[dict[str, Any]]:
        values = [{"value": number, "enum_code": "WORK"} for number in numbers]
        return [{"field_code": "PHONE", "values": values}]

    contact = mirrored(sandbox, crm, custom_fields_values=phones("0934000001"))
    ours = [*contact.value("phones"), {"value": "0934000002", "type": "Mobile"}]
    contacts.edit(contact=contact, changes={"phones": ours}, by=staff)
    staff_act(
        sandbox,
        "contacts",
        id=int(contact.remote_id or 0),
        custom_fields_values=phones("0934000001", "0934000003"),
    )
    push_until_still(crm)
    held = [phone["value"] for phone in remote(sandbox, contact)["phones"]]
    assert sorted(held) == ["0934000001", "0934000002", "0934000003"]


def test_deleting_is_refused_before_anything_is_queued(
    sandbox: SandboxControl, crm: Connection, staff: Any
) -> None:
    contact = mirrored(sandbox, crm)
    with pytest.raises(contacts.NotWritable):
        contacts.delete(contact=contact, by=staff)
    assert not ContactChange.objects.exists()
    assert crm.capabilities.why_not["can_delete"].endswith(".")


def test_edit_of_a_contact_that_was_deleted_there_waits_for_a_person(
    sandbox: SandboxControl, crm: Connection, staff: Any
) -> None:
    contact = mirrored(sandbox, crm)
    staff_act(sandbox, "trash", id=int(contact.remote_id or 0))
    contacts.edit(contact=contact, changes={"name": "Tên mới"}, by=staff)
    push_until_still(crm)
    assert contact.changes.get().status == "conflict"


@pytest.mark.parametrize("kind", ["cut_after", "cut_before", "truncate", "html", "status_after"])
def test_lost_answers_make_no_duplicates_and_lose_no_edit(
    sandbox: SandboxControl, crm: Connection, staff: Any, kind: str
) -> None:
    marker = uuid.uuid4().hex
    contact = mirrored(sandbox, crm)
    sandbox.faults(
        [{"kind": kind, "method": method, "probability": 0.5} for method in ("POST", "PATCH")], seed=3
    )
    for number in range(8):
        values = {"name": f"{marker} {number}", "phones": [{"value": f"0911{number:06}", "type": "Work"}]}
        contacts.create(connection=crm, kind="contact", values=values, by=staff)
    contacts.edit(contact=contact, changes={"name": "Sửa dù mất trả lời"}, by=staff)
    push_until_still(crm)
    sandbox.clear()
    push_until_still(crm)
    there = Counter(each["name"] for each in truth(sandbox, state="live") if marker in each["name"])
    assert there == {f"{marker} {number}": 1 for number in range(8)}
    assert Contact.objects.filter(name__startswith=marker, remote_id=None).count() == 0
    assert remote(sandbox, contact)["name"] == "Sửa dù mất trả lời"


@pytest.mark.parametrize(
    "batch", ["none", "short", "long", "shuffled", "no_request_ids", "errors", "reject_after_some"]
)
def test_batch_answer_that_does_not_fit_makes_no_duplicates(
    sandbox: SandboxControl, crm: Connection, staff: Any, batch: str
) -> None:
    mirrored(
        sandbox, crm, custom_fields_values=[{"field_code": "PHONE", "values": [{"value": "0999888777"}]}]
    )
    sandbox.switches(batch=batch)
    marker = uuid.uuid4().hex
    values = [
        {"name": f"{marker} {number}", "phones": [{"value": f"0911{number:06}", "type": "Work"}]}
        for number in range(20)
    ]
    contacts.create_many(connection=crm, rows=[("contact", each) for each in values], by=staff)
    push.push_due(crm, limit=30)
    sandbox.switches(batch="none")
    push_until_still(crm)
    there = Counter(each["name"] for each in truth(sandbox, state="live") if marker in each["name"])
    assert there == {f"{marker} {number}": 1 for number in range(20)}
    for contact in Contact.objects.filter(name__startswith=marker):
        assert remote(sandbox, contact)["name"] == contact.name


def test_refusal_is_shown_in_the_vendors_words(sandbox: SandboxControl, crm: Connection, staff: Any) -> None:
    contact = mirrored(sandbox, crm)
    contacts.edit(contact=contact, changes={"responsible": "77"}, by=staff)
    push_until_still(crm)
    change = contact.changes.get()
    assert change.status == "rejected"
    assert "responsible_user_id: The user does not exist." in change.words


# OAuth


def test_pull_and_push_go_through_a_token_that_dies_in_between(
    sandbox: SandboxControl, settings: Any, staff: Any
) -> None:
    crm = connection(sandbox, credentials=OAUTH)

    def expire(run: Run) -> None:
        sandbox.control("POST", "amocrm/access", {"access": True})

    (run,) = [pulling.pull(crm, "contacts", progress=expire)]
    assert run.status == Status.OK
    assert_same(sandbox, crm)
    contact = contacts.create(connection=crm, kind="contact", values={"name": "Qua OAuth"}, by=staff)
    assert push.push_due(crm).done == 1
    contact.refresh_from_db()
    assert remote(sandbox, contact)["name"] == "Qua OAuth"
    assert sandbox.control("GET", "amocrm/access")["reused"] == 0


def test_expired_refresh_token_stops_the_connection_and_says_what_to_do(sandbox: SandboxControl) -> None:
    crm = connection(sandbox, credentials=OAUTH)
    sandbox.control("POST", "amocrm/access", {"refresh": True})
    run = pulling.pull(crm, "contacts")
    assert run.status == Status.FAILED
    assert "connect the account again with a new one" in run.error
    health = ConnectionHealth.objects.get()
    assert health.needs_attention
    assert "refresh token" in health.last_error


def test_connect_keeps_the_pair_that_its_check_brought(sandbox: SandboxControl, capsys: Any) -> None:
    pytest.importorskip("backoffice.sync.credentials", reason="connect knows no groups of credentials yet")
    given = [f"{key}={value}" for key, value in OAUTH.items()]
    call_command("connect", "amocrm", "--name", "Kommo", "--base-url", sandbox.base(), "--set", *given)
    crm = Connection.objects.get()
    assert ConnectionToken.objects.get().connection == crm
    said = capsys.readouterr().out
    assert OAUTH["client_secret"] not in said
    pulling.pull(crm, "contacts")
    sandbox.control("POST", "amocrm/access", {"access": True})
    assert pulling.pull(crm, "contacts").status == Status.OK
    state = sandbox.control("GET", "amocrm/access")
    assert (state["granted"], state["reused"]) == (2, 0)


def test_connect_that_spent_the_refresh_token_for_nothing_says_so(sandbox: SandboxControl) -> None:
    pytest.importorskip("backoffice.sync.credentials", reason="connect knows no groups of credentials yet")
    sandbox.fault("status", code=403, path="/api/v4/*")
    given = [f"{key}={value}" for key, value in OAUTH.items()]
    with pytest.raises(CommandError, match="refresh token is used up"):
        call_command("connect", "amocrm", "--name", "Kommo", "--base-url", sandbox.base(), "--set", *given)
    assert not Connection.objects.exists()
