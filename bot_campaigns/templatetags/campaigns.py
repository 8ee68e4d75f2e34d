"""Tags of the campaign pages."""

from typing import Any

from django import template

from bot_campaigns import campaign_labels as labels

register = template.Library()


@register.simple_tag
def maybe_url(route: str, *args: Any) -> str:
    """Address of a page that may not be there; "" then."""
    return labels.maybe(route, *args)
