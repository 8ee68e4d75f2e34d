"""Phonebooks, call flows, do-not-call, reminders and the contact page, as people use them."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from backoffice.models import AuditEntry
from bot_campaigns.models import (
    Alarm,
    BotChange,
    BotContact,
    CalendarSetting,
    Call,
    CallingRules,
    Campaign,
    DncEntry,
    DncList,
    Launch,
    LaunchNumber,
    Phonebook,
    ReminderChoice,
    SealedSurvey,
    Section,
    Suppression,
)
from bot_campaigns.services import suppression
from tests import factories
from tests.bot_campaigns.services import rows

pytestmark = pytest.mark.django_db
AN = "+84915000001"


@pytest.fixture
def bot():
    return rows.bot(name="AntBOT main")


@pytest.fixture
def an():
    return factories.contact(
        rows.crm(), values={"name": "Nguyễn An", "phones": [{"value": "0915 000 001", "type": ""}]}
    )


def signed_in(client, role):
    person = factories.user(role)
    client.force_login(person)
    return person


def shown(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


# --- phonebooks --------------------------------------------------------------------------


def test_a_new_phonebook_appears_at_once_as_waiting_and_the_list_follows_by_itself(client, bot):
    lan = signed_in(client, "Managers")
    form = {"name": "Khách quen", "description": "", "connection": bot.pk, "nonce": "0" * 32}
    first, second = (client.post(reverse("bot:phonebook_new"), form) for _turn in range(2))
    book = Phonebook.objects.get()
    assert first["Location"] == second["Location"] == reverse("bot:phonebook", args=[book.pk])
    change = BotChange.objects.get()
    assert (change.author, change.status) == (lan, "waiting")
    listed = client.get(reverse("bot:phonebooks"))
    assert "waiting" in shown(listed)
    assert listed.context["polling"]
    page = shown(client.get(first["Location"]))
    assert reverse("bot:change_receipt", args=[change.pk]) in page
    BotChange.objects.update(status="done", finished_at=timezone.now())
    Phonebook.objects.update(remote_id="7")
    receipt = client.get(reverse("bot:change_receipt", args=[change.pk]), headers={"HX-Request": "true"})
    assert "sent to AntBOT main" in shown(receipt)
    assert "hx-get" not in shown(receipt)
    assert not client.get(reverse("bot:phonebooks")).context["polling"]


def test_what_the_bot_refused_is_told_and_can_be_sent_again_or_dropped(client, bot):
    signed_in(client, "Managers")
    book = Phonebook.objects.create(connection=bot, remote_id="7", name="Khách")
    change = BotChange.objects.create(
        connection=bot, subject=f"phonebooks {book.pk}", operation="edit", status="rejected",
        base={"name": "Khách"}, new={"name": "x"}, words="Ensure this field has no more than 90 characters.",
    )  # fmt: skip
    page = shown(client.get(reverse("bot:phonebook", args=[book.pk])))
    assert "no more than 90 characters" in page
    client.post(reverse("bot:change_retry", args=[change.pk]))
    change.refresh_from_db()
    assert change.status == "waiting"
    client.post(reverse("bot:change_drop", args=[change.pk]))
    change.refresh_from_db()
    assert change.status == "cancelled"


def test_a_phonebook_of_a_launch_says_why_it_is_closed(client, bot):
    signed_in(client, "Managers")
    book = Phonebook.objects.create(connection=bot, remote_id="7", name="Tết · abc")
    rows.launch(bot, name="Tết Nguyên đán", phonebook=book)
    number = BotContact.objects.create(connection=bot, remote_id="1", phonebook=book, number="1", e164=AN)
    for name, pk in (
        ("phonebook_rename", book.pk), ("bot_contact_new", book.pk), ("bot_contact_edit", number.pk),
    ):  # fmt: skip
        address = reverse(f"bot:{name}", args=[pk])
        page = client.get(address)
        assert "written by the launch “Tết Nguyên đán”" in shown(page)
        assert "<textarea" not in shown(page)
        client.post(address, {"name": "x", "number": "0915000002"})
    assert not BotChange.objects.exists()


def test_numbers_are_added_edited_found_and_marked_when_suppressed(client, bot):
    signed_in(client, "Managers")
    book = Phonebook.objects.create(connection=bot, remote_id="7", name="Khách")
    new = reverse("bot:bot_contact_new", args=[book.pk])
    answer = client.post(new, {"number": "0915 000 001", "first_name": "An", "is_enabled": "on"})
    assert answer.status_code == 302
    again = client.post(new, {"number": "+84915000001", "first_name": "Bình"})
    assert again.status_code == 422
    assert "in the phonebook already" in shown(again)
    assert 'value="Bình"' in shown(again)
    wrong = client.post(new, {"number": "12"})
    assert "“12” is not a valid phone number" in shown(wrong)
    number = BotContact.objects.get()
    suppression.add(numbers=[AN], source=Suppression.Source.STAFF, reason="asked us", by=None)
    for scrap in ("000001", "0915", "an", "+84915"):
        page = client.get(reverse("bot:phonebook", args=[book.pk]), {"q": scrap})
        assert [row.record for row in page.context["table"].rows] == [number], scrap
    assert "suppressed" in shown(page)
    edit = reverse("bot:bot_contact_edit", args=[number.pk])
    client.post(edit, {"number": "0915000001", "first_name": "An", "last_name": "Lê"})
    change = BotChange.objects.get()
    assert change.new["last_name"] == "Lê"
    assert change.new["is_enabled"] is False


def test_a_row_that_gave_way_is_still_found_by_its_old_address(client, bot):
    signed_in(client, "Managers")
    book = Phonebook.objects.create(connection=bot, remote_id="7", name="Khách")
    BotChange.objects.create(
        connection=bot, subject=f"phonebooks {book.pk}", operation="create", status="done",
        resolve={"was": "phonebooks 9999"},
    )  # fmt: skip
    assert client.get(reverse("bot:phonebook", args=[9999])).context["book"] == book
    assert client.get(reverse("bot:phonebook", args=[9998])).status_code == 404


def test_lists_cost_the_same_with_many_rows(client, bot):
    signed_in(client, "Admins")
    listed = DncList.objects.create(connection=bot, remote_id="1", name="Không gọi")
    addresses = ("phonebooks", "templates", "gateways", "dnc", "suppressions", "reminders")
    for name in addresses:
        client.get(reverse(f"bot:{name}"))
    book = Phonebook.objects.create(connection=bot, remote_id="b", name="Khách")
    costs = []
    for start in (0, 30):
        for index in range(start, start + 10 + start):
            e164 = f"+849150{index:05d}"
            values = {"connection": bot, "remote_id": str(100 + index)}
            Phonebook.objects.create(name="Khách", **values)
            BotContact.objects.create(phonebook=book, number="0" + e164[3:], e164=e164, **values)
            rows.template(bot)
            rows.gateway(bot)
            DncEntry.objects.create(dnc_list=listed, number=e164, e164=e164, **values)
            Suppression.objects.create(e164=e164, source="staff", added_by=None)
            Alarm.objects.create(number=e164, e164=e164, **values)
        cost = []
        for address in (
            *(reverse(f"bot:{name}") for name in addresses),
            reverse("bot:phonebook", args=[book.pk]), reverse("bot:dnc_list", args=[listed.pk]),
        ):  # fmt: skip
            cache.clear()
            with CaptureQueriesContext(database) as queries:
                assert client.get(address).status_code == 200
            cost.append(len(queries))
        costs.append(cost)
    assert costs[0] == costs[1]
    assert max(costs[0]) <= 36


# --- call flows --------------------------------------------------------------------------


def test_a_template_shows_its_sections_and_takes_new_ones(client, bot):
    signed_in(client, "Managers")
    survey = rows.template(bot, sections=0)
    address = reverse("bot:section_new", args=[survey.pk])
    assert client.post(address, {"question": "Chào", "type": 1, "script": "x" * 1001}).status_code == 422
    client.post(address, {"question": "Chào", "type": 1, "script": "Xin chào {first_name}"})
    section = Section.objects.get()
    page = shown(client.get(reverse("bot:template", args=[survey.pk])))
    assert "Xin chào {first_name}" in page
    assert "play a message" in page
    assert "waiting" in page
    client.post(
        reverse("bot:section_edit", args=[section.pk]), {"question": "Chào", "type": 1, "script": "Kính chào"}
    )
    assert BotChange.objects.get().new["script"] == "Kính chào"


# --- do-not-call -------------------------------------------------------------------------


@pytest.fixture
def dialled(bot):
    """A campaign that runs and has An's number."""
    campaign = Campaign.objects.create(
        connection=bot,
        remote_id="5",
        name="Tết",
        reported_status=1,
        expires_at=timezone.now() + timedelta(days=1),
    )
    launch = rows.launch(bot, campaign=campaign, status=Launch.Status.STARTED)
    return LaunchNumber.objects.create(
        launch=launch, number=AN, e164=AN, verdict="dial", handed_at=timezone.now(), bot_contact_id="3"
    )


def test_sales_suppress_a_number_from_a_contact_and_a_running_campaign_gives_it_back(client, an, dialled):
    lan = signed_in(client, "Sales")
    contact = reverse("admin:crm_bridge_contact_change", args=[an.pk])
    page = shown(client.get(contact))
    address = re.search(r'href="([^"]*do-not-call/add/[^"]*)"', page).group(1).replace("&amp;", "&")
    form = client.get(address)
    assert "0915 000 001" in shown(form)
    answer = client.post(
        reverse("bot:suppression_add"),
        {"numbers": "0915 000 001", "reason": "asked us twice", "next": form.context["next"]},
    )
    assert answer["Location"] == contact
    dialled.refresh_from_db()
    assert (dialled.withdrawal, dialled.withdrawal_reason) == ("asked", "asked us twice")
    row = Suppression.objects.get()
    assert (row.source, row.added_by) == ("staff", lan)
    page = shown(client.get(contact))
    assert re.search(r"suppressed since \d+ \w+ \d+: asked us twice \(staff\)", re.sub(r"<[^>]+>", "", page))
    assert "do-not-call/add/" not in page


def test_what_cannot_be_suppressed_is_named_and_nothing_is_done(client):
    signed_in(client, "Sales")
    answer = client.post(
        reverse("bot:suppression_add"),
        {"numbers": "0915000001\nnot a number", "reason": "x", "next": "https://evil.example/"},
    )
    assert answer.status_code == 422
    assert "not a number" in shown(answer)
    assert "evil.example" not in shown(answer)
    assert not Suppression.objects.exists()


def test_lifting_needs_a_reason_and_what_comes_from_a_list_of_the_bot_stays(client, bot):
    signed_in(client, "Admins")
    suppression.add(numbers=[AN], source=Suppression.Source.STAFF, reason="asked", by=None)
    listed = DncList.objects.create(connection=bot, remote_id="1", name="Không gọi")
    DncEntry.objects.create(connection=bot, remote_id="1", dnc_list=listed, number=AN, e164=AN)
    suppression.from_dnc_entries(bot)
    staff, dnc = Suppression.objects.get(source="staff"), Suppression.objects.get(source="dnc")
    lift = reverse("bot:suppression_lift", args=[staff.pk])
    assert client.post(lift, {"reason": " "}).status_code == 422
    answer = client.post(lift, {"reason": "agreed in writing"}, follow=True)
    assert "1 other reason still stands" in shown(answer)
    assert "agreed in writing" in shown(answer)
    assert AuditEntry.objects.get(action="suppression.lift").summary == "agreed in writing"
    refused = client.post(reverse("bot:suppression_lift", args=[dnc.pk]), {"reason": "please"})
    assert "takes nothing off its lists" in shown(refused)
    assert suppression.suppressed([AN])
    listing = client.get(reverse("bot:suppressions"))
    assert [row.record for row in listing.context["table"].rows] == [dnc]
    lifted = client.get(reverse("bot:suppressions"), {"state": "lifted"})
    assert [row.record for row in lifted.context["table"].rows] == [staff]


def test_a_file_is_previewed_with_what_cannot_be_read_and_imported_once(client, dialled):
    signed_in(client, "Sales")
    body = "number,name\n0915 000 001,An\nmany,Bình\n+84915000001,An again\n0915000002,Chi\n"
    file = SimpleUploadedFile("numbers.csv", body.encode(), "text/csv")
    preview = client.post(reverse("bot:suppression_import"), {"file": file, "reason": "complaints"})
    found = preview.context["preview"]
    assert (found.numbers, found.twice) == ([AN, "+84915000002"], 1)
    assert found.unreadable == [(3, "many")]
    assert "many" in shown(preview)
    assert not Suppression.objects.exists()
    confirm = reverse("bot:suppression_import_confirm")
    for _turn in range(2):
        assert client.post(confirm, {"signed": preview.context["signed"]}).status_code == 302
    assert Suppression.objects.filter(source="import", reason="complaints").count() == 2
    dialled.refresh_from_db()
    assert dialled.withdrawal == "asked"
    client.post(confirm, {"signed": preview.context["signed"] + "x"})
    signed_in(client, "Sales")
    client.post(confirm, {"signed": preview.context["signed"]})
    assert Suppression.objects.count() == 2


def test_a_file_without_numbers_says_so(client):
    signed_in(client, "Sales")
    for body in (b"name\nAn\n", b"", b"\x00\x01"):
        file = SimpleUploadedFile("numbers.csv", body, "text/csv")
        answer = client.post(reverse("bot:suppression_import"), {"file": file, "reason": "x"})
        assert answer.status_code == 422


# --- reminders ---------------------------------------------------------------------------


@pytest.fixture
def ready(bot):
    setting = CalendarSetting.objects.create(connection=bot, remote_id="4", label="Nhắc hẹn")
    ReminderChoice.objects.create(connection=bot, setting=setting)
    return bot


def at(hours=24, hour=10):
    local = timezone.localtime() + timedelta(hours=hours)
    return f"{local.replace(hour=hour, minute=0):%Y-%m-%dT%H:%M}"


def test_a_reminder_is_asked_for_shown_and_dropped(client, ready, an):
    signed_in(client, "Managers")
    contact = reverse("admin:crm_bridge_contact_change", args=[an.pk])
    address = reverse("bot:reminder_new", args=[an.pk])
    assert address in shown(client.get(contact))
    form = client.get(address)
    assert not CallingRules.objects.exists()
    data = {
        "number": AN, "rings_at": at(), "title": "Ký hợp đồng", "connection": ready.pk,
        "nonce": form.context["nonce"],
    }  # fmt: skip
    first, second = (client.post(address, data) for _turn in range(2))
    alarm = Alarm.objects.get()
    assert first["Location"] == second["Location"] == reverse("bot:reminder", args=[alarm.pk])
    assert f"{timezone.localtime(alarm.rings_at):%Y-%m-%dT%H:%M}" == data["rings_at"]
    page = shown(client.get(first["Location"]))
    assert "goes to AntBOT" in page
    assert "Ký hợp đồng" in shown(client.get(contact + "?tab=timeline"))
    assert "Ký hợp đồng" in shown(client.get(reverse("bot:reminders"), {"q": "000001"}))
    client.post(reverse("bot:reminder_drop", args=[alarm.pk]))
    alarm.refresh_from_db()
    assert alarm.progress == "cancelled"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rings_at": "2020-01-01T10:00"}, "has passed"),
        ({"rings_at": at(hour=3)}, "allow calls from 08:00 to 17:00"),
        ({"rings_at": "soon"}, "no date and time"),
        ({"number": "+84915000009"}, "valid choice"),
        ({"transfer_to": "1"}, "not a valid phone number"),
        ({"connection": "77"}, "valid choice"),
    ],
)
def test_a_reminder_that_cannot_be_is_refused_in_words(client, ready, an, fields, words):
    signed_in(client, "Managers")
    data = {"number": AN, "rings_at": at(), "title": "Hẹn", "connection": ready.pk, "nonce": ""}
    answer = client.post(reverse("bot:reminder_new", args=[an.pk]), {**data, **fields})
    assert answer.status_code == 422
    assert words in shown(answer)
    assert "Hẹn" in shown(answer)
    assert not Alarm.objects.exists()


def test_a_suppressed_contact_cannot_be_reminded_and_the_button_says_so(client, ready, an):
    signed_in(client, "Managers")
    suppression.add(numbers=[AN], source=Suppression.Source.STAFF, reason="never again", by=None)
    page = client.get(reverse("bot:reminder_new", args=[an.pk]))
    assert "never again" in shown(page)
    assert '<form method="post" class="ct-fields"' not in shown(page)
    contact = shown(client.get(reverse("admin:crm_bridge_contact_change", args=[an.pk])))
    assert 'disabled title="No number of this contact may be called."' in contact


def test_an_admin_chooses_once_how_reminders_are_made(client, bot):
    signed_in(client, "Admins")
    address = reverse("bot:reminder_setting", args=[bot.pk])
    survey = SealedSurvey.objects.create(connection=bot, remote_id="9", name="Nhắc")
    off = rows.gateway(bot, is_enabled=False)
    gateway = rows.gateway(bot)
    data = {
        "label": "Nhắc hẹn", "survey": survey.pk, "gateway": gateway.pk, "call_timeout": 30,
        "callerid": "AnhDuong", "caller_name": "", "nonce": "0" * 32,
    }  # fmt: skip
    assert client.post(address, {**data, "gateway": off.pk}).status_code == 422
    for _turn in range(2):
        assert client.post(address, data).status_code == 302
    assert CalendarSetting.objects.count() == BotChange.objects.count() == 1
    assert ReminderChoice.objects.get().setting == CalendarSetting.objects.get()
    other = CalendarSetting.objects.create(connection=bot, remote_id="4", label="Của AntBOT")
    client.post(address, {"setting": other.pk})
    assert ReminderChoice.objects.get().setting == other
    assert client.get(address).context["change"] is None


# --- the contact page --------------------------------------------------------------------


@pytest.mark.parametrize("state", ["live", "trashed", "merged", "missing"])
def test_a_contact_keeps_showing_its_calls(client, bot, an, state):
    signed_in(client, "Sales")
    own = Call.objects.create(
        connection=bot, remote_id="1", number="0907", contact=an, disposition="ANSWER", billsec=34,
        started_at=timezone.now() - timedelta(hours=2),
    )  # fmt: skip
    by_number = Call.objects.create(
        connection=bot, remote_id="2", number="0915000001", e164=AN, disposition="BUSY",
        started_at=timezone.now() - timedelta(hours=1),
    )  # fmt: skip
    type(an).objects.filter(pk=an.pk).update(state=state)
    address = reverse("admin:crm_bridge_contact_change", args=[an.pk])
    assert "Calls (2)" in shown(client.get(address))
    tab = client.get(address, {"tab": "calls"})
    assert [row.record for row in tab.context["part"].context["table"].rows] == [by_number, own]
    timeline = shown(client.get(address, {"tab": "timeline"}))
    assert timeline.index(reverse("bot:call", args=[by_number.pk])) < timeline.index(
        reverse("bot:call", args=[own.pk])
    )
    assert "answered, 34 s" in timeline


def test_the_contact_page_costs_the_same_whatever_hangs_on_the_contact(client, bot, an):
    signed_in(client, "Managers")
    address = reverse("admin:crm_bridge_contact_change", args=[an.pk])
    client.get(address)
    costs = []
    campaign = Campaign.objects.create(connection=bot, remote_id="5", name="Tết")
    for start in (0, 40):
        for index in range(start, start + 2 + start):
            Call.objects.create(
                connection=bot, remote_id=str(index), number=AN, e164=AN, campaign=campaign,
                started_at=timezone.now() - timedelta(minutes=index),
            )  # fmt: skip
            Alarm.objects.create(connection=bot, remote_id=str(index), number=AN, e164=AN, contact=an)
            key = {"source_key": str(index)}
            Suppression.objects.create(e164=AN, source="outcome", reason="asked", **key)
        cost = []
        for tab in ("details", "timeline", "calls"):
            cache.clear()
            with CaptureQueriesContext(database) as queries:
                assert client.get(address, {"tab": tab}).status_code == 200
            cost.append(len(queries))
        costs.append(cost)
    assert costs[0] == costs[1]
    assert max(costs[0]) <= 40


def test_without_permission_nothing_of_the_campaigns_shows(client, bot, an):
    person = factories.user()
    from django.contrib.auth.models import Permission

    person.user_permissions.set(Permission.objects.filter(codename="view_contact"))
    client.force_login(person)
    suppression.add(numbers=[AN], source=Suppression.Source.STAFF, reason="secret reason", by=None)
    page = shown(client.get(reverse("admin:crm_bridge_contact_change", args=[an.pk])))
    for words in ("Calls", "secret reason", "Remind by phone", "Never call"):
        assert words not in page
