"""The sandbox's amoCRM: the operations of the vendor's page, and the switches beside them."""

from typing import Any

import pytest

from backoffice.sandbox import amocrm_words as words
from tests.sandbox.amocrm_api import AmoApi
from tests.sandbox_fixture import CONTACTS


@pytest.fixture
def sandbox(sandbox):
    return sandbox.of("amocrm")


@pytest.fixture
def amo(sandbox) -> AmoApi:
    return AmoApi(sandbox)


def phone(*values: str, code: str = "MOB") -> list[dict[str, Any]]:
    return [{"field_code": "PHONE", "values": [{"value": value, "enum_code": code} for value in values]}]


# Access


def test_only_the_token_opens_the_door(sandbox, amo):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "sandbox-amocrm-token"}):
        amo.headers = headers
        reply = amo.call("GET", "/api/v4/contacts")
        assert reply.status == 401
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["title"] == "Unauthorized"


def test_refresh_token_works_once_and_brings_the_next(sandbox, amo):
    first = amo.token(refresh_token="sandbox-amocrm-refresh").json
    assert (first["token_type"], first["expires_in"]) == ("Bearer", 86_400)
    assert amo.token(refresh_token="sandbox-amocrm-refresh").status == 401
    second = amo.token(refresh_token=first["refresh_token"]).json
    assert second["refresh_token"] != first["refresh_token"]
    amo.headers = {"Authorization": f"Bearer {second['access_token']}"}
    assert amo.call("GET", "/api/v4/contacts").status == 200
    assert amo.control("GET", "access")["reused"] == 1


@pytest.mark.parametrize(
    "wrong", ["client_id", "client_secret", "redirect_uri", "refresh_token", "grant_type"]
)
def test_token_is_given_for_the_right_values_only(amo, wrong):
    reply = amo.token(**{"refresh_token": "sandbox-amocrm-refresh", wrong: "something else"})
    assert reply.status in (400, 401)
    assert reply.json["hint"]


def test_code_is_traded_in_once(amo):
    for status in (200, 400):
        reply = amo.token(grant_type="authorization_code", code="sandbox-amocrm-code")
        assert reply.status == status


def test_tokens_end_when_told_or_too_old(sandbox, amo):
    access = amo.token(refresh_token="sandbox-amocrm-refresh").json["access_token"]
    amo.headers = {"Authorization": f"Bearer {access}"}
    sandbox.switches(access_lifetime_s=0)
    assert amo.call("GET", "/api/v4/contacts").status == 401
    sandbox.switches(access_lifetime_s=60)
    assert amo.call("GET", "/api/v4/contacts").status == 200
    amo.control("POST", "access", {"access": True})
    assert amo.call("GET", "/api/v4/contacts").status == 401


def test_too_many_requests_are_refused_and_then_blocked(sandbox, amo):
    sandbox.switches(rate_limit=3, block_after=4, rate_retry_after=300)
    replies = [amo.call("GET", "/api/v4/contacts", limit=1) for _call in range(9)]
    assert [reply.status for reply in replies[:3]] == [200] * 3
    assert replies[3].status == 429
    assert replies[3].json["retry_after"] == 300
    assert replies[-1].status == 403
    assert replies[-1].headers["content-type"].startswith("text/html")
    amo.control("POST", "access", {"unblock": True})
    sandbox.switches(rate_limit=0)
    assert amo.call("GET", "/api/v4/contacts").status == 200


# Lists


def test_pages_are_linked_until_the_last(sandbox, amo):
    seen, page = [], 1
    while True:
        reply = amo.call("GET", "/api/v4/contacts", limit=50, page=page)
        assert reply.headers["content-type"] == "application/hal+json"
        seen += [each["id"] for each in reply.json["_embedded"]["contacts"]]
        assert reply.json["_page"] == page
        if "next" not in reply.json["_links"]:
            break
        page += 1
        assert f"page={page}" in reply.json["_links"]["next"]["href"]
    assert len(seen) == len(set(seen)) == CONTACTS
    beyond = amo.call("GET", "/api/v4/contacts", limit=50, page=page + 1)
    assert (beyond.status, beyond.body) == (204, b"")


def test_limits_of_a_page_are_as_documented(sandbox, amo):
    assert len(amo.contacts()) == 50
    assert len(amo.contacts(limit=250)) == CONTACTS
    assert amo.call("GET", "/api/v4/contacts", limit=251).status == 422
    sandbox.switches(most_per_page=20)
    assert len(amo.contacts(limit=250)) == 20


@pytest.mark.parametrize("key", ["id", "created_at", "updated_at"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_list_comes_in_the_order_asked_for(amo, key, direction):
    values = [each[key] for each in amo.contacts(limit=250, **{f"order[{key}]": direction})]
    assert values == sorted(values, reverse=direction == "desc")


def test_order_by_anything_else_is_refused(amo):
    assert amo.call("GET", "/api/v4/contacts", **{"order[name]": "asc"}).status == 400
    assert amo.call("GET", "/api/v4/contacts", **{"order[id]": "down"}).status == 400


def test_filters_narrow_and_may_be_ignored(sandbox, amo):
    some = amo.contacts(limit=250)[3:6]
    ids = {f"filter[id][{index}]": each["id"] for index, each in enumerate(some)}
    assert amo.contacts(**ids) == some
    first, last = sorted(each["updated_at"] for each in some)[0::2]
    window = {"filter[updated_at][from]": first, "filter[updated_at][to]": last, "limit": 250}
    found = amo.contacts(**window)
    assert 0 < len(found) < CONTACTS
    assert all(first <= each["updated_at"] <= last for each in found)
    sandbox.switches(id_filter="ignore", updated_filter="ignore")
    assert len(amo.contacts(**window, **ids)) == CONTACTS


def test_search_finds_numbers_by_their_digits(sandbox, amo):
    (number,) = amo.added({"name": "Tìm tôi", "custom_fields_values": phone("+84 (977) 123-459")})
    assert [each["id"] for each in amo.contacts(query="977123459")] == [number]
    assert [each["id"] for each in amo.contacts(query="tìm TÔI")] == [number]
    sandbox.switches(search="text")
    assert amo.contacts(query="977123459") == []
    assert [each["id"] for each in amo.contacts(query="(977) 123")] == [number]


def test_linked_entities_are_shown_where_asked_for(amo):
    held = next(each for each in amo.control("GET", "contacts") if each["leads"] and each["state"] == "live")
    assert set(amo.one(held["id"])["_embedded"]) == {"tags", "companies"}
    shown = amo.one(held["id"], **{"with": "leads,customers,catalog_elements,nonsense"})
    assert [each["id"] for each in shown["_embedded"]["leads"]] == held["leads"]
    assert set(shown["_embedded"]) == {"tags", "companies", "leads", "customers", "catalog_elements"}


def test_nobody_is_204(amo):
    reply = amo.call("GET", "/api/v4/contacts/999")
    assert (reply.status, reply.body) == (204, b"")


def test_same_people_are_known_to_both_crms(sandbox, amo):
    other = {p["value"] for each in sandbox.contacts(state="live") for p in each["phones"]}
    mine = {p["value"] for each in amo.control("GET", "contacts") for p in each["phones"]}
    assert len(other & mine) > 20


def test_seed_holds_what_mirrors_trip_over(amo):
    names = [each["name"] for each in amo.contacts(limit=250)]
    assert "" in names
    assert any("<script>" in name for name in names)
    assert any("Щербакова" in name or "Ёлкин" in name for name in names)
    assert any(each["custom_fields_values"] is None for each in amo.contacts(limit=250))


# Writes


def test_several_are_added_and_named_by_their_request_ids(amo):
    reply = amo.add({"name": "A", "request_id": "x"}, {"first_name": "Peter", "last_name": "Parker"})
    assert reply.status == 200
    first, second = reply.json["_embedded"]["contacts"]
    assert (first["request_id"], second["request_id"]) == ("x", "1")
    assert amo.one(first["id"])["name"] == "A"
    assert amo.one(second["id"])["name"] == "Peter Parker"


def test_a_sent_field_replaces_its_values_and_the_others_stay(amo):
    (number,) = amo.added(
        {
            "name": "A",
            "custom_fields_values": [
                *phone("1", "2"),
                {"field_id": words.POSITION, "values": [{"value": "CEO"}]},
            ],
            "_embedded": {"tags": [{"name": "một"}, {"name": "VIP"}]},
        }
    )
    amo.patch(number, custom_fields_values=phone("3", code="FAX"))
    shown = {each["field_code"]: each["values"] for each in amo.one(number)["custom_fields_values"]}
    assert [(each["value"], each["enum_code"]) for each in shown["PHONE"]] == [("3", "FAX")]
    assert shown["POSITION"][0]["value"] == "CEO"
    amo.patch(number, _embedded={"tags": [{"name": "hai"}]})
    assert [tag["name"] for tag in amo.one(number)["_embedded"]["tags"]] == ["hai"]
    amo.patch(number, _embedded={"tags": []})
    assert len(amo.one(number)["_embedded"]["tags"]) == 1
    amo.patch(
        number, _embedded={"tags": None}, custom_fields_values=[{"field_code": "PHONE", "values": None}]
    )
    assert amo.one(number)["_embedded"]["tags"] == []
    assert "PHONE" not in {each["field_code"] for each in amo.one(number)["custom_fields_values"]}


def test_one_mistake_refuses_the_whole_batch_and_names_its_item(amo):
    before = amo.control("GET", "counts")
    reply = amo.add(
        {"name": "A"}, {"name": 5, "request_id": "bad", "custom_fields_values": [{"field_id": 1}]}
    )
    assert reply.status == 400
    (item,) = reply.json["validation-errors"]
    assert item["request_id"] == "bad"
    assert [error["path"] for error in item["errors"]] == ["name", "custom_fields_values.0.field_id"]
    assert amo.control("GET", "counts") == before


@pytest.mark.parametrize("body", [{}, [], {"name": "A"}, "text"])
def test_batch_must_be_an_array_with_something_in_it(amo, body):
    assert amo.call("POST", "/api/v4/contacts", body).status == 400


def test_batch_has_its_limit(amo):
    assert amo.add(*[{"name": "A"}] * 251).status == 422
    assert amo.add(*[{"name": "A"}] * 250).status == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (words.LIMIT, "nhiều"), (words.CHECKED, "có"), (words.RENEWAL, "31/12/2026"),
        (words.RENEWAL, "2026-12-31T00:00:00"),
        (words.RANK, "Đồng"), (words.GENDER, 5), (words.REMARK, {}), (words.PHONE, " "),
    ],
)  # fmt: skip
def test_value_of_a_wrong_type_is_refused(amo, field, value):
    reply = amo.add({"custom_fields_values": [{"field_id": field, "values": [{"value": value}]}]})
    assert reply.status == 400
    assert reply.json["validation-errors"][0]["errors"][0]["path"] == "custom_fields_values.0.values.0.value"


@pytest.mark.parametrize("zone", [-5, 0, 3, 7])
def test_dates_begin_at_midnight_of_the_account(sandbox, amo, zone):
    sandbox.switches(zone_hours=zone)
    item = {"field_id": words.RENEWAL, "values": [{"value": "2026-02-28T12:00:00+00:00"}]}
    (number,) = amo.added({"custom_fields_values": [item]})
    (shown,) = amo.one(number)["custom_fields_values"]
    assert (shown["values"][0]["value"] + zone * 3600) % 86_400 == 0


def test_several_are_updated_and_unknown_ones_refused(sandbox, amo):
    first, second = (each["id"] for each in amo.contacts(limit=2))
    reply = amo.call("PATCH", "/api/v4/contacts", [{"id": first, "name": "X"}, {"id": second, "name": "Y"}])
    assert [each["name"] for each in reply.json["_embedded"]["contacts"]] == ["X", "Y"]
    assert amo.call("PATCH", "/api/v4/contacts", [{"name": "X"}]).json["validation-errors"]
    assert amo.patch(999, name="X").status == 400
    sandbox.switches(patch_unknown="404")
    assert amo.patch(999, name="X").status == 404


def test_every_applied_write_is_logged_once(sandbox, amo):
    (number,) = amo.added({"name": "A"})
    amo.patch(number, name="B")
    amo.add({"name": 5})
    assert [each["operation"] for each in sandbox.writes(vendor="amocrm")] == ["create", "edit"]


# Chats


def test_chats_are_listed_by_chat_and_by_contact_and_linked(amo):
    chats = amo.control("GET", "chats")
    free = next(chat for chat, contact in chats.items() if contact is None)
    number = amo.contacts(limit=1)[0]["id"]
    reply = amo.call("POST", "/api/v4/contacts/chats", [{"chat_id": free, "contact_id": number}])
    (linked,) = reply.json["_embedded"]["chats"]
    assert (linked["chat_id"], linked["contact_id"], linked["request_id"]) == (free, number, "0")
    found = amo.call("GET", "/api/v4/contacts/chats", **{"contact_id[0]": number}).json["_embedded"]["chats"]
    assert free in [each["chat_id"] for each in found]
    by_chat = amo.call("GET", "/api/v4/contacts/chats", **{"chat_id[0]": free}).json
    assert by_chat["_total_items"] == 1
    assert amo.call("GET", "/api/v4/contacts/chats", **{"contact_id": 999}).status == 204


def test_chats_are_for_administrators_without_cookies(sandbox, amo):
    assert amo.call("POST", "/api/v4/contacts/chats", [{"chat_id": "x", "contact_id": 1}]).status == 400
    amo.headers["Cookie"] = "session=1"
    assert amo.call("GET", "/api/v4/contacts/chats").status == 403
    del amo.headers["Cookie"]
    sandbox.switches(chats="forbidden")
    assert amo.call("GET", "/api/v4/contacts/chats").status == 403


# Beyond the vendor's page


def test_public_routes_work_until_switched_off(sandbox, amo):
    number = amo.contacts(limit=1)[0]["id"]
    paths = ("/api/v4/contacts/custom_fields", "/api/v4/events", f"/api/v4/contacts/{number}/links")
    for path in (*paths, "/api/v4/webhooks"):
        assert amo.call("GET", path).status == 200
    sandbox.switches(definitions="off", events="off", links="off", webhooks="unpaid")
    assert [amo.call("GET", path).status for path in paths] == [404] * 3
    assert amo.call("GET", "/api/v4/webhooks").status == 402


def test_deletions_restores_and_merges_leave_events(amo):
    first, second, third = (each["id"] for each in amo.contacts(limit=3))
    amo.control("POST", "trash", {"id": first})
    amo.control("POST", "restore", {"id": first})
    amo.control("POST", "merge", {"loser": second, "survivor": third})
    shown = amo.call("GET", "/api/v4/events", **{"filter[created_at][from]": 0, "limit": 3}).json
    kinds = [each["type"] for each in shown["_embedded"]["events"]]
    assert sorted(kinds) == ["contact_deleted", "contact_restored", "entity_merged"]
    assert amo.one(second) is None


def test_merge_moves_what_the_survivor_lacks(amo):
    loser, survivor = amo.added(
        {"name": "Mất", "custom_fields_values": phone("1", "2"), "_embedded": {"tags": [{"name": "t"}]}},
        {"name": "Còn", "custom_fields_values": phone("2")},
    )
    amo.control("POST", "merge", {"loser": loser, "survivor": survivor})
    (held,) = amo.control("GET", "contacts", id=survivor)
    assert sorted(each["value"] for each in held["phones"]) == ["1", "2"]
    assert held["tags"] == ["t"]


def test_reset_brings_the_same_contacts_back(sandbox, amo):
    before = amo.contacts(limit=250)
    amo.control("POST", "mutate", {"edits": 5, "creates": 3, "trash": 2, "merges": 2})
    assert amo.contacts(limit=250) != before
    sandbox.reset()
    assert amo.contacts(limit=250) == before


def test_unknown_paths_and_methods_are_told_apart(amo):
    assert amo.call("GET", "/api/v4/nothing").status == 404
    assert amo.call("GET", "/api/v2/contacts").status == 404
    assert amo.call("DELETE", "/api/v4/contacts").status == 405
    assert amo.call("DELETE", f"/api/v4/contacts/{amo.contacts(limit=1)[0]['id']}").status == 405


def test_remote_staff_may_act_just_before_a_write(sandbox, amo):
    first, second = (each["id"] for each in amo.contacts(limit=2))
    sandbox.faults(
        [
            {
                "kind": "remote_event",
                "event": "edit",
                "changes": {"name": "Của họ"},
                "method": "PATCH",
                "times": 1,
            }
        ]
    )
    amo.patch(first, custom_fields_values=phone("0900"))
    (held,) = amo.control("GET", "contacts", id=first)
    assert (held["name"], held["phones"][0]["value"]) == ("Của họ", "0900")
    sandbox.faults([{"kind": "remote_event", "event": "trash", "when": "after", "times": 1}])
    assert amo.patch(second, name="Của ta").status == 200
    assert amo.one(second) is None


def test_lists_may_lag_and_shift(sandbox, amo):
    (number,) = amo.added({"name": "Vừa tạo"})
    sandbox.fault("lag", method="GET", seconds=60.0)
    assert number not in [each["id"] for each in amo.contacts(limit=250)]
    sandbox.fault("shift_page", times=1)
    before = amo.control("GET", "counts")
    amo.contacts(limit=10)
    assert amo.control("GET", "counts") != before
