"""Fixtures shared by all tests, and the guard that keeps them on this machine."""

import socket
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.utils import translation

from backoffice.remote.auth import forget_process_tokens

pytest_plugins = ["tests.crm_bridge.services.fake_vendor", "tests.sandbox_fixture"]

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


class NetworkUsed(BaseException):
    """A test tried to leave this machine. Not an Exception: nothing may swallow it."""


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """A page asked for in Vietnamese leaves its language behind in the thread."""
    yield
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Sockets and name look-ups other than loopback raise, so a forgotten address fails loudly."""
    patch = pytest.MonkeyPatch()
    for method in ("connect", "connect_ex"):
        patch.setattr(socket.socket, method, _guarded(getattr(socket.socket, method)))
    patch.setattr(socket, "getaddrinfo", _guarded_look_up(socket.getaddrinfo))
    yield
    patch.undo()


def _guarded(real):
    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_strangers(address[0])
        return real(self, address)

    return connect


def _guarded_look_up(real):
    def getaddrinfo(host, *args, **kwargs):
        if host and not _is_number(host):
            _refuse_strangers(host)
        return real(host, *args, **kwargs)

    return getaddrinfo


def _is_number(host):
    """Addresses in figures, however spelt, need no look-up; ``connect`` sees where they lead."""
    try:
        socket.inet_aton(host)
    except (OSError, TypeError):
        return isinstance(host, str) and ":" in host
    return True


def _refuse_strangers(host):
    name = host.decode() if isinstance(host, bytes) else str(host)
    if not name.startswith(LOOPBACK):
        raise NetworkUsed(f"a test tried to reach {name}")


@pytest.fixture(autouse=True)
def no_tokens_kept() -> None:
    """A sandbox that was reset knows no token of the test before."""
    forget_process_tokens()
