"""Pages of bot connections, calling rules, the vendor's clock, incidents, runs and quarantine."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from backoffice.models import AuditEntry
from backoffice.sync import bell
from bot_campaigns.models import (
    BotConnection,
    BotHealth,
    BotQuarantine,
    BotRun,
    BotStreamState,
    Call,
    CallingRules,
    CampaignCommand,
    Incident,
)
from bot_campaigns.profiles import FIELDS, PROFILES
from bot_campaigns.services import calling_rules, incidents, preflight, pull, troubles, vendor_clock, watch
from bot_campaigns.services.streams import STREAMS
from bot_campaigns.views import connections
from tests import factories
from tests.bot_campaigns.services import rows

pytestmark = pytest.mark.django_db
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'
ADD = "admin:bot_campaigns_botconnection_add"
CHANGE = "admin:bot_campaigns_botconnection_change"


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    cache.clear()


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(bell, "ring", lambda task, *ids, on: calls.append((task, *ids)))
    return calls


@pytest.fixture
def bot(rung: list[Any]) -> BotConnection:
    row = rows.bot(name="AntBOT main", credentials={"username": "sandbox", "password": "a-long-secret"})
    pull.ensure_streams(row)
    return row


def login(role: str) -> Client:
    client = Client()
    client.user = factories.user(role)  # type: ignore[attr-defined]
    client.force_login(client.user)  # type: ignore[attr-defined]
    return client


def text(response: Any) -> str:
    return response.content.decode()


def told(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def logged(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


# --- connections ---------------------------------------------------------------------------


def form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "AntBOT two",
        "vendor": "antbot",
        "base_url": "http://127.0.0.1:1/antbot/rest-api",
        "is_active": "on",
        "requests_per_second": "5",
        "parallel_requests": "2",
        "credential_username": "someone@example.com",
        "credential_password": "a-long-secret-for-tests",
        "option_login_path": "inside",
        "option_whole_lists": "no",
        "option_renew_on_403": "yes",
        "streams-TOTAL_FORMS": "0",
        "streams-INITIAL_FORMS": "0",
        **changes,
    }


def test_a_bot_is_connected_and_its_password_never_shown(rung: list[Any]) -> None:
    client = login("Admins")
    assert client.post(reverse(ADD), form(option_whole_lists="yes")).status_code == 302
    row = BotConnection.objects.get(name="AntBOT two")
    assert row.credentials == {"username": "someone@example.com", "password": "a-long-secret-for-tests"}
    assert set(row.streams.values_list("stream", flat=True)) == set(STREAMS)
    assert row.measured["whole_lists"] == "yes"
    page = text(client.get(reverse(CHANGE, args=[row.pk])))
    assert "a-long-secret" not in page
    assert "someone@example.com" in page
    assert "Leave blank to keep it" in page
    assert "a-long-secret" not in str(logged("connection.create").data)
    assert "What AntBOT can do" in page
    assert "in that of the vendor" in page, "what is unproven is told"
    assert "nothing can be launched yet" in page


def test_a_blank_password_keeps_what_is_stored_and_the_clock_too(bot: BotConnection) -> None:
    data = form(name=bot.name, base_url=bot.base_url, credential_password="", requests_per_second="9")
    assert login("Admins").post(reverse(CHANGE, args=[bot.pk]), data).status_code == 302
    bot.refresh_from_db()
    assert (bot.credentials["password"], bot.requests_per_second) == ("a-long-secret", 9)
    assert bot.zone_confirmed_at is not None


def test_another_host_asks_for_the_password_and_forgets_the_clock(bot: BotConnection) -> None:
    client = login("Admins")
    elsewhere = "http://127.0.0.1:2/antbot"
    data = form(name=bot.name, base_url=elsewhere, credential_password="")
    answer = client.post(reverse(CHANGE, args=[bot.pk]), data)
    assert "Enter it again" in text(answer)
    bot.refresh_from_db()
    assert bot.base_url != elsewhere
    assert bot.vendor_zone == "Asia/Ho_Chi_Minh", "nothing was saved, so nothing is forgotten"
    assert (
        client.post(reverse(CHANGE, args=[bot.pk]), form(name=bot.name, base_url=elsewhere)).status_code
        == 302
    )
    bot.refresh_from_db()
    assert (bot.vendor_zone, bot.zone_confirmed_at) == ("", None)
    entry = logged("connection.zone.forget")
    assert (entry.data["before"], entry.actor) == ("Asia/Ho_Chi_Minh", client.user)  # type: ignore[attr-defined]
    launch = rows.launch(bot)
    assert "zone" in [brake.code for brake in preflight.brakes(launch, timezone.now())]


def test_another_path_of_the_same_host_keeps_the_clock(bot: BotConnection) -> None:
    data = form(name=bot.name, base_url="http://127.0.0.1:1/elsewhere", credential_password="")
    assert login("Admins").post(reverse(CHANGE, args=[bot.pk]), data).status_code == 302
    bot.refresh_from_db()
    assert bot.vendor_zone == "Asia/Ho_Chi_Minh"


def test_a_connection_with_anything_mirrored_stays(bot: BotConnection) -> None:
    client = login("Admins")
    unused = rows.bot()
    rows.campaign(bot)
    address = "admin:bot_campaigns_botconnection_delete"
    assert client.post(reverse(address, args=[bot.pk]), {"post": "yes"}).status_code == 403
    client.post(reverse(address, args=[unused.pk]), {"post": "yes"})
    assert list(BotConnection.objects.all()) == [bot]


def test_intervals_of_the_lists_only(bot: BotConnection) -> None:
    BotStreamState.objects.create(connection=bot, stream="live-7", every=12)
    page = text(login("Admins").get(reverse(CHANGE, args=[bot.pk])))
    assert "live-7" not in page
    assert "subscribers" in page


def test_check_now_says_in_plain_words_how_it_went(sandbox: Any) -> None:
    client = login("Admins")
    fine = {"username": sandbox.bot.username, "password": sandbox.bot.password}
    good = rows.bot(base_url=sandbox.bot.base, credentials=fine)
    page = text(client.post(reverse("bot:connection_check", args=[good.pk]), headers={"HX-Request": "true"}))
    assert "accepts the login" in page
    bad = rows.bot(base_url=sandbox.bot.base, credentials={**fine, "password": "wrong-password-of-tests"})
    page = text(client.post(reverse("bot:connection_check", args=[bad.pk]), headers={"HX-Request": "true"}))
    assert "bo-bad" in page
    assert "wrong-password-of-tests" not in page
    assert BotHealth.objects.get(connection=bad).needs_attention
    assert AuditEntry.objects.filter(action="connection.check").count() == 2


def test_sync_now_asks_for_every_list_and_shows_how_it_goes(bot: BotConnection, rung: list[Any]) -> None:
    client = login("Managers")
    address = reverse("bot:connection_sync", args=[bot.pk])
    page = text(client.post(address, headers={"HX-Request": "true"}))
    assert [(ring[1], ring[2]) for ring in rung] == [(bot.pk, stream) for stream in STREAMS]
    assert "Waiting for a worker" in page
    assert reverse("bot:connection_progress", args=[bot.pk]) in page
    run = BotRun.objects.create(connection=bot, stream="calls", mode="complete", seen=420, expected=1000)
    page = text(
        client.get(reverse("bot:connection_progress", args=[bot.pk]), {"since": run.started_at.timestamp()})
    )
    assert "of 1,000" in page.replace("\n", " ")
    assert reverse("bot:run", args=[run.pk]) in page
    BotConnection.objects.update(is_active=False)
    rung.clear()
    assert "switched off" in text(client.post(address, headers={"HX-Request": "true"}))
    assert rung == []


def test_the_list_says_whose_clock_is_to_be_confirmed(bot: BotConnection) -> None:
    rows.bot(name="Second", vendor_zone="", zone_confirmed_at=None)
    page = text(login("Admins").get(reverse("admin:bot_campaigns_botconnection_changelist")))
    assert "to confirm" in page
    assert "Asia/Ho_Chi_Minh" in page


# --- the vendor's clock --------------------------------------------------------------------


@pytest.fixture
def unsure(bot: BotConnection) -> BotConnection:
    BotConnection.objects.filter(pk=bot.pk).update(vendor_zone="", zone_confirmed_at=None)
    bot.refresh_from_db()
    return bot


SURE = {"zone": "UTC", "evidence": "Rang my own phone at 10:02, hours 02:50–03:10", "sure": "on"}


def test_confirming_the_clock_is_logged_with_its_evidence(unsure: BotConnection) -> None:
    client = login("Admins")
    address = reverse("bot:vendor_clock", args=[unsure.pk])
    page = text(client.get(address))
    assert "people are called hours too early" in page
    assert "telephone that lies in front of you" in page
    answer = client.post(address, SURE, follow=True)
    assert "reads daily hours in UTC" in told(answer)
    unsure.refresh_from_db()
    assert (unsure.vendor_zone, unsure.zone_confirmed_by) == ("UTC", client.user)  # type: ignore[attr-defined]
    entry = logged("connection.zone.confirm")
    assert (entry.data, entry.summary) == ({"before": "", "after": "UTC"}, SURE["evidence"])
    assert SURE["evidence"] in text(answer)
    assert "zone" not in [brake.code for brake in preflight.brakes(rows.launch(unsure), timezone.now())]


@pytest.mark.parametrize(
    ("field", "value"), [("zone", ""), ("zone", "Mars/Base"), ("evidence", " "), ("sure", "")]
)
def test_a_clock_is_not_confirmed_by_half(unsure: BotConnection, field: str, value: str) -> None:
    answer = login("Admins").post(reverse("bot:vendor_clock", args=[unsure.pk]), {**SURE, field: value})
    assert answer.status_code == 422
    assert "bo-error" in text(answer)
    unsure.refresh_from_db()
    assert unsure.zone_confirmed_at is None
    assert not AuditEntry.objects.exists()


def test_the_service_asks_for_the_permission_itself(unsure: BotConnection) -> None:
    with pytest.raises(PermissionDenied):
        vendor_clock.confirm(unsure, zone="UTC", evidence="x", by=factories.user("Managers"))


def test_calls_of_the_past_speak_for_the_true_zone(unsure: BotConnection) -> None:
    """Daily hours 01:00–10:00 are those of 08:00–17:00 in Hanoi on a clock that shows UTC."""
    campaign = rows.campaign(unsure, daily_start=time(1), daily_stop=time(10))
    whole_day = rows.campaign(unsure, daily_start=time(0), daily_stop=time(23, 59, 59))
    for hour in range(1, 10):
        at = datetime(2026, 11, 20, hour, 30, tzinfo=UTC)
        rows.call(unsure, f"+8491500000{hour}", timedelta(), campaign=campaign, started_at=at)
        rows.call(unsure, f"+8491500000{hour}", timedelta(), campaign=whole_day, started_at=at)
    found = {row.zone: (row.inside, row.outside, row.clashes) for row in vendor_clock.readings(unsure)}
    assert found["UTC"] == (9, 0, False)
    assert found["Asia/Ho_Chi_Minh"] == (2, 7, True)
    page = text(login("Admins").get(reverse("bot:vendor_clock", args=[unsure.pk])))
    assert "possible" in page
    assert "unlikely" in page


def test_the_hours_of_the_test_are_open_in_one_zone_only(unsure: BotConnection) -> None:
    readings = vendor_clock.readings(unsure, ["UTC", "Asia/Ho_Chi_Minh", "America/New_York"])
    for row in readings:
        for other in readings:
            clock = other.there.time()
            assert (row.opens <= clock < row.closes) == (row.zone == other.zone), (row, other)


def test_a_campaign_that_dials_at_night_on_the_true_clock_is_paused(bot: BotConnection) -> None:
    """Its hours were told for UTC; the clock turns out to be Hanoi's, so it dials from one at night."""
    BotConnection.objects.filter(pk=bot.pk).update(vendor_zone="UTC")
    now = timezone.now()
    campaign = rows.campaign(
        bot, reported_status=1, frequency=10, daily_start=time(1), daily_stop=time(9, 58),
        starts_at=now - timedelta(days=1), expires_at=now + timedelta(days=3),
    )  # fmt: skip
    vendor_clock.confirm(bot, zone="UTC", evidence="x", by=factories.user("Admins"))
    assert not Incident.objects.exists()
    vendor_clock.confirm(bot, zone="Asia/Ho_Chi_Minh", evidence="x", by=factories.user("Admins"))
    assert Incident.objects.get().campaign == campaign
    assert CampaignCommand.objects.get().operation == "pause"


# --- calling rules -------------------------------------------------------------------------


def rules_form(**changes: Any) -> dict[str, Any]:
    """The strict profile as the page posts it."""
    values: dict[str, Any] = {**PROFILES["vn"].values, "window_start": "08:00", "window_end": "17:00"}
    values["weekdays"] = list(values["weekdays"])
    values |= {"dnc_required": "on"}
    del values["consent_required"]
    return {**values, **changes}


def test_a_rule_is_changed_by_an_admin_and_logged_before_and_after(bot: BotConnection) -> None:
    client = login("Admins")
    address = reverse("bot:rules_of", args=[bot.pk])
    answer = client.post(address, rules_form(window_end="16:30", weekdays=["1", "2", "5"]), follow=True)
    assert "2 rules changed" in told(answer)
    rules = CallingRules.objects.get(connection=bot)
    assert (rules.window_end, rules.weekdays) == (time(16, 30), "125")
    entry = logged("rules.change")
    assert entry.actor == client.user  # type: ignore[attr-defined]
    assert entry.data["before"] == {"window_end": "17:00:00", "weekdays": "1234567"}
    assert entry.data["after"] == {"window_end": "16:30:00", "weekdays": "125"}
    assert "17:00:00 → 16:30:00" in text(answer)
    again = client.post(address, rules_form(window_end="16:30", weekdays=["1", "2", "5"]), follow=True)
    assert "Nothing was changed" in told(again)
    assert AuditEntry.objects.filter(action="rules.change").count() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window_end": "08:00"}, "The end must come after the start"),
        ({"window_end": ""}, "required"),
        ({"zone": "Mars/Base"}, "not one of the available choices"),
        ({"weekdays": []}, "Give each allowed day once"),
        ({"frequency_cap": "0"}, "greater than or equal to 1"),
        ({"consent_required": "on"}, "Name the tag that states consent"),
        ({"hours_between_calls": "-1"}, "greater than or equal to 0"),
        ({"dnc_max_age_minutes": "99999999"}, "less than or equal to"),
    ],
)
def test_wrong_rules_are_refused_at_their_field(
    bot: BotConnection, change: dict[str, Any], words: str
) -> None:
    answer = login("Admins").post(reverse("bot:rules_of", args=[bot.pk]), rules_form(**change))
    assert answer.status_code == 422
    assert words in text(answer)
    assert "Nothing was saved" in text(answer)
    assert not CallingRules.objects.filter(connection=bot).exclude(window_end=time(17)).exists()
    assert not AuditEntry.objects.filter(action="rules.change").exists()


def test_the_service_refuses_what_the_form_would(bot: BotConnection) -> None:
    from django.core.exceptions import ValidationError

    boss = factories.user("Admins")
    with pytest.raises(ValidationError):
        calling_rules.change(bot, {"window_end": time(8)}, by=boss)
    with pytest.raises(PermissionDenied):
        calling_rules.change(bot, {"window_end": time(16)}, by=factories.user("Managers"))
    assert preflight.rules_of(bot).window_end == time(17)


def test_managers_read_the_rules_and_see_no_button(bot: BotConnection) -> None:
    page = text(login("Managers").get(reverse("bot:rules_of", args=[bot.pk])))
    assert "An administrator changes them" in page
    assert "Save rules" not in page
    assert "Reset to this" not in page
    assert 'name="window_start" value="08:00"' in page
    assert "disabled" in page


def test_looking_at_rules_makes_none(bot: BotConnection) -> None:
    client = login("Managers")
    for address in (reverse("bot:rules"), reverse("bot:rules_of", args=[bot.pk])):
        assert client.get(address).status_code == 200
    assert not CallingRules.objects.exists()


@pytest.mark.parametrize("key", PROFILES)
def test_a_profile_is_shown_first_and_holds_after_saving(bot: BotConnection, key: str) -> None:
    CallingRules.objects.create(connection=bot, window_end=time(12), frequency_cap=3)
    client = login("Admins")
    address = reverse("bot:rules_of", args=[bot.pk])
    page = client.get(address, {"profile": key})
    assert "Nothing holds before you save it" in text(page)
    assert CallingRules.objects.get().window_end == time(12)
    shown = page.context["form"].initial
    data = {name: value for name, value in shown.items() if value not in (False, "")}
    if key == "us":
        data["consent_tag"] = "consented"
    assert client.post(address, data).status_code == 302
    rules = CallingRules.objects.get()
    expected = {**PROFILES[key].values, "consent_tag": data.get("consent_tag", "")}
    assert {name: getattr(rules, name) for name in FIELDS} == expected


def test_the_strict_profile_is_the_default() -> None:
    rules = CallingRules()
    assert {name: getattr(rules, name) for name in FIELDS} == PROFILES["vn"].values


def test_tighter_rules_pause_what_dials_against_them_and_nothing_else(bot: BotConnection) -> None:
    now = timezone.now()
    fields = {
        "reported_status": 1, "daily_start": time(8), "daily_stop": time(16, 58),
        "starts_at": now - timedelta(days=1), "expires_at": now + timedelta(days=3),
    }  # fmt: skip
    fast, slow = rows.campaign(bot, frequency=50, **fields), rows.campaign(bot, frequency=10, **fields)
    ended = rows.campaign(bot, frequency=50, **{**fields, "reported_status": 4})
    client = login("Admins")
    answer = client.post(reverse("bot:rules_of", args=[bot.pk]), rules_form(frequency_cap="20"), follow=True)
    assert fast.name in told(answer)
    command = CampaignCommand.objects.get()
    assert (command.campaign, command.operation, command.author) == (fast, "pause", None)
    incident = Incident.objects.get()
    assert (incident.kind, incident.campaign) == ("rules", fast)
    assert not slow.commands.exists()
    assert not ended.commands.exists()


# --- incidents -----------------------------------------------------------------------------


@pytest.fixture
def night(bot: BotConnection) -> Incident:
    """A call at three in the morning, found in the report."""
    BotConnection.objects.filter(pk=bot.pk).update(created_at=timezone.now() - timedelta(days=30))
    campaign = rows.campaign(bot, name=HOSTILE[:200], reported_status=1)
    at = datetime.fromisoformat("2026-11-20T03:00:00+07:00")
    rows.call(bot, "+84915000001", timedelta(), campaign=campaign, started_at=at)
    rows.call(bot, "+84915000002", timedelta(), campaign=campaign, started_at=at + timedelta(minutes=1))
    assert watch.check_calls() == 2
    return Incident.objects.order_by("pk")[0]


def test_an_incident_tells_the_call_the_rule_and_what_was_done(night: Incident) -> None:
    client = login("Managers")
    listed = text(client.get(reverse("bot:incidents")))
    assert "outside the calling window" in listed
    assert HOSTILE not in listed
    page = text(client.get(reverse("bot:incident", args=[night.pk])))
    for words in ("+84915000001", "2026-11-20 03:00:00", "told at once to", "pause", "not confirmed yet"):
        assert words in page
    assert "<script>alert(2)" not in page
    CampaignCommand.objects.update(status="done", confirmed_at=timezone.now())
    assert "AntBOT has confirmed it" in text(client.get(reverse("bot:incident", args=[night.pk])))


def test_what_a_person_had_stopped_before_is_told_as_such(night: Incident) -> None:
    boss = factories.user("Managers", username="lan")
    CampaignCommand.objects.update(author=boss, created_at=night.created_at - timedelta(hours=1))
    page = text(login("Managers").get(reverse("bot:incident", args=[night.pk])))
    assert "had been told before to" in page
    assert "(lan)" in page


def test_closing_needs_a_reason_and_is_logged(night: Incident) -> None:
    client = login("Managers")
    address = reverse("bot:incident_close", args=[night.pk])
    assert "Say what was found" in told(client.post(address, {"reason": "  "}, follow=True))
    night.refresh_from_db()
    assert night.closed_at is None
    assert "1 incident closed" in told(client.post(address, {"reason": "A test number of ours"}, follow=True))
    night.refresh_from_db()
    assert (night.close_reason, night.closed_by) == ("A test number of ours", client.user.username)  # type: ignore[attr-defined]
    assert logged("incident.close").summary == "A test number of ours"
    assert "closed already" in told(client.post(address, {"reason": "again"}, follow=True))
    assert Incident.objects.filter(closed_at=None).count() == 1
    assert CampaignCommand.objects.get().operation == "pause", "closing starts nothing"


def test_all_alike_are_closed_at_once_and_no_other(night: Incident, bot: BotConnection) -> None:
    other = Incident.objects.create(
        connection=bot, campaign=night.campaign, kind="twice", summary="x", call=Call.objects.first()
    )
    client = login("Managers")
    page = text(client.get(reverse("bot:incident", args=[night.pk])))
    assert "the other open incident of this kind" in page
    client.post(reverse("bot:incident_close", args=[night.pk]), {"reason": "clock set wrong", "alike": "1"})
    assert list(Incident.objects.filter(closed_at=None)) == [other]


def test_incidents_are_filtered(night: Incident) -> None:
    incidents.close(night, reason="seen", by=factories.user("Managers"))
    client = login("Managers")
    address = reverse("bot:incidents")
    for query, found in (
        ({"state": "open"}, 1),
        ({"state": "closed"}, 1),
        ({"kind": "twice"}, 0),
        ({"campaign": night.campaign_id}, 2),
        ({"since": "2030-01-01"}, 0),
        ({"until": "2030-01-01"}, 2),
        ({"connection": night.connection_id}, 2),
    ):
        assert client.get(address, query).context["page"].paginator.count == found, query


def test_badges_count_what_is_open(night: Incident, bot: BotConnection) -> None:
    BotHealth.objects.create(connection=bot, needs_attention=True)
    BotRun.objects.create(connection=bot, stream="dnc", mode="complete", status="held")
    BotQuarantine.objects.create(connection=bot, stream="dnc", fingerprint="1", reason="no number")
    rows.bot(vendor_zone="", zone_confirmed_at=None)
    rows.bot(vendor_zone="", zone_confirmed_at=None, is_active=False)
    boss = factories.user("Admins")
    assert [
        count(boss)
        for count in (troubles.incidents, troubles.connections, troubles.held_runs, troubles.unreadable)
    ] == [2, 2, 1, 1]
    page = text(login("Admins").get(reverse("bot:incidents")))
    assert "Incidents" in page
    told_of = [notice["text"] for notice in connections.attention(boss)]
    assert told_of[0] == "2 open incidents"
    assert len(told_of) == 5
    assert connections.attention(factories.user("Sales")) == []


# --- runs and unreadable records -----------------------------------------------------------


@pytest.fixture
def held(bot: BotConnection) -> BotRun:
    return BotRun.objects.create(
        connection=bot, stream="bot_contacts", mode="complete", status="held", absent=412,
        details={"held": {"absent": 412, "live": 9800}},
    )  # fmt: skip


def test_approving_a_held_run_walks_once_more_at_once(held: BotRun, rung: list[Any]) -> None:
    client = login("Admins")
    page = text(client.get(reverse("bot:run", args=[held.pk])))
    assert "412 of 9,800 rows were not in the list" in page
    assert "Approve up to 412" in page
    answer = client.post(reverse("bot:run_approve", args=[held.pk]), follow=True)
    assert "walked once more at once" in told(answer)
    state = BotStreamState.objects.get(connection=held.connection, stream="bot_contacts")
    assert state.cursor["allowed"] == {"absent": 412, "run": held.pk}
    boss = client.user  # type: ignore[attr-defined]
    assert rung == [(connections.PULL, held.connection_id, "bot_contacts", "complete", boss.pk)]
    assert logged("run.approved").actor == boss
    assert "not held" in told(client.post(reverse("bot:run_approve", args=[held.pk]), follow=True))


def test_a_lost_ring_is_made_up_for_by_the_sweep(held: BotRun) -> None:
    """Also where the stream is usually read by dates."""
    state = BotStreamState.objects.get(connection=held.connection, stream="calls")
    state.cursor = {"watermark": timezone.now().isoformat(), "allowed": {"absent": 3, "run": 1}}
    state.last_started_at = timezone.now() - timedelta(seconds=61)
    state.every = 3600
    state.save()
    assert (held.connection_id, "calls", "complete") in pull.due_streams(timezone.now())


def test_dismissing_keeps_everything(held: BotRun, rung: list[Any]) -> None:
    answer = login("Admins").post(reverse("bot:run_dismiss", args=[held.pk]), follow=True)
    assert "stays as it is" in told(answer)
    assert (
        "allowed" not in BotStreamState.objects.get(connection=held.connection, stream="bot_contacts").cursor
    )
    assert rung == []


def test_managers_see_a_held_run_but_do_not_decide_it(held: BotRun) -> None:
    page = text(login("Managers").get(reverse("bot:run", args=[held.pk])))
    assert "An administrator decides this" in page
    assert "bo-danger" not in page


def test_runs_are_filtered_polls_apart(bot: BotConnection) -> None:
    for stream in ("calls", "live-7", "live-8"):
        BotRun.objects.create(connection=bot, stream=stream, mode="complete", status="ok")
    client = login("Managers")
    found = {
        query: client.get(reverse("bot:runs"), {"stream": query}).context["page"].paginator.count
        for query in ("", "calls", "live", "dnc")
    }
    assert found == {"": 3, "calls": 1, "live": 2, "dnc": 0}


def test_the_sample_of_an_unreadable_record_is_masked_and_escaped(bot: BotConnection) -> None:
    record = BotQuarantine.objects.create(
        connection=bot, stream="calls", fingerprint="1", reason=HOSTILE,
        sample='{"phone_number": "0934890883", "password": "geheim", "x": "<b>"}',
    )  # fmt: skip
    client = login("Admins")
    assert "&lt;script&gt;" in text(client.get(reverse("bot:unreadable")))
    page = text(client.get(reverse("bot:unreadable_record", args=[record.pk])))
    assert "0934890883" not in page
    assert "geheim" not in page
    assert "<b>" not in page


@pytest.mark.parametrize("name", ["bot:incidents", "bot:runs", "bot:unreadable", "bot:rules"])
def test_a_list_costs_the_same_for_3_rows_and_30(bot: BotConnection, name: str) -> None:
    campaign = rows.campaign(bot)

    def more(count: int) -> None:
        for number in range(count):
            call = rows.call(bot, f"+8491500{number:04d}", timedelta(), campaign=campaign)
            Incident.objects.create(connection=bot, campaign=campaign, call=call, kind="window", summary="x")
            BotRun.objects.create(connection=bot, stream="calls", mode="complete", status="ok")
            BotQuarantine.objects.create(connection=bot, stream="calls", fingerprint=str(call.pk), reason="x")

    client = login("Admins")
    costs = []
    for count in (3, 27):
        more(count)
        client.get(reverse(name))
        cache.clear()
        with CaptureQueriesContext(database) as queries:
            client.get(reverse(name))
        costs.append(len(queries))
    assert costs[0] == costs[1]


# --- Home ----------------------------------------------------------------------------------


def test_a_card_counts_what_its_links_open(night: Incident, bot: BotConnection) -> None:
    BotQuarantine.objects.create(connection=bot, stream="calls", fingerprint="1", reason="x")
    (card,) = connections.cards(factories.user("Admins"))
    numbers = {number["label"]: number for number in card["numbers"]}
    assert (numbers["dialling"]["value"], numbers["incidents"]["value"], numbers["unreadable"]["value"]) == (
        1,
        2,
        1,
    )
    client = login("Admins")
    for label in ("incidents", "unreadable"):
        page = client.get(numbers[label]["url"])
        assert page.context["page"].paginator.count == numbers[label]["value"]
    assert connections.cards(factories.user("Sales")) == []
    assert {number["url"] for number in connections.cards(factories.user("Managers"))[0]["numbers"][3:]} == {
        ""
    }


def test_the_part_of_home_is_a_template_and_its_cards(bot: BotConnection, rf: Any) -> None:
    from django.template.loader import render_to_string

    request = rf.get("/")
    request.user = factories.user("Managers")
    page = "bot_campaigns/home_connections.html"
    shown = render_to_string(page, {"card": {"cards": connections.cards(request.user)}}, request)
    assert reverse("bot:connection_sync", args=[bot.pk]) in shown
    assert reverse("bot:incidents") in shown
    assert reverse(CHANGE, args=[bot.pk]) not in shown, "managers may not open its form"
    empty = render_to_string(page, {"card": {"cards": [], "may_connect": True}}, request)
    assert reverse(ADD) in empty
