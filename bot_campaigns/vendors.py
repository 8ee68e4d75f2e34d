"""The systems that a bot connection may be of."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from bot_campaigns.antbot.base import Capabilities
from bot_campaigns.antbot.connector import AntBotConnector

_CONNECTORS = {AntBotConnector.kind: AntBotConnector}


def kinds() -> list[tuple[str, str]]:
    """(kind, label) of every vendor, for choices."""
    return [(kind, connector.label) for kind, connector in _CONNECTORS.items()]


def connector_class(kind: str) -> type[AntBotConnector]:
    """The connector class of a vendor kind. Raises ``KeyError``."""
    return _CONNECTORS[kind]


def capability_rows(able: Capabilities) -> list[dict[str, Any]]:
    """What a bot's connector can do and cannot, in words."""
    listed: list[dict[str, str | bool | Promise]] = [
        {
            "what": _("Pulls"),
            "can": True,
            "how": ", ".join(str(each) for each in able.streams if each not in able.undocumented),
        },
        {
            "what": _("Lists that its documents do not name"),
            "can": True,
            "how": _("tried, and left out where the account does not have them: %s")
            % ", ".join(sorted(able.undocumented)),
        },
        {
            "what": _("Tells calls by their dates"),
            "can": bool(able.by_date),
            "how": _("two days overlap, for calls that are reported late"),
        },
        {
            "what": _("Takes many numbers at once"),
            "can": bool(able.bulk_contacts),
            "how": _("up to %d in one request") % able.bulk_contacts,
        },
        {"what": _("Starts, pauses, aborts and ends campaigns"), "can": True, "how": ""},
        {"what": _("Deletes campaigns"), "can": able.can_delete_campaigns, "how": ""},
        {
            "what": _("Deletes contacts"),
            "can": able.can_delete_contacts,
            "how": "" if able.can_delete_contacts else _("they are switched off instead"),
        },
        {"what": _("Takes numbers off a do-not-call list"), "can": able.can_remove_dnc_entries, "how": ""},
    ]
    return listed
