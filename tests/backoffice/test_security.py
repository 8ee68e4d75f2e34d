"""Log-in throttling, sessions, headers and error pages."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from backoffice.security import client_address
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "a-good-password-of-tests"


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    cache.clear()


def attempt(client: Client, name: str, password: str, **headers: str) -> Any:
    return client.post(reverse("admin:login"), {"username": name, "password": password}, **headers)


def is_in(client: Client) -> bool:
    return client.get("/").status_code == 200


def test_five_wrong_passwords_pause_this_user_from_this_address_only() -> None:
    person, other = factories.user("Sales", password=PASSWORD), factories.user("Sales", password=PASSWORD)
    for number in range(5):
        spoofed = {"HTTP_X_FORWARDED_FOR": f"10.0.0.{number}"}  # must not look like another address
        answer = attempt(Client(), person.username, "wrong", **spoofed)
    assert answer.status_code == 429
    assert b"paused for 15 minutes" in answer.content
    assert attempt(Client(), person.username, PASSWORD).status_code == 429
    assert attempt(Client(), other.username, PASSWORD).status_code == 302
    assert attempt(Client(), person.username, PASSWORD, REMOTE_ADDR="10.9.9.9").status_code == 302


def test_the_pause_ends_and_more_attempts_do_not_prolong_it() -> None:
    from axes.models import AccessAttempt

    person = factories.user("Sales", password=PASSWORD)
    for _ in range(5):
        attempt(Client(), person.username, "wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert attempt(Client(), person.username, "wrong").status_code == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert attempt(Client(), person.username, PASSWORD).status_code == 302


def test_the_address_behind_proxies_is_what_ours_wrote(settings: Any) -> None:
    def seen(header: str) -> str:
        request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=header)
        return client_address(request)

    settings.PROXY_COUNT = 0
    assert seen("6.6.6.6") == "10.0.0.1"
    settings.PROXY_COUNT = 1
    assert seen("6.6.6.6, 203.0.113.7") == "203.0.113.7"
    settings.PROXY_COUNT = 2
    assert seen("6.6.6.6, 203.0.113.7, 10.0.0.2") == "203.0.113.7"
    assert seen("6.6.6.6") == "10.0.0.1"


def session_moved(client: Client, **seconds_back: float) -> None:
    session = client.session
    for key, seconds in seconds_back.items():
        session[key] = session.get(key, timezone.now().timestamp()) - seconds
    session.save()


def test_an_idle_session_ends(settings: Any) -> None:
    client = Client()
    client.force_login(factories.user("Sales"))
    assert is_in(client)
    session_moved(client, _seen=settings.SESSION_IDLE_SECONDS - 60)
    assert is_in(client)
    session_moved(client, _seen=settings.SESSION_IDLE_SECONDS + 60)
    assert not is_in(client)


def test_a_busy_session_ends_too(settings: Any) -> None:
    client = Client()
    client.force_login(factories.user("Sales"))
    assert is_in(client)
    session_moved(client, _since=settings.SESSION_COOKIE_AGE + 1)
    assert not is_in(client)


def test_what_polls_by_itself_keeps_no_session_alive(settings: Any) -> None:
    client = Client()
    client.force_login(factories.user("Sales"))
    assert is_in(client)
    session_moved(client, _seen=300)
    before = client.session["_seen"]
    client.get("/", headers={"HX-Request": "true", "HX-Trigger": "poll-7"})
    assert client.session["_seen"] == before
    client.get("/")
    assert client.session["_seen"] > before


def test_a_locked_user_is_out_at_once() -> None:
    person = factories.user("Sales")
    client = Client()
    client.force_login(person)
    assert is_in(client)
    person.is_active = False
    person.save()
    assert not is_in(client)


def test_a_login_changes_the_session_key() -> None:
    person = factories.user("Sales", password=PASSWORD)
    client = Client()
    client.get(reverse("admin:login"))
    session = client.session
    session["planted"] = 1
    session.save()
    before = session.session_key
    attempt(client, person.username, PASSWORD)
    assert client.session.session_key != before


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "https:evil"]
)
def test_no_way_out_to_a_foreign_site(target: str) -> None:
    person = factories.user("Managers", password=PASSWORD)
    client = Client()
    answer = client.post(
        f"{reverse('admin:login')}?next={target}",
        {"username": person.username, "password": PASSWORD, "next": target},
    )
    assert answer["Location"] == "/"
    answer = client.post(reverse("crm:outgoing_retry_selected"), {"next": target})
    assert answer["Location"] == reverse("crm:outgoing")


EVERYWHERE = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.mark.parametrize(
    ("address", "status"),
    [("/", 200), ("/login/", 200), ("/nowhere/", 404), ("/unreadable/", 403), ("/runs", 301)],
)  # fmt: skip
def test_headers_on_every_answer(address: str, status: int) -> None:
    client = Client()
    client.force_login(factories.user("Sales"))
    answer = client.get(address)
    if address == "/login/":
        answer = Client().get(address)
    assert answer.status_code == status
    for name, value in EVERYWHERE.items():
        assert answer[name] == value, name
    assert "no-store" in answer["Cache-Control"]
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self' 'unsafe-eval'"
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["object-src"] == "'none'"


def test_error_pages_say_what_to_do_and_nothing_else(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from crm_bridge.views import home

    def burst(_user: Any) -> None:
        raise RuntimeError("secret-detail-0934890883")

    client = Client(raise_request_exception=False)
    client.force_login(factories.user("Sales"))
    monkeypatch.setattr(home, "attention", burst)
    answer = client.get("/")
    assert answer.status_code == 500
    assert b"stays saved" in answer.content
    assert b"secret-detail" not in answer.content
    assert b"Your role does not include it" in client.get("/unreadable/").content
    assert b"There is nothing here" in client.get("/nowhere/").content
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(factories.user("Sales"))
    assert b"open too long" in strict.post("/outgoing/retry/").content
    assert b"could not be read" in client.get("/", headers={"host": "evil.example"}).content


def test_no_template_or_asset_of_ours_reaches_outside(settings: Any) -> None:
    from pathlib import Path

    own = [*Path(settings.BASE_DIR, "templates").rglob("*.html")]
    own += [
        Path(finders.find(f"backoffice/{name}")) for name in ("backoffice.css", "backoffice.js", "error.css")
    ]
    for path in own:
        body = path.read_text()
        assert "//cdn" not in body, path
        assert 'src="http' not in body, path
        assert "<script>" not in body, path
        assert " onclick=" not in body, path


def test_the_language_can_be_changed() -> None:
    client = Client()
    client.force_login(factories.user("Sales"))
    client.post(reverse("set_language"), {"language": "vi", "next": "/"})
    assert b'lang="vi"' in client.get("/").content
