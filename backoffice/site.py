"""The frame of every page: name, colours, menu, palette.

Settings import ``UNFOLD`` from here, so nothing of Django's registries may be
imported at the top. The menu shows what the visitor may open; the pages check
the same permissions again on the server.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu. ``badge`` is a dotted path: (user) → how many wait for them."""

    title: Any
    icon: str
    route: str
    permission: str = ""
    badge: str = ""
    urgent: bool = False


WAITING = "crm_bridge.services.waiting."
BOT_TROUBLES = "bot_campaigns.services.troubles."

MENU: list[tuple[Any, list[Entry]]] = [
    ("", [Entry(_("Home"), "home", "admin:index")]),
    (
        _("Contacts"),
        [
            Entry(
                _("Contacts"), "contacts", "admin:crm_bridge_contact_changelist", "crm_bridge.view_contact"
            ),
            Entry(_("Trash"), "delete", "crm:trash", "crm_bridge.view_tombstone"),
            Entry(_("Merges"), "call_merge", "crm:merges", "crm_bridge.view_merge", WAITING + "merges"),
        ],
    ),
    (
        _("Campaigns"),
        [
            Entry(_("Calls"), "call", "bot:calls", "bot_campaigns.view_call"),
            Entry(_("Phonebooks"), "menu_book", "bot:phonebooks", "bot_campaigns.view_phonebook"),
            Entry(_("Survey templates"), "quiz", "bot:templates", "bot_campaigns.view_surveytemplate"),
            Entry(_("Gateways"), "router", "bot:gateways", "bot_campaigns.view_gateway"),
            Entry(_("Do-not-call"), "phone_disabled", "bot:suppressions", "bot_campaigns.view_suppression"),
            Entry(_("Reminders"), "alarm", "bot:reminders", "bot_campaigns.view_alarm"),
            Entry(
                _("Incidents"), "crisis_alert", "bot:incidents", "bot_campaigns.view_incident",
                BOT_TROUBLES + "incidents", urgent=True,
            ),
        ],
    ),
    (
        _("Work waiting"),
        [
            Entry(
                _("Conflicts"), "rule", "crm:conflicts", "crm_bridge.view_conflict",
                WAITING + "conflicts", urgent=True,
            ),
            Entry(
                _("Outgoing changes"), "outbox", "crm:outgoing", "crm_bridge.view_contactchange",
                WAITING + "stuck_changes", urgent=True,
            ),
            Entry(
                _("Unreadable records"), "report", "crm:unreadable", "crm_bridge.view_quarantine",
                WAITING + "unreadable",
            ),
        ],
    ),
    (
        _("Sync"),
        [
            Entry(_("Runs"), "sync", "crm:runs", "crm_bridge.view_run", WAITING + "held_runs"),
            Entry(
                _("Connections"), "hub", "admin:crm_bridge_connection_changelist",
                "crm_bridge.view_connection", WAITING + "troubled_connections", urgent=True,
            ),
            Entry(
                _("Bot runs"), "robot_2", "bot:runs", "bot_campaigns.view_botrun", BOT_TROUBLES + "held_runs"
            ),
            Entry(
                _("Bot connections"), "smart_toy", "admin:bot_campaigns_botconnection_changelist",
                "bot_campaigns.view_botconnection", BOT_TROUBLES + "connections", urgent=True,
            ),
            Entry(
                _("Unreadable bot records"), "report", "bot:unreadable", "bot_campaigns.view_botquarantine",
                BOT_TROUBLES + "unreadable",
            ),
            Entry(_("Calling rules"), "gavel", "bot:rules", "bot_campaigns.view_callingrules"),
        ],
    ),
    (
        _("People"),
        [
            Entry(_("Users"), "person", "admin:auth_user_changelist", "auth.view_user"),
            Entry(_("Groups"), "groups", "admin:auth_group_changelist", "auth.view_group"),
            Entry(
                _("Audit log"), "history", "admin:backoffice_auditentry_changelist",
                "backoffice.view_auditentry",
            ),
        ],
    ),
]  # fmt: skip


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar: only what this visitor may open, with the work that waits for them."""
    groups: list[dict[str, Any]] = []
    for title, entries in MENU:
        items = [_item(request, entry) for entry in entries if _allowed(request, entry)]
        if items:
            groups.append({"title": title, "separator": bool(groups), "items": items})
    return groups


def _allowed(request: HttpRequest, entry: Entry) -> bool:
    return not entry.permission or request.user.has_perm(entry.permission)  # type: ignore[union-attr]


def _item(request: HttpRequest, entry: Entry) -> dict[str, Any]:
    address = reverse(entry.route)
    here = request.path == address if entry.route == "admin:index" else request.path.startswith(address)
    item = {"title": entry.title, "icon": entry.icon, "link": address, "active": here}
    waiting = import_string(entry.badge)(request.user) if entry.badge else 0
    if waiting:
        item |= {"badge": f"{waiting:,}", "badge_variant": "danger" if entry.urgent else "warning"}
    return item


def palette(request: HttpRequest, term: str) -> list[Any]:
    """Ctrl+K: pages of the menu by name. Contacts have their own, indexed search."""
    from unfold.dataclasses import SearchResult

    return [
        SearchResult(
            title=str(entry.title), description=str(title), link=reverse(entry.route), icon=entry.icon
        )
        for title, entries in MENU
        for entry in entries
        if term in str(entry.title).lower() and _allowed(request, entry)
    ]


def _asset(path: str) -> Callable[[HttpRequest], str]:
    """Address of a static file; asked per request, when the storage is known."""
    return lambda request: static(path)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("CRM back-office"),
    "SITE_HEADER": _("CRM back-office"),
    "SITE_SUBHEADER": _("Contacts and campaigns"),
    "SITE_SYMBOL": "sync_alt",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": _asset("backoffice/favicon.svg")},
    ],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": False,
    "SHOW_LANGUAGES": True,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "crm_bridge.views.home.dashboard",
    "STYLES": [_asset("backoffice/backoffice.css")],
    "SCRIPTS": [_asset("backoffice/backoffice.js")],
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(68% .17 255)",
            "600": "oklch(51.5% .2 260)",
            "700": "oklch(46% .19 262)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
        "font": {
            "subtle-light": "var(--color-base-600)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-700)",
            "default-dark": "var(--color-base-300)",
            "important-light": "var(--color-base-900)",
            "important-dark": "var(--color-base-100)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "backoffice.site.menu",
    },
    "COMMAND": {"search_models": False, "search_callback": "backoffice.site.palette", "show_history": False},
}
