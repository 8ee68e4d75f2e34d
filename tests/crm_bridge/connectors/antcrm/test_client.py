"""Every filter of the vendor's page, in its spelling, narrows the sandbox's list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from backoffice.remote.auth import HeaderToken
from backoffice.remote.session import RemoteSession
from crm_bridge.connectors.antcrm.client import AntCrmClient, Filters
from tests.sandbox_fixture import SandboxControl

DAY = timedelta(days=1)


@pytest.fixture
def client(sandbox: SandboxControl) -> Iterator[AntCrmClient]:
    session = RemoteSession(
        sandbox.base("antcrm"), HeaderToken("apikey", sandbox.key), label="Test", allow_loopback=True
    )
    yield AntCrmClient(session)
    session.close()


def listed(client: AntCrmClient, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = 1
    while more := orjson.loads(client.contacts(Filters(**filters), page)):
        found += more
        page += 1
    return found


def test_all_twelve_parameters_have_the_vendors_names() -> None:
    day = date(2025, 5, 30)
    filters = Filters(
        contact_type="customer",
        type="0",
        phone="0934",
        email="a@example.com",
        customer_id="5",
        lead_id="6",
        updated_from=day,
        updated_to=day,
        created_from=day,
        created_to=day,
    )
    assert filters.params() == {
        "contactType": "customer",
        "type": "0",
        "phone": "0934",
        "email": "a@example.com",
        "customerId": "5",
        "leadId": "6",
        "updateAtf": day,
        "updateAtt": day,
        "createdAtf": day,
        "createdAtt": day,
    }
    assert Filters().params() == {}


def test_kind_filters(client: AntCrmClient, sandbox: SandboxControl) -> None:
    truth = sandbox.contacts(state="live")
    for filters, kinds in (
        ({"contact_type": "lead"}, {"lead"}),
        ({"contact_type": "customer"}, {"contact", "account"}),
        ({"contact_type": "customer", "type": "0"}, {"contact"}),
        ({"contact_type": "customer", "type": "1"}, {"account"}),
    ):
        assert len(listed(client, **filters)) == sum(each["kind"] in kinds for each in truth) > 0


def test_id_phone_and_e_mail_filters(client: AntCrmClient, sandbox: SandboxControl) -> None:
    made = sandbox.create(
        name="Thử",
        contactType="customer",
        phones=[{"type": "Work", "value": "+84 934 890 883"}],
        emails=[{"type": "Work", "value": "thu+1@example.com"}],
    )
    for filters in (
        {"customer_id": str(made["customerId"])},
        {"phone": "+84 934 890 883"},
        {"email": "thu+1@example.com"},
    ):
        assert [each["customerId"] for each in listed(client, **filters)] == [made["customerId"]]
    assert [each["leadId"] for each in listed(client, lead_id="1")] == [1]


def test_date_filters(client: AntCrmClient, sandbox: SandboxControl) -> None:
    made = sandbox.create(name="Hôm nay")
    today = datetime.now(UTC).date()
    for low, high in (("updated_from", "updated_to"), ("created_from", "created_to")):
        recent = listed(client, **{low: today - DAY, high: today + DAY})
        assert made["leadId"] in [each.get("leadId") for each in recent]
        older = listed(client, **{high: today - 3 * DAY})
        assert made["leadId"] not in [each.get("leadId") for each in older]
        assert older


def test_page_and_limit(client: AntCrmClient) -> None:
    first = orjson.loads(client.contacts(Filters(), 1, 7))
    second = orjson.loads(client.contacts(Filters(), 2, 7))
    assert (len(first), len(second)) == (7, 7)
    assert first != second


def test_trash_and_merge_filters(client: AntCrmClient, sandbox: SandboxControl) -> None:
    made = sandbox.create(
        name="Bỏ Đi Thôi",
        phones=[{"type": "Work", "value": "0934111222"}],
        emails=[{"type": "Work", "value": "bo@example.com"}],
    )
    sandbox.trash(leadId=made["leadId"])
    for filters in (
        {"phone": "0934111222"},
        {"email": "bo@example.com"},
        {"name": "Bỏ Đi"},
        {"contact_type": "lead", "name": "Bỏ Đi"},
    ):
        found = orjson.loads(client.deleted(**filters))
        assert [each["leadId"] for each in found["data"]] == [made["leadId"]], filters
    assert orjson.loads(client.deleted(contact_type="customer", name="Bỏ Đi"))["data"] == []
    everyone = orjson.loads(client.merged(limit=5))
    assert 0 < len(everyone["data"]) <= 5
    one = everyone["data"][0]["name"]
    assert all(
        one.casefold() in each["name"].casefold() for each in orjson.loads(client.merged(name=one))["data"]
    )
    assert orjson.loads(client.merged(phone="0999", email="x@example.com"))["data"] == []
