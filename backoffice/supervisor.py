"""Runs a few child processes as one: any ends, all end; Ctrl-C leaves nothing behind."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

PATIENCE = 10.0


class Supervisor:
    """``with Supervisor() as all: all.start(…); all.wait()``. Leaving the block stops every child."""

    def __init__(self) -> None:
        self.children: dict[str, subprocess.Popen[str]] = {}
        self.stopping = threading.Event()

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, *_: Any) -> None:
        if self.stopping.is_set():  # asked twice: now
            self._signal_groups(signal.SIGKILL)
            return
        self.stopping.set()
        raise KeyboardInterrupt

    def start(
        self, name: str, command: Sequence[str], heard: Callable[[str], None] = print, **options: Any
    ) -> None:
        """Start a child in a session of its own; ``heard`` gets each line it writes."""
        child = subprocess.Popen(  # noqa: S603  our own commands, no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            errors="replace", start_new_session=True, preexec_fn=_end_with_parent, **options,
        )  # fmt: skip
        self.children[name] = child
        threading.Thread(target=_relay, args=(child, heard), daemon=True).start()

    def wait(self) -> str:
        """Block until a child ends by itself; returns its name."""
        while True:
            for name, child in self.children.items():
                if child.poll() is not None:
                    return name
            time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for child in self.children.values():  # the leader only: it knows its own children
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + PATIENCE
        for child in self.children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
        self._signal_groups(signal.SIGKILL)

    def _signal_groups(self, number: int) -> None:
        for child in self.children.values():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)


def _relay(child: "subprocess.Popen[str]", heard: Callable[[str], None]) -> None:
    for line in child.stdout or ():
        heard(line.rstrip("\n"))


def _end_with_parent() -> None:
    """Linux: a killed supervisor takes its children along."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
