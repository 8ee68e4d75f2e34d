"""A real headless Chromium: found, started, logged in and watched.

Playwright keeps an event loop on the main thread, so Django must be told that
ORM calls beside it are meant; the variable is set only when browser tests were
collected, and these run last.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from django.core.cache import cache
from django.test import Client

from tests import factories

HERE = Path(__file__).parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [item for item in items if HERE in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.django_db(transaction=True))
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="no Chromium found: apt-get install chromium"))
    if mine:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        items[:] = [item for item in items if item not in mine] + mine


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    arguments = ["--disable-dev-shm-usage"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": arguments}


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    cache.clear()


class Visitor:
    """One person's browser tab. ``trouble`` holds what a page must never do."""

    def __init__(self, browser: Any, live_server: Any, role: str, width: int, theme: str, axe: bool) -> None:
        self.base, self.trouble = live_server.url, []
        self.user = factories.user(role)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, locale="en", bypass_csp=axe
        )
        context.add_init_script(f"localStorage.setItem('adminTheme', JSON.stringify('{theme}'))")
        client = Client()
        client.force_login(self.user)
        for name, morsel in client.cookies.items():
            context.add_cookies([{"name": name, "value": morsel.value, "url": self.base}])
        self.context, self.page = context, context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.trouble.append(f"script error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.trouble.append(f"console: {message.text}")

    def _dialog(self, dialog: Any) -> None:
        self.trouble.append(f"a script opened a dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.trouble.append(f"asked somebody else: {request.url}")

    def open(self, address: str) -> Any:
        self.page.goto(self.base + address)
        self.page.wait_for_function("!document.documentElement.hasAttribute('x-cloak')")
        return self.page

    @property
    def overflow(self) -> int:
        """How many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    def violations(self, allowed: frozenset[str] = frozenset()) -> list[str]:
        """What axe finds against WCAG 2.2 AA. Only for visitors with ``axe``."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)["violations"]
        return [
            f"{rule['id']}: {node['html'][:160]}"
            for rule in found
            if rule["id"] not in allowed
            for node in rule["nodes"]
        ]


@pytest.fixture
def visit(browser: Any, live_server: Any, db: None) -> Iterator[Callable[..., Visitor]]:
    """``visit("Sales", width=390, theme="dark")`` → a logged-in Visitor; trouble fails the test."""
    visitors = []

    def enter(role: str, *, width: int = 1440, theme: str = "light", axe: bool = False) -> Visitor:
        visitors.append(Visitor(browser, live_server, role, width, theme, axe))
        return visitors[-1]

    yield enter
    trouble = [line for visitor in visitors for line in visitor.trouble]
    for visitor in visitors:
        visitor.context.close()
    assert trouble == []
