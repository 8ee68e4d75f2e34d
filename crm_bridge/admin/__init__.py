"""What the admin shell registers of this app."""

from crm_bridge.admin import connections, contacts  # noqa: F401
