"""The fault switches of the AntCRM side do the same to AntBOT, commands and logins included."""

import http.client
import threading

import pytest

from tests.sandbox.antbot_api import BotApi, numbers
from tests.sandbox.http import eventually
from tests.sandbox_fixture import SandboxError, start_sandbox, stop_sandbox

CUT = (ConnectionError, http.client.RemoteDisconnected)
START, PAUSE = 1, 2
COMMAND = {"method": "POST", "path": "/rest-api/campaigns/*/status/"}


@pytest.fixture
def campaign(bot_api):
    return bot_api.campaign(bot_api.phonebook(*numbers(30)))


def test_lost_answer_to_start_leaves_a_running_campaign(bot_api, campaign):
    bot_api.bot.fault("cut_after", times=1, **COMMAND)
    with pytest.raises(CUT):
        bot_api.command(campaign, START)
    assert bot_api.status(campaign) == 1
    bot_api.bot.advance(1)
    assert bot_api.dialled(campaign)


def test_lost_request_leaves_it_as_it_was(bot_api, campaign):
    for kind in ("cut_before", "hang"):
        options = {"seconds": 0.1} if kind == "hang" else {}
        bot_api.bot.fault(kind, times=1, **COMMAND, **options)
        with pytest.raises(CUT):
            bot_api.command(campaign, START)
        assert bot_api.status(campaign) == 2


def test_command_applied_late_by_hand(sandbox, bot_api, campaign):
    bot_api.bot.fault("apply_late", seconds=60.0, times=1, **COMMAND)
    with pytest.raises(CUT):
        bot_api.command(campaign, START)
    assert bot_api.status(campaign) == 2
    assert sandbox.apply_late_writes() == 1
    assert eventually(lambda: bot_api.status(campaign) == 1)


@pytest.mark.parametrize(
    ("kind", "options", "status", "applied"),
    [
        ("status", {"code": 502}, 502, False),
        ("status_after", {"code": 500}, 500, True),
        ("status_after", {"code": 200, "body": {"error": "no"}}, 200, True),
        ("redirect", {"code": 307}, 307, False),
        ("html", {}, 200, False),
    ],
)
def test_odd_answers_to_a_command(bot_api, campaign, kind, options, status, applied):
    bot_api.bot.fault(kind, times=1, **COMMAND, **options)
    assert bot_api.call("POST", f"campaigns/{campaign}/status/", {"status": START}).status == status
    assert bot_api.status(campaign) == (1 if applied else 2)


def test_truncated_list_is_not_json(bot_api):
    bot_api.bot.fault("truncate", bytes=40, path="/rest-api/contact/")
    with pytest.raises(http.client.IncompleteRead):
        bot_api.call("GET", "contact/")


def test_paging_faults(bot_api):
    def ids(page):
        return [row["id"] for row in bot_api.get("contact", page=page)["results"]]

    first, second = ids(1), ids(2)
    bot_api.bot.fault("repeat_page", page=2)
    assert ids(2) == first
    bot_api.bot.fault("empty_page", page=2)
    assert (ids(1), ids(2)) == (first, [])
    bot_api.bot.fault("short_page", page=2, drop=3)
    assert ids(2) == second[:7]
    bot_api.bot.fault("ignore_page")
    assert ids(3) == first
    bot_api.bot.fault("ignore_filter")
    assert bot_api.get("contact", phonebook=294)["count"] == 64


def test_shift_page_moves_rows_between_pages(bot_api):
    bot_api.log_in()
    bot_api.bot.fault("shift_page", creates=2, trash=1, records=0)
    assert bot_api.get("contact")["count"] == 65
    assert bot_api.get("contact", page=2)["count"] == 66


def test_lagging_list_hides_new_rows_only(bot_api):
    book = bot_api.phonebook(name="Vừa tạo")
    bot_api.bot.fault("lag", seconds=60.0, path="/rest-api/phonebook/")
    assert [b["id"] for b in bot_api.everything("phonebook")] == [293, 294]
    assert bot_api.get(f"phonebook/{book}")["id"] == book


def test_remote_staff_can_act_around_a_write(bot_api, campaign):
    changes = {"frequency": 99}
    bot_api.bot.fault("remote_event", event="edit", changes=changes, when="before", **COMMAND)
    assert bot_api.command(campaign, START)["frequency"] == 99
    bot_api.bot.fault(
        "remote_event", event="trash", when="before", method="PUT", path="/rest-api/campaigns/*"
    )
    assert bot_api.call("PUT", f"campaigns/{campaign}/", {"frequency": 1}).status == 404


def test_login_can_fail_too(bot_api):
    bot_api.bot.fault("status", code=500, path="/rest-api/get-token/", times=1)
    assert bot_api.log_in().status == 500
    assert bot_api.log_in().status == 200
    assert bot_api.bot.state()["logins"]["accepted"] == 1


def test_rate_limit(bot_api):
    bot_api.log_in()
    bot_api.bot.switches(rate_limit=3, rate_status=503)
    refused = [reply for reply in (bot_api.call("GET", "gateway/") for _ in range(8)) if reply.status == 503]
    assert refused
    assert refused[0].headers["retry-after"] == "1"


def test_faults_of_one_vendor_leave_the_other_alone(sandbox, bot_api, api):
    sandbox.fault("status")
    assert bot_api.get("gateway")["count"] == 3
    sandbox.clear()
    bot_api.bot.fault("status")
    assert api.call("GET", "/contacts").status == 200


def test_parallel_writes_get_rows_of_their_own(sandbox, bot_api):
    bot_api.log_in()
    book, made = bot_api.phonebook(), []

    def create(worker):
        mine = BotApi(sandbox)
        mine.token = bot_api.token
        made.extend(
            mine.post("contact", phonebook=book, contact=number, status=1)["id"]
            for number in numbers(20, start=100 * worker)
        )

    threads = [threading.Thread(target=create, args=(worker,)) for worker in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 100 == len(bot_api.everything("contact", phonebook=book))


def test_control_mistakes_are_sentences(bot_api):
    for method, path, body in (
        ("POST", "clock", {"speed": -1}),
        ("POST", "clock", {"now": "noon"}),
        ("POST", "advance", {"minutes": -1}),
        ("POST", "edit_campaign", {"campaign": 1201, "colour": "red"}),
        ("POST", "edit_campaign", {"campaign": 1}),
        ("GET", "rows?table=people", None),
        ("POST", "nothing", {}),
    ):
        with pytest.raises(SandboxError):
            bot_api.bot.control(method, path, body)


def test_speed_and_day_can_be_chosen_at_the_start():
    process, control = start_sandbox("--contacts", "5", "--today", "2026-01-15", "--bot-speed", "600")
    try:
        first = control.bot.clock()
        assert (first["now"][:7], first["speed"]) == ("2026-01", 600.0)
        later = eventually(lambda: control.bot.clock()["now"] > first["now"])
        assert later
        calls = control.bot.rows("cdr", campaign=1201)
        assert {call["starting_date"][:10] for call in calls} == {f"2026-01-{day}" for day in (12, 13, 14)}
        control.reset()
        assert control.bot.clock()["speed"] == 600.0
    finally:
        stop_sandbox(process)
