"""Commands under lost, late and odd answers: stops get through, starts leave once."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from backoffice.sync.push import LostLease
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import BotHealth, CampaignCommand, Launch, Suppression
from bot_campaigns.services import commands, control, figures, live
from tests import factories
from tests.bot_campaigns.services import rows
from tests.flows import bot as flow

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = {"method": "POST", "path": "*/status/"}
STOPS = {"pause": 2, "abort": 3, "end": 4}
FAULTS = {
    "lost before": {"kind": "cut_before"},
    "lost after": {"kind": "cut_after"},
    "500": {"kind": "status"},
    "500 after": {"kind": "status_after"},
    "redirect": {"kind": "redirect"},
    "429": {"kind": "status", "code": 429},
    "html": {"kind": "html"},
    "truncated": {"kind": "truncate"},
}


@pytest.fixture
def ready(sandbox, bot, by):
    """A campaign that was handed over and not started."""
    return flow.handed_over(flow.launch(sandbox, bot, flow.numbers(10)), by).campaign


def finish(sandbox, campaign):
    """Clear all trouble, let queued calls end, and attempt until nothing changes."""
    sandbox.clear()
    flow.work(campaign)
    sandbox.bot.advance(2)
    return flow.work(campaign)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", STOPS)
def test_a_stop_is_repeated_until_it_is_confirmed(sandbox, running, by, operation, fault):
    sandbox.bot.faults([{**FAULTS[fault], **STATUS}])
    getattr(commands, operation)(running, by=by)
    for _attempt in range(2):
        assert flow.work(running) == "unknown"
    assert commands.state_line(running).not_yet_stopped
    assert finish(sandbox, running) == "done"
    running.refresh_from_db()
    assert running.reported_status == STOPS[operation]
    assert commands.state_line(running).confirmed_at
    rung = len(sandbox.bot.ledger(campaign=running.remote_id))
    sandbox.bot.advance(10)
    assert len(sandbox.bot.ledger(campaign=running.remote_id)) == rung


@pytest.mark.parametrize("reading", ["A", "B", "C"])
@pytest.mark.parametrize("operation", STOPS)
def test_a_stop_is_confirmed_whichever_way_the_vendor_counts(sandbox, running, by, operation, reading):
    sandbox.bot.switches(reading=reading)
    getattr(commands, operation)(running, by=by)
    flow.work(running)
    sandbox.bot.advance(2)
    assert flow.work(running) == "done"
    assert len([each for each in flow.told(sandbox) if each == STOPS[operation]]) == 1


@pytest.mark.parametrize("answer", ["echo", "empty", "message"])
def test_an_echo_is_no_report(sandbox, running, by, answer):
    sandbox.bot.switches(status_answer=answer)
    commands.pause(running, by=by)
    flow.work(running)
    assert commands.state_line(running).not_yet_stopped, "calls were still going on"
    sandbox.bot.advance(2)
    assert flow.work(running) == "done"


def test_an_unknown_number_is_shown_and_needs_a_clear_yes(sandbox, running, by):
    sandbox.bot.switches(odd_status=9)
    sandbox.bot.faults([{"kind": "cut_after", **STATUS}])
    commands.pause(running, by=by)
    assert flow.work(running) == "unknown"
    running.refresh_from_db()
    assert commands.state_line(running).reported == "unknown (9)"
    assert finish(sandbox, running) == "done"


def test_the_page_says_what_is_asked_and_what_is_still_so(sandbox, running, by):
    sandbox.bot.faults([{"kind": "cut_before", **STATUS}])
    commands.pause(running, by=by, reason="lunch")
    flow.work(running)
    running.refresh_from_db()
    sandbox.clear()
    line = commands.state_line(running)
    asked = timezone.localtime(line.asked_at).strftime("%H:%M:%S")
    assert line.text == f"pause asked {asked}, AntBOT still says started"
    assert (line.reason, line.actions) == ("lunch", ["abort", "end"])
    flow.work(running)
    running.refresh_from_db()
    assert commands.state_line(running).text.endswith("calls in progress")


def test_stops_wait_neither_for_the_circuit_nor_for_a_person(sandbox, running, by):
    BotHealth.objects.update_or_create(
        connection=running.connection,
        defaults={"failures": 9, "open_until": timezone.now() + timedelta(hours=1), "needs_attention": True},
    )
    commands.abort(running, by=by)
    flow.work(running)
    sandbox.bot.advance(2)
    assert flow.work(running) == "done"


def test_a_start_waits_for_the_circuit(sandbox, ready, by):
    health = BotHealth.objects.get(connection=ready.connection)
    BotHealth.objects.filter(pk=health.pk).update(open_until=timezone.now() + timedelta(hours=1))
    commands.start(ready, by=by)
    assert flow.work(ready) == "waiting"
    assert flow.told(sandbox) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_start_is_applied_at_most_once(sandbox, ready, by, fault, settings):
    settings.OUTBOX_SETTLE_SECONDS = 0
    sandbox.bot.faults([{**FAULTS[fault], **STATUS}])
    command = commands.start(ready, by=by)
    for _attempt in range(4):
        flow.work(ready)
    assert len(flow.told(sandbox)) <= 1
    sandbox.clear()
    for _attempt in range(3):
        status = flow.work(ready)
    command.refresh_from_db()
    assert (status == "done") == (flow.told(sandbox) == [1])
    assert status in ("done", "held", "waiting"), command.words


def test_a_late_start_is_stopped_by_the_pause_asked_meanwhile(sandbox, ready, by, settings):
    """The start's answer is lost, it is applied late; the pause in between must win."""
    sandbox.bot.faults([{"kind": "apply_late", **STATUS, "times": 1, "seconds": 600}])
    commands.start(ready, by=by)
    assert flow.work(ready) == "unknown"
    commands.pause(ready, by=by)
    assert flow.work(ready) == "unknown", "a start may still arrive: not confirmed yet"
    assert "may still arrive" in commands.state_line(ready).words
    sandbox.apply_late_writes()
    ready.refresh_from_db()
    assert sandbox.bot.campaign(int(ready.remote_id))["status"] == 1
    assert flow.work(ready) == "unknown"
    settings.OUTBOX_SETTLE_SECONDS = 0
    sandbox.bot.advance(2)
    assert flow.work(ready) == "done"
    assert sandbox.bot.campaign(int(ready.remote_id))["status"] == 2


def test_an_older_start_is_dropped_by_a_newer_pause(sandbox, ready, by):
    start = commands.start(ready, by=by)
    commands.pause(ready, by=by)
    start.refresh_from_db()
    assert start.status == "cancelled"
    assert control.send_one(start.pk) == ""
    flow.work(ready)
    assert flow.told(sandbox) == [2]


def test_a_start_under_way_is_fenced_off_by_a_pause(sandbox, ready, by, monkeypatch):
    """Between the last look and the first byte somebody presses pause."""
    real = control.OUTBOX.__class__.mark_sent

    def pressed(self, entry, **more):
        monkeypatch.setattr(control.OUTBOX.__class__, "mark_sent", real)
        commands.pause(entry.campaign, by=by)
        return real(self, entry, **more)

    monkeypatch.setattr(control.OUTBOX.__class__, "mark_sent", pressed)
    start = commands.start(ready, by=by)
    assert control.send_one(start.pk) == ""
    assert flow.told(sandbox) == []
    with pytest.raises(LostLease):
        control.OUTBOX.write(start, words="x")


def test_a_start_expires(sandbox, ready, by):
    command = commands.start(ready, by=by)
    assert command.expires_at - command.created_at == timedelta(minutes=10)
    CampaignCommand.objects.filter(pk=command.pk).update(expires_at=timezone.now())
    assert flow.work(ready) == "cancelled"
    assert flow.told(sandbox) == []


@pytest.mark.parametrize("break_it", ["window", "dnc", "zone", "suppressed", "empty", "edited"])
def test_every_brake_is_asked_again_when_a_start_leaves(sandbox, ready, by, break_it):
    command = commands.start(ready, by=by)
    bot, rules = ready.connection, ready.connection.rules
    launch = Launch.objects.get(campaign=ready)
    if break_it == "window":
        rules.weekdays = str(timezone.localtime().isoweekday() % 7 + 1)
        rules.save()
    elif break_it == "dnc":
        bot.streams.update(last_ok_at=timezone.now() - timedelta(days=1))
    elif break_it == "zone":
        bot.zone_confirmed_at = None
        bot.save()
    elif break_it == "suppressed":
        Suppression.objects.create(e164=flow.numbers(1)[0], source="staff")
    elif break_it == "empty":
        launch.phonebook.remote_id = "999999"
        launch.phonebook.save()
    else:
        sandbox.bot.edit_campaign(int(ready.remote_id), frequency=99)
    assert flow.work(ready) == "rejected"
    command.refresh_from_db()
    assert command.words
    assert flow.told(sandbox) == []


def test_pressing_twice_is_one_command(ready, by):
    assert commands.pause(ready, by=by) == commands.pause(ready, by=by)
    assert CampaignCommand.objects.count() == 1


def test_the_product_pauses_once_and_never_over_a_stop(running, by):
    assert commands.pause_for(running, "a rule").reason == "a rule"
    assert commands.pause_for(running, "a rule") is None
    commands.abort(running, by=by)
    assert commands.pause_for(running, "another") is None
    assert commands.latest(running).operation == "abort"


def test_permissions(ready):
    nobody = factories.user()
    for command in (commands.start, commands.pause, commands.abort, commands.end):
        with pytest.raises(PermissionDenied):
            command(ready, by=nobody)
    assert CampaignCommand.objects.count() == 0


def test_a_dead_workers_stop_is_repeated_soon(sandbox, running, by, monkeypatch):
    command = commands.pause(running, by=by)
    assert control.OUTBOX.claim(command.pk)
    assert control.sweep() == {"released": 0, "rung": 0}
    CampaignCommand.objects.filter(pk=command.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert control.sweep() == {"released": 1, "rung": 1}
    monkeypatch.setattr(AntBotConnector, "close", lambda self: None)
    flow.work(running)
    assert 2 in flow.told(sandbox)


# --- removal -----------------------------------------------------------------------------


@pytest.fixture
def remover(by):
    by.user_permissions.add(Permission.objects.get(codename="delete_campaign"))
    return type(by).objects.get(pk=by.pk)


@pytest.fixture
def ended(sandbox, running, by):
    """A campaign that was ended, none of whose calls is here yet."""
    commands.end(running, by=by)
    flow.work(running)
    sandbox.bot.advance(3)
    assert flow.work(running) == "done"
    running.refresh_from_db()
    assert running.calls.count() == 0
    return running


def deletes(sandbox):
    return [each for each in sandbox.bot.writes() if each["operation"] == "campaigns.delete"]


def test_a_campaign_is_deleted_only_after_two_readings_of_all_its_calls(sandbox, ended, remover):
    rung = len(sandbox.bot.ledger(campaign=ended.remote_id))
    commands.delete(ended, by=remover)
    assert flow.work(ended) == "unknown"
    assert deletes(sandbox) == []
    assert ended.calls.filter(leg=1).count() == rung > 0
    assert flow.work(ended) == "done"
    assert len(deletes(sandbox)) == 1
    ended.refresh_from_db()
    assert ended.gone_at is not None
    assert ended.calls.filter(leg=1).count() == rung
    assert ended.subscribers.count() == 40
    assert set(commands.state_line(ended).refused) == {"start", "pause", "abort", "end", "delete"}


def test_a_call_reported_late_is_waited_for(sandbox, ended, remover):
    commands.delete(ended, by=remover)
    flow.work(ended)
    sandbox.bot.dial("0915999999", campaign=int(ended.remote_id))
    assert flow.work(ended) == "unknown"
    assert deletes(sandbox) == []
    assert flow.work(ended) == "done"
    assert ended.calls.filter(e164="+84915999999").exists()


@pytest.mark.parametrize("fault", ["lost before", "lost after", "500", "500 after"])
def test_a_delete_is_repeated_until_it_is_gone(sandbox, ended, remover, fault):
    commands.delete(ended, by=remover)
    flow.work(ended)
    sandbox.bot.faults([{**FAULTS[fault], "method": "DELETE", "path": "*", "times": 1}])
    flow.work(ended)
    sandbox.clear()
    assert flow.work(ended) == "done"
    assert sandbox.bot.rows("campaign", id=ended.remote_id) == []


def test_what_may_still_call_is_not_deleted(sandbox, running, ended, remover):
    with pytest.raises(PermissionDenied):
        commands.delete(ended, by=factories.user())
    ended.reported_status = 2
    ended.save()
    with pytest.raises(commands.NotCommanded, match="End it first"):
        commands.delete(ended, by=remover)
    ended.reported_status = 4
    ended.save()
    commands.delete(ended, by=remover)
    sandbox.bot.edit_campaign(int(ended.remote_id), status=1)
    assert flow.work(ended) == "rejected"
    assert deletes(sandbox) == []


def test_lines_of_many_campaigns_cost_as_much_as_of_one(running, by, django_assert_num_queries):
    commands.pause(running, by=by)
    others = [rows.campaign(running.connection) for _ in range(5)]
    with django_assert_num_queries(2):
        lines = commands.state_lines([running, *others])
    assert lines[running.pk] == commands.state_line(running)
    assert lines[others[0].pk].operation == ""


def test_a_live_poll_brings_the_numbers_of_a_fresh_launch(running):
    live.poll(running)
    running.refresh_from_db()
    assert running.total == sum(running.counts[name] for name, _label in figures.GROUPS) == 40
    assert set(running.subscribers.values_list("e164", flat=True)) == set(flow.numbers(40))
