"""Pages of what CRMs have beyond contacts: parts, merges, custom fields, reports, the same person."""

import re

import pytest
from django.core.cache import cache
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from backoffice.models import AuditEntry
from backoffice.remote.errors import RetryLater
from crm_bridge.models import AccountCheck, Connection, Contact, ContactChange, CustomField, SharedReach
from crm_bridge.records import PanelEntry, canonical
from crm_bridge.services import contacts as service
from crm_bridge.services import custom_fields, probing, push, same_person
from tests import factories
from tests.crm_bridge.services.fake_vendor import FakeVendor, moment

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def nothing_kept():
    cache.clear()


@pytest.fixture
def account(vendor):
    row = factories.connection(vendor="fake", name="Fake")
    custom_fields.refresh(row)
    return row


@pytest.fixture
def mirror(account, vendor):
    def make(**values) -> Contact:
        record = vendor.add(kind="contact", **values)
        number = record.identity.remote_id
        return factories.contact(
            account, family="one", remote_id=number, kind="contact", values=canonical(record)
        )

    return make


def signed_in(group: str) -> Client:
    client = Client()
    client.force_login(factories.user(group))
    return client


def text(response) -> str:
    return response.content.decode()


def page(name: str, *args) -> str:
    return reverse(f"admin:crm_bridge_contact_{name}", args=args)


HTMX = {"HX-Request": "true"}


# --- parts -----------------------------------------------------------------------------------


def test_a_contact_page_asks_the_crm_for_nothing_by_itself(mirror, vendor):
    contact = mirror(name="An")
    shown = text(signed_in("Sales").get(page("change", contact.pk)))
    assert page("panel", contact.pk, "companies") in shown
    assert 'hx-trigger="load"' in shown
    assert vendor.panel_reads == 0


def test_a_part_is_read_once_a_minute_and_says_how_old_it_is(mirror, vendor):
    contact, client = mirror(name="An"), signed_in("Sales")
    vendor.relations[(contact.remote_id, "companies")] = ["5", "6", "7", "8"]
    address = page("panel", contact.pk, "companies")
    for _look in range(3):
        shown = text(client.get(address, headers=HTMX))
    assert vendor.panel_reads == 1
    assert "Company 7" in shown
    assert "Company 8" not in shown
    assert "just now" in shown
    assert "Company 8" in text(client.get(f"{address}?page=2", headers=HTMX))
    client.get(f"{address}?fresh=1", headers=HTMX)
    assert vendor.panel_reads == 3
    plain = text(client.get(address))
    assert "<html" in plain
    assert "Company 5" in plain


def test_a_part_that_cannot_be_read_says_so_in_words(mirror, vendor):
    contact = mirror(name="An")
    vendor.panel_error = RetryLater("it did not answer in time")
    shown = text(signed_in("Sales").get(page("panel", contact.pk, "companies"), headers=HTMX))
    assert "it did not answer in time" in shown
    vendor.panel_error = None
    del vendor.records[contact.remote_id]
    shown = text(signed_in("Sales").get(page("panel", contact.pk, "companies"), headers=HTMX))
    assert "does not hold this contact any more" in shown


def test_hostile_text_of_a_part_stays_text(mirror, vendor):
    contact = mirror(name="An")
    vendor.history[contact.remote_id] = [PanelEntry(HOSTILE, HOSTILE, moment(2), HOSTILE, "chat")]
    shown = text(signed_in("Sales").get(page("panel_timeline", contact.pk), headers=HTMX))
    assert HOSTILE not in shown
    assert "&lt;script&gt;" in shown


def test_links_are_changed_from_the_page_and_the_part_is_read_anew(mirror, vendor):
    contact, client = mirror(name="An"), signed_in("Sales")
    part, change = page("panel", contact.pk, "companies"), page("panel_change", contact.pk, "companies")
    assert "None." in text(client.get(part, headers=HTMX))
    answer = client.post(change, {"action": "attach", "refs": "5, 6"})
    assert answer.status_code == 302
    shown = text(client.get(part, headers=HTMX))
    assert "on its way" in shown
    assert push.push_due().done == 1
    assert vendor.relations[(contact.remote_id, "companies")] == ["5", "6"]
    assert "Company 6" in text(client.get(part, headers=HTMX))
    client.post(change, {"action": "detach", "refs": "5"})
    client.post(change, {"action": "replace", "refs": "9"})
    assert push.push_due().done == 2
    assert vendor.relations[(contact.remote_id, "companies")] == ["9"]
    shown = text(client.get(page("change", contact.pk)))
    assert "Companies: exactly 9" in shown


@pytest.mark.parametrize(
    ("key", "data", "words"),
    [
        ("companies", {"action": "attach", "refs": " "}, "Company number: enter at least one."),
        ("companies", {"action": "destroy", "refs": "5"}, "Choose what to do."),
        ("chats", {"action": "attach", "refs": "5"}, "Chats are joined by the CRM itself."),
    ],
)
def test_what_cannot_be_linked_says_why(mirror, key, data, words):
    contact, client = mirror(name="An"), signed_in("Sales")
    assert words in text(client.post(page("panel_change", contact.pk, key), data, follow=True))
    assert not ContactChange.objects.exists()


def test_a_part_that_takes_no_changes_says_why(mirror):
    shown = text(signed_in("Sales").get(page("panel", mirror(name="An").pk, "chats"), headers=HTMX))
    assert "Chats are joined by the CRM itself." in shown
    assert 'value="attach"' not in shown


def test_unknown_parts_and_contacts_are_not_found(mirror):
    contact, client = mirror(name="An"), signed_in("Sales")
    assert client.get(page("panel", contact.pk, "deals")).status_code == 404
    assert client.post(page("panel_change", contact.pk, "deals"), {}).status_code == 404
    assert client.post(page("panel_change", 10**6, "companies"), {}).status_code == 404


def test_the_crms_history_is_sorted_into_the_timeline(mirror, vendor):
    contact, client = mirror(name="An"), signed_in("Sales")
    service.edit(contact=contact, changes={"stage": "won"}, by=factories.user("Sales"))
    vendor.history[contact.remote_id] = [
        PanelEntry("Called", "asked for a price", moment(3), "Hoa", "call"),
        PanelEntry("Chatted", "", moment(1), "", "chat"),
        PanelEntry("No time", ""),
    ]
    address = f"{page('change', contact.pk)}?tab=timeline"
    first = text(client.get(address))
    assert "Called" not in first
    assert vendor.panel_reads == 0
    assert page("panel_timeline", contact.pk) in first
    merged = text(client.get(page("panel_timeline", contact.pk), headers=HTMX))
    order = [merged.index(word) for word in ("Edited", "Called", "Chatted")]
    assert order == sorted(order)
    assert "No time" not in merged
    assert "Called" in text(client.get(f"{address}&remote=1")), "without scripts"
    vendor.panel_error = RetryLater("busy")
    cache.clear()
    told = text(client.get(page("panel_timeline", contact.pk), headers=HTMX))
    assert "History: busy" in told
    assert "Edited" in told


# --- merge -----------------------------------------------------------------------------------


@pytest.fixture
def two(mirror):
    mirror(name="Somebody else", phones=[{"value": "0999999999", "type": ""}])
    return (
        mirror(name="An", phones=[{"value": "0934890883", "type": ""}], note="old", stage="new"),
        mirror(name="Nguyễn An", phones=[{"value": "0934 890 883", "type": ""}], note="young"),
    )


def test_the_other_one_is_offered_or_searched_for(two):
    contact, other = two
    client = signed_in("Managers")
    shown = text(client.get(page("merge", contact.pk)))
    assert page("merge_compare", contact.pk, other.pk) in shown
    assert "Somebody else" not in shown
    shown = text(client.get(page("merge", contact.pk), {"q": "somebody"}))
    assert "Somebody else" in shown
    assert page("merge_compare", contact.pk, contact.pk) not in shown


def test_both_are_seen_and_what_is_lost_is_named(two):
    contact, other = two
    shown = text(signed_in("Managers").get(page("merge_compare", contact.pk, other.pk)))
    assert "Merge Nguyễn An into An" in shown
    lost = shown[shown.index("What will be lost") :]
    assert re.search(r"Note: young", lost)
    turned = text(signed_in("Managers").get(page("merge_compare", contact.pk, other.pk), {"stays": other.pk}))
    assert "Merge An into Nguyễn An" in turned
    assert turned.index(">Name<") < turned.index(">Gender<") if ">Gender<" in turned else True


def seen_of(client, address) -> str:
    return re.search(r'name="seen" value="([^"]+)"', text(client.get(address)))[1]


def test_a_merge_needs_the_name_and_is_sent(two, vendor):
    contact, other = two
    client, address = signed_in("Managers"), page("merge_compare", two[0].pk, two[1].pk)
    data = {"stays": contact.pk, "seen": seen_of(client, address)}
    answer = client.post(address, {**data, "typed": "An"})
    assert answer.status_code == 422
    assert "Nothing was merged" in text(answer)
    assert not ContactChange.objects.exists()
    answer = client.post(address, {**data, "typed": "Nguyễn An"})
    assert answer.status_code == 302
    assert push.push_due().done == 1
    assert other.remote_id not in vendor.records
    shown = text(client.get(page("change", other.pk)))
    assert "Merged into" in shown
    shown = text(client.get(reverse("crm:merge", args=[other.merge.pk])))
    assert "merged from here" in shown


def test_a_merge_stands_on_what_the_page_showed(two, vendor):
    """A pull between opening and confirming changes the mirror, and so does not hide the news."""
    contact, other = two
    client, address = signed_in("Managers"), page("merge_compare", two[0].pk, two[1].pk)
    data = {"stays": contact.pk, "typed": "Nguyễn An", "seen": seen_of(client, address)}
    vendor.change(contact.remote_id, stage="won")
    Contact.objects.filter(pk=contact.pk).update(stage="won")
    client.post(address, data)
    assert push.push_due().conflict == 1
    shown = text(client.get(reverse("crm:conflict", args=[other.pk])))
    assert "Merge them all the same" in shown
    assert "won" in shown
    assert client.post(address, {**data, "seen": "x"}).status_code == 422


def test_merging_is_for_who_may_and_says_why_it_cannot(two, monkeypatch):
    from dataclasses import replace

    contact = two[0]
    assert "Merge…" not in text(signed_in("Sales").get(page("change", contact.pk)))
    manager = signed_in("Managers")
    assert page("merge", contact.pk) in text(manager.get(page("change", contact.pk)))
    why = {"can_merge": "Its API has no merge.", "can_delete": "Its API has no delete."}
    able = replace(FakeVendor.capabilities, can_merge=False, can_delete=False, why_not=why)
    monkeypatch.setattr(FakeVendor, "capabilities", able)
    shown = text(manager.get(page("change", contact.pk)))
    assert 'disabled title="Its API has no merge."' in shown
    assert 'disabled title="Its API has no delete."' in shown
    assert "Its API has no merge." in text(manager.get(page("merge", contact.pk)))


# --- custom fields -----------------------------------------------------------------------------


def field(key: str) -> str:
    return f"cf-{CustomField.objects.get(key=key).pk}"


def form_of(client, address) -> dict:
    """What a browser would send back of an opened form: hidden, text, chosen."""
    html = text(client.get(address))
    data: dict = {}
    for tag in re.findall(r"<input[^>]*>", html):
        attributes = dict(re.findall(r'(\w[\w-]*)="([^"]*)"', tag))
        name = attributes.get("name", "")
        if not name or name in ("csrfmiddlewaretoken", "q") or "disabled" in tag:
            continue
        if attributes.get("type") in ("radio", "checkbox") and " checked" not in tag:
            continue
        data.setdefault(name, []).append(attributes.get("value", ""))
    for name, body in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', html, re.S):
        data[name] = re.findall(r'<option value="([^"]*)" selected', body)[:1] or [""]
    for name, body in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n(.*?)</textarea>', html, re.S):
        data[name] = [body]
    return data


CUSTOM = {
    "f_budget": "900", "f_size": "2", "f_plan": "a", "f_likes": ["t", "w"], "f_since": "2026-01-31",
    "f_time": "09:30", "f_seen": "2026-02-01T20:00:00+00:00", "f_site": "https://a.vn", "f_vip": True,
    "f_text": "Bông", "f_story": "one\ntwo", "f_score": "7", "odd": "kept",
}  # fmt: skip


def test_an_untouched_form_changes_nothing(mirror):
    contact, client = mirror(name="An", custom_fields=CUSTOM), signed_in("Sales")
    address = page("edit", contact.pk)
    assert client.post(address, form_of(client, address)).status_code == 302
    assert not ContactChange.objects.exists()


def test_values_that_no_input_can_show_survive_an_untouched_form(mirror):
    odd = {"f_size": "gone", "f_since": "31/1", "f_likes": ["x", "t"], "f_vip": "perhaps", "f_seen": "soon"}
    contact, client = mirror(name="An", custom_fields=odd), signed_in("Sales")
    address = page("edit", contact.pk)
    assert client.post(address, form_of(client, address)).status_code == 302
    assert not ContactChange.objects.exists()


def test_each_kind_of_input_is_edited_and_sent(mirror, vendor):
    contact, client = mirror(name="An", custom_fields=CUSTOM), signed_in("Sales")
    address = page("edit", contact.pk)
    data = form_of(client, address)
    changes = {
        "f_budget": "1250,5", "f_size": "1", "f_plan": "b", "f_likes": ["c"], "f_since": "2026-03-01",
        "f_time": "10:00", "f_seen": "2026-03-01T09:30", "f_site": "https://b.vn", "f_vip": "false",
        "f_text": "", "f_story": "three",
    }  # fmt: skip
    for key, value in changes.items():
        data[field(key)] = value
    assert client.post(address, data).status_code == 302
    assert push.push_due().done == 1
    stored = vendor.records[contact.remote_id].custom_fields
    assert stored == {
        "f_budget": "1250.5", "f_size": "1", "f_plan": "b", "f_likes": ["c"], "f_since": "2026-03-01",
        "f_time": "10:00", "f_seen": "2026-03-01T09:30:00+07:00", "f_site": "https://b.vn", "f_vip": False,
        "f_text": "", "f_story": "three", "f_score": "7", "odd": "kept",
    }  # fmt: skip
    shown = text(client.get(page("change", contact.pk)))
    assert "<dt>Shirt size</dt><dd>Small</dd>" in shown
    assert "<dt>Likes</dt><dd>Coffee</dd>" in shown
    assert '<a class="bo-link" href="https://b.vn"' in shown
    timeline = text(client.get(f"{page('change', contact.pk)}?tab=timeline"))
    assert "Plan: Monthly" in timeline
    assert "Plan: Yearly" in timeline
    assert "odd" not in timeline


def test_a_wrong_value_is_marked_and_everything_typed_is_kept(mirror):
    contact, client = mirror(name="An", custom_fields=CUSTOM), signed_in("Sales")
    address = page("edit", contact.pk)
    data = {**form_of(client, address), field("f_budget"): "much", "stage": "typed"}
    answer = client.post(address, data)
    assert answer.status_code == 422
    shown = text(answer)
    assert "Budget: This must be a number" in shown
    assert 'value="much"' in shown
    assert 'value="typed"' in shown
    assert not ContactChange.objects.exists()


def test_a_new_contact_is_made_with_its_fields(account, vendor):
    client = signed_in("Sales")
    address = f"{page('add')}?connection={account.pk}"
    data = form_of(client, address)
    data |= {"name": "Bình", field("f_text"): "Bông", "connection": account.pk}
    answer = client.post(page("add"), data)
    assert answer.status_code == 422
    assert "Shirt size: This is required." in text(answer)
    data |= {field("f_size"): "1", field("f_likes"): ["c", "t"]}
    assert client.post(page("add"), data).status_code == 302
    assert push.push_due().done == 1
    record = next(iter(vendor.records.values()))
    assert record.custom_fields == {"f_text": "Bông", "f_size": "1", "f_likes": ["t", "c"]}


def test_the_list_filters_by_them_and_says_so(mirror):
    mirror(name="Small", custom_fields={"f_size": "1"})
    mirror(name="Large", custom_fields={"f_size": "2", "f_budget": "900"})
    client = signed_in("Sales")
    name = field("f_size").replace("-", "")
    shown = text(client.get(page("changelist"), {name: "2"}))
    assert ">Large</a>" in shown
    assert ">Small</a>" not in shown
    assert "<span>Shirt size:</span> Large" in shown
    wrong = text(client.get(page("changelist"), {f"{field('f_budget').replace('-', '')}_from": "much"}))
    assert "Enter a number" in wrong
    assert ">Small</a>" in wrong


# --- capability report ---------------------------------------------------------------------------


def report(account) -> str:
    return reverse("crm:connection_report", args=[account.pk])


def test_looking_finds_what_the_account_can_do_and_writes_nothing(account, vendor):
    for number in range(12):
        vendor.add(kind="contact", name=f"N{number}", phones=[{"value": f"09348908{number:02}", "type": ""}])
    admin = signed_in("Admins")
    admin.post(reverse("crm:connection_report_start", args=[account.pk]), {"kind": "read"})
    check = AccountCheck.objects.get()
    assert check.status == "waiting"
    assert "Waiting for a worker" in text(admin.get(report(account)))
    probing.run(check.pk)
    check.refresh_from_db()
    found = {line["key"]: line for line in check.findings}
    assert check.status == "done"
    assert {key for key, line in found.items() if line["ok"] is False} == set()
    assert found["list_contacts"]["words"] == "10 records on the first page; 12 in all"
    assert found["page_size"]["words"] == "asked for 10, got 10"
    assert found["absence"]["ok"]
    assert found["phone"]["ok"]
    assert found["code"]["ok"]
    assert found["fields"]["words"].startswith("12 fields are defined")
    assert found["panel_companies"]["ok"]
    assert found["limits"]["ok"] is None
    assert vendor.writes == []
    shown = text(admin.get(report(account)))
    assert "Found by looking" in shown
    assert "it names no limit" in shown
    assert probing.run(check.pk) is None, "a ring that comes twice"


def test_a_refused_account_is_told_in_words(account):
    Connection.objects.filter(pk=account.pk).update(credentials={"token": "wrong"})
    check = probing.start(account, "read", by=factories.user("Admins"))
    probing.run(check.pk)
    check.refresh_from_db()
    assert (check.status, check.findings[0]["ok"]) == ("done", False)
    assert "it refused the token" in check.findings[0]["words"]


def test_writes_are_tried_only_after_the_name_was_typed_and_leave_nothing(account, vendor):
    vendor.definitions = []
    admin, address = signed_in("Admins"), reverse("crm:connection_report_start", args=[account.pk])
    answer = admin.post(address, {"kind": "write", "typed": "fake"}, follow=True)
    assert "Type the name of the connection" in text(answer)
    assert not AccountCheck.objects.exists()
    admin.post(address, {"kind": "write", "typed": "Fake"})
    check = AccountCheck.objects.get()
    probing.run(check.pk)
    check.refresh_from_db()
    found = {line["key"]: line for line in check.findings}
    assert (check.status, found["create"]["ok"], found["delete"]["ok"]) == ("done", True, True)
    assert found["stored"]["words"] == "all of it reads back the same"
    assert "second record" in found["twice"]["words"]
    assert found["omitted"]["words"] == "they are kept"
    assert found["lists"]["words"] == "replaced by what is sent"
    assert found["clear"]["ok"]
    assert vendor.records == {}, "both disposable records are gone"
    account.refresh_from_db()
    assert account.measured["put_omitted"] == "keep"
    assert account.measured["report_write"]["by"].startswith("admins")
    assert "Found on a disposable record" in text(admin.get(report(account)))


def test_an_account_that_clears_what_is_left_out_is_found_out(account, vendor):
    vendor.clear_omitted = True
    check = probing.start(account, "write", by=None)
    probing.run(check.pk)
    account.refresh_from_db()
    assert account.measured["put_omitted"] == "clear"
    assert vendor.records == {}


def test_a_record_that_cannot_be_deleted_is_named(account, vendor, monkeypatch):
    from dataclasses import replace

    able = replace(FakeVendor.capabilities, can_delete=False)
    monkeypatch.setattr(FakeVendor, "capabilities", able)
    check = probing.start(account, "write", by=None)
    probing.run(check.pk)
    check.refresh_from_db()
    left = [line["words"] for line in check.findings if line["key"] == "left"]
    assert len(left) == len(vendor.records)
    assert all("delete it in the CRM" in words for words in left)


def test_a_create_with_a_lost_answer_is_looked_for_and_taken_away(account, vendor):
    from backoffice.remote.errors import OutcomeUnknown

    vendor.faults.append(("after", OutcomeUnknown("lost")))
    check = probing.start(account, "write", by=None)
    probing.run(check.pk)
    assert vendor.records == {}


def test_only_one_check_at_a_time_and_a_dead_one_does_not_block(account):
    check = probing.start(account, "read", by=None)
    with pytest.raises(service.NotWritable, match="under way already"):
        probing.start(account, "read", by=None)
    AccountCheck.objects.update(heartbeat_at=timezone.now() - timezone.timedelta(minutes=10))
    assert probing.start(account, "read", by=None).pk != check.pk
    check.refresh_from_db()
    assert check.status == "interrupted"


def test_a_feature_is_off_until_proven_and_can_be_switched_off(account, vendor):
    admin, address = signed_in("Admins"), reverse("crm:connection_feature", args=[account.pk])
    assert "deleted" not in account.capabilities.streams
    vendor.has_trash = False
    admin.post(address, {"feature": "trash"})
    probing.run(AccountCheck.objects.latest("pk").pk)
    account.refresh_from_db()
    assert "deleted" not in account.capabilities.streams
    assert "there is no such address" in text(admin.get(report(account)))
    vendor.has_trash = True
    admin.post(address, {"feature": "trash"})
    probing.run(AccountCheck.objects.latest("pk").pk)
    account.refresh_from_db()
    assert "deleted" in account.capabilities.streams
    assert account.streams.filter(stream="deleted").exists()
    assert "answered with 0 records" in text(admin.get(report(account)))
    assert AuditEntry.objects.filter(action="connection.feature", summary="trash: proven").exists()
    admin.post(address, {"feature": "trash", "off": "1"})
    account.refresh_from_db()
    assert "deleted" not in account.capabilities.streams
    admin.post(address, {"feature": "restore"})
    assert AccountCheck.objects.count() == 2, "what writes has to be confirmed by the name"
    admin.post(address, {"feature": "restore", "typed": "Fake"})
    assert AccountCheck.objects.count() == 3
    assert admin.post(address, {"feature": "nonsense"}).status_code == 302


def test_the_progress_part_asks_again_until_the_end(account):
    admin = signed_in("Admins")
    check = probing.start(account, "read", by=None)
    address = reverse("crm:connection_report_progress", args=[account.pk])
    assert "every 1s" in text(admin.get(address, headers=HTMX))
    probing.run(check.pk)
    shown = text(admin.get(address, headers=HTMX))
    assert "every 1s" not in shown
    assert "Show the result" in shown


# --- the same person -------------------------------------------------------------------------------


@pytest.fixture
def three_systems(account):
    phone = {"phones": [{"value": "0934 890 883", "type": ""}]}
    mail = {"emails": [{"value": "An@Example.vn", "type": ""}]}
    other, third = factories.connection(name="Other"), factories.connection(name="Third")
    same_phone = {"phones": [{"value": "+84934890883", "type": ""}]}
    same_mail = {"emails": [{"value": "an@example.vn", "type": ""}]}
    return (
        factories.contact(account, values={"name": "An", **phone, **mail}, remote_id="1"),
        factories.contact(other, values={"name": "Nguyen An", **same_phone}),
        factories.contact(third, values={"name": "A. Nguyễn", **same_mail}),
        factories.contact(third, values={"name": "Gone", **phone}, state="trashed"),
    )  # fmt: skip


def test_a_contact_page_names_the_other_systems_with_the_reason(three_systems):
    an, other, third, gone = three_systems
    shown = text(signed_in("Sales").get(page("change", an.pk)))
    assert re.search(rf"Other #{other.remote_id}</a> \(same phone\)", shown)
    assert re.search(rf"Third #{third.remote_id}</a> \(same e-mail\)", shown)
    assert f"#{gone.remote_id}" not in shown
    assert Contact.objects.filter(state="merged").count() == 0
    listed = text(signed_in("Sales").get(reverse("crm:same_person_of", args=[an.pk])))
    assert listed.count("data-href") == 2
    assert "+84934890883" in listed


def test_groups_are_listed_across_systems_first(three_systems):
    assert same_person.recount() == 2
    client = signed_in("Sales")
    shown = text(client.get(reverse("crm:same_person")))
    assert "0934 890 883" in shown
    assert "an@example.vn" in shown
    assert "An (Fake), Nguyen An (Other)" in shown
    reach = SharedReach.objects.get(kind="phone")
    assert (reach.contacts, reach.connections) == (2, 2)
    group = text(client.get(reverse("crm:same_person_group", args=[reach.pk])))
    assert group.count("data-href") == 2
    assert "Gone" not in group
    assert text(client.get(reverse("crm:same_person"), {"span": "within"})).count(
        "same-person/"
    ) < shown.count("same-person/")


def test_a_recount_follows_what_changed(three_systems):
    same_person.recount()
    kept = set(SharedReach.objects.filter(kind="email").values_list("pk", flat=True))
    service.edit(contact=three_systems[1], changes={"phones": []}, by=factories.user("Sales"))
    assert same_person.due(timezone.now()) is False, "not more often than every ten minutes"
    assert same_person.due(timezone.now() + timezone.timedelta(minutes=11)) is True
    assert same_person.recount() == 1
    assert set(SharedReach.objects.values_list("pk", flat=True)) == kept


def test_a_switchboard_is_told_as_such_and_names_nobody(account):
    number = [{"value": "028 3822 1234", "type": ""}]
    people = [factories.contact(account, values={"name": f"P{n}", "phones": number}) for n in range(25)]
    shown = text(signed_in("Sales").get(page("change", people[0].pk)))
    assert "shared by 25 contacts or more, such as a switchboard" in shown
    assert "P7" not in shown
    same_person.recount()
    listed = text(signed_in("Sales").get(reverse("crm:same_person")))
    assert "a switchboard or the like" in listed
    listed = text(signed_in("Sales").get(reverse("crm:same_person"), {"span": "across"}))
    assert "switchboard or the like" not in listed


def test_pages_of_extras_cost_few_queries(three_systems, mirror):
    client = Client()
    client.force_login(factories.user(is_superuser=True))
    same_person.recount()
    contact = mirror(name="Zoe", phones=[{"value": "0934890883", "type": ""}], custom_fields=CUSTOM)
    for address, most in (
        (page("change", contact.pk), 28),
        (reverse("crm:same_person"), 16),
        (reverse("crm:same_person_of", args=[contact.pk]), 16),
        (page("edit", contact.pk), 20),
    ):
        client.get(address)
        with CaptureQueriesContext(database) as captured:
            assert client.get(address).status_code == 200
        assert len(captured) <= most, (address, len(captured))
