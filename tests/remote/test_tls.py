"""The certificate of the other side is verified, whatever is wrong with it."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backoffice.remote.errors import RetryLater
from tests.remote.conftest import Open
from tests.remote.rawserver import RawServer, answer, hang

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)

Context = Callable[..., ssl.SSLContext]


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority of our own; signs servers of all sorts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("Test CA", self._key, self._key, ca=True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self,
        subject: str,
        key: ec.EllipticCurvePrivateKey,
        signer: ec.EllipticCurvePrivateKey,
        *,
        ca: bool = False,
        starts: datetime.datetime = NOW - DAY,
        ends: datetime.datetime = NOW + DAY,
        issuer: str = "Test CA",
    ) -> x509.Certificate:
        try:
            alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(subject))
        except ValueError:
            alternative = x509.DNSName(subject.replace(" ", "-"))
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(starts)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        )
        return builder.sign(signer, hashes.SHA256())

    def server(
        self,
        host: str = "127.0.0.1",
        *,
        self_signed: bool = False,
        starts: datetime.datetime = NOW - DAY,
        ends: datetime.datetime = NOW + DAY,
    ) -> ssl.SSLContext:
        """A server side whose certificate is for `host` and valid from `starts` to `ends`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            host,
            key,
            key if self_signed else self._key,
            starts=starts,
            ends=ends,
            issuer=host if self_signed else "Test CA",
        )
        file = self._folder / "server.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def call_all(open_session: Open, server: RawServer, ca_file: Path | None) -> list[object]:
    """What each of the three kinds of call ends with."""
    session = open_session(server.url, ca_file=str(ca_file) if ca_file else None)
    calls: list[Callable[[], object]] = [
        lambda: session.get_json("/", operation="read"),
        lambda: session.fetch("/", operation="list"),
        lambda: session.send_json("POST", "/", {}, operation="create"),
    ]
    ends: list[object] = []
    for call in calls:
        try:
            ends.append(call())
        except RetryLater as error:
            ends.append(error)
    return ends


def test_good_certificate_is_accepted(open_session: Open, authority: Authority) -> None:
    with RawServer(answer(), tls=authority.server()) as server:
        ends = call_all(open_session, server, authority.file)
    assert not any(isinstance(end, Exception) for end in ends)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("arguments", "trusted", "words"),
    [
        ({"ends": NOW - DAY / 2}, True, "expired"),
        ({"starts": NOW + DAY / 2}, True, "not yet valid"),
        ({"host": "crm.example.com"}, True, "mismatch"),
        ({"self_signed": True}, True, "self-signed"),
        ({}, False, "unable to get local issuer"),
    ],
    ids=["expired", "future", "wrong host", "self-signed", "unknown authority"],
)
def test_bad_certificate_is_refused_before_anything_is_sent(
    open_session: Open, authority: Authority, arguments: dict[str, object], trusted: bool, words: str
) -> None:
    with RawServer(answer(), tls=authority.server(**arguments)) as server:  # type: ignore[arg-type]
        ends = call_all(open_session, server, authority.file if trusted else None)
    assert all("certificate is not valid" in str(end) and words in str(end) for end in ends)
    assert server.requests == []


def test_outdated_protocol_is_refused(open_session: Open, authority: Authority) -> None:
    context = authority.server()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with RawServer(answer(), tls=context) as server:
        ends = call_all(open_session, server, authority.file)
    assert all("no secure connection" in str(end) for end in ends)
    assert server.requests == []


def test_server_that_speaks_no_tls_is_refused(open_session: Open, authority: Authority) -> None:
    with RawServer(answer()) as server:
        session = open_session(f"https://127.0.0.1:{server.port}", ca_file=str(authority.file))
        with pytest.raises(RetryLater, match="not called"):
            session.send_json("POST", "/", {}, operation="create")
    assert all("apikey" not in request for request in server.requests)


def test_environment_cannot_add_an_authority(
    open_session: Open, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(authority.file))
    with RawServer(answer(), tls=authority.server()) as server:
        ends = call_all(open_session, server, None)
    assert all("certificate is not valid" in str(end) for end in ends)


def test_silent_handshake_ends_in_time(open_session: Open, authority: Authority) -> None:
    with RawServer(hang) as server:  # reads the greeting as a request that never ends
        session = open_session(f"https://127.0.0.1:{server.port}", ca_file=str(authority.file))
        with pytest.raises(RetryLater, match="connecting took too long"):
            session.fetch("/", operation="list")
