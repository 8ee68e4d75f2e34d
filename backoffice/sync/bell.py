"""Ringing workers: "there is work with this id", said after commit and never waited for.

The tables are the truth and a sweep finds what a lost ring left behind, so a
ring may fail silently. It is published by a thread of its own: the request that
saved something opens no socket, whatever state the broker is in.
"""

import logging
import os
import queue
import threading
import time

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

Ring = tuple[str, tuple[int | str | None, ...], str]

REST_SECONDS = 1.0
"""After a failure: a broker that is down costs the process next to nothing."""
_CAPACITY = 10_000
_lock = threading.Lock()
_rings: "queue.Queue[Ring]" = queue.Queue(_CAPACITY)
_started_in = 0


def ring(task: str, *ids: int | str | None, on: str) -> None:
    """Start a task by name on a queue, once the open transaction is committed."""
    transaction.on_commit(lambda: _hand_over((task, ids, on)), robust=True)


def _hand_over(item: Ring) -> None:
    global _started_in, _rings
    with _lock:
        if _started_in != os.getpid():  # first ring, or a forked child without its parent's thread
            _rings = queue.Queue(_CAPACITY)
            threading.Thread(target=_publish, args=(_rings,), name="bell", daemon=True).start()
            _started_in = os.getpid()
    try:
        _rings.put_nowait(item)
    except queue.Full:
        logger.warning("bell: too many rings are waiting, leaving the rest to the sweep")


def _publish(rings: "queue.Queue[Ring]") -> None:
    while True:
        task, ids, on = rings.get()
        try:
            current_app.send_task(task, args=ids, queue=on, retry=False, ignore_result=True)
        except Exception as error:  # the broker may fail in any way; the sweep makes up for it
            logger.warning("bell: %s not rung (%s), leaving it to the sweep", task, type(error).__name__)
            time.sleep(REST_SECONDS)
