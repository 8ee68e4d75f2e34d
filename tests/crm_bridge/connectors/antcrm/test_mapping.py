"""AntCRM's words to ours and back: canonical both ways."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.remote.walk import RawItem, Unreadable
from crm_bridge.connectors.antcrm import mapping, payloads
from crm_bridge.connectors.antcrm.mapping import Inexpressible, Names
from crm_bridge.records import (
    EDITABLE_FIELDS,
    Address,
    Change,
    ContactRecord,
    Email,
    Gender,
    Identity,
    Kind,
    Operation,
    Phone,
    SocialAccount,
    canonical,
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


# Both ways

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
some = words.filter(lambda text: text.strip() != "")
emails = st.builds(Email, some, st.sampled_from(["Work", "Home"]))
phones = st.builds(Phone, some, st.sampled_from(["Work", "Mobile"]))
addresses = st.builds(
    Address, words, words, words, words, some, words, words, words, st.sampled_from(["Work", "Home"])
)
records = st.builds(
    ContactRecord,
    identity=st.just(LEAD),
    kind=st.just(Kind.LEAD),
    name=some,
    gender=st.sampled_from([Gender.MALE, Gender.FEMALE, Gender.OTHER]),
    birth_date=st.none() | st.dates(),
    phones=st.lists(phones, max_size=3).map(tuple),
    emails=st.lists(emails, max_size=3).map(tuple),
    addresses=st.lists(addresses, max_size=2).map(tuple),
    social_accounts=st.lists(st.builds(SocialAccount, words, some), max_size=2).map(tuple),
    industry=words,
    note=words,
    stage=words,
    tags=st.lists(words, max_size=4).map(tuple),
    source=words,
    responsible=words,
    custom_fields=st.dictionaries(some.map(str.strip), words | st.integers(-999, 999), max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(records)
def test_written_and_read_again_is_a_fixed_point(given_record: ContactRecord) -> None:
    """One pass may tidy up what staff typed; a second pass changes nothing more."""
    once = mapping.canonical_sent(canonical(given_record))
    assert mapping.canonical_sent(once) == once
    assert set(once) == set(EDITABLE_FIELDS)
    for name in ("gender", "birth_date"):
        assert once[name] == canonical(given_record)[name]


def test_tidying_follows_one_rule_per_field() -> None:
    tidy = mapping.canonical_sent(
        {
            "name": "  An ",
            "phones": [{"value": " 0934 ", "type": ""}, {"value": "  ", "type": "Work"}],
            "tags": ["VIP", " VIP ", ""],
            "responsible": "Lan@Example.com",
            "custom_fields": {"Hạn mức": 5, "Trống": " ", "Đúng": 2.0},
        }
    )
    assert tidy == {
        "name": "An",
        "phones": [{"value": "0934", "type": "Work"}],
        "tags": ["VIP"],
        "responsible": "lan@example.com",
        "custom_fields": {"Hạn mức": "5", "Đúng": "2"},
    }


def change(operation: Operation = Operation.EDIT, **parts: Any) -> Change:
    return Change(
        **({"operation": operation, "kind": Kind.LEAD, "identity": LEAD, "values": {"name": "An"}} | parts)
    )


def test_create_always_says_its_kind() -> None:
    for kind, contact_type, number in (
        (Kind.LEAD, "lead", 0),
        (Kind.CONTACT, "customer", 0),
        (Kind.ACCOUNT, "customer", 1),
    ):
        body = mapping.to_create(change(Operation.CREATE, kind=kind, identity=None, code="c-1"))
        assert body == {"customerIdApiRing": "c-1", "contactType": contact_type, "type": number, "name": "An"}


def test_create_leaves_out_what_staff_left_empty() -> None:
    values = {"name": "An", "gender": "", "birth_date": None, "phones": [], "note": "", "custom_fields": {}}
    body = mapping.to_create(change(Operation.CREATE, identity=None, code="c", values=values))
    assert set(body) == {"customerIdApiRing", "contactType", "type", "name"}


def test_edit_can_empty_everything_that_may_be_empty() -> None:
    values: dict[str, Any] = {name: "" for name in ("industry", "note", "stage", "source", "responsible")}
    values |= {"phones": [], "emails": [], "addresses": [], "social_accounts": [], "tags": []}
    values |= {"birth_date": None, "custom_fields": {}}
    body = mapping.to_edit(change(values=values, before={"custom_fields": {"Mã": "1"}}))
    assert body == {
        "leadId": 1,
        "industry": "",
        "bgInfo": "",
        "stage": "",
        "sourceContact": "",
        "responsibleStaff": "",
        "phones": [],
        "emails": [],
        "addresses": [],
        "im": [],
        "tags": [],
        "dateOfBirth": "",
        "cusFields": [{"name": "Mã", "value": ""}],
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": " "}, "needs a name"),
        ({"gender": ""}, "choose one"),
        ({"gender": "robot"}, "choose one"),
        ({"birth_date": "5/3/1994"}, "not a date"),
        ({"group": "A"}, "not later"),
        ({"rank_name": "Vàng"}, "rank_name"),
        ({"custom_fields": {"67aa00000000000000000005": "x"}}, "by name"),
        ({}, "nothing"),
    ],
)
def test_what_cannot_be_said_is_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(Inexpressible, match=words):
        mapping.to_edit(change(values=values))


def test_create_needs_code_and_name() -> None:
    for parts in ({"code": ""}, {"code": "c", "values": {"note": "x"}}):
        with pytest.raises(Inexpressible):
            mapping.to_create(change(Operation.CREATE, identity=None, **parts))


def test_unusable_element_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="not an object"):
        mapping.to_record(RawItem("lead", "", None, "not an object"))
