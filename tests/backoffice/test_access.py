"""Who may do what: every address of the site × every role × GET and POST.

The addresses come from the URL resolver, the expectations from ``EXPECTED``: a
new address without an expectation fails, and so does one that is gone.
"""

import re
import uuid
from typing import Any, NamedTuple

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from backoffice import audit
from bot_campaigns.models import BotQuarantine, BotRun, Incident
from crm_bridge.models import Conflict, ContactChange, Merge, Quarantine, Run, Tombstone
from crm_bridge.services import schedule
from tests import factories
from tests.backoffice import access_desk
from tests.bot_campaigns.services import rows as campaign_rows

ROLES = ("Sales", "Managers", "Admins")
SALES, MANAGERS, ADMINS = ROLES
EVERYBODY = frozenset(ROLES)
SENIOR = frozenset({MANAGERS, ADMINS})
ONLY_ADMINS = frozenset({ADMINS})
NOBODY: frozenset[str] = frozenset()
REFUSED = None
"""The method does not exist there: 405 for whoever may use the address otherwise."""


class Expect(NamedTuple):
    get: frozenset[str] | None
    post: frozenset[str] | None = REFUSED
    public: bool = False
    """Opens without a login."""


PAGE_FOR_ALL, PAGE_FOR_SENIOR, PAGE_FOR_ADMINS = Expect(EVERYBODY), Expect(SENIOR), Expect(ONLY_ADMINS)
FORM_FOR_ADMINS = Expect(ONLY_ADMINS, ONLY_ADMINS)


def button(roles: frozenset[str]) -> Expect:
    return Expect(REFUSED, roles)


EXPECTED = {
    "set_language": Expect(EVERYBODY, EVERYBODY, public=True),
    "crm:trash": PAGE_FOR_SENIOR,
    "crm:trash_snapshot": PAGE_FOR_SENIOR,
    "crm:trash_recreate": button(SENIOR),
    "crm:merges": PAGE_FOR_SENIOR,
    "crm:merge": PAGE_FOR_SENIOR,
    "crm:merge_survivor": button(ONLY_ADMINS),
    "crm:outgoing": PAGE_FOR_ALL,
    "crm:outgoing_change": PAGE_FOR_ALL,
    "crm:outgoing_retry": button(EVERYBODY),
    "crm:outgoing_retry_selected": button(EVERYBODY),
    "crm:outgoing_drop": button(EVERYBODY),
    "crm:outgoing_link": button(EVERYBODY),
    "crm:outgoing_resend": button(EVERYBODY),
    "crm:conflicts": PAGE_FOR_ALL,
    "crm:conflict": PAGE_FOR_ALL,
    "crm:conflict_settle": button(EVERYBODY),
    "crm:runs": PAGE_FOR_SENIOR,
    "crm:run": PAGE_FOR_SENIOR,
    "crm:run_progress": PAGE_FOR_SENIOR,
    "crm:run_approve": button(ONLY_ADMINS),
    "crm:run_dismiss": button(ONLY_ADMINS),
    "crm:unreadable": PAGE_FOR_ADMINS,
    "crm:unreadable_record": PAGE_FOR_ADMINS,
    "crm:connection_sync": button(SENIOR),
    "crm:connection_progress": PAGE_FOR_ALL,
    "crm:connection_check": button(ONLY_ADMINS),
    "bot:incidents": PAGE_FOR_SENIOR,
    "bot:incident": PAGE_FOR_SENIOR,
    "bot:incident_close": button(SENIOR),
    "bot:rules": PAGE_FOR_SENIOR,
    "bot:rules_of": Expect(SENIOR, ONLY_ADMINS),
    "bot:vendor_clock": FORM_FOR_ADMINS,
    "bot:connection_sync": button(SENIOR),
    "bot:connection_progress": PAGE_FOR_SENIOR,
    "bot:connection_check": button(ONLY_ADMINS),
    "bot:runs": PAGE_FOR_SENIOR,
    "bot:run": PAGE_FOR_SENIOR,
    "bot:run_progress": PAGE_FOR_SENIOR,
    "bot:run_approve": button(ONLY_ADMINS),
    "bot:run_dismiss": button(ONLY_ADMINS),
    "bot:unreadable": PAGE_FOR_ADMINS,
    "bot:unreadable_record": PAGE_FOR_ADMINS,
    "admin:index": Expect(EVERYBODY, EVERYBODY),
    "admin:app_list": Expect(EVERYBODY, EVERYBODY),
    "admin:search": Expect(EVERYBODY, EVERYBODY),
    "admin:login": Expect(EVERYBODY, EVERYBODY, public=True),
    "admin:logout": Expect(REFUSED, EVERYBODY, public=True),
    "admin:password_change": Expect(EVERYBODY, EVERYBODY),
    "admin:password_change_done": Expect(EVERYBODY),
    "admin:autocomplete": Expect(NOBODY),
    "admin:jsi18n": Expect(EVERYBODY),
    "admin:view_on_site": Expect(NOBODY, NOBODY),
    "admin:auth_user_password_change": FORM_FOR_ADMINS,
    "admin:crm_bridge_contact_changelist": PAGE_FOR_ALL,
    "admin:crm_bridge_contact_columns": button(EVERYBODY),
    "admin:crm_bridge_contact_add": Expect(EVERYBODY, EVERYBODY),
    "admin:crm_bridge_contact_import": Expect(SENIOR, SENIOR),
    "admin:crm_bridge_contact_import_confirm": button(SENIOR),
    "admin:crm_bridge_contact_export": Expect(SENIOR, SENIOR),
    "admin:crm_bridge_contact_tag_selected": button(EVERYBODY),
    "admin:crm_bridge_contact_delete_selected": button(SENIOR),
    "admin:crm_bridge_contact_change": PAGE_FOR_ALL,
    "admin:crm_bridge_contact_receipt": PAGE_FOR_ALL,
    "admin:crm_bridge_contact_edit": Expect(EVERYBODY, EVERYBODY),
    "admin:crm_bridge_contact_delete": Expect(SENIOR, SENIOR),
}
for _model in ("auth_user", "auth_group", "crm_bridge_connection", "bot_campaigns_botconnection"):
    EXPECTED |= {
        f"admin:{_model}_{page}": FORM_FOR_ADMINS
        for page in ("changelist", "add", "delete", "change", "history")
    }
EXPECTED |= {
    "admin:backoffice_auditentry_changelist": FORM_FOR_ADMINS,  # a POST there shows the list again
    "admin:backoffice_auditentry_change": Expect(ONLY_ADMINS, NOBODY),
    "admin:backoffice_auditentry_history": FORM_FOR_ADMINS,
    "admin:backoffice_auditentry_add": Expect(NOBODY, NOBODY),
    "admin:backoffice_auditentry_delete": Expect(NOBODY, NOBODY),
}
EXPECTED |= {name: Expect(*expected) for name, expected in access_desk.DESK.items()}
FRAGMENTS = {"admin:crm_bridge_contact_receipt"} | access_desk.FRAGMENTS
"""Parts of a page that only htmx asks for."""
UNNAMED = {"(?P<url>.*)$"}
"""Django's own: old object addresses redirect, everything else is a 404."""


def routes() -> dict[str, list[str]]:
    """Every named address of the site with the names of its parameters."""
    found: dict[str, list[str]] = {}

    def walk(resolver: Any, spaces: tuple[str, ...]) -> None:
        for entry in resolver.url_patterns:
            if isinstance(entry, URLResolver):
                walk(entry, (*spaces, entry.namespace) if entry.namespace else spaces)
            elif isinstance(entry, URLPattern) and entry.name:
                found[":".join((*spaces, entry.name))] = list(entry.pattern.regex.groupindex)
            else:
                unnamed.append(str(entry.pattern))

    unnamed: list[str] = []
    walk(get_resolver(), ())
    assert {pattern for pattern in unnamed if "<path:object_id>/" not in pattern} == UNNAMED
    return found


def test_every_address_has_an_expectation_and_exists() -> None:
    assert set(routes()) == set(EXPECTED)


class Site:
    """One of everything, each owned by nobody unless an owner is named."""

    def __init__(self) -> None:
        self.connection = factories.connection()
        schedule.ensure_streams(self.connection)
        self.unused = factories.connection()
        self.contact = factories.contact(self.connection)
        ContactChange.objects.create(
            connection=self.connection, contact=self.contact, operation="edit", status="done"
        )
        gone = factories.contact(self.connection, state="trashed")
        self.stone = Tombstone.objects.create(contact=gone, evidence="listed", snapshot=gone.values())
        loser = factories.contact(self.connection, state="merged")
        self.merge = Merge.objects.create(loser=loser, snapshot=loser.values())
        self.run = Run.objects.create(
            connection=self.connection, stream="contacts", mode="complete", status="held"
        )
        self.unreadable = Quarantine.objects.create(
            connection=self.connection, stream="contacts", fingerprint="1", reason="no name"
        )
        self.bot, self.unused_bot = campaign_rows.bot(), campaign_rows.bot()
        self.incident = Incident.objects.create(connection=self.bot, kind="window", summary="At night")
        self.bot_run = BotRun.objects.create(
            connection=self.bot, stream="dnc", mode="complete", status="held"
        )
        self.bot_unreadable = BotQuarantine.objects.create(
            connection=self.bot, stream="dnc", fingerprint="1", reason="no number"
        )
        self.entry = audit.record("connection.create", self.connection, by=None)
        self.desk = access_desk.things(self.contact)
        self.group = Group.objects.create(name="Night shift")
        self.person = factories.user()

    def own(self, author: Any) -> None:
        """Changes of this person, one of each state that pages act on."""
        change = {
            "connection": self.connection,
            "operation": "edit",
            "new": {"stage": "Hot"},
            "author": author,
        }
        self.rejected = ContactChange.objects.create(
            **change, contact=factories.contact(self.connection), status="rejected"
        )
        disputed = factories.contact(self.connection)
        parked = ContactChange.objects.create(**change, contact=disputed, status="conflict")
        self.conflict = Conflict.objects.create(
            contact=disputed, change=parked, field="stage", base="New", ours="Hot", theirs="Cold"
        )

    def arguments(self, name: str, wanted: list[str]) -> dict[str, Any]:
        named = {
            "trash": self.stone, "merge": self.merge, "outgoing": self.rejected,
            "conflict": self.conflict.contact, "run": self.run, "unreadable": self.unreadable,
            "connection": self.connection, "contact": self.contact, "user": self.person, "group": self.group,
            "auditentry": self.entry,
        }  # fmt: skip
        values: dict[str, Any] = {"app_label": "crm_bridge", "content_type_id": 1, "url": "nowhere"}
        if name.startswith("bot:"):
            named |= {
                "incident": self.incident, "run": self.bot_run, "unreadable": self.bot_unreadable,
                "connection": self.bot, "rules": self.bot, "vendor": self.bot,
            }  # fmt: skip
        named["botconnection"] = self.bot
        key = (
            name.partition(":")[2]
            .removeprefix("auth_")
            .removeprefix("backoffice_")
            .removeprefix("crm_bridge_")
            .removeprefix("bot_campaigns_")
        )
        unused = {"connection_delete": self.unused, "botconnection_delete": self.unused_bot}
        target = unused.get(key) or named.get(key.partition("_")[0])
        target = self.desk.get(name, target)
        for parameter in ("pk", "id", "object_id"):
            values[parameter] = target.pk if target else 1
        return {parameter: values[parameter] for parameter in wanted}

    def form(self, name: str) -> dict[str, Any]:
        """What has to be posted for more than a "this is missing"."""
        forms = {
            "crm:merge_survivor": {"survivor": self.contact.pk},
            "bot:incident_close": {"reason": "seen"},
        }
        return forms.get(name, {})


@pytest.fixture
def site(db: None, monkeypatch: pytest.MonkeyPatch) -> Site:
    from backoffice.sync import bell

    cache.clear()
    monkeypatch.setattr(bell, "ring", lambda *_ids, on: None)
    return Site()


WRITES = re.compile(r'^(INSERT INTO|UPDATE|DELETE FROM) (?!"?django_session)', re.IGNORECASE)


def ask(client: Client, method: str, address: str, data: Any = None) -> tuple[Any, list[str]]:
    """The answer, and what it wrote; everything is undone."""
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        answer = getattr(client, method)(address, data or {})
        transaction.set_rollback(True)
    return answer, [query["sql"] for query in queries if WRITES.match(query["sql"])]


def goes_to_login(answer: Any) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_only_those_who_may(site: Site, name: str) -> None:
    expect = EXPECTED[name]
    for role in ("", "anonymous", *ROLES):
        client = Client(headers={"HX-Request": "true"} if name in FRAGMENTS else {})
        person = factories.user(role if role in ROLES else "")
        site.own(person)
        if role != "anonymous":
            client.force_login(person)
        address = reverse(name, kwargs=site.arguments(name, routes()[name]))
        for method, allowed in (("get", expect.get), ("post", expect.post)):
            answer, written = ask(client, method, address, site.form(name) if method == "post" else None)
            where = f"{role or 'no role'} {method} {address}: {answer.status_code}"
            assert not (method == "get" and written), f"{where} wrote {written}"
            if role == "anonymous":
                assert expect.public or goes_to_login(answer), where
                assert not written or expect.public, where
            elif allowed is REFUSED:
                assert answer.status_code in (403, 405), where
                assert not written, where
            elif role in allowed:
                assert answer.status_code in (200, 302, 422), where
                assert not goes_to_login(answer), where
            elif (
                role == ""
                and allowed == EVERYBODY
                and not name.startswith(("crm:", "bot:"))
                and "contact" not in name
            ):
                assert answer.status_code in (200, 302), where  # home, log-out, own password
            else:
                assert answer.status_code in (403, 404), where
                assert not written, where


@pytest.mark.parametrize("name", sorted(name for name, expect in EXPECTED.items() if expect.post))
def test_no_post_without_a_token(site: Site, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    boss = factories.user("Admins")
    site.own(boss)
    client.force_login(boss)
    answer, written = ask(client, "post", reverse(name, kwargs=site.arguments(name, routes()[name])))
    assert answer.status_code == 403
    assert not written


def test_sales_reach_only_their_own_changes_and_conflicts(site: Site) -> None:
    site.own(factories.user("Sales"))
    other, senior = factories.user("Sales"), factories.user("Managers")
    for name in ("crm:outgoing_change", "crm:conflict"):
        address = reverse(name, kwargs=site.arguments(name, ["pk"]))
        for person, status in ((other, 404), (senior, 200)):
            client = Client()
            client.force_login(person)
            assert client.get(address).status_code == status, name
    client = Client()
    client.force_login(other)
    for name in ("outgoing_retry", "outgoing_drop", "outgoing_link", "outgoing_resend", "conflict_settle"):
        address = reverse(f"crm:{name}", kwargs=site.arguments(f"crm:{name}", ["pk"]))
        assert client.post(address, {"choice-stage": "ours", "remote_id": "1"}).status_code == 404
    client.post(reverse("crm:outgoing_retry_selected"), {"selected": [site.rejected.pk]})
    site.rejected.refresh_from_db()
    assert site.rejected.status == "rejected"
    assert ContactChange.objects.filter(contact=site.conflict.contact, status="conflict").exists()


def test_actions_of_the_shell_cannot_run_on_a_get() -> None:
    """The shell's list, row and detail actions are links: each needs a dialog and a permission."""
    seen = 0
    for model_admin in admin.site._registry.values():
        for group in ("actions_list", "actions_row", "actions_detail"):
            for action in model_admin._extract_action_names(getattr(model_admin, group, ())):
                method = getattr(model_admin, action)
                seen += 1
                assert getattr(method, "dialog", None), f"{model_admin}: {action} has no dialog"
                assert getattr(method, "allowed_permissions", None), (
                    f"{model_admin}: {action} asks no permission"
                )
    assert seen == sum(
        len(getattr(model_admin, group, None) or ())
        for model_admin in admin.site._registry.values()
        for group in ("actions_list", "actions_row", "actions_detail")
    )


def test_an_admin_cannot_touch_or_make_a_superuser(site: Site) -> None:
    root = factories.user(is_superuser=True)
    boss = factories.user("Admins")
    client = Client()
    client.force_login(boss)
    change = reverse("admin:auth_user_change", args=[root.pk])
    assert client.post(change, {"username": "mine"}).status_code == 403
    assert client.post(reverse("admin:auth_user_delete", args=[root.pk]), {"post": "yes"}).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[root.pk])
    secret = str(uuid.uuid4())
    assert client.post(password, {"password1": secret, "password2": secret}).status_code == 403
    mine = reverse("admin:auth_user_change", args=[boss.pk])
    data = {"username": boss.username, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    client.post(mine, {**data, "groups": [Group.objects.get(name="Admins").pk], "user_permissions": ["1"]})
    boss.refresh_from_db()
    assert not boss.is_superuser
    assert not boss.user_permissions.exists()


def test_nobody_gives_what_they_lack(site: Site) -> None:
    from django.contrib.auth.models import Permission

    sales = Group.objects.get(name="Sales")
    boss = factories.user("Admins")
    client = Client()
    client.force_login(boss)
    beyond = Permission.objects.get(codename="add_session")
    answer = client.post(
        reverse("admin:auth_group_change", args=[sales.pk]), {"name": "Sales", "permissions": [beyond.pk]}
    )
    assert answer.status_code == 200
    assert not sales.permissions.filter(pk=beyond.pk).exists()
    odd = Group.objects.create(name="Odd")
    odd.permissions.add(beyond)
    answer = client.post(
        reverse("admin:auth_user_change", args=[site.person.pk]),
        {"username": site.person.username, "is_active": "on", "is_staff": "on", "groups": [odd.pk]},
    )
    assert b"cannot give" in answer.content
    assert not site.person.groups.exists()


def test_one_cannot_lock_oneself_out(site: Site) -> None:
    boss = factories.user("Admins")
    client = Client()
    client.force_login(boss)
    client.post(
        reverse("admin:auth_user_change", args=[boss.pk]), {"username": boss.username, "is_staff": "on"}
    )
    boss.refresh_from_db()
    assert boss.is_active


def test_the_menu_offers_only_what_opens(site: Site) -> None:
    for role in ROLES:
        person = factories.user(role)
        client = Client()
        client.force_login(person)
        page = client.get(reverse("admin:index"))
        links = [item["link"] for group in page.context["sidebar_navigation"] for item in group["items"]]
        assert len(links) >= 4
        for link in links:
            assert client.get(link).status_code == 200, f"{role} {link}"
