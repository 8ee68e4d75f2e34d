"""Each fault does what its name says, on real sockets, and no more often than told."""

import gzip
import http.client
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.sandbox.http import Api, eventually
from tests.sandbox_fixture import SandboxError

CUT = (ConnectionError, http.client.RemoteDisconnected)


def test_status_fires_as_often_as_told_then_stops(sandbox, api):
    sandbox.fault("status", code=503, retry_after="soon", method="GET", after=1, times=2)
    replies = [api.call("GET", "/contacts") for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 503, 503, 200]
    assert replies[1].headers["retry-after"] == "soon"
    assert sandbox.stats()["faults"] == {"status": 2}
    assert sandbox.stats()["statuses"] == {"200": 2, "503": 2}


def test_rule_chooses_by_method_path_and_text(sandbox, api):
    sandbox.fault("status", code=500, method="PUT", path="/contacts", match='"leadId": 2')
    assert api.edit(leadId=1, stage="A").status == 200
    assert api.edit(leadId=2, stage="A").status == 500
    assert api.page(leadId=2)
    sandbox.fault("status", path="/contacts/*")
    assert api.call("GET", "/contacts").status == 200
    assert api.call("GET", "/contacts/merged").status == 500


def test_probability_is_seeded(sandbox, api):
    def statuses(seed):
        sandbox.faults([{"kind": "status", "probability": 0.5}], seed=seed)
        return [api.call("GET", "/contacts", limit=1).status for _ in range(20)]

    first = statuses(3)
    assert {200, 500} == set(first)
    assert statuses(3) == first
    assert statuses(4) != first


def test_rule_with_a_typo_is_refused_and_the_old_rules_stay(sandbox, api):
    sandbox.fault("status", code=500)
    for wrong in ({"kind": "statuss"}, {"kind": "status", "codee": 1}, {"kind": "status", "times": "2"}, 5):
        with pytest.raises(SandboxError):
            sandbox.faults([wrong])
    assert api.call("GET", "/contacts").status == 500
    sandbox.clear()
    assert api.call("GET", "/contacts").status == 200


def test_status_before_leaves_no_write_and_status_after_leaves_one(sandbox, api):
    sandbox.fault("status", code=422, body={"success": 0, "message": "field"})
    reply = api.create()
    assert (reply.status, reply.json["message"]) == (422, "field")
    assert sandbox.writes() == []
    sandbox.fault("status_after", code=500, body="oops")
    reply = api.create()
    assert (reply.status, reply.body) == (500, b"oops")
    assert len(sandbox.writes()) == 1


def test_cut_before_and_cut_after_reset_the_connection(sandbox, api):
    sandbox.fault("cut_before", method="POST")
    with pytest.raises(CUT):
        api.create()
    assert sandbox.writes() == []
    sandbox.fault("cut_after", method="POST")
    with pytest.raises(CUT):
        api.create()
    assert [w["operation"] for w in sandbox.writes()] == ["create"]


def test_late_write_is_applied_after_the_connection_was_cut(sandbox, api):
    sandbox.fault("apply_late", seconds=0.3, method="POST")
    with pytest.raises(CUT):
        api.create()
    assert sandbox.writes() == []
    assert eventually(sandbox.writes)
    assert len(sandbox.contacts(code="k-1")) == 1


def test_late_writes_can_be_applied_at_once_and_are_dropped_by_a_reset(sandbox, api):
    sandbox.fault("apply_late", seconds=60, method="POST")
    with pytest.raises(CUT):
        api.create()
    assert sandbox.apply_late_writes() == 1
    assert len(sandbox.writes()) == 1
    with pytest.raises(CUT):
        api.create(customerIdApiRing="k-2")
    sandbox.reset()
    assert sandbox.apply_late_writes() == 0


@pytest.mark.parametrize(("applied", "writes"), [(False, 0), (True, 1)])
def test_hang_never_answers(sandbox, applied, writes):
    sandbox.fault("hang", seconds=30, applied=applied)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        Api(sandbox, timeout=0.4).create()
    assert time.monotonic() - started < 5
    assert len(sandbox.writes()) == writes


def test_hang_ends_with_a_cut(sandbox, api):
    sandbox.fault("hang", seconds=0.2)
    with pytest.raises(CUT):
        api.call("GET", "/contacts")


def test_drip_sends_byte_by_byte(sandbox):
    sandbox.fault("drip", interval=0.05)
    host, port = urlsplit(sandbox.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        request = f"GET /antcrm/contacts?limit=1 HTTP/1.1\r\nHost: x\r\napikey: {sandbox.key}\r\n\r\n"
        sock.sendall(request.encode())
        started = time.monotonic()
        received = [sock.recv(65536) for _ in range(8)]
    assert max(map(len, received)) <= 2
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("size", [0, 1, 10, 500])
def test_truncated_body_ends_early(sandbox, api, size):
    sandbox.fault("truncate", bytes=size)
    with pytest.raises(http.client.IncompleteRead) as caught:
        api.call("GET", "/contacts")
    assert len(caught.value.partial) == size


def test_html_and_wrong_content_type(sandbox, api):
    sandbox.fault("html")
    reply = api.call("GET", "/contacts")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.body.startswith(b"<!doctype html>")
    sandbox.fault("wrong_content_type")
    reply = api.call("GET", "/contacts")
    assert reply.headers["content-type"] == "text/html"
    assert len(reply.json) == 20


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirect(sandbox, api, code):
    sandbox.fault("redirect", code=code, location="http://127.0.0.1:1/elsewhere")
    reply = api.create()
    assert (reply.status, reply.headers["location"]) == (code, "http://127.0.0.1:1/elsewhere")
    assert sandbox.writes() == []


def test_success_can_be_changed_or_removed(sandbox, api):
    sandbox.fault("success", value="1")
    assert api.create().json["success"] == "1"
    sandbox.fault("success", remove=True)
    assert "success" not in api.create().json
    assert len(sandbox.writes()) == 2


def test_page_faults(sandbox, api):
    one, two = api.page(page=1), api.page(page=2)
    sandbox.fault("ignore_page")
    assert api.page(page=2) == one
    sandbox.fault("repeat_page", page=3)
    assert api.page(page=2) == two
    assert api.page(page=3) == two
    sandbox.fault("empty_page", page=2)
    assert (api.page(page=1), api.page(page=2)) == (one, [])
    sandbox.fault("short_page", page=2, drop=3)
    assert api.page(page=2) == two[:17]
    sandbox.fault("short_page", path="/contacts")
    assert api.page(page=1) == one[:10]
    sandbox.fault("stale")
    assert api.page(page=1) == api.page(page=2) == one


def test_empty_page_keeps_the_envelope(sandbox, api):
    sandbox.fault("empty_page")
    answer = api.call("GET", "/contacts/list-deleted").json
    assert answer["data"] == []
    assert answer["total"] > 0


def test_ignored_filter_returns_everything(sandbox, api):
    sandbox.fault("ignore_filter")
    assert len(api.page(leadId=1, limit=5, page=2)) == 5


def test_shifted_pages_lose_and_repeat_records_of_a_naive_walk(sandbox, api):
    sandbox.switches(sort="updated_desc")
    sandbox.fault("shift_page", records=5, method="GET", path="/contacts")
    walked = [(r["contactType"], r.get("leadId") or r.get("customerId")) for r in api.everything()]
    sandbox.clear()
    truth = {(r["contactType"], r["id"]) for r in sandbox.contacts(state="live")}
    assert len(walked) > len(set(walked)) or truth - set(walked)
    operations = {w["operation"] for w in sandbox.writes(by="staff")}
    assert {"edit", "create", "trash"} <= operations


def test_lag_hides_new_records_for_a_while(sandbox, api):
    sandbox.fault("lag", seconds=0.5)
    lead = api.create().json["leadId"]
    assert api.page(leadId=lead) == []
    assert eventually(lambda: api.page(leadId=lead))


@pytest.mark.parametrize("wrong", [None, "0934", {"value": "0934"}, 5])
def test_wrong_type_in_one_record_of_the_page(sandbox, api, wrong):
    page = api.page()
    sandbox.fault("wrong_types", field="phones", value=wrong)
    spoiled = api.page()
    assert spoiled[0]["phones"] == wrong
    assert spoiled[1:] == page[1:]


def test_wrong_types_rotate_when_none_is_named(sandbox, api):
    clean = api.page(leadId=1)[0]
    sandbox.fault("wrong_types")
    seen = {json.dumps([k for k, v in api.page(leadId=1)[0].items() if clean.get(k) != v]) for _ in range(16)}
    assert len(seen) > 6


def test_total_can_be_missing_and_ids_can_be_text(sandbox, api):
    sandbox.fault("wrong_types", field="total", missing=True)
    assert "total" not in api.call("GET", "/contacts/merged").json
    sandbox.fault("wrong_types", field="id", value="12a", records=2)
    assert [r.get("leadId", r.get("customerId")) for r in api.page()][:2] == ["12a", "12a"]


def test_numbers_and_text_that_are_not_good_json(sandbox, api):
    sandbox.fault("big_int", digits=6000)
    assert b"7" * 6000 in api.call("GET", "/contacts").body
    sandbox.fault("nan")
    assert b"NaN" in api.call("GET", "/contacts").body
    sandbox.fault("nul")
    assert b"\\u0000" in api.call("GET", "/contacts").body
    sandbox.fault("lone_surrogate")
    assert b"\\ud83d V" in api.call("GET", "/contacts").body
    sandbox.fault("deep_json", depth=3000)
    assert api.call("GET", "/contacts").body == b"[" * 3000 + b"]" * 3000


def test_bombs(sandbox, api):
    sandbox.fault("gzip_bomb", size=8 * 1024**2)
    reply = api.call("GET", "/contacts")
    assert reply.headers["content-encoding"] == "gzip"
    assert len(reply.body) < 100_000
    assert len(gzip.decompress(reply.body)) > 8 * 1024**2
    sandbox.fault("gzip_bomb", size=8 * 1024**2, layers=2)
    reply = api.call("GET", "/contacts")
    assert reply.headers["content-encoding"] == "gzip, gzip"
    assert len(gzip.decompress(gzip.decompress(reply.body))) > 8 * 1024**2
    sandbox.fault("huge", size=3 * 1024**2)
    assert len(api.call("GET", "/contacts").body) > 2.9 * 1024**2


def test_kept_connection_can_be_closed_unannounced(sandbox):
    sandbox.fault("close_after_idle", seconds=0)
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)
    connection.request("GET", "/antcrm/contacts", headers={"apikey": sandbox.key})
    response = connection.getresponse()
    assert response.getheader("connection") is None
    response.read()

    def ask_again():
        connection.request("GET", "/antcrm/contacts", headers={"apikey": sandbox.key})
        return connection.getresponse()

    with pytest.raises(CUT):
        ask_again()
    connection.close()


def test_kept_connection_can_be_reset_when_the_next_request_arrives(sandbox):
    sandbox.fault("drop_next", method="GET")
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)
    connection.request("GET", "/antcrm/contacts", headers={"apikey": sandbox.key})
    connection.getresponse().read()

    def edit():
        connection.request("PUT", "/antcrm/contacts", b'{"leadId": 1, "stage": "X"}', {"apikey": sandbox.key})
        connection.getresponse()

    with pytest.raises(CUT):
        edit()
    connection.close()
    assert sandbox.writes() == []


@pytest.mark.parametrize(("when", "stage"), [("before", "ours"), ("after", "theirs")])
def test_remote_edit_right_beside_our_edit(sandbox, api, when, stage):
    changes = {"stage": "theirs", "bgInfo": "from them"}
    sandbox.fault("remote_event", method="PUT", changes=changes, when=when)
    assert api.edit(leadId=1, stage="ours").status == 200
    record = sandbox.contact(kind="lead", id=1)
    assert (record["stage"], record["bgInfo"]) == (stage, "from them")
    order = [w["by"] for w in sandbox.writes(by="all")]
    assert order == (["staff", "api"] if when == "before" else ["api", "staff"])


def test_remote_trash_right_before_our_edit(sandbox, api):
    sandbox.fault("remote_event", event="trash")
    assert api.edit(leadId=1, stage="ours").status == 400
    assert sandbox.contact(kind="lead", id=1)["state"] == "trashed"


@pytest.mark.parametrize("status", [429, 503])
def test_rate_limit_refuses_what_is_too_fast(sandbox, api, status):
    sandbox.switches(rate_limit=5, rate_status=status)
    replies = [api.call("GET", "/contacts", limit=1) for _ in range(8)]
    assert [reply.status for reply in replies] == [200] * 5 + [status] * 3
    assert replies[-1].headers["retry-after"] == "1"
    time.sleep(1.05)
    assert api.call("GET", "/contacts", limit=1).status == 200


def test_faults_combine(sandbox, api):
    sandbox.faults([{"kind": "ignore_page"}, {"kind": "wrong_content_type"}])
    one = api.call("GET", "/contacts", page=2)
    sandbox.clear()
    assert one.headers["content-type"] == "text/html"
    assert one.json == api.page(page=1)
