"""A bot account in the sandbox, a manager, and a launch that was handed over."""

import pytest

from tests.flows import bot as flow
from tests.flows.conftest import clean_ledger  # noqa: F401  holds for these too


@pytest.fixture
def by(db):
    return flow.manager()


@pytest.fixture
def bot(sandbox, db):
    """A connection to the sandbox."""
    return flow.connected(sandbox)


@pytest.fixture
def running(sandbox, bot, by):
    """A campaign of ours that dials."""
    row = flow.handed_over(flow.launch(sandbox, bot, flow.numbers(40)), by, start=True)
    assert flow.work(row.campaign) == "done"
    sandbox.bot.advance(seconds=20)
    return row.campaign
