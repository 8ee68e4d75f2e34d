"""The interpreter tuned for a bulk run: no cyclic collector, short turns of threads."""

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TURN = 0.0005
"""Seconds a computing thread may keep the others waiting; Python's own 0.005 is a tenth of a slow page."""

_lock = threading.Lock()
_users = 0
_usual_turn = 0.0


@contextmanager
def calm() -> Iterator[None]:
    """No cyclic collection and shorter turns meanwhile; several at once may overlap.

    The collector would walk through every record of the batch again and again, and finds
    nothing: pulled data has no cycles. And each time a fetching thread has waited for the
    network, it would wait once more until the mapping thread's turn is over.
    """
    global _users, _usual_turn
    with _lock:
        _users += 1
        if _users == 1:
            gc.freeze()
            gc.disable()
            _usual_turn = sys.getswitchinterval()
            sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                sys.setswitchinterval(_usual_turn)
                gc.enable()
                gc.unfreeze()
