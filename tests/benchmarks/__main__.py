"""`python -m tests.benchmarks`: the pull against its floors, on both databases."""

import argparse
import sys

from tests.benchmarks import bench_handover, bench_pull


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--only", default="", help="goals, as G1,G3")
    parser.add_argument("--suite", choices=("pull", "handover"), default="pull")
    flags = parser.parse_args()
    databases = ["sqlite", "postgresql"] if flags.database == "both" else [flags.database]
    only = {goal for goal in flags.only.upper().split(",") if goal}
    if flags.suite == "handover":
        bench_handover.main(databases, " ".join(["python -m tests.benchmarks", *sys.argv[1:]]))
        return
    bench_pull.main(flags.contacts, databases, only, " ".join(["python -m tests.benchmarks", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
