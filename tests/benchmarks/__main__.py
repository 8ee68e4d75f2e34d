"""`python -m tests.benchmarks [SUITE …]`: our figures beside the floors of this machine.

pull      the pull against its floors (G1 to G7), per vendor and database
lists     the contact pages beside a stock changelist (G8 to G12), per database
handover  10,000 numbers handed over to the bot against the bare bulk calls, per database
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import bench_handover, bench_pull
from tests.benchmarks.vendors import VENDORS
from tests.sandbox_fixture import ROOT

DATABASES = ("sqlite", "postgresql")
RESULTS = Path(__file__).parent / "results"


def pull(flags: argparse.Namespace) -> None:
    """G1 to G7."""
    only = {goal for goal in flags.only.upper().split(",") if goal}
    bench_pull.main(flags.contacts, flags.vendors, flags.databases, only, _command())


def lists(flags: argparse.Namespace) -> None:
    """G8 to G12, in a database filled for it."""
    pages = []
    for kind in flags.databases:
        with bench_pull.empty_database(kind) as url:
            command = [sys.executable, "-m", "tests.benchmarks.bench_lists", "--fill", str(flags.rows)]
            environment = {**os.environ, "DATABASE_URL": url, "LOG_LEVEL": "WARNING"}
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
        print(done.stdout, flush=True)
        pages.append(done.stdout)
    (RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-lists.txt").write_text("\n".join(pages), encoding="utf-8")


def handover(flags: argparse.Namespace) -> None:
    """The hand-over of a launch."""
    bench_handover.main(list(flags.databases), _command())


def _command() -> str:
    return " ".join(["python -m tests.benchmarks", *sys.argv[1:]])


SUITES: dict[str, Callable[[argparse.Namespace], None]] = {
    "pull": pull,
    "lists": lists,
    "handover": handover,
}


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"{', '.join(SUITES)}; default all")
    parser.add_argument("--database", dest="databases", choices=(*DATABASES, "both"), default="both")
    parser.add_argument("--vendor", dest="vendors", choices=(*VENDORS, "all"), default="all")
    parser.add_argument("--contacts", type=int, default=100_000, help="pull: how many the vendor holds")
    parser.add_argument("--only", default="", help="pull: goals, as G1,G3")
    parser.add_argument("--rows", type=int, default=1_000_000, help="lists: how many the mirror holds")
    flags = parser.parse_args()
    if unknown := set(flags.suites) - SUITES.keys():
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")
    flags.databases = DATABASES if flags.databases == "both" else (flags.databases,)
    flags.vendors = tuple(VENDORS) if flags.vendors == "all" else (flags.vendors,)
    for name in flags.suites or SUITES:
        SUITES[name](flags)


if __name__ == "__main__":
    main()
