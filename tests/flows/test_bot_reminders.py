"""Reminder calls from the form to the ringing phone, over real HTTP and in simulated time."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from bot_campaigns.models import (
    Alarm,
    BotChange,
    CalendarUser,
    Call,
    CallingRules,
    Event,
    Gateway,
    SealedSurvey,
    Suppression,
)
from bot_campaigns.services import change_sending, pull, reminder_sending, reminders, silence, suppression
from bot_campaigns.services.changes import Refused
from tests import factories
from tests.flows import bot as flow

pytestmark = pytest.mark.django_db(transaction=True)
AN = "+84915000001"


@pytest.fixture
def lan(db):
    return factories.user("Managers")


@pytest.fixture
def bot(sandbox, db):
    connection = flow.connected(sandbox)
    sandbox.bot.clock(now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), speed=0)
    for stream in ("gateways", "surveys"):
        pull.pull(connection, stream)
    return connection


@pytest.fixture
def setting(bot):
    change = reminders.make_setting(
        bot, label="Nhắc hẹn", callerid="AnhDuong", caller_name="", call_timeout=30,
        survey=SealedSurvey.objects.filter(connection=bot).first(),
        gateway=Gateway.objects.filter(connection=bot, is_enabled=True).first(), by=factories.user("Admins"),
    )  # fmt: skip
    assert change_sending.send_one(change.pk) == "done"
    return reminders.choice_of(bot).setting


@pytest.fixture
def an(db):
    return factories.contact(
        factories.connection(), values={"name": "An", "phones": [{"value": AN, "type": ""}]}
    )


def soon(minutes=5):
    return timezone.now() + timedelta(minutes=minutes)


def ask(bot, an, lan, **fields):
    values = {
        "connection": bot, "contact": an, "number": "0915 000 001", "rings_at": soon(),
        "title": "Hẹn ký hợp đồng", "by": lan, "nonce": "",
    }  # fmt: skip
    return reminders.ask(**{**values, **fields})


def work(alarm, times=1):
    for _turn in range(times):
        Alarm.objects.filter(pk=alarm.pk, lease_until=None).update(
            not_before=timezone.now() - timedelta(seconds=1)
        )
        reminder_sending.send_one(alarm.pk)
    alarm.refresh_from_db()
    return alarm.progress


def test_a_reminder_rings_once_at_its_time(sandbox, bot, setting, an, lan):
    alarm = ask(bot, an, lan, transfer_to="0915 000 009")
    assert work(alarm) == "sent"
    there = sandbox.bot.rows("alarm")
    assert [(e["alarm_phonenumber"], e["phonenumber_transfer"]) for e in there] == [
        ("0915000001", "0915000009")
    ]
    assert alarm.remote_id == str(there[0]["id"])
    assert alarm.event == Event.objects.get(title__startswith="Hẹn ký hợp đồng · ")
    sandbox.bot.advance(10)
    assert [each["number"] for each in sandbox.bot.ledger()] == ["0915000001"]
    pull.pull(bot, "reminders")
    pull.pull(bot, "calls")
    alarm.refresh_from_db()
    assert alarm.status in (3, 5)
    assert (alarm.title, alarm.contact, alarm.progress) == ("Hẹn ký hợp đồng", an, "sent")
    assert Alarm.objects.count() == 1
    assert Call.objects.get(is_alarm=True, e164=AN).contact == an


def test_two_reminders_share_one_calendar(sandbox, bot, setting, an, lan):
    binh = factories.contact(
        factories.connection(), values={"name": "Bình", "phones": [{"value": "0915000002", "type": ""}]}
    )
    first, second = ask(bot, an, lan), ask(bot, binh, lan, number="0915000002")
    assert (work(first), work(second)) == ("sent", "sent")
    assert len(sandbox.bot.rows("calendar_user")) == len(sandbox.bot.rows("calendar")) == 1
    assert len(sandbox.bot.rows("event")) == 2


def test_passwords_are_kept_nowhere(sandbox, bot, setting, an, lan, monkeypatch, caplog):
    from bot_campaigns.antbot.connector import AntBotConnector

    sent = []
    real = AntBotConnector.create_calendar_user

    def spy(self, **values):
        sent.append(values["password"])
        return real(self, **values)

    monkeypatch.setattr(AntBotConnector, "create_calendar_user", spy)
    alarm = ask(bot, an, lan)
    assert work(alarm) == "sent"
    assert len(sent[0]) >= 24
    rows = [*CalendarUser.objects.values(), *Alarm.objects.values()]
    assert sent[0] not in repr(rows) + caplog.text


STEPS = ["calendar-user", "calendar", "event", "alarm"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("kind", "options"), [("cut_after", {}), ("status_after", {"code": 502})])
def test_each_step_is_found_again_after_a_lost_answer(sandbox, bot, setting, an, lan, step, kind, options):
    alarm = ask(bot, an, lan)
    sandbox.bot.fault(kind, method="POST", path=f"*/{step}/*", times=1, **options)
    assert work(alarm) == ("unknown" if step == "alarm" else "waiting")
    assert work(alarm) == "sent"
    for table in ("calendar_user", "calendar", "event", "alarm"):
        assert len(sandbox.bot.rows(table)) == 1, table
    sandbox.bot.advance(10)
    assert len(sandbox.bot.ledger()) == 1


def test_a_pull_that_sees_the_lost_alarm_first_leaves_one_row(sandbox, bot, setting, an, lan):
    alarm = ask(bot, an, lan)
    sandbox.bot.fault("cut_after", method="POST", path="*/alarm/*", times=1)
    assert work(alarm) == "unknown"
    pull.pull(bot, "reminders")
    assert Alarm.objects.count() == 2
    assert work(alarm) == "sent"
    assert Alarm.objects.get().title == "Hẹn ký hợp đồng"


def test_an_alarm_that_did_not_arrive_is_sent_again_only_when_it_cannot_arrive_any_more(
    sandbox, bot, setting, an, lan, settings
):
    alarm = ask(bot, an, lan)
    sandbox.bot.fault("hang", method="POST", path="*/alarm/*", times=1, seconds=0.2, applied=False)
    assert work(alarm) == "unknown"
    assert work(alarm, 3) == "unknown"
    assert sandbox.bot.rows("alarm") == []
    settings.OUTBOX_SETTLE_SECONDS = 0
    assert work(alarm) == "sent"
    assert len(sandbox.bot.rows("alarm")) == 1


def test_without_a_list_of_alarms_a_lost_one_is_never_sent_again(sandbox, bot, setting, an, lan, settings):
    settings.OUTBOX_SETTLE_SECONDS = 0
    sandbox.bot.switches(undocumented_reads="no")
    alarm = ask(bot, an, lan)
    sandbox.bot.fault("cut_after", method="POST", path="*/alarm/*", times=1)
    assert work(alarm, 3) == "unknown"
    sandbox.bot.advance(10)
    pull.pull(bot, "calls")
    assert work(alarm) == "sent"
    assert len(sandbox.bot.ledger()) == 1


def test_without_lists_a_lost_calendar_user_is_made_anew_under_another_name(sandbox, bot, setting, an, lan):
    sandbox.bot.switches(undocumented_reads="no")
    alarm = ask(bot, an, lan)
    sandbox.bot.fault("cut_after", method="POST", path="*/calendar-user/*", times=1)
    assert work(alarm, 2) == "sent"
    assert len(sandbox.bot.rows("alarm")) == 1


def test_a_reminder_stays_here_until_shortly_before_it_rings_and_can_be_dropped(
    sandbox, bot, setting, an, lan
):
    alarm = ask(bot, an, lan, rings_at=soon(600))
    assert work(alarm) == "waiting"
    assert len(sandbox.bot.rows("calendar")) == 1
    assert sandbox.bot.rows("alarm") == []
    assert alarm.not_before == alarm.rings_at - reminders.LEAD
    reminders.drop(alarm, by=lan)
    assert work(alarm) == "cancelled"
    assert sandbox.bot.rows("event") == []


def test_what_is_at_antbot_cannot_be_dropped(sandbox, bot, setting, an, lan):
    alarm = ask(bot, an, lan)
    assert work(alarm) == "sent"
    with pytest.raises(Refused, match="cannot be taken back"):
        reminders.drop(alarm, by=lan)


def test_a_number_suppressed_meanwhile_is_not_rung(sandbox, bot, setting, an, lan):
    alarm = ask(bot, an, lan)
    silence.add(numbers=[AN], reason="asked not to be called", by=lan)
    assert work(alarm) == "rejected"
    assert "asked not to be called" in alarm.words
    assert sandbox.bot.rows("alarm") == sandbox.bot.rows("event") == []


def test_one_that_could_not_be_sent_in_time_rings_nobody(sandbox, bot, setting, an, lan):
    alarm = ask(bot, an, lan)
    Alarm.objects.filter(pk=alarm.pk).update(rings_at=timezone.now() - timedelta(minutes=11))
    assert work(alarm) == "rejected"
    assert "in time" in alarm.words
    assert sandbox.bot.rows("alarm") == []


def test_the_same_form_twice_is_one_reminder(bot, setting, an, lan):
    nonce = "6d7b2a52-7a7c-4b1c-8a54-0c3a3b7b6f01"
    assert ask(bot, an, lan, nonce=nonce) == ask(bot, an, lan, nonce=nonce)
    assert Alarm.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rings_at": timezone.now() - timedelta(minutes=5)}, "has passed"),
        ({"rings_at": timezone.now() + timedelta(days=400)}, "a year ahead"),
        ({"number": "0915000009"}, "one of the contact's numbers"),
        ({"title": " "}, "about"),
        ({"transfer_to": "12"}, "not a valid phone number"),
    ],
)
def test_what_cannot_be_asked_for(bot, setting, an, lan, fields, words):
    with pytest.raises(Refused, match=words):
        ask(bot, an, lan, **fields)


def test_rules_that_forbid_a_reminder_are_told_in_words(bot, setting, an, lan):
    rules = CallingRules.objects.get(connection=bot)
    CallingRules.objects.filter(pk=rules.pk).update(weekdays="")
    with pytest.raises(Refused, match="allow calls from"):
        ask(bot, an, lan)
    CallingRules.objects.filter(pk=rules.pk).update(weekdays="1234567")
    Call.objects.create(connection=bot, remote_id="c1", number=AN, e164=AN, started_at=timezone.now())
    with pytest.raises(Refused, match="was called"):
        ask(bot, an, lan)
    Call.objects.all().delete()
    ask(bot, an, lan)
    with pytest.raises(Refused, match="Another reminder"):
        ask(bot, an, lan, rings_at=soon(90))
    suppression.add(numbers=[AN], source=Suppression.Source.STAFF, reason="never", by=lan)
    with pytest.raises(Refused, match=r"must not be called, since .*never"):
        ask(bot, an, lan)


def test_trashed_contacts_are_not_reminded(bot, setting, an, lan):
    type(an).objects.filter(pk=an.pk).update(state="trashed")
    with pytest.raises(Refused, match="not live"):
        ask(bot, an, lan)


def test_only_those_who_may_make_reminders(bot, setting, an):
    with pytest.raises(Refused, match="role"):
        ask(bot, an, factories.user("Sales"))


def test_reminders_need_a_setting(bot, an, lan):
    with pytest.raises(Refused, match="set up"):
        ask(bot, an, lan)
    assert reminders.ready_connections() == []


def test_a_lost_setting_is_found_by_its_code(sandbox, bot, an, lan):
    change = reminders.make_setting(
        bot, label="Nhắc", callerid="", caller_name="", call_timeout=30,
        survey=SealedSurvey.objects.first(), gateway=Gateway.objects.filter(is_enabled=True).first(), by=lan,
    )  # fmt: skip
    sandbox.bot.fault("cut_after", method="POST", path="*/calendar-setting/*", times=1)
    alarm = ask(bot, an, lan)
    assert work(alarm) == "waiting"
    assert "on its way" in alarm.words
    for _turn in range(2):
        BotChange.objects.filter(pk=change.pk).update(not_before=timezone.now() - timedelta(seconds=1))
        change_sending.send_one(change.pk)
    assert len(sandbox.bot.rows("setting")) == 1
    assert work(alarm) == "sent"


def test_a_worker_that_died_after_the_alarm_left_sends_no_second_one(
    sandbox, bot, setting, an, lan, monkeypatch
):
    alarm = ask(bot, an, lan)
    monkeypatch.setattr(reminder_sending._Attempt, "_arrived", lambda self, record: _die())
    with pytest.raises(KeyboardInterrupt):
        work(alarm)
    monkeypatch.undo()
    Alarm.objects.filter(pk=alarm.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert reminder_sending.sweep() == 1
    reminder_sending.send_one(alarm.pk)
    alarm.refresh_from_db()
    assert alarm.progress == "sent"
    assert len(sandbox.bot.rows("alarm")) == 1


def _die():
    raise KeyboardInterrupt
