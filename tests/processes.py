"""Real processes of the product for tests: same database as the test, own files, own broker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


def environment(var: Path, **changes: str) -> dict[str, str]:
    """What a process needs to work on the database of the running test."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "VAR_DIR": str(var),
        "DATABASE_URL": database_url(),
        "LOG_LEVEL": "INFO",
        **changes,
    }


def database_url() -> str:
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    login = known["USER"] + (f":{known['PASSWORD']}" if known["PASSWORD"] else "")
    return f"postgres://{login}@{known['HOST']}:{known['PORT'] or 5432}/{known['NAME']}"


@contextmanager
def worker(var: Path, *flags: str, **changes: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker; its output is in ``var/worker.log``."""
    command = [
        sys.executable, "-m", "celery", "-A", "backoffice", "worker", "-P", "threads", "-c", "2",
        "--without-gossip", "--without-mingle", "--without-heartbeat", *flags,
    ]  # fmt: skip
    with (var / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment(var, **changes),
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def run(var: Path, lines: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    """Run Python lines in a process of their own, with Django set up."""
    return subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{lines}"],
        env=environment(var, **changes),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def until(true: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for something to become true; its last value otherwise."""
    deadline = time.monotonic() + seconds
    while not (value := true()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return value
