"""Hand-over under odd and lost answers: one phonebook, one campaign, each number once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from bot_campaigns.models import BotContact, Campaign, Launch, LaunchNumber, Phonebook, Suppression
from bot_campaigns.services import commands, handover, launching
from tests.flows import bot as flow

pytestmark = pytest.mark.django_db(transaction=True)

WRITES = ("*/phonebook/", "*/bulkcontact/", "*/campaigns/")


def due(row):
    Launch.objects.filter(pk=row.pk).update(not_before=timezone.now() - timedelta(seconds=1))


def finished(sandbox, row, count):
    row.refresh_from_db()
    assert row.status == Launch.Status.READY, row.words
    books = [each for each in sandbox.bot.rows("phonebook") if row.code in each["name"]]
    campaigns = [each for each in sandbox.bot.rows("campaign") if row.code in each["name"]]
    assert (len(books), len(campaigns)) == (1, 1)
    assert campaigns[0]["phonebook"] == [books[0]["id"]]
    there = [each["contact"] for each in sandbox.bot.rows("contact", phonebook=books[0]["id"])]
    assert len(there) == len(set(there)) == count


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "status", "status_after", "truncate", "html"])
def test_an_unclear_answer_is_looked_up(sandbox, bot, by, settings, path, kind):
    settings.OUTBOX_SETTLE_SECONDS = 0
    row = flow.launch(sandbox, bot, flow.numbers(150))
    launching.confirm(row, by=by, start=False)
    sandbox.bot.faults([{"kind": kind, "method": "POST", "path": path, "times": 1}])
    for _turn in range(4):
        handover.hand_over(row.pk)
        due(row)
    finished(sandbox, row, 150)


def test_a_write_that_is_applied_late_is_waited_for(sandbox, bot, by):
    row = flow.launch(sandbox, bot, flow.numbers(30))
    launching.confirm(row, by=by, start=False)
    sandbox.bot.faults([{"kind": "apply_late", "method": "POST", "path": "*/bulkcontact/", "seconds": 600}])
    assert handover.hand_over(row.pk) == Launch.Status.HANDING_OVER
    assert handover.hand_over(row.pk) == "", "it rests until a late write must have been applied"
    row.refresh_from_db()
    assert row.not_before - timezone.now() > timedelta(seconds=100)
    sandbox.apply_late_writes()
    sandbox.clear()
    due(row)
    handover.hand_over(row.pk)
    finished(sandbox, row, 30)


@pytest.mark.parametrize("mirrored", [True, False])
def test_numbers_that_another_phonebook_holds_go_one_by_one(sandbox, bot, by, mirrored):
    known = sandbox.bot.rows("contact")[0]["contact"]
    e164 = "+84" + known[1:]
    if mirrored:
        book = Phonebook.objects.create(connection=bot, remote_id="1", name="x")
        BotContact.objects.create(connection=bot, remote_id="1", phonebook=book, number=known, e164=e164)
    row = flow.launch(sandbox, bot, [*flow.numbers(20), e164, *flow.numbers(20, 50)])
    flow.handed_over(row, by)
    finished(sandbox, row, 41)
    assert LaunchNumber.objects.get(launch=row, e164=e164).bot_contact_id


def test_a_number_suppressed_since_the_check_is_not_handed_over(sandbox, bot, by):
    row = flow.launch(sandbox, bot, flow.numbers(10))
    launching.confirm(row, by=by, start=False)
    Suppression.objects.create(e164=flow.numbers(10)[4], source="staff", reason="asked")
    handover.hand_over(row.pk)
    finished(sandbox, row, 9)
    left_out = LaunchNumber.objects.get(launch=row, handed_at=None)
    assert (left_out.e164, left_out.withdrawal) == (flow.numbers(10)[4], "done")
    assert "asked" in left_out.withdrawal_reason


def test_what_was_made_is_mirrored_at_once(sandbox, bot, by):
    row = flow.handed_over(flow.launch(sandbox, bot, flow.numbers(3), name="A" * 80), by)
    there = sandbox.bot.campaign(int(row.campaign.remote_id))
    assert there["name"] == row.campaign.name == row.phonebook.name
    assert there["name"].endswith(f"A · {row.code}")
    assert len(there["name"]) <= 90
    campaign = Campaign.objects.get()
    assert (campaign.frequency, campaign.total, list(campaign.phonebooks.all())) == (10, 3, [row.phonebook])
    assert (campaign.daily_start.hour, campaign.daily_stop.hour) == (0, 23)


def test_the_window_is_told_on_the_vendors_clock(sandbox, bot, by):
    bot.vendor_zone = "UTC"
    bot.save()
    from datetime import time

    row = flow.launch(sandbox, bot, flow.numbers(2), daily_start=time(8), daily_stop=time(17))
    flow.handed_over(row, by)
    assert (row.campaign.daily_start, row.campaign.daily_stop) == (time(1), time(9, 59, 59))


def test_nobody_left_holds_the_launch(sandbox, bot, by):
    row = flow.launch(sandbox, bot, flow.numbers(1))
    launching.confirm(row, by=by, start=False)
    Suppression.objects.create(e164=flow.numbers(1)[0], source="staff")
    assert handover.hand_over(row.pk) == Launch.Status.HELD
    row.refresh_from_db()
    assert "Nobody is left" in row.words
    assert [each for each in sandbox.bot.rows("campaign") if row.code in each["name"]] == []
    launching.resume(row, by=by)
    assert row.status == Launch.Status.HANDING_OVER


def test_a_cancelled_hand_over_goes_no_further(sandbox, bot, by, monkeypatch):
    row = flow.launch(sandbox, bot, flow.numbers(150))
    launching.confirm(row, by=by)
    real = handover._HandOver._handed

    def cancelled(self, ids):
        real(self, ids)
        launching.cancel(row, by=by)

    monkeypatch.setattr(handover._HandOver, "_handed", cancelled)
    assert handover.hand_over(row.pk) == ""
    assert [each for each in sandbox.bot.rows("campaign") if row.code in each["name"]] == []
    assert handover.due() == []


def test_two_workers_are_one(sandbox, bot, by, monkeypatch):
    row = flow.launch(sandbox, bot, flow.numbers(5))
    launching.confirm(row, by=by, start=False)
    real = handover._HandOver.run
    seen = []

    def run(self, connector):
        seen.append(handover.hand_over(row.pk))
        real(self, connector)

    monkeypatch.setattr(handover._HandOver, "run", run)
    assert handover.hand_over(row.pk) == Launch.Status.READY
    assert seen == [""]


def test_a_slow_hand_over_is_not_started_by_itself(sandbox, bot, by):
    row = flow.launch(sandbox, bot, flow.numbers(2))
    launching.confirm(row, by=by)
    Launch.objects.filter(pk=row.pk).update(confirmed_at=timezone.now() - timedelta(minutes=11))
    handover.hand_over(row.pk)
    row.refresh_from_db()
    assert row.status == Launch.Status.READY
    assert commands.latest(row.campaign) is None
    assert "ten minutes" in row.words


def test_numbers_are_written_as_the_vendor_does():
    assert handover.as_dialled("+84915000000") == "0915000000"
    assert handover.as_dialled("+4930123456") == "+4930123456"
