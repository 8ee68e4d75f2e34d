"""What the admin shell registers of this app."""

from bot_campaigns.admin import connections  # noqa: F401
