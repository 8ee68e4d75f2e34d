"""10,000 numbers handed over to the bot, against the bare bulk calls that carry them.

The floor is the plainest client there is, logged in, on one connection, sending the same
hundred numbers at a time; measured in the same minute against the same sandbox. Goal: at
most 1.2 times that, with everything a hand-over does besides: the phonebook and campaign
found and made, each number held against the rules once more, every step written down.
"""

import http.client
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.bench_pull import SEED, empty_database
from tests.sandbox_fixture import ROOT, SandboxControl, start_sandbox, stop_sandbox

NUMBERS = 10_000
CHUNK = 100
LATENCIES = (20, 50, 100)
MOST = 1.2
ROUNDS = 3


def phones(count: int) -> list[str]:
    """Numbers that stand in no phonebook of the sandbox."""
    return [f"+84{915_000_000 + index}" for index in range(count)]


def bare(job: dict[str, Any]) -> dict[str, Any]:
    """Only the bulk calls; login and phonebook are there before the clock starts."""
    address = urlsplit(job["url"])
    connection = http.client.HTTPConnection(address.netloc)

    def post(path: str, body: Any, token: str = "") -> Any:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("POST", f"/antbot/rest-api{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise SystemExit(f"{path}: {answer.status} {text[:200]!r}")
        return json.loads(text)

    login = post("/get-token/", {"username": job["username"], "password": job["password"]})
    token = next(str(login[name]) for name in ("access_token", "access", "token") if name in login)
    book = post("/phonebook/", {"name": "bare", "description": ""}, token)
    contacts = [
        {"contact": "0" + number[3:], "first_name": "An", "last_name": "Nguyễn", "status": 1}
        for number in phones(job["numbers"])
    ]
    started = time.perf_counter()
    for first in range(0, len(contacts), CHUNK):
        body = {"phonebook": book["id"], "contacts": contacts[first : first + CHUNK]}
        post("/bulkcontact/", body, token)
    return {"seconds": time.perf_counter() - started}


def prepare(job: dict[str, Any]) -> dict[str, Any]:
    """An account and a launch that was checked and confirmed."""
    set_up()
    from bot_campaigns.services import launching
    from tests.flows import bot as flow

    sandbox = SandboxControl(job["url"])
    row = flow.launch(sandbox, flow.connected(sandbox), phones(job["numbers"]))
    launching.confirm(row, by=flow.manager(), typed=str(job["numbers"]), start=False)
    return {"launch": row.pk}


def hand_over(job: dict[str, Any]) -> dict[str, Any]:
    """The whole hand-over, as a worker does it."""
    set_up()
    from bot_campaigns.models import Launch
    from bot_campaigns.services import connecting, handover
    from bot_campaigns.services.preflight import rules_of

    row = Launch.objects.select_related("connection").get(pk=job["launch"])
    connecting.connect_to(row.connection).close()  # a worker has loaded its code before
    rules_of(row.connection)
    started, cpu = time.perf_counter(), time.process_time()
    status = handover.hand_over(row.pk)
    seconds = time.perf_counter() - started
    row.refresh_from_db()
    if status != Launch.Status.READY or row.handed_over != job["numbers"]:
        raise SystemExit(f"the hand-over ended {status!r} with {row.handed_over} numbers: {row.words}")
    return {"seconds": seconds, "cpu": time.process_time() - cpu}


def set_up() -> None:
    from backoffice.sync import bell
    from tests.benchmarks.child import set_up as django

    django()
    bell.ring = lambda *_ids, on: None  # type: ignore[assignment]  nobody listens here


TASKS = {"bare": bare, "prepare": prepare, "hand_over": hand_over}


def child(task: str, database: str = "", **job: Any) -> dict[str, Any]:
    """Run one measurement in a fresh process."""
    import os
    import subprocess

    environment = {**os.environ, "LOG_LEVEL": "WARNING"} | ({"DATABASE_URL": database} if database else {})
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_handover", task, json.dumps(job)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{task} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured(sandbox: SandboxControl, kind: str, latency: int, numbers: int) -> tuple[float, float]:
    """(floor, hand-over) in seconds: the best of a few rounds, taken in turns."""
    job = {"url": sandbox.url, "numbers": numbers}
    login = {"username": sandbox.bot.username, "password": sandbox.bot.password}
    floors, times = [], []
    with empty_database(kind) as url:
        for _round in range(ROUNDS):
            sandbox.reset(seed=SEED, contacts=10)
            sandbox.latency(latency)
            floors.append(child("bare", **job, **login)["seconds"])
            sandbox.reset(seed=SEED, contacts=10)
            with_launch = child("prepare", url, **job)
            sandbox.latency(latency)
            times.append(child("hand_over", url, **job, **with_launch)["seconds"])
            sandbox.latency(0)
            child("clear", url)
    return min(floors), min(times)


def clear(job: dict[str, Any]) -> dict[str, Any]:
    """The database as before, for the next round."""
    set_up()
    from django.core.management import call_command

    call_command("flush", verbosity=0, interactive=False)
    return {}


TASKS["clear"] = clear


def main(databases: list[str], command: str, numbers: int = NUMBERS) -> None:
    """Measure, print, and write the page."""
    process, sandbox = start_sandbox("--seed", str(SEED), "--contacts", "10")
    lines = [
        f"# Hand-over benchmark, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "",
        f"{numbers:,} numbers, {CHUNK} a call, seed {SEED}, best of {ROUNDS}, command `{command}`.",
        "The floor is the bare bulk calls of the same minute; goal: at most 1.2 times that.",
        "",
        "| latency | database | bare bulk calls | hand-over | ratio |",
        "|---|---|---|---|---|",
    ]
    try:
        for latency in LATENCIES:
            for kind in databases:
                floor, seconds = measured(sandbox, kind, latency, numbers)
                ratio = seconds / floor
                lines.append(
                    f"| {latency} ms | {kind} | {floor:.2f} s | {seconds:.2f} s |"
                    f" {ratio:.2f} (goal ≤ {MOST}) {'✓' if ratio <= MOST else '✗'} |"
                )
                print(lines[-1], flush=True)
    finally:
        stop_sandbox(process)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    name = f"{datetime.now(UTC):%Y-%m-%d-%H%M}-handover.md"
    (results / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](json.loads(sys.argv[2]))))
