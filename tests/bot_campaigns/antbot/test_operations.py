"""Every operation of the vendor's page, over real HTTP; what the sandbox then holds is asserted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from backoffice.remote.errors import Gone, Rejected
from bot_campaigns.antbot.client import CallFilters
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.antbot.mapping import prefix_rule
from bot_campaigns.records import (
    BotContactDraft,
    Campaign,
    CampaignDraft,
    Command,
    ReportedStatus,
    SubscriberStatus,
)
from tests.sandbox_fixture import SandboxControl

Sent = Callable[[], list[dict[str, Any]]]


def rows(sandbox: SandboxControl, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.control("GET", "antbot/rows", table=table)
    return found


def row(sandbox: SandboxControl, table: str, remote_id: str) -> dict[str, Any]:
    return next(each for each in rows(sandbox, table) if each["id"] == int(remote_id))


def draft(bot: AntBotConnector, *numbers: str, **fields: Any) -> CampaignDraft:
    """A campaign on a new phonebook, open all day."""
    phonebook = bot.create_phonebook(name=f"Danh bạ {fields.get('name', '')}")
    if numbers:
        bot.create_contacts(phonebook.remote_id, [BotContactDraft(number=number) for number in numbers])
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "name": "Nhắc hạn L-17",
        "phonebook_ids": (phonebook.remote_id,),
        "gateway_id": next(g.remote_id for g in bot.gateways().read_all() if g.active),
        "survey_template_id": bot.templates().read_all()[0].remote_id,
        "frequency": 10,
        "starts_at": now - timedelta(hours=1),
        "expires_at": now + timedelta(days=2),
        "daily_start": time(0, 0),
        "daily_stop": time(23, 59, 59),
    }
    return CampaignDraft(**(values | fields))


def test_check_logs_in_and_reads_the_gateways(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    count = len(rows(sandbox, "gateway"))
    assert bot.check() == f"Bot accepts the login; {count} gateways, {count - 1} of them active."
    assert sandbox.control("GET", "antbot/state")["logins"] == {"accepted": 2, "refused": 0}


# Campaigns


def test_campaign_is_created_as_it_was_drafted(
    bot: AntBotConnector, sandbox: SandboxControl, sent: Sent
) -> None:
    wanted = draft(bot, description="Tháng 11", caller_id="AnhDuong")
    made = bot.create_campaign(wanted)
    assert (made.name, made.frequency, made.status) == (wanted.name, 10, ReportedStatus.WAITING)
    assert made.phonebook_ids == wanted.phonebook_ids
    assert (made.starts_at, made.expires_at) == (wanted.starts_at, wanted.expires_at)
    assert (made.daily_start, made.daily_stop) == (time(0, 0), time(23, 59, 59))
    body = sent()[-1]["body"]
    assert body["phonebook"] == [int(wanted.phonebook_ids[0])]
    assert body["startingdate"] == wanted.starts_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert body["daily_stop_time"] == "23:59:59"
    assert bot.campaign(made.remote_id) == made


def test_campaigns_are_narrowed_by_name_phonebook_and_status(bot: AntBotConnector) -> None:
    one = bot.create_campaign(draft(bot, "0912000001", name="Một L-1"))
    two = bot.create_campaign(draft(bot, name="Hai L-2"))
    bot.command(one.remote_id, Command.START)

    def ids(**filters: Any) -> set[str]:
        return {campaign.remote_id for campaign in bot.campaigns(**filters).read_all()}

    assert {one.remote_id, two.remote_id} < ids()
    assert ids(name="L-2") == {two.remote_id}
    assert ids(phonebook_id=one.phonebook_ids[0]) == {one.remote_id}
    assert ids(status=ReportedStatus.STARTED) == {one.remote_id}
    assert [each.remote_id for each in bot.find_campaigns("L-1")] == [one.remote_id]
    assert bot.find_campaigns("L-99") == []


def test_update_sends_the_whole_campaign_as_it_is_now(
    bot: AntBotConnector, sandbox: SandboxControl, sent: Sent
) -> None:
    made = bot.create_campaign(draft(bot, description="Cũ", caller_id="A"))
    sandbox.control("POST", "antbot/edit_campaign", {"campaign": int(made.remote_id), "description": "Từ xa"})
    changed = bot.update_campaign(made.remote_id, frequency=3)
    assert (changed.frequency, changed.description) == (3, "Từ xa")
    body = sent()[-1]["body"]
    assert body.keys() == {
        "name", "description", "callerid", "phonebook", "aleg_gateway", "frequency", "startingdate",
        "expirationdate", "daily_start_time", "daily_stop_time",
    }  # fmt: skip
    assert (body["description"], body["frequency"], body["callerid"]) == ("Từ xa", 3, "A")


def test_update_does_not_clear_what_the_vendor_does_not_show(
    bot: AntBotConnector, sandbox: SandboxControl
) -> None:
    made = bot.create_campaign(draft(bot, description="Giữ lại", caller_id="A"))
    sandbox.switches("antbot", campaign_fields="core")
    bot.update_campaign(made.remote_id, frequency=4)
    sandbox.switches("antbot", campaign_fields="all")
    kept = bot.campaign(made.remote_id)
    assert kept is not None
    assert (kept.frequency, kept.description, kept.caller_id) == (4, "Giữ lại", "A")


def test_update_names_the_call_flow_only_where_it_must_and_may(
    bot: AntBotConnector, sandbox: SandboxControl, sent: Sent
) -> None:
    sandbox.switches("antbot", put="full")
    wanted = draft(bot, "0912000001")
    made = bot.create_campaign(wanted)
    bot.update_campaign(made.remote_id, frequency=3)
    assert sent()[-1]["body"]["object_id"] == int(wanted.survey_template_id)

    bot.command(made.remote_id, Command.START)
    before = len(sent())
    with pytest.raises(Rejected, match="sealed already"):
        bot.update_campaign(made.remote_id, frequency=5)
    assert len(sent()) == before
    sealed = bot.campaign(made.remote_id)
    assert sealed is not None
    assert sealed.survey_id != wanted.survey_template_id


def test_commands_reach_the_campaign_once_each(
    bot: AntBotConnector, sandbox: SandboxControl, sent: Sent
) -> None:
    made = bot.create_campaign(draft(bot, "0912000001", "0912000002"))
    after: list[int | None] = []
    for command in (Command.START, Command.PAUSE, Command.START, Command.ABORT, Command.END):
        bot.command(made.remote_id, command)
        now = bot.campaign(made.remote_id)
        assert now is not None
        after.append(now.status)
    assert after == [1, 2, 1, 3, 4]
    told = [each["body"]["status"] for each in sent() if each["operation"] == "campaigns.status"]
    assert told == [1, 2, 1, 3, 4]


@pytest.mark.parametrize("answer", ["campaign", "echo", "empty", "message"])
def test_every_shape_of_yes_to_a_command_is_a_yes(
    bot: AntBotConnector, sandbox: SandboxControl, answer: str
) -> None:
    sandbox.switches("antbot", status_answer=answer)
    made = bot.create_campaign(draft(bot, "0912000001"))
    bot.command(made.remote_id, Command.START)
    now = bot.campaign(made.remote_id)
    assert now is not None
    assert now.status == ReportedStatus.STARTED


def test_deleted_campaign_is_gone(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    made = bot.create_campaign(draft(bot))
    bot.delete_campaign(made.remote_id)
    assert not [each for each in rows(sandbox, "campaign") if each["id"] == int(made.remote_id)]
    assert bot.campaign(made.remote_id) is None
    for attempt in (
        lambda: bot.delete_campaign(made.remote_id),
        lambda: bot.command(made.remote_id, Command.START),
        lambda: bot.update_campaign(made.remote_id, frequency=1),
    ):
        with pytest.raises(Gone):
            attempt()


def test_campaign_is_found_in_the_list_where_single_reads_are_not_offered(
    bot: AntBotConnector, sandbox: SandboxControl
) -> None:
    made = bot.create_campaign(draft(bot))
    sandbox.switches("antbot", undocumented_reads="no")
    found = bot.campaign(made.remote_id)
    assert isinstance(found, Campaign)
    assert found.name == made.name
    assert bot.campaign("999999") is None
    assert bot.update_campaign(made.remote_id, frequency=2).frequency == 2


# Call flows


def test_templates_and_sections(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    made = bot.create_template(name="Khảo sát mới", language="en", description="Thử")
    assert (made.name, made.language, made.description) == ("Khảo sát mới", "en", "Thử")
    for filters in ({"search": "Khảo sát mới"}, {"description": "Thử"}):
        assert [each.remote_id for each in bot.templates(**filters).read_all()] == [made.remote_id]
    everything = len(bot.templates().read_all())
    onboarding = bot.templates(is_onboarding=True).read_all()
    assert len(onboarding) + len(bot.templates(is_onboarding=False).read_all()) == everything
    assert len(bot.templates(user_id="203").read_all()) == everything

    section = bot.create_section(template_id=made.remote_id, name="Chào", script="Xin chào", type=1)
    assert (section.template_id, section.name, section.script, section.type_text) == (
        made.remote_id, "Chào", "Xin chào", "Play message",
    )  # fmt: skip
    bot.update_section(section.remote_id, script="Vui lòng đợi")
    stored = row(sandbox, "section", section.remote_id)
    assert (stored["script"], stored["question"], stored["type"]) == ("Vui lòng đợi", "Chào", 1)
    listed = bot.sections(template_id=made.remote_id).read_all()
    assert [each.script for each in listed if each.template_id == made.remote_id] == ["Vui lòng đợi"]


def test_sealed_surveys_by_each_filter(bot: AntBotConnector) -> None:
    made = bot.create_campaign(draft(bot, "0912000001"))
    assert bot.surveys(campaign_id=made.remote_id).read_all() == []
    bot.command(made.remote_id, Command.START)
    sealed = bot.surveys(campaign_id=made.remote_id).read_all()
    assert [each.campaign_id for each in sealed] == [made.remote_id]
    for filters in ({"search": sealed[0].name}, {"language": "vi"}, {"description": sealed[0].description}):
        assert sealed[0] in bot.surveys(**filters).read_all()
    assert bot.surveys(language="en", campaign_id=made.remote_id).read_all() == []


# Phonebooks and contacts


def test_phonebook_by_id_by_search_and_changed(bot: AntBotConnector) -> None:
    made = bot.create_phonebook(name="Khách L-42", description="Mới")
    assert bot.phonebook(made.remote_id) == made
    assert bot.phonebook("999999") is None
    assert bot.phonebooks(search="L-42").read_all() == [made]
    assert bot.find_phonebooks("L-42") == [made]
    bot.update_phonebook(made.remote_id, name="Khách L-43", description="")
    changed = bot.phonebook(made.remote_id)
    assert changed is not None
    assert (changed.name, changed.description) == ("Khách L-43", "")


@pytest.mark.parametrize("variables_as", ["text", "object"])
def test_contact_keeps_every_field(
    bot: AntBotConnector, sandbox: SandboxControl, variables_as: str, sent: Sent
) -> None:
    sandbox.switches("antbot", additional_vars=variables_as)
    phonebook = bot.create_phonebook(name="Một").remote_id
    wanted = BotContactDraft(
        number="0912 000 001",
        first_name="An",
        last_name="Trần",
        email="an@example.com",
        description="Khách",
        country="VN",
        variables={"so_tien": "120000"},
    )
    made = bot.create_contact(phonebook, wanted)
    assert sent()[-1]["body"]["additional_vars"] == '{"so_tien":"120000"}'
    read = bot.contact(made.remote_id)
    assert read == made
    assert read is not None
    assert (read.number, read.e164, read.active) == ("0912 000 001", "+84912000001", True)
    assert (read.first_name, read.last_name, read.email) == ("An", "Trần", "an@example.com")
    assert (read.description, read.country, read.variables) == ("Khách", "VN", {"so_tien": "120000"})
    assert bot.contacts(phonebook_id=phonebook).read_all() == [made]
    assert bot.contacts(search="Trần", phonebook_id=phonebook).read_all() == [made]
    assert bot.contact("999999") is None


def test_withdrawn_contact_keeps_all_else(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    phonebook = bot.create_phonebook(name="Một").remote_id
    wanted = BotContactDraft(number="0912000001", email="an@example.com", variables={"a": "1"})
    made = bot.create_contact(phonebook, wanted)
    assert bot.withdraw_contact(made.remote_id).active is False
    stored = row(sandbox, "contact", made.remote_id)
    assert (stored["status"], stored["contact"], stored["email"]) == (0, "0912000001", "an@example.com")
    now = bot.contact(made.remote_id)
    assert now is not None
    assert replace(now, active=True, updated_at=made.updated_at) == made
    with pytest.raises(Gone):
        bot.withdraw_contact("999999")


def test_bulk_creates_a_hundred_in_one_call(
    bot: AntBotConnector, sandbox: SandboxControl, sent: Sent
) -> None:
    phonebook = bot.create_phonebook(name="Trăm").remote_id
    drafts = [BotContactDraft(number=f"09120{n:05}", first_name=f"A{n}") for n in range(100)]
    bot.create_contacts(phonebook, drafts)
    assert sum(each["operation"] == "bulkcontact.create" for each in sent()) == 1
    listed = bot.contacts(phonebook_id=phonebook).read_all()
    assert {(each.number, each.first_name, each.active) for each in listed} == {
        (each.number, each.first_name, True) for each in drafts
    }


# Reports


def test_gateways(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    shown = {each.remote_id: each for each in bot.gateways().read_all()}
    truth = rows(sandbox, "gateway")
    assert shown.keys() == {str(each["id"]) for each in truth}
    for each in truth:
        gateway = shown[str(each["id"])]
        assert (gateway.name, gateway.active) == (each["name"], each["status"] == 1)
        assert gateway.add_prefix == each["addprefix"]
        assert ",".join(gateway.remove_prefixes) == each["removeprefix"]


def test_calls_lead_back_to_contacts_through_every_gateway(
    bot: AntBotConnector, sandbox: SandboxControl
) -> None:
    numbers = ("0912000001", "0912000002")
    gateways = [each for each in bot.gateways().read_all() if each.active]
    assert any(each.add_prefix for each in gateways)
    rules = {each.remote_id: prefix_rule(each) for each in gateways}
    for gateway in gateways:
        name = f"Qua {gateway.remote_id}"
        sandbox.switches("antbot", bulk_duplicates="accept")
        made = bot.create_campaign(draft(bot, *numbers, name=name, gateway_id=gateway.remote_id))
        bot.command(made.remote_id, Command.START)
        sandbox.control("POST", "antbot/advance", {"minutes": 10})
        calls = bot.calls(CallFilters(campaign=made.remote_id), by_gateway=rules).read_all()
        first_legs = [call for call in calls if call.leg == 1]
        assert {call.e164 for call in first_legs} == {"+84912000001", "+84912000002"}
        assert all(call.number.startswith(gateway.add_prefix) for call in first_legs)


def test_calls_by_each_filter(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    everything = bot.calls().read_all()
    one = next(call for call in everything if call.talk_seconds and call.started_at)
    assert one.started_at is not None
    other = {
        "callid": (one.call_id, lambda c: c.call_id == one.call_id),
        "callerid": (one.caller_id, lambda c: c.caller_id == one.caller_id),
        "phone_number": (one.number, lambda c: c.number == one.number),
        "from_date": (one.started_at, lambda c: c.started_at >= one.started_at),
        "to_date": (one.started_at, lambda c: c.started_at <= one.started_at),
        "duration": (one.duration, lambda c: c.duration == one.duration),
        "billsec": (one.talk_seconds, lambda c: c.talk_seconds == one.talk_seconds),
        "disposition": (one.disposition, lambda c: c.disposition == one.disposition),
        "hangup_cause": (one.hangup_cause, lambda c: c.hangup_cause == one.hangup_cause),
        "sip_term_status": (one.sip_status, lambda c: c.sip_status == one.sip_status),
        "sip_term_cause": (one.sip_cause, lambda c: c.sip_cause == one.sip_cause),
        "endpoint_disposition": (
            one.far_end_disposition, lambda c: c.far_end_disposition == one.far_end_disposition,
        ),
        "campaign": (one.campaign_id, lambda c: c.campaign_id == one.campaign_id),
        "alarm": (False, lambda c: not c.is_alarm),
        "otp": (True, lambda c: bool(c.is_otp)),
    }  # fmt: skip
    assert other.keys() == set(CallFilters.__slots__)
    for name, (value, fits) in other.items():
        found = bot.calls(CallFilters(**{name: value})).read_all()
        assert {c.remote_id for c in found} == {c.remote_id for c in everything if fits(c)}, name


def test_calls_without_an_id_keep_one_identity(bot: AntBotConnector, sandbox: SandboxControl) -> None:
    with_ids = bot.calls().read_all()
    sandbox.switches("antbot", cdr_id="no")
    once, again = bot.calls().read_all(), bot.calls().read_all()
    assert [call.remote_id for call in once] == [call.remote_id for call in again]
    assert len({call.remote_id for call in once}) == len(with_ids)
    assert all(len(call.remote_id) <= 64 for call in once)


@pytest.mark.parametrize("shape", ["id", "number", "object"])
def test_subscribers_by_each_filter_and_shape(
    bot: AntBotConnector, sandbox: SandboxControl, shape: str
) -> None:
    made = bot.create_campaign(draft(bot, "0912000001", "0912000002"))
    bot.command(made.remote_id, Command.START)
    sandbox.control("POST", "antbot/advance", {"minutes": 10})
    sandbox.switches("antbot", subscriber_contact=shape)
    found = bot.subscribers(campaign_id=made.remote_id).read_all()
    contacts = {each.remote_id: each for each in bot.contacts(phonebook_id=made.phonebook_ids[0]).read_all()}
    assert len(found) == 2
    for each in found:
        assert each.status_text in {status.name.capitalize().replace("_", " ") for status in SubscriberStatus}
        assert (each.contact_id in contacts) == (shape != "number")
        assert (each.e164 in {c.e164 for c in contacts.values()}) == (shape != "id")
    one = found[0]
    number = "0912000001"
    for filters in ({"number": number}, {"status": one.status}, {"duration": one.duration},
                    {"talk_seconds": one.talk_seconds}):  # fmt: skip
        narrowed = bot.subscribers(campaign_id=made.remote_id, **filters).read_all()
        assert 1 <= len(narrowed) <= 2
    assert len(bot.subscribers(campaign_id=made.remote_id, number=number).read_all()) == 1


# Do not call


def test_do_not_call_lists_and_numbers(bot: AntBotConnector, sandbox: SandboxControl, sent: Sent) -> None:
    made = bot.create_dnc_list(name="Từ chối", description="Yêu cầu")
    assert made in bot.dnc_lists().read_all()
    entry = bot.create_dnc_entry(made.remote_id, "0912000001")
    assert sent()[-1]["body"] == {"phone_number": "0912000001", "dnc": made.remote_id}
    assert (entry.list_id, entry.number, entry.e164) == (made.remote_id, "0912000001", "+84912000001")
    assert entry in bot.dnc_entries().read_all()


# Reminder calls


def test_reminder_call_from_setting_to_alarm(
    bot: AntBotConnector, sandbox: SandboxControl, sent: Sent
) -> None:
    survey = bot.surveys().read_all()[0]
    gateway = bot.gateways().read_all()[0]
    setting = bot.create_calendar_setting(
        label="Nhắc lịch", survey_id=survey.remote_id, gateway_id=gateway.remote_id, caller_id="AD"
    )
    assert (setting.label, setting.call_timeout, setting.survey_id) == ("Nhắc lịch", 60, survey.remote_id)
    user = bot.create_calendar_user(username="lich-1", password="rất-bí-mật", setting_id=setting.remote_id)
    assert (user.username, user.setting_id) == ("lich-1", setting.remote_id)
    calendar = bot.create_calendar(name="Lịch hẹn", user_id=user.remote_id)
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
    event = bot.create_event(
        title="Hẹn khám",
        starts_at=start,
        ends_at=start + timedelta(hours=1),
        creator_id=user.remote_id,
        calendar_id=calendar.remote_id,
    )
    assert (event.starts_at, event.creator_id, event.calendar_id) == (
        start, user.remote_id, calendar.remote_id,
    )  # fmt: skip
    due = start - timedelta(hours=1)
    alarm = bot.create_alarm(number="0912000001", event_id=event.remote_id, due_at=due)
    assert (alarm.e164, alarm.due_at, alarm.event_id) == ("+84912000001", due, event.remote_id)
    assert (alarm.status_text, alarm.result_text) == ("Pending", "None")
    assert bot.calendar_settings().read_all() == [setting]
    assert bot.calendar_users().read_all() == [user]
    assert bot.calendars().read_all() == [calendar]
    assert bot.events().read_all() == [event]
    assert bot.alarms().read_all() == [alarm]
    bot.create_alarm(number="0912000001", event_id=event.remote_id, due_at=None)
    assert "date_start_notice" not in sent()[-1]["body"]
