"""The operations pages in a real browser: wide and narrow, light and dark, with hostile data."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from backoffice import audit
from backoffice.sync import bell
from crm_bridge.models import Conflict, ConnectionHealth, ContactChange, Merge, Quarantine, Run, Tombstone
from crm_bridge.services import schedule
from tests import factories

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>' + "W" * 80
LEGACY = frozenset({"target-size"})
"""The shell's own small sort links; nothing of ours."""


@pytest.fixture
def crm(db: None) -> Any:
    row = factories.connection(name="AntCRM main")
    schedule.ensure_streams(row)
    return row


@pytest.fixture
def addresses(crm: Any) -> dict[str, str]:
    """Every page, with something ugly on it."""
    ConnectionHealth.objects.create(connection=crm, needs_attention=True, last_error=HOSTILE)
    gone = factories.contact(crm, values={"name": HOSTILE, "note": HOSTILE}, state="trashed", stage=HOSTILE)
    stone = Tombstone.objects.create(
        contact=gone, evidence="listed", snapshot=gone.values(), trashed_by=HOSTILE,
        trashed_at=timezone.now(),
    )  # fmt: skip
    phones = [{"value": "0934890883", "type": HOSTILE}]
    kept = factories.contact(crm, values={"name": HOSTILE, "phones": phones})
    loser = factories.contact(crm, values={"name": HOSTILE, "phones": phones}, state="merged")
    hint = {"name": HOSTILE, "phones": phones}
    merge = Merge.objects.create(loser=loser, snapshot=loser.values(), survivor_hint=hint, reason=HOSTILE)
    values = {"connection": crm, "contact": kept, "base": {"note": "x"}, "new": {"note": HOSTILE}}
    refused = ContactChange.objects.create(operation="edit", status="rejected", words=HOSTILE, **values)
    unclear = ContactChange.objects.create(
        operation="create", status="held", words=HOSTILE, sent_at=timezone.now(),
        resolve={"candidates": [{"family": "lead", "remote_id": "7", "name": HOSTILE, "phones": phones}]},
        **values,
    )  # fmt: skip
    parked = ContactChange.objects.create(operation="edit", status="conflict", **values)
    for field in ("note", "phones", "*"):
        Conflict.objects.create(
            contact=kept, change=parked, field=field, base=HOSTILE, ours=phones, theirs=HOSTILE
        )
    held = Run.objects.create(
        connection=crm, stream="contacts", mode="complete", status="held", absent=412, error=HOSTILE,
        details={"held": {"absent": 412, "live": 9800}},
    )  # fmt: skip
    going = Run.objects.create(connection=crm, stream="deleted", mode="complete", seen=420, expected=1000)
    record = Quarantine.objects.create(
        connection=crm, stream="contacts", fingerprint="1", reason=HOSTILE, sample='{"name": "<b>"}'
    )
    entry = audit.record("connection.create", crm, by=None, summary=HOSTILE, note=HOSTILE)
    person = factories.user("Sales", first_name=HOSTILE[:100])
    pages = {
        "home": "/",
        "trash": reverse("crm:trash"),
        "snapshot": reverse("crm:trash_snapshot", args=[stone.pk]),
        "merges": reverse("crm:merges"),
        "merge": reverse("crm:merge", args=[merge.pk]),
        "outgoing": reverse("crm:outgoing"),
        "rejected": reverse("crm:outgoing_change", args=[refused.pk]),
        "unclear": reverse("crm:outgoing_change", args=[unclear.pk]),
        "conflicts": reverse("crm:conflicts"),
        "conflict": reverse("crm:conflict", args=[kept.pk]),
        "runs": reverse("crm:runs"),
        "held": reverse("crm:run", args=[held.pk]),
        "going": reverse("crm:run", args=[going.pk]),
        "unreadable": reverse("crm:unreadable"),
        "record": reverse("crm:unreadable_record", args=[record.pk]),
        "nothing matches": reverse("crm:trash") + "?q=zzzz",
    }
    for model, pk in (("crm_bridge_connection", crm.pk), ("auth_user", person.pk), ("auth_group", 1)):
        pages[model] = reverse(f"admin:{model}_changelist")
        pages[f"{model} add"] = reverse(f"admin:{model}_add")
        if model != "auth_group":
            pages[f"{model} form"] = reverse(f"admin:{model}_change", args=[pk])
    pages["audit"] = reverse("admin:backoffice_auditentry_changelist")
    pages["audit entry"] = reverse("admin:backoffice_auditentry_change", args=[entry.pk])
    pages["password"] = reverse("admin:password_change")
    return pages


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (360, "light"), (390, "dark")])
def test_pages_are_whole_calm_and_accessible(
    visit: Any, addresses: dict[str, str], width: int, theme: str
) -> None:
    reader = visit("Admins", width=width, theme=theme, axe=True)
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
    reader = visit("Admins")
    for address in addresses.values():
        reader.open(address)
    assert reader.page.locator("img[src=x]").count() == 0


def test_a_filter_swaps_the_table_and_the_address_keeps_it(visit: Any, crm: Any) -> None:
    for status in ("rejected", "done", "done"):
        ContactChange.objects.create(
            connection=crm, contact=factories.contact(crm), operation="edit", status=status, new={"note": "x"}
        )
    reader = visit("Managers")
    page = reader.open(reverse("crm:outgoing"))
    page.evaluate("window.stays = true")
    page.select_option("select[name=status]", "rejected")
    page.wait_for_selector(".bo-pill")
    assert page.locator(".bo-table tbody tr").count() == 1
    assert page.url.endswith("?status=rejected")
    assert page.evaluate("window.stays")
    page.reload()
    assert page.locator(".bo-table tbody tr").count() == 1
    page.click(".bo-pill")
    page.wait_for_selector(".bo-table tbody tr:nth-child(3)")


def test_a_row_opens_on_click_and_on_enter(visit: Any, crm: Any) -> None:
    run = Run.objects.create(connection=crm, stream="contacts", mode="complete", status="ok")
    target = reverse("crm:run", args=[run.pk])
    reader = visit("Managers")
    page = reader.open(reverse("crm:runs"))
    page.click("tr[data-href] td:nth-child(6)")
    page.wait_for_url(f"**{target}")
    page = reader.open(reverse("crm:runs"))
    page.focus("tr[data-href]")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{target}")


def test_dropping_asks_first_in_words_and_can_be_left(visit: Any, crm: Any) -> None:
    contact = factories.contact(crm, values={"name": "Nguyễn Văn An"}, base={"stage": "New"}, stage="Hot")
    reader = visit("Sales")
    row = ContactChange.objects.create(
        connection=crm, contact=contact, operation="edit", status="rejected", author=reader.user,
        base={"stage": "New"}, new={"stage": "Hot"},
    )  # fmt: skip
    page = reader.open(reverse("crm:outgoing_change", args=[row.pk]))
    page.click("text=Drop…")
    dialog = page.locator("dialog[open]")
    assert "Drop this change of Nguyễn Văn An?" in dialog.inner_text()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.click("text=Drop…")
    page.locator("dialog[open] >> text=Drop the change").click()
    page.wait_for_selector("text=was dropped")
    row.refresh_from_db()
    assert row.status == "cancelled"


def test_selected_changes_go_again_together(visit: Any, crm: Any) -> None:
    for _ in range(3):
        ContactChange.objects.create(
            connection=crm,
            contact=factories.contact(crm),
            operation="edit",
            status="rejected",
            new={"note": "x"},
        )
    page = visit("Managers").open(reverse("crm:outgoing"))
    assert not page.locator("#bulk").is_visible()
    page.check("[data-select-all]")
    assert "3 selected" in page.locator("#bulk").inner_text()
    page.uncheck("input[name=selected] >> nth=0")
    assert "2 selected" in page.locator("#bulk").inner_text()
    page.click("#bulk >> text=Send again")
    page.wait_for_selector("text=2 changes are sent again")
    assert ContactChange.objects.filter(status="waiting").count() == 2


def test_sync_now_shows_progress_that_survives_leaving(
    visit: Any, crm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_task: str, pk: int, stream: str, _mode: Any, user: int, *, on: str) -> None:
        Run.objects.create(connection_id=pk, stream=stream, mode="complete", asked_by_id=user, expected=100)

    monkeypatch.setattr(bell, "ring", start)
    reader = visit("Managers")
    page = reader.open("/")
    page.click("text=Sync now")
    page.wait_for_selector("progress")
    Run.objects.update(seen=50, started_at=timezone.now() - timedelta(seconds=10))
    page.wait_for_selector("text=50 of 100 seen")
    page = reader.open("/")
    page.wait_for_selector("text=50 of 100 seen")
    assert page.locator("text=Sync now").first.is_disabled()
    Run.objects.update(status="ok", seen=100, created=7, finished_at=timezone.now())
    page.wait_for_function("!document.querySelector('progress')")
    assert page.locator("text=Sync now").first.is_enabled()


def test_a_check_answers_on_the_form(visit: Any, sandbox: Any) -> None:
    good = factories.connection(base_url=sandbox.base(), credentials={"api_key": sandbox.key})
    page = visit("Admins").open(reverse("admin:crm_bridge_connection_change", args=[good.pk]))
    page.click("text=Check now")
    page.wait_for_selector("#check-result .bo-good")
    assert "accepts the key" in page.locator("#check-result").inner_text()


def test_the_palette_finds_pages_by_name(visit: Any, crm: Any) -> None:
    page = visit("Admins").open("/")
    page.keyboard.press("Control+k")
    page.type("#search-input-command", "merg")  # it listens to keys
    page.wait_for_selector("#command-results >> text=Merges")


def test_login_page_is_accessible_and_speaks_two_languages(browser: Any, live_server: Any) -> None:
    context = browser.new_context(bypass_csp=True, viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(f"{live_server.url}/")
    page.wait_for_selector("input[name=password]")
    assert "CRM back-office" in page.title()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    context.close()
