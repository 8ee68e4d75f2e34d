"""Rows of the campaign side for the tests of audience, pre-flight and suppression."""

import itertools
from datetime import datetime, time, timedelta
from typing import Any

from django.utils import timezone

from bot_campaigns.models import (
    BotConnection,
    BotContact,
    BotStreamState,
    Call,
    Campaign,
    Gateway,
    Launch,
    LaunchNumber,
    Phonebook,
    Section,
    SurveyTemplate,
)
from crm_bridge.models import Connection, StreamState
from tests import factories

_numbers = itertools.count(1)

MONDAY_TEN = datetime.fromisoformat("2026-11-23T10:00:00+07:00")


def bot(**fields: Any) -> BotConnection:
    number = next(_numbers)
    defaults = {
        "name": f"AntBOT {number}", "vendor": "antbot", "base_url": "http://127.0.0.1:1/antbot",
        "vendor_zone": "Asia/Ho_Chi_Minh", "zone_confirmed_at": timezone.now(),
    }  # fmt: skip
    connection = BotConnection.objects.create(**{**defaults, **fields})
    BotStreamState.objects.create(connection=connection, stream="dnc", last_ok_at=timezone.now())
    return connection


def crm(**fields: Any) -> Connection:
    connection = factories.connection(**fields)
    for stream in connection.capabilities.streams:
        StreamState.objects.create(connection=connection, stream=stream, last_ok_at=timezone.now())
    return connection


def template(connection: BotConnection, sections: int = 1, **fields: Any) -> SurveyTemplate:
    number = next(_numbers)
    row = SurveyTemplate.objects.create(
        **{"connection": connection, "remote_id": f"t{number}", "name": "Chào", **fields}
    )
    for order in range(sections):
        Section.objects.create(
            connection=connection, remote_id=f"s{number}.{order}", template=row, question="Chào", order=order
        )
    return row


def gateway(connection: BotConnection, **fields: Any) -> Gateway:
    defaults = {"remote_id": f"g{next(_numbers)}", "name": "Viettel", "is_enabled": True}
    return Gateway.objects.create(connection=connection, **{**defaults, **fields})


def launch(connection: BotConnection, audience: str = "contacts", **fields: Any) -> Launch:
    number = next(_numbers)
    start = timezone.now()
    defaults = {
        "code": f"code{number}", "name": f"Launch {number}", "audience": audience, "frequency": 10,
        "starts_at": start, "expires_at": start + timedelta(days=7),
        "daily_start": time(8), "daily_stop": time(17),
    }  # fmt: skip
    return Launch.objects.create(
        connection=connection,
        **{**defaults, "template": template(connection), "gateway": gateway(connection), **fields},
    )


def of(connection: BotConnection, *contacts: Any, **fields: Any) -> Launch:
    """A launch of chosen contacts."""
    return launch(connection, audience_spec={"ids": [one.pk for one in contacts]}, **fields)


def person(connection: Connection, *phones: str, **fields: Any) -> Any:
    values = {
        "phones": [{"value": phone, "type": ""} for phone in phones],
        **{name: fields.pop(name) for name in ("name", "tags", "emails") if name in fields},
    }
    return factories.contact(connection, values=values, **fields)


def campaign(connection: BotConnection, status: int | None = 1, **fields: Any) -> Campaign:
    number = next(_numbers)
    defaults = {"remote_id": f"c{number}", "name": f"Campaign {number}", "reported_status": status}
    return Campaign.objects.create(connection=connection, **{**defaults, **fields})


def phonebook(connection: BotConnection, *numbers: str, **fields: Any) -> Phonebook:
    row = Phonebook.objects.create(connection=connection, remote_id=f"p{next(_numbers)}", name="Tết")
    for number in numbers:
        bot_contact(row, number, **fields)
    return row


def bot_contact(book: Phonebook, e164: str, **fields: Any) -> BotContact:
    defaults = {"remote_id": f"b{next(_numbers)}", "number": e164, "e164": e164}
    return BotContact.objects.create(connection=book.connection, phonebook=book, **{**defaults, **fields})


def call(connection: BotConnection, e164: str, ago: timedelta, **fields: Any) -> Call:
    defaults = {
        "remote_id": f"cdr{next(_numbers)}", "number": e164, "e164": e164,
        "started_at": timezone.now() - ago, "disposition": "NOANSWER",
    }  # fmt: skip
    return Call.objects.create(connection=connection, **{**defaults, **fields})


def verdicts(launch: Launch) -> list[tuple[str, str]]:
    """(number as compared, verdict) in the order of the audience."""
    return list(LaunchNumber.objects.filter(launch=launch).order_by("pk").values_list("e164", "verdict"))
