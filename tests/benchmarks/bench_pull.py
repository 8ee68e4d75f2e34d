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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.vendors import VENDORS, Vendor
from tests.sandbox_fixture import ROOT, SandboxControl, start_sandbox, stop_sandbox

SEED = 7
PARALLEL = 8
LATENCY = 0.05
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
    """All figures of one vendor on one database."""

    def __init__(
        self, vendor: Vendor, kind: str, sandbox: SandboxControl, contacts: int, only: set[str]
    ) -> None:
        self.vendor, self.kind, self.sandbox = vendor, kind, sandbox
        self.contacts, self.only = contacts, only
        self.rows: list[tuple[str, str, str, str, str]] = []

    def wanted(self, *goals: str) -> bool:
        return not self.only or bool(self.only & set(goals))

    def pull(self, url: str, mode: str = "complete", **job: Any) -> dict[str, Any]:
        figures = child("pull", url, mode=mode, **self._job(), **job)
        print(
            f"  {self.vendor.name} {self.kind} {mode}: {figures['seconds']:.2f} s"
            f" ({figures['cpu']:.2f} s of CPU), {figures['rss']:.0f} MiB",
            flush=True,
        )
        return figures

    def floor(self, parse: bool, since: str = "") -> dict[str, Any]:
        return child("fetch", parse=parse, since=since, **self._job())

    def _job(self) -> dict[str, Any]:
        return {"vendor": self.vendor.name, "url": self.sandbox.url, "parallel": PARALLEL}

    def add(self, goal: str, what: str, measured: str, floor: str, ratio: float | None, most: float) -> None:
        verdict = "" if ratio is None else f"{ratio:.2f} (goal ≤ {most:g}) {'✓' if ratio <= most else '✗'}"
        self.rows.append((goal, what, measured, floor, verdict))
        print(
            f"  {goal} {self.vendor.name} {self.kind} {what}: {measured} against {floor}: {verdict}",
            flush=True,
        )

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
        self.vendor.steady(self.sandbox)

    def first_pull_over_a_slow_line(self) -> None:
        pages = self.floor(parse=False)["pages"]
        self.sandbox.latency(LATENCY * 1000)
        with empty_database(self.kind) as url:
            figures = self.pull(url)
        self.sandbox.latency(0)
        floor = pages * LATENCY / PARALLEL
        self.add(
            "G1",
            f"first pull, pages of {self.vendor.page_size}, {LATENCY * 1000:.0f} ms, {PARALLEL} connections",
            f"{figures['seconds']:.1f} s", f"L0 {floor:.1f} s", figures["seconds"] / floor, 1.15,
        )  # fmt: skip

    def at_full_speed(self) -> None:
        self.floor(parse=False)  # the sandbox writes each page once, the first time it is asked for
        raw, floor = self.floor(parse=False), self.floor(parse=True)
        parsed = floor["seconds"]
        print(f"  R0 {raw['seconds']:.2f} s, F0 {parsed:.2f} s ({floor['cpu']:.2f} s of CPU)", flush=True)
        with empty_database(self.kind) as url:
            written = child("write", url, **self._job())["seconds"]
        with empty_database(self.kind) as url:
            first = self.pull(url)
            most = 1.1 if self.kind == "postgresql" else 1.6
            self.add(
                "G2", "first pull, no latency", f"{first['seconds']:.1f} s",
                f"F0 + W0 = {parsed:.1f} + {written:.1f} s", first["seconds"] / (parsed + written), most,
            )  # fmt: skip
            again = self.pull(url)
            wrote = f"{again['write_statements']} row writes"
            self.add(
                "G3", f"unchanged second pull, {wrote}", f"{again['seconds']:.2f} s", f"F0 {parsed:.2f} s",
                again["seconds"] / parsed, 1.0,
            )  # fmt: skip
            self.vendor.shift(self.sandbox)
            shifted = self.pull(url)
            self.add(
                "G4", f"every page shifted, {shifted['changed'] + shifted['created']} rows written",
                f"{shifted['seconds']:.2f} s", f"F0 {parsed:.2f} s", shifted["seconds"] / parsed, 3.0,
            )  # fmt: skip
            edited = self.vendor.edit(self.sandbox, self.contacts // 100, SEED)
            changed = self.pull(url)
            self.add(
                "G5", f"1 % changed, {changed['changed']} rows written of {edited} edited",
                f"{changed['seconds']:.2f} s", f"F0 {parsed:.2f} s", changed["seconds"] / parsed, 3.0,
            )  # fmt: skip
            if not self.vendor.polls:
                return
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
        "| goal | vendor | database | what | measured | floor | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in series:
        lines += [
            f"| {goal} | {each.vendor.name} | {each.kind} | {' | '.join(rest)} |" for goal, *rest in each.rows
        ]
    return "\n".join(lines) + "\n"


def main(
    contacts: int, vendors: Sequence[str], databases: Sequence[str], only: set[str], command: str
) -> None:
    """Measure, print, and write the page."""
    process, sandbox = start_sandbox("--seed", str(SEED), "--contacts", "10")
    series = [Series(VENDORS[name], kind, sandbox, contacts, only) for name in vendors for kind in databases]
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
