"""Udesk's connector on its sandbox: the contract and what only this vendor does."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from backoffice.remote.auth import forget_process_tokens
from backoffice.remote.errors import (
    BadResponse,
    ConnectionBroken,
    Gone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteConflict,
    RetryLater,
)
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import Account, Connector, Stream
from crm_bridge.connectors.udesk import payloads
from crm_bridge.records import Change, FieldType, Identity, Kind, Operation, PanelEntry, canonical
from tests.crm_bridge.connectors.contract import WRITES, ConnectorContract, by_identity, read_all
from tests.remote.rawserver import RawServer, answer
from tests.sandbox_fixture import SandboxControl

EMAIL, TOKEN = "admin+api@sandbox.example.com", "sandbox-udesk-token"


def customers(sandbox: SandboxControl, **filters: Any) -> list[dict[str, Any]]:
    """The truth."""
    return sandbox.control("GET", "udesk/customers", **filters)


def key_content(customer: dict[str, Any], type_: str) -> str:
    """What names this customer under a type of get_customer; "" where it has nothing of the kind."""
    works = customer["weixin_works"]
    work = works and f"cropid:{works[0]['corpid']},agentid:{works[0]['agentid']},userid:{works[0]['userid']}"
    found = {
        "id": customer["id"],
        "email": customer["email"],
        "cellphone": customer["cellphones"] and customer["cellphones"][0][1],
        "token": customer["open_api_token"],
        "weixin_open_id": customer["weixins"] and customer["weixins"][0]["openid"],
        "weixin_mini_openid": customer["weixin_minis"] and customer["weixin_minis"][0]["openid"],
        "weixin_work_identifier": work,
        "weibo_id": customer["weibo_id"],
        "sdk_token": customer["sdk_token"],
        "web_token": customer["web_token"],
    }[type_]
    return str(found or "")


class TestUdeskConnector(ConnectorContract):
    kind: ClassVar[str] = "udesk"
    credentials: ClassVar[dict[str, str]] = {"email": EMAIL, "api_token": TOKEN}
    wrong_credentials: ClassVar[dict[str, str]] = {"email": EMAIL, "api_token": "another-token"}
    family_of: ClassVar[dict[Kind, str]] = {Kind.CONTACT: "customer"}
    name_key: ClassVar[str] = "nick_name"
    spoiled: ClassVar[tuple[tuple[str, Any], ...]] = (
        ("cellphones", "0912"),
        ("nick_name", ["An"]),
        ("first_contact_at", "soon"),
        ("tags", {"a": 1}),
    )
    says_success: ClassVar[bool] = False
    """Its flag is the code; see below."""

    def live(self, sandbox: SandboxControl) -> dict[Identity, str]:
        return {
            Identity("customer", str(each["id"])): each["nick_name"]
            for each in customers(sandbox, state="live", brief=1)
        }

    def trash(self, sandbox: SandboxControl, identity: Identity) -> None:
        sandbox.control("POST", "udesk/delete", {"id": int(identity.remote_id)})

    def staff_email(self, sandbox: SandboxControl) -> str:
        return "agent 2, group 1"

    def full_values(self, connector: Connector, sandbox: SandboxControl, mark: str) -> dict[str, Any]:
        return super().full_values(connector, sandbox, mark) | {
            "phones": [
                {"value": f"139000000{mark}", "type": ""},
                {"value": f"+84 912 000 0{mark}", "type": ""},
            ],
            "emails": [
                {"value": f"thu{mark}@example.com", "type": ""},
                {"value": f"thu{mark}@mail.example.com", "type": ""},
            ],
            "social_accounts": [
                {"protocol": "WeChat", "value": f"wxf54489a1azz51885/o-{mark}"},
                {"protocol": "WeChat Mini Program", "value": f"wxc7279f8eefd70a4a/m-{mark}"},
            ],
            "stage": "vip",
            "custom_fields": {
                "TextField_1": "HT-2026-001",
                "TextField_2": "Dòng một\nDòng hai",
                "TextField_3": "2026-11-25",
                "TextField_5": "2026-11-25T14:30",
                "SelectField_1": "2",
                "SelectField_3": ["0", "3"],
            },
        }

    def edited(self, connector: Connector, sandbox: SandboxControl) -> dict[str, Any]:
        return self.full_values(connector, sandbox, "22") | {
            "note": "Chỉ một dòng",
            "stage": "normal",
            "tags": ["mới"],
            "responsible": "agent 4, group 3",
            "custom_fields": self.full_values(connector, sandbox, "22")["custom_fields"]
            | {"TextField_7": "5", "SelectField_1": "0", "SelectField_3": ["1"]},
        }

    def change(self, connector: Connector, sandbox: SandboxControl, operation: Operation) -> Change:
        if operation is Operation.MERGE:
            return self.merging(*self.pair(sandbox, email="con@example.com"))
        return super().change(connector, sandbox, operation)

    @pytest.mark.parametrize(
        "operation", [Operation.CREATE, Operation.EDIT, Operation.DELETE, Operation.MERGE]
    )
    def test_only_code_1000_is_a_yes(
        self, connector: Connector, sandbox: SandboxControl, operation: Operation
    ) -> None:
        for value in (0, True, "maybe", 1001, None, 200):
            change = self.change(connector, sandbox, operation)
            sandbox.faults([{"kind": "success", "key": "code", "value": value, "method": m} for m in WRITES])
            with pytest.raises(OutcomeUnknown):
                connector.push(change)
            sandbox.clear()
            sandbox.reset(seed=7, contacts=120)
        change = self.change(connector, sandbox, operation)
        sandbox.faults([{"kind": "success", "key": "code", "remove": True, "method": m} for m in WRITES])
        with pytest.raises(OutcomeUnknown):
            connector.push(change)

    # Keys and proof of absence

    def test_customer_is_found_by_each_of_the_ten_keys(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        for type_ in payloads.KEY_TYPES:
            wanted = next(each for each in customers(sandbox, state="live") if key_content(each, type_))
            raw = connector._client.customer((type_, key_content(wanted, type_)))  # type: ignore[attr-defined]
            assert payloads.customer_of(raw)["id"] == wanted["id"], type_

    def test_only_code_2005_proves_absence(self, connector: Connector, sandbox: SandboxControl) -> None:
        nobody = Identity("customer", "987654321")
        assert connector.get(nobody) is None
        assert connector.get_by_code("no-such-code") is None  # type: ignore[attr-defined]
        sandbox.switches("udesk", not_found=2000)
        for call in (lambda: connector.get(nobody), lambda: connector.get_by_code("none")):  # type: ignore[attr-defined]
            with pytest.raises(Rejected) as told:
                call()
            assert type(told.value) is Rejected
        change = Change(Operation.EDIT, Kind.CONTACT, nobody, values={"name": "An"})
        with pytest.raises(Rejected) as told:
            connector.push(change)
        assert type(told.value) is Rejected
        sandbox.switches("udesk", not_found=2005)
        with pytest.raises(Gone):
            connector.push(change)

    def test_created_contact_is_found_by_our_code(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        change = self.created(connector, sandbox)
        identity = connector.push(change).identity
        record = connector.get_by_code(change.code)  # type: ignore[attr-defined]
        assert record is not None
        assert record.identity == identity
        assert [each["id"] for each in customers(sandbox, token=change.code)] == [int(identity.remote_id)]

    @pytest.mark.parametrize(
        "switches",
        [
            {"error_status": "matching"},
            {"error_text": "code_message"},
            {"exception": "text"},
            {"exception": "none"},
            {"ids": "text"},
            {"tags": "texts"},
            {"order": "oldest"},
            {"order": "shuffled"},
            {"create_answer": "sample"},
        ],
        ids=str,
    )
    def test_nothing_depends_on_what_no_document_settles(
        self, connector: Connector, sandbox: SandboxControl, switches: dict[str, str]
    ) -> None:
        usual = by_identity(read_all(connector, Stream.CONTACTS))
        sandbox.switches("udesk", **switches)
        assert by_identity(read_all(connector, Stream.CONTACTS)) == usual
        assert connector.get(Identity("customer", "987654321")) is None
        change = self.created(connector, sandbox)
        identity = connector.push(change).identity
        assert identity is not None
        record = connector.get(identity)
        assert record is not None
        assert canonical(record, list(change.values)) == change.values

    def test_refusal_is_told_in_the_vendors_words_without_personal_data(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        taken = next(each for each in customers(sandbox, state="live") if each["email"])
        for values in ({"emails": [{"value": taken["email"], "type": ""}]},):
            with pytest.raises(RemoteConflict) as told:
                connector.push(
                    Change(Operation.CREATE, Kind.CONTACT, None, "c-9", values={"name": "An"} | values)
                )
            assert f"Email duplicate: customer id = {taken['id']}" in told.value.words
            assert taken["email"] not in str(told.value)
        with pytest.raises(Rejected, match="not a valid level"):
            connector.push(
                Change(Operation.CREATE, Kind.CONTACT, None, "c-9", values={"name": "An", "stage": "gold"})
            )

    @pytest.mark.parametrize(
        ("switches", "words"),
        [
            ({"subdomain": "unknown"}, "subdomain"),
            ({"email": "other@example.com"}, "administrator"),
            ({"token": "another"}, "signature is wrong"),
            ({"clock_skew_s": 400}, "clock is more than five minutes off"),
        ],
    )
    def test_account_that_refuses_us_is_broken_in_plain_words(
        self, connector: Connector, sandbox: SandboxControl, switches: dict[str, Any], words: str
    ) -> None:
        sandbox.switches("udesk", **switches)
        sandbox.reset_stats()
        with pytest.raises(ConnectionBroken, match=words):
            connector.check()
        assert sandbox.stats("udesk")["requests"] == (2 if "clock_skew_s" in switches else 1)

    def test_clock_within_five_minutes_is_good_enough(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.switches("udesk", clock_skew_s=-280)
        assert connector.check().endswith(".")

    def test_used_nonce_is_replaced_once_and_a_write_is_applied_once(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        nonces = iter(["same", "same", "fresh"])
        connector._session._auth._nonce = lambda: next(nonces)  # type: ignore[attr-defined]
        identity = next(iter(self.live(sandbox)))
        for name in ("Một", "Hai"):
            connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values={"name": name}))
        assert [each["body"]["customer"]["nick_name"] for each in sandbox.writes()] == ["Một", "Hai"]
        assert sandbox.stats("udesk")["requests"] == 3

    def test_every_retry_is_freshly_signed(
        self, build: Callable[..., Connector], sandbox: SandboxControl
    ) -> None:
        connector = build(read_attempts=4, deadline=10)
        sandbox.fault("status_after", method="GET", times=3, code=500)
        connector.check()
        rates = sandbox.control("GET", "udesk/rates")
        assert rates["signatures"] == rates["distinct"] == 4

    # Limits

    @pytest.mark.parametrize("told_as", ["code", "http"])
    def test_too_many_calls_wait_a_minute_and_are_not_hammered(
        self, build: Callable[..., Connector], sandbox: SandboxControl, told_as: str
    ) -> None:
        connector = build(read_attempts=4, deadline=30)
        sandbox.switches("udesk", rate_per_minute=2, throttle_as=told_as)
        connector.check()
        connector.check()
        change = Change(Operation.CREATE, Kind.CONTACT, None, "c-1", values={"name": "An"})
        with pytest.raises(RateLimited) as told:
            connector.check()
        assert told.value.after == 60
        assert sandbox.control("GET", "udesk/rates")["busiest_minute"]["GET /"] == 3
        for _ in range(2):
            connector.push(dataclasses.replace(change, code="c-2"))
        with pytest.raises(RateLimited):
            connector.push(change)
        assert len(sandbox.writes()) == 2

    # The export

    def read_in_batches(self, connector: Connector, sandbox: SandboxControl, **switches: Any) -> None:
        sandbox.switches("udesk", export_batch=25, **switches)
        records = read_all(connector, Stream.CONTACTS)
        assert by_identity(records).keys() == self.live(sandbox).keys()
        assert len(records) == len(self.live(sandbox))

    @pytest.mark.parametrize("ids", ["fresh", "constant"])
    @pytest.mark.parametrize("total", ["honest", "absent"])
    def test_export_is_read_to_its_empty_batch(
        self, connector: Connector, sandbox: SandboxControl, ids: str, total: str
    ) -> None:
        self.read_in_batches(connector, sandbox, scroll_ids=ids, export_total=total)
        self.read_in_batches(connector, sandbox)

    @pytest.mark.parametrize("fault", ["cut_after", "status_after", "truncate"])
    def test_lost_batch_is_never_asked_for_again(
        self, build: Callable[..., Connector], sandbox: SandboxControl, fault: str
    ) -> None:
        """Asked again, this export shows the next batch: 25 customers would be missing unnoticed."""
        connector = build(read_attempts=4, deadline=10)
        sandbox.switches("udesk", export_batch=25)
        walk = connector.walks(Stream.CONTACTS)[0]
        page = walk.split(walk.fetch(walk.first))
        sandbox.reset_stats()
        sandbox.fault(fault, path="*/export", times=1)
        with pytest.raises(RetryLater):
            walk.fetch(page.next or "")
        assert sandbox.stats("udesk")["requests"] == 1
        with pytest.raises(BadResponse, match="start again"):
            walk.fetch(page.next or "")
        assert sandbox.stats("udesk")["requests"] == 1
        assert len(walk.split(walk.fetch(walk.first)).items) == 25

    def test_cursor_dies_after_a_minute(self, connector: Connector, sandbox: SandboxControl) -> None:
        sandbox.switches("udesk", export_batch=25, scroll_life_s=0.05)
        walk = connector.walks(Stream.CONTACTS)[0]
        page = walk.split(walk.fetch(walk.first))
        time.sleep(0.1)
        with pytest.raises(BadResponse, match="older than a minute"):
            walk.fetch(page.next or "")

    def filtered(self, sandbox: SandboxControl, number: Any) -> Connector:
        account = Account(
            "Test account", sandbox.base("udesk"), self.credentials, options={"filter_id": number}
        )
        return registry.build("udesk", account, allow_loopback=True)

    def test_filter_of_a_connection_is_proven_before_it_is_used(self, sandbox: SandboxControl) -> None:
        with contextlib.closing(self.filtered(sandbox, 1)) as connector:
            records = read_all(connector, Stream.CONTACTS)
            vips = {each["id"] for each in customers(sandbox, state="live") if each["level"] == "vip"}
            assert {int(record.identity.remote_id) for record in records} == vips
            sandbox.fault("ignore_filter", path="*/export")
            walk = connector.walks(Stream.CONTACTS)[0]
            with pytest.raises(BadResponse, match="exports everybody"):
                walk.split(walk.fetch(walk.first))
        sandbox.clear()
        for wrong in (2, 99):
            with contextlib.closing(self.filtered(sandbox, wrong)) as connector:
                sandbox.reset_stats()
                with pytest.raises(ConnectionBroken, match="does not exist or is not active"):
                    connector.walks(Stream.CONTACTS)
                assert "GET /udesk/open_api_v1/customers/export" not in sandbox.stats("udesk")["routes"]

    # Writing

    def test_what_stays_keeps_its_id(self, connector: Connector, sandbox: SandboxControl) -> None:
        change = self.created(connector, sandbox)
        identity = connector.push(change).identity
        assert identity is not None
        before = customers(sandbox, id=identity.remote_id)[0]
        values = {
            "phones": [*change.values["phones"][::-1], {"value": "13900000099", "type": ""}],
            "emails": [*change.values["emails"], {"value": "third@example.com", "type": ""}],
        }
        connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values=values))
        after = customers(sandbox, id=identity.remote_id)[0]
        ids = {text: number for number, text in before["cellphones"]}
        assert [[ids.get(text), text] for _, text in after["cellphones"][:2]] == before["cellphones"][::-1]
        assert after["cellphones"][2][1] == "13900000099"
        assert after["email"] == before["email"]
        assert before["other_emails"][0] in after["other_emails"]
        body = sandbox.writes()[-1]["body"]
        assert body["other_emails"] == [before["other_emails"][0], [None, "third@example.com"]]
        assert "tags" not in body
        assert body["customer"]["email"] == before["email"]

    def test_another_e_mail_becomes_the_primary_one_when_that_is_taken_out(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        change = self.created(connector, sandbox)
        identity = connector.push(change).identity
        assert identity is not None
        values = {"emails": change.values["emails"][1:]}
        connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values=values))
        after = customers(sandbox, id=identity.remote_id)[0]
        assert (after["email"], after["other_emails"]) == (change.values["emails"][1]["value"], [])

    def test_wechat_identities_are_added_and_deleted_by_name(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        change = self.created(connector, sandbox)
        identity = connector.push(change).identity
        assert identity is not None
        kept = change.values["social_accounts"][0]
        work = {"protocol": "WeChat Work", "value": "wxc727955fe6025ed4/1009117/LS004308"}
        values = {"social_accounts": [kept, work]}
        connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values=values))
        assert sandbox.writes()[-1]["body"] == {
            "customer": {
                "weixin_minis": [{"action": "delete", "appid": "wxc7279f8eefd70a4a", "openid": "m-11"}],
                "weixin_works": [
                    {
                        "action": "new",
                        "corpid": "wxc727955fe6025ed4",
                        "agentid": "1009117",
                        "userid": "LS004308",
                    }
                ],
            }
        }
        record = connector.get(identity)
        assert record is not None
        assert canonical(record, ["social_accounts"])["social_accounts"] == [kept, work]

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"note": ""}, "empty the note"),
            ({"stage": None}, "empty the level"),
            ({"responsible": ""}, "empty who is responsible"),
            ({"responsible": "an@example.com"}, "agent 12, group 3"),
            ({"emails": []}, "empty the e-mail"),
            ({"custom_fields": {"TextField_3": "2026-01-01"}}, "empty “合同编号”"),
            ({"custom_fields": {}}, "empty “合同编号”"),
            ({"custom_fields": {"Mã": "1"}}, "no custom field “Mã”"),
            ({"tags": ["a,b"]}, "separates tags by commas"),
            ({"note": "x" * 256}, "longer than the 255"),
            ({"social_accounts": [{"protocol": "Facebook", "value": "x"}]}, "WeChat"),
            ({"social_accounts": [{"protocol": "WeChat", "value": "x"}]}, "appid/openid"),
        ],
    )
    def test_what_cannot_be_said_is_refused_in_words_and_nothing_is_written(
        self, connector: Connector, sandbox: SandboxControl, values: dict[str, Any], words: str
    ) -> None:
        identity = connector.push(self.created(connector, sandbox)).identity
        with pytest.raises(Rejected, match=words):
            connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values=values))
        assert len(sandbox.writes()) == 1

    def test_emptying_what_is_empty_is_no_change(self, connector: Connector, sandbox: SandboxControl) -> None:
        identity = next(iter(self.live(sandbox)))
        values = {"note": ""}
        change = Change(Operation.EDIT, Kind.CONTACT, identity, values=values, before={"note": ""})
        assert connector.push(change).identity == identity
        assert sandbox.writes() == []

    def test_choices_stay_lists_where_the_account_defines_no_fields_any_more(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.switches("udesk", definitions="gone")
        change = self.created(connector, sandbox)
        identity = connector.push(change).identity
        assert identity is not None
        record = connector.get(identity)
        assert record is not None
        assert record.custom_fields["SelectField_1"] == ["2"]
        assert customers(sandbox, id=identity.remote_id)[0]["custom_fields"]["SelectField_1"] == ["2"]

    def test_definitions_are_asked_for_once_by_all_connectors(
        self, build: Callable[..., Connector], sandbox: SandboxControl
    ) -> None:
        for _ in range(3):
            read_all(build(), Stream.CONTACTS)
        assert sandbox.stats("udesk")["routes"]["GET /udesk/open_api_v1/customers/custom_fields"] == 1
        definitions = build().field_definitions()  # type: ignore[attr-defined]
        assert [each.key for each in definitions][:2] == ["TextField_1", "TextField_2"]
        assert {each.type for each in definitions} >= {FieldType.SELECT, FieldType.RADIO, FieldType.CHECKBOX}

    def test_answer_about_another_customer_is_noticed(self) -> None:
        other = {"code": 1000, "customer": {"id": 8, "nick_name": "B", "open_api_token": "x"}}
        with RawServer(answer(json.dumps(other))) as server:
            account = Account("Test account", server.url, self.credentials)
            with contextlib.closing(registry.build("udesk", account, allow_loopback=True)) as connector:
                for call in (
                    lambda: connector.get(Identity("customer", "7")),
                    lambda: connector.get_by_code("code-1"),  # type: ignore[attr-defined]
                    lambda: connector.find(phone="13900000000"),
                    lambda: connector.find(email="a@example.com"),
                ):
                    with pytest.raises(BadResponse, match="another customer"):
                        call()
                edit = Change(Operation.EDIT, Kind.CONTACT, Identity("customer", "7"), values={"name": "An"})
                with pytest.raises(OutcomeUnknown, match="another customer"):
                    connector.push(edit)

    def test_phone_is_found_however_it_is_stored(self, connector: Connector, sandbox: SandboxControl) -> None:
        for stored, asked in (
            ("13912345678", "+86 139 1234 5678"),
            ("0912345677", "+84912345677"),
            ("+84912345676", "0912 345 676"),
            ("139 1234 5600", "13912345600"),
        ):
            made = sandbox.control(
                "POST", "udesk/customers", {"nick_name": "An", "cellphones": [[None, stored]]}
            )
            assert [each.identity.remote_id for each in connector.find(phone=asked)] == [str(made["id"])]

    # Merge

    def pair(self, sandbox: SandboxControl, **survivor: Any) -> tuple[Identity, Identity]:
        """Two customers made there: the loser with an e-mail and a token, the survivor as given."""
        made = [
            sandbox.control("POST", "udesk/customers", body)
            for body in (
                {
                    "nick_name": "Mất",
                    "email": "mat@example.com",
                    "open_api_token": "erp-1",
                    "cellphones": [[None, "13911112222"]],
                },
                {"nick_name": "Còn"} | survivor,
            )
        ]
        loser, kept = (Identity("customer", str(each["id"])) for each in made)
        return loser, kept

    def merging(self, loser: Identity, survivor: Identity) -> Change:
        return Change(Operation.MERGE, Kind.CONTACT, loser, values={"survivor": survivor.remote_id})

    @pytest.mark.parametrize("params", ["body", "query"])
    def test_merge_names_both_ends_by_a_strong_key(self, sandbox: SandboxControl, params: str) -> None:
        sandbox.switches("udesk", merge_params=params)
        loser, survivor = self.pair(sandbox, email="con@example.com", cellphones=[[None, "13933334444"]])
        account = Account(
            "Test account", sandbox.base("udesk"), self.credentials, options={"merge_as": params}
        )
        with contextlib.closing(registry.build("udesk", account, allow_loopback=True)) as connector:
            assert connector.push(self.merging(loser, survivor)).identity == survivor
            assert connector.get(loser) is None
            record = connector.get(survivor)
        assert record is not None
        assert {each.value for each in record.phones} == {"13911112222", "13933334444"}
        sent = sandbox.writes()[-1]["body"]
        wanted = {
            "from_type": "customer_token",
            "from_content": "erp-1",
            "to_type": "email",
            "to_content": "con@example.com",
        }
        assert {name: sent[name] for name in wanted} == wanted
        assert customers(sandbox, id=loser.remote_id)[0]["survivor"] == int(survivor.remote_id)

    def test_key_that_names_somebody_else_is_not_merged_by(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        """External ids need not be unique: the first customer that bears this one is a stranger."""
        stranger = sandbox.control("POST", "udesk/customers", {"nick_name": "Lạ", "open_api_token": "erp-1"})
        loser, survivor = self.pair(sandbox, web_token="web.con")
        connector.push(self.merging(loser, survivor))
        assert sandbox.writes()[-1]["body"]["from_type"] == "email"
        assert customers(sandbox, id=stranger["id"])[0]["state"] == "live"
        assert customers(sandbox, id=loser.remote_id)[0]["state"] == "merged"

    def test_customer_without_any_strong_key_is_not_merged(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        loser, survivor = self.pair(sandbox)
        with pytest.raises(Rejected, match="does not merge by number"):
            connector.push(self.merging(loser, survivor))
        for wrong in (loser, Identity("customer", ""), Identity("customer", "x")):
            with pytest.raises(Rejected, match="two different customers"):
                connector.push(self.merging(loser, wrong))
        assert sandbox.writes() == []

    def test_only_the_absence_of_the_loser_is_gone(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        loser, survivor = self.pair(sandbox, email="con@example.com")
        nobody = Identity("customer", "987654321")
        with pytest.raises(Gone):
            connector.push(self.merging(nobody, survivor))
        with pytest.raises(Rejected, match="is not there any more") as told:
            connector.push(self.merging(loser, nobody))
        assert type(told.value) is Rejected
        assert sandbox.writes() == []

    @pytest.mark.parametrize("fault", ["cut_after", "status_after", "hang"])
    def test_merge_whose_answer_is_lost_is_unknown(
        self, connector: Connector, sandbox: SandboxControl, fault: str
    ) -> None:
        loser, survivor = self.pair(sandbox, email="con@example.com")
        options = {"seconds": 3.0, "applied": True} if fault == "hang" else {}
        sandbox.fault(fault, path="*/merge", **options)
        with pytest.raises(OutcomeUnknown):
            connector.push(self.merging(loser, survivor))
        sandbox.clear()
        assert connector.get(loser) is None

    def test_merge_that_kept_another_customer_is_unclear(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        loser, survivor = self.pair(sandbox, email="con@example.com")
        sandbox.fault("success", path="*/merge", key="id", value=5)
        with pytest.raises(OutcomeUnknown, match="another customer than the one to be kept"):
            connector.push(self.merging(loser, survivor))

    # Import

    def news(self, connector: Connector, sandbox: SandboxControl, count: int = 3) -> list[Change]:
        return [self.created(connector, sandbox, str(30 + number)) for number in range(count)]

    def test_received_customers_are_looked_up_until_they_are_there(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        changes = self.news(connector, sandbox)
        results = connector.push_bulk(changes)
        for change, result in zip(changes, results, strict=True):
            assert result.record is not None
            assert result.identity == result.record.identity
            assert canonical(result.record, list(change.values)) == change.values
        assert {each["operation"] for each in sandbox.writes()} == {"create"}
        item = sandbox.writes()[0]["body"]
        assert item["emails"] == ["thu30@example.com", "thu30@mail.example.com"]
        assert item["cellphones"] == ["13900000030", "+84 912 000 030"]
        assert item["weixins"] == [{"appid": "wxf54489a1azz51885", "openid": "o-30"}]
        assert item["open_api_token"] == "code-30"

    def test_what_was_received_and_never_imported_is_unknown_each_by_itself(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        changes = self.news(connector, sandbox)
        taken = connector.push(dataclasses.replace(changes[1], code="another"))
        results = connector.push_bulk(changes)
        assert [result.identity is None for result in results] == [False, True, False]
        assert taken.identity is not None

    def test_import_is_made_once_a_minute_by_all_workers_together(
        self, build: Callable[..., Connector], sandbox: SandboxControl
    ) -> None:
        first, second = build(), build()
        first.push_bulk(self.news(first, sandbox, 1))
        sandbox.reset_stats()
        with pytest.raises(RetryLater, match="one import a minute") as told:
            second.push_bulk(self.news(second, sandbox))
        assert type(told.value) is RetryLater
        assert 50 < (told.value.after or 0) <= 60
        assert "POST /udesk/open_api_v1/customers/batch_import_async" not in sandbox.stats("udesk")["routes"]

    def test_import_refused_as_too_early_leaves_the_connection_alone(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        connector.push_bulk(self.news(connector, sandbox, 1))
        forget_process_tokens()
        account = Account("Test account", sandbox.base("udesk"), self.credentials)
        with contextlib.closing(registry.build("udesk", account, allow_loopback=True)) as other:
            with pytest.raises(RetryLater) as told:
                other.push_bulk(self.news(other, sandbox))
            assert type(told.value) is RetryLater
            assert told.value.after == 60
        assert len(sandbox.writes()) == 1

    def test_refused_import_leaves_every_item_unknown(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.fault("status", path="*/batch_import_async", code=400)
        with pytest.raises(OutcomeUnknown):
            connector.push_bulk(self.news(connector, sandbox))

    def test_trouble_with_a_look_up_says_nothing_about_the_import(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        """Were it raised, the import would be made again."""
        changes = self.news(connector, sandbox)
        for code in (429, 500, 401):
            forget_process_tokens()
            sandbox.switches("udesk", import_every_s=0.0)
            sandbox.fault("status", path="*/get_customer", code=code)
            with connector._turns._store.exclusive() as state:  # type: ignore[attr-defined]
                state.not_before = 0
            results = connector.push_bulk(changes)
            assert [result.identity for result in results] == [None] * 3

    # Extras

    def test_history_is_read_to_an_empty_page(self, connector: Connector, sandbox: SandboxControl) -> None:
        sizes = {}
        for identity in list(self.live(sandbox))[:25]:
            page: int | None = 1
            entries: list[PanelEntry] = []
            while page is not None:
                panel = connector.panel(identity, "history", page)  # type: ignore[attr-defined]
                entries += panel.entries
                page = panel.next_page
            sizes[identity] = len(entries)
            assert all(entry.at is not None and entry.at.tzinfo for entry in entries)
            assert {entry.kind for entry in entries} <= {"ticket", "call", "chat", "note", "change"}
            assert all("<" not in entry.text and "alert" not in entry.text for entry in entries)
        assert max(sizes.values()) == 27
        assert min(sizes.values()) == 0
        with pytest.raises(Gone):
            connector.panel(Identity("customer", "987654321"), "history")  # type: ignore[attr-defined]

    def test_both_spellings_of_a_change_are_the_same_change(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        identity = connector.push(self.created(connector, sandbox)).identity
        assert identity is not None
        connector.push(Change(Operation.EDIT, Kind.CONTACT, identity, values={"name": "Khác"}))
        first = connector.panel(identity, "history")  # type: ignore[attr-defined]
        sandbox.switches("udesk", feed_name="Alternation")
        assert connector.panel(identity, "history") == first  # type: ignore[attr-defined]
        assert [(entry.kind, entry.author) for entry in first.entries] == [("change", "客服小云")]

    def test_probe_tells_what_the_account_has_and_writes_nothing(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        findings = connector.probe()  # type: ignore[attr-defined]
        assert {each.key: each.ok for each in findings} == dict.fromkeys(
            ("list", "export", "absence", "definitions", "filters", "history"), True
        )
        sandbox.switches("udesk", plan="basic", not_found=2000)
        findings = connector.probe()  # type: ignore[attr-defined]
        assert [each.key for each in findings if each.ok is False] == [
            "absence", "definitions", "filters", "history",
        ]  # fmt: skip
        assert all("plan" in each.words for each in findings if each.key in ("filters", "history"))
        assert sandbox.writes() == []

    def test_plan_without_extras_refuses_them_and_goes_on(
        self, connector: Connector, sandbox: SandboxControl
    ) -> None:
        sandbox.switches("udesk", plan="basic")
        identity = next(iter(self.live(sandbox)))
        with pytest.raises(Rejected, match="plan"):
            connector.panel(identity, "history")  # type: ignore[attr-defined]
        assert len(read_all(connector, Stream.CONTACTS)) == len(self.live(sandbox))
