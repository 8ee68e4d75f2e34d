"""The file broker: a half-written message or table never ends a worker."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from kombu import Connection, Exchange, Queue

import backoffice.celery  # noqa: F401  makes our transport known
from backoffice import file_broker

PUSH = Queue("push", Exchange("push"), routing_key="push")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "messages").mkdir()
    return tmp_path


@pytest.fixture
def broker(folder: Path) -> Iterator[Connection]:
    options: dict[str, Any] = {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
    }
    with Connection("filesystem://localhost", transport_options=options) as connection:
        yield connection


def test_our_transport_is_the_one_in_use(broker: Connection) -> None:
    assert isinstance(broker.default_channel, file_broker.Channel)


def test_a_message_that_is_half_there_is_passed_over(broker: Connection, folder: Path) -> None:
    with broker.SimpleQueue(PUSH) as queue:
        (folder / "messages" / "0_broken.push.msg").write_text('{"body": "ha', encoding="utf-8")
        queue.put({"pk": 7})
        message = queue.get(block=False)
        assert message.payload == {"pk": 7}
        message.ack()


def test_a_reader_never_meets_half_a_message(broker: Connection, folder: Path) -> None:
    """Every file that bears a message's name holds all of it, at any moment."""
    seen, stop = [], threading.Event()

    def look() -> None:
        while not stop.is_set():
            for file in (folder / "messages").glob("*.msg"):
                with suppress(FileNotFoundError):
                    seen.append(orjson.loads(file.read_bytes()))

    looker = threading.Thread(target=look)
    with broker.SimpleQueue(PUSH) as queue:
        looker.start()
        try:
            for number in range(30):
                queue.put({"pk": number, "filling": "x" * 100_000})
        finally:
            stop.set()
            looker.join()
    assert seen


def test_processes_share_no_table_that_one_could_leave_broken(broker: Connection, folder: Path) -> None:
    (folder / "control").mkdir()
    (folder / "control" / "push.exchange").write_text('[["push", "", ', encoding="utf-8")
    with broker.SimpleQueue(PUSH) as queue:
        queue.put({"pk": 1})
        assert queue.get(block=False).payload == {"pk": 1}
