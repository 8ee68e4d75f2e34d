"""Addresses of the campaign pages."""

from typing import Any

app_name = "bot"
urlpatterns: list[Any] = []
