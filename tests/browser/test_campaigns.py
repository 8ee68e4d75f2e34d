"""A manager's day in a real browser: pick, check, launch, watch, pause, resume, end."""

import re
from datetime import time, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from bot_campaigns.models import Incident, Launch, LaunchNumber
from bot_campaigns.services import commands, handover, live, preflight
from crm_bridge.models import Connection
from tests import factories
from tests.bot_campaigns.services import rows
from tests.bot_campaigns.views.test_campaign_pages import filled
from tests.flows import bot as flow

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>' + "W" * 80
LEGACY = frozenset({"target-size"})
"""The shell's own small sort links; nothing of ours."""


# --- the whole way -----------------------------------------------------------------------


def badge(page: Any, words: str) -> None:
    """Wait until the campaign's state is this, without a reload."""
    page.wait_for_selector(f'#live[data-state="{words}"]')


def press(page: Any, button: str, words: str) -> None:
    """Press a button of the campaign and agree to what is asked."""
    page.click(f"#do-{button}")
    page.wait_for_selector("dialog[open]")
    assert words in page.locator("dialog[open]").inner_text()
    page.click("dialog[open] button[type=submit]")
    page.wait_for_selector("dialog[open]", state="detached")


def test_from_the_contact_list_to_the_end_of_the_campaign(visit: Any, sandbox: Any) -> None:
    account = flow.connected(sandbox)
    flow.means(sandbox, account)
    crm = Connection.objects.get()
    for place, number in enumerate(flow.numbers(40)):
        rows.person(crm, "0" + number[3:], name=f"Khách {place}", stage="Hot")
    rows.person(crm, "0915999999", name="Không gọi", stage="Cold")
    page = visit("Managers").open("/crm_bridge/contact/?stage=Hot")

    page.click("text=Call these…")
    page.fill("input[name=name]", "Tết greeting")
    page.click("button[value=next]")
    page.select_option("select[name=template]", index=1)
    page.select_option("select[name=gateway]", index=1)
    page.fill("input[name=callerid]", "Ánh Dương")
    page.click("button[value=next]")
    earlier = timezone.localtime() - timedelta(hours=2)  # the sandbox's clock is half an hour behind
    page.fill("input[name=starts_at]", f"{earlier:%Y-%m-%dT%H:%M}")
    page.fill("input[name=frequency]", "10")
    page.click("button[value=next]")
    page.click("text=Check the audience")
    page.wait_for_selector(".bc-total")
    assert re.search(r"40\s+picked", page.locator(".bc-sum").inner_text())
    assert re.search(r"40\s+to dial", page.locator(".bc-sum").inner_text())

    page.click("#launch")
    page.wait_for_selector("dialog[open]")
    asked = page.locator("dialog[open]").inner_text()
    for words in ("Launch 40 calls?", "Tết greeting", "Ánh Dương", "Stage: Hot"):
        assert words in asked
    page.click("dialog[open] button[type=submit]")
    page.wait_for_selector("text=0 of 40 numbers handed over")
    launch = Launch.objects.get()
    assert sandbox.bot.writes() == [], "nothing leaves with the click"
    assert handover.hand_over(launch.pk) == Launch.Status.READY
    launch.refresh_from_db()
    campaign = launch.campaign
    page.wait_for_url(f"**{reverse('bot:campaign', args=[campaign.pk])}")
    badge(page, "starting")
    assert flow.work(campaign) == "done"
    badge(page, "running")
    page.evaluate("window.stays = true")

    sandbox.bot.advance(seconds=90)
    live.poll(campaign)
    page.wait_for_function("document.querySelector('#outcomes tbody tr') !== null")
    chart = "Chart.getChart(document.querySelector('canvas[data-chart=hours]'))"
    page.wait_for_function(f"{chart}.data.labels.length > 0")
    dialled = int(page.locator(".bc-cards a").nth(1).locator("strong").inner_text())
    assert dialled == campaign.subscribers.filter(attempts__gt=0).count() > 10
    assert page.evaluate("window.stays"), "no reload"

    press(page, "pause", "still to dial")
    badge(page, "NOT YET STOPPED")
    assert flow.work(campaign) == "unknown"
    page.wait_for_selector("text=/AntBOT still says waiting, \\d+ calls in progress/")
    sandbox.bot.advance(2)
    assert flow.work(campaign) == "done"
    badge(page, "paused")
    so_far = len(sandbox.bot.ledger(campaign=campaign.remote_id))

    press(page, "start", "Resume")
    assert flow.work(campaign) == "done"
    badge(page, "running")
    sandbox.bot.advance(seconds=30)
    assert len(sandbox.bot.ledger(campaign=campaign.remote_id)) > so_far

    press(page, "end", "It is finished")
    flow.work(campaign)
    sandbox.bot.advance(2)
    assert flow.work(campaign) == "done"
    badge(page, "ended")
    page.wait_for_selector("#live:not([hx-get])")
    live.poll(campaign)
    page.reload()
    page.click("#outcomes header a")
    page.wait_for_selector(".bo-table tbody tr")
    rung = len(sandbox.bot.ledger(campaign=campaign.remote_id))
    assert f"Calls: {rung}" in page.locator(".bo-count").inner_text()
    assert flow.told(sandbox) == [1, 2, 1, 4]
    numbers = [each["number"] for each in sandbox.bot.ledger(campaign=campaign.remote_id)]
    assert len(numbers) == len(set(numbers))
    assert "0915999999" not in numbers


def test_pausing_from_the_list_and_from_home(visit: Any, sandbox: Any) -> None:
    account = flow.connected(sandbox)
    row = flow.handed_over(flow.launch(sandbox, account, flow.numbers(30)), flow.manager(), start=True)
    campaign = row.campaign
    assert flow.work(campaign) == "done"
    reader = visit("Managers")
    page = reader.open("/")
    page.click(".bc-running a[data-ask]:has-text('Pause')")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    assert commands.latest(campaign).operation == "start", "left without doing it"
    page = reader.open(reverse("bot:campaigns"))
    page.click(".bc-rowbuttons a:has-text('Pause')")
    page.wait_for_selector("dialog[open]")
    page.fill("dialog[open] input[name=reason]", "lunch")
    page.click("dialog[open] button[type=submit]")
    page.wait_for_selector("text=NOT YET STOPPED")
    assert page.url.endswith(reverse("bot:campaigns"))
    assert commands.latest(campaign).reason == "lunch"
    page = reader.open("/")
    assert "NOT YET STOPPED" in page.locator(".bo-attention").inner_text()
    flow.work(campaign)
    sandbox.bot.advance(3)
    assert flow.work(campaign) == "done"
    page = reader.open("/")
    assert "NOT YET STOPPED" not in page.locator("#main, body").first.inner_text()


def test_chosen_contacts_are_added_in_a_dialog(visit: Any) -> None:
    rows.bot()
    crm = rows.crm()
    for place in range(3):
        rows.person(crm, f"091500000{place}", name=f"Khách {place}")
    page = visit("Managers").open("/crm_bridge/contact/")
    page.check("input[name=selected] >> nth=0")
    page.check("input[name=selected] >> nth=1")
    page.click("#bulk >> text=Add to audience…")
    page.wait_for_selector("dialog[open] >> text=Call 2 contacts?")
    page.click("dialog[open] button[type=submit]")
    page.wait_for_url("**/audience/")
    assert "2 chosen contacts" in page.locator(".bc-kinds").inner_text()
    assert len(Launch.objects.get().audience_spec["ids"]) == 2


# --- every page --------------------------------------------------------------------------


@pytest.fixture
def addresses(db: None) -> dict[str, str]:
    """Every page, with something ugly on it."""
    account, crm = rows.bot(name=HOSTILE[:80]), rows.crm()
    rules = preflight.rules_of(account)
    rules.window_start, rules.window_end = time(0), time(23, 59, 59)
    rules.save()
    people = [rows.person(crm, f"093489080{place}", name=HOSTILE, stage="Hot") for place in range(3)]
    campaign = filled(account, name=HOSTILE, description=HOSTILE, callerid=HOSTILE[:100])
    rows.call(account, "+84915000001", timedelta(minutes=1), campaign=campaign, disposition=HOSTILE[:40])
    Incident.objects.create(connection=account, campaign=campaign, kind="window", summary=HOSTILE)
    commands.pause_for(campaign, HOSTILE)
    launch = rows.of(
        account, *people, name=HOSTILE[:80], daily_start=time(0), daily_stop=time(23, 59),
        audience_words=HOSTILE, description=HOSTILE,
    )  # fmt: skip
    preflight.check(launch, by=flow.manager())
    draft = rows.launch(account, name=HOSTILE[:80], audience_spec={"ids": []}, template=None)
    held = rows.launch(
        account, name=HOSTILE[:80], status="held", words=HOSTILE, counts={"to_dial": 9}, handed_over=3,
        confirmed_at=timezone.now(),
    )  # fmt: skip
    LaunchNumber.objects.create(
        launch=held, number=HOSTILE[:100], name=HOSTILE, verdict="no_number", reason=HOSTILE
    )
    handing = rows.launch(
        account, name="Tết", status="handing", counts={"to_dial": 9}, confirmed_at=timezone.now(),
        not_before=timezone.now() + timedelta(hours=1), words=HOSTILE,
    )  # fmt: skip

    def url(name: str, row: Any) -> str:
        return reverse(f"bot:{name}", args=[row.pk])

    pages = {name: url(name, campaign) for name in ("campaign", "campaign_pause", "campaign_proof")}
    pages |= {
        name: url(name, campaign) for name in ("campaign_subscribers", "campaign_calls", "campaign_withdrawn")
    }
    pages |= {
        name: url(name, launch) for name in ("launch_audience", "launch_message", "launch_pace", "launch")
    }
    pages |= {"confirm": url("launch_confirm", launch), "numbers": url("launch_numbers", held)}
    pages |= {"draft": url("launch", draft), "held": url("launch", held), "handing": url("launch", handing)}
    return {
        "home": "/",
        "campaigns": reverse("bot:campaigns"),
        "launches": reverse("bot:launches"),
        "new": reverse("bot:launch_new"),
        "nothing": reverse("bot:campaigns") + "?q=zzzz",
        **pages,
    }


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (360, "light"), (390, "dark")])
def test_pages_are_whole_calm_and_accessible(
    visit: Any, addresses: dict[str, str], width: int, theme: str
) -> None:
    reader = visit("Managers", width=width, theme=theme, axe=True)
    found = {}
    for name, address in addresses.items():
        page = reader.open(address)
        assert page.title().strip().endswith("| CRM back-office"), name
        problems = reader.violations(LEGACY)
        if width < 400 and reader.overflow > 0:
            problems.append(f"{reader.overflow} px too wide")
        if problems:
            found[name] = problems
    assert found == {}


def test_the_policy_blocks_nothing_that_pages_need(visit: Any, addresses: dict[str, str]) -> None:
    """No console error under the real policy: a violation is one. The fixture asserts it."""
    reader = visit("Managers")
    for address in addresses.values():
        reader.open(address)
    assert reader.page.locator("img[src=x]").count() == 0


def test_everything_works_without_scripts(browser: Any, live_server: Any, addresses: dict[str, str]) -> None:
    client = Client()
    client.force_login(factories.user("Managers"))
    context = browser.new_context(java_script_enabled=False, locale="en")
    for name, morsel in client.cookies.items():
        context.add_cookies([{"name": name, "value": morsel.value, "url": live_server.url}])
    page = context.new_page()
    page.goto(live_server.url + addresses["launch"])
    page.click("#launch")
    page.wait_for_selector("text=Launch 3 calls?")
    page.click("text=Launch 3 calls >> nth=-1")
    page.wait_for_selector("text=0 of 3 numbers handed over")
    assert Launch.objects.filter(status="handing", counts__to_dial=3).count() == 1
    context.close()
