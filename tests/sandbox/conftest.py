"""Shared by the sandbox's own tests."""

import pytest

from tests.sandbox.antbot_api import BotApi
from tests.sandbox.http import Api
from tests.sandbox_fixture import SandboxControl


@pytest.fixture
def api(sandbox: SandboxControl) -> Api:
    """The sandbox's AntCRM API with the right key."""
    return Api(sandbox)


@pytest.fixture
def bot_api(sandbox: SandboxControl) -> BotApi:
    """The sandbox's AntBOT API; logs in when first needed."""
    return BotApi(sandbox)
