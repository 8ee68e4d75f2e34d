"""AntBOT's operations, envelopes, filters, errors and odd answers, over real sockets."""

import json

import pytest

from tests.sandbox.antbot_api import SECRET, BotApi, campaign_body, numbers
from tests.sandbox.http import eventually

LISTS = (
    "campaigns", "survey-template", "section-template", "survey-list", "phonebook", "contact", "gateway",
    "dnc-list", "dnc-contact", "cdr", "subscriber-list", "calendar-setting", "calendar", "event", "alarm",
)  # fmt: skip
GATEWAY_KEYS = {
    "id", "name", "status", "description", "addprefix", "removeprefix", "gateways", "subdomain",
    "gateway_codecs", "gateway_timeouts", "gateway_retries", "originate_dial_string", "secondused",
    "created_date", "updated_date", "addparameter", "count_call", "count_in_use", "maximum_call",
    "is_trial", "failover",
}  # fmt: skip
STAMP = "2026-11-20T01:02:03.000004Z"


# ---------------------------------------------------------------------- access


def test_login_gives_a_bearer_token_and_is_counted(bot_api):
    assert set(bot_api.log_in().json) == {"access_token"}
    assert bot_api.get("gateway")["count"] == 3
    assert bot_api.log_in(password="wrong").status == 401
    assert bot_api.raw("POST", "/rest-api/get-token/", {"username": "x"}).json == {
        "password": ["This field is required."]
    }
    assert bot_api.bot.state()["logins"] == {"accepted": 1, "refused": 1}


def test_token_address_and_key_are_switchable(bot_api):
    bot_api.bot.switches(token_path="/get-token/", token_key="access", login_refusal=400)
    assert bot_api.log_in().status == 404
    assert set(bot_api.raw("POST", "/get-token/", SECRET).json) == {"access"}
    wrong = bot_api.raw("POST", "/get-token/", SECRET | {"password": "no"})
    assert (wrong.status, list(wrong.json)) == (400, ["non_field_errors"])


def test_calls_without_a_live_token_are_refused(bot_api):
    reply = bot_api.raw("GET", "/rest-api/gateway/")
    assert (reply.status, list(reply.json)) == (401, ["detail"])
    assert reply.headers["www-authenticate"].startswith("Bearer")
    bot_api.log_in()
    assert bot_api.bot.expire_tokens() == 1
    assert bot_api.call("GET", "gateway/").status == 401
    bot_api.bot.switches(auth_status=403)
    assert bot_api.call("GET", "gateway/").status == 403


def test_token_ends_after_its_lifetime_and_by_a_new_login(bot_api):
    bot_api.bot.switches(single_login="yes")
    bot_api.log_in()
    old = bot_api.token
    bot_api.log_in()
    bot_api.token, new = old, bot_api.token
    assert bot_api.call("GET", "gateway/").status == 401
    bot_api.token = new
    assert bot_api.call("GET", "gateway/").status == 200
    bot_api.bot.switches(token_lifetime_s=1)
    assert eventually(lambda: bot_api.call("GET", "gateway/").status == 401)


def test_company_without_a_trial_is_forbidden(bot_api):
    bot_api.bot.switches(trial="none")
    assert bot_api.call("GET", "gateway/").status == 403


# ---------------------------------------------------------------------- paths


def test_slashless_url_is_redirected_and_a_write_is_not_applied(bot_api):
    reply = bot_api.call("DELETE", "campaigns/1201")
    assert (reply.status, reply.headers["location"]) == (301, "/antbot/rest-api/campaigns/1201/")
    assert bot_api.call("GET", "phonebook/293", search="a").headers["location"].endswith("/293/?search=a")
    assert bot_api.get("campaigns/1201")["id"] == 1201
    for status in (404, 500):
        bot_api.bot.switches(slashless=str(status))
        assert bot_api.call("POST", "phonebook", {"name": "X"}).status == status
    assert len(bot_api.bot.rows("phonebook")) == 2


def test_double_slash_and_unknown_paths_are_not_found(bot_api):
    for path in ("/rest-api//section-template/2001/", "/rest-api/campaign/", "/campaigns/", "/rest-api/"):
        reply = bot_api.raw("GET", path)
        assert (reply.status, reply.headers["content-type"][:9]) == (404, "text/html")
    assert bot_api.call("GET", "campaigns/1201/stop/").status == 404


def test_only_the_pages_methods_are_allowed(bot_api):
    for method, path in (
        ("DELETE", "phonebook/293/"),
        ("DELETE", "contact/50001/"),
        ("PUT", "survey-template/351/"),
        ("POST", "gateway/"),
        ("POST", "cdr/"),
        ("GET", "bulkcontact/"),
        ("PUT", "dnc-list/343/"),
        ("GET", "get-token/"),
    ):
        reply = bot_api.call(method, path, {})
        assert (reply.status, list(reply.json)) == (405, ["detail"]), path


def test_reads_the_page_does_not_print_can_be_off(bot_api):
    bot_api.bot.switches(undocumented_reads="no")
    assert {bot_api.call("GET", p).status for p in ("campaigns/1201/", "section-template/", "event/")} == {
        405
    }
    assert {bot_api.call("GET", p).status for p in ("campaigns/", "phonebook/293/", "contact/50001/")} == {
        200
    }


def test_body_must_be_json(bot_api):
    reply = bot_api.call("POST", "phonebook/", b"{name")
    assert (reply.status, list(reply.json)) == (400, ["detail"])
    assert bot_api.call("POST", "phonebook/", [1]).json.keys() == {"non_field_errors"}


# ---------------------------------------------------------------------- pages


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_the_envelope(bot_api, path):
    page = bot_api.get(path)
    assert list(page) == ["count", "next", "previous", "results"]
    assert len(page["results"]) == min(page["count"], 10)


def test_pages_link_to_each_other_and_end_with_404(bot_api):
    first = bot_api.get("contact", phonebook=293)
    assert (first["count"], first["previous"]) == (40, None)
    assert first["next"] == f"http://{bot_api.address}/antbot/rest-api/contact/?phonebook=293&page=2"
    second = bot_api.get("contact", phonebook=293, page=2)
    assert second["previous"].endswith("/contact/?phonebook=293")
    assert bot_api.get("contact", phonebook=293, page=4)["next"] is None
    for page in (5, 0, "x", ""):
        assert bot_api.call("GET", "contact/", phonebook=293, page=page).status == 404
    assert bot_api.get("event", page=1)["results"] == []
    ids = [row["id"] for row in bot_api.everything("contact")]
    assert ids == sorted(set(ids))
    assert len(ids) == 64


def test_other_envelopes_and_sizes(bot_api):
    bot_api.bot.switches(envelope="results", page_size=25)
    page = bot_api.get("contact")
    assert (list(page), len(page["results"])) == (["results"], 25)
    bot_api.bot.switches(envelope="list_pages")
    assert len(bot_api.get("contact", page=3)) == 14
    assert bot_api.call("GET", "contact/", page=4).status == 404
    bot_api.bot.switches(envelope="list")
    assert len(bot_api.get("contact", page=9)) == 64
    bot_api.bot.switches(envelope="page", next_host="wrong")
    assert bot_api.get("contact")["next"].startswith("http://alice-internal:8000/")


def test_random_order_is_dealt_at_page_one(bot_api):
    bot_api.bot.switches(sort="random")
    first = [row["id"] for row in bot_api.everything("contact")]
    assert sorted(first) == list(range(50_001, 50_065)) != first
    assert [row["id"] for row in bot_api.everything("contact")] != first


# ---------------------------------------------------------------------- records


def test_seed_is_an_account_a_few_days_old(bot_api):
    assert [g["status"] for g in bot_api.everything("gateway")] == [1, 1, 0]
    assert set(bot_api.everything("gateway")[0]) == GATEWAY_KEYS
    assert len(bot_api.everything("survey-template")) == 3
    (campaign,) = bot_api.everything("campaigns")
    assert campaign["status"] == 5
    calls = bot_api.everything("cdr", campaign=campaign["id"])
    assert len({call["starting_date"][:10] for call in calls}) == 3
    assert {1 <= int(call["starting_date"][11:13]) < 10 for call in calls} == {True}
    subscribers = bot_api.everything("subscriber-list", campaign=campaign["id"])
    attempts = sum(row["count_attempt"] for row in subscribers)
    assert attempts == sum(1 for call in calls if call["leg_type"] == 1)
    assert bot_api.bot.ledger() == []


def test_seeded_people_are_known_to_the_crm(sandbox, bot_api):
    known = {phone["value"] for contact in sandbox.contacts(state="live") for phone in contact["phones"]}
    called = {row["contact"] for row in bot_api.everything("contact", phonebook=293)}
    assert len(called & known) >= 30


def test_timestamps_have_six_digits_and_z(bot_api):
    for path in LISTS[:11]:
        for row in bot_api.get(path)["results"]:
            for key in ("created_date", "updated_date", "startingdate", "starting_date"):
                if row.get(key):
                    assert len(row[key]) == len(STAMP), (path, key)
                    assert row[key][-1] == "Z"


def test_survey_template_and_sections(bot_api):
    template = bot_api.post("survey-template", name="Khảo sát mới", tts_language="vi", description="thử")
    section = bot_api.post(
        "section-template", type=1, survey=template["id"], question="Chào", script="Xin chào"
    )
    changed = bot_api.put(f"section-template/{section['id']}", script="Vui lòng đợi trong giây lát.")
    assert (changed["question"], changed["script"]) == ("Chào", "Vui lòng đợi trong giây lát.")
    assert [t["id"] for t in bot_api.everything("survey-template", search="mới")] == [template["id"]]
    assert bot_api.everything("survey-template", description="thử", user=203) != []
    assert bot_api.everything("survey-template", is_onboarding="true") == []
    too_long = {"type": 11, "survey": 1, "question": "x" * 501, "script": "y" * 1001}
    assert set(bot_api.call("POST", "section-template/", too_long).json) == set(too_long)


def test_phonebook_and_contacts(bot_api):
    book = bot_api.post("phonebook", name="Tháng ba", description="rest")
    assert bot_api.put(f"phonebook/{book['id']}", name="Tháng tư")["description"] == "rest"
    assert [b["id"] for b in bot_api.everything("phonebook", search="tháng tư")] == [book["id"]]
    contact = bot_api.post("contact", phonebook=book["id"], contact="0934890883", status=1, first_name="Linh",
                           last_name="Huỳnh", additional_vars='{"a":"1"}')  # fmt: skip
    assert bot_api.get(f"contact/{contact['id']}") == contact
    assert contact["additional_vars"] == '{"a":"1"}'
    edited = bot_api.put(f"contact/{contact['id']}", contact="0934890884", status=0, country="VN")
    assert (edited["contact"], edited["status"], edited["first_name"]) == ("0934890884", 0, "Linh")
    for search in ("0934890884", "huỳnh linh"):
        found = bot_api.everything("contact", search=search, phonebook=book["id"])
        assert [c["id"] for c in found] == [contact["id"]]
    bot_api.bot.switches(additional_vars="object")
    assert bot_api.get(f"contact/{contact['id']}")["additional_vars"] == {"a": "1"}
    assert bot_api.call("GET", "contact/1/").status == 404
    assert bot_api.call("PUT", "contact/1/", {"status": 1}).status == 404
    wrong = {"contact": "", "status": 2, "additional_vars": "{"}
    assert set(bot_api.call("POST", "contact/", wrong).json) == {"phonebook", *wrong}
    assert bot_api.call("GET", "contact/", phonebook="x").json == {"phonebook": ["Enter a number."]}


def test_put_is_partial_or_full(bot_api):
    book = bot_api.phonebook(*numbers(1))
    campaign = bot_api.campaign(book)
    body = campaign_body(book) | {"frequency": 3}
    del body["aleg_gateway"], body["object_id"]
    changed = bot_api.put(f"campaigns/{campaign}", **body)
    assert (changed["frequency"], changed["aleg_gateway"], changed["object_id"]) == (3, 23, 351)
    bot_api.bot.switches(put="full")
    missing = bot_api.call("PUT", f"campaigns/{campaign}/", body)
    assert set(missing.json) == {"aleg_gateway", "object_id"}
    assert bot_api.call("PUT", f"campaigns/{campaign}/", campaign_body(book)).status == 200


def test_campaign_filters(bot_api):
    book = bot_api.phonebook(*numbers(1))
    campaign = bot_api.campaign(book, name="Tìm tôi")
    for query in ({"name": "tìm"}, {"phonebook": book}, {"status": 2}):
        assert [c["id"] for c in bot_api.everything("campaigns", **query)] == [campaign]
    bot_api.bot.switches(campaign_fields="core")
    assert len(bot_api.get(f"campaigns/{campaign}")) == 9


def test_bulk_stops_at_a_known_number_and_says_so_with_200(bot_api):
    book = bot_api.phonebook()
    known = bot_api.everything("contact", phonebook=294)[0]["contact"]
    wanted = [*numbers(3), known, *numbers(2, start=50)]
    body = {"phonebook": book, "contacts": [{"contact": number, "status": 1} for number in wanted]}
    reply = bot_api.call("POST", "bulkcontact/", body)
    assert (reply.status, list(reply.json)) == (200, ["error"])
    stored = bot_api.everything("contact", phonebook=book)
    assert [c["contact"] for c in stored] == numbers(3)
    (write,) = [w for w in bot_api.bot.writes() if w["operation"] == "bulkcontact.create"]
    assert write["result"] == {"id": [c["id"] for c in stored]}
    bot_api.bot.switches(bulk_duplicates="accept")
    assert "error" not in bot_api.post("bulkcontact", **body)
    assert len(bot_api.everything("contact", phonebook=book)) == 9


def test_bulk_limits(bot_api):
    book = bot_api.phonebook()
    three = [{"contact": number} for number in numbers(3)]
    bot_api.bot.switches(bulk_limit=2)
    assert "error" in bot_api.post("bulkcontact", phonebook=book, contacts=three)
    bot_api.bot.switches(bulk_limit=0, max_contacts=65)
    assert "error" not in bot_api.post("bulkcontact", phonebook=book, contacts=three)  # looked at before only
    assert "error" in bot_api.post("bulkcontact", phonebook=book, contacts=[{"contact": "0911111111"}])
    assert bot_api.call("POST", "contact/", {"phonebook": book, "contact": "1", "status": 1}).status == 400
    for wrong in ({}, {"phonebook": 9, "contacts": three}, {"phonebook": book, "contacts": []}, [1]):
        assert "error" in bot_api.call("POST", "bulkcontact/", wrong).json
    assert len(bot_api.everything("contact", phonebook=book)) == 3


def test_dnc_lists_and_entries(bot_api):
    created = bot_api.post("dnc-list", name="Mới", description="thử")
    entry = bot_api.post("dnc-contact", phone_number="0324324343", dnc=str(created["id"]))
    assert entry["dnc"] == created["id"]
    assert bot_api.everything("dnc-contact")[-1] == entry
    assert bot_api.call("POST", "dnc-contact/", {"phone_number": "1", "dnc": "9"}).status == 400


def test_appointment_chain_and_the_odd_calendar_users(bot_api):
    assert "note" in bot_api.get("calendar-user")
    survey = bot_api.everything("survey-list")[0]["id"]
    setting = bot_api.post("calendar-setting", label="Nhắc", call_timeout=60, survey=survey, aleg_gateway=23)
    user = bot_api.post("calendar-user", username="u1", password="rat-bi-mat", calendar_setting=setting["id"])
    shown = bot_api.get("calendar-user")
    assert (shown["id"], shown["password"][:7]) == (user["id"], "pbkdf2_")
    bot_api.post("calendar-user", username="u2", password="x", calendar_setting=setting["id"])
    assert [u["username"] for u in bot_api.get("calendar-user")] == ["u1", "u2"]
    calendar = bot_api.post("calendar", name="Lịch", user=user["id"])
    event = bot_api.post(
        "event", title="Hẹn", start=STAMP, end=STAMP, creator=user["id"], calendar=calendar["id"]
    )
    alarm = bot_api.post("alarm", alarm_phonenumber="0919900001", date_start_notice="2099-01-01T00:00:00Z",
                         event=event["id"])  # fmt: skip
    assert (alarm["status"], bot_api.everything("event")[0]["title"]) == (1, "Hẹn")
    assert "rat-bi-mat" not in json.dumps(bot_api.bot.writes(), ensure_ascii=False)
    bot_api.bot.switches(calendar_users="page")
    assert bot_api.get("calendar-user")["count"] == 2
    for path, missing in (
        ("calendar-setting", {"label", "call_timeout", "survey", "aleg_gateway"}),
        ("calendar-user", {"username", "password", "calendar_setting"}),
        ("calendar", {"name", "user"}),
        ("event", {"title", "start", "end"}),
        ("alarm", {"alarm_phonenumber", "event"}),
    ):
        assert set(bot_api.call("POST", f"{path}/", {}).json) == missing


def test_reset_brings_everything_back(sandbox, bot_api):
    bot_api.post("phonebook", name="X")
    bot_api.bot.switches(page_size=3)
    bot_api.bot.clock(speed=0, now="2030-01-01T00:00:00Z")
    sandbox.reset()
    fresh = BotApi(sandbox)
    assert fresh.get("phonebook")["count"] == 2
    assert len(fresh.get("contact")["results"]) == 10
    clock = fresh.bot.clock()
    assert (clock["speed"], clock["now"] < "2030") == (1.0, True)
    assert fresh.bot.writes(by="all") == []


def test_no_value_makes_the_server_stumble(bot_api):
    odd = (None, True, -1, 2**70, 1.5, "", "٣", "x" * 5000, "\ud800", "\x00", [], [[1]], {"a": 1},
           "9999-12-31T23:59:59-14:00", "12:00:00+07:00")  # fmt: skip
    book = bot_api.phonebook()
    good = {
        "campaigns": campaign_body(book),
        "survey-template": {"name": "A", "tts_language": "vi"},
        "section-template": {"type": 1, "survey": 351, "question": "A", "script": "B"},
        "contact": {"phonebook": book, "contact": "0919900000", "status": 1},
        "dnc-contact": {"phone_number": "0919900000", "dnc": 343},
        "calendar-user": {"username": "A", "password": "B", "calendar_setting": 4},
        "alarm": {"alarm_phonenumber": "1", "event": 8, "date_start_notice": "2099-01-01T00:00:00Z"},
    }
    for path, body in good.items():
        for key in body:
            for value in odd:
                reply = bot_api.call("POST", f"{path}/", body | {key: value})
                assert reply.status in (201, 400), (path, key, value)
                assert isinstance(reply.json, dict)
    for value in odd:
        items = {"phonebook": book, "contacts": [value, {"contact": value}]}
        assert bot_api.call("POST", "bulkcontact/", items).status == 200
        assert bot_api.call("POST", "get-token/", {"username": value, "password": value}).status in (400, 401)
