"""AntCRM's words to ours: one canonical form whatever the shape."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.antcrm import mapping, payloads
from crm_bridge.connectors.antcrm.mapping import Names
from crm_bridge.records import (
    Address,
    ContactRecord,
    Email,
    Gender,
    Identity,
    Kind,
    Phone,
    SocialAccount,
)
from tests.crm_bridge.connectors.antcrm.test_payloads import sample

LEAD = Identity("lead", "1")


def record(raw: dict[str, Any], names: Names = mapping.NO_NAMES) -> ContactRecord:
    return mapping.to_record(payloads.split_page([{"leadId": 1} | raw]).items[0], names)


def test_full_record_says_everything_in_our_words() -> None:
    item = payloads.split_page(sample("list_array.json")).items[0]
    assert mapping.to_record(item) == ContactRecord(
        identity=Identity("customer", "41"),
        kind=Kind.CONTACT,
        name="Lâm Thị Thử",
        aliases=(Identity("lead", "17"),),
        gender=Gender.FEMALE,
        birth_date=date(1994, 3, 5),
        phones=(
            Phone("0934 000 111", "Work", "+84934000111"),
            Phone("+84 912 000 222", "Home", "+84912000222"),
        ),
        emails=(Email("thu.lam@example.com", "Work"),),
        addresses=(
            Address(
                "7B", "Đường Số 9", "Phường An Hòa", "Quận Ninh Kiều", "Cần Thơ", "VN", "Vietnam", "", "Work"
            ),
        ),
        social_accounts=(SocialAccount("Facebook", "https://social.example.com/thu"),),
        industry="Giáo dục",
        note="Gọi sau 17h",
        stage="Đang tư vấn",
        tags=("VIP", "Hẹn gọi lại"),
        source="Website",
        responsible="lan.mai@staff.example.com",
        custom_fields={"Mã hợp đồng": "HD-7", "Hạn mức": "5000000"},
        score_available=120.0,
        score_rank=800.5,
        rank_name="Bạc",
        ads_history=(
            {
                "ads_id": "120000000000000001",
                "post_id": "800000000000001",
                "created_at": "2025-01-10T08:00:00.123000+00:00",
            },
        ),
        extra={
            "created_by": "PERSONAL_ZALO",
            "source_lead": sample("list_array.json")[0]["sourceLead"],
        },
        created_at=datetime(2025, 1, 10, 8, 0, 0, 123000, UTC),
        updated_at=datetime(2025, 1, 11, 8, 0, 0, 456000, UTC),
    )


def test_empty_null_and_missing_are_the_same() -> None:
    items = payloads.split_page(sample("list_sparse.json")).items[:3]
    empty, null, missing = (replace(mapping.to_record(item), identity=LEAD) for item in items)
    assert empty == ContactRecord(LEAD, Kind.LEAD, "Lead Trống")
    assert replace(empty, name="") == null == missing


def test_odd_but_readable_record() -> None:
    odd = mapping.to_record(payloads.split_page(sample("list_sparse.json")).items[3])
    assert odd.name == "Lead Lạ"
    assert odd.gender is Gender.MALE
    assert odd.phones == (Phone("0934000333", "Work", "+84934000333"),)
    assert odd.emails == ()
    assert odd.addresses == (Address(city="Huế", country="Vietnam", type="Work"),)
    assert odd.tags == ("Khách sỉ",)
    assert odd.created_at == datetime(2025, 1, 10, 1, 0, tzinfo=UTC)
    assert odd.updated_at == datetime(2025, 1, 11, 8, 0, 0, 456000, UTC)
    assert odd.birth_date is None
    assert odd.extra["birth_date_text"] == "sinh năm 90"
    assert odd.custom_fields == {"67aa00000000000000000005": "x"}


def test_ids_get_names_where_the_account_was_measured() -> None:
    names = Names({"67aa0000000000000000001e": "Lan@Example.com"}, {"67aa00000000000000000005": "Mã"})
    item = payloads.split_page(sample("deleted.json")).items[0]
    read = mapping.to_record(item, names)
    assert (read.responsible, read.custom_fields) == ("lan@example.com", {"Mã": "HD-7"})
    assert mapping.to_record(item).responsible == "67aa0000000000000000001e"


def test_deleted_record_tells_when_and_who() -> None:
    deletion = mapping.to_deletion(payloads.split_page(sample("deleted.json")).items[0])
    assert deletion.trashed_at == datetime(2025, 1, 12, 8, tzinfo=UTC)
    assert deletion.trashed_by == "67aa0000000000000000001e"
    assert deletion.contact.identity == Identity("customer", "41")
    assert deletion.contact.uid == "67aa00000000000000000014"
    assert deletion.contact.birth_date == date(1994, 3, 5)  # 17:00 UTC is the next day in Vietnam
    assert deletion.contact.aliases == ()


def test_merged_row_is_the_loser_and_in_trash_the_survivor() -> None:
    merge, unproven = (mapping.to_merge(item) for item in payloads.split_page(sample("merged.json")).items)
    assert merge.loser.identity == Identity("customer", "41")
    assert merge.survivor_uid == "67aa00000000000000000032"
    assert merge.survivor is None
    assert merge.survivor_name == "Lâm Thử"
    assert merge.survivor_phones == (Phone("0934 000 111", "Work", "+84934000111"),)
    assert merge.survivor_emails == (Email("thu.lam@example.com", "Work"),)
    assert merge.merged_at == merge.loser.updated_at
    assert (unproven.survivor_uid, unproven.survivor_name, unproven.survivor_phones) == ("", "", ())


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1736496000123, datetime(2025, 1, 10, 8, 0, 0, 123000, UTC)),
        (1736496000123.0, datetime(2025, 1, 10, 8, 0, 0, 123000, UTC)),
        ("1736496000123", datetime(2025, 1, 10, 8, 0, 0, 123000, UTC)),
        (1736496000, datetime(2025, 1, 10, 8, tzinfo=UTC)),
        ("2025-01-10T08:00:00.000Z", datetime(2025, 1, 10, 8, tzinfo=UTC)),
        ("2025-01-10T15:00:00+07:00", datetime(2025, 1, 10, 8, tzinfo=UTC)),
        ("2025-01-10 15:00:00", datetime(2025, 1, 10, 8, tzinfo=UTC)),
        ("2025-01-10", datetime(2025, 1, 9, 17, tzinfo=UTC)),
        ("", None),
        ("  ", None),
        (0, None),
        ("0", None),
        (None, None),
    ],
)
def test_times_in_every_form(value: Any, moment: datetime | None) -> None:
    assert mapping.to_moment(value, "createdAt") == moment


@pytest.mark.parametrize("value", ["soon", 1e300, float("inf"), float("nan"), 10**30, "9" * 30, "2025-13-45"])
def test_senseless_times_are_refused_by_name(value: Any) -> None:
    with pytest.raises(Unreadable, match="createdAt"):
        mapping.to_moment(value, "createdAt")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"dateOfBirth": "March 5, 1994"}, date(1994, 3, 5)),
        ({"dateOfBirth": "1994-03-05"}, date(1994, 3, 5)),
        ({"dateOfBirth": "1994-03-05T00:00:00.000Z"}, date(1994, 3, 5)),
        ({"dateOfBirth": "1994-03-04T17:00:00.000Z"}, date(1994, 3, 5)),
        ({"dateOfBirth": None, "dateOfBirth2": "1994-03-05"}, date(1994, 3, 5)),
        ({"dayOfBirth": 5, "monthOfBirth": "3", "yearOfBirth": 1994}, date(1994, 3, 5)),
        ({"dayOfBirth": 5, "monthOfBirth": 3, "yearOfBirth": None}, None),
        ({"dateOfBirth": ""}, None),
    ],
)
def test_birth_dates_in_every_form(raw: dict[str, Any], expected: date | None) -> None:
    assert record(raw).birth_date == expected


@pytest.mark.parametrize(
    ("raw", "aliases"),
    [
        ({"sourceLead": {"code": "6", "name": "Website"}}, ()),
        ({"sourceLead": {"code": "6", "name": " an "}}, (Identity("lead", "6"),)),
        ({"sourceLead": {"code": "", "name": "An"}}, ()),
        ({"sourceLead": "67aa00000000000000000008"}, ()),
        ({"sourceLead": None, "leadId": 6}, (Identity("lead", "6"),)),
        ({"sourceLead": {"name": ["An"]}}, ()),
    ],
)
def test_former_lead_is_named_only_when_certain(raw: dict[str, Any], aliases: tuple[Identity, ...]) -> None:
    base = {"contactType": "customer", "customerId": 2, "name": "An", "leadId": ""}
    assert record(base | raw).aliases == aliases


def test_unusable_element_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="not an object"):
        mapping.to_record(RawItem("lead", "", None, "not an object"))
