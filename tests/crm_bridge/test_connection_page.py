"""The connection form: secrets in, never out, bound to their host."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from backoffice.models import AuditEntry
from backoffice.remote.errors import ConnectionBroken
from crm_bridge.models import Connection, ConnectionHealth
from crm_bridge.services import connecting, schedule
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def crm() -> Connection:
    row = factories.connection(name="AntCRM main")
    schedule.ensure_streams(row)
    return row


def login(role: str) -> Client:
    client = Client()
    client.force_login(factories.user(role))
    return client


def text(response: Any) -> str:
    return response.content.decode()


def form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "AntCRM two",
        "vendor": "antcrm",
        "base_url": "http://127.0.0.1:1/antcrm",
        "is_active": "on",
        "requests_per_second": "5",
        "parallel_requests": "2",
        "credential_api_key": "a-long-secret-for-tests",
        "streams-TOTAL_FORMS": "0",
        "streams-INITIAL_FORMS": "0",
        **changes,
    }


ADD = "admin:crm_bridge_connection_add"
CHANGE = "admin:crm_bridge_connection_change"


def test_a_connection_is_made_and_its_secret_never_shown() -> None:
    client = login("Admins")
    assert client.post(reverse(ADD), form()).status_code == 302
    row = Connection.objects.get(name="AntCRM two")
    assert row.credentials == {"api_key": "a-long-secret-for-tests"}
    assert row.streams.count() == 3
    page = text(client.get(reverse(CHANGE, args=[row.pk])))
    assert "a-long-secret" not in page
    assert "…ests" in page
    assert "Leave blank to keep it" in page
    entry = AuditEntry.objects.get(action="connection.create")
    assert "a-long-secret" not in str(entry.data)


def test_a_blank_secret_keeps_what_is_stored() -> None:
    row = factories.connection(credentials={"api_key": "stored-secret-of-tests"})
    client = login("Admins")
    data = form(name=row.name, base_url=row.base_url, credential_api_key="", requests_per_second="9")
    assert client.post(reverse(CHANGE, args=[row.pk]), data).status_code == 302
    row.refresh_from_db()
    assert row.credentials == {"api_key": "stored-secret-of-tests"}
    assert row.requests_per_second == 9


def test_another_host_asks_for_the_secret_again() -> None:
    """Else an admin could send a key he never saw to a host of his own."""
    row = factories.connection(credentials={"api_key": "stored-secret-of-tests"})
    client = login("Admins")
    for elsewhere in ("https://evil.example.com", "http://127.0.0.1:2/antcrm"):
        data = form(name=row.name, base_url=elsewhere, credential_api_key="")
        answer = client.post(reverse(CHANGE, args=[row.pk]), data)
        assert answer.status_code == 200
        assert "Enter it again" in text(answer)
        row.refresh_from_db()
        assert row.base_url == "http://127.0.0.1:1/antcrm"
    data["credential_api_key"] = "another-secret"
    assert client.post(reverse(CHANGE, args=[row.pk]), data).status_code == 302
    row.refresh_from_db()
    assert row.credentials == {"api_key": "another-secret"}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("base_url", "http://crm.example.com", "must begin with https"),
        ("base_url", "https://user:pw@crm.example.com", "must not hold a user name"),
        ("base_url", "javascript:alert(1)", "must look like"),
        ("credential_api_key", "", "This system needs it"),
        ("requests_per_second", "-1", "From 0"),
        ("parallel_requests", "0", "From 1 to 16"),
    ],
)
def test_wrong_settings_are_refused_in_words(field: str, value: str, words: str) -> None:
    answer = login("Admins").post(reverse(ADD), form(**{field: value}))
    assert answer.status_code == 200
    assert words in text(answer)
    assert not Connection.objects.exists()


def test_in_production_no_connection_leads_to_the_machine_itself(settings: Any) -> None:
    settings.ALLOW_LOOPBACK = False
    for inside in ("http://127.0.0.1:8000", "https://localhost", "http://[::1]:5432"):
        answer = login("Admins").post(reverse(ADD), form(base_url=inside))
        assert "leads to this machine" in text(answer), inside
    assert not Connection.objects.exists()
    row = factories.connection(base_url="http://127.0.0.1:1/antcrm")  # stored while it was allowed
    with pytest.raises(ConnectionBroken, match="leads to this machine"):
        connecting.connect_to(row)


def test_extra_fields_of_a_post_change_nothing(crm: Connection) -> None:
    client = login("Admins")
    data = form(
        name=crm.name,
        base_url=crm.base_url,
        vendor="other",
        credentials='{"api_key":"x"}',
        measured='{"x":1}',
    )
    client.post(reverse(CHANGE, args=[crm.pk]), {**data, "credential_api_key": ""})
    crm.refresh_from_db()
    assert crm.vendor == "antcrm"
    assert crm.measured == {}
    assert crm.credentials == {"api_key": "sandbox-antcrm-key"}


def test_a_connection_with_contacts_stays(crm: Connection) -> None:
    factories.contact(crm)
    client = login("Admins")
    address = reverse("admin:crm_bridge_connection_delete", args=[crm.pk])
    assert client.post(address, {"post": "yes"}).status_code == 403
    unused = factories.connection()
    client.post(reverse("admin:crm_bridge_connection_delete", args=[unused.pk]), {"post": "yes"})
    assert list(Connection.objects.all()) == [crm]


def test_the_form_opens_when_no_key_reads_the_secret(crm: Connection, settings: Any) -> None:
    settings.CREDENTIAL_KEYS = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItMTI="]
    client = login("Admins")
    assert client.get(reverse("admin:crm_bridge_connection_changelist")).status_code == 200
    assert client.get(reverse(CHANGE, args=[crm.pk])).status_code == 200
    assert client.get("/").status_code == 200


def test_intervals_are_kept_per_stream_and_audited(crm: Connection) -> None:
    client = login("Admins")
    data = form(name=crm.name, base_url=crm.base_url, credential_api_key="")
    states = list(crm.streams.order_by("stream"))
    data |= {"streams-TOTAL_FORMS": str(len(states)), "streams-INITIAL_FORMS": str(len(states))}
    for number, state in enumerate(states):
        data |= {
            f"streams-{number}-id": state.pk,
            f"streams-{number}-connection": crm.pk,
            f"streams-{number}-every": "300",
            f"streams-{number}-complete_at": "",
        }
    data["streams-0-every"] = "5"
    assert "At least 30 seconds" in text(client.post(reverse(CHANGE, args=[crm.pk]), data))
    data["streams-0-every"] = "60"
    assert client.post(reverse(CHANGE, args=[crm.pk]), data).status_code == 302
    assert sorted(crm.streams.values_list("every", flat=True)) == [60, 300, 300]
    assert AuditEntry.objects.filter(action="connection.schedule").exists()


def test_check_now_says_in_plain_words_how_it_went(sandbox: Any) -> None:
    client = login("Admins")
    good = factories.connection(base_url=sandbox.base(), credentials={"api_key": sandbox.key})
    page = text(client.post(reverse("crm:connection_check", args=[good.pk]), headers={"HX-Request": "true"}))
    assert "accepts the key" in page
    bad = factories.connection(base_url=sandbox.base(), credentials={"api_key": "wrong-key-of-tests"})
    page = text(client.post(reverse("crm:connection_check", args=[bad.pk]), headers={"HX-Request": "true"}))
    assert "bo-bad" in page
    assert "wrong-key-of-tests" not in page
    assert ConnectionHealth.objects.get(connection=bad).needs_attention
    assert AuditEntry.objects.filter(action="connection.check").count() == 2


def test_the_capability_table_tells_what_is_unproven(crm: Connection) -> None:
    page = text(login("Admins").get(reverse(CHANGE, args=[crm.pk])))
    for words in ("What AntCRM can do", "unproven", "cannot", "up to 100 in one request"):
        assert words in page


@pytest.mark.parametrize(
    ("route", "title"),
    [
        ("admin:crm_bridge_connection_changelist", "Connections"),
        ("admin:auth_user_changelist", "Users"),
        ("admin:auth_group_changelist", "Groups"),
        ("admin:backoffice_auditentry_changelist", "Audit log"),
    ],
)
def test_a_list_is_titled_by_what_it_lists(route: str, title: str) -> None:
    page = text(login("Admins").get(reverse(route)))
    assert title in page[page.index("<title>") : page.index("</title>")]
    assert "to change" not in page[page.index("<title>") : page.index("</title>")]
    assert "to view" not in page[page.index("<title>") : page.index("</title>")]
