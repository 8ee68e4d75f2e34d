"""Udesk over real HTTP with the whole product: what the sandbox holds is what the mirror shows."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from crm_bridge.connectors.udesk import imports, mapping, payloads
from crm_bridge.connectors.udesk.definitions import forget_definitions
from crm_bridge.models import Connection, ConnectionHealth, Contact, ContactChange, Quarantine, Run, Tombstone
from crm_bridge.records import Identity, canonical
from crm_bridge.services import contacts, push
from crm_bridge.services import pull as pulling
from tests import factories
from tests.sandbox_fixture import SandboxControl

pytestmark = pytest.mark.django_db
Status = Run.Status
EMAIL, TOKEN = "admin+api@sandbox.example.com", "sandbox-udesk-token"


@pytest.fixture
def crm(sandbox: SandboxControl, settings, monkeypatch) -> Connection:
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    monkeypatch.setattr(imports, "WAITS", (0.0, 0.7))
    forget_definitions()
    sandbox.switches("udesk", export_batch=25)
    return factories.connection(
        vendor="udesk",
        name="Udesk",
        base_url=sandbox.base("udesk"),
        credentials={"email": EMAIL, "api_token": TOKEN},
    )


@pytest.fixture
def staff(db):
    return factories.user()


def truth(sandbox: SandboxControl, **filters: Any) -> list[dict[str, Any]]:
    return sandbox.control("GET", "udesk/customers", **filters)


def live(sandbox: SandboxControl) -> dict[str, dict[str, Any]]:
    return {str(each["id"]): each for each in truth(sandbox, state="live")}


def pull(crm: Connection) -> Run:
    (run,) = pulling.pull_connection(crm)
    return run


def shown(customer: dict[str, Any], crm: Connection) -> dict[str, Any]:
    """What the mirror must show of a customer, from the sandbox's stored form."""
    choices = mapping.Definitions({each.key: each for each in mapping.to_definitions(DEFINITIONS)})
    raw = customer | {
        "cellphones": [{"content": text} for _, text in customer["cellphones"]],
        "tags": [{"name": name} for name in customer["tags"]],
        "rich_tags": [],
    }
    return canonical(mapping.to_record(payloads.raw_item(raw), choices))


DEFINITIONS = [
    {"custom_field_name": f"TextField_{number}", "content_type": kind}
    for number, kind in enumerate(
        ("text", "area_text", "date", "time", "datetime", "link", "number", "numeric"), 1
    )
] + [
    {"custom_field_name": f"SelectField_{number}", "content_type": kind,
     "options": [{str(each): str(each)} for each in range(4)]}
    for number, kind in enumerate(("droplist", "radio", "checkbox"), 1)
]  # fmt: skip


def assert_mirror_equals_sandbox(sandbox: SandboxControl, crm: Connection) -> None:
    """Counts and every field of every contact."""
    there = live(sandbox)
    here = {row.remote_id: row for row in Contact.objects.live().filter(connection=crm)}
    assert here.keys() == there.keys()
    fields = crm.capabilities.writable | {"source"}
    for number, customer in there.items():
        wanted = shown(customer, crm)
        held = here[number].values(tuple(fields))
        for each in (wanted, held):  # tags are a set: the mirror keeps them in an order of its own
            each["tags"] = sorted(each["tags"])
        assert held == {name: wanted[name] for name in fields}, number


# Pull


def test_first_pull_brings_everybody_and_the_second_writes_nothing(
    sandbox: SandboxControl, crm: Connection, django_assert_max_num_queries
) -> None:
    run = pull(crm)
    assert (run.status, run.created, run.error) == (Status.OK, 120, "")
    assert Quarantine.objects.count() == 0
    assert_mirror_equals_sandbox(sandbox, crm)
    before = dict(Contact.objects.values_list("pk", "touched_at"))
    run = pull(crm)
    assert (run.status, run.created, run.changed, run.unchanged) == (Status.OK, 0, 0, 120)
    assert dict(Contact.objects.values_list("pk", "touched_at")) == before
    assert sandbox.writes() == []


@pytest.mark.parametrize(
    "switches",
    [
        {"scroll_ids": "constant"},
        {"order": "shuffled"},
        {"export_total": "absent"},
        {"ids": "text", "tags": "texts"},
        {"error_status": "matching"},
        {"definitions": "gone"},
    ],
    ids=str,
)
def test_undocumented_behaviour_changes_nothing(
    sandbox: SandboxControl, crm: Connection, switches: dict[str, Any]
) -> None:
    sandbox.switches("udesk", **switches)
    for _ in range(2):
        assert pull(crm).status == Status.OK
    assert {row.remote_id for row in Contact.objects.live()} == live(sandbox).keys()
    assert not Contact.objects.exclude(state="live").exists()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mirror_follows_any_script_of_remote_staff(
    sandbox: SandboxControl, crm: Connection, seed: int
) -> None:
    pull(crm)
    for turn in range(3):
        sandbox.control(
            "POST",
            "udesk/mutate",
            {"edits": 6, "creates": 3, "trash": 2, "merges": 2, "seed": 10 * seed + turn},
        )
        run = pull(crm)
        assert (run.status, run.error) == (Status.OK, "")
        assert_mirror_equals_sandbox(sandbox, crm)
    counts = sandbox.control("GET", "udesk/counts")
    assert Contact.objects.live().count() == counts["live"]
    gone = {str(each["id"]) for each in truth(sandbox) if each["state"] != "live"}
    buried = set(Contact.objects.filter(state="trashed").values_list("remote_id", flat=True))
    assert buried <= gone, "one that was made and merged away between two pulls was never seen"
    assert len(gone - buried) <= 2
    assert Tombstone.objects.count() == len(buried)
    assert sandbox.writes() == []


def test_vanished_contact_is_proven_gone_before_it_is_buried(
    sandbox: SandboxControl, crm: Connection
) -> None:
    """Only code 2005 proves it; the other "not found" leaves the contact where it is."""
    pull(crm)
    number = next(iter(live(sandbox)))
    sandbox.control("POST", "udesk/delete", {"id": int(number)})
    sandbox.switches("udesk", not_found=2000)
    assert pull(crm).status != Status.OK
    assert Contact.objects.live().filter(remote_id=number).exists()
    sandbox.switches("udesk", not_found=2005)
    assert pull(crm).trashed == 1
    assert Contact.objects.get(remote_id=number).state == "trashed"


def test_short_export_empties_nothing(sandbox: SandboxControl, crm: Connection) -> None:
    pull(crm)
    sandbox.fault("empty_page", vendor="udesk", path="*/export", after=1)
    run = pull(crm)
    assert run.status in (Status.INCOMPLETE, Status.HELD)
    assert Contact.objects.live().count() == 120
    sandbox.clear()
    assert pull(crm).status == Status.OK
    assert Contact.objects.live().count() == 120


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("cut_after", {}),
        ("cut_before", {}),
        ("truncate", {"bytes": 40}),
        ("status", {"code": 500}),
        ("status_after", {"code": 502}),
        ("html", {}),
        ("status", {"code": 429, "retry_after": 1}),
        ("success", {"key": "code", "value": 2062}),
        ("success", {"key": "code", "value": 429}),
        ("success", {"key": "code", "remove": True}),
    ],
    ids=str,
)
def test_fault_in_the_middle_of_an_export_loses_nobody(
    sandbox: SandboxControl, crm: Connection, kind: str, options: dict[str, Any]
) -> None:
    """A batch whose answer was lost is skipped by the cursor: the next pull begins anew."""
    sandbox.fault(kind, vendor="udesk", path="*/export", after=2, times=1, **options)
    run = pull(crm)
    assert run.status == Status.INCOMPLETE
    assert run.error
    sandbox.clear()
    ConnectionHealth.objects.update(open_until=None)
    assert pull(crm).status == Status.OK
    assert_mirror_equals_sandbox(sandbox, crm)


def test_stopped_pull_starts_again_for_its_cursor_is_dead(sandbox: SandboxControl, crm: Connection) -> None:
    sandbox.fault("cut_before", vendor="udesk", path="*/export", after=2, times=1)
    pull(crm)
    sandbox.clear()
    sandbox.control("POST", "udesk/end_scrolls")
    run = pull(crm)
    assert (run.status, run.seen) == (Status.OK, 120)
    assert "resumed" not in run.details


def test_unreadable_customer_is_put_aside_and_the_others_go_on(
    sandbox: SandboxControl, crm: Connection
) -> None:
    number = int(next(iter(live(sandbox))))
    sandbox.control("PATCH", "udesk/customers", {"id": number, "extra": {"cellphones": "hôm qua"}})
    run = pull(crm)
    assert (run.status, run.created, run.rejected) == (Status.OK, 119, 1)
    assert "cellphones" in Quarantine.objects.get().reason
    sandbox.control("PATCH", "udesk/customers", {"id": number, "extra": {}})
    assert pull(crm).created == 1
    assert not Quarantine.objects.filter(resolved_at=None).exists()


def test_limit_of_calls_is_kept_and_a_refusal_is_not_hammered(
    sandbox: SandboxControl, crm: Connection
) -> None:
    crm.requests_per_second = 20
    crm.save()
    sandbox.switches("udesk", rate_per_minute=4)
    sandbox.reset_stats()
    run = pull(crm)
    assert run.status == Status.INCOMPLETE
    busiest = sandbox.control("GET", "udesk/rates")["busiest_minute"]
    assert busiest["GET /export"] == 5, "four allowed, one refused, none after it"
    assert sandbox.stats("udesk")["max_per_second"] <= 21


def test_new_connection_gets_a_rate_below_the_limit(crm: Connection) -> None:
    assert 0 < crm.capabilities.requests_per_second * 60 <= 60
    assert crm.capabilities.contacts_every >= 900


# Push


EVERYTHING = {
    "name": "Trần Thị Bình",
    "phones": [{"value": "0912345678", "type": ""}, {"value": "13900000001", "type": ""}],
    "emails": [{"value": "binh@example.vn", "type": ""}, {"value": "binh2@example.vn", "type": ""}],
    "social_accounts": [{"protocol": "WeChat", "value": "wxf54489a1azz51885/o-binh"}],
    "note": "Gọi sau 17 giờ",
    "stage": "vip",
    "tags": ["hà nội", "vip"],
    "responsible": "agent 2, group 2",
    "custom_fields": {"TextField_1": "HĐ-1", "SelectField_2": "1", "SelectField_3": ["0", "2"]},
}


def remote(sandbox: SandboxControl, contact: Contact) -> dict[str, Any]:
    contact.refresh_from_db()
    (found,) = truth(sandbox, id=contact.remote_id)
    return found


def mirrored(sandbox: SandboxControl, crm: Connection, **customer: Any) -> Contact:
    body = {"nick_name": "Nguyễn Văn An", "email": "an@example.vn", "cellphones": [[None, "0934890883"]]}
    made = sandbox.control("POST", "udesk/customers", body | customer)
    pull(crm)
    return Contact.objects.get(remote_id=str(made["id"]))


def test_every_field_of_a_new_contact_arrives_and_comes_back_the_same(
    sandbox: SandboxControl, crm: Connection, staff
) -> None:
    contact = contacts.create(connection=crm, kind="contact", values=EVERYTHING, by=staff)
    assert push.push_due(crm).done == 1, contact.changes.get().words
    assert contact.changes.get().words == ""
    held = remote(sandbox, contact)
    assert held["open_api_token"] == contact.code
    assert contact.values(tuple(EVERYTHING)) == EVERYTHING
    assert (held["owner_id"], held["owner_group_id"]) == (2, 2)
    pull(crm)
    contact.refresh_from_db()
    assert contact.values(tuple(EVERYTHING)) == EVERYTHING
    assert Contact.objects.filter(code=contact.code).count() == 1


def test_edit_and_delete_reach_it(sandbox: SandboxControl, crm: Connection, staff) -> None:
    contact = mirrored(sandbox, crm)
    phones = [{"value": "0934890883", "type": ""}, {"value": "0977000111", "type": ""}]
    contacts.edit(contact=contact, changes={"phones": phones, "tags": ["mới"], "stage": "vip"}, by=staff)
    assert push.push_due(crm).done == 1, contact.changes.get().words
    held = remote(sandbox, contact)
    assert [text for _, text in held["cellphones"]] == ["0934890883", "0977000111"]
    assert (held["tags"], held["level"], held["email"]) == (["mới"], "vip", "an@example.vn")
    contacts.delete(contact=contact, by=staff)
    assert push.push_due(crm).done == 1
    assert remote(sandbox, contact)["state"] == "deleted"
    assert contact.state == "trashed"


def test_both_sides_edits_of_different_fields_both_live_on(
    sandbox: SandboxControl, crm: Connection, staff
) -> None:
    contact = mirrored(sandbox, crm)
    contacts.edit(contact=contact, changes={"name": "Nguyễn Văn Ân"}, by=staff)
    sandbox.control(
        "PATCH", "udesk/customers", {"id": int(contact.remote_id), "cellphones": [[None, "0911222333"]]}
    )
    assert push.push_due(crm).done == 1
    held = remote(sandbox, contact)
    assert held["nick_name"] == "Nguyễn Văn Ân"
    assert [text for _, text in held["cellphones"]] == ["0911222333"]


def test_emptied_field_is_refused_in_words_and_nothing_is_lost(
    sandbox: SandboxControl, crm: Connection, staff
) -> None:
    contact = mirrored(sandbox, crm, description="Ghi chú cũ")
    contacts.edit(contact=contact, changes={"note": ""}, by=staff)
    assert push.push_due(crm).rejected == 1
    assert "empty the note there" in contact.changes.get().words
    assert remote(sandbox, contact)["description"] == "Ghi chú cũ"
    assert sandbox.writes() == []


def test_values_that_somebody_else_has_are_refused_in_the_vendors_words(
    sandbox: SandboxControl, crm: Connection, staff
) -> None:
    contact = mirrored(sandbox, crm)
    other = next(each for each in live(sandbox).values() if each["cellphones"] and each["id"] != contact.pk)
    phones = [{"value": other["cellphones"][0][1], "type": ""}]
    contacts.edit(contact=contact, changes={"phones": phones}, by=staff)
    assert push.push_due(crm).rejected == 1
    assert "has been used" in contact.changes.get().words


def push_until_still(crm: Connection) -> None:
    for _round in range(12):
        if not push.push_due(crm).total:
            return


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_creates_whose_answers_are_lost_arrive_exactly_once(
    sandbox: SandboxControl, crm: Connection, staff, seed: int
) -> None:
    """Our code is readable there, so a lost create is found again or proven absent."""
    mirrored(sandbox, crm)
    sandbox.faults(
        [
            {"kind": "cut_after", "method": "POST", "probability": 0.35},
            {"kind": "cut_before", "method": "POST", "probability": 0.2},
            {"kind": "status_after", "method": "POST", "code": 502, "probability": 0.15},
            {"kind": "cut_after", "method": "PUT", "probability": 0.3},
        ],
        vendor="udesk",
        seed=seed,
    )
    for number in range(12):
        values = {"name": f"Lạc {number}", "phones": [{"value": f"09{number:08}", "type": ""}]}
        contacts.create(connection=crm, kind="contact", values=values, by=staff)
    push_until_still(crm)
    sandbox.clear()
    push_until_still(crm)
    there = Counter(each["nick_name"] for each in live(sandbox).values() if "Lạc" in each["nick_name"])
    assert there == Counter({f"Lạc {number}": 1 for number in range(12)})
    rows = Contact.objects.filter(name__startswith="Lạc")
    assert {row.remote_id for row in rows} <= live(sandbox).keys()
    assert not ContactChange.objects.exclude(status="done").exists()


def test_edits_whose_answers_are_lost_arrive(sandbox: SandboxControl, crm: Connection, staff) -> None:
    contact = mirrored(sandbox, crm)
    sandbox.fault("cut_after", vendor="udesk", method="PUT", times=2)
    for number in range(3):
        contact.refresh_from_db()
        contacts.edit(contact=contact, changes={"name": f"Tên {number}"}, by=staff)
        push_until_still(crm)
    assert remote(sandbox, contact)["nick_name"] == "Tên 2"
    assert contact.name == "Tên 2"


@pytest.mark.parametrize("operation", ["create", "edit", "delete"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"code": 500}),
        ("status", {"code": 401}),
        ("status", {"code": 429}),
        ("hang", {"seconds": 0.1, "applied": True}),
        ("cut_after", {}),
        ("html", {}),
        ("success", {"key": "code", "remove": True}),
        ("success", {"key": "code", "value": 2001}),
        ("status", {"code": 200, "body": {"code": 429}}),
        ("status", {"code": 200, "body": {"code": 2059}}),
        ("status", {"code": 200, "body": {"code": 20623}}),
    ],
    ids=str,
)
def test_every_change_survives_every_fault_once(
    sandbox: SandboxControl,
    crm: Connection,
    staff,
    operation: str,
    kind: str,
    options: dict[str, Any],
) -> None:
    contact = mirrored(sandbox, crm)
    method = {"create": "POST", "edit": "PUT", "delete": "DELETE"}[operation]
    sandbox.fault(kind, vendor="udesk", method=method, times=1, **options)
    if operation == "create":
        values = {"name": "Độc nhất", "phones": [{"value": "0866000111", "type": ""}]}
        contact = contacts.create(connection=crm, kind="contact", values=values, by=staff)
    elif operation == "edit":
        contacts.edit(contact=contact, changes={"name": "Độc nhất"}, by=staff)
    else:
        contacts.delete(contact=contact, by=staff)
    for _ in range(6):
        ConnectionHealth.objects.update(open_until=None, needs_attention=False)
        ContactChange.objects.update(not_before=timezone.now() - timedelta(seconds=1))
        push_until_still(crm)
    change = contact.changes.order_by("pk").last()
    assert change.status == "done", change.words
    if operation == "delete":
        assert truth(sandbox, id=contact.remote_id)[0]["state"] == "deleted"
    else:
        assert [each["nick_name"] for each in live(sandbox).values()].count("Độc nhất") == 1


# Imports


def import_rows(crm: Connection, staff, *rows: dict[str, Any]) -> None:
    contacts.create_many(connection=crm, rows=[("contact", row) for row in rows], by=staff)


def numbered(name: str, count: int) -> list[dict[str, Any]]:
    return [
        {"name": f"{name} {number}", "phones": [{"value": f"08{number:08}", "type": ""}]}
        for number in range(count)
    ]


def test_import_goes_as_one_call_and_each_id_is_proven(
    sandbox: SandboxControl, crm: Connection, staff
) -> None:
    import_rows(crm, staff, *numbered("Nhập", 8))
    assert push.push_due(crm).done == 8
    routes = sandbox.stats("udesk")["routes"]
    assert routes["POST /udesk/open_api_v1/customers/batch_import_async"] == 1
    assert "POST /udesk/open_api_v1/customers" not in routes
    for contact in Contact.objects.filter(name__startswith="Nhập"):
        assert remote(sandbox, contact)["open_api_token"] == contact.code


def test_what_an_import_swallows_is_sent_singly_and_told_in_words(
    sandbox: SandboxControl, crm: Connection, staff
) -> None:
    """Received, never imported: looked up twice, then sent again by itself, where it is refused in words."""
    taken = mirrored(sandbox, crm, cellphones=[[None, "0800000003"]])
    import_rows(crm, staff, *numbered("Nhập", 6))
    push_until_still(crm)
    done = Contact.objects.filter(name__startswith="Nhập", remote_id__isnull=False)
    assert sorted(each.name for each in done) == [f"Nhập {number}" for number in (0, 1, 2, 4, 5)]
    left = Contact.objects.get(name="Nhập 3").changes.get()
    assert left.status == "rejected"
    assert "has been used" in left.words
    assert Counter(each["nick_name"] for each in live(sandbox).values())["Nhập 3"] == 0
    assert taken.state == "live"


def test_second_import_within_a_minute_goes_one_by_one(
    sandbox: SandboxControl, crm: Connection, staff
) -> None:
    import_rows(crm, staff, *numbered("Nhập", 4))
    push.push_due(crm)
    import_rows(crm, staff, *({"name": f"Sau {number}"} for number in range(3)))
    push.push_due(crm)
    assert Contact.objects.filter(name__startswith="Sau", remote_id=None).count() == 3
    ContactChange.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    push_until_still(crm)
    routes = sandbox.stats("udesk")["routes"]
    assert routes["POST /udesk/open_api_v1/customers/batch_import_async"] == 1
    assert routes["POST /udesk/open_api_v1/customers"] == 3
    assert Counter(each["nick_name"] for each in live(sandbox).values() if "Sau" in each["nick_name"]) == {
        "Sau 0": 1, "Sau 1": 1, "Sau 2": 1,
    }  # fmt: skip


# Commands


def test_connect_checks_the_credentials_in_plain_words(sandbox: SandboxControl, db, capsys) -> None:
    where = ("--base-url", sandbox.base("udesk"))
    with pytest.raises(CommandError, match="signature is wrong") as refused:
        call_command(
            "connect", "udesk", "--name", "Desk", *where, "--set", f"email={EMAIL}", "api_token=wrong-token-1"
        )
    assert "wrong-token-1" not in str(refused.value)
    with pytest.raises(CommandError, match="also needs --set api_token"):
        call_command("connect", "udesk", "--name", "Desk", *where, "--set", f"email={EMAIL}")
    with pytest.raises(CommandError, match="--base-url"):
        call_command("connect", "udesk", "--name", "Desk", "--set", f"email={EMAIL}", f"api_token={TOKEN}")
    assert not Connection.objects.exists()
    call_command(
        "connect", "udesk", "--name", "Desk", *where, "--set", f"email={EMAIL}", f"api_token={TOKEN}"
    )
    said = capsys.readouterr().out
    assert "120 customers" in said
    assert TOKEN not in said
    assert Connection.objects.get().vendor == "udesk"


def test_identity_of_a_customer_is_in_one_family(sandbox: SandboxControl, crm: Connection) -> None:
    pull(crm)
    assert set(Contact.objects.values_list("family", "kind")) == {("customer", "contact")}
    assert Identity("customer", next(iter(live(sandbox)))).family == "customer"
