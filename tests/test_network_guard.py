"""The guard of conftest.py works; without it the other tests prove less."""

import socket
import urllib.request

import pytest

from tests.conftest import NetworkUsed


def test_addresses_elsewhere_raise():
    with socket.socket() as sock, pytest.raises(NetworkUsed):
        sock.connect(("192.0.2.1", 80))


def test_names_elsewhere_are_not_looked_up():
    with pytest.raises(NetworkUsed):
        urllib.request.urlopen("http://example.com/")


def test_loopback_is_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
