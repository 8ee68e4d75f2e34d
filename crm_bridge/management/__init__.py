"""What the commands share: which accounts a command is about."""

from django.core.management.base import CommandError

from crm_bridge.models import Connection


def chosen_connections(names: list[str]) -> list[Connection]:
    """The named connections, or every active one. Says which name is wrong."""
    known = {connection.name: connection for connection in Connection.objects.defer("credentials")}
    if not names:
        active = [connection for connection in known.values() if connection.is_active]
        if not active:
            raise CommandError("There is no active connection. Make one with: manage.py connect")
        return active
    for name in names:
        if name not in known:
            raise CommandError(f"There is no connection named {name!r}. Known: {', '.join(known) or 'none'}.")
        if not known[name].is_active:
            raise CommandError(f"{name} is switched off.")
    return [known[name] for name in dict.fromkeys(names)]
