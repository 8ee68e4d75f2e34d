"""A new campaign from its first step to the hand-over, without scripts."""

import re
import uuid
from datetime import datetime, time, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from bot_campaigns.models import Launch, LaunchNumber, Suppression
from bot_campaigns.services import drafts, preflight
from tests.bot_campaigns.services import rows
from tests.bot_campaigns.views.conftest import login, text

pytestmark = pytest.mark.django_db
CONTACTS = "/crm_bridge/contact/"


def url(name, *args):
    return reverse(f"bot:{name}", args=args)


@pytest.fixture
def open_rules(account):
    """Calls are allowed at any hour, so that no test depends on the clock."""
    rules = preflight.rules_of(account)
    rules.window_start, rules.window_end = time(0), time(23, 59, 59)
    rules.save()
    return rules


@pytest.fixture
def people(crm):
    found = [
        rows.person(crm, f"09348908{place:02d}", name=f"Khách {place}", stage="Hot") for place in range(6)
    ]
    rows.person(crm, "0934890899", name="Lạnh", stage="Cold")
    return found


@pytest.fixture
def ready(account, open_rules, people, manager):
    """A checked launch of six, one of whom is suppressed and one has no number."""
    Suppression.objects.create(e164="+84934890800", source="staff", reason="asked")
    people[1].phones.all().delete()
    launch = rows.of(account, *people, daily_start=time(0), daily_stop=time(23, 59), name="Tết greeting")
    manager.post(url("launch_check", launch.pk))
    launch.refresh_from_db()
    return launch


def errors(answer):
    return {name: " ".join(words) for name, words in answer.context["form"].errors.items()}


# --- from the contact list ---------------------------------------------------------------


def test_the_contact_list_offers_calling_to_those_who_may(account, people):
    boss, sales = text(login().get(CONTACTS)), text(login("Sales").get(CONTACTS))
    for words in ("Call these…", "Add to audience…"):
        assert words in boss
        assert words not in sales


def test_chosen_contacts_become_an_audience_after_a_question(account, manager, people):
    chosen = {"selected": [people[0].pk, people[1].pk], "next": CONTACTS}
    question = manager.post(url("launch_of_contacts"), chosen)
    assert "Call 2 contacts?" in text(question)
    assert Launch.objects.count() == 0
    answer = manager.post(url("launch_of_contacts"), {**chosen, "sure": "1", "launch": ""})
    launch = Launch.objects.get()
    assert answer["Location"] == url("launch_audience", launch.pk)
    assert launch.audience_spec == {"ids": [people[0].pk, people[1].pk]}
    page = text(manager.get(answer["Location"]))
    assert "2 chosen contacts: Khách 0, Khách 1" in page
    manager.post(
        url("launch_of_contacts"),
        {"selected": [people[2].pk, people[0].pk], "sure": "1", "launch": launch.pk},
    )
    launch.refresh_from_db()
    assert len(launch.audience_spec["ids"]) == 3
    assert Launch.objects.count() == 1


def test_nothing_selected_and_nobody_to_call_with_are_said(account, manager, people):
    answer = manager.post(url("launch_of_contacts"), {"next": CONTACTS}, follow=True)
    assert "Nothing was selected" in text(answer)
    account.is_active = False
    account.save()
    answer = manager.post(url("launch_of_contacts"), {"selected": [people[0].pk], "sure": "1"}, follow=True)
    assert "No voice bot is connected." in text(answer)
    assert Launch.objects.count() == 0


def test_the_filtered_list_arrives_as_its_address(account, manager, people):
    page = manager.get(url("launch_new"), {"stage": "Hot"})
    assert page.context["form"].initial["address"] == f"{CONTACTS}?stage=Hot"
    data = {"name": "Tết", "kind": "filter", "address": f"http://x{CONTACTS}?stage=Hot&page=3&sort=updated"}
    manager.post(url("launch_new"), data)
    launch = Launch.objects.get()
    assert launch.audience_spec == {"query": "stage=Hot"}
    assert launch.audience_words == "Stage: Hot"
    assert preflight.check(launch, by=manager.user)["picked"] == 6


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "Paste the address"),
        (CONTACTS, "every contact"),
        (f"{CONTACTS}?page=2", "every contact"),
        ("?stge=Hot", "no “stge”"),
        ("https://evil.example/?x=1", "no “x”"),
        (f"{CONTACTS}?since=yesterday", "cannot be used"),
    ],
)
def test_an_address_that_means_nothing_calls_nobody(account, manager, people, address, words):
    answer = manager.post(url("launch_new"), {"name": "Tết", "kind": "filter", "address": address})
    assert answer.status_code == 422
    assert words in errors(answer)["address"]
    assert 'value="Tết"' in text(answer)
    assert Launch.objects.count() == 0


# --- step 1 ------------------------------------------------------------------------------


def test_errors_name_their_fields_and_keep_what_was_typed(account, manager):
    answer = manager.post(url("launch_new"), {"name": "", "kind": "phonebook", "address": "?stage=Hot"})
    assert set(errors(answer)) == {"name", "phonebook"}
    assert "?stage=Hot" in text(answer)
    answer = manager.post(url("launch_new"), {"name": "Tết", "kind": "everybody"})
    assert set(errors(answer)) == {"kind"}
    answer = manager.post(url("launch_new"), {"name": "Tết", "kind": "upload"})
    assert set(errors(answer)) == {"file"}
    assert Launch.objects.count() == 0


def test_a_file_is_read_and_its_bad_rows_are_named(account, manager):
    file = SimpleUploadedFile("numbers.csv", "number,name\n0915000001,An\nabc,Bình\n,Chi\n".encode())
    answer = manager.post(url("launch_new"), {"name": "Tết", "kind": "upload", "file": file}, follow=True)
    launch = Launch.objects.get()
    assert launch.numbers.count() == 3
    assert "3 rows were read." in text(answer)
    assert "2 rows hold no valid number and cannot be called, the first: abc, (empty)" in text(answer)
    again = manager.post(url("launch_audience", launch.pk), {"name": "Tết 2", "kind": "upload"})
    assert again.status_code == 302
    assert launch.numbers.count() == 3, "the file stays where no other is chosen"


def test_a_file_without_numbers_is_refused_by_name(account, manager):
    file = SimpleUploadedFile("numbers.csv", b"name\nAn\n")
    answer = manager.post(url("launch_new"), {"name": "Tết", "kind": "upload", "file": file})
    assert "There is no column" in errors(answer)["file"]
    assert Launch.objects.count() == 0


def test_two_presses_of_next_make_one_draft(account, manager, people):
    data = {"name": "Tết", "kind": "filter", "address": "?stage=Hot", "nonce": str(uuid.uuid4())}
    first, second = (manager.post(url("launch_new"), data) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert Launch.objects.count() == 1


def test_phonebooks_that_launches_made_are_not_offered(account, manager):
    own, made = rows.phonebook(account, "+84915000001"), rows.phonebook(account)
    rows.launch(account, phonebook=made)
    page = manager.get(url("launch_new"), {"phonebook": own.pk})
    offered = [value for value, _label in page.context["form"].fields["phonebook"].choices]
    assert own.pk in offered
    assert made.pk not in offered
    assert page.context["form"]["kind"].value() == "phonebook"


def test_another_account_takes_its_own_gateway(account, manager):
    other = rows.bot(name="AntBOT 2")
    gateway = rows.gateway(other)
    launch = rows.launch(account, "filter", audience_spec={"query": "stage=Hot"})
    data = {"name": "Tết", "kind": "filter", "address": "?stage=Hot", "connection": other.pk}
    manager.post(url("launch_audience", launch.pk), data)
    launch.refresh_from_db()
    assert (launch.connection, launch.gateway, launch.template) == (other, gateway, None)


# --- steps 2 and 3 -----------------------------------------------------------------------


def test_going_on_wants_message_and_gateway_a_draft_does_not(account, manager):
    launch = rows.launch(account, template=None, gateway=None)
    address = url("launch_message", launch.pk)
    silent, off = rows.template(account, sections=0), rows.gateway(account, is_enabled=False)
    assert set(errors(manager.post(address, {"callerid": "Ánh"}))) == {"template", "gateway"}
    answer = manager.post(address, {"template": silent.pk, "gateway": off.pk, "callerid": "Ánh"})
    assert errors(answer) == {
        "template": "This survey template has no section: there is nothing to say.",
        "gateway": "This gateway is not active.",
    }
    assert 'value="Ánh"' in text(answer)
    answer = manager.post(address, {"callerid": "Ánh", "go": "later"})
    assert answer["Location"] == url("launches")
    launch.refresh_from_db()
    assert launch.callerid == "Ánh"


def test_rows_of_another_account_cannot_be_chosen(account, manager):
    launch, other = rows.launch(account), rows.bot()
    data = {"template": rows.template(other).pk, "gateway": rows.gateway(other).pk}
    assert set(errors(manager.post(url("launch_message", launch.pk), data))) == {"template", "gateway"}


def pace(**changes):
    today = timezone.localtime()
    values = {
        "starts_at": f"{today:%Y-%m-%dT%H:%M}", "expires_at": f"{today + timedelta(days=2):%Y-%m-%dT%H:%M}",
        "daily_start": "08:00", "daily_stop": "17:00", "frequency": "10", "not_called_days": "7",
    }  # fmt: skip
    return {**values, **changes}


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"daily_start": "07:59"}, "daily_start", "no call before 08:00"),
        ({"daily_stop": "17:01"}, "daily_stop", "no call from 17:00"),
        ({"daily_stop": "07:00"}, "daily_stop", "after the daily start"),
        ({"expires_at": "2020-01-01T10:00"}, "expires_at", "after the start"),
        ({"expires_at": ""}, "expires_at", "Give the dates"),
        ({"frequency": "61"}, "frequency", "at most 60"),
        ({"frequency": "0"}, "frequency", "greater than or equal to 1"),
        ({"starts_at": "tomorrow"}, "starts_at", "valid"),
    ],
)
def test_wrong_hours_are_refused_where_they_stand(account, manager, changes, field, words):
    launch = rows.launch(account)
    answer = manager.post(url("launch_pace", launch.pk), pace(**changes))
    assert answer.status_code == 422
    assert words in errors(answer)[field]
    for value in changes.values():
        assert value in text(answer)
    launch.refresh_from_db()
    assert launch.frequency == 10


def test_times_are_of_the_company_not_of_the_server(account, manager, open_rules):
    open_rules.zone = "Asia/Tokyo"
    open_rules.save()
    launch = rows.launch(account)
    ahead = timezone.now() + timedelta(days=1)
    manager.post(
        url("launch_pace", launch.pk),
        pace(starts_at=f"{ahead:%Y-%m-%d}T09:00", expires_at=f"{ahead:%Y-%m-%d}T18:00"),
    )
    launch.refresh_from_db()
    assert launch.starts_at == datetime.fromisoformat(f"{ahead:%Y-%m-%d}T09:00:00+09:00")
    assert f'value="{ahead:%Y-%m-%d}T09:00"' in text(manager.get(url("launch_pace", launch.pk)))


def test_back_keeps_what_was_typed(account, manager):
    launch = rows.launch(account)
    answer = manager.post(url("launch_pace", launch.pk), pace(frequency="17", go="back"))
    assert answer["Location"] == url("launch_message", launch.pk)
    launch.refresh_from_db()
    assert launch.frequency == 17


def test_an_old_form_is_told_that_somebody_saved_meanwhile(account, manager):
    launch = rows.launch(account)
    version = re.search(r'name="version" value="([^"]+)"', text(manager.get(url("launch_pace", launch.pk))))[
        1
    ]
    drafts.change(launch, by=manager.user, callerid="Khác")
    answer = manager.post(url("launch_pace", launch.pk), pace(frequency="17", version=version))
    assert answer.status_code == 409
    assert "Somebody else changed this draft" in text(answer)
    assert 'value="17"' in text(answer)
    launch.refresh_from_db()
    assert launch.frequency == 10


def test_a_confirmed_launch_has_no_forms_any_more(account, manager):
    launch = rows.launch(account, status="handing", confirmed_at=timezone.now())
    for name in ("launch_audience", "launch_message", "launch_pace"):
        assert manager.get(url(name, launch.pk))["Location"] == url("launch", launch.pk)
    answer = manager.post(url("launch_pace", launch.pk), pace(frequency="17"))
    assert "frozen" in text(answer)
    launch.refresh_from_db()
    assert launch.frequency == 10


# --- pre-flight --------------------------------------------------------------------------


def test_the_sum_adds_up_and_every_number_opens_its_rows(ready, manager):
    page = manager.get(url("launch", ready.pk))
    found = page.context["sum"]
    assert (found["picked"]["value"], found["to_dial"]["value"]) == (6, 4)
    assert [(line["value"], line["label"]) for line in found["minus"]] == [
        (1, "invalid or no number"), (1, "suppressed number"),
    ]  # fmt: skip
    for line in (found["picked"], found["to_dial"], *found["minus"]):
        listed = manager.get(line["url"]).context["page"].paginator.count
        assert listed == line["value"]
    assert "≈" in text(page)
    assert "since" in text(manager.get(found["minus"][1]["url"]))


def test_a_row_of_the_audience_is_found_by_number_or_name(ready, manager):
    address = url("launch_numbers", ready.pk)
    for scrap in ("Khách 3", "0934 890 803", "+84934890803"):
        page = manager.get(address, {"q": scrap})
        assert [row.record.name for row in page.context["table"].rows] == ["Khách 3"], scrap


def test_an_unchecked_draft_cannot_be_launched(account, open_rules, people, manager):
    launch = rows.of(account, *people)
    page = text(manager.get(url("launch", launch.pk)))
    assert re.search(r'id="launch" disabled title="[^"]+"', page)
    assert "has not been checked yet" in page
    answer = manager.post(url("launch_confirm", launch.pk), {"typed": "6", "start": "1"})
    assert answer.status_code == 422
    assert Launch.objects.get().confirmed_at is None


def test_what_cannot_be_picked_is_said(account, open_rules, manager):
    launch = rows.launch(account, audience_spec={"ids": []})
    answer = manager.post(url("launch_check", launch.pk), follow=True)
    assert "No contact was chosen." in text(answer)


def test_each_brake_leads_to_where_it_is_corrected(ready, manager, account):
    Launch.objects.update(template=None)
    account.zone_confirmed_at = None
    account.save()
    page = manager.get(url("launch", ready.pk))
    urls = {brake["url"] for brake in page.context["brakes"]}
    assert url("launch_message", ready.pk) in urls
    assert "not confirmed" in text(page)
    assert page.context["why_not"]


def test_a_launch_repeats_names_and_numbers_then_leaves(ready, manager, rung):
    question = text(manager.get(url("launch_confirm", ready.pk)))
    for words in ("Launch 4 calls?", "Tết greeting", "Viettel", "Chào", "AntBOT main"):
        assert words in question
    answer = manager.post(url("launch_confirm", ready.pk), {"start": "1"})
    assert answer["Location"] == url("launch", ready.pk)
    ready.refresh_from_db()
    assert (ready.status, ready.confirmed_by, ready.proof["start"]) == ("handing", manager.user, True)
    assert rung == [("bot_campaigns.tasks.hand_over", ready.pk, "push")]


def test_a_double_submit_is_one_launch(ready, manager, rung):
    for _ in range(2):
        answer = manager.post(url("launch_confirm", ready.pk), {"start": "1"})
        assert answer["Location"] == url("launch", ready.pk)
    assert len(rung) == 1
    assert manager.get(url("launch_confirm", ready.pk))["Location"] == url("launch", ready.pk)


@pytest.mark.parametrize(("typed", "launched"), [("", False), ("5", False), ("4", True), (" 4 ", True)])
def test_many_calls_want_their_number_typed(ready, manager, open_rules, rung, typed, launched):
    open_rules.type_above = 3
    open_rules.save()
    manager.post(url("launch_check", ready.pk))
    assert "Type 4, the number of people" in text(manager.get(url("launch_confirm", ready.pk)))
    answer = manager.post(url("launch_confirm", ready.pk), {"typed": typed, "start": "1"})
    assert (answer.status_code == 302) == launched
    if not launched:
        assert f'value="{typed}"' in text(answer)
    assert (Launch.objects.get(pk=ready.pk).confirmed_at is not None) == launched


def test_a_stale_mirror_may_be_overruled_with_a_reason_that_is_kept(ready, manager, crm, rung):
    crm.streams.update(last_ok_at=timezone.now() - timedelta(hours=2))
    assert "May be overruled" in text(manager.get(url("launch", ready.pk)))
    refused = manager.post(url("launch_confirm", ready.pk), {"start": "1"})
    assert refused.status_code == 422
    assert "Say why it may go on" in text(refused)
    manager.post(url("launch_confirm", ready.pk), {"start": "1", "override-mirror": "the CRM is down"})
    ready.refresh_from_db()
    assert ready.proof["overrides"]["mirror"]["reason"] == "the CRM is down"


def test_stale_do_not_call_lists_cannot_be_overruled(ready, manager, account, rung):
    account.streams.update(last_ok_at=timezone.now() - timedelta(days=1))
    page = text(manager.get(url("launch_confirm", ready.pk)))
    assert "Do-not-call lists" in page
    assert 'type="submit" class="bo-button bo-danger"' not in page
    answer = manager.post(url("launch_confirm", ready.pk), {"start": "1", "override-dnc": "please"})
    assert answer.status_code == 422
    assert rung == []


def test_outside_the_hours_numbers_go_but_nothing_starts(ready, manager, open_rules, rung):
    now = timezone.localtime()
    open_rules.window_start, open_rules.window_end = (
        (time(0), time(1)) if now.hour >= 2 else (time(22), time(23))
    )
    open_rules.save()
    Launch.objects.update(
        daily_start=open_rules.window_start, daily_stop=open_rules.window_end,
        expires_at=timezone.now() + timedelta(days=3),
    )  # fmt: skip
    manager.post(url("launch_check", ready.pk))
    question = text(manager.get(url("launch_confirm", ready.pk)))
    assert "You start it yourself when calls are allowed" in question
    assert 'name="start"' not in question
    assert manager.post(url("launch_confirm", ready.pk), {"start": "1"}).status_code == 302
    ready.refresh_from_db()
    assert ready.proof["start"] is False


def test_launching_is_a_permission_of_its_own(ready, rung):
    watcher = login("")
    from django.contrib.auth.models import Permission

    watcher.user.user_permissions.set(
        Permission.objects.filter(codename__in=("view_launch", "change_launch", "add_launch"))
    )
    page = text(watcher.get(url("launch", ready.pk)))
    assert "permission of its own" in page
    assert watcher.post(url("launch_confirm", ready.pk), {"start": "1"}).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(login().user)
    assert strict.post(url("launch_confirm", ready.pk), {"start": "1"}).status_code == 403
    assert Launch.objects.get(pk=ready.pk).confirmed_at is None


# --- hand-over ---------------------------------------------------------------------------


def test_progress_is_told_with_an_estimate_and_leads_to_the_campaign(account, manager):
    now = timezone.now()
    launch = rows.launch(
        account, status="handing", counts={"to_dial": 400}, handed_over=100,
        lease_until=now + timedelta(hours=1), confirmed_at=now - timedelta(seconds=10),
    )  # fmt: skip
    page = text(manager.get(url("launch_progress", launch.pk)))
    assert "100 of 400 numbers handed over" in page
    assert re.search(r"about (29|30|31)\.\d s left", page)
    assert 'hx-trigger="every 1s"' in page
    Launch.objects.update(status="started", campaign=rows.campaign(account))
    launch.refresh_from_db()
    answer = manager.get(url("launch_progress", launch.pk))
    assert answer["HX-Redirect"] == url("campaign", launch.campaign_id)


def test_a_hand_over_without_a_worker_says_so(account, manager):
    launch = rows.launch(
        account, status="handing", counts={"to_dial": 4}, confirmed_at=timezone.now(),
        not_before=timezone.now() - timedelta(minutes=2),
    )  # fmt: skip
    assert "No worker has taken it" in text(manager.get(url("launch_progress", launch.pk)))


def test_a_held_hand_over_tells_why_and_can_go_on_or_be_cancelled(account, manager, rung):
    launch = rows.launch(
        account, status="held", words="AntBOT has 2 phonebooks.", counts={"to_dial": 4},
        confirmed_at=timezone.now(),
    )  # fmt: skip
    page = text(manager.get(url("launch", launch.pk)))
    assert "AntBOT has 2 phonebooks." in page
    assert url("launch_progress", launch.pk) not in page, "nothing moves by itself"
    manager.post(url("launch_resume", launch.pk))
    launch.refresh_from_db()
    assert launch.status == "handing"
    assert manager.post(url("launch_resume", launch.pk)).status_code == 422
    manager.post(url("launch_cancel", launch.pk))
    launch.refresh_from_db()
    assert launch.status == "cancelled"
    assert manager.post(url("launch_cancel", launch.pk)).status_code == 422


def test_numbers_left_out_at_the_last_moment_are_listed(account, manager):
    launch = rows.launch(
        account, status="ready", counts={"to_dial": 2}, handed_over=1, confirmed_at=timezone.now()
    )
    LaunchNumber.objects.create(
        launch=launch, number="1", e164="+84915000001", verdict="dial", handed_at=timezone.now()
    )
    LaunchNumber.objects.create(
        launch=launch, number="2", e164="+84915000002", verdict="dial", withdrawal="done"
    )
    page = text(manager.get(url("launch", launch.pk)))
    address = re.search(r'href="([^"]*handed=no)"', page)[1].replace("&amp;", "&")
    assert manager.get(address).context["page"].paginator.count == 1
    assert "1 left out" in page


def test_launches_list_what_needs_a_person_first(account, manager):
    for status in ("started", "draft", "checked", "held", "ready", "handing", "cancelled"):
        rows.launch(account, status=status)
    page = manager.get(url("launches"))
    shown = [row.record.status for row in page.context["table"].rows]
    assert shown[:5] == ["held", "handing", "ready", "checked", "draft"]
    open_ones = manager.get(url("launches"), {"status": "open"})
    assert {row.record.status for row in open_ones.context["table"].rows} == set(shown[:5])


def test_the_list_of_launches_costs_the_same_for_few_and_many(account, manager):
    counts = []
    manager.get(url("launches"))
    for more in (3, 40):
        for _ in range(more):
            rows.launch(account)
        with CaptureQueriesContext(database) as queries:
            manager.get(url("launches"))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 16
