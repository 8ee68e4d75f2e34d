"""Parts of the bot's pull that need no vendor: what is due, who has a number, what a column takes."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from backoffice.remote.walk import Unreadable
from bot_campaigns import records, tasks
from bot_campaigns.models import BotHealth, BotStreamState, CallingRules, Campaign, Incident
from bot_campaigns.services import live, pull, remote_edits, sinks
from bot_campaigns.services.linking import owners
from bot_campaigns.services.targets import TARGETS
from tests import factories
from tests.bot_campaigns.services import rows

pytestmark = pytest.mark.django_db

NOW = (timezone.now() + timedelta(days=7 - timezone.now().weekday())).replace(
    hour=3, minute=0, second=0, microsecond=0
)  # the coming Monday, ten o'clock in Vietnam: what is held against the rules lies ahead
PHONE = {"phones": [{"value": "0912 000 222"}]}


def campaign(**fields: Any) -> Campaign:
    """A campaign that keeps the rules."""
    defaults = {
        "name": "Chiến dịch", "remote_id": "7", "reported_status": 1, "reported_at": NOW, "frequency": 10,
        "starts_at": NOW, "expires_at": NOW + timedelta(days=2), "daily_start": time(1, 30),
        "daily_stop": time(9, 30),
    }  # fmt: skip
    connection = fields.pop("connection", None) or rows.bot(vendor_zone="UTC")
    return Campaign.objects.create(connection=connection, **{**defaults, **fields})


# --- whose number it is ------------------------------------------------------------------


def test_a_live_contact_has_the_number_and_of_several_the_one_touched_last() -> None:
    crm = factories.connection()
    made = [factories.contact(crm, values=PHONE, state=state) for state in ("live", "live", "trashed")]
    for contact, days in zip(made, (1, 2, 0), strict=True):
        type(contact).objects.filter(pk=contact.pk).update(touched_at=NOW - timedelta(days=days))
    assert owners(["+84912000222", "+84912000999", ""]) == {"+84912000222": made[0].pk}
    type(made[0]).objects.filter(pk__in=[made[0].pk, made[1].pk]).update(state="merged")
    assert owners(["+84912000222"]) == {"+84912000222": made[0].pk}
    type(made[0]).objects.filter(pk__in=[made[0].pk, made[1].pk]).update(state="trashed")
    assert owners(["+84912000222"]) == {"+84912000222": made[2].pk}


# --- what a column takes -----------------------------------------------------------------


def test_values_fit_their_columns() -> None:
    values = TARGETS["calls"].values(records.Call("1", number="0\0" + "9" * 500, duration=None, leg=None))
    assert (len(values["number"]), values["number"][:2], values["duration"], values["leg"]) == (
        120,
        "09",
        0,
        1,
    )
    contact = records.BotContact("1", "2", "0912", active=None, variables={"a\0": ["b\0", {"c": "\0"}]})
    values = TARGETS["contacts"].values(contact)
    assert (values["is_enabled"], values["additional_vars"]) == (True, {"a": ["b", {"c": ""}]})


@pytest.mark.parametrize(
    ("family", "record", "words"),
    [
        ("calls", records.Call("1", duration=2**31), "duration"),
        ("calls", records.Call("1", talk_seconds=-1), "billsec"),
        ("campaigns", records.Campaign("1", "x", status=2**40), "reported_status"),
        ("contacts", records.BotContact("1", "", "0912"), "names no phonebook"),
        ("contacts", records.Phonebook("1", "x"), "not a BotContact"),
    ],
)
def test_what_cannot_be_kept_is_unreadable(family: str, record: Any, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        TARGETS[family].values(record)


def test_every_column_of_a_target_exists() -> None:
    for target in TARGETS.values():
        names = {each.name for each in target.model._meta.get_fields()}
        assert {*target.columns, *target.parents} <= names


# --- remote edits ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"frequency": 61}, "61 calls a minute"),
        ({"expires_at": NOW - timedelta(days=1)}, "ends before it starts"),
        ({"daily_start": time(9), "daily_stop": time(1)}, "cross midnight"),
        ({"daily_start": time(0, 59)}, "outside 08:00–17:00"),
        ({"daily_stop": time(9, 59, 30)}, "outside 08:00–17:00"),
        ({"starts_at": None}, "no dates"),
    ],
)
def test_an_edit_against_the_rules_is_recorded_once(edit: dict[str, Any], words: str) -> None:
    before = campaign()
    after = Campaign.objects.get(pk=before.pk)
    for name, value in edit.items():
        setattr(after, name, value)
    found = {remote_edits.check(after, before) for _again in range(2)}
    assert found == {Incident.objects.get()}
    assert words in Incident.objects.get().summary


@pytest.mark.parametrize(
    "edit",
    [
        {"frequency": 60},
        {"daily_start": time(1), "daily_stop": time(9, 58, 59)},
        {"expires_at": NOW + timedelta(days=9)},
        {"frequency": 90, "reported_status": 4},
        {"name": "Tên mới"},
    ],
)
def test_an_edit_within_the_rules_is_none_of_our_business(edit: dict[str, Any]) -> None:
    before = campaign()
    after = Campaign.objects.get(pk=before.pk)
    for name, value in edit.items():
        setattr(after, name, value)
    assert remote_edits.check(after, before) is None


def test_what_was_broken_before_is_not_news() -> None:
    before = campaign(frequency=90)
    after = Campaign.objects.get(pk=before.pk)
    after.expires_at = NOW + timedelta(days=3)
    assert remote_edits.check(after, before) is None
    assert remote_edits.broken(after, CallingRules(connection=after.connection), NOW)


# --- one report --------------------------------------------------------------------------


def test_an_older_answer_changes_nothing() -> None:
    row = campaign(desired="pause")
    shown = records.Campaign("7", "Tên mới", status=3, frequency=10)
    assert sinks.report(row, shown, NOW - timedelta(seconds=1)).reported_status == 1
    stored = sinks.report(row, shown, NOW + timedelta(seconds=1))
    assert (stored.reported_status, stored.name, stored.desired) == (3, "Tên mới", "pause")
    assert stored.reported_at == NOW + timedelta(seconds=1)


# --- what is due -------------------------------------------------------------------------


def test_only_dialling_and_just_commanded_campaigns_are_polled() -> None:
    now = timezone.now()
    row = campaign()
    assert live.due_polls(now) == [row.pk]
    for changes in ({"reported_status": 2}, {"gone_at": now}, {"remote_id": None}):
        kept = {name: getattr(row, name) for name in changes}
        Campaign.objects.filter(pk=row.pk).update(**changes)
        assert live.due_polls(now) == []
        Campaign.objects.filter(pk=row.pk).update(**kept)
    Campaign.objects.filter(pk=row.pk).update(reported_status=9, desired_at=now - timedelta(minutes=9))
    assert live.due_polls(now) == [row.pk]
    assert live.due_polls(now + timedelta(minutes=2)) == []
    Campaign.objects.filter(pk=row.pk).update(desired_at=now)
    state = BotStreamState.objects.create(
        connection=row.connection, stream=f"live-{row.pk}", every=12, last_started_at=now
    )
    assert live.due_polls(now + timedelta(seconds=11)) == []
    assert live.due_polls(now + timedelta(seconds=13)) == [row.pk]
    BotStreamState.objects.filter(pk=state.pk).update(lease_until=now + timedelta(minutes=1))
    assert live.due_polls(now + timedelta(seconds=13)) == []


def test_a_switched_off_or_broken_connection_is_left_alone() -> None:
    row = campaign()
    pull.ensure_streams(row.connection)
    health = BotHealth.objects.create(connection=row.connection, needs_attention=True)
    assert (pull.due_streams(timezone.now()), live.due_polls(timezone.now())) == ([], [])
    health.delete()
    assert pull.due_streams(timezone.now())
    type(row.connection).objects.update(is_active=False)
    assert (pull.due_streams(timezone.now()), live.due_polls(timezone.now())) == ([], [])


def test_a_ring_that_comes_late_does_nothing() -> None:
    row = campaign(reported_status=2)
    assert tasks.poll_campaign(row.pk) == {"skipped": "not due"}
    pull.ensure_streams(row.connection)
    BotStreamState.objects.update(last_started_at=timezone.now())
    assert tasks.pull_stream(row.connection_id, "campaigns", "complete") == {"skipped": "not due"}


@pytest.mark.django_db(transaction=True)
def test_nobody_answering_is_told_by_the_run() -> None:
    row = campaign()
    row.connection.credentials = {"username": "sandbox", "password": "x"}
    row.connection.save()
    run = pull.pull(row.connection, "gateways")
    assert run.status in (run.Status.INCOMPLETE, run.Status.FAILED)
    assert run.error
    assert pull.pull(row.connection, "dnc").error
