"""From a confirmed launch to its end, over real HTTP and in simulated time."""

import os
import signal
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from backoffice.models import AuditEntry
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import CampaignCommand, Launch, LaunchNumber, Suppression
from bot_campaigns.services import commands, control, handover, launching, recall
from tests.flows import bot as flow

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def by(db):
    return flow.manager()


@pytest.fixture
def connection(sandbox, db):
    return flow.connected(sandbox)


def dialled(sandbox, campaign):
    return [each["number"] for each in sandbox.bot.ledger(campaign=campaign.remote_id)]


def status_writes(sandbox):
    return flow.told(sandbox)


def test_launch_dial_pause_resume_end(sandbox, connection, by):
    row = flow.launch(sandbox, connection, flow.numbers(60))
    flow.handed_over(row, by, start=True)
    campaign = row.campaign
    assert flow.work(campaign) == "done"
    row.refresh_from_db()
    assert (row.status, row.handed_over) == (Launch.Status.STARTED, 60)
    sandbox.bot.advance(seconds=90)
    assert len(dialled(sandbox, campaign)) >= 15

    commands.pause(campaign, by=by)
    assert flow.work(campaign) == "unknown"
    line = commands.state_line(campaign)
    assert line.not_yet_stopped
    assert line.in_progress > 0
    sandbox.bot.advance(2)
    assert flow.work(campaign) == "done"
    campaign.refresh_from_db()
    assert commands.state_line(campaign).confirmed_at is not None
    assert campaign.desired == "pause"
    so_far = len(dialled(sandbox, campaign))
    sandbox.bot.advance(5)
    assert len(dialled(sandbox, campaign)) == so_far

    commands.start(campaign, by=by)
    assert flow.work(campaign) == "done"
    sandbox.bot.advance(1)
    assert len(dialled(sandbox, campaign)) > so_far
    commands.end(campaign, by=by)
    flow.work(campaign)
    sandbox.bot.advance(2)
    assert flow.work(campaign) == "done"
    campaign.refresh_from_db()
    assert campaign.reported_status == 4
    assert max(Counter(dialled(sandbox, campaign)).values()) == 1
    assert status_writes(sandbox) == [1, 2, 1, 4]
    told = set(AuditEntry.objects.values_list("action", flat=True))
    assert {f"campaign.pause{step}" for step in ("", ".sent", ".confirmed")} <= told


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def killing(name, calls):
    """Patch a connector's method to die at its n-th call, before or after it is sent."""
    real, when = getattr(AntBotConnector, name), calls

    def patched(self, *args, **kwargs):
        nonlocal when
        when -= 1
        if when == 0:
            die()
        result = real(self, *args, **kwargs)
        if when == 0.5:
            die()
        return result

    setattr(AntBotConnector, name, patched)


def child(work):
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


BOUNDARIES = [
    (name, calls) for name in ("create_phonebook", "create_contacts", "create_campaign") for calls in (1, 1.5)
] + [("create_contacts", 2), ("create_contacts", 2.5)]


@pytest.mark.parametrize(("name", "calls"), BOUNDARIES)
def test_a_hand_over_killed_anywhere_makes_one_phonebook_and_one_campaign(
    sandbox, connection, by, name, calls
):
    row = flow.launch(sandbox, connection, flow.numbers(250))
    launching.confirm(row, by=by, start=False)

    def work():
        killing(name, calls)
        handover.hand_over(row.pk)

    assert child(work) == -signal.SIGKILL
    assert handover.hand_over(row.pk) == "", "the dead worker's lease still runs"
    Launch.objects.filter(pk=row.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert handover.due() == [row.pk]
    assert handover.hand_over(row.pk) == Launch.Status.READY
    check_one(sandbox, row, 250)


def test_numbers_that_arrived_before_the_kill_are_not_sent_again(sandbox, connection, by):
    """Also where the bot takes a number twice without a word: the phonebook is listed first."""
    sandbox.bot.switches(bulk_duplicates="accept")
    row = flow.launch(sandbox, connection, flow.numbers(150))
    launching.confirm(row, by=by, start=False)

    def work():
        killing("create_contacts", 1.5)
        handover.hand_over(row.pk)

    assert child(work) == -signal.SIGKILL
    Launch.objects.filter(pk=row.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert handover.hand_over(row.pk) == Launch.Status.READY
    check_one(sandbox, row, 150)


def check_one(sandbox, row, count):
    """One phonebook, one campaign, no number twice."""
    row.refresh_from_db()
    books = [each for each in sandbox.bot.rows("phonebook") if row.code in each["name"]]
    campaigns = [each for each in sandbox.bot.rows("campaign") if row.code in each["name"]]
    assert (len(books), len(campaigns)) == (1, 1)
    assert (str(books[0]["id"]), str(campaigns[0]["id"])) == (row.phonebook.remote_id, row.campaign.remote_id)
    there = [each["contact"] for each in sandbox.bot.rows("contact", phonebook=books[0]["id"])]
    assert len(there) == len(set(there)) == count
    assert row.handed_over == count


def test_a_number_suppressed_during_the_run_is_withdrawn_and_never_rings(sandbox, connection, by):
    row = flow.launch(sandbox, connection, flow.numbers(40))
    flow.handed_over(row, by, start=True)
    campaign = row.campaign
    flow.work(campaign)
    sandbox.bot.advance(seconds=61)
    rung = {"+84" + each[1:] for each in dialled(sandbox, campaign)}
    ahead = next(each for each in reversed(flow.numbers(40)) if each not in rung)
    gone = min(rung)
    for each in (ahead, gone):
        Suppression.objects.create(e164=each, source="staff", reason="asked")
    assert recall.sweep() == {"asked": 2, "withdrawn": 2}
    found = dict(
        LaunchNumber.objects.filter(launch=row).exclude(withdrawal="").values_list("e164", "withdrawal")
    )
    assert found == {ahead: "done", gone: "too_late"}
    sandbox.bot.advance(10)
    assert "0" + ahead[3:] not in dialled(sandbox, campaign)
    assert len(dialled(sandbox, campaign)) == 39


def test_without_the_sweep_the_number_rings(sandbox, connection, by):
    """The test above proves the sweep: a suppression alone stops no call."""
    row = flow.launch(sandbox, connection, flow.numbers(40))
    flow.handed_over(row, by, start=True)
    flow.work(row.campaign)
    Suppression.objects.create(e164=flow.numbers(40)[-1], source="staff")
    sandbox.bot.advance(10)
    assert len(dialled(sandbox, row.campaign)) == 40


def test_the_start_leaves_once_whatever_the_answer(sandbox, connection, by, settings):
    settings.OUTBOX_SETTLE_SECONDS = 0
    row = flow.handed_over(flow.launch(sandbox, connection, flow.numbers(5)), by)
    sandbox.bot.faults([{"kind": "cut_after", "method": "POST", "path": "*/status/"}])
    commands.start(row.campaign, by=by)
    for _attempt in range(3):
        flow.work(row.campaign)
    assert status_writes(sandbox) == [1]
    assert CampaignCommand.objects.get().status == "done"


def test_a_start_that_did_not_arrive_asks_a_person(sandbox, connection, by, settings):
    settings.OUTBOX_SETTLE_SECONDS = 0
    row = flow.handed_over(flow.launch(sandbox, connection, flow.numbers(5)), by)
    sandbox.bot.faults([{"kind": "cut_before", "method": "POST", "path": "*/status/"}])
    commands.start(row.campaign, by=by)
    assert flow.work(row.campaign) == "unknown"
    sandbox.clear()
    assert flow.work(row.campaign) == "held"
    assert flow.work(row.campaign) == "held"
    assert status_writes(sandbox) == []
    commands.start(row.campaign, by=by)
    assert flow.work(row.campaign) == "done"
    assert status_writes(sandbox) == [1]
    assert control.sweep() == {"released": 0, "rung": 0}
