"""Concord in the sandbox: the vendor's page, its framework's habits, and what may be otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.concord_api import ConcordApi, ConcordStaff
from tests.sandbox_fixture import CONTACTS, SandboxControl


@pytest.fixture
def sandbox(sandbox: SandboxControl) -> SandboxControl:
    return sandbox.of("concord")


@pytest.fixture
def api(sandbox: SandboxControl) -> ConcordApi:
    return ConcordApi(sandbox)


@pytest.fixture
def staff(sandbox: SandboxControl) -> ConcordStaff:
    return ConcordStaff(sandbox)


# Access


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Authorization": None}, 401, "Unauthenticated."),
        ({"Authorization": "Bearer other"}, 401, "Unauthenticated."),
        ({"Content-Type": None}, 415, "content type"),
        ({"Content-Type": "text/plain"}, 415, "content type"),
        ({"Origin": "https://crm.example.com"}, 419, "CSRF"),
        ({"Referer": "https://crm.example.com/"}, 419, "CSRF"),
    ],
    ids=str,
)
def test_each_header_of_the_page_counts(
    api: ConcordApi, headers: dict[str, str | None], status: int, words: str
) -> None:
    reply = api.call("GET", "/contacts", headers=headers)
    assert reply.status == status
    assert words in reply.json["message"]


def test_client_that_does_not_ask_for_json_is_sent_to_a_web_page(api: ConcordApi) -> None:
    browser: dict[str, str | None] = {"Accept": "text/html"}
    reply = api.call("GET", "/contacts", headers=browser | {"Authorization": None})
    assert (reply.status, reply.headers["location"]) == (302, "/login")
    assert api.call("POST", "/contacts", {}, headers=browser).status == 302


def test_unknown_routes_and_verbs_are_told_apart(api: ConcordApi) -> None:
    assert api.call("GET", "/nowhere").status == 404
    assert "route" in api.call("GET", "/nowhere").json["message"]
    assert api.call("PATCH", "/contacts/1", {}).status == 405
    assert api.call("GET", "/associations/contacts/1").status == 405


def test_limit_is_counted_in_a_minute_and_told_in_headers(sandbox: SandboxControl, api: ConcordApi) -> None:
    assert "x-ratelimit-limit" not in api.call("GET", "/contacts").headers
    sandbox.switches(rate_per_minute=2)
    left = [api.call("GET", "/contacts").headers["x-ratelimit-remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    reply = api.call("GET", "/contacts")
    assert reply.status == 429
    assert 50 <= int(reply.headers["retry-after"]) <= 60


# Lists


def test_list_is_paged_as_its_framework_does(api: ConcordApi) -> None:
    reply = api.call("GET", "/contacts", page=2).json
    assert len(reply["data"]) == 15
    meta = reply["meta"]
    assert (meta["current_page"], meta["per_page"], meta["total"]) == (2, 15, CONTACTS)
    assert (meta["from"], meta["to"], meta["last_page"]) == (16, 30, CONTACTS // 15)
    assert reply["links"]["next"].endswith("page=3")
    after = api.call("GET", "/contacts", page=99).json
    assert (after["data"], after["meta"]["from"], after["links"]["next"]) == ([], None, None)
    assert len(api.page(per_page=100)) == 100
    assert len(api.page(per_page=500)) == 100
    assert len(api.everything(per_page=7)) == CONTACTS


def test_other_forms_of_pages(sandbox: SandboxControl, api: ConcordApi) -> None:
    sandbox.switches(paging="flat")
    flat = api.call("GET", "/contacts").json
    assert (flat["total"], flat["next_page_url"][-6:]) == (CONTACTS, "page=2")
    sandbox.switches(paging="simple")
    simple = api.call("GET", "/contacts").json
    assert "total" not in simple["meta"]
    assert simple["links"]["next"]
    sandbox.switches(paging="bare")
    assert len(api.call("GET", "/contacts").json) == 15
    sandbox.switches(paging="meta", per_page="ignore")
    assert len(api.page(per_page=100)) == 15


@pytest.mark.parametrize("parameter", [{"page": 0}, {"page": "x"}, {"per_page": -1}, {"order": "password"}])
def test_wrong_parameters_are_refused_by_name(api: ConcordApi, parameter: dict[str, Any]) -> None:
    reply = api.call("GET", "/contacts", **parameter)
    assert (reply.status, list(reply.json["errors"])) == (422, list(parameter))


def test_order_is_by_any_field_both_ways(sandbox: SandboxControl, api: ConcordApi) -> None:
    for field in ("updated_at", "created_at", "id"):
        rising = [each[field] for each in api.everything(order=field, per_page=100)]
        falling = [each[field] for each in api.everything(order=f"{field}|desc", per_page=100)]
        assert rising == sorted(rising)
        assert falling == sorted(falling, reverse=True)
    sandbox.switches(order="created_only")
    assert [each["id"] for each in api.page(order="updated_at|desc")] == list_of_ids(api)
    sandbox.switches(order="refuse")
    assert api.call("GET", "/contacts", order="updated_at").status == 422
    sandbox.switches(order="ignore", usual_order="created_desc")
    assert [each["id"] for each in api.page(order="id")] == list_of_ids(api)
    newest = [each["created_at"] for each in api.page()]
    assert newest == sorted(newest, reverse=True)


def list_of_ids(api: ConcordApi) -> list[int]:
    return [each["id"] for each in api.page()]


def test_select_shows_only_what_is_named(api: ConcordApi) -> None:
    assert {key for each in api.page(select="first_name;id") for key in each} == {"first_name", "id"}


def test_search_by_fields_and_operators(staff: ConcordStaff, api: ConcordApi) -> None:
    one = staff.create(
        "Procurada", email="p1@example.com", phones=[{"number": "0934 111 222", "type": "work"}]
    )
    two = staff.create("Outra", last_name="Procurada", phones=[{"number": "0934 111 2223", "type": "work"}])

    def found(**query: Any) -> list[int]:
        return [each["id"] for each in api.page(**query)]

    assert found(q="procurada") == [one, two]
    assert found(q="0934 111 222", search_fields="phones.number:=") == [one]
    assert found(q="0934 111 222", search_fields="phones.number:like") == [one, two]
    assert found(q="p1@", search_fields="email:like;phones.number:=") == [one]
    assert found(q="P1@EXAMPLE.com", search_fields="email:=") == [one]
    both = {"q": "procurada", "search_fields": "first_name:like;last_name:like"}
    assert found(**both, search_match="and") == []
    assert api.call("GET", "/contacts", q="x", search_fields="secret:=").status == 422


def test_search_without_pages_takes_as_many_as_asked_for(
    sandbox: SandboxControl, staff: ConcordStaff, api: ConcordApi
) -> None:
    for number in range(20):
        staff.create("Procurada", last_name=str(number))
    assert api.call("GET", "/contacts/search").status == 422
    everybody = api.call("GET", "/contacts/search", q="procurada").json
    assert len(everybody) == 20
    last = api.call("GET", "/contacts/search", q="procurada", take=1, order="created_at|desc").json
    assert [each["last_name"] for each in last] == ["19"]
    sandbox.switches(search_as="data", search_items="brief")
    brief = api.call("GET", "/contacts/search", q="procurada", take=1).json["data"]
    assert [sorted(each) for each in brief] == [["display_name", "id", "path"]]


# One contact


def test_contact_is_created_updated_and_deleted(
    sandbox: SandboxControl, staff: ConcordStaff, api: ConcordApi
) -> None:
    body = {
        "first_name": " Ana ", "last_name": "", "email": "ana@example.com", "user_id": "3", "source_id": 2,
        "phones": [{"number": "+999-999-999", "type": "mobile"}, {"number": "1"}], "tags": ["a", "a", "b"],
        "job_title": "Chefe", "street": "Rua 1", "city": "Santos", "state": "SP", "postal_code": "1",
        "country_id": 30, "companies": [2], "deals": [3], "credit_limit": "12.5", "unknown": "ignored",
    }  # fmt: skip
    reply = api.call("POST", "/contacts", body)
    assert reply.status == 201
    made = reply.json
    assert (made["first_name"], made["last_name"], made["user_id"], made["credit_limit"]) == (
        "Ana",
        None,
        3,
        12.5,
    )
    assert made["phones"][1] == {"number": "1", "type": "other"}
    assert (made["tags"], [each["id"] for each in made["companies"]]) == (["a", "b"], [2])
    assert "unknown" not in made
    changed = api.call("PUT", f"/contacts/{made['id']}", {"first_name": "Bia", "tags": []}).json
    assert (changed["first_name"], changed["tags"], changed["city"]) == ("Bia", [], "Santos")
    assert changed["updated_at"] > made["updated_at"]
    assert api.call("GET", f"/contacts/{made['id']}").json == changed
    reply = api.call("DELETE", f"/contacts/{made['id']}")
    assert (reply.status, reply.body) == (204, b"")
    for method, sent in (("GET", None), ("PUT", body), ("DELETE", None)):
        assert api.call(method, f"/contacts/{made['id']}", sent).status == 404
    assert staff.contact(made["id"])["status"] == "trashed"
    assert [each["operation"] for each in sandbox.writes()] == ["create", "edit", "delete"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"first_name": ""}, "first_name"),
        ({"first_name": "  "}, "first_name"),
        ({"first_name": None}, "first_name"),
        ({"last_name": 5}, "last_name"),
        ({"city": "a" * 192}, "city"),
        ({"email": "nobody"}, "email"),
        ({"phones": "0934"}, "phones"),
        ({"phones": [{"type": "work"}]}, "phones.0.number"),
        ({"phones": [{"number": "1", "type": ["a"]}]}, "phones.0.type"),
        ({"tags": "VIP"}, "tags"),
        ({"tags": [1]}, "tags.0"),
        ({"user_id": 99}, "user_id"),
        ({"source_id": "Site"}, "source_id"),
        ({"country_id": True}, "country_id"),
        ({"companies": [999]}, "companies.0"),
        ({"deals": 3}, "deals"),
        ({"newsletter": "maybe"}, "newsletter"),
        ({"renewal_date": "31/12/2026"}, "renewal_date"),
    ],
    ids=str,
)
def test_wrong_value_is_refused_by_name_and_not_stored(
    sandbox: SandboxControl, api: ConcordApi, fields: dict[str, Any], named: str
) -> None:
    for method, path in (("POST", "/contacts"), ("PUT", "/contacts/1")):
        reply = api.call(method, path, {"first_name": "Ana"} | fields)
        assert (reply.status, list(reply.json["errors"])) == (422, [named])
    assert sandbox.writes() == []


def test_update_needs_the_first_name_again(api: ConcordApi) -> None:
    assert "first_name" in api.call("PUT", "/contacts/1", {"city": "Santos"}).json["errors"]


def test_bodies_that_are_no_objects_are_refused(sandbox: SandboxControl, api: ConcordApi) -> None:
    for body in (b"{first_name:", b"[]", b"[" * 200_000):
        assert api.call("POST", "/contacts", body).status == 400
    assert sandbox.writes() == []


def test_what_an_update_leaves_out_and_its_lists_can_be_otherwise(
    sandbox: SandboxControl, staff: ConcordStaff, api: ConcordApi
) -> None:
    number = staff.create("Ana", city="Santos", tags=["a"], phones=[{"number": "1", "type": "work"}])
    sandbox.switches(put_lists="merge")
    body = {"first_name": "Ana", "tags": ["b"], "phones": [{"number": "2", "type": "work"}]}
    api.call("PUT", f"/contacts/{number}", body)
    held = staff.contact(number)
    assert (held["tags"], [each["number"] for each in held["phones"]]) == (["a", "b"], ["1", "2"])
    sandbox.switches(put_lists="replace", put_omitted="clear")
    api.call("PUT", f"/contacts/{number}", {"first_name": "Ana", "tags": ["c"]})
    held = staff.contact(number)
    assert (held["tags"], held["phones"], held["city"]) == (["c"], [], None)


def test_e_mail_may_have_to_be_unique(sandbox: SandboxControl, staff: ConcordStaff, api: ConcordApi) -> None:
    staff.create("Ana", email="Ana@example.com")
    body = {"first_name": "Outra", "email": "ana@example.com"}
    sandbox.switches(unique_email="yes")
    assert list(api.call("POST", "/contacts", body).json["errors"]) == ["email"]
    sandbox.switches(unique_email="no")
    assert api.call("POST", "/contacts", body).status == 201


def test_hidden_contact_is_neither_listed_nor_touched(
    sandbox: SandboxControl, staff: ConcordStaff, api: ConcordApi
) -> None:
    staff.act("hide", 1)
    assert 1 not in [each["id"] for each in api.everything(per_page=100)]
    for method in ("GET", "DELETE"):
        assert api.call(method, "/contacts/1").status == 403
    staff.act("hide", 1, hidden=False)
    assert api.call("GET", "/contacts/1").status == 200


def test_shapes_of_one_contact(sandbox: SandboxControl, staff: ConcordStaff, api: ConcordApi) -> None:
    number = staff.create("Ana", companies=[1], user_id=3)
    path = f"/contacts/{number}"
    assert api.call("GET", path).json["companies"][0]["display_name"] == "Silva Ltda."
    assert api.call("GET", path).json["user"]["name"] == "Trần Thu Hà"
    assert "companies" not in api.page(order="id|desc")[0]
    sandbox.switches(one_as="data", numbers="text", associations="ids", nested="no", timestamps="space")
    one = api.call("GET", path).json["data"]
    assert (one["id"], one["companies"], "user" in one) == (str(number), [1], False)
    datetime.strptime(one["updated_at"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  that is the point
    sandbox.switches(associations="absent", updated_at="absent", missing_message="blank")
    one = api.call("GET", path).json["data"]
    assert not {"companies", "deals", "activities", "updated_at"} & one.keys()
    assert api.call("GET", "/contacts/98765").json == {"message": ""}


# Associations


def test_attach_adds_detach_takes_and_sync_replaces(
    sandbox: SandboxControl, staff: ConcordStaff, api: ConcordApi
) -> None:
    number = staff.create("Ana", companies=[1], deals=[1])
    path = f"/associations/contacts/{number}"
    updated = staff.contact(number)["updated_at"]
    assert api.call("PUT", path, {"companies": [2, 1], "activities": [5]}).status == 200
    assert api.call("DELETE", path, {"companies": [1, 9]}).status == 200
    assert api.call("POST", path, {"deals": [7, 8]}).status == 200
    held = staff.contact(number)
    assert (held["companies"], held["deals"], held["activities"]) == ([2], [7, 8], [5])
    assert held["updated_at"] == updated
    assert [each["operation"] for each in sandbox.writes()] == ["attach", "detach", "sync"]
    assert list(api.call("PUT", path, {"deals": ["x"]}).json["errors"]) == ["deals.0"]
    assert api.call("PUT", "/associations/contacts/98765", {"deals": [1]}).status == 404
    sandbox.switches(detach_body="dropped", associate_answer="empty")
    assert api.call("DELETE", path, {"companies": [2]}).status == 204
    assert staff.contact(number)["companies"] == [2]


# The trash


@pytest.mark.parametrize("style", ["none", "trashed_contacts", "contacts_trashed"])
def test_trash_answers_at_one_address_at_most(
    sandbox: SandboxControl, staff: ConcordStaff, api: ConcordApi, style: str
) -> None:
    staff.act("trash", 1)
    sandbox.switches(trash_routes=style)
    lists = {"trashed_contacts": "/trashed/contacts", "contacts_trashed": "/contacts/trashed"}
    restores = {"trashed_contacts": "/trashed/contacts/1", "contacts_trashed": "/contacts/1/restore"}
    for name in lists:
        assert (api.call("GET", lists[name]).status == 200) is (name == style)
        if name != style:
            assert api.call("POST", restores[name], {}).status == 404
    if style != "none":
        listed = api.call("GET", lists[style], per_page=100).json
        assert listed["meta"]["total"] == staff.counts()["trashed"]
        assert all(each["deleted_at"] for each in listed["data"])
        assert api.call("POST", restores[style], {}).status == 200
        assert staff.contact(1)["status"] == "live"


# The account


def test_same_seed_gives_the_same_account_and_people_of_the_other_crm(
    sandbox: SandboxControl, staff: ConcordStaff
) -> None:
    before = staff.contacts()
    assert len(before) > CONTACTS == staff.counts()["live"]
    sandbox.reset(seed=7, contacts=CONTACTS)
    assert staff.contacts() == before
    sandbox.reset(seed=8, contacts=CONTACTS)
    assert staff.contacts() != before
    sandbox.reset(seed=7, contacts=CONTACTS)
    numbers = {phone["value"] for each in sandbox.contacts() for phone in each["phones"]}
    shared = [each for each in before if numbers & {phone["number"] for phone in each["phones"]}]
    assert CONTACTS * 0.2 < len(shared) < CONTACTS * 0.5
    assert {phone["type"] for each in before for phone in each["phones"]} == {"mobile", "work", "other"}
    assert any(each["last_name"] is None for each in before)
    assert any(each["last_name"] == "" for each in before)


def test_remote_staff_edit_merge_and_mutate(sandbox: SandboxControl, staff: ConcordStaff) -> None:
    one = staff.create("Ana", phones=[{"number": "1", "type": "work"}])
    two = staff.create("Bia", phones=[{"number": "2", "type": "work"}], email="b@example.com")
    staff.patch(
        one, custom={"credit_limit": 5}, extra={"future": {"a": [1]}}, created_at="2025-01-02T03:04:05Z"
    )
    staff.merge(two, one)
    held = staff.contact(one)
    assert ([each["number"] for each in held["phones"]], held["email"]) == (["1", "2"], "b@example.com")
    assert (held["custom"]["credit_limit"], held["created_at"][:10]) == (5, "2025-01-02")
    assert staff.contact(two)["status"] == "purged"
    before = staff.counts()
    done = staff.mutate(edits=3, creates=2, trash=1, merges=1, seed=4)
    assert len(done) == 7
    after = staff.counts()
    assert after["trashed"] - before["trashed"] == 1
    assert after["live"] - before["live"] == 2 - 1 - 1
    assert sandbox.writes(vendor="concord") == []
    assert len(sandbox.writes(by="staff", vendor="concord")) == 11
