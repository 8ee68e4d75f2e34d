"""AntCRM's three lists: pages, filters, shapes and their switches."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.http import Api


def by_id(records):
    return {(r["contactType"], r.get("leadId") or r.get("customerId")): r for r in records}


def test_wrong_or_missing_key_is_refused(sandbox, api):
    assert Api(sandbox, key="other").call("GET", "/contacts").status == 401
    api.headers = {}
    assert api.call("GET", "/contacts").status == 401
    sandbox.switches(apikey="renewed")
    assert Api(sandbox).call("GET", "/contacts").status == 401
    assert Api(sandbox, key="renewed").call("GET", "/contacts").status == 200


def test_unknown_route_and_method_say_so(api):
    assert api.call("GET", "/nothing").status == 404
    assert api.call("PATCH", "/contacts").status == 405


def test_pages_hold_every_live_record_once(sandbox, api):
    records = api.everything()
    live = sandbox.contacts(state="live")
    assert len(records) == len(live) == 120
    truth = {(r["contactType"], r["id"]) for r in live}
    assert set(by_id(records)) == truth


def test_page_is_twenty_at_most_unless_limits_are_honoured(sandbox, api):
    assert len(api.page()) == 20
    assert len(api.page(limit=50)) == 20
    assert len(api.page(limit=7, page=2)) == 7
    assert api.page(limit=7, page=2) == api.page()[7:14]
    sandbox.switches(limit_above_20="honour")
    assert len(api.page(limit=50)) == 50
    assert api.page(page=99) == []


@pytest.mark.parametrize("query", [{"page": "x"}, {"limit": "-1"}, {"updateAtf": "30/05/2025"},
                                   {"contactType": "friend"}, {"leadId": "12a"},
                                   {"type": "2"}])  # fmt: skip
def test_bad_parameter_is_named(api, query):
    reply = api.call("GET", "/contacts", **query)
    assert reply.status == 400
    assert next(iter(query)) in reply.json["message"]


def test_list_shows_the_documented_fields(api):
    documented = {
        "name", "contactType", "type", "dateOfBirth", "gender", "addresses", "phones", "emails", "industry",
        "im", "bgInfo", "stage", "tags", "sourceContact", "responsibleStaff", "cusFields", "scoreAvailable",
        "scoreRank", "rankName", "createdAt", "updatedAt", "createdByBot", "historiesAds",
    }  # fmt: skip
    for record in api.everything():
        number = {"leadId"} if record["contactType"] == "lead" else {"customerId"}
        assert documented | number == set(record) - {"sourceLead"}
        assert "customerIdApiRing" not in record


def test_kind_and_type_filters(api):
    everything = api.everything()
    leads = api.everything(contactType="lead")
    people = api.everything(contactType="customer", type=0)
    companies = api.everything(contactType="customer", type=1)
    assert leads
    assert people
    assert companies
    assert len(leads) + len(people) + len(companies) == len(everything)
    assert {r["contactType"] for r in leads} == {"lead"}
    assert {(r["contactType"], r["type"]) for r in companies} == {("customer", 1)}


def test_single_records_by_id_phone_and_email(sandbox, api):
    record = next(r for r in api.everything() if r["contactType"] == "lead" and r["phones"] and r["emails"])
    assert api.page(leadId=record["leadId"]) == [record]
    assert api.page(leadId=record["leadId"], contactType="customer") == []
    assert record in api.page(phone=record["phones"][0]["value"])
    assert api.page(email=record["emails"][0]["value"].upper()) == [record]
    assert api.page(customerId=99999) == []
    trashed = next(r for r in sandbox.contacts(state="trashed"))
    key = "leadId" if trashed["kind"] == "lead" else "customerId"
    assert api.page(**{key: trashed["id"]}) == []


def test_phone_filter_compares_as_switched(sandbox, api):
    sandbox.create(name="Một", phones=[{"type": "Work", "value": "+84 934 111 222"}])
    assert api.page(phone="0934111222") == []
    sandbox.switches(phone_match="digits")
    assert [r["name"] for r in api.page(phone="0934111222")] == ["Một"]
    sandbox.switches(phone_match="contains")
    assert "Một" in [r["name"] for r in api.page(phone="111 22")]


def test_date_filters_use_whole_days_of_the_vendor_zone(sandbox, api):
    made = sandbox.create(name="Biên ngày")
    midnight = datetime(2025, 5, 30, tzinfo=UTC) - timedelta(hours=7)
    at = int(midnight.timestamp() * 1000)
    sandbox.patch({"leadId": made["leadId"]}, createdAt=at, updatedAt=at + 86_400_000)

    def names(**query):
        return [r["name"] for r in api.everything(**query) if r["name"] == "Biên ngày"]

    assert names(createdAtf="2025-05-30", createdAtt="2025-05-30")
    assert not names(createdAtf="2025-05-31")
    assert not names(createdAtt="2025-05-29")
    assert names(updateAtf="2025-05-31", updateAtt="2025-05-31")
    sandbox.switches(date_end="exclusive")
    assert not names(createdAtf="2025-05-30", createdAtt="2025-05-30")
    sandbox.switches(date_end="inclusive", date_zone_hours=0)
    assert names(createdAtf="2025-05-29", createdAtt="2025-05-29")


def test_list_shape_switches(sandbox, api):
    sandbox.switches(list_as="envelope")
    answer = api.call("GET", "/contacts", page=2, limit=5).json
    assert (answer["success"], answer["page"], answer["limit"], answer["total"]) == (True, 2, 5, 120)
    assert len(answer["data"]) == 5
    sandbox.switches(list_as="object-if-one")
    assert isinstance(api.page(leadId=1), dict)
    assert isinstance(api.page(), list)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("ms", 1747391436702),
        ("text_ms", "1747391436702"),
        ("iso", "2025-05-16T10:30:36.702Z"),
        ("iso_naive", "2025-05-16T17:30:36.702"),
    ],
)
def test_timestamp_styles(sandbox, api, style, expected):
    sandbox.patch({"leadId": 1}, updatedAt=1747391436702)
    sandbox.switches(timestamps=style)
    assert api.page(leadId=1)[0]["updatedAt"] == expected


def test_field_shape_switches(sandbox, api):
    sandbox.create(name="Dạng", dateOfBirth="March 5, 2000", responsibleStaff=sandbox.staff()[1]["email"],
                   cusFields=[{"name": "Shipping unit", "value": "A"}])  # fmt: skip
    lead_id = api.everything()[-1]["leadId"]
    record = api.page(leadId=lead_id)[0]
    assert record["dateOfBirth"] == "March 5, 2000"
    assert record["responsibleStaff"] == sandbox.staff()[1]["email"]
    assert {"name": "Shipping unit", "value": "A"}.items() <= record["cusFields"][0].items()
    sandbox.switches(numbers="text", birth_date="iso", list_staff="id", list_custom_fields="id_value",
                     list_id="yes")  # fmt: skip
    record = api.page(leadId=lead_id)[0]
    assert record["leadId"] == str(lead_id)
    assert record["gender"] == "2"
    assert record["dateOfBirth"] == "2000-03-05"
    assert record["responsibleStaff"] == sandbox.staff()[1]["_id"]
    assert set(record["cusFields"][0]) == {"_id", "id", "value"}
    assert len(record["_id"]) == 24


def test_other_id_can_be_shown_empty(sandbox, api):
    sandbox.switches(list_other_id="empty")
    ids = {(r["contactType"], r["leadId"] != "", r["customerId"] != "") for r in api.everything()}
    assert ids == {("lead", True, False), ("customer", False, True)}


def test_code_is_echoed_only_when_switched(sandbox, api):
    lead = api.create().json["leadId"]
    assert "customerIdApiRing" not in api.page(leadId=lead)[0]
    sandbox.switches(echo_code="yes")
    assert api.page(leadId=lead)[0]["customerIdApiRing"] == "k-1"


def test_sort_orders(sandbox, api):
    inserted = list(by_id(api.everything()))
    sandbox.switches(sort="created")
    created = [r["createdAt"] for r in api.everything()]
    assert created == sorted(created, reverse=True)
    sandbox.switches(sort="updated_desc")
    updated = [r["updatedAt"] for r in api.everything()]
    assert updated == sorted(updated, reverse=True)
    sandbox.switches(sort="random")
    first, second = list(by_id(api.everything())), list(by_id(api.everything()))
    assert set(first) == set(second) == set(inserted)
    assert first != second


def test_edited_record_moves_to_the_end_when_order_shifts(sandbox, api):
    first = api.page()[0]
    key = "leadId" if "leadId" in first else "customerId"
    sandbox.patch({key: first[key]}, stage="Đã chốt")
    assert api.page()[0]["name"] == first["name"]
    sandbox.switches(order_shifts="yes")
    assert api.page()[0]["name"] != first["name"]
    assert api.everything()[-1][key] == first[key]


def test_deleted_list_shows_raw_documents(sandbox, api):
    answer = api.call("GET", "/contacts/list-deleted").json
    assert answer["success"] is True
    assert answer["total"] == len(sandbox.contacts(state="trashed")) == len(answer["data"])
    for document in answer["data"]:
        assert set(document["inTrash"]) == {"_id", "trashAt", "trashBy"}
        assert document["updatedAt"] == document["inTrash"]["trashAt"] + 17
        assert int(document["_id"][:8], 16) == document["createdAt"] // 1000
        assert document["inTrash"]["_id"] != document["_id"]
        assert {"normalize", "leadStage", "permit", "isFollowOA", "__v", "org"} <= set(document)
        assert "customerIdApiRing" not in document
        assert document["responsibleStaff"] is None or "@" not in document["responsibleStaff"]


def test_deleted_list_filters_by_name_kind_phone_and_email(sandbox, api):
    made = sandbox.create(
        name="Xoá Đi", phones=[{"value": "0934000111"}], emails=[{"value": "Xoa@example.com"}]
    )
    sandbox.trash(leadId=made["leadId"])

    def total(**query):
        return api.call("GET", "/contacts/list-deleted", **query).json["total"]

    assert total(name="xoá") == total(phone="0934000111") == total(email="xoa@example.com") == 1
    assert total(name="xoá", contactType="customer") == 0
    assert total(contactType="lead") + total(contactType="customer") == total()
    assert len(api.call("GET", "/contacts/list-deleted", limit=1, page=2).json["data"]) == 1


def test_trashing_bumps_updated_and_leaves_the_list(sandbox, api):
    before = api.page(leadId=1)[0]
    sandbox.trash(leadId=1)
    assert api.page(leadId=1) == []
    document = next(d for d in api.everything("/contacts/list-deleted") if d.get("leadId") == 1)
    assert document["updatedAt"] > before["updatedAt"]
    sandbox.restore(leadId=1)
    assert api.page(leadId=1)[0]["name"] == before["name"]
    assert not any(d.get("leadId") == 1 for d in api.everything("/contacts/list-deleted"))


def test_merged_list_has_the_loser_on_top_and_the_survivor_inside(sandbox, api):
    loser = sandbox.create(name="Thua", contactType="customer", phones=[{"value": "0934000111"}])
    survivor = sandbox.create(name="Còn", contactType="customer", phones=[{"value": "0934000222"}])
    sandbox.merge({"customerId": loser["customerId"]}, {"customerId": survivor["customerId"]})
    document = api.call("GET", "/contacts/merged", name="thua").json["data"][0]
    assert document["_id"] == loser["_id"]
    assert document["customerId"] == loser["customerId"]
    assert set(document["inTrash"]) == {"_id", "name", "phones", "emails"}
    assert document["inTrash"]["_id"] == survivor["_id"]
    assert [p["value"] for p in document["inTrash"]["phones"]] == ["0934000222", "0934000111"]
    sandbox.patch({"customerId": survivor["customerId"]}, name="Còn Mới")
    document = api.call("GET", "/contacts/merged", name="thua").json["data"][0]
    assert document["inTrash"]["name"] == "Còn Mới"
    assert api.page(customerId=loser["customerId"]) == []


def test_merged_losers_can_be_in_the_deleted_list_too(sandbox, api):
    trashed = api.call("GET", "/contacts/list-deleted").json["total"]
    merged = api.call("GET", "/contacts/merged").json["total"]
    assert merged
    sandbox.switches(merged_in_deleted="yes")
    assert api.call("GET", "/contacts/list-deleted").json["total"] == trashed + merged


def test_conversion_gives_a_customer_with_its_lead_named(sandbox, api):
    lead = sandbox.create(name="Sắp Mua", phones=[{"value": "0934000333"}])
    customer = sandbox.convert(lead["leadId"])
    assert api.page(leadId=lead["leadId"]) == []
    record = api.page(customerId=customer["customerId"])[0]
    assert record["phones"][0]["value"] == "0934000333"
    assert record["sourceLead"] == {"_id": lead["_id"], "code": str(lead["leadId"]), "name": "Sắp Mua"}
    sandbox.switches(source_lead="source")
    assert api.page(customerId=customer["customerId"])[0]["sourceLead"]["name"] == "Website"


def test_text_filters_find_what_was_edited(sandbox, api):
    """The phone index is built once and must follow edits in both directions."""
    assert api.page(phone="0934555666") == []
    api.edit(leadId=1, phones=[{"type": "Work", "value": "0934555666"}])
    assert [r["leadId"] for r in api.page(phone="0934555666")] == [1]
    api.edit(leadId=1, phones=[])
    assert api.page(phone="0934555666") == []
