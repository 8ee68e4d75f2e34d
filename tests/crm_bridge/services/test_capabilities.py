"""What a connector declares and an account proves decides how it is pulled, connected and asked."""

import io
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backoffice.remote.errors import ConnectionBroken
from backoffice.remote.target import check_base_url
from backoffice.sync.credentials import lack
from crm_bridge.connectors.base import Changes, CredentialField, Deletions
from crm_bridge.models import Connection, Contact, Run
from crm_bridge.services import connecting, schedule
from crm_bridge.services import pull as pulling
from tests import factories
from tests.crm_bridge.services.fake_lists import FakeConnector, FakeWalk, row
from tests.crm_bridge.services.fake_vendor import FakeVendor
from tests.crm_bridge.services.pulling import Account

pytestmark = pytest.mark.django_db


# --- connecting ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("https://me.fake.example/api", True), ("https://fake.example", True),
        ("https://evilfake.example", False),
        ("https://me.fake.example.evil.com", False), ("https://other.example", False),
        ("http://127.0.0.1:8901/fake", True),
    ],
)  # fmt: skip
def test_an_account_is_within_its_vendors_domain(address, fine):
    if fine:
        check_base_url(address, allow_loopback=True, host_suffixes=(".fake.example",))
    else:
        with pytest.raises(ValueError, match=r"must be one of fake\.example"):
            check_base_url(address, allow_loopback=True, host_suffixes=(".fake.example",))


def test_a_stored_address_elsewhere_is_never_asked(vendor):
    """Whoever can write the table could else send the secrets to a host of his own."""
    row_ = factories.connection(vendor="fake", base_url="https://evil.example/api")
    with pytest.raises(ConnectionBroken, match=r"fake\.example"):
        connecting.connect_to(row_)
    row_.base_url = "https://me.fake.example/api"
    assert connecting.connect_to(row_).account.base_url == row_.base_url


def test_loopback_is_for_development_only(vendor, settings):
    row_ = factories.connection(vendor="fake")
    settings.ALLOW_LOOPBACK = False
    with pytest.raises(ConnectionBroken, match="this machine"):
        connecting.connect_to(row_)


def test_a_connector_learns_what_was_proven_on_its_account(vendor):
    row_ = factories.connection(vendor="fake", measured={"features": {"trash": {"words": "seen"}}})
    connector = connecting.connect_to(row_, deadline=5)
    assert "trash" in connector.account.options["features"]
    assert connector.parts["deadline"] == 5
    assert connecting.able(row_, connector).deletions is Deletions.LISTED
    assert FakeVendor.capabilities.deletions is Deletions.BY_LOOKUP
    assert [state.stream for state in schedule.ensure_streams(row_)] == ["contacts", "deleted"]


GROUPS = (
    CredentialField("host_key", "Host key"),
    CredentialField("token", "Token", group="token"),
    CredentialField("id", "Id", group="oauth"),
    CredentialField("secret", "Secret", group="oauth"),
    CredentialField("scope", "Scope", group="oauth", required=False),
)


@pytest.mark.parametrize(
    ("given", "names", "groups"),
    [
        ({}, ("host_key",), (("token",), ("id", "secret"))),
        ({"host_key": "x"}, (), (("token",), ("id", "secret"))),
        ({"host_key": "x", "token": "t"}, (), ()),
        ({"host_key": "x", "id": "i"}, ("secret",), ()),
        ({"host_key": "x", "id": "i", "secret": "s"}, (), ()),
        ({"host_key": "x", "token": "t", "scope": "s"}, ("id", "secret"), ()),
    ],
)
def test_one_whole_group_of_credentials_is_enough(given, names, groups):
    lacking = lack(GROUPS, given)
    assert (lacking.names, lacking.groups) == (names, groups)


def connect(*more: str) -> str:
    out = io.StringIO()
    call_command("connect", "fake", "--name", "Mine", *more, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), r"--base-url is needed: https://SUB\.fake\.example/api"),
        (("--base-url", "https://SUB.fake.example/api"), "--base-url is needed"),
        (("--base-url", "https://me.other.example"), r"one of fake\.example"),
        (("--base-url", "http://127.0.0.1:1"), r"--set token=…, or --set client_id=… client_secret=…"),
        (("--base-url", "http://127.0.0.1:1", "--set", "client_id=a"), r"also needs --set client_secret=…"),
        (("--base-url", "http://127.0.0.1:1", "--set", "token=wrong"), "refused the token"),
    ],
)
def test_connecting_says_what_is_missing_or_wrong(vendor, more, words):
    with pytest.raises(CommandError, match=words):
        connect(*more)
    assert not Connection.objects.exists()


def test_a_new_account_gets_its_vendors_rate_and_rhythm(vendor):
    assert "Mine accepts the token." in connect("--base-url", "http://127.0.0.1:1", "--set", "token=t")
    row_ = Connection.objects.get()
    assert row_.requests_per_second == 3
    assert schedule.ensure_streams(row_)[0].every == 3600
    Connection.objects.update(requests_per_second=1)
    connect("--base-url", "http://127.0.0.1:1", "--set", "token=other")
    row_.refresh_from_db()
    assert row_.requests_per_second == 1, "later the rate is the admin's"
    connect("--base-url", "http://127.0.0.1:1", "--set", "token=other", "--rate", "7")
    row_.refresh_from_db()
    assert row_.requests_per_second == 7


def form(**changes):
    return {
        "name": "Mine", "vendor": "fake", "base_url": "http://127.0.0.1:1", "is_active": "on",
        "requests_per_second": "3", "parallel_requests": "2", "streams-TOTAL_FORMS": "0",
        "streams-INITIAL_FORMS": "0", "credential_token": "", "credential_client_id": "",
        "credential_client_secret": "", **changes,
    }  # fmt: skip


def test_the_form_offers_both_ways_and_names_what_is_missing(vendor):
    client = Client()
    client.force_login(factories.user("Admins"))
    add = reverse("admin:crm_bridge_connection_add")
    page = client.get(f"{add}?vendor=fake").content.decode()
    assert "Credentials of FakeCRM, another way" in page
    assert 'placeholder="https://SUB.fake.example/api"' in page
    assert 'value="3' in page
    nothing = client.post(add, form()).content.decode()
    assert "Credentials: enter Client id + Client secret or Long-lived token." in nothing or (
        "Credentials: enter Long-lived token or Client id + Client secret." in nothing
    )
    half = client.post(add, form(credential_client_id="a")).content.decode()
    assert "This system needs it." in half
    wrong = client.post(add, form(base_url="https://evil.example", credential_token="t")).content.decode()
    assert "must be one of fake.example" in wrong
    sub = client.post(add, form(base_url="https://SUB.fake.example", credential_token="t")).content.decode()
    assert "in the place of SUB" in sub
    assert not Connection.objects.exists()
    assert client.post(add, form(credential_token="t")).status_code == 302
    assert Connection.objects.get().credentials == {"token": "t"}


# --- pulling -----------------------------------------------------------------------------------


class NewestFirst(FakeWalk):
    """A list that is sorted, not filtered: the walk ends at the first page that is all older."""

    def page_since(self, number: int) -> bytes:
        return self.source.page(number, None)

    def fetch(self, position):
        return self.page_since(int(position))

    def split(self, body):
        page = super().split(body)
        moments = [datetime.fromisoformat(item.raw["updated"]) for item in page.items]
        ordered = moments == sorted(moments, reverse=True)
        old = self.since and moments and all(moment.date() < self.since for moment in moments)
        return replace(page, ended=bool(old and ordered))


class NewestFirstConnector(FakeConnector):
    walk_class = NewestFirst

    def __init__(self, contacts=()) -> None:
        super().__init__(contacts)
        self.capabilities = replace(
            self.capabilities, changes=Changes.NEWEST_FIRST, deletions=Deletions.BY_LOOKUP
        )


def aged(number: int, days: int, **values) -> dict:
    moment = timezone.now().replace(microsecond=0) - timedelta(days=days, minutes=number)
    return row(number, updated=moment.isoformat(), **values)


@pytest.fixture
def sorted_crm(monkeypatch):
    """40 contacts on pages of 5, the newest first: eight of this week, the others long ago."""
    rows = [aged(number, 0) for number in range(1, 9)] + [
        aged(number, 100 + number) for number in range(9, 41)
    ]
    connector = NewestFirstConnector(rows)
    monkeypatch.setattr(pulling, "connect_to", lambda connection: connector)
    return connector


def test_a_sorted_list_is_read_as_far_as_something_is_new(db, sorted_crm):
    account = Account(sorted_crm)
    assert account.complete().created == 40
    sorted_crm.contacts.rows[3]["name"] = "Changed"
    sorted_crm.contacts.fetched.clear()
    run = account.pull()
    assert (run.mode, run.status, run.changed) == ("incremental", "ok", 1)
    assert max(sorted_crm.contacts.fetched) < 8, "not to the end"
    assert account.contact(4).name == "Changed"
    assert run.trashed == 0
    assert Contact.objects.live().count() == 40


def test_a_list_that_is_not_sorted_as_asked_is_read_to_the_end(db, sorted_crm):
    account = Account(sorted_crm)
    account.complete()
    sorted_crm.contacts.rows.sort(key=lambda each: each["id"] % 7)
    sorted_crm.contacts.rows[-1]["name"] = "At the end"
    run = account.pull()
    assert run.mode == Run.Mode.COMPLETE
    assert Contact.objects.filter(name="At the end").exists()


def test_what_vanished_is_buried_after_a_single_read_proves_it(db, sorted_crm):
    account = Account(sorted_crm)
    account.complete()
    del sorted_crm.contacts.rows[10]
    run = account.complete()
    assert (run.status, run.trashed) == ("ok", 1)
    assert Contact.objects.filter(state="trashed").count() == 1


def test_a_walk_that_misses_too_much_is_held_for_a_person(db, sorted_crm):
    account = Account(sorted_crm)
    account.complete()
    del sorted_crm.contacts.rows[10:]
    run = account.complete()
    assert run.status == "held"
    assert Contact.objects.live().count() == 40


def test_every_vendor_is_walked_completely_once_a_day(db, sorted_crm):
    account = Account(sorted_crm)
    account.complete()
    state = account.state()
    assert state.complete_at == time(2, 30)
    now = timezone.now()
    state.last_settled_at = state.last_complete_at = now - timedelta(days=2)
    state.last_started_at = now - timedelta(hours=2)
    state.save()
    assert (account.connection.pk, "contacts", "complete") in schedule.due_streams(now)


def test_a_vendor_without_times_is_always_walked_completely(vendor):
    row_ = factories.connection(vendor="fake")
    for number in range(3):
        vendor.add(kind="contact", name=f"N{number}")
    assert [run.mode for run in pulling.pull_connection(row_)] == ["complete"]
    vendor.change("2", name="New")
    run = pulling.pull(row_, "contacts")
    assert (run.mode, run.changed, run.unchanged) == ("complete", 1, 2)
