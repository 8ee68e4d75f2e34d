"""Campaigns in simulated time: pace, window, pause tail, late contacts, DNC, completion, expiry."""

import pytest

from tests.sandbox.antbot_api import DAY, campaign_body, numbers

START, PAUSE, ABORT, END = 1, 2, 3, 4


def test_campaign_is_born_waiting_and_dials_its_frequency_each_minute(bot_api):
    bot = bot_api.bot
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(35)))
    assert bot_api.status(campaign) == 2
    bot.advance(10)
    assert bot_api.dialled(campaign) == []
    assert bot_api.command(campaign, START)["status"] == 1
    for minute in range(3):
        bot.advance(seconds=59)
        assert len(bot_api.dialled(campaign)) == 10 * (minute + 1)
        bot.advance(seconds=1)
    bot.advance(5)
    assert sorted(bot_api.dialled(campaign)) == numbers(35)
    assert bot_api.status(campaign) == 5
    states = {row["status"] for row in bot_api.everything("subscriber-list", campaign=campaign)}
    assert states <= {4, 5, 8}
    first_legs = [row for row in bot.rows("cdr", campaign=campaign) if row["leg_type"] == 1]
    assert len(first_legs) == 35


def test_pause_stops_after_the_minutes_batch_and_resuming_is_no_faster(bot_api):
    bot = bot_api.bot
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(50)))
    bot_api.command(campaign, START)
    bot.advance(seconds=30)
    before = len(bot_api.dialled(campaign))
    assert before == 6
    bot_api.command(campaign, PAUSE)
    bot.advance(seconds=20)
    assert 6 < len(bot_api.dialled(campaign)) <= 10
    for _ in range(5):  # hasty clicks do not raise the pace
        bot_api.command(campaign, START)
        bot_api.command(campaign, PAUSE)
    bot.advance(30)
    assert len(bot_api.dialled(campaign)) == 10
    assert bot.campaign(campaign)["in_progress"] == 0
    for _ in range(3):
        bot_api.command(campaign, START)
    bot.advance(seconds=59)
    assert len(bot_api.dialled(campaign)) == 20
    bot.advance(1)
    assert len(bot_api.dialled(campaign)) == 30


@pytest.mark.parametrize(("command", "status"), [(PAUSE, 2), (ABORT, 3), (END, 4)])
def test_other_commands_stop_too_and_start_is_taken_after_each(bot_api, command, status):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(30)))
    bot_api.command(campaign, START)
    bot_api.command(campaign, command)
    assert bot_api.status(campaign) == status
    bot_api.bot.advance(10)
    assert len(bot_api.dialled(campaign)) == 10
    bot_api.command(campaign, START)
    bot_api.bot.advance(10)
    assert len(bot_api.dialled(campaign)) == 30


@pytest.mark.parametrize(
    ("reading", "shown"),
    [
        ("A", {"new": 2, START: 1, PAUSE: 2, ABORT: 3, END: 4}),
        ("B", {"new": 2, START: 1, PAUSE: 3, ABORT: 4, END: 4}),
        ("C", {"new": 3, START: 1, PAUSE: 3, ABORT: 3, END: 4}),
    ],
)
def test_status_codes_in_three_readings(bot_api, reading, shown):
    bot_api.bot.switches(reading=reading)
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(30)))
    seen = {"new": bot_api.status(campaign)}
    for command in (START, PAUSE, ABORT, END):
        bot_api.command(campaign, command)
        seen[command] = bot_api.status(campaign)
    assert seen == shown


def test_reading_c_shows_waiting_outside_the_window_and_begins_by_itself(bot_api):
    bot_api.bot.switches(reading="C")
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(5)), daily_start_time="12:30:00")
    bot_api.command(campaign, START)
    assert bot_api.status(campaign) == 2
    bot_api.bot.advance(31)
    assert bot_api.status(campaign) == 1
    assert bot_api.dialled(campaign)


def test_unknown_number_is_shown_for_paused_campaigns_when_asked(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(3)))
    bot_api.bot.switches(odd_status=9)
    assert bot_api.status(campaign) == 2
    bot_api.command(campaign, PAUSE)
    assert bot_api.status(campaign) == 9
    assert [c["id"] for c in bot_api.everything("campaigns", status=9)] == [campaign]
    bot_api.bot.edit_campaign(campaign, status=77)
    assert bot_api.status(campaign) == 77
    bot_api.command(campaign, START)
    assert bot_api.status(campaign) == 1


def test_window_counts_in_the_zone_of_the_server(bot_api):
    window = {"daily_start_time": "08:00:00", "daily_stop_time": "17:00:00"}
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(5)), **window)
    bot_api.bot.switches(window_zone="Asia/Ho_Chi_Minh")  # noon UTC is 19:00 there
    bot_api.command(campaign, START)
    bot_api.bot.advance(60)
    assert bot_api.dialled(campaign) == []
    bot_api.bot.advance(12 * 60 + 1)  # 01:00 UTC, 08:00 in Vietnam
    entries = bot_api.bot.ledger(campaign=campaign)
    assert len(entries) == 5
    assert entries[0]["time"].startswith("2026-03-03T01:00:")


def test_window_across_midnight_never_matches(bot_api):
    window = {"daily_start_time": "20:00:00", "daily_stop_time": "06:00:00"}
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(5)), **window)
    bot_api.command(campaign, START)
    bot_api.bot.advance(24 * 60)
    assert bot_api.dialled(campaign) == []


def test_nothing_is_dialled_before_the_starting_date_or_on_a_day_switched_off(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(5)), startingdate="2026-03-03T00:00:00Z")
    bot_api.bot.edit_campaign(campaign, tuesday=False)
    bot_api.command(campaign, START)
    bot_api.bot.advance(35 * 60)
    assert bot_api.dialled(campaign) == []
    bot_api.bot.advance(2 * 60)
    assert bot_api.bot.ledger(campaign=campaign)[0]["time"].startswith("2026-03-04T00:00")


def test_expired_campaign_is_ended_within_five_minutes_and_start_undone(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(50)), expirationdate=f"{DAY}T12:02:30Z")
    bot_api.command(campaign, START)
    bot_api.bot.advance(6)
    assert bot_api.status(campaign) == 4
    assert len(bot_api.dialled(campaign)) == 30
    bot_api.command(campaign, START)
    assert bot_api.status(campaign) == 1
    bot_api.bot.advance(5)
    assert bot_api.status(campaign) == 4
    assert len(bot_api.dialled(campaign)) == 30


def test_first_start_seals_the_survey(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(3)))
    assert bot_api.get(f"campaigns/{campaign}")["object_id"] == 351
    bot_api.command(campaign, START)
    sealed = bot_api.get(f"campaigns/{campaign}")
    assert (sealed["object_id"], sealed["content_type"]) != (351, 41)
    assert [s["id"] for s in bot_api.everything("survey-list", campaign=campaign)] == [sealed["object_id"]]
    bot_api.command(campaign, PAUSE)
    bot_api.command(campaign, START)
    assert bot_api.get(f"campaigns/{campaign}")["object_id"] == sealed["object_id"]
    bot_api.put("section-template/2001", script="Lời chào khác")
    seen = {row["script"] for row in bot_api.bot.rows("sealed_section", survey=sealed["object_id"])}
    assert "Lời chào khác" not in seen


def test_same_number_in_two_phonebooks_rings_twice(bot_api):
    books = bot_api.phonebook("0919912345"), bot_api.phonebook("0919912345")
    campaign = bot_api.campaign(*books)
    bot_api.command(campaign, START)
    bot_api.bot.advance(5)
    entries = bot_api.bot.ledger(campaign=campaign)
    assert [entry["e164"] for entry in entries] == ["+84919912345"] * 2
    assert {entry["phonebook"] for entry in entries} == set(books)
    assert len({entry["callid"] for entry in entries}) == 2


def test_late_contacts_join_only_while_running_and_never_by_import(bot_api):
    book = bot_api.phonebook(*numbers(15))
    campaign = bot_api.campaign(book)
    bot_api.command(campaign, START)
    single, bulk, imported, paused = numbers(4, start=500)
    bot_api.post("contact", phonebook=book, contact=single, status=1)
    bot_api.post("bulkcontact", phonebook=book, contacts=[{"contact": bulk, "status": 1}])
    bot_api.bot.import_numbers(book, imported)
    bot_api.command(campaign, PAUSE)
    bot_api.post("contact", phonebook=book, contact=paused, status=1)
    bot_api.command(campaign, START)
    bot_api.bot.advance(10)
    assert set(bot_api.dialled(campaign)) == {*numbers(15), single, bulk}


def test_bulk_contacts_stay_out_when_switched_off(bot_api):
    book = bot_api.phonebook(*numbers(5))
    campaign = bot_api.campaign(book)
    bot_api.bot.switches(bulk_joins="no")
    bot_api.command(campaign, START)
    bot_api.post("bulkcontact", phonebook=book, contacts=[{"contact": "0919900777", "status": 1}])
    bot_api.bot.advance(10)
    assert sorted(bot_api.dialled(campaign)) == numbers(5)


def test_contact_switched_off_is_passed_over_or_dialled(bot_api):
    book = bot_api.phonebook(*numbers(20))
    last = bot_api.everything("contact", phonebook=book)[-1]
    campaign = bot_api.campaign(book)
    bot_api.command(campaign, START)
    bot_api.put(f"contact/{last['id']}", contact=last["contact"], status=0)
    bot_api.bot.advance(10)
    assert last["contact"] not in bot_api.dialled(campaign)
    assert bot_api.status(campaign) == 5
    other = bot_api.campaign(book, name="Lần hai")
    bot_api.put(f"contact/{last['id']}", contact=last["contact"], status=1)
    again = bot_api.campaign(book, name="Đổi ý")
    bot_api.command(again, START)
    bot_api.bot.advance(seconds=10)
    bot_api.put(f"contact/{last['id']}", contact=last["contact"], status=0)
    bot_api.bot.advance(seconds=70)
    assert last["contact"] not in bot_api.dialled(again)
    bot_api.put(f"contact/{last['id']}", contact=last["contact"], status=1)
    bot_api.bot.advance(2)
    assert last["contact"] in bot_api.dialled(again)
    bot_api.bot.switches(inactive_contact="dialled")
    bot_api.command(other, START)
    bot_api.put(f"contact/{last['id']}", contact=last["contact"], status=0)
    bot_api.bot.advance(10)
    assert last["contact"] in bot_api.dialled(other)


def test_dnc_acts_only_on_the_campaigns_own_list_and_the_same_text(bot_api):
    book = bot_api.phonebook("0919900001", "0919900002", "0919900003")
    campaign, free = bot_api.campaign(book), bot_api.campaign(book, name="Không danh sách")
    lists = [row["id"] for row in bot_api.everything("dnc-list")]
    bot_api.post("dnc-contact", phone_number="0919900001", dnc=str(lists[0]))
    bot_api.post("dnc-contact", phone_number="+84919900002", dnc=lists[0])
    bot_api.post("dnc-contact", phone_number="0919900003", dnc=lists[1])
    bot_api.bot.edit_campaign(campaign, dnc=lists[0])
    for started in (campaign, free):
        bot_api.command(started, START)
    bot_api.bot.advance(5)
    assert bot_api.dialled(campaign) == ["0919900002", "0919900003"]
    assert len(bot_api.dialled(free)) == 3
    refused = bot_api.everything("subscriber-list", campaign=campaign, status=7)
    assert [row["count_attempt"] for row in refused] == [0]


def test_extra_fields_are_ignored_unless_taken(bot_api):
    book = bot_api.phonebook(*numbers(2))
    lists = bot_api.everything("dnc-list")
    ignored = bot_api.campaign(book, dnc=lists[0]["id"], maxretry=2)
    assert (bot_api.get(f"campaigns/{ignored}")["dnc"], bot_api.get(f"campaigns/{ignored}")["maxretry"]) == (
        None,
        0,
    )
    bot_api.bot.switches(extra_campaign_fields="accept")
    taken = bot_api.get(f"campaigns/{bot_api.campaign(book, name='Hai', dnc=lists[0]['id'], maxretry=2)}")
    assert (taken["dnc"], taken["maxretry"]) == (lists[0]["id"], 2)
    bot_api.bot.switches(extra_campaign_fields="ignore", new_campaign_dnc="first")
    assert bot_api.get(f"campaigns/{bot_api.campaign(book, name='Ba')}")["dnc"] == lists[0]["id"]


def test_retry_rings_even_after_a_pause(bot_api):
    number = "0919900001"
    campaign = bot_api.campaign(bot_api.phonebook(number, "0919900002"))
    bot_api.bot.edit_campaign(campaign, maxretry=1, intervalretry=300)
    bot_api.bot.outcomes({number: {"disposition": "BUSY"}, "0919900002": {"disposition": "ANSWER"}})
    bot_api.command(campaign, START)
    bot_api.bot.advance(2)
    bot_api.command(campaign, PAUSE)
    bot_api.bot.advance(10)
    assert [e["attempt"] for e in bot_api.bot.ledger(campaign=campaign) if e["number"] == number] == [1, 2]


def test_subscriber_cap_leaves_the_rest_out_silently(bot_api):
    bot_api.bot.switches(max_subscribers=4)
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(9)))
    bot_api.command(campaign, START)
    bot_api.bot.advance(10)
    assert sorted(bot_api.dialled(campaign)) == numbers(4)


def test_delete_takes_subscribers_and_call_records_along(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(30)))
    bot_api.command(campaign, START)
    bot_api.bot.advance(seconds=90)
    assert bot_api.bot.rows("cdr", campaign=campaign)
    assert bot_api.call("DELETE", f"campaigns/{campaign}/").status == 204
    assert bot_api.call("GET", f"campaigns/{campaign}/").status == 404
    rung = len(bot_api.dialled(campaign))
    bot_api.bot.advance(30)
    assert len(bot_api.dialled(campaign)) == rung
    assert bot_api.bot.rows("cdr", campaign=campaign) == []
    assert bot_api.everything("subscriber-list", campaign=campaign) == []


def test_empty_phonebook_can_be_started_and_does_nothing(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook())
    bot_api.command(campaign, START)
    bot_api.bot.advance(30)
    assert bot_api.status(campaign) == 1
    bot_api.bot.edit_campaign(campaign, frequency=3, phonebook=[bot_api.phonebook(*numbers(6))])
    bot_api.bot.advance(2)
    assert len(bot_api.dialled(campaign)) >= 3


def test_same_seed_and_moves_give_the_same_calls(sandbox, bot_api):
    def run():
        sandbox.reset(seed=7, contacts=120)
        bot_api.token = None
        campaign = bot_api.campaign(bot_api.phonebook(*numbers(40)))
        bot_api.command(campaign, START)
        bot_api.bot.advance(10)
        return bot_api.bot.ledger(campaign=campaign), bot_api.bot.rows("cdr", campaign=campaign)

    first = run()
    assert run() == first
    assert len({row["disposition"] for row in first[1]}) >= 3


def test_fast_time_dials_without_being_asked(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(3)))
    bot_api.command(campaign, START)
    bot_api.bot.clock(speed=10_000)
    for _ in range(200):
        if bot_api.status(campaign) == 5:
            break
    assert bot_api.status(campaign) == 5
    assert sorted(bot_api.dialled(campaign)) == numbers(3)


def test_setting_the_clock_dials_nothing_in_between(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(40)))
    bot_api.command(campaign, START)
    bot_api.bot.advance(seconds=59)
    bot_api.bot.clock(now="2026-03-04T09:00:00Z")
    bot_api.bot.advance(seconds=30)
    times = [entry["time"] for entry in bot_api.bot.ledger(campaign=campaign)]
    assert len(times) <= 20
    assert {time[:10] for time in times} == {DAY, "2026-03-04"}


def test_calls_under_way_move_along_when_the_clock_is_set(bot_api):
    bot_api.bot.outcomes({"0919900000": {"disposition": "NOANSWER", "ring": 40}})
    campaign = bot_api.campaign(bot_api.phonebook("0919900000", *numbers(30, start=1)))
    bot_api.command(campaign, START)
    bot_api.bot.advance(seconds=1)
    bot_api.bot.clock(now="2026-03-04T09:00:00Z")
    assert bot_api.bot.campaign(campaign)["in_progress"] == 1
    bot_api.command(campaign, PAUSE)
    bot_api.bot.advance(4)
    assert bot_api.bot.campaign(campaign)["in_progress"] == 0
    assert len(bot_api.dialled(campaign)) == 10
    bot_api.bot.clock(now=f"{DAY}T06:00:00Z")
    bot_api.command(campaign, START)
    bot_api.bot.advance(seconds=59)
    assert len(bot_api.dialled(campaign)) == 20


def test_account_caps_and_campaign_rules(bot_api):
    book = bot_api.phonebook(*numbers(2))
    bot_api.campaign(book)
    body = campaign_body(book)
    again = bot_api.call("POST", "campaigns/", body)
    assert (again.status, list(again.json)) == (400, ["non_field_errors"])
    too_fast = bot_api.call("POST", "campaigns/", body | {"name": "B", "frequency": 101})
    assert list(too_fast.json) == ["non_field_errors"]
    bot_api.bot.switches(max_campaigns=2)
    assert bot_api.call("POST", "campaigns/", body | {"name": "C"}).status == 400
    odd = {
        "phonebook": [1],
        "aleg_gateway": 9,
        "object_id": 5,
        "startingdate": "2 March",
        "daily_stop_time": "25",
    }
    wrong = bot_api.call("POST", "campaigns/", body | odd)
    assert wrong.status == 400
    assert set(wrong.json) == {"phonebook", "aleg_gateway", "startingdate", "daily_stop_time"}
    missing = bot_api.call("POST", "campaigns/", {"name": "D"}).json
    assert missing["frequency"] == ["This field is required."]
    assert set(missing) == set(body) - {"name", "description", "callerid"}


def test_command_must_be_one_of_four(bot_api):
    campaign = bot_api.campaign(bot_api.phonebook(*numbers(2)))
    for wrong in ({}, {"status": 5}, {"status": 0}, {"status": "start"}, [1]):
        reply = bot_api.call("POST", f"campaigns/{campaign}/status/", wrong)
        assert (reply.status, list(reply.json)) == (400, ["status"])
    assert bot_api.call("POST", "campaigns/99/status/", {"status": 1}).status == 404
    assert bot_api.call("PUT", f"campaigns/{campaign}/status/", {"status": 1}).status == 405
    assert bot_api.status(campaign) == 2
