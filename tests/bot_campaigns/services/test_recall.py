"""Numbers taken back from the bot, and what happens when that does not work."""

from datetime import timedelta

import pytest
from django.utils import timezone

from bot_campaigns.models import CampaignCommand, Launch, LaunchNumber, Suppression
from bot_campaigns.services import commands, recall
from crm_bridge.models import Contact, ContactTag
from tests import factories
from tests.flows import bot as flow

pytestmark = pytest.mark.django_db(transaction=True)
LAST = flow.numbers(40)[-1]


def row(e164=LAST):
    return LaunchNumber.objects.get(e164=e164)


def inactive(sandbox):
    return [each["contact"] for each in sandbox.bot.rows("contact") if each["status"] == 0]


def test_suppressing_marks_and_rings_without_http(sandbox, running):
    before = len(sandbox.bot.writes())
    assert recall.withdraw_numbers([LAST, "+84999999999"], "asked") == 1
    assert (row().withdrawal, row().withdrawal_reason) == ("asked", "asked")
    assert len(sandbox.bot.writes()) == before
    assert recall.carry_out() == 1
    assert row().withdrawal == "done"
    assert inactive(sandbox) == ["0" + LAST[3:]]


@pytest.mark.parametrize("state", [Contact.State.TRASHED, Contact.State.MERGED, Contact.State.MISSING])
def test_a_contact_that_is_no_more_is_withdrawn(sandbox, running, state):
    contact = factories.contact(factories.connection())
    LaunchNumber.objects.filter(e164=LAST).update(contact=contact)
    assert recall.sweep() == {"asked": 0, "withdrawn": 0}
    Contact.objects.filter(pk=contact.pk).update(state=state, state_since=timezone.now())
    assert recall.sweep() == {"asked": 1, "withdrawn": 1}
    sandbox.bot.advance(10)
    assert "0" + LAST[3:] not in [each["number"] for each in sandbox.bot.ledger()]


def test_consent_that_was_taken_back_withdraws(running):
    contact = factories.contact(factories.connection(), values={"tags": ["ok"]})
    LaunchNumber.objects.filter(launch__campaign=running).update(contact=contact)
    rules = running.connection.rules
    rules.consent_required, rules.consent_tag = True, "ok"
    rules.save()
    assert recall.sweep()["asked"] == 0
    ContactTag.objects.filter(contact=contact).delete()
    assert recall.sweep()["asked"] == 40


def test_numbers_are_taken_back_before_the_first_start_too(sandbox, bot, by):
    launch = flow.handed_over(flow.launch(sandbox, bot, flow.numbers(40)), by)
    Suppression.objects.create(e164=LAST, source="staff")
    assert recall.sweep()["withdrawn"] == 1
    commands.start(launch.campaign, by=by)
    assert flow.work(launch.campaign) == "done", "the brake is off once the number is withdrawn"
    sandbox.bot.advance(10)
    assert len(sandbox.bot.ledger(campaign=launch.campaign.remote_id)) == 39


def test_what_cannot_be_withdrawn_pauses_within_a_minute(sandbox, running):
    sandbox.bot.faults([{"kind": "status", "method": "PUT", "path": "*/contact/*"}])
    Suppression.objects.create(e164=LAST, source="staff")
    assert recall.sweep() == {"asked": 1, "withdrawn": 0}
    assert commands.latest(running).operation == "start"
    LaunchNumber.objects.filter(e164=LAST).update(withdrawal_at=timezone.now() - timedelta(seconds=61))
    recall.sweep()
    command = commands.latest(running)
    assert (command.operation, command.author) == ("pause", None)
    assert "60 seconds" in command.reason
    recall.sweep()
    assert CampaignCommand.objects.filter(operation="pause").count() == 1
    sandbox.clear()
    assert recall.sweep()["withdrawn"] == 1


def test_a_row_that_stays_active_is_not_believed_withdrawn(sandbox, running):
    sandbox.bot.faults(
        [
            {
                "kind": "remote_event",
                "method": "PUT",
                "path": "*/contact/*",
                "changes": {"status": 1},
                "when": "after",
            }
        ]
    )
    Suppression.objects.create(e164=LAST, source="staff")
    assert recall.sweep() == {"asked": 1, "withdrawn": 0}
    assert row().withdrawal == "asked"


def test_an_ended_campaign_is_left_alone(running):
    type(running).objects.update(reported_status=5)
    Suppression.objects.create(e164=LAST, source="staff")
    assert recall.sweep() == {"asked": 0, "withdrawn": 0}
    assert recall.withdraw_numbers([LAST], "asked") == 0
    assert Launch.objects.get().status == Launch.Status.STARTED
