"""A session factory with short times, closed at the end of each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backoffice.remote.auth import HeaderToken
from backoffice.remote.session import RemoteSession, Timeouts

KEY = "very-secret-key-4711"

Open = Callable[..., RemoteSession]


@pytest.fixture
def open_session() -> Iterator[Open]:
    """Call with a base URL and any arguments of RemoteSession."""
    opened: list[RemoteSession] = []

    def build(url: str, **arguments: Any) -> RemoteSession:
        arguments = {
            "auth": HeaderToken("apikey", KEY),
            "label": "Test CRM",
            "allow_loopback": True,
            "timeouts": Timeouts(connect=0.5, read=0.5),
            "deadline": 2.0,
            "read_attempts": 1,
        } | arguments
        opened.append(RemoteSession(url, **arguments))
        return opened[-1]

    yield build
    for session in opened:
        session.close()
