"""A bot account in the sandbox with a launch that is ready to be confirmed."""

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import Permission
from django.utils import timezone

from bot_campaigns.models import (
    BotConnection,
    BotStreamState,
    CallingRules,
    Gateway,
    Launch,
    LaunchNumber,
    Section,
    Suppression,
    SurveyTemplate,
)
from bot_campaigns.services import control, handover, launching, preflight
from tests import factories
from tests.bot_campaigns.services import rows
from tests.sandbox_fixture import SandboxControl, SandboxError

ZONE = "Asia/Ho_Chi_Minh"


def connected(sandbox: SandboxControl, **fields: Any) -> BotConnection:
    """An account whose clock runs half an hour behind ours, so that its calls lie in the past."""
    sandbox.bot.switches(window_zone=ZONE)
    sandbox.bot.clock(now=_wire(datetime.now(UTC) - timedelta(minutes=30)), speed=0)
    values = {
        "name": "Bot", "vendor": "antbot", "base_url": sandbox.bot.base, "requests_per_second": 0,
        "credentials": {"username": sandbox.bot.username, "password": sandbox.bot.password},
        "vendor_zone": ZONE, "zone_confirmed_at": timezone.now(),
    }  # fmt: skip
    rows.crm()
    connection = BotConnection.objects.create(**{**values, **fields})
    BotStreamState.objects.create(connection=connection, stream="dnc_lists", last_ok_at=timezone.now())
    CallingRules.objects.create(
        connection=connection, zone=ZONE, window_start=time(0), window_end=time(23, 59, 59), type_above=1000
    )
    return connection


def _wire(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def numbers(count: int, first: int = 0) -> list[str]:
    """Numbers that stand in no phonebook of the sandbox."""
    return [f"+84{915_000_000 + first + index}" for index in range(count)]


def launch(sandbox: SandboxControl, connection: BotConnection, e164s: list[str], **fields: Any) -> Launch:
    """A checked launch with these numbers to dial."""
    there = sandbox.bot.rows("template")[0]
    template = SurveyTemplate.objects.create(
        connection=connection, remote_id=str(there["id"]), name=there["name"]
    )
    Section.objects.create(connection=connection, remote_id="1", template=template, question="Chào", order=1)
    active = next(row for row in sandbox.bot.rows("gateway") if row["status"] == 1)
    gateway = Gateway.objects.create(
        connection=connection, remote_id=str(active["id"]), name=active["name"], is_enabled=True
    )
    now = timezone.now()
    values = {
        "connection": connection, "code": launching.new_code(), "name": "Ưu đãi", "audience": "contacts",
        "template": template, "gateway": gateway, "frequency": 10,
        "starts_at": now - timedelta(hours=2), "expires_at": now + timedelta(days=2),
        "daily_start": time(0), "daily_stop": time(23, 59, 59),
    }  # fmt: skip
    row = Launch.objects.create(**{**values, **fields})
    LaunchNumber.objects.bulk_create(
        [LaunchNumber(launch=row, number=each, e164=each, name="Nguyễn An", verdict="dial") for each in e164s]
    )
    return recheck(row)


def recheck(row: Launch) -> Launch:
    """The launch as checked this very moment, with the numbers it has."""
    rules = CallingRules.objects.get(connection=row.connection)
    row.refresh_from_db()
    Launch.objects.filter(pk=row.pk).update(
        status=Launch.Status.CHECKED,
        checked_at=timezone.now(),
        counts=preflight.count(row),
        proof={"form": preflight._fingerprint(row), "rules": preflight._snapshot(rules)},
    )
    row.refresh_from_db()
    return row


def manager() -> Any:
    user = factories.user()
    user.user_permissions.set(Permission.objects.filter(codename__in=("launch_campaign", "stop_campaign")))
    return type(user).objects.get(pk=user.pk)


def handed_over(row: Launch, by: Any, *, start: bool = False) -> Launch:
    """Confirmed and handed over; started too where wanted."""
    launching.confirm(row, by=by, start=start)
    assert handover.hand_over(row.pk) == Launch.Status.READY
    row.refresh_from_db()
    return row


def work(campaign: Any) -> str:
    """One attempt at the newest command, as a worker makes it when it is due."""
    command = campaign.commands.order_by("-pk").first()
    type(command).objects.filter(pk=command.pk, lease_until=None).update(
        not_before=timezone.now() - timedelta(seconds=1)
    )
    control.send_one(command.pk)
    command.refresh_from_db()
    return str(command.status)


def told(sandbox: SandboxControl) -> list[int]:
    """The commands that AntBOT applied, as numbers, oldest first."""
    return [
        each["body"]["status"] for each in sandbox.bot.writes() if each["operation"] == "campaigns.status"
    ]


def check_ledger(sandbox: SandboxControl) -> int:
    """No campaign of ours called a number twice, or one that was suppressed before or withdrawn.

    The sandbox's own ledger is the witness. Returns how many calls were looked at.
    """
    launches = {
        each.campaign.remote_id: each
        for each in Launch.objects.filter(campaign__isnull=False).select_related("campaign")
        if each.campaign is not None
    }
    looked = 0
    for remote_id, row in launches.items():
        try:
            rung = [each["e164"] for each in sandbox.bot.ledger(campaign=str(remote_id))]
        except SandboxError:
            continue  # of another test's sandbox, or deleted there
        looked += len(rung)
        twice = [number for number, count in Counter(rung).items() if count > 1]
        assert not twice, f"called twice by one campaign: {twice}"
        before = Suppression.objects.standing().filter(since__lt=row.confirmed_at or row.created_at)
        silent = set(before.values_list("e164", flat=True)) & set(rung)
        assert not silent, f"called although suppressed before the launch: {silent}"
        withdrawn = LaunchNumber.objects.filter(launch=row, withdrawal=LaunchNumber.Withdrawal.DONE)
        taken_back = set(withdrawn.values_list("e164", flat=True)) & set(rung)
        assert not taken_back, f"called after it was withdrawn: {taken_back}"
    return looked
