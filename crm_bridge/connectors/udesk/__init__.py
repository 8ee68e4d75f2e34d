"""Udesk customers (Open API v2, path `open_api_v1`)."""
