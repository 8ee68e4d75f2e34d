"""The interpreter's settings during a bulk run, and after it."""

import gc
import sys

from backoffice.sync.calm import TURN, calm


def test_settings_come_back_when_the_last_run_ends() -> None:
    usual = sys.getswitchinterval()
    with calm():
        with calm():
            assert not gc.isenabled()
        assert not gc.isenabled()
        assert sys.getswitchinterval() < 2 * TURN < usual
    assert gc.isenabled()
    assert sys.getswitchinterval() == usual
