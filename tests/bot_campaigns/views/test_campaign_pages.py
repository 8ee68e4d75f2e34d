"""Campaign list and campaign page: honest states, numbers that open their rows, cheap polls."""

import re
from datetime import time, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from bot_campaigns.models import Campaign, CampaignCommand, Incident, LaunchNumber, Subscriber
from bot_campaigns.records import ReportedStatus
from bot_campaigns.services import commands, figures, preflight, streams
from tests.bot_campaigns.services import rows
from tests.bot_campaigns.views.conftest import login, text

pytestmark = pytest.mark.django_db
HOSTILE = '"><img src=x onerror=alert(1)>' + "W" * 60
STATES = (1, 1, 3, 4, 4, 5, 6, 7, 8, 42)


def url(name, *args):
    return reverse(f"bot:{name}", args=args)


def filled(account, status=1, **fields):
    """A campaign of ours with subscribers in every state, calls and a withdrawn number."""
    now = timezone.now()
    defaults = {
        "frequency": 10, "starts_at": now - timedelta(days=1), "expires_at": now + timedelta(days=1),
        "daily_start": time(0), "daily_stop": time(23, 58), "reported_at": now,
    }  # fmt: skip
    campaign = rows.campaign(account, status=status, **{**defaults, **fields})
    launch = rows.launch(account, campaign=campaign, status="started", confirmed_at=now)
    for place, state in enumerate(STATES):
        number = f"+8491{campaign.pk:05d}{place:02d}"
        Subscriber.objects.create(
            connection=account, campaign=campaign, remote_id=f"s{campaign.pk}.{place}", number=number,
            e164=number, status=state, attempts=int(state in (4, 5, 6, 8)),
        )  # fmt: skip
        if state in (4, 5, 8):
            said = "ANSWER" if state != 4 else "BUSY"
            rows.call(account, number, timedelta(minutes=2), campaign=campaign, disposition=said, leg=1)
    first = campaign.subscribers.first()
    LaunchNumber.objects.create(
        launch=launch, number=first.number, e164=first.e164, verdict="dial", withdrawal="done",
        handed_at=now, withdrawal_reason="asked not to be called",
    )  # fmt: skip
    streams.count_numbers(account, campaign.pk)
    return Campaign.objects.get(pk=campaign.pk)


# --- the list ----------------------------------------------------------------------------


def test_the_list_costs_the_same_for_3_campaigns_and_60(account, manager):
    counts = []
    manager.get(url("campaigns"))
    for more in (3, 57):
        for _ in range(more):
            filled(account)
        cache.clear()
        with CaptureQueriesContext(database) as queries:
            page = manager.get(url("campaigns"))
        counts.append(len(queries))
        assert page.status_code == 200
    assert counts[0] == counts[1] <= 24


def test_what_needs_a_person_comes_first(account, manager, rung):
    ended = rows.campaign(account, status=4)
    waiting = rows.campaign(account, status=2)
    running = rows.campaign(account, status=1)
    doubtful = rows.campaign(account, status=2)
    rows.campaign(account, status=4, gone_at=timezone.now())
    commands.pause(doubtful, by=manager.user)
    page = manager.get(url("campaigns"))
    shown = [row.record.pk for row in page.context["table"].rows]
    assert shown[:3] == [doubtful.pk, running.pk, waiting.pk]
    assert ended.pk in shown[3:]
    assert "NOT YET STOPPED" in text(page)


def test_each_row_offers_what_is_legal_and_this_person_may(account, rung):
    running, waiting = filled(account), filled(account, status=2)
    ended = filled(account, status=4)
    page = text(login().get(url("campaigns")))
    for campaign, offered in (
        (running, {"pause", "abort", "end"}),
        (waiting, {"start", "pause", "abort", "end"}),
        (ended, set()),
    ):
        for name in ("start", "pause", "abort", "end"):
            assert (url(f"campaign_{name}", campaign.pk) in page) == (name in offered), (campaign, name)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [("running", "r"), ("waiting", "w"), ("finished", "f"), ("gone", "g"), ("unconfirmed", "w")],
)
def test_filters_of_the_list(account, manager, rung, state, wanted):
    found = {
        "r": rows.campaign(account, status=1),
        "w": rows.campaign(account, status=2),
        "f": rows.campaign(account, status=5),
        "g": rows.campaign(account, status=5, gone_at=timezone.now()),
    }
    commands.pause(found["w"], by=manager.user)
    page = manager.get(url("campaigns"), {"state": state})
    assert [row.record for row in page.context["table"].rows] == [found[wanted]]


def test_pace_window_and_age_of_the_report(account, manager):
    campaign = filled(account, reported_at=timezone.now() - timedelta(minutes=10))
    page = manager.get(url("campaigns"))
    shown = page.context["table"].shown[campaign.pk]
    assert shown["pace"] == 4 / 5
    assert shown["today"].is_open
    assert shown["old_report"]
    assert "10 min ago" in text(page)


# --- the page ----------------------------------------------------------------------------


def opened(client, address):
    """How many rows a list shows behind an address."""
    return client.get(address).context["page"].paginator.count


def test_every_number_opens_exactly_its_rows(account, manager):
    campaign = filled(account)
    page = manager.get(url("campaign", campaign.pk))
    cards = page.context["cards"]
    assert [card["value"] for card in cards] == [2, 5, 2, 3, 1, 1]
    for card in cards:
        assert opened(manager, card["url"]) == card["value"], card["label"]
    outcomes = page.context["outcomes"]
    assert {item["said"]: item["value"] for item in outcomes} == {"BUSY": 2, "ANSWER": 2}
    for item in outcomes:
        assert opened(manager, item["url"]) == item["value"]
    calls = re.search(r'href="([^"]*calls/\?leg=1)"', text(page))[1]
    assert opened(manager, calls) == page.context["calls"] == 4


def test_a_campaign_not_started_counts_what_was_handed_over(account, manager):
    campaign = rows.campaign(account, status=2)
    launch = rows.launch(account, campaign=campaign, status="ready", confirmed_at=timezone.now())
    for place in range(3):
        LaunchNumber.objects.create(
            launch=launch, number=f"+8491500000{place}", e164=f"+8491500000{place}", verdict="dial",
            handed_at=timezone.now(),
        )  # fmt: skip
    LaunchNumber.objects.create(launch=launch, number="x", verdict="no_number")
    card = manager.get(url("campaign", campaign.pk)).context["cards"][0]
    assert card["value"] == opened(manager, card["url"]) == 3


def test_the_state_line_says_what_is_asked_and_what_is_still_so(account, manager, rung):
    campaign = filled(account)
    command = commands.pause(campaign, by=manager.user, reason="lunch")
    CampaignCommand.objects.filter(pk=command.pk).update(status="unknown", resolve={"in_progress": 2})
    page = text(manager.get(url("campaign", campaign.pk)))
    asked = f"{timezone.localtime(command.created_at):%H:%M:%S}"
    assert f"pause asked {asked}, AntBOT still says started, 2 calls in progress" in page
    assert "NOT YET STOPPED" in page
    assert f"Reason, by {manager.user.username}: lunch" in page


def test_a_disabled_button_says_why(account, manager):
    page = text(manager.get(url("campaign", filled(account).pk)))
    assert re.search(r'id="do-start"[^>]*disabled title="It is running\."', page)
    assert re.search(r'id="do-delete"[^>]*disabled title="End it first', page)
    assert "It is running." in re.sub(r"<[^>]*>", "", page)


def test_the_timeline_tells_who_and_what_the_product_did(account, manager, rung):
    campaign = filled(account)
    commands.pause_for(campaign, "Called at 23:00, outside the calling hours.")
    Incident.objects.create(
        connection=account, campaign=campaign, kind="window", summary="Called at 23:00, outside the hours."
    )
    page = text(manager.get(url("campaign", campaign.pk)))
    assert "the calling rules" in page
    assert "Called at 23:00, outside the calling hours." in page
    assert "Called at 23:00, outside the hours." in page


def test_a_poll_is_cheap_and_silent_while_nothing_changes(account, manager):
    campaign = filled(account)
    live = re.search(r'hx-get="([^"]*live/[^"]*)"', text(manager.get(url("campaign", campaign.pk))))[1]
    with CaptureQueriesContext(database) as queries:
        answer = manager.get(live)
    assert answer.status_code == 204
    assert len(queries) <= 14, [query["sql"][:90] for query in queries]
    Campaign.objects.filter(pk=campaign.pk).update(reported_status=2, polled_at=timezone.now())
    with CaptureQueriesContext(database) as queries:
        answer = manager.get(live)
    assert answer.status_code == 200
    assert len(queries) <= 18
    body = text(answer)
    assert 'id="live"' in body
    assert body.count('hx-swap-oob="true"') == 3
    assert "<html" not in body


def test_calls_that_come_in_are_added_to_those_counted(account, manager):
    campaign = filled(account)
    before = manager.get(url("campaign", campaign.pk)).context
    for place, word in enumerate(("ANSWER", "CONGESTION")):
        number = f"+8491599999{place}"
        rows.call(account, number, timedelta(minutes=1), campaign=campaign, disposition=word, leg=1)
    Campaign.objects.filter(pk=campaign.pk).update(polled_at=timezone.now())
    after = manager.get(url("campaign", campaign.pk)).context
    assert (before["calls"], after["calls"]) == (4, 6)
    assert {item["said"]: item["value"] for item in after["outcomes"]} == {
        "ANSWER": 3, "BUSY": 2, "CONGESTION": 1,
    }  # fmt: skip
    assert sum(sum(values) for _hour, values in after["hours"].rows) == 6


@pytest.mark.parametrize(("status", "seconds"), [(1, 2), (2, 15), (4, None), (5, None)])
def test_the_poll_stops_when_the_campaign_is_over(account, manager, status, seconds):
    body = text(manager.get(url("campaign", filled(account, status=status).pk)))
    found = re.search(r'hx-trigger="every (\d+)s"', body)
    assert (int(found[1]) if found else None) == seconds


def test_an_unconfirmed_end_keeps_the_poll_going(account, manager, rung):
    campaign = filled(account)
    commands.end(campaign, by=manager.user)
    Campaign.objects.filter(pk=campaign.pk).update(reported_status=ReportedStatus.ENDED)
    assert 'hx-trigger="every 2s"' in text(manager.get(url("campaign", campaign.pk)))


def test_lists_of_a_campaign_cost_the_same_for_few_rows_and_many(account, manager):
    small, large = filled(account), filled(account)
    for place in range(60):
        number = f"+849150001{place:02d}"
        Subscriber.objects.create(
            connection=account, campaign=large, remote_id=f"x{place}", number=number, e164=number, status=4
        )
        rows.call(account, number, timedelta(minutes=1), campaign=large)
    for name in ("campaign_subscribers", "campaign_calls", "campaign_withdrawn"):
        manager.get(url(name, small.pk))
        counts = []
        for campaign in (small, large):
            with CaptureQueriesContext(database) as queries:
                assert manager.get(url(name, campaign.pk)).status_code == 200
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 18, name


def test_a_subscriber_says_why_it_stands_so(account, manager):
    campaign = filled(account)
    page = text(manager.get(url("campaign_subscribers", campaign.pk)))
    assert "asked not to be called" in page
    assert "refused by AntBOT" in page
    assert "last call: busy" in page
    assert "unknown (42)" in page


def test_numbers_are_found_however_they_are_written(account, manager):
    campaign = filled(account)
    wanted = campaign.subscribers.last()
    for scrap in (wanted.e164, "0" + wanted.e164[3:], wanted.e164[-6:]):
        page = manager.get(url("campaign_subscribers", campaign.pk), {"q": scrap})
        assert [row.record.pk for row in page.context["table"].rows] == [wanted.pk]
    nothing = manager.get(url("campaign_subscribers", campaign.pk), {"q": "---"})
    assert nothing.context["page"].paginator.count == 0


def test_hostile_names_stay_text(account, manager):
    campaign = filled(account, name=HOSTILE[:200], description=HOSTILE, callerid=HOSTILE[:100])
    command = commands.latest(campaign)
    assert command is None
    for name in ("campaign", "campaign_subscribers", "campaign_proof", "campaign_pause", "campaign_clone"):
        assert "<img src=x" not in text(manager.get(url(name, campaign.pk))), name
    assert "<img src=x" not in text(manager.get(url("campaigns")))
    assert "<img src=x" not in text(manager.get("/"))


def test_the_proof_shows_what_was_checked_and_overruled(account, manager):
    campaign = filled(account)
    proof = {
        "checked_at": timezone.now().isoformat(), "checked_by": "lan", "confirmed_by": "minh", "minutes": 773,
        "fits": 1, "rules": {"zone": "Asia/Ho_Chi_Minh", "hours_between_calls": 24},
        "overrides": {"mirror": {"words": "Contacts: 40 minutes old", "reason": "CRM is in maintenance"}},
    }  # fmt: skip
    campaign.launches.update(proof=proof, counts={"picked": 3, "suppressed": 2, "to_dial": 1})
    page = manager.get(url("campaign_proof", campaign.pk))
    for words in ("lan", "minh", "12 h 53 min", "CRM is in maintenance", "suppressed number"):
        assert words in text(page), words
    minus = page.context["sum"]["minus"]
    assert [(line["value"], parse_qs(urlsplit(line["url"]).query)) for line in minus] == [
        (2, {"verdict": ["suppressed"]})
    ]


# --- commands ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pause", "abort", "end"])
def test_a_stop_asks_on_get_and_is_given_by_post(account, manager, rung, name):
    campaign = filled(account)
    address = url(f"campaign_{name}", campaign.pk)
    question = manager.get(address)
    assert campaign.name in text(question)
    assert CampaignCommand.objects.count() == 0
    dialog = manager.get(address, headers={"HX-Request": "true", "HX-Target": "ask"})
    assert text(dialog).lstrip().startswith("<form")
    answer = manager.post(address, {"reason": "lunch", "next": "/campaigns/?state=running"})
    assert answer["Location"] == "/campaigns/?state=running"
    command = CampaignCommand.objects.get()
    assert (command.operation, command.reason, command.author) == (name, "lunch", manager.user)
    manager.post(address)
    assert CampaignCommand.objects.count() == 1, "pressed twice"
    assert rung == [("bot_campaigns.tasks.send_command", command.pk, "control")]


def test_no_command_leads_to_another_site(account, manager, rung):
    campaign = filled(account)
    answer = manager.post(url("campaign_pause", campaign.pk), {"next": "https://evil.example/"})
    assert answer["Location"] == url("campaign", campaign.pk)


def test_commands_need_token_and_permission(account, rung):
    campaign = filled(account)
    boss = Client(enforce_csrf_checks=True)
    boss.force_login(login().user)
    sales = login("Sales")
    for name in ("start", "pause", "abort", "end", "delete", "clone", "unreached"):
        assert boss.post(url(f"campaign_{name}", campaign.pk)).status_code == 403
        assert sales.post(url(f"campaign_{name}", campaign.pk)).status_code == 403
    assert CampaignCommand.objects.count() == 0


def test_what_cannot_be_done_is_said_and_kept(account, manager, rung):
    campaign = filled(account, status=4)
    answer = manager.post(url("campaign_delete", filled(account).pk))
    assert answer.status_code == 422
    assert "End it first" in text(answer)
    assert "This campaign has ended." in text(manager.get(url("campaign_start", campaign.pk)))
    assert CampaignCommand.objects.count() == 0


def test_a_start_asks_the_rules_again_and_takes_reasons(account, crm, manager, rung):
    campaign = filled(account, status=2)
    rules = preflight.rules_of(account)
    rules.window_start, rules.window_end = time(0), time(23, 59, 59)
    rules.save()
    launch = campaign.launches.get()
    launch.counts = {"to_dial": 1}
    launch.daily_start, launch.daily_stop = time(0), time(23, 59)
    launch.save()
    address = url("campaign_start", campaign.pk)
    crm.streams.update(last_ok_at=timezone.now() - timedelta(hours=2))
    assert "Contacts: 120 minutes old" in text(manager.get(address))
    refused = manager.post(address)
    assert (refused.status_code, CampaignCommand.objects.count()) == (422, 0)
    manager.post(address, {"override-mirror": "the CRM is down"})
    assert CampaignCommand.objects.get().new == {"overrides": {"mirror": "the CRM is down"}}


def test_calling_the_unreached_makes_a_draft_and_calls_nobody(account, manager, rung):
    campaign = filled(account, status=4)
    form = text(manager.get(url("campaign_unreached", campaign.pk)))
    nonce = re.search(r'name="nonce" value="([^"]+)"', form)[1]
    first = manager.post(url("campaign_unreached", campaign.pk), {"nonce": nonce})
    again = manager.post(url("campaign_unreached", campaign.pk), {"nonce": nonce})
    assert first["Location"] == again["Location"]
    assert rung == []
    assert "did not reach" in text(manager.get(first["Location"]))


# --- Home --------------------------------------------------------------------------------


def test_home_shows_what_runs_with_its_pause_and_what_is_wrong(account, manager, rung):
    running = filled(account, name="Tết greeting")
    stopping = filled(account, status=2, name="Renewal Q4")
    commands.pause(stopping, by=manager.user)
    held = rows.launch(account, name="Quà tặng", status="held", words="AntBOT has 2 phonebooks.")
    Incident.objects.create(connection=account, campaign=running, kind="window", summary="x")
    failed = filled(account, status=2, name="Thử")
    start = commands.start(failed, by=manager.user)
    CampaignCommand.objects.filter(pk=start.pk).update(status="held", words="was sent once")
    page = manager.get("/")
    body = text(page)
    notices = [(notice.text, notice.grave) for notice in page.context["attention"]]
    assert notices[0][0].startswith("NOT YET STOPPED: “Renewal Q4”")
    assert all(grave for _words, grave in notices)
    for words in (
        "1 open incident",
        "The start of “Thử” came to nothing.",
        "“Quà tặng” is held",
    ):
        assert any(words in line for line, _grave in notices), words
    assert url("campaign_pause", running.pk) in body
    assert url("launch", held.pk) in body
    assert "40 % answered" in body
    assert figures.figures(running).answer_rate == 40


def test_home_counts_todays_calls_by_hour(account, manager):
    campaign = filled(account)
    now = timezone.localtime()
    chart = next(
        card.context["chart"] for row in manager.get("/").context["rows"] for card in row
        if card.template.endswith("home_calls.html")
    )  # fmt: skip
    today = figures.calls_to_people().filter(started_at__date=now.date(), campaign=campaign)
    assert sum(sum(values) for _hour, values in chart.rows) == today.count()


def test_sales_see_no_campaigns_on_home(account, rung):
    filled(account, name="Tết greeting")
    page = login("Sales").get("/")
    assert "Tết greeting" not in text(page)
    assert "Campaigns running" not in text(page)
