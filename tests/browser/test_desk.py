"""The desk in a real browser: calls searched and exported, a reminder, a suppression, a waiting row."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from backoffice.sync import bell
from bot_campaigns.models import (
    Alarm,
    BotChange,
    CalendarSetting,
    Call,
    DncList,
    Phonebook,
    ReminderChoice,
    Suppression,
)
from tests import factories
from tests.bot_campaigns.services import rows

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>' + "W" * 60
LEGACY = frozenset({"target-size"})
AN = "+84915000001"


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: Any) -> None:
    monkeypatch.setattr(bell, "ring", lambda *_ids, on: None)


@pytest.fixture
def bot(db: None) -> Any:
    return rows.bot(name="AntBOT main")


@pytest.fixture
def an(bot: Any) -> Any:
    values = {"name": "Nguyễn An", "phones": [{"value": "0915 000 001", "type": "Work"}]}
    contact = factories.contact(rows.crm(), values=values)
    for index, disposition in enumerate(("ANSWER", "BUSY", "NOANSWER")):
        Call.objects.create(
            connection=bot, remote_id=f"an{index}", number="0915000001", e164=AN, contact=contact,
            disposition=disposition, hangup_cause="NORMAL_CLEARING", billsec=34,
            started_at=timezone.now() - timedelta(hours=index + 30),
        )  # fmt: skip
    for index in range(30):
        Call.objects.create(
            connection=bot, remote_id=f"o{index}", number=f"09051110{index:02d}",
            e164=f"+849051110{index:02d}",
            disposition="FAILED", started_at=timezone.now() - timedelta(days=index % 10),
        )  # fmt: skip
    return contact


def test_calls_are_searched_while_typing_and_the_export_holds_what_is_shown(visit: Any, an: Any) -> None:
    visitor = visit("Managers")
    page = visitor.open(reverse("bot:calls"))
    assert "Calls: 33" in page.inner_text("#list")
    page.fill("input[type=search]", "000001")
    page.wait_for_function("document.querySelectorAll('#list tbody tr').length === 3")
    assert "q=000001" in page.url
    page.wait_for_function("document.querySelector('#outcomes .dk-legend').innerText.includes('answered 1')")
    assert page.locator("#list mark").first.inner_text().replace(" ", "") == "000001"
    page.select_option("select[name=outcome]", "busy")
    page.wait_for_function("document.querySelectorAll('#list tbody tr').length === 1")
    page.click("text=Export…")
    page.select_option("#format", "csv")
    with page.expect_download() as download:
        page.click("#export button:has-text('Download')")
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").strip().splitlines()
    assert len(lines) == 2
    assert "an1" in lines[1]
    page.wait_for_function("!document.getElementById('export').open")
    page.keyboard.press("/")
    page.click("#list tbody tr td:nth-child(5)")
    page.wait_for_url(re.compile(r"/calls/\d+/$"))


def test_sales_suppress_from_the_contact_and_see_it_on_the_page(visit: Any, an: Any) -> None:
    visitor = visit("Sales", width=390)
    contact = reverse("admin:crm_bridge_contact_change", args=[an.pk])
    page = visitor.open(contact)
    assert page.locator("text=Calls (3)").count() == 1
    page.click("text=Never call…")
    page.fill("[name=reason]", "asked us not to call")
    page.click("button:has-text('Suppress')")
    page.wait_for_url(re.compile(contact))
    assert "asked us not to call (staff)" in page.inner_text("#content")
    assert Suppression.objects.get().e164 == AN
    page = visitor.open(reverse("bot:suppressions"))
    assert "0915 000 001" in page.inner_text("#list")
    assert visitor.overflow <= 0


def test_a_manager_reminds_a_contact_and_drops_it(visit: Any, bot: Any, an: Any) -> None:
    setting = CalendarSetting.objects.create(connection=bot, remote_id="4", label="Nhắc hẹn")
    ReminderChoice.objects.create(connection=bot, setting=setting)
    visitor = visit("Managers")
    page = visitor.open(reverse("admin:crm_bridge_contact_change", args=[an.pk]))
    page.click("text=Remind by phone…")
    local = timezone.localtime() + timedelta(days=2)
    page.fill("[name=title]", "Ký hợp đồng")
    page.fill("[name=rings_at]", f"{local:%Y-%m-%d}T03:00")
    page.click("button:has-text('Remind by phone')")
    assert "allow calls from 08:00 to 17:00" in page.inner_text("#content")
    visitor.trouble[:] = [line for line in visitor.trouble if "422" not in line]  # the refusal itself
    page.fill("[name=rings_at]", f"{local:%Y-%m-%d}T10:00")
    page.click("button:has-text('Remind by phone')")
    page.wait_for_url(re.compile(r"/reminders/\d+/$"))
    alarm = Alarm.objects.get()
    assert f"{local:%Y-%m-%d} 10:00" in page.inner_text("#content")
    Alarm.objects.filter(pk=alarm.pk).update(progress="sending")
    page.wait_for_function("document.querySelector('#reminder-state').innerText.includes('sending')")
    Alarm.objects.filter(pk=alarm.pk).update(
        progress="waiting", not_before=timezone.now() + timedelta(days=1)
    )
    page.wait_for_function("document.querySelector('#reminder-state').innerText.includes('waiting')")
    page.click("text=Drop…")
    page.click("text=Drop it")
    page.wait_for_function("document.querySelector('#reminder-state').innerText.includes('dropped')")


def test_a_waiting_phonebook_turns_to_sent_without_a_reload(visit: Any, bot: Any) -> None:
    visitor = visit("Managers")
    page = visitor.open(reverse("bot:phonebook_new"))
    page.fill("[name=name]", "Khách quen")
    page.click("button:has-text('Create')")
    page.wait_for_selector("#receipt:has-text('waiting')")
    BotChange.objects.update(status="done", finished_at=timezone.now())
    page.wait_for_selector("#receipt:has-text('sent to AntBOT main')")
    Phonebook.objects.update(remote_id="7")
    BotChange.objects.update(status="waiting", finished_at=None)
    page = visitor.open(reverse("bot:phonebooks"))
    page.wait_for_selector("#list:has-text('waiting')")
    BotChange.objects.update(status="done", finished_at=timezone.now())
    page.wait_for_selector("#list:has-text('in AntBOT')")


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_every_page_is_sound(visit: Any, bot: Any, an: Any, width: int, theme: str) -> None:
    """Nothing of the data becomes script, nothing sticks out, axe finds nothing."""
    book = Phonebook.objects.create(connection=bot, remote_id="1", name=HOSTILE, description=HOSTILE)
    number = book.contacts.create(connection=bot, remote_id="1", number=AN, e164=AN, first_name=HOSTILE)
    survey = rows.template(bot, name=HOSTILE)
    survey.sections.update(question=HOSTILE, script=HOSTILE)
    rows.gateway(bot, name=HOSTILE)
    listed = DncList.objects.create(connection=bot, remote_id="1", name=HOSTILE, description=HOSTILE)
    silent = Suppression.objects.create(e164="+84915000002", source="staff", reason=HOSTILE)
    Suppression.objects.create(e164=AN, source="staff", reason=HOSTILE)
    alarm = Alarm.objects.create(
        connection=bot, number=AN, e164=AN, contact=an, title=HOSTILE, progress="rejected", words=HOSTILE,
        rings_at=timezone.now(),
    )  # fmt: skip
    for subject in (f"phonebooks {book.pk}", f"contacts {number.pk}"):
        BotChange.objects.create(
            connection=bot, subject=subject, operation="edit", status="rejected", words=HOSTILE,
            new={"description": HOSTILE}, base={"description": ""},
        )  # fmt: skip
    call = Call.objects.first()
    visitor = visit("Admins", width=width, theme=theme, axe=True)
    pages = {
        **{name: reverse(f"bot:{name}") for name in (
            "calls", "phonebooks", "phonebook_new", "templates", "template_new", "gateways", "suppressions",
            "suppression_add", "suppression_import", "dnc", "dnc_new", "reminders",
        )},
        "call": reverse("bot:call", args=[call.pk]),
        "phonebook": reverse("bot:phonebook", args=[book.pk]),
        "number": reverse("bot:bot_contact", args=[number.pk]),
        "number form": reverse("bot:bot_contact_edit", args=[number.pk]),
        "template": reverse("bot:template", args=[survey.pk]),
        "section": reverse("bot:section_new", args=[survey.pk]),
        "list": reverse("bot:dnc_list", args=[listed.pk]),
        "suppression": reverse("bot:suppression", args=[silent.pk]),
        "lift": reverse("bot:suppression_lift", args=[silent.pk]),
        "reminder": reverse("bot:reminder", args=[alarm.pk]),
        "setting": reverse("bot:reminder_setting", args=[bot.pk]),
        "contact": reverse("admin:crm_bridge_contact_change", args=[an.pk]),
        "contact's calls": reverse("admin:crm_bridge_contact_change", args=[an.pk]) + "?tab=calls",
    }  # fmt: skip
    found = {}
    for name, address in pages.items():
        visitor.open(address)
        if visitor.overflow > 0:
            found[f"{name}: wider"] = visitor.overflow
        if wrong := visitor.violations(LEGACY):
            found[name] = wrong
    assert found == {}
