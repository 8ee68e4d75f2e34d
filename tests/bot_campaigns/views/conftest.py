"""A manager's browser without a browser, and an account with something in it."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests import factories
from tests.bot_campaigns.services import rows


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    cache.clear()


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What workers were rung for; nobody answers."""
    from backoffice.sync import bell

    calls: list[Any] = []
    monkeypatch.setattr(bell, "ring", lambda *args, on: calls.append((*args, on)))
    return calls


def login(role: str = "Managers") -> Any:
    client: Any = Client()
    client.user = factories.user(role)
    client.force_login(client.user)
    return client


@pytest.fixture
def manager(db: None) -> Any:
    return login()


@pytest.fixture
def account(db: None) -> Any:
    return rows.bot(name="AntBOT main")


@pytest.fixture
def crm(db: None) -> Any:
    return rows.crm()


def text(answer: Any) -> str:
    return answer.content.decode()
