"""Parts, merges, custom fields, reports and the same person, as people meet them in a browser."""

import os
import re
from pathlib import Path

import pytest

from crm_bridge.models import AccountCheck, ContactChange, CustomField
from crm_bridge.records import PanelEntry, canonical
from crm_bridge.services import custom_fields, probing, push, same_person
from tests import factories
from tests.crm_bridge.services.fake_vendor import moment

SHOTS = os.environ.get("SHOTS", "")
"""A directory for pictures, when somebody wants to look at the pages."""
SAME = [{"value": "0934890883", "type": ""}]


@pytest.fixture
def account(vendor):
    row = factories.connection(vendor="fake", name="Company B")
    custom_fields.refresh(row)
    return row


@pytest.fixture
def an(account, vendor):
    return mirrored(
        account,
        vendor,
        name="Nguyễn Văn An",
        phones=[{"value": "0934 890 883", "type": "Work"}],
        emails=[{"value": "an@example.vn", "type": ""}],
        stage="New",
        note="Asked for a price in March.",
        custom_fields={
            "f_budget": "900", "f_size": "2", "f_plan": "a", "f_likes": ["t", "w"], "f_since": "2026-01-31",
            "f_site": "https://a.vn", "f_vip": True, "f_text": "Bông",
        },
    )  # fmt: skip


def mirrored(account, vendor, **values):
    record = vendor.add(kind="contact", **values)
    number = record.identity.remote_id
    return factories.contact(
        account, family="one", remote_id=number, kind="contact", values=canonical(record)
    )


def shoot(page, name: str) -> None:
    if SHOTS:
        page.wait_for_timeout(250)
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def test_parts_arrive_by_themselves_and_are_changed(visit, an, vendor):
    vendor.relations[(an.remote_id, "companies")] = ["5", "6"]
    visitor = visit("Sales")
    page = visitor.open(f"/crm_bridge/contact/{an.pk}/change/")
    page.get_by_text("Company 5", exact=True).wait_for()
    page.get_by_text("Chats are joined by the CRM itself.").wait_for()
    page.get_by_label("Company number").fill("9")
    page.get_by_role("button", name="Attach").click()
    page.get_by_text("Companies: attach 9").first.wait_for()
    assert push.push_due().done == 1
    assert vendor.relations[(an.remote_id, "companies")] == ["5", "6", "9"]
    page.reload()
    page.get_by_text("Company 9", exact=True).wait_for()
    page.get_by_role("button", name="Detach Company 5").click()
    page.get_by_text("Companies: detach 5").first.wait_for()
    assert push.push_due().done == 1
    assert vendor.relations[(an.remote_id, "companies")] == ["6", "9"]


def test_the_history_of_the_crm_is_sorted_into_the_timeline(visit, an, vendor):
    vendor.history[an.remote_id] = [
        PanelEntry("Called about the price", "two minutes", moment(3), "Hoa", "call")
    ]
    page = visit("Sales").open(f"/crm_bridge/contact/{an.pk}/change/?tab=timeline")
    page.get_by_text("Called about the price").wait_for()
    page.get_by_text("With History of Company B").wait_for()


def test_custom_fields_are_edited_with_their_inputs(visit, an, vendor):
    page = visit("Sales").open(f"/crm_bridge/contact/{an.pk}/edit/")
    page.get_by_label("Shirt size").select_option(label="Small")
    page.get_by_label("Yearly").check()
    page.get_by_label("Coffee").check()
    page.get_by_label("Customer since").fill("2026-03-01")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/change/")
    assert push.push_due().done == 1
    held = vendor.records[an.remote_id].custom_fields
    assert (held["f_size"], held["f_plan"], held["f_likes"], held["f_since"]) == (
        "1", "b", ["t", "c", "w"], "2026-03-01",
    )  # fmt: skip
    assert held["f_budget"] == "900"


def test_the_list_is_filtered_by_a_custom_field(visit, an, account, vendor):
    mirrored(account, vendor, name="Bình", custom_fields={"f_size": "1"})
    page = visit("Sales").open("/crm_bridge/contact/")
    page.locator("summary", has_text="Custom fields").click()
    name = f"cf{CustomField.objects.get(key='f_size').pk}"
    page.locator(f"select[name={name}]").select_option(label="Large")
    page.get_by_text("1 contact", exact=True).wait_for()
    assert page.get_by_role("link", name="Nguyễn Văn An").count() == 1
    assert page.get_by_role("link", name="Bình").count() == 0


def test_a_merge_is_compared_turned_round_typed_and_done(visit, an, account, vendor):
    other = mirrored(
        account, vendor, name="An N.", phones=[{"value": "0934890883", "type": ""}], note="young"
    )
    page = visit("Managers").open(f"/crm_bridge/contact/{an.pk}/change/")
    page.get_by_role("link", name="Merge…").click()
    page.get_by_role("link", name="Compare…").click()
    page.get_by_role("button", name="Merge An N. into Nguyễn Văn An").wait_for()
    page.get_by_role("link", name=re.compile("An N. #")).click()
    page.get_by_role("button", name="Merge Nguyễn Văn An into An N.").wait_for()
    page.get_by_role("link", name=re.compile("Nguyễn Văn An #")).click()
    page.get_by_label("Type “An N.”").fill("An N.")
    page.get_by_role("button", name="Merge An N. into").click()
    page.get_by_text("is on its way to Company B").wait_for()
    assert push.push_due().done == 1
    assert other.remote_id not in vendor.records
    assert ContactChange.objects.get().status == "done"


def test_a_check_shows_its_progress_and_its_result(visit, account, an):
    visitor = visit("Admins")
    page = visitor.open(f"/connections/{account.pk}/report/")
    page.get_by_role("button", name="Look now").click()
    page.get_by_text("Waiting for a worker").wait_for()
    probing.run(AccountCheck.objects.get().pk)
    page.get_by_role("link", name="Show the result").click()
    page.get_by_text("Found by looking").wait_for()
    page.get_by_role("button", name="Try writes…").click()
    page.get_by_role("dialog").get_by_label("Type “Company B” to confirm").fill("wrong")
    page.get_by_role("dialog").get_by_role("button", name="Try writes").click()
    page.get_by_text("Type the name of the connection").wait_for()
    assert AccountCheck.objects.count() == 1


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_every_page_fits_and_breaks_no_rule(visit, an, account, vendor, width, theme):
    other = mirrored(
        account, vendor, name="An N.", phones=[{"value": "0934890883", "type": ""}], note="young"
    )
    elsewhere = factories.connection(name="AntCRM main")
    factories.contact(
        elsewhere, values={"name": "Nguyen An", "phones": [{"value": "0934890883", "type": ""}]}
    )
    vendor.relations[(an.remote_id, "companies")] = ["5", "6", "7", "8"]
    vendor.history[an.remote_id] = [
        PanelEntry(
            "Called", "asked for a price, wants to be called again on Monday", moment(3), "Hoa", "call"
        ),
        PanelEntry("Wrote in the chat", "Chào em", moment(1), "", "chat"),
    ]
    same_person.recount()
    check = probing.start(account, "read", by=factories.user("Admins"))
    probing.run(check.pk)
    visitor = visit("Admins", width=width, theme=theme, axe=True)
    pages = {
        "contact": f"/crm_bridge/contact/{an.pk}/change/",
        "timeline": f"/crm_bridge/contact/{an.pk}/change/?tab=timeline",
        "edit": f"/crm_bridge/contact/{an.pk}/edit/",
        "part": f"/crm_bridge/contact/{an.pk}/part/companies/",
        "merge": f"/crm_bridge/contact/{an.pk}/merge/",
        "compare": f"/crm_bridge/contact/{an.pk}/merge/{other.pk}/",
        "report": f"/connections/{account.pk}/report/",
        "same": "/same-person/",
        "group": f"/same-person/of/{an.pk}/",
        "connection": "/crm_bridge/connection/add/?vendor=fake",
    }
    wrong = []
    for name, address in pages.items():
        page = visitor.open(address)
        page.wait_for_load_state("networkidle")
        shoot(page, f"{name}-{width}-{theme}")
        if visitor.overflow > 0:
            wrong.append(f"{name} is {visitor.overflow} px too wide")
        if name != "connection":  # the shell's own form has its own test
            wrong += [f"{name}: {line}" for line in visitor.violations()]
    page = visitor.open("/crm_bridge/contact/")
    if width > 767:
        page.locator("summary", has_text="Custom fields").click()
    else:
        page.locator("label[for=ct-more]").click()
        page.locator("summary", has_text="Custom fields").click()
    shoot(page, f"filters-{width}-{theme}")
    assert wrong == []
