"""Writes under every fault: applied once or not at all, and never called certain when it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteError,
)
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.records import BotContactDraft, CampaignDraft, Command
from tests.bot_campaigns.antbot.conftest import Connect
from tests.remote.rawserver import RawServer, answer
from tests.sandbox_fixture import SandboxControl

Sent = Callable[[], list[dict[str, Any]]]

#: fault, how a write ends, whether it was applied
FAULTS: list[tuple[dict[str, Any], type[RemoteError], bool]] = [
    ({"kind": "status", "code": 400, "body": {"name": ["This field is required."]}}, Rejected, False),
    ({"kind": "status", "code": 500}, OutcomeUnknown, False),
    ({"kind": "status", "code": 502}, OutcomeUnknown, False),
    ({"kind": "status", "code": 503, "retry_after": 1}, OutcomeUnknown, False),
    ({"kind": "status", "code": 429, "retry_after": 60}, RateLimited, False),
    ({"kind": "status", "code": 200, "body": {"error": "no"}}, Rejected, False),
    ({"kind": "status", "code": 200, "body": {"success": 0, "message": "no"}}, Rejected, False),
    ({"kind": "status", "code": 200, "body": []}, OutcomeUnknown, False),
    ({"kind": "redirect", "code": 301}, ConnectionBroken, False),
    ({"kind": "redirect", "code": 302}, ConnectionBroken, False),
    ({"kind": "redirect", "code": 307}, ConnectionBroken, False),
    ({"kind": "redirect", "code": 308}, ConnectionBroken, False),
    ({"kind": "html"}, OutcomeUnknown, False),
    ({"kind": "cut_before"}, OutcomeUnknown, False),
    ({"kind": "hang", "seconds": 5}, OutcomeUnknown, False),
    ({"kind": "hang", "seconds": 5, "applied": True}, OutcomeUnknown, True),
    ({"kind": "cut_after"}, OutcomeUnknown, True),
    ({"kind": "status_after", "code": 500}, OutcomeUnknown, True),
    ({"kind": "truncate"}, OutcomeUnknown, True),
    ({"kind": "wrong_content_type"}, OutcomeUnknown, True),
]


def spoil(sandbox: SandboxControl, fault: dict[str, Any], method: str = "POST") -> None:
    sandbox.faults([fault | {"method": method}], vendor="antbot")


@pytest.fixture
def campaign(bot: AntBotConnector) -> str:
    """The id of a campaign that could be started."""
    phonebook = bot.create_phonebook(name="Danh bạ").remote_id
    bot.create_contacts(phonebook, [BotContactDraft(number="0912000001")])
    now = datetime.now(UTC)
    draft = CampaignDraft(
        name="Thử L-9",
        phonebook_ids=(phonebook,),
        gateway_id=bot.gateways().read_all()[0].remote_id,
        survey_template_id=bot.templates().read_all()[0].remote_id,
        frequency=1,
        starts_at=now,
        expires_at=now + timedelta(days=1),
        daily_start=time(0),
        daily_stop=time(23, 59),
    )
    return bot.create_campaign(draft).remote_id


@pytest.mark.parametrize(("fault", "ending", "applied"), FAULTS)
def test_a_create_ends_as_certain_as_it_is(
    bot: AntBotConnector,
    sandbox: SandboxControl,
    fault: dict[str, Any],
    ending: type[RemoteError],
    applied: bool,
) -> None:
    spoil(sandbox, fault)
    with pytest.raises(ending) as caught:
        bot.create_phonebook(name="L-77")
    assert type(caught.value) is ending
    sandbox.clear()
    assert len(bot.find_phonebooks("L-77")) == applied


@pytest.mark.parametrize("command", [Command.START, Command.PAUSE])
@pytest.mark.parametrize(("fault", "ending", "applied"), FAULTS)
def test_a_command_is_sent_once_whatever_comes_back(
    bot: AntBotConnector,
    sandbox: SandboxControl,
    campaign: str,
    sent: Sent,
    fault: dict[str, Any],
    ending: type[RemoteError],
    applied: bool,
    command: Command,
) -> None:
    spoil(sandbox, fault)
    sandbox.reset_stats()
    with pytest.raises(ending):
        bot.command(campaign, command)
    assert sandbox.stats("antbot")["requests"] == 1
    sandbox.clear()
    told = [each for each in sent() if each["operation"] == "campaigns.status"]
    assert len(told) == applied


def test_what_was_wrong_with_a_form_is_shown_by_field(bot: AntBotConnector) -> None:
    with pytest.raises(Rejected, match="name: This field may not be blank"):
        bot.create_phonebook(name=" ")


def test_a_real_slash_redirect_would_not_be_followed(connect: Connect) -> None:
    login = answer('{"token": "abc"}')
    moved = answer(b"", 301, Location="/rest-api/phonebook/?x=1")
    with RawServer(login, moved) as server:
        bot = connect(f"{server.url}/rest-api")
        with pytest.raises(ConnectionBroken, match="redirect"):
            bot.create_phonebook(name="Một")
        assert len(server.requests) == 2


def test_every_path_has_single_slashes_and_one_at_its_end(
    bot: AntBotConnector, sandbox: SandboxControl, campaign: str
) -> None:
    sandbox.switches("antbot", slashless="500")
    bot.campaign(campaign)
    bot.command(campaign, Command.PAUSE)
    bot.update_campaign(campaign, frequency=2)
    template = bot.create_template(name="A").remote_id
    section = bot.create_section(template_id=template, name="a", script="b").remote_id
    bot.update_section(section, script="c")
    bot.delete_campaign(campaign)
    paths = [key.split(" ", 1)[1] for key in sandbox.stats("antbot")["routes"]]
    assert paths
    assert all(path.endswith("/") and "//" not in path for path in paths)


@pytest.mark.parametrize("remote_id", ["", "0x1", "1/status", "../1", "1?x=2", "-1", "１"])
def test_an_odd_id_never_reaches_an_address(
    bot: AntBotConnector, sandbox: SandboxControl, remote_id: str
) -> None:
    sandbox.reset_stats()
    for write in (
        lambda: bot.delete_campaign(remote_id),
        lambda: bot.command(remote_id, Command.END),
        lambda: bot.update_phonebook(remote_id, name="a", description="b"),
        lambda: bot.update_section(remote_id, script="a"),
    ):
        with pytest.raises(Rejected, match="none of AntBOT's ids"):
            write()
    assert sandbox.stats("antbot")["requests"] == 0


# Bulk


def drafts(*numbers: str) -> list[BotContactDraft]:
    return [BotContactDraft(number=number) for number in numbers]


def test_a_batch_that_stopped_in_the_middle_is_unknown(bot: AntBotConnector) -> None:
    other = bot.create_phonebook(name="Khác").remote_id
    bot.create_contacts(other, drafts("0912000002"))
    phonebook = bot.create_phonebook(name="Một").remote_id
    with pytest.raises(OutcomeUnknown, match="list the phonebook's contacts again"):
        bot.create_contacts(phonebook, drafts("0912000001", "0912000002", "0912000003"))
    assert [each.number for each in bot.contacts(phonebook_id=phonebook).read_all()] == ["0912000001"]


@pytest.mark.parametrize(
    "body",
    [
        {"error": "stopped"},
        {"result": "ok", "count": 1},
        {"created": 1},
        {"contacts": [{"id": 1}]},
        {"result": "ok", "duplicates": ["0912000001"]},
        {"failed": 1},
        {},
        [],
        "ok",
    ],
)
def test_an_unclear_answer_to_a_batch_says_to_look_again(connect: Connect, body: Any) -> None:
    with RawServer(answer('{"token": "a"}'), answer(json.dumps(body))) as server:
        bot = connect(f"{server.url}/rest-api")
        with pytest.raises(OutcomeUnknown, match="list the phonebook's contacts again"):
            bot.create_contacts("1", drafts("0912000001", "0912000002"))


@pytest.mark.parametrize("body", ['{"result": "ok"}', '{"count": 2}', '{"contacts": [{}, {}]}'])
def test_a_clear_answer_to_a_batch_is_a_yes(connect: Connect, body: str) -> None:
    with RawServer(answer('{"token": "a"}'), answer(body)) as server:
        connect(f"{server.url}/rest-api").create_contacts("1", drafts("0912000001", "0912000002"))
        assert server.requests[-1].startswith("POST /rest-api/bulkcontact/ ")


@pytest.mark.parametrize(("fault", "ending", "applied"), FAULTS)
def test_a_spoiled_batch_is_unknown_unless_it_was_never_looked_at(
    bot: AntBotConnector,
    sandbox: SandboxControl,
    fault: dict[str, Any],
    ending: type[RemoteError],
    applied: bool,
) -> None:
    phonebook = bot.create_phonebook(name="Một").remote_id
    spoil(sandbox, fault)
    expected = OutcomeUnknown if ending is Rejected else ending
    with pytest.raises(expected):
        bot.create_contacts(phonebook, drafts("0912000001", "0912000002"))
    sandbox.clear()
    assert len(bot.contacts(phonebook_id=phonebook).read_all()) == 2 * applied


def test_what_a_batch_cannot_say_is_refused_before_it_is_sent(
    bot: AntBotConnector, sandbox: SandboxControl
) -> None:
    sandbox.reset_stats()
    for wrong, words in (
        ([BotContactDraft(number="0912000001", variables={"a": "1"})], "one by one"),
        (drafts("0912000001", "0912 000 001"), "twice"),
        (drafts(" "), "needs a number"),
    ):
        with pytest.raises(Rejected, match=words):
            bot.create_contacts("293", wrong)
    for count in (0, 101):
        with pytest.raises(ValueError, match="1 to 100"):
            bot.create_contacts("293", drafts(*(f"09120{n:05}" for n in range(count))))
    assert sandbox.stats("antbot")["requests"] == 0


# Answers that do not fit


@pytest.mark.parametrize(
    "body", ['{"name": "Một"}', '{"count": 3, "results": []}', '{"id": "abc"}', '{"id": null}']
)
def test_a_yes_without_an_id_is_no_yes(connect: Connect, body: str) -> None:
    server = RawServer(answer('{"token": "a"}'), answer(body, 201))
    with server, pytest.raises(OutcomeUnknown, match="names no id"):
        connect(f"{server.url}/rest-api").create_phonebook(name="Một")


@pytest.mark.parametrize(("body", "status"), [('{"id": 8}', 200), ('{"id": 7}', 201)])
def test_a_change_of_another_record_is_unknown(connect: Connect, body: str, status: int) -> None:
    server = RawServer(answer('{"token": "a"}'), answer(body, status))
    with server, pytest.raises(OutcomeUnknown, match="another record"):
        connect(f"{server.url}/rest-api").update_phonebook("7", name="Một", description="")


def test_another_record_than_the_one_asked_for_is_not_taken(connect: Connect) -> None:
    server = RawServer(answer('{"token": "a"}'), answer('{"id": 8, "name": "Khác"}'))
    with server, pytest.raises(BadResponse, match="not the record"):
        connect(f"{server.url}/rest-api").phonebook("7")


def test_the_password_of_a_calendar_user_is_kept_nowhere(connect: Connect, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    echo = '{"id": 5, "username": "u", "password": "hunter-2-hunter", "calendar_setting": 4}'
    with RawServer(answer('{"token": "a"}'), answer(echo, 201), answer(echo, 400)) as server:
        bot = connect(f"{server.url}/rest-api")
        made = bot.create_calendar_user(username="u", password="hunter-2-hunter", setting_id="4")
        with pytest.raises(Rejected) as caught:
            bot.create_calendar_user(username="u", password="hunter-2-hunter", setting_id="4")
    assert "hunter" not in f"{made} {caught.value} {caught.value.excerpt} {caplog.text}"
