"""Calls and their records: causes, legs, late records, opt-outs, gateways, reminder calls, scripted ones."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.antbot_api import DAY, numbers
from tests.sandbox_fixture import SandboxError

START, PAUSE = 1, 2
OUTCOMES = {
    "0919900000": (
        {"disposition": "ANSWER", "talk": 30, "ring": 5},
        ("ANSWER", "NORMAL_CLEARING", 200, {5, 8}),
    ),
    "0919900001": ({"disposition": "BUSY"}, ("BUSY", "USER_BUSY", 486, {4})),
    "0919900002": ({"disposition": "NOANSWER"}, ("NOANSWER", "NO_ANSWER", 480, {4})),
    "0919900003": ({"disposition": "FAILED"}, ("FAILED", "UNALLOCATED_NUMBER", 404, {4})),
    "0919900004": ({"cause": "CALL_REJECTED"}, ("FAILED", "CALL_REJECTED", 603, {4})),
    "0919900005": ({"cause": "ALLOTTED_TIMEOUT"}, ("ANSWER", "ALLOTTED_TIMEOUT", 200, {4})),
    "0919900006": ({"disposition": "CONGESTION"}, ("CONGESTION", "NORMAL_CIRCUIT_CONGESTION", 503, {4})),
    "0919900007": ({"disposition": "CANCEL"}, ("CANCEL", "ORIGINATOR_CANCEL", 487, {4})),
}


def run(bot_api, *phones, minutes=5, **changes):
    """A campaign over these numbers, started and let run."""
    campaign = bot_api.campaign(bot_api.phonebook(*phones), **changes)
    bot_api.command(campaign, START)
    bot_api.bot.advance(minutes)
    return campaign


def test_record_and_subscriber_tell_each_outcome_in_their_own_words(bot_api):
    bot_api.bot.outcomes({number: wanted for number, (wanted, _) in OUTCOMES.items()})
    campaign = run(bot_api, *OUTCOMES)
    bot_api.bot.switches(subscriber_contact="number")
    states = {
        row["contact"]: row["status"] for row in bot_api.everything("subscriber-list", campaign=campaign)
    }
    records = {
        r["phone_number"]: r for r in bot_api.everything("cdr", campaign=campaign) if r["leg_type"] == 1
    }
    for number, (_, (disposition, cause, sip, wanted_states)) in OUTCOMES.items():
        record = records[number]
        told = (record["disposition"], record["hangup_cause"], record["sip_term_status"])
        assert told == (disposition, cause, sip)
        assert states[number] in wanted_states
    answered = records["0919900000"]
    assert (answered["duration"], answered["billsec"], answered["waitsec"]) == (35, 30, 5)


def test_unknown_outcome_is_refused(bot_api):
    with pytest.raises(SandboxError, match="no such outcome"):
        bot_api.bot.outcomes({"0919900000": {"disposition": "MAYBE"}})


def test_subscriber_is_in_process_while_it_rings(bot_api):
    bot_api.bot.outcomes({"0919900000": {"disposition": "NOANSWER", "ring": 40}})
    campaign = run(bot_api, "0919900000", minutes=0)
    (row,) = bot_api.everything("subscriber-list", campaign=campaign, status=6)
    assert (row["count_attempt"], row["last_attempt"]) == (1, f"{DAY}T12:00:00.000000Z")
    assert bot_api.bot.campaign(campaign)["in_progress"] == 1
    assert bot_api.everything("cdr", campaign=campaign) == []
    bot_api.bot.advance(seconds=40)
    assert bot_api.everything("subscriber-list", campaign=campaign)[0]["status"] == 4
    assert bot_api.everything("subscriber-list", contact="0919900000", duration=40, billsec=0) != []


@pytest.mark.parametrize("switch", ["id", "number", "object"])
def test_contact_of_a_subscriber_in_three_shapes(bot_api, switch):
    bot_api.bot.switches(subscriber_contact=switch)
    shown = bot_api.everything("subscriber-list", campaign=1201)[0]["contact"]
    if switch == "object":
        shown = shown["id"]
    elif switch == "number":
        shown = bot_api.everything("contact", search=shown, phonebook=293)[0]["id"]
    assert shown == 50_001


def test_every_report_filter_chooses(bot_api):
    rows = bot_api.bot.rows("cdr")
    sample = next(r for r in rows if r["disposition"] == "FAILED")
    keys = (
        "callid callerid phone_number duration billsec disposition hangup_cause sip_term_status "
        "sip_term_cause endpoint_disposition campaign"
    )
    for key in keys.split():
        if sample[key] not in (None, ""):
            found = bot_api.everything("cdr", **{key: sample[key]})
            assert found == [r for r in rows if r[key] == sample[key]], key
            assert len(found) < len(rows), key
    assert [r["otp"] for r in bot_api.everything("cdr", otp="true")] == [True]
    assert bot_api.everything("cdr", alarm="true") == []
    assert len(bot_api.everything("cdr", alarm="false", otp="false")) == len(rows) - 1
    assert bot_api.call("GET", "cdr/", duration="long").status == 400


def test_report_dates_are_inclusive_and_reversed_ones_find_nothing(bot_api):
    rows = sorted(bot_api.bot.rows("cdr"), key=lambda row: row["starting_date"])
    low, high = rows[10]["starting_date"], rows[20]["starting_date"]
    found = bot_api.everything("cdr", from_date=low, to_date=high)
    assert {r["id"] for r in found} == {r["id"] for r in rows if low <= r["starting_date"] <= high}
    assert bot_api.everything("cdr", from_date=high, to_date=low) == []
    assert list(bot_api.call("GET", "cdr/", from_date="yesterday").json) == ["from_date"]


def test_second_leg_shares_the_call_id(bot_api):
    bot_api.bot.outcomes({"0919900000": {"disposition": "ANSWER", "talk": 60, "second_leg": True}})
    campaign = run(bot_api, "0919900000")
    legs = bot_api.everything("cdr", campaign=campaign)
    assert [leg["leg_type"] for leg in legs] == [1, 2]
    assert legs[0]["callid"] == legs[1]["callid"] == bot_api.bot.ledger(campaign=campaign)[0]["callid"]
    assert len(bot_api.bot.ledger(campaign=campaign)) == 1


def test_late_records_come_late_and_shapes_can_differ(bot_api):
    bot_api.bot.switches(late_cdr_s=3600, cdr_id="no", raw_dispositions="yes")
    bot_api.bot.outcomes({"0919900000": {"disposition": "BUSY"}})
    campaign = run(bot_api, "0919900000")
    assert bot_api.status(campaign) == 5
    assert bot_api.everything("cdr", campaign=campaign) == []
    bot_api.bot.advance(60)
    (record,) = bot_api.everything("cdr", campaign=campaign)
    assert record["disposition"] == "USER_BUSY"
    assert "id" not in record
    assert record["starting_date"] == f"{DAY}T12:00:00.000000Z"


def test_opt_out_lands_on_the_campaigns_list_as_dialled(bot_api):
    wanted = {"disposition": "ANSWER", "opt_out": True}
    bot_api.bot.outcomes({"+84919900000": wanted, "0919900001": wanted})
    lists = bot_api.everything("dnc-list")
    book = bot_api.phonebook("+84919900000")
    campaign = bot_api.campaign(book)
    bot_api.bot.edit_campaign(campaign, dnc=lists[1]["id"])
    bot_api.command(campaign, START)
    bot_api.bot.advance(5)
    last = bot_api.everything("dnc-contact")[-1]
    assert (last["dnc"], last["phone_number"]) == (lists[1]["id"], "+84919900000")
    before = len(bot_api.everything("dnc-contact"))
    run(bot_api, "0919900001", name="Không danh sách")
    assert len(bot_api.everything("dnc-contact")) == before
    assert bot_api.bot.ledger()[-1]["opt_out"] is True


def test_gateway_rewrites_the_number_and_an_inactive_one_reaches_nobody(bot_api):
    campaign = run(bot_api, "0919900000", aleg_gateway=24)
    assert bot_api.everything("cdr", campaign=campaign)[0]["phone_number"] == "84919900000"
    (entry,) = bot_api.bot.ledger(campaign=campaign)
    told = (entry["number"], entry["dialled"], entry["e164"])
    assert told == ("0919900000", "84919900000", "+84919900000")
    dead = run(bot_api, "0919900001", aleg_gateway=25, name="Cổng tắt")
    assert bot_api.everything("cdr", campaign=dead)[0]["hangup_cause"] == "NETWORK_OUT_OF_ORDER"


@pytest.mark.parametrize(
    ("number", "canonical"),
    [
        ("0919 900 000", "+84919900000"),
        ("84919900000", "+84919900000"),
        ("+84 919-900-000", "+84919900000"),
        ("0084919900000", "+84919900000"),
        ("919900000", "+84919900000"),
        ("không có", None),
    ],
)
def test_ledger_knows_the_canonical_number(bot_api, number, canonical):
    assert bot_api.bot.dial(number)["e164"] == canonical


def test_scripted_call_outside_the_rules_is_a_record_at_once(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(2)))
    entry = bot_api.bot.dial("0919900009", campaign=campaign, at=f"{DAY}T20:00:00Z", disposition="BUSY")
    (record,) = bot_api.everything("cdr", campaign=campaign)
    assert (record["callid"], record["disposition"]) == (entry["callid"], "BUSY")
    assert record["starting_date"] == f"{DAY}T20:00:00.000000Z" == entry["time"]
    assert bot_api.everything("subscriber-list", campaign=campaign) == []
    bot_api.bot.dial("0919900009", campaign=campaign, running=True)
    assert bot_api.bot.campaign(campaign)["in_progress"] == 1
    since = bot_api.bot.ledger()[0]["seq"]
    assert len(bot_api.bot.ledger(since=since)) == 1
    with pytest.raises(SandboxError, match="no campaign 9"):
        bot_api.bot.dial("1", campaign=9)


# ---------------------------------------------------------------------- reminder calls


def chain(bot_api):
    """What an alarm needs, with the clock standing at noon of DAY."""
    bot_api.bot.clock(now=f"{DAY}T12:00:00Z", speed=0)
    survey = bot_api.everything("survey-list")[-1]["id"]
    setting = bot_api.post("calendar-setting", label="Nhắc", callerid="HEN", call_timeout=60, survey=survey,
                           aleg_gateway=23)["id"]  # fmt: skip
    user = bot_api.post("calendar-user", username="u", password="p", calendar_setting=setting)["id"]
    calendar = bot_api.post("calendar", name="Lịch", user=user)["id"]
    when = f"{DAY}T13:00:00Z"
    return bot_api.post("event", title="Hẹn", start=when, end=when, creator=user, calendar=calendar)["id"]


def alarm(bot_api, event, minutes):
    when = datetime(2026, 3, 2, 12, tzinfo=UTC) + timedelta(minutes=minutes)
    return bot_api.post(
        "alarm", alarm_phonenumber="0919900000", event=event, date_start_notice=when.isoformat()
    )["id"]


def test_alarm_rings_when_due_and_leaves_a_record_without_campaign(bot_api):
    bot_api.bot.outcomes({"0919900000": {"disposition": "ANSWER"}})
    number = alarm(bot_api, chain(bot_api), 30)
    bot_api.bot.advance(29)
    assert bot_api.bot.ledger() == []
    bot_api.bot.advance(5)
    (entry,) = bot_api.bot.ledger()
    assert (entry["kind"], entry["alarm"], entry["time"]) == ("alarm", number, f"{DAY}T12:30:00.000000Z")
    (record,) = bot_api.everything("cdr", alarm="true")
    assert (record["campaign"], record["callerid"]) == (None, "HEN")
    assert bot_api.get(f"alarm/{number}")["status"] == 5
    bot_api.bot.advance(120)
    assert len(bot_api.bot.ledger()) == 1


def test_alarm_without_a_date_or_a_little_late_rings_at_once(bot_api):
    event = chain(bot_api)
    bot_api.post("alarm", alarm_phonenumber="0919900000", event=event)
    alarm(bot_api, event, -59)
    assert len(bot_api.bot.ledger()) == 2


def test_alarm_more_than_an_hour_old_never_rings_and_stays_pending(bot_api):
    number = alarm(bot_api, chain(bot_api), -61)
    bot_api.bot.advance(600)
    assert bot_api.bot.ledger() == []
    assert bot_api.get(f"alarm/{number}")["status"] == 1


def test_alarm_does_not_consult_the_dnc(bot_api):
    event = chain(bot_api)
    bot_api.bot.dnc("0919900000")
    alarm(bot_api, event, 1)
    bot_api.bot.advance(2)
    assert len(bot_api.bot.ledger()) == 1
