"""Messages as files, for one machine without a broker server.

Kombu's own transport writes in place: a reader may meet half a message, or half of the table
of queues that all processes share, and what it raises then ends the worker. Here a message
appears whole or not at all, one that cannot be read is passed over, and each process knows its
queues itself. The rows are the truth: the sweep finds what a lost message left behind.
"""

import logging
import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps

logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    supports_fanout = False
    """Only broadcasts need the table of queues in a file, and there are none."""
    get_table = virtual.Channel.get_table

    def _put(self, queue: Any, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # kombu names it two ways
        """Written under a name that nobody looks for, then renamed."""
        folder = Path(self.data_folder_out)
        name = f"{time.monotonic_ns() // 1_000_000}_{uuid.uuid4()}.{queue}.msg"
        unseen = folder / f"{name}.new"
        try:
            unseen.write_text(dumps(payload), encoding="utf-8")
            os.replace(unseen, folder / name)
        except OSError as error:
            raise ChannelError(f"Cannot add a message to {folder}") from error

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        while True:
            try:
                return super()._get(queue)
            except ValueError:
                logger.warning("broker: a message of queue %s cannot be read and is passed over", queue)


class Transport(filesystem.Transport):
    Channel = Channel
