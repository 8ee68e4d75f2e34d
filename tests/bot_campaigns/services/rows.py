"""Rows of the campaign side for the tests of audience, pre-flight and suppression."""

import itertools
from collections.abc import Iterable, Mapping
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
from crm_bridge.models import Connection, Contact, ContactPhone, ContactTag, StreamState, Tag
from crm_bridge.services.rows import phone_rows
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


def many_people(connection: Connection, people: list[tuple[str, list[str], list[str]]]) -> list[int]:
    """(state, phones, tags) each; returns their ids in order."""
    made = Contact.objects.bulk_create(
        [
            Contact(
                connection=connection, family="lead", kind="lead", name="Khách", state=state,
                remote_id=f"many{next(_numbers)}",
            )
            for state, _phones, _tags in people
        ],
        batch_size=500,
    )  # fmt: skip
    wanted = {name for _state, _phones, names in people for name in names}
    tags = {name: Tag.objects.create(connection=connection, name=name) for name in wanted}
    values = [[{"value": phone} for phone in phones] for _state, phones, _tags in people]
    phones = [row for contact, each in zip(made, values, strict=True) for row in phone_rows(contact, each)]
    ContactPhone.objects.bulk_create(phones, batch_size=500)
    carried = [
        ContactTag(contact=contact, tag=tags[name])
        for contact, (_state, _phones, names) in zip(made, people, strict=True)
        for name in names
    ]
    ContactTag.objects.bulk_create(carried, batch_size=500)
    return [contact.pk for contact in made]


def many_bot_contacts(book: Phonebook, numbers: Iterable[str]) -> None:
    owner = {"connection": book.connection, "phonebook": book}
    kept = [BotContact(remote_id=f"b{next(_numbers)}", number=one, e164=one, **owner) for one in numbers]
    BotContact.objects.bulk_create(kept, batch_size=500)


def many_calls(connection: BotConnection, ago: Mapping[str, timedelta]) -> None:
    now = timezone.now()
    calls = [
        Call(
            connection=connection, remote_id=f"cdr{next(_numbers)}", number=one, e164=one,
            started_at=now - age,
        )
        for one, age in ago.items()
    ]  # fmt: skip
    Call.objects.bulk_create(calls, batch_size=500)


def verdicts(launch: Launch) -> list[tuple[str, str]]:
    """(number as compared, verdict) in the order of the audience."""
    return list(LaunchNumber.objects.filter(launch=launch).order_by("pk").values_list("e164", "verdict"))
