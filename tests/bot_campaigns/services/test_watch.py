"""Calls held against the rules: each breach an incident, once, and the campaign paused."""

from datetime import datetime, time, timedelta

import pytest
from django.utils import timezone

from bot_campaigns.models import BotConnection, Call, CallingRules, Incident, Suppression
from bot_campaigns.services import commands, watch
from tests.bot_campaigns.services import rows
from tests.flows import bot as flow

pytestmark = pytest.mark.django_db

TEN = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
NUMBER = "+84915000001"


@pytest.fixture
def bot():
    connection = rows.bot()
    BotConnection.objects.filter(pk=connection.pk).update(created_at=TEN - timedelta(days=30))
    CallingRules.objects.create(connection=connection)
    return connection


@pytest.fixture
def campaign(bot):
    return rows.campaign(bot)


def call(campaign, at=TEN, number=NUMBER, **fields):
    return rows.call(
        campaign.connection, number, timedelta(), campaign=campaign, **{"started_at": at, **fields}
    )


def kinds():
    return sorted(Incident.objects.values_list("kind", flat=True))


def test_a_call_within_the_rules_is_no_incident(campaign):
    call(campaign)
    assert watch.check_calls() == 0
    assert Call.objects.get().checked_at
    assert commands.latest(campaign) is None


@pytest.mark.parametrize("hour", [0, 7, 17, 22])
def test_a_call_outside_the_window_pauses(campaign, hour):
    call(campaign, TEN.replace(hour=hour))
    assert watch.check_calls() == 1
    incident = Incident.objects.get()
    assert (incident.kind, incident.campaign) == ("window", campaign)
    command = commands.latest(campaign)
    assert (command.operation, command.reason) == ("pause", incident.summary)
    assert watch.check_calls() == 0
    assert Incident.objects.count() == 1


def test_the_window_counts_where_the_number_is(campaign):
    call(campaign, TEN, number="+4930123456")
    watch.check_calls()
    assert "where the number is" in Incident.objects.get().summary


@pytest.mark.parametrize(
    ("since", "lifted", "found"),
    [(-60, None, ["suppressed"]), (60, None, []), (-60, -30, []), (-60, 30, ["suppressed"])],
)
def test_only_a_suppression_that_stood_at_the_call_counts(campaign, since, lifted, found):
    Suppression.objects.create(
        e164=NUMBER,
        source="staff",
        since=TEN + timedelta(minutes=since),
        lifted_at=lifted and TEN + timedelta(minutes=lifted),
    )
    call(campaign)
    watch.check_calls()
    assert kinds() == found


def test_a_second_call_by_the_same_campaign(campaign):
    call(campaign)
    call(campaign, TEN + timedelta(days=3))
    watch.check_calls()
    assert kinds() == ["twice"]


def test_a_second_call_by_another_campaign_within_a_day(campaign, bot):
    other = rows.campaign(bot)
    call(campaign)
    call(other, TEN + timedelta(hours=3))
    call(other, TEN + timedelta(hours=25), number="+84915000002")
    call(campaign, TEN, number="+84915000002")
    watch.check_calls()
    assert kinds() == ["too_soon"]
    assert commands.latest(other).operation == "pause"
    assert commands.latest(campaign) is None


def test_the_rule_of_hours_can_be_switched_off(campaign, bot):
    CallingRules.objects.update(hours_between_calls=0)
    call(campaign)
    call(rows.campaign(bot), TEN + timedelta(hours=3))
    assert watch.check_calls() == 0


def test_transfers_reminders_and_history_are_left_alone(campaign):
    night = TEN.replace(hour=3)
    call(campaign, night, leg=2)
    call(campaign, night, is_alarm=True)
    call(campaign, night, is_otp=True)
    call(campaign, night - timedelta(days=40))
    assert watch.check_calls() == 0
    assert not Call.objects.filter(checked_at=None).exists()


def test_an_ended_campaign_gets_the_incident_but_no_command(campaign):
    type(campaign).objects.update(reported_status=4)
    call(campaign, TEN.replace(hour=3))
    assert watch.check_calls() == 1
    assert commands.latest(campaign) is None


@pytest.mark.django_db(transaction=True)
def test_a_rogue_call_in_the_report_really_stops_the_campaign(sandbox, by):
    connection = flow.connected(sandbox)
    launch = flow.handed_over(flow.launch(sandbox, connection, flow.numbers(40)), by, start=True)
    flow.work(launch.campaign)
    sandbox.bot.advance(seconds=20)
    started = timezone.now() - timedelta(minutes=20)
    CallingRules.objects.update(window_end=(timezone.localtime(started) - timedelta(minutes=5)).time())
    CallingRules.objects.update(window_start=time(0))
    rows.call(connection, NUMBER, timedelta(), campaign=launch.campaign, started_at=started)
    assert watch.check_calls() == 1
    flow.work(launch.campaign)
    sandbox.bot.advance(2)
    assert flow.work(launch.campaign) == "done"
    assert sandbox.bot.campaign(int(launch.campaign.remote_id))["status"] == 2
