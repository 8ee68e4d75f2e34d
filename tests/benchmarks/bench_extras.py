"""Filters by custom fields, and the same person across CRMs, at scale.

DATABASE_URL=… python -m tests.benchmarks.bench_extras --fill 1000000
DATABASE_URL=… python -m tests.benchmarks.bench_extras
"""

import argparse
import os
import statistics
import time
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

FIELDS = (
    (
        "size",
        "select",
        "CASE WHEN id %% 10000 = 0 THEN 'rare' WHEN id %% 3 = 0 THEN 'small' ELSE 'large' END",
    ),
    ("budget", "number", "CAST(id %% 100000 AS text)"),
    ("since", "date", "'20' || substr(CAST(10 + id %% 16 AS text), 1, 2) || '-01-15'"),
    ("nick", "text", "'nick ' || CAST(id AS text)"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fill", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=10)
    options = parser.parse_args()

    import django

    django.setup()
    if options.fill:
        from django.core.management import call_command

        from tests.benchmarks.contact_rows import settle

        call_command("migrate", verbosity=0)
        _fill_contacts(options.fill)
        _fill_fields()
        settle()
    run(options.repeat)


def _fill_contacts(count: int) -> None:
    """Contacts of four accounts by one statement a table: every tenth shares its phone with another one."""
    from django.db import connection
    from django.utils import timezone

    from crm_bridge.models import Connection
    from crm_bridge.search_index import FTS

    owners = [
        Connection.objects.get_or_create(
            name=name, defaults={"vendor": "antcrm", "base_url": "http://127.0.0.1:1"}
        )[0].pk
        for name in ("Bench", "Bench 2", "Bench 3", "Bench 4")
    ]
    lite = connection.vendor == "sqlite"
    series = (
        "(WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < %s) SELECT id FROM s)"
        if lite
        else "generate_series(1, %s)"
    )
    moment = (
        "datetime('now', '-' || (id * 7919 %% 60000000) || ' seconds')"
        if lite
        else "now() - (id::bigint * 7919 %% 60000000) * interval '1 second'"
    )
    texts = ("uid", "gender", "industry", "note", "rank_name", "raw", "content_hash", "responsible", "source")
    with connection.cursor() as cursor:
        if lite:  # search is measured elsewhere
            for event in ("insert", "update", "delete"):
                cursor.execute(f"DROP TRIGGER IF EXISTS {FTS}_{event}")
        cursor.execute(
            "INSERT INTO crm_bridge_contact (id, connection_id, family, remote_id, kind, state, name, stage,"
            " addresses, social_accounts, custom_fields, ads_history, extra, search_text, version,"
            f" touched_at, created_at, {', '.join(texts)})"
            f" SELECT id, {owners[0]} + id %% 4, 'one', CAST(id AS text), 'contact',"
            " CASE WHEN id %% 33 = 0 THEN 'trashed' ELSE 'live' END, 'Nguyen ' || id,"
            " CASE WHEN id %% 4 = 0 THEN 'New' ELSE 'Won' END, '[]', '[]', '{}', '[]', '{}',"
            f" 'nguyen ' || id, 0, {moment}, %s, {', '.join(['%s'] * len(texts))}"
            f" FROM {series} AS s{'' if lite else '(id)'}",
            [timezone.now(), *([""] * len(texts)), count],
        )
        cursor.execute(
            "INSERT INTO crm_bridge_contactphone (contact_id, position, type, value, e164, digits_reversed)"
            " SELECT id, 0, '', number, number, number FROM ("
            " SELECT id, '+849' || substr(CAST(100000000 + CASE WHEN id %% 1000 = 0 THEN 1"
            " WHEN id %% 10 = 0 THEN id - 1 ELSE id END AS text), 2) AS number"
            " FROM crm_bridge_contact) AS numbers",
            [],
        )
        cursor.execute(
            "INSERT INTO crm_bridge_contactemail (contact_id, position, type, value, address_folded)"
            " SELECT id, 0, '', 'n' || id || '@example.vn', 'n' || id || '@example.vn'"
            " FROM crm_bridge_contact WHERE id %% 3 > 0",
            [],
        )


def _fill_fields() -> None:
    from django.db import connection

    from crm_bridge.models import Connection, CustomField

    owner = Connection.objects.get(name="Bench")
    for key, kind, value in FIELDS:
        field, _made = CustomField.objects.get_or_create(
            connection=owner, key=key, defaults={"label": key.title(), "type": kind}
        )
        number = f"CAST({value} AS double precision)" if kind == "number" else "NULL"
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO crm_bridge_contactfieldvalue (field_id, contact_id, value, number)"
                f" SELECT %s, id, {value}, {number} FROM crm_bridge_contact WHERE id %% 5 <> 1",
                [field.pk],
            )


def run(repeat: int) -> None:
    from django.contrib.auth import get_user_model
    from django.core.cache import cache
    from django.db import connection
    from django.test import Client
    from django.test.utils import override_settings

    from crm_bridge.models import Contact, CustomField
    from crm_bridge.services import same_person

    user, _made = get_user_model().objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True}
    )
    cf = {field.key: f"cf{field.pk}" for field in CustomField.objects.all()}
    print(f"{connection.vendor}, {Contact.objects.count():,} contacts (ms: best, p50, worst)")
    began = time.perf_counter()
    groups = same_person.recount()
    print(
        f"{'count who shares what, first':36} {1000 * (time.perf_counter() - began):9.0f}  {groups:,} groups"
    )
    began = time.perf_counter()
    same_person.recount()
    print(f"{'count who shares what, again':36} {1000 * (time.perf_counter() - began):9.0f}")
    pk = Contact.objects.live().filter(phones__isnull=False).order_by("-pk").values_list("pk", flat=True)[7]
    pages: list[tuple[str, str]] = [
        ("first page, no filter", "/crm_bridge/contact/?size=100"),
        ("select, common", f"/crm_bridge/contact/?size=100&{cf['size']}=large"),
        ("select, rare", f"/crm_bridge/contact/?size=100&{cf['size']}=rare"),
        ("select, none", f"/crm_bridge/contact/?size=100&{cf['size']}=nobody"),
        ("number, narrow", f"/crm_bridge/contact/?{cf['budget']}_from=500&{cf['budget']}_to=500"),
        ("number, wide", f"/crm_bridge/contact/?{cf['budget']}_from=500"),
        ("date, a year", f"/crm_bridge/contact/?{cf['since']}_from=2015-01-01&{cf['since']}_to=2015-12-31"),
        ("text, begins", f"/crm_bridge/contact/?{cf['nick']}=nick+99999"),
        ("select + number", f"/crm_bridge/contact/?{cf['size']}=small&{cf['budget']}_to=3000"),
        ("select + stage + search", f"/crm_bridge/contact/?{cf['size']}=large&stage=New&q=nguyen"),
        ("last page of a select", f"/crm_bridge/contact/?{cf['size']}=large&last=1"),
        ("contact page", f"/crm_bridge/contact/{pk}/change/"),
        ("same person, first page", "/same-person/"),
        ("same person, switchboards", "/same-person/?span=switchboard"),
        ("same person, deep", "/same-person/?page=150"),
    ]
    with override_settings(ALLOWED_HOSTS=["*"]):
        client = Client()
        client.force_login(user)
        for _warm in range(3):
            client.get(pages[0][1])
        for name, address in pages:
            print(f"{name:36} {_measure(client, _routed(address), repeat)}", flush=True)
    cache.clear()


def _routed(address: str) -> str:
    from django.urls import reverse

    if address.startswith("/same-person/"):
        return reverse("crm:same_person") + address.removeprefix("/same-person/")
    return address


def _measure(client: Any, address: str, repeat: int) -> str:
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        client.get(address)
        times.append(1000 * (time.perf_counter() - started))
    return f"{min(times):9.1f} {statistics.median(times):9.1f} {max(times):9.1f}"


if __name__ == "__main__":
    main()
