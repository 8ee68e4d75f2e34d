"""What must hold whatever happens: random commands and faults, dead workers, people to be left alone."""

import os
import random
import signal
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.conf import settings as configured
from django.utils import timezone

from bot_campaigns.models import Call, CampaignCommand, Incident, Launch, LaunchNumber, Suppression
from bot_campaigns.services import commands, control, handover, launching, pull, recall, watch
from crm_bridge.models import Contact
from tests import factories
from tests.bot_campaigns.services import rows
from tests.flows import bot as flow
from tests.processes import run, until, worker

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = {"method": "POST", "path": "*/status/"}
FAULTS = [
    {"kind": "cut_before"}, {"kind": "cut_after"}, {"kind": "status"}, {"kind": "status_after"},
    {"kind": "redirect"}, {"kind": "status", "code": 429}, {"kind": "html"}, {"kind": "truncate"},
    {"kind": "apply_late", "seconds": 600},
]  # fmt: skip
HAND_OVER = (
    "from backoffice.celery import app; app.send_task('bot_campaigns.tasks.hand_over', [{}], queue='push')"
)


@pytest.fixture
def by(db):
    return flow.manager()


@pytest.fixture
def connection(sandbox, db):
    return flow.connected(sandbox)


def test_the_witness_itself_sees_a_second_call_and_a_suppressed_one(sandbox, connection, by):
    """Else a ledger that is never looked at would prove everything."""
    row = flow.handed_over(flow.launch(sandbox, connection, flow.numbers(3)), by, start=True)
    flow.work(row.campaign)
    sandbox.bot.advance(2)
    assert flow.check_ledger(sandbox) == 3
    Suppression.objects.create(
        e164=flow.numbers(3)[0], source="staff", since=row.confirmed_at - timedelta(days=1)
    )
    with pytest.raises(AssertionError, match="suppressed before"):
        flow.check_ledger(sandbox)
    Suppression.objects.all().delete()
    LaunchNumber.objects.filter(e164=flow.numbers(3)[1]).update(withdrawal="done")
    with pytest.raises(AssertionError, match="withdrawn"):
        flow.check_ledger(sandbox)
    LaunchNumber.objects.update(withdrawal="")
    sandbox.bot.dial("0" + flow.numbers(3)[2][3:], campaign=int(row.campaign.remote_id))
    with pytest.raises(AssertionError, match="twice"):
        flow.check_ledger(sandbox)
    Launch.objects.update(campaign=None)  # the fixture looks too


# --- commands ------------------------------------------------------------------------------


def worker_dies(campaign, after_the_mark):
    """A worker takes the newest command and is gone; its lease runs out and the sweep finds it."""
    entry = control.OUTBOX.claim(campaign.commands.order_by("-pk").first().pk)
    if entry is None:
        return
    if after_the_mark:
        control.OUTBOX.mark_sent(entry)
    past = timezone.now() - timedelta(seconds=1)
    CampaignCommand.objects.filter(pk=entry.pk).update(lease_until=past)
    control.sweep()


def random_commands(rng, sandbox, campaign, by):
    asked = 0
    for _step in range(25):
        what = rng.choice(
            ["start", "start", "pause", "work", "work", "work", "fault", "late", "time", "death"]
        )
        if what == "start":
            commands.start(campaign, by=by)
            asked += 1
        elif what == "pause":
            commands.pause(campaign, by=by)
        elif what == "fault":
            sandbox.bot.faults([{**rng.choice(FAULTS), **STATUS, "times": rng.choice([1, 2])}])
        elif what == "late":
            sandbox.apply_late_writes()
        elif what == "time":
            sandbox.bot.advance(seconds=rng.choice([10, 70]))
        elif commands.latest(campaign) is not None:
            if what == "work":
                flow.work(campaign)
            else:
                worker_dies(campaign, after_the_mark=rng.random() < 0.5)
        campaign.refresh_from_db()
    return asked


def commands_hold(seed, sandbox, connection, by, settings):
    rng = random.Random(seed)
    row = flow.handed_over(flow.launch(sandbox, connection, flow.numbers(200)), by)
    campaign = row.campaign
    asked = random_commands(rng, sandbox, campaign, by)
    last = rng.choice(["pause", "abort", "end"])
    getattr(commands, last)(campaign, by=by)
    sandbox.clear()
    sandbox.apply_late_writes()
    settings.OUTBOX_SETTLE_SECONDS = 0  # so much time has passed that nothing can come any more
    for _attempt in range(12):
        if flow.work(campaign) == "done":
            break
        sandbox.bot.advance(2)
    campaign.refresh_from_db()
    line = commands.state_line(campaign)
    assert (line.status, line.not_yet_stopped) == ("done", False), (seed, line)
    assert sandbox.bot.campaign(int(campaign.remote_id))["status"] != 1, seed
    rung = len(sandbox.bot.ledger(campaign=campaign.remote_id))
    sandbox.bot.advance(10)
    assert len(sandbox.bot.ledger(campaign=campaign.remote_id)) == rung, (seed, "it went on after the stop")
    assert flow.told(sandbox).count(1) <= asked, (seed, "a start was repeated")
    starts = CampaignCommand.objects.filter(operation="start")
    assert starts.exclude(status__in=("done", "cancelled", "rejected", "held")).count() == 0


@pytest.mark.parametrize("seed", range(6))
def test_random_commands_end_stopped_and_start_nothing_twice(sandbox, connection, by, settings, seed):
    """Lost answers, late answers, dead workers: the last stop wins, and each start leaves once."""
    commands_hold(seed, sandbox, connection, by, settings)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 200))
def test_a_hundred_random_histories_of_commands(sandbox, connection, by, settings, seed):
    commands_hold(seed, sandbox, connection, by, settings)


# --- a worker that is killed ---------------------------------------------------------------


def test_a_real_worker_killed_in_the_middle_of_a_hand_over(sandbox, connection, by, tmp_path):
    """kill -9 of the process; another one finishes: one phonebook, one campaign, each number once."""
    row = flow.launch(sandbox, connection, flow.numbers(2000))
    launching.confirm(row, by=by, typed="2000", start=False)
    sandbox.latency(40)
    with worker(tmp_path) as victim:
        assert run(tmp_path, HAND_OVER.format(row.pk)).returncode == 0
        until(lambda: Launch.objects.get(pk=row.pk).handed_over >= 300)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    row.refresh_from_db()
    assert (row.status, row.campaign) == (Launch.Status.HANDING_OVER, None)
    assert 300 <= row.handed_over < 2000, "it died in the middle"
    assert handover.hand_over(row.pk) == "", "the dead worker's lease still runs"
    sandbox.latency(0)
    Launch.objects.filter(pk=row.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    with worker(tmp_path):
        assert run(tmp_path, HAND_OVER.format(row.pk)).returncode == 0
        until(lambda: Launch.objects.get(pk=row.pk).status == Launch.Status.READY)
    row.refresh_from_db()
    assert row.status == Launch.Status.READY, row.words
    books = [each for each in sandbox.bot.rows("phonebook") if row.code in each["name"]]
    campaigns = [each for each in sandbox.bot.rows("campaign") if row.code in each["name"]]
    assert (len(books), len(campaigns)) == (1, 1)
    there = Counter(each["contact"] for each in sandbox.bot.rows("contact", phonebook=books[0]["id"]))
    assert (len(there), set(there.values())) == (2000, {1})
    assert row.handed_over == 2000


def test_rows_looked_at_too_long_ago_are_looked_at_again(sandbox, connection, by, monkeypatch):
    """A number suppressed while the hundred before it are on their way does not leave."""
    monkeypatch.setattr(handover, "GOOD_FOR", 0.0)
    row = flow.launch(sandbox, connection, flow.numbers(250))
    launching.confirm(row, by=by, start=False)
    real = handover.AntBotConnector.create_contacts
    late = flow.numbers(250)[240]

    def slowly(self, book, drafts):
        if not Suppression.objects.exists():
            Suppression.objects.create(e164=late, source="staff")
        return real(self, book, drafts)

    monkeypatch.setattr(handover.AntBotConnector, "create_contacts", slowly)
    assert handover.hand_over(row.pk) == Launch.Status.READY
    left_out = LaunchNumber.objects.get(launch=row, handed_at=None)
    assert left_out.e164 == late
    assert "0" + late[3:] not in [each["contact"] for each in sandbox.bot.rows("contact")]


# --- people to be left alone ---------------------------------------------------------------


def test_the_sweeps_come_often_enough():
    """Found by one sweep, withdrawn in the same; two sweeps fit into the minute."""
    beat = configured.CELERY_BEAT_SCHEDULE
    assert beat["recall"]["task"] == "bot_campaigns.tasks.recall"
    assert beat["recall"]["schedule"] <= recall.WITHIN.total_seconds() / 2
    assert beat["control"]["task"] == "bot_campaigns.tasks.control"
    assert beat["control"]["schedule"] <= 5


@pytest.mark.soak
def test_beat_and_worker_withdraw_within_a_minute(sandbox, connection, by, tmp_path):
    """Trashed, merged and suppressed at the same moment, with nobody's help but beat's."""
    row = flow.launch(sandbox, connection, flow.numbers(60), frequency=1)
    crm = rows.crm()
    gone = {}
    for number in reversed(flow.numbers(60)[-2:]):
        gone[number] = factories.contact(crm)
        LaunchNumber.objects.filter(launch=row, e164=number).update(contact=gone[number])
    flow.handed_over(row, by, start=True)
    flow.work(row.campaign)
    with worker(tmp_path, "-B", "-s", str(tmp_path / "beat")):
        until(lambda: (tmp_path / "worker.log").read_text().count("ready") > 0)
        began = time.monotonic()
        for contact, state in zip(gone.values(), ("trashed", "merged"), strict=True):
            Contact.objects.filter(pk=contact.pk).update(state=state, state_since=timezone.now())
        silent = flow.numbers(60)[-3]
        Suppression.objects.create(e164=silent, source="staff")
        wanted = {*gone, silent}
        done = LaunchNumber.objects.filter(launch=row, withdrawal="done", e164__in=wanted)
        until(lambda: done.count() == 3, seconds=75)
        assert time.monotonic() - began < 60
    inactive = {each["contact"] for each in sandbox.bot.rows("contact") if each["status"] == 0}
    assert {"0" + each[3:] for each in wanted} <= inactive
    sandbox.bot.advance(70)
    assert not {each["e164"] for each in sandbox.bot.ledger(campaign=row.campaign.remote_id)} & wanted


@pytest.mark.dirty_ledger
def test_a_call_at_night_seen_in_the_report_pauses_the_campaign_there(sandbox, connection, by):
    """The bot calls outside the rules all the same: the report is the witness, and the bot is told."""
    rules = connection.rules
    rules.window_start, rules.window_end = datetime(2026, 1, 1, 8).time(), datetime(2026, 1, 1, 17).time()  # noqa: DTZ001
    row = flow.handed_over(flow.launch(sandbox, connection, flow.numbers(30)), by, start=True)
    campaign = row.campaign
    flow.work(campaign)
    rules.save()
    type(connection).objects.filter(pk=connection.pk).update(created_at=timezone.now() - timedelta(days=3))
    night = timezone.localtime().replace(hour=2, minute=30) - timedelta(days=1)
    sandbox.bot.dial("0" + flow.numbers(30)[0][3:], campaign=int(campaign.remote_id), at=night.isoformat())
    pull.pull(connection, "campaigns")
    pull.pull(connection, "calls")
    assert Call.objects.filter(campaign=campaign).exists()
    assert watch.check_calls() >= 1
    incident = Incident.objects.filter(kind="window", call__started_at=night).get()
    assert incident.campaign == campaign
    command = commands.latest(campaign)
    assert (command.operation, command.author) == ("pause", None)
    flow.work(campaign)
    sandbox.bot.advance(2)
    flow.work(campaign)
    assert sandbox.bot.campaign(int(campaign.remote_id))["status"] == 2
