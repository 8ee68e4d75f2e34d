"""Vendor kinds and where their connectors live. Imported on first use."""

from functools import cache
from importlib import import_module
from typing import Any, cast

from crm_bridge.connectors.base import Account, Connector

_CONNECTORS: dict[str, tuple[str, str]] = {
    "antcrm": ("AntCRM", "crm_bridge.connectors.antcrm.connector.AntCrmConnector"),
    "udesk": ("Udesk", "crm_bridge.connectors.udesk.connector.UdeskConnector"),
}


class UnknownVendor(LookupError):
    """No connector is registered under this kind."""


def kinds() -> list[tuple[str, str]]:
    """(kind, label) of every vendor, for choices."""
    return [(kind, label) for kind, (label, _path) in _CONNECTORS.items()]


@cache
def connector_class(kind: str) -> type[Connector]:
    """The connector class of a vendor kind. Raises ``UnknownVendor``."""
    try:
        _label, path = _CONNECTORS[kind]
    except KeyError:
        known = ", ".join(sorted(_CONNECTORS))
        raise UnknownVendor(f"unknown vendor {kind!r}; known: {known}") from None
    module, _, name = path.rpartition(".")
    return cast("type[Connector]", getattr(import_module(module), name))


def build(kind: str, account: Account, **session_parts: Any) -> Connector:
    """A connector for one account.

    ``session_parts`` (``limiter``, ``breaker``) are handed to its RemoteSession,
    so that the shared rate limit and circuit of the caller apply.
    """
    return cast("Connector", cast("Any", connector_class(kind))(account, **session_parts))
