"""Lists are read to a proven end, whatever shape their pages have; what is short is refused."""

from __future__ import annotations

from typing import Any

import pytest

from backoffice.remote.errors import BadResponse, Rejected, RemoteError, RetryLater
from bot_campaigns.antbot.base import Stream
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.antbot.walks import NotOffered
from tests.bot_campaigns.antbot.conftest import Connect
from tests.sandbox_fixture import SandboxControl


def truth(sandbox: SandboxControl, table: str = "contact") -> set[str]:
    return {str(each["id"]) for each in sandbox.control("GET", "antbot/rows", table=table)}


def ids(bot: AntBotConnector) -> set[str]:
    return {each.remote_id for each in bot.contacts().read_all()}


@pytest.mark.parametrize("envelope", ["page", "results", "list_pages"])
@pytest.mark.parametrize("size", [1, 7, 8, 10, 64, 500])
def test_every_page_shape_and_size(
    bot: AntBotConnector, sandbox: SandboxControl, envelope: str, size: int
) -> None:
    sandbox.switches("antbot", envelope=envelope, page_size=size)
    assert ids(bot) == truth(sandbox)


def test_an_unpaged_list_needs_the_option_that_says_so(connect: Connect, sandbox: SandboxControl) -> None:
    sandbox.switches("antbot", envelope="list")
    with pytest.raises(BadResponse, match="round in circles"):
        connect().contacts().read_all()
    bot = connect(options={"whole_lists": "yes"})
    assert ids(bot) == truth(sandbox)
    sandbox.switches("antbot", envelope="page")
    assert ids(bot) == truth(sandbox)


def test_the_address_of_the_next_page_is_never_followed(
    bot: AntBotConnector, sandbox: SandboxControl
) -> None:
    sandbox.switches("antbot", next_host="wrong")
    assert ids(bot) == truth(sandbox)


def test_a_list_without_order_is_read_until_nothing_is_missing(
    bot: AntBotConnector, sandbox: SandboxControl
) -> None:
    sandbox.switches("antbot", sort="random")
    assert ids(bot) == truth(sandbox)


@pytest.mark.parametrize("page", [2, 4])
def test_a_repeated_page_is_no_list(bot: AntBotConnector, sandbox: SandboxControl, page: int) -> None:
    sandbox.switches("antbot", envelope="results")
    sandbox.faults([{"kind": "repeat_page", "page": page}], vendor="antbot")
    with pytest.raises(BadResponse, match="round in circles"):
        bot.contacts().read_all()


def test_a_page_that_lost_rows_is_noticed_by_the_count(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    sandbox.faults([{"kind": "short_page", "page": 2}], vendor="antbot")
    with pytest.raises(BadResponse, match="only"):
        bot.contacts().read_all()


def test_one_empty_page_in_between_is_no_end(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    sandbox.switches("antbot", envelope="list_pages")
    sandbox.faults([{"kind": "empty_page", "page": 3}], vendor="antbot")
    found = ids(bot)
    assert len(found) == len(truth(sandbox)) - 10  # the rest of the list was read all the same


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        ({"kind": "status", "code": 404, "body": "<html>no</html>"}, Rejected),
        ({"kind": "status", "code": 500}, RetryLater),
        ({"kind": "html"}, BadResponse),
        ({"kind": "html", "code": 404}, Rejected),
        ({"kind": "truncate"}, RetryLater),
        ({"kind": "cut_after"}, RetryLater),
        ({"kind": "wrong_content_type"}, BadResponse),
        ({"kind": "deep_json"}, BadResponse),
        ({"kind": "huge"}, BadResponse),
        ({"kind": "status", "code": 200, "body": {"error": "not today"}}, Rejected),
        ({"kind": "status", "code": 200, "body": {"rows": []}}, BadResponse),
        ({"kind": "redirect"}, RemoteError),
    ],
)
def test_a_spoiled_page_in_the_middle_is_never_taken_for_the_end(
    bot: AntBotConnector, sandbox: SandboxControl, fault: dict[str, Any], ending: type[RemoteError]
) -> None:
    sandbox.switches("antbot", envelope="results")
    sandbox.faults([fault | {"method": "GET", "path": "*/contact/", "after": 2}], vendor="antbot")
    with pytest.raises(ending):
        bot.contacts().read_all()


def test_the_words_of_a_refusal_in_disguise_are_kept(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    fault = {"kind": "status", "code": 200, "body": {"error": "campaign is not yours"}, "path": "*/cdr/"}
    sandbox.faults([fault], vendor="antbot")
    with pytest.raises(Rejected, match="campaign is not yours"):
        bot.calls().read_all()


def test_a_404_at_the_first_page_is_no_empty_list(connect: Connect, sandbox: SandboxControl) -> None:
    bot = connect()
    fault = {"kind": "status", "code": 404, "body": {"detail": "Not found."}, "path": "*/contact/"}
    sandbox.faults([fault], vendor="antbot")
    with pytest.raises(Rejected):
        bot.contacts().read_all()


def test_lists_that_are_not_on_the_page_say_that_they_are_not_offered(
    bot: AntBotConnector, sandbox: SandboxControl
) -> None:
    sandbox.switches("antbot", undocumented_reads="no")
    for stream in Stream:
        walk = bot.walks(stream)
        if stream in bot.capabilities.undocumented:
            with pytest.raises(NotOffered):
                walk.read_all()
        else:
            walk.read_all()


@pytest.mark.parametrize("shape", ["odd", "page"])
@pytest.mark.parametrize("users", [0, 1, 2, 13])
def test_calendar_users_in_all_their_shapes_without_a_hash(
    bot: AntBotConnector, sandbox: SandboxControl, shape: str, users: int
) -> None:
    sandbox.switches("antbot", calendar_users=shape)
    survey, gateway = bot.surveys().read_all()[0], bot.gateways().read_all()[0]
    setting = bot.create_calendar_setting(
        label="L", survey_id=survey.remote_id, gateway_id=gateway.remote_id
    ).remote_id
    made = [
        bot.create_calendar_user(username=f"u{n}", password="rất-bí-mật", setting_id=setting)
        for n in range(users)
    ]
    assert bot.calendar_users().read_all() == made
    walk = bot.calendar_users()
    body = walk.fetch(1)
    if users:
        assert b'"password"' in body  # the vendor does show it
    for item in walk.split(body).items:
        assert "pass" not in str(item.raw).lower()
        assert "pbkdf2" not in str(item.raw).lower()


def test_walks_of_different_filters_have_different_keys(bot: AntBotConnector) -> None:
    keys = {
        walk.key
        for walk in (
            bot.campaigns(),
            bot.campaigns(name="a"),
            bot.campaigns(phonebook_id="1"),
            bot.contacts(),
            bot.contacts(phonebook_id="1"),
            bot.subscribers(campaign_id="1"),
            bot.subscribers(campaign_id="2"),
        )
    }
    assert len(keys) == 7
    assert all(len(key) <= 40 for key in keys)
    assert bot.contacts(phonebook_id="1").key == bot.contacts(phonebook_id="1").key
