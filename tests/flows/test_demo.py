"""The demo as a person starts it: ready soon, mirrored, and nothing left after Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.processes import ROOT, until

READY = re.compile(r"Ready: (http://127\.0\.0\.1:\d+/)")
CLEAN = {"DATABASE_URL", "CELERY_BROKER_URL", "DEBUG", "SECRET_KEY", "CREDENTIAL_KEYS", "ALLOWED_HOSTS"}
CLEAN |= {"HTTPS", "ALLOW_LOOPBACK", "LOG_LEVEL"}
pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds orphans through /proc")


class Demo:
    """One start of ``manage.py demo`` on a directory."""

    def __init__(self, var: Path, log: str) -> None:
        self.var = var
        self.log = var.parent / log
        known = {name: value for name, value in os.environ.items() if name not in CLEAN}
        known |= {"VAR_DIR": str(var), "DJANGO_SETTINGS_MODULE": "backoffice.settings"}
        command = [sys.executable, "manage.py", "demo", "--contacts", "200", "--port", "18100"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--sandbox-port", "18150"],
                cwd=ROOT,
                env=known,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def address(self) -> str:
        until(lambda: READY.search(self.said) or self.process.poll() is not None, 60)
        found = READY.search(self.said)
        assert found, self.said
        return found[1]

    def left(self) -> list[str]:
        """Processes that still belong to this demo."""
        mark, found = f"VAR_DIR={self.var}\0".encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def start(tmp_path):
    demos = []

    def make(log="demo.log"):
        demos.append(Demo(tmp_path / "var", log))
        return demos[-1]

    (tmp_path / "var").mkdir()
    yield make
    for demo in demos:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


def test_demo_is_ready_soon_ends_clean_and_starts_again(start):
    began = time.monotonic()
    first = start()
    address = first.address()
    assert time.monotonic() - began < 60
    with urllib.request.urlopen(address) as answer:
        assert answer.status == 200
        assert b"csrfmiddlewaretoken" in answer.read()
    mirrored = re.search(r"([\d,]+) contacts mirrored", until(lambda: "Ctrl-C" in first.said) and first.said)
    assert int(mirrored[1]) > 150
    for login in ("sales", "manager", "admin"):
        assert re.search(rf"  {login} +\S{{12}}\n", first.said)
    assert len(first.left()) >= 5

    beside = start(log="beside.log")
    assert beside.process.wait(60) == 1
    assert "already running" in beside.said

    assert first.end() == 0
    assert until(lambda: not first.left(), 5), first.left()
    assert first.said.rstrip().endswith("Stopped.")

    again = start(log="again.log")
    again.address()
    again.process.kill()
    again.process.wait()
    assert until(lambda: not again.left(), 20), again.left()
