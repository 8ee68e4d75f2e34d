"""Home: what each app has to say there, put together on one page.

An app registers its part when it is ready; nobody here knows the apps.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that needs a person."""

    text: str
    url: str
    detail: str = ""
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One section of Home: a template, and what it shows."""

    template: str
    context: dict[str, Any]
    row: int = 0
    """Sections of one row stand beside each other where there is room …"""
    place: int = 0
    """… in this order."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one app puts on Home, as dotted paths. Each leaves out what is not for the visitor."""

    notices: str
    """(user) → notices, worst first."""
    cards: str
    """(request) → cards."""


_parts: list[Part] = []


def register(part: Part) -> None:
    """Make the part of one app known; called once, when the app is ready."""
    if part not in _parts:
        _parts.append(part)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the shell's start page shows (``UNFOLD["DASHBOARD_CALLBACK"]``)."""
    cards = [card for part in _parts for card in import_string(part.cards)(request)]
    rows: dict[int, list[Card]] = {}
    for card in cards:
        rows.setdefault(card.row, []).append(card)
    for row in rows.values():
        row.sort(key=lambda card: card.place)
    return {
        **context,
        "title": _("Home"),
        "crumbs": [],
        "attention": attention(request.user),
        "rows": [rows[number] for number in sorted(rows)],
    }


def attention(user: Any) -> list[Notice]:
    """What needs this person, all apps together: the grave things first."""
    found = [notice for part in _parts for notice in import_string(part.notices)(user)]
    return sorted(found, key=lambda notice: not notice.grave)
