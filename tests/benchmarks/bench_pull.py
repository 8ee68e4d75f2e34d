"""Speed and memory of the pull against the floors of the same machine in the same run.

Goals G1–G7 of the design: every figure is a ratio to a floor measured minutes before it.
"""

import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.sandbox_fixture import ROOT, SandboxControl, start_sandbox, stop_sandbox

SEED = 7
PARALLEL = 8
LATENCY = 0.05
PAGE = 20
POSTGRES = os.environ.get("BENCH_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
BENCH_NAME = "backoffice_bench"


def child(task: str, database: str = "", **job: Any) -> dict[str, Any]:
    """Run one measurement in a fresh process."""
    environment = {**os.environ, "DATABASE_URL": database} if database else dict(os.environ)
    environment["LOG_LEVEL"] = "WARNING"
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.child", task, json.dumps(job)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{task} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def empty_database(kind: str) -> Iterator[str]:
    """A migrated database for one series, gone afterwards; yields its URL."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            url = f"sqlite:///{folder}/bench.sqlite3"
            child("migrate", url)
            yield url
        return
    import psycopg

    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {BENCH_NAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {BENCH_NAME}")
        try:
            url = POSTGRES.rpartition("/")[0] + f"/{BENCH_NAME}"
            child("migrate", url)
            yield url
        finally:
            admin.execute(f"DROP DATABASE IF EXISTS {BENCH_NAME} WITH (FORCE)")


class Series:
    """All figures of one database."""

    def __init__(self, kind: str, sandbox: SandboxControl, contacts: int, only: set[str]) -> None:
        self.kind, self.sandbox, self.contacts, self.only = kind, sandbox, contacts, only
        self.rows: list[tuple[str, str, str, str, str]] = []

    def wanted(self, *goals: str) -> bool:
        return not self.only or bool(self.only & set(goals))

    def pull(self, url: str, mode: str = "complete", **job: Any) -> dict[str, Any]:
        figures = child("pull", url, mode=mode, **self._job(), **job)
        print(f"  {self.kind} {mode}: {figures['seconds']:.2f} s, {figures['rss']:.0f} MiB", flush=True)
        return figures

    def floor(self, parse: bool, since: str = "") -> dict[str, Any]:
        return child("fetch", parse=parse, since=since, **self._job())

    def _job(self) -> dict[str, Any]:
        return {"url": self.sandbox.url, "key": self.sandbox.key, "parallel": PARALLEL}

    def add(self, goal: str, what: str, measured: str, floor: str, ratio: float | None, most: float) -> None:
        verdict = "" if ratio is None else f"{ratio:.2f} (goal ≤ {most:g}) {'✓' if ratio <= most else '✗'}"
        self.rows.append((goal, what, measured, floor, verdict))
        print(f"  {goal} {self.kind} {what}: {measured} against {floor}: {verdict}", flush=True)

    def run(self) -> None:
        self.fresh_sandbox(self.contacts)
        if self.wanted("G1"):
            self.first_pull_over_a_slow_line()
        if self.wanted("G2", "G3", "G4", "G5", "G6"):
            self.at_full_speed()
        if self.wanted("G7"):
            self.memory()

    def fresh_sandbox(self, contacts: int) -> None:
        self.sandbox.reset(seed=SEED, contacts=contacts)
        self.sandbox.switches(sort="created")

    def first_pull_over_a_slow_line(self) -> None:
        pages = self.floor(parse=False)["pages"]
        self.sandbox.latency(LATENCY * 1000)
        with empty_database(self.kind) as url:
            figures = self.pull(url)
        self.sandbox.latency(0)
        floor = pages * LATENCY / PARALLEL
        self.add(
            "G1", f"first pull, limit {PAGE}, {LATENCY * 1000:.0f} ms, {PARALLEL} connections",
            f"{figures['seconds']:.1f} s", f"L0 {floor:.1f} s", figures["seconds"] / floor, 1.15,
        )  # fmt: skip

    def at_full_speed(self) -> None:
        raw, parsed = self.floor(parse=False)["seconds"], self.floor(parse=True)["seconds"]
        print(f"  R0 {raw:.2f} s, F0 {parsed:.2f} s", flush=True)
        with empty_database(self.kind) as url:
            written = child("write", url, **self._job())["seconds"]
        with empty_database(self.kind) as url:
            first = self.pull(url)
            most = 1.1 if self.kind == "postgresql" else 1.6
            floor = parsed + written
            self.add(
                "G2", "first pull, no latency", f"{first['seconds']:.1f} s",
                f"F0 + W0 = {parsed:.1f} + {written:.1f} s", first["seconds"] / floor, most,
            )  # fmt: skip
            again = self.pull(url)
            wrote = f"{again['write_statements']} row writes"
            self.add(
                "G3", f"unchanged second pull, {wrote}", f"{again['seconds']:.2f} s", f"F0 {parsed:.2f} s",
                again["seconds"] / parsed, 1.0,
            )  # fmt: skip
            for kind in ("lead", "customer"):
                self.sandbox.create(name="Người mới", contactType=kind)
            shifted = self.pull(url)
            self.add(
                "G4", f"every page shifted, {shifted['changed'] + shifted['created']} rows written",
                f"{shifted['seconds']:.2f} s", f"F0 {parsed:.2f} s", shifted["seconds"] / parsed, 3.0,
            )  # fmt: skip
            edited = {
                (each.get("leadId"), each.get("customerId"))
                for each in self.sandbox.mutate(edits=self.contacts // 100, seed=SEED)
            }
            changed = self.pull(url)
            self.add(
                "G5", f"1 % changed, {changed['changed']} rows written of {len(edited)} edited",
                f"{changed['seconds']:.2f} s", f"F0 {parsed:.2f} s", changed["seconds"] / parsed, 3.0,
            )  # fmt: skip
            since = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
            network = self.floor(parse=False, since=since)["seconds"]
            poll = self.pull(url, "incremental", warm=True)
            extra = max(0.0, poll["seconds"] - network) / max(1, poll["seen"]) * 1000
            self.add(
                "G6", f"poll of {poll['seen']} seen contacts, {poll['write_statements']} row writes",
                f"{poll['seconds']:.2f} s", f"network {network:.2f} s",
                extra / 0.1, 1.0,
            )  # fmt: skip

    def memory(self) -> None:
        peaks = []
        for contacts in (self.contacts // 10, self.contacts):
            self.fresh_sandbox(contacts)
            with empty_database(self.kind) as url:
                peaks.append(self.pull(url)["rss"])
        self.add(
            "G7", f"peak memory at {self.contacts:,} contacts", f"{peaks[1]:.0f} MiB",
            f"at {self.contacts // 10:,}: {peaks[0]:.0f} MiB", peaks[1] / peaks[0], 1.15,
        )  # fmt: skip


def report(series: list[Series], contacts: int, command: str) -> str:
    """The results as a page for the results folder."""
    import django
    import psycopg

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()
    lines = [
        f"# Pull benchmark, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "",
        f"{contacts:,} contacts, seed {SEED}, command `{command}`.",
        f"{os.cpu_count()} cores, {memory:.0f} GiB; load average {load[0]:.1f} at the end; "
        f"Python {platform.python_version()}, Django {django.__version__}, SQLite {sqlite3.sqlite_version}, "
        f"psycopg {psycopg.__version__}.",
        "The sandbox serves on the same machine. Times are of the pull itself, in a fresh process.",
        "",
        "| goal | database | what | measured | floor | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for each in series:
        lines += [f"| {goal} | {each.kind} | {' | '.join(rest)} |" for goal, *rest in each.rows]
    return "\n".join(lines) + "\n"


def main(contacts: int, databases: list[str], only: set[str], command: str) -> None:
    """Measure, print, and write the page."""
    process, sandbox = start_sandbox("--seed", str(SEED), "--contacts", "10")
    series = [Series(kind, sandbox, contacts, only) for kind in databases]
    try:
        for each in series:
            each.run()
    finally:
        stop_sandbox(process)
    page = report(series, contacts, command)
    print("\n" + page)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-pull.md").write_text(page, encoding="utf-8")
