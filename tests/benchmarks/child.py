"""One measurement in a fresh process: `python -m tests.benchmarks.child TASK JSON` prints JSON."""

import http.client
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson

FAMILIES = ("lead", "customer")


def pages(url: str, key: str, extra: str = "") -> Iterator[bytes]:
    """Every page of both lists by the plainest client there is, until an empty one."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc)
    for family in FAMILIES:
        for page in range(1, 1_000_000):
            target = f"{address.path}/antcrm/contacts?contactType={family}&page={page}&limit=20{extra}"
            connection.request("GET", target, headers={"apikey": key})
            body = connection.getresponse().read()
            yield body
            if len(body) <= 2:
                break


def fetch(job: dict[str, Any]) -> dict[str, Any]:
    """R0: bytes only; F0: parsed and thrown away."""
    since = f"&updateAtf={job['since']}" if job.get("since") else ""
    parse = orjson.loads if job["parse"] else len
    count = size = rows = 0
    started = time.perf_counter()
    for body in pages(job["url"], job["key"], since):
        parsed = parse(body)
        rows += len(parsed) if job["parse"] else 0
        count, size = count + 1, size + len(body)
    return {"seconds": time.perf_counter() - started, "pages": count, "bytes": size, "rows": rows}


def set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()


def connection_row(job: dict[str, Any]) -> Any:
    from crm_bridge.models import Connection

    row = Connection.objects.filter(name="bench").first()
    if row is None:
        row = Connection(name="bench", vendor="antcrm", credentials={"api_key": job["key"]})
    row.base_url = f"{job['url']}/antcrm"
    row.requests_per_second, row.parallel_requests = 0, job["parallel"]
    row.save()
    return row


def migrate(job: dict[str, Any]) -> dict[str, Any]:
    """An empty database with the product's tables and indexes."""
    set_up()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
    return {}


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
    walks = connector.walks(Stream.CONTACTS)
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

    for body in pages(job["url"], job["key"]):
        for walk in walks:
            for item in walk.split(body).items:
                if item.family == walk.key and item.remote_id:
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
