"""Which addresses a connection may have, in words and by what they resolve to."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from backoffice.remote.errors import ConnectionBroken
from backoffice.remote.target import check_base_url
from backoffice.remote.wire import is_public
from tests.remote.conftest import Open
from tests.remote.rawserver import RawServer, answer


@pytest.mark.parametrize(
    "url",
    [
        "ftp://crm.example.com",
        "crm.example.com",
        "https://",
        "https:///path",
        "http://crm.example.com",
        "https://crm.example.com:8443",
        "https://user@crm.example.com",
        "https://user:word@crm.example.com",
        "https://crm.example.com@evil.example",
        "https://crm.example.com/?x=1",
        "https://crm.example.com/?",
        "https://crm.example.com/#",
        "https://crm.example.com\\@evil.example",
        "https://crm example.com",
        "https://crm.example.com/\r\nHost: evil",
        "https://crm.example.com:99999",
        "https://crm_example.com",
        "https://[::1",
        "https://ｅvil.example",
        "http://127.0.0.1",
        "https://localhost",
        "https://[::1]",
    ],
)
def test_unsafe_base_url_is_refused_in_words(url: str) -> None:
    with pytest.raises(ValueError, match=r"^The address .*\.$"):
        check_base_url(url)


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://crm.example.com", "https://crm.example.com", ""),
        ("https://CRM.example.com.:443/api/v2/", "https://crm.example.com", "/api/v2"),
        ("http://127.0.0.1:8801/", "http://127.0.0.1:8801", ""),
        ("http://[::1]:8801", "http://[::1]:8801", ""),
        ("http://localhost", "http://localhost", ""),
    ],
)
def test_good_base_url_is_normalised(url: str, origin: str, path: str) -> None:
    target = check_base_url(url, allow_loopback=True)
    assert (target.origin, target.path) == (origin, path)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:5601:fffe",
    ],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_outside_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Makes every name resolve to these; returns the names asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host in addresses:  # the literal address, when connecting
            return real(host, port, *args, **kwargs)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize("how", ["get_json", "fetch"])
@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.8"], ["8.8.8.8", "127.0.0.1"]]
)
def test_name_that_leads_inside_is_never_connected_to(
    open_session: Open, monkeypatch: pytest.MonkeyPatch, how: str, addresses: list[str]
) -> None:
    resolving(monkeypatch, *addresses)
    connected: list[object] = []
    monkeypatch.setattr("backoffice.remote.wire.create_connection", lambda *args: connected.append(args))
    session = open_session("https://crm.example.com")
    with pytest.raises(ConnectionBroken, match=r"not called: crm\.example\.com leads to"):
        getattr(session, how)("/contacts", operation="list")
    with pytest.raises(ConnectionBroken):
        session.send_json("POST", "/contacts", {}, operation="create")
    assert connected == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0177.0.0.1", "0x7f.1"])
def test_odd_spelling_of_this_machine_is_caught_by_its_address(open_session: Open, host: str) -> None:
    with pytest.raises(ConnectionBroken, match="leads to"):
        open_session(f"https://{host}").get_json("/", operation="check")


def test_checked_address_is_the_one_connected_to(open_session: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes its answer between check and connect gains nothing."""
    asked = resolving(monkeypatch, "8.8.8.8")
    connected: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *args: object) -> None:
        connected.append(address)
        raise OSError("stop here")

    monkeypatch.setattr("backoffice.remote.wire.create_connection", connect)
    with pytest.raises(Exception, match="does not accept"):
        open_session("https://crm.example.com").get_json("/", operation="check")
    assert asked == ["crm.example.com"]
    assert connected == [("8.8.8.8", 443)]


def test_localhost_must_mean_this_machine(open_session: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(answer()) as server:
        resolving(monkeypatch, "8.8.8.8")
        with pytest.raises(ConnectionBroken):
            open_session(f"http://localhost:{server.port}").get_json("/", operation="check")
