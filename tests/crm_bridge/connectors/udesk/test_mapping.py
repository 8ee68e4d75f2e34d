"""From Udesk's payloads to our records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backoffice.remote.walk import Unreadable
from crm_bridge.connectors.udesk import history, mapping, payloads
from crm_bridge.connectors.udesk.mapping import to_record
from crm_bridge.records import Email, FieldType, Identity, Kind, Phone, SocialAccount
from tests.crm_bridge.connectors.udesk.samples import definitions, sample


def record(raw=None, **fields):
    return to_record(payloads.raw_item(raw or {"id": 7, **fields}), definitions())


def test_every_field_of_a_customer() -> None:
    found = record(sample("customer_full")["customer"])
    assert (found.identity, found.kind, found.name) == (Identity("customer", "41"), Kind.CONTACT, "王小明")
    assert found.note == "第一行\nDòng hai"
    assert found.stage == "vip"
    assert found.responsible == "agent 2, group 1"
    assert found.source == "Manual creation"
    assert found.tags == ("tag1", "tag2")
    assert found.emails == tuple(
        Email(text) for text in ("customer@sample.example", "customer2@sina.example", "customer2@qq.example")
    )
    assert found.phones == (
        Phone("13100000002", "", "+8613100000002"),
        Phone("+84 934 890 883", "", "+84934890883"),
    )
    assert found.social_accounts == (
        SocialAccount("WeChat", "wxf54489a1azz51885/og8dL0nfmm7wVjIVzk1deqt9Vkdk"),
        SocialAccount("WeChat Mini Program", "wxc7279f8eefd70a4a/oa3cT0mano9wVhIpkp3drqy9yDuw"),
        SocialAccount("WeChat Work", "wxc727955fe6025ed4/1009117/LS004308"),
    )
    assert found.custom_fields == {
        "TextField_1": "Plain text content",
        "TextField_2": "Multiline text content 1\nMultiline text content 2",
        "TextField_3": "2016-08-11",
        "TextField_4": "14:44:36",
        "TextField_5": "2017-05-03T14:44",
        "TextField_6": "https://www.sample.example",
        "TextField_7": "13",
        "TextField_8": "13.33",
        "SelectField_1": "0",
        "SelectField_2": "1",
        "SelectField_3": ["0", "3"],
    }
    assert found.extra == {
        "blocked": True,
        "external_id": "erp-41",
        "organizations": "7, 9",
        "coloured_tags": "Rich text label 1",
        "wechat_customer_service": "wktmN_BgAAuV/wmtmN_BgAAj3",
        "platform": "Manual entry",
        "web_token": "dcc79435-e9e2-436a-9cdf-c9f13f728923",
        "sdk_token": "b0bf5c37-ebdd-4539-a961-7941aca02e4c",
        "first_contact_at": "2026-01-02T15:04:05.000+08:00",
    }
    assert (found.created_at, found.updated_at) == (None, None)


def test_odd_customers() -> None:
    items = payloads.split_list(sample("customers_odd")).items
    found = [to_record(item) for item in items[:4]]
    assert [each.name for each in found] == ["", "", "Texts", "Twice"]
    assert found[2].tags == ("a", "b")
    assert [phone.value for phone in found[2].phones] == ["13900000000"]
    assert found[2].emails == (Email("x@example.com"),)
    assert found[3].emails == (Email("x@example.com"), Email("y@example.com"))
    for item in items[4:]:
        with pytest.raises(Unreadable):
            to_record(item)


def test_choices_stay_lists_where_nothing_defines_them() -> None:
    raw = sample("customer_full")["customer"]
    values = to_record(payloads.raw_item(raw)).custom_fields
    assert values["SelectField_1"] == ["0"]
    assert values["SelectField_3"] == ["3", "0"]
    assert values["TextField_5"] == "2017-05-03 14:44"


def test_one_choice_field_with_several_values_shows_them_all() -> None:
    assert record(custom_fields={"SelectField_1": ["0", "1"]}).custom_fields == {"SelectField_1": ["0", "1"]}
    assert record(custom_fields={"SelectField_1": "1"}).custom_fields == {"SelectField_1": "1"}
    assert record(custom_fields={"SelectField_3": ["9", "2"]}).custom_fields == {"SelectField_3": ["2", "9"]}


def test_definitions_are_known_by_name_for_their_ids_repeat() -> None:
    found = definitions().by_name
    assert list(found) == [
        "TextField_1", "TextField_2", "TextField_5", "TextField_8",
        "SelectField_1", "SelectField_2", "SelectField_3", "SelectField_4",
    ]  # fmt: skip
    assert [each.type for each in found.values()] == [
        FieldType.TEXT, FieldType.LONG_TEXT, FieldType.DATETIME, FieldType.NUMBER,
        FieldType.SELECT, FieldType.RADIO, FieldType.CHECKBOX, FieldType.CHECKBOX,
    ]  # fmt: skip
    assert [(each.value, each.label) for each in found["SelectField_2"].choices] == [
        ("0", "option 1"), ("1", "option 2"),
    ]  # fmt: skip
    assert (found["TextField_1"].required, found["TextField_2"].required) == (True, False)
    assert (found["TextField_2"].help, found["SelectField_4"].label) == ("Two lines", "SelectField_4")


def test_history_of_five_kinds_and_one_of_tomorrow() -> None:
    entries = history.to_entries(sample("feeds")["feeds"])
    assert [entry.kind for entry in entries] == ["ticket", "call", "chat", "note", "change", "other"]
    assert [entry.title for entry in entries][:3] == ["Demo Ticket (open)", "呼入", "微信"]
    assert [entry.text for entry in entries] == [
        "Demo Ticket\na & b", "客户接听 · 2:05", "↓ 3 · ↑ ?", "Gọi lại",
        "Responsible person: [None] --> Test", "",
    ]  # fmt: skip
    assert entries[0].at == datetime(2006, 1, 2, 7, 4, 5, tzinfo=UTC)
    assert entries[5].at is None
    assert [entry.ref for entry in entries][1:3] == ["CallLog 5", "ImSubSession 5"]
    assert [entry.author for entry in entries][3:5] == ["Lan", ""]


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<style>p{}</style><p>x</p>", "x"),
        ("1 < 2 &lt;b&gt;", "1 < 2 <b>"),
        ("<script>alert(1)", ""),
        ("", ""),
    ],
)
def test_markup_is_taken_out(html: str, words: str) -> None:
    assert history.plain_text(html) == words


def test_moments_need_an_offset() -> None:
    assert mapping.to_moment("2026-11-25T10:00:00") is None
    assert mapping.to_moment("soon") is None
    assert mapping.to_moment(None) is None
