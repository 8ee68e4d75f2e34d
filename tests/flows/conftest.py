"""After every flow that launched something: nobody was called who must not be."""

from collections.abc import Iterator

import pytest

from tests.flows import bot as flow


@pytest.fixture(autouse=True)
def clean_ledger(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests that mean to break a rule carry the marker ``dirty_ledger``."""
    watched = "sandbox" in request.fixturenames and request.node.get_closest_marker("django_db")
    sandbox = request.getfixturevalue("sandbox") if watched else None
    yield
    if sandbox is not None and not request.node.get_closest_marker("dirty_ledger"):
        flow.check_ledger(sandbox)
