"""The control API: scripted events, truth, log, counters, reset."""

import threading

import pytest

from tests.sandbox.http import Api
from tests.sandbox_fixture import SandboxError


def test_health(sandbox):
    assert sandbox.control("GET", "health") == {"ok": True}


def test_unknown_control_call_is_an_error(sandbox):
    for method, path in (("GET", "nothing"), ("POST", "antcrm/explode"), ("GET", "nobody/contacts")):
        with pytest.raises(SandboxError, match="no such control call"):
            sandbox.control(method, path)


def test_truth_filters_by_state_kind_id_and_code(sandbox, api):
    api.create(customerIdApiRing="k-9")
    assert {r["state"] for r in sandbox.contacts()} == {"live", "trashed", "merged", "converted"}
    assert {r["kind"] for r in sandbox.contacts(kind="customer")} == {"contact", "account"}
    assert sandbox.contact(kind="lead", id=1)["leadId"] == 1
    assert sandbox.contact(code="k-9")["name"] == "Trần Thử"


def test_brief_truth_and_counts_agree_with_the_full_truth(sandbox):
    sandbox.patch({"leadId": 1}, createdAt=1_600_000_000_000)
    full, brief = sandbox.contacts(), sandbox.contacts(brief=1)
    assert [{key: record[key] for key in short} for record, short in zip(full, brief, strict=True)] == brief
    live, trashed = sandbox.contacts(state="live"), sandbox.contacts(state="trashed")
    counts = sandbox.counts()
    assert (counts["live"], counts["trashed"]) == (len(live), len(trashed)) == (120, 2)


def test_merged_record_names_its_survivor(sandbox):
    a, b = sandbox.create(name="A"), sandbox.create(name="B")
    sandbox.merge({"leadId": a["leadId"]}, {"leadId": b["leadId"]})
    record = sandbox.contact(kind="lead", id=a["leadId"])
    assert record["state"] == "merged"
    assert record["survivor"] == {"_id": b["_id"], "leadId": b["leadId"]}


def test_events_refuse_records_in_the_wrong_state(sandbox):
    sandbox.trash(leadId=1)
    for refused in (
        lambda: sandbox.trash(leadId=1),
        lambda: sandbox.restore(leadId=2),
        lambda: sandbox.merge({"leadId": 2}, {"leadId": 2}),
        lambda: sandbox.merge({"leadId": 2}, {"leadId": 1}),
        lambda: sandbox.convert(1),
        lambda: sandbox.trash(leadId=99_999),
        lambda: sandbox.trash(),
        lambda: sandbox.create(),
        lambda: sandbox.create(name="X", gender=9),
    ):
        with pytest.raises(SandboxError):
            refused()


def test_purged_record_is_in_no_list(sandbox, api):
    sandbox.trash(leadId=1)
    sandbox.purge(leadId=1)
    assert not any(d.get("leadId") == 1 for d in api.everything("/contacts/list-deleted"))
    assert api.page(leadId=1) == []
    assert sandbox.contact(kind="lead", id=1)["state"] == "purged"


def test_patch_bumps_updated_and_may_store_what_the_api_would_not(sandbox, api):
    before = sandbox.contact(kind="lead", id=1)["updatedAt"]
    assert api.page(phone="0") == []  # the phone index exists now and must cope
    sandbox.patch({"leadId": 1}, stage="Đã chốt", raw={"phones": None}, extra={"newField": [1]})
    record = api.page(leadId=1)[0]
    assert record["updatedAt"] > before
    assert (record["stage"], record["phones"], record["newField"]) == ("Đã chốt", None, [1])
    assert api.page(phone="0934") == []
    sandbox.merge({"leadId": 1}, {"leadId": 2})
    sandbox.patch({"leadId": 2}, updatedAt=32_472_144_000_000)
    assert api.page(leadId=2)[0]["updatedAt"] == 32_472_144_000_000


def test_mutate_is_seeded_and_told(sandbox):
    done = sandbox.mutate(edits=3, creates=2, trash=2, merges=1, seed=5)
    assert [d["operation"] for d in done] == ["edit"] * 3 + ["create"] * 2 + ["trash"] * 2 + ["merge"]
    assert len(sandbox.contacts(state="live")) == 120 + 2 - 2 - 1
    sandbox.reset(seed=7, contacts=120)
    again = sandbox.mutate(edits=3, creates=2, trash=2, merges=1, seed=5)
    strip = [{k: v for k, v in d.items() if k != "_id"} for d in done]
    assert [{k: v for k, v in d.items() if k != "_id"} for d in again] == strip


def test_log_tells_api_writes_from_staff(sandbox, api):
    sandbox.patch({"leadId": 1}, stage="S")
    api.edit(leadId=1, stage="T")
    api_writes = sandbox.writes()
    assert [(w["operation"], w["by"], w["selector"], w["body"]["stage"]) for w in api_writes] == [
        ("edit", "api", {"leadId": 1}, "T")
    ]
    assert api_writes[0]["result"] == {"leadId": 1}
    assert len(sandbox.writes(by="staff")) == 1
    numbers = [w["seq"] for w in sandbox.writes(by="all")]
    assert numbers == sorted(numbers)
    assert sandbox.writes(since=api_writes[-1]["seq"]) == []


def test_reset_brings_everything_back(sandbox, api):
    first = api.everything()
    sandbox.switches(list_as="envelope", apikey="x")
    sandbox.fault("status")
    api.create()
    sandbox.reset()
    assert api.everything() == first
    assert sandbox.writes(by="all") == []
    assert {name for name, s in sandbox.switches().items() if s["value"] != s["default"]} == set()
    sandbox.reset(seed=8, contacts=30)
    assert len(api.everything()) == 30
    assert api.page()[0] != first[0]


def test_switch_with_a_typo_changes_nothing(sandbox):
    for wrong in ({"sortt": "id"}, {"sort": "upwards"}, {"cut_name": "5"}, {"cut_name": True}):
        with pytest.raises(SandboxError, match="switch"):
            sandbox.switches(list_as="envelope", **wrong)
    assert sandbox.switches()["list_as"]["value"] == "array"


def test_counters_see_concurrency_and_rate(sandbox, api):
    sandbox.latency(150)
    sandbox.reset_stats()
    threads = [threading.Thread(target=api.page) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = sandbox.stats()
    assert stats["routes"] == {"GET /antcrm/contacts": 4}
    assert (
        stats["requests"] == stats["max_concurrent"] == stats["max_per_second"] == stats["connections"] == 4
    )
    assert stats["in_flight"] == 0
    sandbox.latency(0)
    sandbox.reset_stats()
    api.page()
    api.page()
    assert sandbox.stats()["max_concurrent"] == 1


def test_parallel_creates_get_numbers_of_their_own(sandbox):
    numbers: list[int] = []

    def create(worker):
        for i in range(25):
            body = {"customerIdApiRing": f"{worker}-{i}", "name": "Song Song"}
            numbers.append(Api(sandbox).create(**body).json["leadId"])

    threads = [threading.Thread(target=create, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 150 == len(sandbox.writes())
