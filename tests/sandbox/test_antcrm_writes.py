"""AntCRM's create, edit, delete and bulk create, and their undocumented sides."""

import pytest


def test_create_needs_name_and_code(api):
    for missing in ("name", "customerIdApiRing"):
        reply = api.create(**{missing: ""})
        assert reply.status == 400
        assert missing in reply.json["message"]


def test_create_defaults_to_a_lead(sandbox, api):
    reply = api.create(gender="1")
    assert reply.status == 200
    assert reply.json["success"] == 1
    record = sandbox.contact(code="k-1")
    assert (record["kind"], record["id"], record["gender"]) == ("lead", reply.json["leadId"], 1)
    assert api.create(customerIdApiRing="k-2", contactType="customer", type="1").json.keys() == {
        "success",
        "customerId",
    }
    assert sandbox.contact(code="k-2")["kind"] == "account"


def test_every_field_is_stored_and_shown(sandbox, api):
    staff = sandbox.staff()[2]
    fields = {
        "dateOfBirth": "March 15, 2000",
        "gender": 0,
        "addresses": [{"city": "Ho Chi Minh City", "state": "Tan Binh District", "street": "319",
                       "streetName": "Nguyen Kiem", "wards": "Ward 12",
                       "country": {"code": "VN", "name": "Vietnam"}}],
        "phones": [{"type": "Work", "value": "01223223"}],
        "emails": [{"type": "Work", "value": "xyz@example.com"}],
        "industry": "Real Estate",
        "im": [{"protocol": "Facebook", "value": "https://abc.example.com"}],
        "bgInfo": "VIP Customer",
        "stage": "A new customer",
        "tags": ["Not yet contacted", "Contacted"],
        "sourceContact": "Advertisement",
        "responsibleStaff": staff["email"],
        "cusFields": [{"name": "Shipping unit", "value": "Fast delivery"}],
        "group": "test",
    }  # fmt: skip
    lead_id = api.create(**fields).json["leadId"]
    record = api.page(leadId=lead_id)[0]
    for key in ("dateOfBirth", "gender", "industry", "im", "bgInfo", "stage", "tags", "sourceContact"):
        assert record[key] == fields[key]
    assert record["responsibleStaff"] == staff["email"]
    assert record["phones"][0]["value"] == "01223223"
    assert record["addresses"][0].items() >= fields["addresses"][0].items()
    assert record["cusFields"][0]["name"] == "Shipping unit"
    sandbox.trash(leadId=lead_id)
    raw = api.call("GET", "/contacts/list-deleted", name="Trần Thử").json["data"][0]
    assert raw["responsibleStaff"] == staff["_id"]
    assert set(raw["cusFields"][0]) == {"_id", "id", "value"}
    assert (raw["dayOfBirth"], raw["monthOfBirth"], raw["yearOfBirth"]) == (15, 3, 2000)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gender", 3),
        ("gender", True),
        ("type", 2),
        ("contactType", "account"),
        ("dateOfBirth", "2000-03-15"),
        ("dateOfBirth", "March 32, 2000"),
        ("emails", [{"type": "Work", "value": "nobody"}]),
        ("emails", "a@example.com"),
        ("phones", ["0934"]),
        ("tags", "VIP"),
        ("addresses", [{"city": 5}]),
        ("im", [{"protocol": "Facebook"}]),
        ("cusFields", [{"id": "1", "value": "x"}]),
        ("responsibleStaff", "nobody@example.com"),
        ("bgInfo", 5),
    ],
)
def test_wrong_value_is_refused_by_name_and_not_stored(sandbox, api, field, value):
    reply = api.create(**{field: value})
    assert reply.status == 400
    assert field in reply.json["message"]
    assert sandbox.contacts(code="k-1") == []
    assert sandbox.writes() == []


def test_body_that_is_not_json_is_refused(api):
    assert api.call("POST", "/contacts", b"{name:").status == 400
    assert api.call("PUT", "/contacts", b"[]").status == 400
    assert api.call("POST", "/contacts", b"[" * 200_000).status == 400


def test_edit_by_each_selector(sandbox, api):
    lead = api.create().json["leadId"]
    assert api.edit(leadId=lead, stage="A").json == {"success": 1, "leadId": lead}
    assert api.edit(leadId=str(lead), stage="B").status == 200
    assert sandbox.contact(code="k-1")["stage"] == "B"
    assert api.edit(customerIdApiRing="k-1", stage="C").json == {"success": 1, "leadId": lead}
    customer = api.create(customerIdApiRing="k-2", contactType="customer").json["customerId"]
    assert api.edit(customerId=customer, bgInfo="").status == 200
    assert [w["operation"] for w in sandbox.writes()] == ["create", "edit", "edit", "edit", "create", "edit"]


def test_edit_without_or_with_contradicting_selectors_is_refused(sandbox, api):
    assert api.edit(name="X").status == 400
    assert api.edit(leadId="", customerId=None, name="X").status == 400
    api.create()
    assert api.edit(leadId=1, customerIdApiRing="k-1", name="X").status == 400
    assert api.edit(leadId=1, customerId=1, name="X").status == 400
    assert len(sandbox.writes()) == 1


def test_edit_keeps_what_it_does_not_name_and_bumps_updated(sandbox, api):
    before = sandbox.contact(kind="lead", id=1)
    api.edit(leadId=1, name="Tên Mới")
    after = sandbox.contact(kind="lead", id=1)
    assert after["name"] == "Tên Mới"
    assert after["updatedAt"] > before["updatedAt"]
    assert {k: v for k, v in after.items() if k not in ("name", "updatedAt")} == {
        k: v for k, v in before.items() if k not in ("name", "updatedAt")
    }


def test_edit_does_not_change_kind(sandbox, api):
    api.edit(leadId=1, contactType="customer", type=1, group="x")
    assert sandbox.contact(kind="lead", id=1)["state"] == "live"


def test_omitted_fields_can_be_cleared(sandbox, api):
    api.create(stage="A", phones=[{"value": "0934"}])
    sandbox.switches(put_omitted="clear")
    api.edit(customerIdApiRing="k-1", bgInfo="mới")
    record = sandbox.contact(code="k-1")
    assert (record["stage"], record["phones"], record["bgInfo"], record["name"]) == (
        None,
        [],
        "mới",
        "Trần Thử",
    )


def test_arrays_are_replaced_or_merged(sandbox, api):
    api.create(phones=[{"value": "1"}, {"value": "2"}], tags=["a"])
    ids = {p["value"]: p["_id"] for p in sandbox.contact(code="k-1")["phones"]}
    api.edit(customerIdApiRing="k-1", phones=[{"value": "2"}, {"value": "3"}], tags=["b"])
    record = sandbox.contact(code="k-1")
    assert [p["value"] for p in record["phones"]] == ["2", "3"]
    assert record["phones"][0]["_id"] == ids["2"]
    assert record["tags"] == ["b"]
    sandbox.switches(put_arrays="merge")
    api.edit(customerIdApiRing="k-1", phones=[{"value": "4"}], tags=["c"])
    record = sandbox.contact(code="k-1")
    assert [p["value"] for p in record["phones"]] == ["2", "3", "4"]
    assert record["tags"] == ["b", "c"]


def test_delete_moves_to_the_trash_once(sandbox, api):
    lead = api.create().json["leadId"]
    assert api.call("DELETE", "/contacts", {"customerIdApiRing": "k-1"}).json == {"success": 1}
    assert sandbox.contact(code="k-1")["state"] == "trashed"
    assert api.call("DELETE", "/contacts", {"leadId": lead}).status == 400
    assert api.call("DELETE", "/contacts", {}).status == 400
    assert api.call("DELETE", "/contacts", leadId=1).status == 400
    assert [w["operation"] for w in sandbox.writes()] == ["create", "delete"]


@pytest.mark.parametrize(
    ("policy", "status", "success", "stored"),
    [("error", 400, 0, 0), ("success0", 200, 0, 0), ("noop", 200, 1, 0), ("upsert", 200, 1, 1)],
)
def test_edit_of_an_unknown_code(sandbox, api, policy, status, success, stored):
    sandbox.switches(put_unknown=policy)
    reply = api.edit(customerIdApiRing="new", name="Chưa Có")
    assert (reply.status, reply.json["success"]) == (status, success)
    assert len(sandbox.contacts(code="new")) == stored == len(sandbox.writes())


def test_edit_of_a_trashed_record(sandbox, api):
    sandbox.trash(leadId=1)
    assert api.edit(leadId=1, stage="X").status == 400
    sandbox.switches(put_gone="applies")
    assert api.edit(leadId=1, stage="X").status == 200
    record = sandbox.contact(kind="lead", id=1)
    assert (record["stage"], record["state"]) == ("X", "trashed")


@pytest.mark.parametrize(
    ("policy", "status", "records"), [("duplicate", 200, 2), ("reject", 400, 1), ("upsert", 200, 1)]
)
def test_create_with_a_code_in_use(sandbox, api, policy, status, records):
    sandbox.switches(duplicate_code=policy)
    first = api.create().json["leadId"]
    reply = api.create(name="Tên Hai")
    assert reply.status == status
    found = sandbox.contacts(code="k-1")
    assert len(found) == records
    if policy == "upsert":
        assert reply.json["leadId"] == first
        assert found[0]["name"] == "Tên Hai"


def items(count):
    return [{"name": f"Lô {i}", "customerIdApiRing": f"b-{i}"} for i in range(count)]


def test_bulk_creates_up_to_a_hundred_in_order(sandbox, api):
    reply = api.call("POST", "/contacts/package", items(100))
    ids = reply.json["leadId"]
    assert reply.json["success"] == 1
    assert [sandbox.contact(code=f"b-{i}")["id"] for i in (0, 50, 99)] == [ids[0], ids[50], ids[99]]
    assert api.call("POST", "/contacts/package", items(101)).status == 400
    assert api.call("POST", "/contacts/package", []).status == 400


def test_bulk_refuses_all_when_one_item_is_wrong(sandbox, api):
    reply = api.call("POST", "/contacts/package", [*items(3), {"name": "Không mã"}])
    assert reply.status == 400
    assert "item 3" in reply.json["message"]
    assert sandbox.writes() == []


def test_bulk_with_both_kinds_answers_both_keys(api):
    mixed = [items(1)[0], {"name": "K", "customerIdApiRing": "b-9", "contactType": "customer"}]
    assert api.call("POST", "/contacts/package", mixed).json.keys() == {"success", "leadId", "customerId"}


@pytest.mark.parametrize(
    ("failure", "status", "ids", "stored"),
    [
        ("short", 200, 9, 9),
        ("long", 200, 11, 10),
        ("shuffled", 200, 10, 10),
        ("reject_all_after_some", 400, None, 5),
    ],
)
def test_bulk_failures(sandbox, api, failure, status, ids, stored):
    sandbox.switches(bulk=failure)
    reply = api.call("POST", "/contacts/package", items(10))
    assert reply.status == status
    assert (
        sum(r["code"] is not None for r in sandbox.contacts(state="live")) == stored == len(sandbox.writes())
    )
    if ids is not None:
        assert len(reply.json["leadId"]) == ids
        in_order = sorted(reply.json["leadId"]) == reply.json["leadId"]
        assert in_order is (failure == "short")


def test_names_can_be_cut_silently(sandbox, api):
    sandbox.switches(cut_name=5)
    api.create(name="Nguyễn Văn")
    assert sandbox.contact(code="k-1")["name"] == "Nguyễ"


def test_unknown_staff_can_be_ignored(sandbox, api):
    sandbox.switches(unknown_staff="ignore")
    api.create(responsibleStaff="nobody@example.com")
    assert sandbox.contact(code="k-1")["responsibleStaff"] is None


def test_clock_skew_shows_in_dates(sandbox, api):
    sandbox.switches(clock_skew_s=86_400)
    lead = api.create().json["leadId"]
    ahead = api.page(leadId=lead)[0]["createdAt"] / 1000 - sandbox.writes()[0]["time"]
    assert 86_390 < ahead < 86_410
