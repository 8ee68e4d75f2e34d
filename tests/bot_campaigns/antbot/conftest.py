"""A connector on the sandbox's AntBOT, closed at the end of each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backoffice.remote.auth import MemoryTokens
from backoffice.remote.session import Timeouts
from bot_campaigns.antbot.base import Account
from bot_campaigns.antbot.connector import AntBotConnector
from tests.sandbox_fixture import SandboxControl

USERNAME, PASSWORD = "sandbox", "sandbox-antbot-password"

Connect = Callable[..., AntBotConnector]


@pytest.fixture
def connect(sandbox: SandboxControl) -> Iterator[Connect]:
    """Call with credentials, options or parts of the session that differ."""
    opened: list[AntBotConnector] = []

    def build(
        base_url: str = "", options: dict[str, Any] | None = None, parallel: int = 2, **parts: Any
    ) -> AntBotConnector:
        login = {
            name: parts.pop(name, known) for name, known in (("username", USERNAME), ("password", PASSWORD))
        }
        url = base_url or sandbox.base("antbot") + "/rest-api"
        quick = {
            "allow_loopback": True,
            "timeouts": Timeouts(connect=1, read=1),
            "deadline": 4.0,
            "read_attempts": 1,
            "max_bytes": 2_000_000,
            "tokens": MemoryTokens(),
        }
        account = Account("Bot", url, login, parallel, options or {})
        opened.append(AntBotConnector(account, **(quick | parts)))
        return opened[-1]

    yield build
    for connector in opened:
        connector.close()


@pytest.fixture
def bot(connect: Connect) -> AntBotConnector:
    """A connector that has logged in."""
    connector = connect()
    connector.check()
    return connector


@pytest.fixture
def sent(sandbox: SandboxControl) -> Callable[[], list[dict[str, Any]]]:
    """The writes that AntBOT has applied so far, oldest first."""
    return lambda: sandbox.writes(vendor="antbot")
