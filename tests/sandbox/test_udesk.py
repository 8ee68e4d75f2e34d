"""The sandbox's Udesk, as the vendor's page describes it."""

import time

import pytest

from tests.sandbox.udesk_api import UdeskApi


@pytest.fixture
def udesk(sandbox):
    return UdeskApi(sandbox)


def truth(sandbox, **filters):
    return sandbox.control("GET", "udesk/customers", **filters)


# Signatures


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"email": "other@example.com"}, 2015),
        ({"timestamp": "soon"}, 20621),
        ({"timestamp": "123"}, 20621),
        ({"timestamp": "1000000000"}, 20622),
        ({"nonce": ""}, 20624),
        ({"token": "another"}, 2059),
        ({"sign": "0" * 64}, 2059),
        ({"sign_version": "v1"}, 2059),
    ],
)
def test_wrong_signature_has_a_code_of_its_own(udesk, changes, code):
    reply = udesk.raw("GET", "", udesk.signature(**changes))
    assert (reply.status, reply.json["code"]) == (200, code)


def test_nonce_is_good_once(udesk):
    query = udesk.signature()
    assert [udesk.raw("GET", "", query).json["code"] for _ in range(2)] == [1000, 20623]


def test_clock_may_be_five_minutes_off(sandbox, udesk):
    for skew, code in ((290, 1000), (-290, 1000), (310, 20622), (-310, 20622)):
        sandbox.switches("udesk", clock_skew_s=skew)
        assert udesk.code("GET", "")[0] == code


def test_unknown_subdomain_and_plan(sandbox, udesk):
    sandbox.switches("udesk", plan="basic")
    for path in ("/feeds", "/filters", "/custom_fields"):
        assert udesk.code("GET", path)[0] == 2058
    assert udesk.code("GET", "")[0] == 1000
    sandbox.switches("udesk", subdomain="unknown")
    assert udesk.code("GET", "")[0] == 2002


def test_calls_of_one_interface_are_counted_by_the_minute(sandbox, udesk):
    sandbox.switches("udesk", rate_per_minute=2)
    codes = [udesk.code("GET", path)[0] for path in ("", "", "", "/filters")]
    assert codes == [1000, 1000, 429, 1000]
    assert sandbox.control("GET", "udesk/rates")["busiest_minute"] == {"GET /": 3, "GET /filters": 1}
    sandbox.switches("udesk", throttle_as="http")
    assert udesk.raw("GET", "", udesk.signature()).status == 429


# Lists


def test_list_has_pages_and_channels(sandbox, udesk):
    said = udesk.call("GET", "")
    assert set(said) == {"code", "meta", "wechat", "weibo", "customers"}
    assert len(said["customers"]) == 20
    assert said["meta"] == {"current_page": 1, "total_pages": 6, "total_count": 120}
    found = [c["id"] for page in (1, 2) for c in udesk.call("GET", "", page=page, page_size=100)["customers"]]
    assert sorted(found) == [each["id"] for each in truth(sandbox, state="live")]
    for query, code in (({"page": 0}, 206201), ({"page_size": 101}, 206211), ({"page_size": "x"}, 206211)):
        assert udesk.code("GET", "", **query)[0] == code


def test_list_reaches_only_so_far(sandbox, udesk):
    sandbox.switches("udesk", list_reach=50)
    sizes = [len(udesk.call("GET", "", page=page, page_size=40)["customers"]) for page in (1, 2, 3)]
    assert sizes == [40, 10, 0]


def test_keyword_and_filter(sandbox, udesk):
    person = next(each for each in truth(sandbox) if each["cellphones"] and each["email"])
    for words in (person["email"], person["cellphones"][0][1]):
        assert person["id"] in [each["id"] for each in udesk.call("GET", "", query=words)["customers"]]
    assert udesk.call("GET", "", query="nobody is called so")["customers"] == []
    vips = udesk.call("GET", "", filter_id=1, page_size=100)["customers"]
    assert {each["level"] for each in vips} == {"vip"}
    assert udesk.code("GET", "", filter_id=99)[0] == 2062
    assert [each["active"] for each in udesk.call("GET", "/filters")["customer_filters"]] == [
        True,
        False,
        True,
    ]


def test_people_are_shared_with_antcrm_and_numbers_are_unique(sandbox, udesk):
    records = truth(sandbox, state="live")
    phones = [text for each in records for _, text in each["cellphones"]]
    emails = [each["email"] for each in records if each["email"]]
    assert len(set(phones)) == len(phones) > 80
    assert len(set(emails)) == len(emails) > 60
    known = {phone["value"] for each in sandbox.contacts(state="live") for phone in each["phones"]}
    assert len(known & set(phones)) > 20
    assert any(each["nick_name"][0] in "王李张刘陈杨" for each in records)


def test_same_seed_gives_the_same_customers(sandbox, udesk):
    first = truth(sandbox)
    sandbox.reset(seed=7, contacts=120)
    assert truth(sandbox) == first


# Export


def batches(udesk, **first):
    said = udesk.call("GET", "/export", **first)
    while said["customers"]:
        yield said
        said = udesk.call("GET", "/export", scroll_id=said["scroll_id"])


def test_export_scrolls_to_an_empty_batch(sandbox, udesk):
    sandbox.switches("udesk", export_batch=50)
    found = list(batches(udesk))
    assert [len(said["customers"]) for said in found] == [50, 50, 20]
    assert {said["total"] for said in found} == {120}
    assert len({said["scroll_id"] for said in found}) == 3
    assert len({c["id"] for said in found for c in said["customers"]}) == 120


def test_wrong_filter_exports_everybody(sandbox, udesk):
    assert udesk.call("GET", "/export", filter_id=99)["total"] == 120
    assert udesk.call("GET", "/export", filter_id=1)["total"] < 120
    sandbox.switches("udesk", wrong_filter="refuse")
    assert udesk.code("GET", "/export", filter_id=99)[0] == 2062


@pytest.mark.parametrize(("policy", "shown"), [("advance", 2), ("repeat", 1), ("refuse", None)])
def test_older_cursor_asked_again(sandbox, udesk, policy, shown):
    sandbox.switches("udesk", export_batch=50, scroll_again=policy)
    first = udesk.call("GET", "/export")
    second = udesk.call("GET", "/export", scroll_id=first["scroll_id"])
    again = udesk.call("GET", "/export", scroll_id=first["scroll_id"])
    if shown is None:
        assert again["code"] == 2062
    else:
        same = [each["id"] for each in again["customers"]] == [each["id"] for each in second["customers"]]
        assert same is (shown == 1)


def test_cursor_dies(sandbox, udesk):
    sandbox.switches("udesk", scroll_life_s=0.05)
    said = udesk.call("GET", "/export")
    time.sleep(0.1)
    assert udesk.code("GET", "/export", scroll_id=said["scroll_id"])[0] == 2062
    said = udesk.call("GET", "/export")
    assert sandbox.control("POST", "udesk/end_scrolls")["ended"] >= 1
    assert udesk.code("GET", "/export", scroll_id=said["scroll_id"])[0] == 2062


# One customer


def test_missing_type_content_and_customer_are_told_apart(udesk):
    for query, code in (
        ({}, 2060),
        ({"type": "name", "content": "x"}, 2060),
        ({"type": "id"}, 2000),
        ({"type": "id", "content": "1"}, 2005),
        ({"type": "email", "content": "nobody@example.com"}, 2005),
    ):
        assert udesk.code("GET", "/get_customer", **query)[0] == code


EVERYTHING = {
    "nick_name": "Khách thử",
    "email": "thu@example.com",
    "open_api_token": "erp-77",
    "description": "Ghi chú",
    "organization_id": 3,
    "owner_id": 2,
    "owner_group_id": 1,
    "level": "vip",
    "is_blocked": True,
    "cellphones": [[None, "13100000002"], [None, "13200000002"]],
    "custom_fields": {"TextField_1": "x", "SelectField_3": ["0", "3"]},
    "weixins": [{"action": "new", "appid": "wxf54489a1azz51885", "openid": "o1", "unionid": "u1"}],
    "weixin_minis": [{"action": "new", "appid": "wxc7279f8eefd70a4a", "openid": "m1"}],
    "weixin_works": [
        {"action": "new", "agentid": "1009117", "corpid": "wxc727955fe6025ed4", "userid": "LS1"}
    ],
    "web_token": "thu@example.com",
}


def test_everything_that_can_be_created_is_shown_and_found(udesk):
    made = udesk.create(EVERYTHING, other_emails=[[None, "b@example.com"]], tags="tag1,tag2")
    same = ("nick_name", "email", "open_api_token", "description", "owner_id", "level", "is_blocked",
            "custom_fields", "web_token")  # fmt: skip
    assert {name: made[name] for name in same} == {name: EVERYTHING[name] for name in same}
    assert [each["content"] for each in made["cellphones"]] == ["13100000002", "13200000002"]
    assert [each["name"] for each in made["tags"]] == ["tag1", "tag2"]
    assert {each["id"] for each in made["tags"]} == {1}
    assert made["other_emails"][0][1] == "b@example.com"
    assert made["weixins"] == [{"appid": "wxf54489a1azz51885", "openid": "o1", "unionid": "u1"}]
    for type_, content in (
        ("id", made["id"]), ("email", "THU@example.com"), ("email", "b@example.com"),
        ("cellphone", "13200000002"), ("token", "erp-77"), ("weixin_open_id", "o1"),
        ("weixin_mini_openid", "m1"), ("web_token", "thu@example.com"),
        ("weixin_work_identifier", "cropid:wxc727955fe6025ed4,agentid:1009117,userid:LS1"),
    ):  # fmt: skip
        assert udesk.get(type_, content)["id"] == made["id"], type_


@pytest.mark.parametrize(
    ("customer", "words"),
    [
        (None, "param is missing"),
        ({}, "undefined method `each_with_index'"),
        ({"nick_name": ""}, "Nick name"),
        ({"email": "thu@example.com"}, "Email duplicate: customer id = "),
        ({"email": "no address"}, "Email is invalid"),
        ({"web_token": "thu@example.com"}, "web_token duplicate: thu@example.com"),
        ({"web_token": "a b"}, "web_token format error: a b"),
        ({"web_token": 5}, "web_token must be a string"),
        ({"cellphones": [[None, "13100000002"]]}, "Phone 13100000002 has been used"),
        ({"cellphones": ["13100000003"]}, "Incorrect parameter format"),
        ({"weixins": EVERYTHING["weixins"]}, "already exists in customer (id: "),
        ({"weixins": [{"action": "new", "appid": "stranger", "openid": "o"}]}, "is not bound"),
        ({"organization_id": 99}, "Company id does not exist"),
        ({"owner_id": 99, "owner_group_id": 1}, "Cannot find customer service"),
        ({"owner_id": 1}, "customer service group does not exist"),
        ({"owner_id": 1, "owner_group_id": 9}, "Company does not have this"),
        ({"owner_id": 1, "owner_group_id": 3}, "does not belong to this"),
        ({"level": "gold"}, "'gold' is not a valid level"),
        ({"custom_fields": "qweasd"}, "undefined method `each'"),
        ({"description": "x" * 256}, "too long"),
    ],
)
def test_refusals_in_the_words_of_the_page(udesk, customer, words):
    udesk.create(EVERYTHING)
    body = {} if customer is None else {"customer": customer and {"nick_name": "An"} | customer}
    code, said = udesk.code("POST", "", body)
    assert (code, words in said) == (2000, True), said


def test_incomplete_wechat_identities_are_silently_ignored(udesk):
    odd = [
        {"action": "new", "appid": "", "openid": "o2"},
        {"action": "add", "appid": "wxf54489a1azz51885", "openid": "o3"},
        {"action": "delete", "appid": "wxf54489a1azz51885", "openid": "o4"},
    ]
    assert udesk.create({"nick_name": "An", "weixins": odd})["weixins"] == []


def test_update_is_partial_and_arrays_are_whole(sandbox, udesk):
    made = udesk.create(EVERYTHING, other_emails=[[None, "b@example.com"], [None, "c@example.com"]], tags="x")
    number, (phone, _) = made["id"], made["cellphones"]
    body = {
        "customer": {
            "cellphones": [[phone["id"], "13100000009"]],
            "weixins": [
                EVERYTHING["weixins"][0],
                {"action": "delete", "appid": "wxf54489a1azz51885", "openid": "o1"},
            ],
        },
        "other_emails": [[made["other_emails"][0][0], "d@example.com"]],
    }
    after = udesk.call("PUT", "/update_customer", body, type="id", content=number)["customer"]
    assert after["cellphones"] == [{"id": phone["id"], "content": "13100000009"}]
    assert after["other_emails"] == [[made["other_emails"][0][0], "d@example.com"]]
    assert after["weixins"] == made["weixins"]
    unchanged = ("nick_name", "email", "tags", "custom_fields", "weixin_minis", "owner_id")
    assert {name: after[name] for name in unchanged} == {name: made[name] for name in unchanged}
    after = udesk.call("PUT", "/update_customer", {"tags": "y"}, type="token", content="erp-77")["customer"]
    assert [each["name"] for each in after["tags"]] == ["y"]
    sandbox.switches("udesk", put_arrays="merge", put_tags="add", put_custom_fields="replace")
    body = {
        "customer": {"cellphones": [[None, "13900000009"]], "custom_fields": {"TextField_2": "z"}},
        "tags": "x",
    }
    after = udesk.call("PUT", "/update_customer", body, type="id", content=number)["customer"]
    assert [each["content"] for each in after["cellphones"]] == ["13100000009", "13900000009"]
    assert [each["name"] for each in after["tags"]] == ["y", "x"]
    assert after["custom_fields"] == {"TextField_2": "z"}


@pytest.mark.parametrize(("policy", "left"), [("ignore", "Ghi chú"), ("clear", None), ("refuse", "Ghi chú")])
def test_emptying_a_field_is_a_switch(sandbox, udesk, policy, left):
    number = udesk.create(EVERYTHING)["id"]
    sandbox.switches("udesk", clear_scalars=policy)
    body = {"customer": {"description": ""}}
    code, _ = udesk.code("PUT", "/update_customer", body, type="id", content=number)
    assert code == (2000 if policy == "refuse" else 1000)
    assert udesk.get("id", number)["description"] == left


def test_delete_is_for_good(sandbox, udesk):
    number = udesk.create(EVERYTHING)["id"]
    assert udesk.call("DELETE", "/destroy_customer", type="id", content=number)["customer_id"] == number
    assert udesk.code("GET", "/get_customer", type="email", content="thu@example.com")[0] == 2005
    assert udesk.code("DELETE", "/destroy_customer", type="id", content=number)[0] == 2005
    assert truth(sandbox, id=number)[0]["state"] == "deleted"
    assert udesk.create(EVERYTHING)["id"] != number


def test_history_pages_and_a_count_that_is_wrong(sandbox, udesk):
    number = udesk.create(EVERYTHING)["id"]
    for turn in range(3):
        udesk.call(
            "PUT", "/update_customer", {"customer": {"description": str(turn)}}, type="id", content=number
        )
    said = udesk.call("GET", "/feeds", type="id", content=number, page_size=2)
    assert [each["feed_type"] for each in said["feeds"]] == ["Alteration"] * 2
    assert set(said["feeds"][0]) == {"feed_type", "time", "author", "summary"}
    assert said["meta"]["total_count"] > 3
    assert len(udesk.call("GET", "/feeds", type="id", content=number, page=2, page_size=2)["feeds"]) == 1
    seeded = {
        feed["feed_type"]
        for each in truth(sandbox)[:40]
        for feed in udesk.call("GET", "/feeds", type="id", content=each["id"])["feeds"]
    }
    assert seeded == {"Ticket", "CallLog", "ImSubSession", "CustomerFollowUp", "Alteration"}


def test_definitions_cover_every_type(udesk):
    fields = udesk.call("GET", "/custom_fields")["custom_fields"]
    assert {each["content_type"] for each in fields} == {
        "text", "area_text", "date", "time", "datetime", "link", "number", "numeric",
        "droplist", "radio", "checkbox",
    }  # fmt: skip


# Import


def test_import_is_applied_later_or_never(sandbox, udesk):
    items = [
        {"nick_name": "Một", "emails": ["mot@example.com", "hai@example.com"], "cellphones": ["13100000077"],
         "open_api_token": "t-1", "tags": "a,b",
         "weixins": [{"appid": "wxf54489a1azz51885", "openid": "o9"}]},
        {"nick_name": "Hai", "cellphones": ["13100000077"], "open_api_token": "t-2"},
        {"open_api_token": "t-3"},
    ]  # fmt: skip
    sandbox.switches("udesk", import_delay_s=30.0)
    assert udesk.call("POST", "/batch_import_async", {"customers": items}) == {"code": 1000}
    assert udesk.code("GET", "/get_customer", type="token", content="t-1")[0] == 2005
    assert sandbox.control("POST", "udesk/imports")["applied"] == 1
    one = udesk.get("token", "t-1")
    assert (one["email"], one["other_emails"][0][1]) == ("mot@example.com", "hai@example.com")
    assert [each["name"] for each in one["tags"]] == ["a", "b"]
    assert udesk.code("GET", "/get_customer", type="token", content="t-2")[0] == 2005


def test_import_limits(sandbox, udesk):
    one = {"nick_name": "Một"}
    assert udesk.code("POST", "/batch_import_async", {"customers": []}) == (2000, "Import data is empty")
    code, words = udesk.code("POST", "/batch_import_async", {"customers": [one] * 101})
    assert (code, "(101) cannot exceed 100" in words) == (2000, True)
    assert udesk.code("POST", "/batch_import_async", {"customers": [one] * 100})[0] == 1000
    assert udesk.code("POST", "/batch_import_async", {"customers": [one]})[0] == 429
    sandbox.switches("udesk", import_every_s=0.0)
    assert udesk.code("POST", "/batch_import_async", {"customers": [one]})[0] == 1000


# Merge


def ends(loser="thu@example.com", survivor="con@example.com"):
    return {"from_type": "email", "from_content": loser, "to_type": "email", "to_content": survivor}


def test_merge_keeps_one_with_the_lists_of_both(sandbox, udesk):
    gone = udesk.create(EVERYTHING, tags="a")
    kept = udesk.create(
        {"nick_name": "Còn", "email": "con@example.com", "cellphones": [[None, "13900001111"]]}, tags="b"
    )
    assert udesk.call("POST", "/merge", ends()) == {"code": 1000, "id": kept["id"]}
    after = udesk.get("id", kept["id"])
    assert {each["content"] for each in after["cellphones"]} == {"13900001111", "13100000002", "13200000002"}
    assert {each["name"] for each in after["tags"]} == {"a", "b"}
    assert (after["nick_name"], after["email"]) == ("Còn", "con@example.com")
    assert udesk.get("email", "thu@example.com")["id"] == kept["id"]
    assert udesk.code("GET", "/get_customer", type="id", content=gone["id"])[0] == 2005
    assert truth(sandbox, id=gone["id"])[0]["survivor"] == kept["id"]


def test_merge_refusals_and_where_its_parameters_stand(sandbox, udesk):
    udesk.create(EVERYTHING)
    kept = udesk.create({"nick_name": "Còn", "email": "con@example.com"})
    for body, words in (
        ({}, "Invalid unique identifier type"),
        (ends() | {"from_type": "id"}, "Invalid unique identifier type"),
        (ends(loser=""), "Couldn't find Customer"),
        (ends(survivor="thu@example.com"), "Cannot merge to self"),
    ):
        code, said = udesk.code("POST", "/merge", body)
        assert (code, words in said) == (2000, True)
    assert udesk.code("POST", "/merge", {}, **ends())[0] == 2000
    sandbox.switches("udesk", merge_params="query")
    assert udesk.code("POST", "/merge", ends())[0] == 2000
    assert udesk.call("POST", "/merge", **ends())["id"] == kept["id"]


# Scripts of remote staff


def test_mutations_are_counted_and_logged(sandbox, udesk):
    done = sandbox.control(
        "POST", "udesk/mutate", {"edits": 3, "creates": 2, "trash": 4, "merges": 1, "seed": 5}
    )
    assert len(done["done"]) == 10
    counts = sandbox.control("GET", "udesk/counts")
    assert (counts["deleted"], counts["merged"]) == (4, 1)
    assert counts["live"] == 120 + 2 - 4 - 1
    assert len(sandbox.writes(by="staff", vendor="udesk")) == 10
    assert sandbox.writes() == []


def test_error_shapes_are_switches(sandbox, udesk):
    query = {"type": "id", "content": "1"}
    sandbox.switches("udesk", error_status="matching", error_text="code_message", exception="text")
    reply = udesk.raw("GET", "/get_customer", query | udesk.signature())
    assert (reply.status, reply.json) == (
        404,
        {"code": 2005, "code_message": "The resource was not found", "exception": "Couldn't find Customer"},
    )
