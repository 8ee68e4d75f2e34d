"""Many made-up contacts, fast: COPY on PostgreSQL, executemany on SQLite."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection as database
from django.db import models, transaction
from django.utils import timezone

from crm_bridge.folding import fold, search_text
from crm_bridge.models import Connection, Contact, ContactEmail, ContactPhone, Tag
from crm_bridge.models.contact import ContactTag
from crm_bridge.phones import digits_reversed

FAMILY = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Phan", "Vũ", "Đặng", "Bùi", "Hồ", "Dương", "Lý"]
FAMILY_WEIGHT = [38, 12, 10, 8, 7, 6, 5, 4, 4, 3, 2, 1]
MIDDLE = ["Văn", "Thị", "Hữu", "Minh", "Quốc", "Thanh", "Công", "Ngọc", "Đức", "Xuân"]
GIVEN = ["An", "Bình", "Châu", "Dũng", "Giang", "Hạnh", "Hùng", "Khánh", "Lan", "Linh", "Mai", "Nam", "Yến"]
STAGES = ["New", "Contacted", "Qualified", "Proposal", "Won", "Lost", "Nurture"]
SOURCES = ["Facebook", "Zalo", "Website", "Referral", "Hotline", "Event"]
TAGS = {"vip": 0.08, "2026": 0.3, "hcm": 0.2, "hanoi": 0.2, "renewal": 0.1, "cold": 0.1, "rare": 0.0001}
CHUNK = 5_000


def fill(count: int, *, seed: int = 7) -> None:
    """Add ``count`` contacts of one connection; the same seed gives the same people."""
    rng = random.Random(seed)
    owner, _made = Connection.objects.get_or_create(
        name="Bench", defaults={"vendor": "antcrm", "base_url": "http://127.0.0.1:1"}
    )
    tags = {name: Tag.objects.get_or_create(connection=owner, name=name)[0].pk for name in TAGS}
    first = (Contact.objects.aggregate(last=models.Max("pk"))["last"] or 0) + 1
    now = timezone.now()
    for start in range(first, first + count, CHUNK):
        ids = range(start, min(start + CHUNK, first + count))
        rows: dict[type[models.Model], list[models.Model]] = {
            Contact: [], ContactPhone: [], ContactEmail: [], ContactTag: [],
        }  # fmt: skip
        for pk in ids:
            for row in _person(pk, owner.pk, tags, now, rng):
                rows[type(row)].append(row)
        with transaction.atomic():
            for model, batch in rows.items():
                _insert(model, batch)
    if database.vendor == "postgresql":
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence('crm_bridge_contact', 'id'), max(id))"
                " FROM crm_bridge_contact"
            )


def settle() -> None:
    """Statistics and visibility as a database has them that has been running for a while."""
    with database.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if database.vendor == "postgresql" else "ANALYZE")


def _person(
    pk: int, owner: int, tags: dict[str, int], now: Any, rng: random.Random
) -> Iterator[models.Model]:
    name = f"{rng.choices(FAMILY, FAMILY_WEIGHT)[0]} {rng.choice(MIDDLE)} {rng.choice(GIVEN)}"
    numbers = [f"9{rng.randrange(10**8):08d}" for _ in range(0 if pk % 50 == 0 else 1 + (pk % 4 == 0))]
    phones = [(_written(number, pk), f"+84{number}") for number in numbers]
    emails = [f"{fold(name).replace(' ', '.')}.{pk}@example.vn"] if pk % 3 else []
    touched = now - timedelta(seconds=rng.randrange(86_400 * 700), microseconds=rng.randrange(10**6))
    live = rng.random() < 0.97
    yield Contact(
        pk=pk, connection_id=owner, family="lead" if pk % 4 == 0 else "customer", remote_id=str(pk),
        kind=["lead", "contact", "contact", "account"][pk % 4], name=name,
        state="live" if live else "trashed", source=rng.choice(SOURCES),
        stage=rng.choices(STAGES, [30, 25, 15, 10, 8, 7, 5])[0],
        responsible=f"user{rng.randrange(25)}@example.vn", raw='{"id": 1}', touched_at=touched,
        search_text=search_text(name, phones, emails), remote_created_at=touched, remote_updated_at=touched,
    )  # fmt: skip
    for position, (value, e164) in enumerate(phones):
        yield ContactPhone(
            contact_id=pk, position=position, type="Work", value=value, e164=e164,
            digits_reversed=digits_reversed(value, e164),
        )  # fmt: skip
    for email in emails:
        yield ContactEmail(contact_id=pk, value=email, address_folded=email)
    for tag, share in TAGS.items():
        if rng.random() < share:
            yield ContactTag(contact_id=pk, tag_id=tags[tag])


def _written(number: str, pk: int) -> str:
    """A phone as people write it: five ways."""
    ways = (
        f"0{number}", f"+84{number}", f"0{number[:3]} {number[3:6]} {number[6:]}",
        f"(0{number[:2]}) {number[2:]}", f"84{number}",
    )  # fmt: skip
    return ways[pk % 5]


def _insert(model: type[models.Model], rows: list[models.Model]) -> None:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key or model is Contact]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = (
        [field.get_db_prep_save(getattr(row, field.attname), database) for field in fields] for row in rows
    )
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            with cursor.copy(f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN') as copy:
                for value in values:
                    copy.write_row(value)
        else:
            marks = ", ".join(["%s"] * len(fields))
            cursor.executemany(f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({marks})', values)
