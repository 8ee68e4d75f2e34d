"""Staff read Vietnamese: every word is translated, whole, compiled and shown."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import unfold
from django.conf import settings
from django.test import Client
from django.utils.translation.template import templatize

from tests import factories

ROOT = settings.BASE_DIR
CATALOGUE = ROOT / "backoffice/locale/vi/LC_MESSAGES/django"
UNSEEN = frozenset({"Welcome"})  # in an f-string, which xgettext cannot read; our own page head replaces it
UNFOLD = Path(unfold.__file__).parent
SOURCES = ("backoffice", "crm_bridge", "bot_campaigns", "templates")
MARKS = frozenset({"_", "_g", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"})
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-+ #0]*\d*(?:\.\d+)?[a-zA-Z%]|\{\w*\}|</?\w[^>]*>")
IN_TEMPLATE = re.compile(r"""(?:gettext|\b_)\(u?("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")


class Entry(NamedTuple):
    plural: str | None
    translation: str
    fuzzy: bool


def read_po(text: str) -> dict[str, Entry]:
    """The entries of a ``.po`` file with one plural form and no contexts."""
    entries = {}
    for block in re.split(r"\n{2,}", text):
        parts: dict[str, str] = {}
        part = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if not line.startswith('"'):
                part, line = line.split(" ", 1)
            parts[part] = parts.get(part, "") + ast.literal_eval(line)
        if parts:
            translation = parts["msgstr[0]" if "msgid_plural" in parts else "msgstr"]
            fuzzy = re.search(r"^#,.*\bfuzzy\b", block, re.MULTILINE) is not None
            assert parts["msgid"] not in entries, f"twice: {parts['msgid']}"
            entries[parts["msgid"]] = Entry(parts.get("msgid_plural"), translation, fuzzy)
    return entries


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    found = read_po(CATALOGUE.with_suffix(".po").read_text())
    del found[""]
    return found


def marked(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every text under ``folder`` that is marked for translation, without its plural."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in MARKS and node.args:
                text = node.args[0]
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield text.value, path
    for path in folder.rglob("*.html"):
        for literal in IN_TEMPLATE.findall(templatize(path.read_text(), origin=str(path))):
            yield ast.literal_eval(literal), path


def _name(function: ast.expr) -> str:
    return getattr(function, "id", None) or getattr(function, "attr", "")


@pytest.mark.parametrize("folder", [*SOURCES, UNFOLD], ids=lambda folder: Path(folder).name)
def test_everything_that_is_marked_is_translated(folder: str | Path, entries: dict[str, Entry]) -> None:
    texts = list(marked(ROOT / folder))
    untold = sorted(
        {
            f"{path.relative_to(ROOT / folder)}: {text}"
            for text, path in texts
            if text not in UNSEEN
            and (text not in entries or not entries[text].translation.strip() or entries[text].fuzzy)
        }
    )
    assert len(texts) > 20
    assert untold == [], "run make messages, translate these, run it again"


def test_a_translation_keeps_its_placeholders_and_tags(entries: dict[str, Entry]) -> None:
    def held(text: str) -> list[str]:
        found = PLACEHOLDER.findall(text)
        # unnamed ones take their values by position
        return found if any(part in found for part in ("%s", "%d")) else sorted(found)

    spoilt = {
        text: entry.translation
        for text, entry in entries.items()
        if held(entry.translation) not in (held(text), held(entry.plural or text))
    }
    assert spoilt == {}


def test_a_translation_keeps_the_blanks_around_it(entries: dict[str, Entry]) -> None:
    def edges(text: str) -> tuple[bool, bool]:
        return text[:1].isspace(), text[-1:].isspace()

    assert {
        text
        for text, entry in entries.items()
        if entry.translation and edges(text) != edges(entry.translation)
    } == set()


def test_the_compiled_catalogue_is_the_written_one(entries: dict[str, Entry]) -> None:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled: dict[Any, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    compiled.pop("")
    written = {
        (text, 0) if entry.plural else text: entry.translation
        for text, entry in entries.items()
        if entry.translation and not entry.fuzzy
    }
    assert compiled == written, "run make messages"


def test_the_login_page_is_vietnamese_for_who_chose_it(client: Client, db: None) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "vi"
    page = client.get("/login/").content.decode()
    assert '<html lang="vi"' in page
    assert "Đăng nhập" in page
    assert "Log in" not in page


HERE_ONLY = {
    "vi": ("Thùng rác", "Gộp trùng", "Thay đổi chờ gửi", "Khách hàng tiềm năng", "1 liên hệ", "Đăng xuất"),
    "en": ("Trash", "Merges", "Outgoing changes", "Lead", "1 contact", "Log out"),
}


@pytest.mark.parametrize(("chosen", "other"), [("vi", "en"), ("en", "vi")])
def test_the_contact_list_speaks_the_chosen_language(
    client: Client, db: None, chosen: str, other: str
) -> None:
    factories.contact(factories.connection(), values={"name": "An"})
    client.force_login(factories.user("Managers"))
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = chosen
    page = client.get("/crm_bridge/contact/").content.decode().casefold()
    page = re.sub(r"<[^>]*>", "|", page)
    assert [word for word in HERE_ONLY[chosen] if word.casefold() not in page] == []
    assert [word for word in HERE_ONLY[other] if word.casefold() in page] == []
