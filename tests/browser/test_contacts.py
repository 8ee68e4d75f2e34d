"""The contact pages in a real browser, as somebody on the phone uses them."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from crm_bridge.models import Contact, ContactChange
from crm_bridge.services import contacts as service
from tests import factories

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>' + "W" * 80
LEGACY = frozenset({"target-size"})
LIST = "/crm_bridge/contact/"


def page_of(name: str, contact: Contact) -> str:
    return reverse(f"admin:crm_bridge_contact_{name}", args=[contact.pk])


@pytest.fixture
def crm(db: None) -> Any:
    return factories.connection(name="AntCRM main")


@pytest.fixture
def an(crm: Any) -> Any:
    values = {
        "name": "Nguyễn Văn An",
        "phones": [{"value": "0934890883", "type": "Work"}],
        "tags": ["vip"],
        "stage": "New",
    }
    return factories.contact(crm, values=values)


@pytest.fixture
def ugly(crm: Any) -> Any:
    values = {
        "name": HOSTILE,
        "phones": [{"value": "0934890883", "type": HOSTILE[:60]}, {"value": f"{HOSTILE}0", "type": ""}],
        "emails": [{"value": f"{HOSTILE}@x", "type": ""}],
        "tags": [HOSTILE, "x"],
        "note": HOSTILE,
        "stage": HOSTILE,
        "responsible": HOSTILE,
        "custom_fields": {HOSTILE: HOSTILE},
        "social_accounts": [{"protocol": "x", "value": "javascript:alert(3)"}],
        "addresses": [{"street": HOSTILE, "city": HOSTILE}],
    }
    contact = factories.contact(crm, values=values, raw='{"name": "<script>alert(4)</script>"}')
    service.edit(contact=contact, changes={"note": HOSTILE + "!"}, by=factories.user("Sales"))
    return contact


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (360, "light"), (390, "dark")])
def test_pages_are_whole_calm_and_accessible(visit: Any, ugly: Any, width: int, theme: str) -> None:
    reader = visit("Managers", width=width, theme=theme, axe=True)
    addresses = {
        "list": LIST,
        "search": f"{LIST}?q=img",
        "nothing": f"{LIST}?q=zzzz&stage=New",
        "details": page_of("change", ugly),
        "timeline": page_of("change", ugly) + "?tab=timeline",
        "remote": page_of("change", ugly) + "?tab=remote",
        "edit": page_of("edit", ugly),
        "delete": page_of("delete", ugly),
        "new": reverse("admin:crm_bridge_contact_add"),
        "import": reverse("admin:crm_bridge_contact_import"),
        "export": reverse("admin:crm_bridge_contact_export") + "?q=img",
    }
    found = {}
    for name, address in addresses.items():
        reader.open(address)
        problems = reader.violations(LEGACY)
        if width < 400 and reader.overflow > 0:
            problems.append(f"{reader.overflow} px too wide")
        if problems:
            found[name] = problems
    assert found == {}
    assert reader.page.locator("img[src=x]").count() == 0


def test_typing_a_scrap_finds_and_marks_and_the_address_keeps_it(visit: Any, an: Any, crm: Any) -> None:
    factories.contact(crm, values={"name": "Somebody Else"})
    page = visit("Sales").open(LIST)
    page.evaluate("window.stays = true")
    page.keyboard.press("/")
    page.keyboard.type("0883")
    page.wait_for_selector("td mark")
    assert page.locator("tbody tr").count() == 1
    assert page.url.endswith("?q=0883")
    assert page.evaluate("window.stays"), "only the table was swapped"
    page.reload()
    assert page.locator("tbody tr").count() == 1
    page.keyboard.press("Tab")
    page.focus("tbody tr")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{page_of('change', an)}")


def test_an_edit_returns_at_once_and_its_receipt_turns_to_sent(visit: Any, an: Any) -> None:
    page = visit("Sales").open(page_of("edit", an))
    page.fill("[name=stage]", "Contacted")
    page.click("fieldset:has([name='phones-value']) >> text=Add")
    page.locator("[data-row]:not([data-spare]) [name='phones-value']").last.fill("0912 345 678")
    page.click("text=Save")
    page.wait_for_url(f"**{page_of('change', an)}")
    assert "waiting" in page.inner_text("#receipt")
    assert "0912 345 678" in page.inner_text(".ct-reach")
    change = ContactChange.objects.get()
    assert set(change.new) == {"phones", "stage"}
    ContactChange.objects.update(status="done", finished_at=timezone.now())
    page.wait_for_selector("#receipt:has-text('sent to AntCRM main')", timeout=5000)
    assert page.inner_text("#ct-state") == "in sync"
    assert page.locator("#receipt[hx-get]").count() == 0, "it stops asking"


def test_a_row_taken_away_is_gone_after_saving(visit: Any, an: Any) -> None:
    page = visit("Sales").open(page_of("edit", an))
    page.locator("[data-row]:not([data-spare]) >> [data-remove-row]").first.click()
    page.click("text=Save")
    page.wait_for_url(f"**{page_of('change', an)}")
    assert Contact.objects.get().value("phones") == []


def test_deleting_asks_in_a_dialog_that_can_be_left(visit: Any, an: Any) -> None:
    page = visit("Managers").open(page_of("change", an))
    page.click("text=Delete…")
    dialog = page.wait_for_selector("dialog[open]")
    assert "Nguyễn Văn An" in dialog.inner_text()
    assert "0934 890 883" in dialog.inner_text()
    page.click("dialog >> text=Cancel")
    assert page.locator("dialog[open]").count() == 0
    assert not ContactChange.objects.exists()
    page.click("text=Delete…")
    page.click("dialog[open] button[type=submit]")
    page.wait_for_selector("text=The deletion is on its way")
    assert ContactChange.objects.get().operation == "delete"


def test_selected_contacts_are_tagged_from_a_dialog(visit: Any, an: Any, crm: Any) -> None:
    other = factories.contact(crm, values={"name": "Other"})
    page = visit("Sales").open(LIST)
    assert page.is_hidden("#bulk")
    page.check(f"input[name=selected][value='{an.pk}']")
    page.check(f"input[name=selected][value='{other.pk}']")
    assert "2 selected" in page.inner_text("#bulk")
    page.click("#bulk >> text=Tag…")
    page.wait_for_selector("dialog[open]")
    page.fill("dialog [name=add]", "hot")
    page.click("dialog[open] button[type=submit]")
    page.wait_for_selector("text=2 contacts were changed")
    assert set(an.value("tags")) == {"vip", "hot"}


def test_an_export_of_the_filtered_list_downloads(visit: Any, an: Any, crm: Any) -> None:
    factories.contact(crm, values={"name": "Other"})
    page = visit("Managers").open(LIST)
    page.fill("#filters [type=search]", "0883")
    page.wait_for_selector("td mark")
    page.click(".ct-tools >> text=Export…")
    page.select_option("[name=format]", "jsonl")
    with page.expect_download() as download:
        page.click("text=Download")
    assert download.value.path().read_bytes().count(b"\n") == 1


def test_everything_works_without_scripts(browser: Any, live_server: Any, an: Any) -> None:
    from django.test import Client

    client = Client()
    client.force_login(factories.user("Managers"))
    context = browser.new_context(java_script_enabled=False)
    for name, morsel in client.cookies.items():
        context.add_cookies([{"name": name, "value": morsel.value, "url": live_server.url}])
    page = context.new_page()
    shown: Any = page.locator
    page.goto(live_server.url + LIST)
    page.fill("#filters [type=search]", "0883")
    page.click("#filters button[type=submit]")
    assert shown("tbody tr").count() == 1
    page.check("input[name=selected]")
    page.click("#bulk >> text=Tag…")
    page.fill("[name=add]", "hot")
    page.click("text=Change 1 contact")
    page.goto(live_server.url + page_of("edit", an))
    page.locator("[name='phones-value']").nth(1).fill("0912345678")
    page.click("text=Save")
    assert set(an.value("tags")) == {"vip", "hot"}
    assert [row["value"] for row in an.value("phones")] == ["0934890883", "0912345678"]
    context.close()
