"""The operations side of the bots in a real browser: wide and narrow, light and dark, hostile data."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from backoffice.sync import bell
from bot_campaigns.models import (
    BotConnection,
    BotHealth,
    BotQuarantine,
    BotRun,
    CallingRules,
    CampaignCommand,
    Incident,
)
from bot_campaigns.services import pull, watch
from bot_campaigns.services.streams import STREAMS
from tests import factories
from tests.bot_campaigns.services import rows

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>' + "W" * 80
LEGACY = frozenset({"target-size"})
"""The shell's own small sort links; nothing of ours."""
SHOTS = os.environ.get("SHOTS", "")
"""A folder for pictures of every page, to look at."""


@pytest.fixture
def bot(db: None) -> BotConnection:
    row = rows.bot(name="AntBOT main", credentials={"username": "sandbox", "password": "a-long-secret"})
    pull.ensure_streams(row)
    BotConnection.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(days=30))
    return row


@pytest.fixture
def night(bot: BotConnection) -> Incident:
    """Calls at night, found in the report."""
    campaign = rows.campaign(bot, name="Tết greeting", reported_status=1, reported_at=timezone.now())
    at = timezone.localtime().replace(hour=3, minute=0) - timedelta(days=1)
    for number in range(3):
        rows.call(bot, f"+8491500000{number}", timedelta(), campaign=campaign, started_at=at)
    watch.check_calls()
    return Incident.objects.order_by("pk")[0]


@pytest.fixture
def addresses(bot: BotConnection, night: Incident) -> dict[str, str]:
    """Every page, with something ugly on it."""
    BotHealth.objects.create(connection=bot, needs_attention=True, last_error=HOSTILE)
    ugly = rows.campaign(bot, name=HOSTILE, reported_status=9)
    closed = Incident.objects.create(
        connection=bot, campaign=ugly, kind="changed", summary=HOSTILE, closed_at=timezone.now(),
        closed_by="lan", close_reason=HOSTILE,
    )  # fmt: skip
    CampaignCommand.objects.filter(campaign=night.campaign).update(words=HOSTILE)
    unsure = rows.bot(name=HOSTILE[:80], vendor_zone="", zone_confirmed_at=None)
    held = BotRun.objects.create(
        connection=bot, stream="bot_contacts", mode="complete", status="held", absent=412, error=HOSTILE,
        details={"held": {"absent": 412, "live": 9800}},
    )  # fmt: skip
    going = BotRun.objects.create(connection=bot, stream="calls", mode="complete", seen=420, expected=1000)
    record = BotQuarantine.objects.create(
        connection=bot, stream="calls", fingerprint="1", reason=HOSTILE, sample='{"name": "<b>"}'
    )
    return {
        "incidents": reverse("bot:incidents"),
        "incident": reverse("bot:incident", args=[night.pk]),
        "closed": reverse("bot:incident", args=[closed.pk]),
        "rules": reverse("bot:rules"),
        "rules_of": reverse("bot:rules_of", args=[bot.pk]),
        "us": reverse("bot:rules_of", args=[bot.pk]) + "?profile=us",
        "clock": reverse("bot:vendor_clock", args=[bot.pk]),
        "clock_open": reverse("bot:vendor_clock", args=[unsure.pk]),
        "runs": reverse("bot:runs"),
        "held": reverse("bot:run", args=[held.pk]),
        "going": reverse("bot:run", args=[going.pk]),
        "unreadable": reverse("bot:unreadable"),
        "record": reverse("bot:unreadable_record", args=[record.pk]),
        "connections": reverse("admin:bot_campaigns_botconnection_changelist"),
        "connection": reverse("admin:bot_campaigns_botconnection_change", args=[bot.pk]),
        "connection_open": reverse("admin:bot_campaigns_botconnection_change", args=[unsure.pk]),
        "add": reverse("admin:bot_campaigns_botconnection_add"),
    }


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (360, "light"), (390, "dark")])
def test_pages_are_whole_calm_and_accessible(
    visit: Any, addresses: dict[str, str], width: int, theme: str
) -> None:
    reader = visit("Admins", width=width, theme=theme, axe=True)
    found = {}
    for name, address in addresses.items():
        page = reader.open(address)
        assert page.title().strip().endswith("| CRM back-office"), name
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{theme}.png", full_page=True)
        problems = reader.violations(LEGACY)
        if width < 400 and reader.overflow > 0:
            problems.append(f"{reader.overflow} px too wide")
        if problems:
            found[name] = problems
    assert found == {}


def test_the_policy_blocks_nothing_that_pages_need(visit: Any, addresses: dict[str, str]) -> None:
    """No console error under the real policy: a violation is one. The fixture asserts it."""
    reader = visit("Admins")
    for address in addresses.values():
        reader.open(address)
    assert reader.page.locator("img[src=x]").count() == 0


def test_a_manager_looks_into_an_incident_and_closes_all_alike(visit: Any, night: Incident) -> None:
    reader = visit("Managers")
    page = reader.open("/")
    badge = page.locator("nav a, aside a, #nav-sidebar a").filter(has_text="Incidents").first
    assert "3" in badge.inner_text()
    badge.click()
    page.wait_for_url("**/incidents/")
    page.select_option("select[name=state]", "open")
    page.wait_for_selector(".bo-pill")
    page.locator(".bo-table tbody tr a").last.click()
    page.wait_for_selector("text=told at once to")
    page.fill("#reason", "The bot's clock was set wrong; corrected, see ticket 12")
    page.check("input[name=alike]")
    page.click("text=Close incident")
    page.wait_for_selector("text=3 incidents closed")
    assert not Incident.objects.filter(closed_at=None).exists()
    assert "ticket 12" in page.locator("#content, main").first.inner_text()


def test_an_admin_fills_in_a_profile_looks_and_saves(visit: Any, bot: BotConnection) -> None:
    page = visit("Admins").open(reverse("bot:rules_of", args=[bot.pk]))
    page.locator(".bo-profile", has_text="United States").get_by_role("link").click()
    page.wait_for_selector("text=Nothing holds before you save it")
    assert page.input_value("#id_window_end") == "21:00"
    assert page.locator(".bo-proposed").count() == 4, "what differs is marked"
    assert not CallingRules.objects.filter(window_end__gt="17:00").exists()
    page.fill("#id_consent_tag", "consented")
    page.click("text=Save rules")
    page.wait_for_selector("text=they hold at once")
    rules = CallingRules.objects.get(connection=bot)
    assert (str(rules.window_end), rules.zone, rules.consent_tag) == (
        "21:00:00",
        "America/New_York",
        "consented",
    )
    page.locator(".bo-profile", has_text="Vietnam, strict").get_by_role("link").click()
    page.click("text=Save rules")
    page.wait_for_selector("text=they hold at once")
    rules.refresh_from_db()
    assert (str(rules.window_end), rules.consent_required) == ("17:00:00", False)


def test_an_admin_connects_checks_and_confirms_the_clock(visit: Any, sandbox: Any) -> None:
    reader = visit("Admins")
    page = reader.open(reverse("admin:bot_campaigns_botconnection_add"))
    page.fill("#id_name", "Alice")
    page.fill("#id_base_url", sandbox.bot.base)
    page.fill("#id_credential_username", sandbox.bot.username)
    page.fill("#id_credential_password", sandbox.bot.password)
    page.click("text=Save and continue editing")
    page.wait_for_selector("text=Check now")
    row = BotConnection.objects.get(name="Alice")
    page.click("text=Check now")
    page.wait_for_selector("#check-result .bo-good")
    page.click("text=Find out and confirm")
    page.wait_for_selector("text=A harmless test")
    page.select_option("#id_zone", "UTC")
    page.fill("#id_evidence", "My telephone rang at 10:02")
    page.check("#id_sure")
    page.click("text=Confirm the zone")
    page.wait_for_selector("text=reads daily hours in UTC")
    row.refresh_from_db()
    assert row.vendor_zone == "UTC"


def test_sync_now_of_a_bot_shows_progress_on_its_form(
    visit: Any, bot: BotConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_task: str, pk: int, stream: str, _mode: Any, user: int, *, on: str) -> None:
        BotRun.objects.create(
            connection_id=pk, stream=stream, mode="complete", asked_by_id=user, expected=100
        )

    monkeypatch.setattr(bell, "ring", start)
    page = visit("Admins").open(reverse("admin:bot_campaigns_botconnection_change", args=[bot.pk]))
    page.click("text=Sync now")
    page.wait_for_selector("progress")
    assert page.locator("progress").count() == len(STREAMS)
    BotRun.objects.update(seen=50, started_at=timezone.now() - timedelta(seconds=10))
    page.wait_for_selector("text=50 of 100 seen")
    BotRun.objects.update(status="ok", seen=100, created=7, finished_at=timezone.now())
    page.wait_for_function("!document.querySelector('progress')")
    bot.refresh_from_db()
    assert bot.name == "AntBOT main", "the form around it was not sent"


def test_approving_a_held_bot_run_repeats_the_numbers(
    visit: Any, bot: BotConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "ring", lambda *_args, on: None)
    held = BotRun.objects.create(
        connection=bot, stream="dnc", mode="complete", status="held", absent=412,
        details={"held": {"absent": 412, "live": 9800}},
    )  # fmt: skip
    page = visit("Admins").open(reverse("bot:run", args=[held.pk]))
    page.click("text=Approve…")
    assert "Let 412 rows of AntBOT main go?" in page.locator("dialog[open]").inner_text()
    page.locator("dialog[open] >> text=Approve up to 412").click()
    page.wait_for_selector("text=walked once more at once")
    page.wait_for_selector("text=Approved by")


def test_sales_see_none_of_it(visit: Any, bot: BotConnection) -> None:
    page = visit("Sales").open("/")
    for title in ("Incidents", "Calling rules", "Bot runs", "Bot connections"):
        assert page.get_by_role("link", name=title).count() == 0
    assert factories.user("Sales").has_perm("bot_campaigns.view_call")
