"""connect and sync know accounts on voice bots as they know those on CRMs."""

import json

import pytest
from django.core.management import CommandError, call_command

from backoffice.models import AuditEntry
from bot_campaigns.models import BotConnection, Campaign
from bot_campaigns.services.streams import STREAMS
from crm_bridge.models import Connection
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def connect(sandbox, *, name="Bot", password="sandbox-antbot-password"):
    login = ("username=sandbox", f"password={password}")
    call_command("connect", "antbot", "--name", name, "--base-url", sandbox.bot.base, "--set", *login)


def test_connect_stores_a_bot_that_accepted_the_login(sandbox, capsys):
    connect(sandbox)
    stored = BotConnection.objects.get()
    assert (stored.name, stored.vendor, stored.base_url) == ("Bot", "antbot", sandbox.bot.base)
    assert "Bot is connected" in capsys.readouterr().out
    assert AuditEntry.objects.get().action == "connection.create"
    assert not Connection.objects.exists()


def test_connect_refuses_a_wrong_login_and_a_name_of_another_system(sandbox):
    with pytest.raises(CommandError, match="Nothing was stored"):
        connect(sandbox, password="wrong")
    factories.connection(name="Head office")
    with pytest.raises(CommandError, match="already stands for antcrm"):
        connect(sandbox, name="Head office")
    assert not BotConnection.objects.exists()


def test_sync_pulls_bots_and_crms_alike(sandbox, capsys):
    connect(sandbox)
    factories.connection(name="Head office", base_url=sandbox.base())
    capsys.readouterr()
    call_command("sync", "--json")
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["connection"] for each in said} == {"Bot", "Head office"}
    assert [each["stream"] for each in said if each["connection"] == "Bot"] == list(STREAMS)
    assert all(each["ok"] for each in said)
    assert Campaign.objects.exists()
    call_command("sync", "Bot", "--stream", "campaigns", "calls")
    assert "Bot campaigns (complete)" in capsys.readouterr().out


def test_sync_names_a_stream_that_is_not_there(sandbox):
    connect(sandbox)
    with pytest.raises(CommandError, match=r"Bot has no stream contacts\. It has: gateways"):
        call_command("sync", "Bot", "--stream", "contacts")


def test_a_name_of_two_accounts_is_not_guessed(sandbox):
    connect(sandbox)
    factories.connection(name="Bot")
    with pytest.raises(CommandError, match="two connections"):
        call_command("sync", "Bot")
