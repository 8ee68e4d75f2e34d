"""What the commands about contacts share."""

from backoffice.management import choose
from crm_bridge.models import Connection


def chosen_connections(names: list[str]) -> list[Connection]:
    """The named accounts on CRMs, or every active one. Says which name is wrong."""
    return choose({each.name: each for each in Connection.objects.defer("credentials")}, names)
