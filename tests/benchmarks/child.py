"""One measurement in a fresh process: `python -m tests.benchmarks.child TASK JSON` prints JSON."""

import http.client
import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from backoffice.remote.walk import Position, RawPage, Walk
from tests.benchmarks.vendors import VENDORS


def pages(job: dict[str, Any], since: str = "") -> Iterator[bytes]:
    """Every page of the vendor's list by the plainest client there is."""
    vendor = VENDORS[job["vendor"]]
    connection = http.client.HTTPConnection(urlsplit(job["url"]).netloc)

    def get(target: str) -> bytes:
        connection.request("GET", target, headers=dict(vendor.headers))
        return connection.getresponse().read()

    return vendor.pages(get, since)


def fetch(job: dict[str, Any]) -> dict[str, Any]:
    """R0: bytes only; F0: parsed and thrown away."""
    parse, rows_of = orjson.loads if job["parse"] else len, VENDORS[job["vendor"]].rows
    count = size = rows = 0
    started, cpu = time.perf_counter(), time.process_time()
    for body in pages(job, job.get("since", "")):
        parsed = parse(body)
        rows += rows_of(parsed) if job["parse"] else 0
        count, size = count + 1, size + len(body)
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "pages": count,
        "bytes": size,
        "rows": rows,
    }


def set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()


def connection_row(job: dict[str, Any]) -> Any:
    from crm_bridge.models import Connection

    vendor = VENDORS[job["vendor"]]
    row = Connection.objects.filter(name="bench").first()
    if row is None:
        row = Connection(name="bench", vendor=vendor.name, credentials=dict(vendor.credentials))
    row.base_url = job["url"] + vendor.path
    row.requests_per_second, row.parallel_requests = 0, job["parallel"]
    row.save()
    return row


def migrate(job: dict[str, Any]) -> dict[str, Any]:
    """An empty database with the product's tables and indexes."""
    set_up()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
    return {}


def whole(walks: Sequence[Walk]) -> Iterator[tuple[Walk, RawPage]]:
    """Every page of walks, one after the other."""
    for walk in walks:
        position: Position | None = walk.first
        while position is not None:
            page = walk.split(walk.fetch(position))
            yield walk, page
            following = int(position) + 1 if walk.numbered else page.next
            position = following if page.items and not page.ended else None


def write(job: dict[str, Any]) -> dict[str, Any]:
    """W0: rows prepared beforehand, written by the product's bulk writer, nothing else."""
    set_up()
    from django.db import transaction

    from backoffice.sync.bulk import bulk
    from crm_bridge.connectors.base import Stream
    from crm_bridge.services.connecting import connect_to
    from crm_bridge.services.contact_rows import ContactRows, prepare

    connection = connection_row(job)
    connector = connect_to(connection)
    writer = bulk()
    rows = ContactRows(connection.pk, writer)
    batch: list[Any] = []
    seconds, count = 0.0, 0

    def flush() -> None:
        nonlocal seconds, count
        started = time.perf_counter()
        with transaction.atomic():
            rows.write(batch, {})
        seconds += time.perf_counter() - started
        count += len(batch)
        batch.clear()

    for walk, page in whole(connector.walks(Stream.CONTACTS)):
        for item in page.items:
            if item.remote_id:
                try:
                    record = walk.read(item)
                    raw = orjson.dumps(item.raw)
                    batch.append(prepare(connection.pk, record, raw, "0" * 32, writer))
                except ValueError:
                    continue  # what the product would set aside
        if len(batch) >= 1000:
            flush()
    flush()
    return {"seconds": seconds, "rows": count}


def pull(job: dict[str, Any]) -> dict[str, Any]:
    """The product's pull of the contacts stream, as a worker does it."""
    set_up()
    from django.db import connection as database

    from crm_bridge.services.connecting import connect_to
    from crm_bridge.services.pull import pull as run_pull

    connection = connection_row(job)
    connect_to(connection).close()  # a worker has loaded its code before
    if job.get("warm"):
        run_pull(connection, "contacts", mode=job["mode"])
    writes: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "crm_bridge_contact" in sql and sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            writes.append(sql)
        return execute(sql, params, many, context)

    started, cpu = time.perf_counter(), time.process_time()
    with database.execute_wrapper(watch):
        run = run_pull(connection, "contacts", mode=job["mode"])
    seconds = time.perf_counter() - started
    if run.status != "ok":
        raise SystemExit(f"the pull ended {run.status}: {run.error}")
    return {
        "seconds": seconds,
        "cpu": time.process_time() - cpu,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "write_statements": len(writes),
        "since": str(run.details.get("since", "")),
        **{
            name: getattr(run, name)
            for name in ("seen", "created", "changed", "unchanged", "rejected", "pages")
        },
        "requests": run.requests,
        "settled": run.settled,
    }


TASKS = {"fetch": fetch, "migrate": migrate, "write": write, "pull": pull}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](json.loads(sys.argv[2]))))
