"""The bot's mirror over real HTTP: what the sandbox holds is what the rows say."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from backoffice.sync import held
from bot_campaigns.models import (
    Alarm,
    BotConnection,
    BotContact,
    BotQuarantine,
    BotRun,
    BotStreamState,
    Calendar,
    CalendarSetting,
    CalendarUser,
    Call,
    CallingRules,
    Campaign,
    DncEntry,
    DncList,
    Event,
    Gateway,
    Incident,
    Phonebook,
    SealedSurvey,
    Section,
    Subscriber,
    Suppression,
    SurveyTemplate,
)
from bot_campaigns.records import BotContactDraft, CampaignDraft
from bot_campaigns.services import live
from bot_campaigns.services import pull as pulling
from bot_campaigns.services.connecting import connect_to
from crm_bridge.phones import to_e164
from tests import factories
from tests.sandbox_fixture import SandboxControl

pytestmark = pytest.mark.django_db(transaction=True)
Status = BotRun.Status

TABLES: dict[str, Any] = {
    "gateway": Gateway, "template": SurveyTemplate, "section": Section, "survey": SealedSurvey,
    "phonebook": Phonebook, "contact": BotContact, "campaign": Campaign, "subscriber": Subscriber,
    "cdr": Call, "dnc_list": DncList, "dnc_entry": DncEntry,
}  # fmt: skip


@pytest.fixture
def bot(sandbox: SandboxControl) -> BotConnection:
    return connected(sandbox)


def connected(sandbox: SandboxControl, **fields: Any) -> BotConnection:
    login = {"username": sandbox.bot.username, "password": sandbox.bot.password}
    defaults = {
        "name": "AntBOT", "vendor": "antbot", "base_url": sandbox.bot.base, "credentials": login,
        "requests_per_second": 0, "parallel_requests": 2, "vendor_zone": "UTC",
    }  # fmt: skip
    return BotConnection.objects.create(**{**defaults, **fields})


def truth(sandbox: SandboxControl, table: str) -> set[str]:
    return {str(row.get("id") or row) for row in sandbox.bot.rows(table)}


def mirrored(model: Any) -> set[str]:
    return set(model.objects.filter(gone_at__isnull=True).values_list("remote_id", flat=True))


def a_campaign() -> Campaign:
    return Campaign.objects.get(gone_at__isnull=True)


def new_campaign(bot: BotConnection, *numbers: str, gateway: str = "AliceDevGateway") -> Campaign:
    """A campaign with one new phonebook that may dial all day, made and mirrored."""
    connector = connect_to(bot)
    phonebook = connector.create_phonebook(name="Danh bạ mới").remote_id
    connector.create_contacts(phonebook, [BotContactDraft(number=number) for number in numbers])
    now = timezone.now()
    draft = CampaignDraft(
        name="Chiến dịch mới",
        phonebook_ids=(phonebook,),
        gateway_id=next(each.remote_id for each in connector.gateways().read_all() if each.name == gateway),
        survey_template_id=connector.templates().read_all()[0].remote_id,
        frequency=1,
        starts_at=now - timedelta(hours=1),
        expires_at=now + timedelta(days=2),
        daily_start=time(0),
        daily_stop=time(23, 59, 59),
    )
    remote_id = connector.create_campaign(draft).remote_id
    connector.close()
    for stream in ("phonebooks", "bot_contacts", "campaigns"):
        assert pulling.pull(bot, stream).status == Status.OK
    return Campaign.objects.get(remote_id=remote_id)


def test_the_mirror_holds_what_the_bot_holds(sandbox: SandboxControl, bot: BotConnection) -> None:
    runs = pulling.pull_connection(bot)
    assert {run.stream: (run.status, run.error, run.rejected) for run in runs} == {
        stream: (Status.OK, "", 0) for stream in pulling.STREAMS
    }
    for table, model in TABLES.items():
        assert mirrored(model) == truth(sandbox, table), table
        assert truth(sandbox, table), f"the sandbox has no {table} to compare"
    campaign = a_campaign()
    true = sandbox.bot.campaign(int(campaign.remote_id or 0))
    assert campaign.reported_status == true["status"]
    assert campaign.total == Subscriber.objects.filter(campaign=campaign).count() > 0
    assert campaign.reported_at is not None
    assert (campaign.desired, campaign.desired_at) == ("", None)
    assert campaign.phonebooks.count() == 1
    assert not Subscriber.objects.filter(number="").exists()
    assert Call.objects.filter(campaign=campaign).count() == len(
        sandbox.bot.rows("cdr", campaign=int(campaign.remote_id or 0))
    )
    entries = set(DncEntry.objects.values_list("e164", flat=True)) - {""}
    assert set(Suppression.objects.standing().values_list("e164", flat=True)) >= entries
    assert entries


def test_a_second_pull_writes_no_row(bot: BotConnection) -> None:
    pulling.pull_connection(bot)
    before = {model: list(model.objects.order_by("pk").values()) for model in TABLES.values()}
    runs = pulling.pull_connection(bot)
    assert sum(run.created + run.changed + run.trashed for run in runs) == 0
    for model, rows in before.items():
        after = list(model.objects.order_by("pk").values())
        for row in [*rows, *after]:
            row.pop("reported_at", None)
        assert after == rows
    assert next(run for run in runs if run.stream == "calls").mode == BotRun.Mode.INCREMENTAL


@pytest.mark.parametrize(
    "switches",
    [
        {"envelope": "results", "subscriber_contact": "number"},
        {"envelope": "list", "subscriber_contact": "object"},
        {"sort": "id_desc", "cdr_id": "no", "calendar_users": "page"},
        {"page_size": 3, "next_host": "wrong", "additional_vars": "object"},
        {"undocumented_reads": "no"},
    ],
)
def test_undocumented_behaviour_changes_no_count(sandbox: SandboxControl, switches: dict[str, Any]) -> None:
    sandbox.bot.switches(**switches)
    options = {"whole_lists": "yes"} if switches.get("envelope") == "list" else {}
    bot = connected(sandbox, measured=options)
    for _pull in range(2):
        runs = pulling.pull_connection(bot)
        assert {run.stream: run.error for run in runs} == dict.fromkeys(pulling.STREAMS, "")
    assert sum(run.created + run.changed + run.trashed for run in runs) == 0
    for table, model in TABLES.items():
        if table == "section" and switches.get("undocumented_reads") == "no":
            assert model.objects.count() == 0
        else:
            assert model.objects.filter(gone_at__isnull=True).count() == len(truth(sandbox, table)), table


def test_reminders_arrive_without_any_password(sandbox: SandboxControl, bot: BotConnection) -> None:
    pulling.pull_connection(bot)
    connector = connect_to(bot)
    survey = SealedSurvey.objects.first()
    gateway = Gateway.objects.filter(is_enabled=True).first()
    assert survey
    assert gateway
    setting = connector.create_calendar_setting(
        label="Nhắc hẹn", survey_id=str(survey.remote_id), gateway_id=str(gateway.remote_id)
    )
    user = connector.create_calendar_user(
        username="lich", password="mat-khau-rat-bi-mat", setting_id=setting.remote_id
    )
    calendar = connector.create_calendar(name="Lịch", user_id=user.remote_id)
    begins = timezone.now() + timedelta(hours=2)
    event = connector.create_event(
        title="Hẹn xem hàng",
        starts_at=begins,
        ends_at=begins + timedelta(hours=1),
        creator_id=user.remote_id,
        calendar_id=calendar.remote_id,
    )
    connector.create_alarm(number="0912345678", event_id=event.remote_id, due_at=begins)
    connector.close()
    run = pulling.pull(bot, "reminders")
    assert (run.status, run.created) == (Status.OK, 5)
    alarm = Alarm.objects.get()
    assert alarm.event == Event.objects.get(title="Hẹn xem hàng")
    assert (alarm.e164, alarm.rings_at) == ("+84912345678", begins)
    kept = [*CalendarUser.objects.values(), *CalendarSetting.objects.values(), *Calendar.objects.values()]
    assert "mat-khau" not in str(kept)
    assert "password" not in str(kept)


def test_a_deleted_campaign_keeps_its_calls_and_subscribers(
    sandbox: SandboxControl, bot: BotConnection
) -> None:
    pulling.pull_connection(bot)
    campaign = a_campaign()
    calls, subscribers = campaign.calls.count(), campaign.subscribers.count()
    assert calls > 0
    assert subscribers > 0
    sandbox.bot.delete_campaign(int(campaign.remote_id or 0))
    assert not sandbox.bot.rows("subscriber")
    runs = pulling.pull_connection(bot, full=True)
    assert [run.error for run in runs] == [""] * len(runs)
    campaign.refresh_from_db()
    assert campaign.gone_at is not None
    assert (campaign.calls.count(), campaign.subscribers.count()) == (calls, subscribers)
    assert (campaign.total, Call.objects.filter(gone_at__isnull=False).count()) == (subscribers, 0)


def test_an_unknown_state_is_kept_as_it_came(sandbox: SandboxControl, bot: BotConnection) -> None:
    pulling.pull_connection(bot)
    campaign = a_campaign()
    Campaign.objects.filter(pk=campaign.pk).update(desired="pause", desired_at=timezone.now())
    before = Campaign.objects.get(pk=campaign.pk)
    sandbox.bot.edit_campaign(int(campaign.remote_id or 0), status=9)
    run = pulling.pull(bot, "campaigns")
    campaign.refresh_from_db()
    assert (run.changed, campaign.reported_status) == (1, 9)
    assert (campaign.desired, campaign.desired_at) == ("pause", before.desired_at)
    assert campaign.reported_at is not None
    assert before.reported_at is not None
    assert before.reported_at < campaign.reported_at


def test_a_late_call_record_is_found(sandbox: SandboxControl, bot: BotConnection) -> None:
    pulling.pull_connection(bot)
    known = Call.objects.count()
    at = timezone.now() - timedelta(hours=40)
    sandbox.bot.dial("0912000111", at=at.isoformat())
    run = pulling.pull(bot, "calls")
    assert (run.mode, run.created, run.changed) == (BotRun.Mode.INCREMENTAL, 1, 0)
    assert Call.objects.count() == known + 1
    assert abs(Call.objects.get(e164="+84912000111").started_at - at) < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "status", "code": 500, "times": 100}, Status.INCOMPLETE),
        ({"kind": "html", "times": 100}, Status.INCOMPLETE),
        ({"kind": "truncate", "times": 100}, Status.INCOMPLETE),
    ],
)
def test_a_page_that_fails_removes_nothing(
    sandbox: SandboxControl, bot: BotConnection, fault: dict[str, Any], status: str
) -> None:
    pulling.pull_connection(bot)
    before = mirrored(BotContact)
    sandbox.bot.fault(**{"path": "*/contact/", **fault})
    run = pulling.pull(bot, "bot_contacts")
    assert (run.status, run.trashed) == (status, 0)
    assert run.error
    assert mirrored(BotContact) == before
    sandbox.clear()
    bot.health.refresh_from_db()
    type(bot.health).objects.update(failures=0, open_until=None)
    assert pulling.pull(bot, "bot_contacts").status == Status.OK
    assert mirrored(BotContact) == truth(sandbox, "contact")


def test_a_list_that_is_suddenly_empty_is_held_for_a_person(
    sandbox: SandboxControl, bot: BotConnection
) -> None:
    pulling.pull_connection(bot)
    before = mirrored(BotContact)
    empty = {"count": 0, "next": None, "previous": None, "results": []}
    sandbox.bot.fault("status", code=200, path="*/contact/", body=empty)
    run = pulling.pull(bot, "bot_contacts")
    assert (run.status, run.absent, run.trashed) == (Status.HELD, len(before), 0)
    assert mirrored(BotContact) == before
    held.approve(run, by=factories.user())
    again = pulling.pull(bot, "bot_contacts")
    assert (again.status, again.trashed) == (Status.OK, len(before))
    sandbox.clear()
    pulling.pull(bot, "bot_contacts")
    assert mirrored(BotContact) == before


def test_an_expired_token_is_renewed_in_the_middle_of_a_run(
    sandbox: SandboxControl, bot: BotConnection
) -> None:
    pulling.pull(bot, "gateways")
    expired = []

    def expire(_run: BotRun) -> None:
        if not expired:
            expired.append(sandbox.bot.expire_tokens())

    runs = pulling.pull_connection(bot, progress=expire)
    assert expired
    assert [run.status for run in runs] == [Status.OK] * len(runs)
    assert mirrored(BotContact) == truth(sandbox, "contact")


def test_an_unreadable_record_is_set_aside_and_the_rest_goes_on(
    sandbox: SandboxControl, bot: BotConnection
) -> None:
    pulling.pull(bot, "campaigns")
    number = int(a_campaign().remote_id or 0)
    row = {"id": number, "name": "Chiến dịch", "startingdate": "hôm qua", "phonebook": []}
    other = {"id": number + 1, "name": "Chiến dịch khác", "status": 2, "phonebook": []}
    body = {"count": 2, "next": None, "previous": None, "results": [row, other]}
    sandbox.bot.fault("status", code=200, path="*/campaigns/", body=body)
    run = pulling.pull(bot, "campaigns")
    assert (run.rejected, run.created, run.status) == (1, 1, Status.OK)
    assert "startingdate" in BotQuarantine.objects.get(resolved_at=None).reason
    assert Campaign.objects.get(remote_id=str(number)).gone_at is None


def test_calls_meet_contacts_by_number_and_stay_with_them(
    sandbox: SandboxControl, bot: BotConnection
) -> None:
    crm = factories.connection()
    number = {"phones": [{"value": "0912 000 222"}]}
    trashed = factories.contact(crm, values=number, state="trashed")
    older = factories.contact(crm, values=number)
    younger = factories.contact(crm, values=number)
    touched = timezone.now()
    for contact, ago in ((trashed, 0), (older, 2), (younger, 1)):
        type(contact).objects.filter(pk=contact.pk).update(touched_at=touched - timedelta(days=ago))
    pulling.pull_connection(bot)
    sandbox.bot.dial("0912000222")
    pulling.pull(bot, "calls")
    call = Call.objects.get(e164="+84912000222")
    assert call.contact_id == younger.pk
    type(younger).objects.filter(pk=younger.pk).update(state="merged", survivor=older)
    BotStreamState.objects.filter(stream="calls").update(cursor={})
    Call.objects.update(content_hash="")
    pulling.pull(bot, "calls")
    call.refresh_from_db()
    assert call.contact_id == younger.pk


def test_a_dialling_campaign_is_polled_alone(sandbox: SandboxControl, bot: BotConnection) -> None:
    pulling.pull_connection(bot)
    campaign = new_campaign(bot, "0912000331", "0912000332", "0912000333")
    number = int(campaign.remote_id or 0)
    assert live.due_polls(timezone.now()) == []
    sandbox.bot.edit_campaign(number, status=1)
    pulling.pull(bot, "campaigns")
    campaign.refresh_from_db()
    assert campaign.reported_status == 1
    assert live.due_polls(timezone.now()) == [campaign.pk]
    sandbox.bot.advance(minutes=1.5)
    sandbox.bot.edit_campaign(number, status=2)
    sandbox.bot.advance(minutes=10)
    runs = [live.poll(campaign) for _poll in range(3)]
    assert [(run.status, run.error) for run in runs] == [(Status.OK, "")] * 3
    assert [run.created + run.changed for run in runs[1:]] == [0, 0]
    campaign.refresh_from_db()
    assert campaign.reported_status == 2
    assert campaign.polled_at is not None
    assert set(campaign.calls.values_list("e164", flat=True)) == {
        to_e164(entry["number"]) for entry in sandbox.bot.ledger(campaign=number)
    }
    assert campaign.calls.exists()
    assert (campaign.total, campaign.subscribers.count()) == (3, 3)
    assert live.due_polls(timezone.now()) == []
    assert BotRun.objects.filter(stream=f"live-{campaign.pk}").count() == 1
    assert pulling.pull(bot, "campaigns").status == Status.OK
    campaign.refresh_from_db()
    assert campaign.reported_status == 2


def test_dates_that_are_ignored_make_the_whole_list_rare(sandbox: SandboxControl, bot: BotConnection) -> None:
    pulling.pull_connection(bot)
    long_ago = timezone.now() - timedelta(days=30)
    for number in range(Call.objects.count() + 5):
        sandbox.bot.dial(f"0912{number:06d}", at=long_ago.isoformat())
    assert pulling.pull(bot, "calls").created == 0  # the dates are respected: too old to be late
    sandbox.bot.fault("ignore_filter", path="*/cdr/")
    run = pulling.pull(bot, "calls")
    assert (run.status, run.mode) == (Status.OK, BotRun.Mode.COMPLETE)
    assert mirrored(Call) == truth(sandbox, "cdr")
    soon, later = (timezone.now() + timedelta(minutes=each) for each in (30, 61))
    assert "calls" not in {stream for _pk, stream, _mode in pulling.due_streams(soon)}
    assert "calls" in {stream for _pk, stream, _mode in pulling.due_streams(later)}
    sandbox.clear()
    assert pulling.pull(bot, "calls").mode == BotRun.Mode.INCREMENTAL
    assert "calls" in {stream for _pk, stream, _mode in pulling.due_streams(soon)}


def test_what_a_gateway_does_to_a_number_is_undone(sandbox: SandboxControl, bot: BotConnection) -> None:
    pulling.pull_connection(bot)
    contact = factories.contact(factories.connection(), values={"phones": [{"value": "0912000441"}]})
    campaign = new_campaign(bot, "0912000441", gateway="AliceVoice02")
    number = int(campaign.remote_id or 0)
    sandbox.bot.edit_campaign(number, status=1)
    sandbox.bot.advance(minutes=10)
    for stream in ("campaigns", "subscribers", "calls"):
        pulling.pull(bot, stream)
    call = campaign.calls.order_by("leg", "pk").first()
    assert call is not None
    assert (call.number, call.e164, call.contact_id) == ("84912000441", "+84912000441", contact.pk)
    subscriber = campaign.subscribers.get()
    assert (subscriber.number, subscriber.contact_id) == ("0912000441", contact.pk)
    assert subscriber.bot_contact is not None
    assert subscriber.bot_contact.contact_id == contact.pk


def test_a_run_that_was_stopped_goes_on_and_removes_nothing(
    sandbox: SandboxControl, bot: BotConnection
) -> None:
    pulling.pull_connection(bot)
    before = mirrored(DncEntry), mirrored(DncList)

    def stop(_run: BotRun) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pulling.pull(bot, "dnc", progress=stop)
    assert BotRun.objects.filter(stream="dnc").first().status == Status.INTERRUPTED
    added = sandbox.bot.dnc("0912000555")
    run = pulling.pull(bot, "dnc")
    assert (run.status, run.created, run.trashed) == (Status.OK, 1, 0)
    assert run.details["resumed"] is True
    assert mirrored(DncEntry) == before[0] | {str(added["id"])}
    assert mirrored(DncList) == before[1]
    assert Suppression.objects.standing().filter(e164="+84912000555").exists()


def test_a_remote_edit_against_the_rules_is_an_incident(sandbox: SandboxControl, bot: BotConnection) -> None:
    CallingRules.objects.create(connection=bot, frequency_cap=60)
    pulling.pull_connection(bot)
    campaign = a_campaign()
    number = int(campaign.remote_id or 0)
    sandbox.bot.edit_campaign(number, status=2, frequency=20)
    pulling.pull(bot, "campaigns")
    assert not Incident.objects.exists()
    sandbox.bot.edit_campaign(number, frequency=90)
    for _pull in range(2):
        pulling.pull(bot, "campaigns")
    incident = Incident.objects.get()
    assert (incident.kind, incident.campaign) == (Incident.Kind.CHANGED, campaign)
    assert "90" in incident.summary


def test_never_two_runs_of_one_stream(bot: BotConnection) -> None:
    state = pulling.ensure_streams(bot)[0]
    with pulling.running(state), pytest.raises(pulling.Busy):
        pulling.pull(bot, state.stream)
    assert pulling.pull(bot, state.stream).status == Status.OK


def test_what_is_due(bot: BotConnection) -> None:
    pulling.ensure_streams(bot)
    now = timezone.now()
    assert {stream for _pk, stream, _mode in pulling.due_streams(now)} == set(pulling.STREAMS)
    BotStreamState.objects.update(last_started_at=now)
    assert pulling.due_streams(now + timedelta(seconds=59)) == []
    assert pulling.due_streams(now + timedelta(seconds=60)) == [(bot.pk, "campaigns", "complete")]
    soon = {stream for _pk, stream, _mode in pulling.due_streams(now + timedelta(seconds=300))}
    assert soon == {"campaigns", "calls", "dnc"}


def test_a_refused_login_waits_for_a_person(bot: BotConnection) -> None:
    bot.credentials = {"username": "sandbox", "password": "falsch"}
    bot.save()
    pulling.ensure_streams(bot)
    run = pulling.pull(bot, "gateways")
    assert (run.status, bot.health.needs_attention) == (Status.FAILED, True)
    assert "falsch" not in run.error
    assert pulling.due_streams(timezone.now()) == []
