"""The garbage collector kept out of a bulk run."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_users = 0


@contextmanager
def calm() -> Iterator[None]:
    """No cyclic collection meanwhile; several at once may overlap.

    The collector would walk through every record of the batch again and again, and finds
    nothing: pulled data has no cycles.
    """
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            gc.freeze()
            gc.disable()
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                gc.enable()
                gc.unfreeze()
