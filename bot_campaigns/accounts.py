"""The accounts on voice bots, made known to commands about accounts of any kind."""

from backoffice.sync import registry
from bot_campaigns.antbot.base import Account
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.models import BotConnection, BotHealth
from bot_campaigns.services import pull
from bot_campaigns.services.streams import STREAMS


def register() -> None:
    """Called once, when the app is ready."""
    registry.register(
        registry.Side(
            connections=BotConnection,
            health=BotHealth,
            vendors={AntBotConnector.kind: lambda: AntBotConnector},
            account=Account,
            streams=lambda _connection: list(STREAMS),
            pull=pull.pull_connection,
        )
    )
