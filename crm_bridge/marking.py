"""Hits marked in what is shown, whatever way they were written. Output is escaped."""

import re

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from crm_bridge.folding import fold
from crm_bridge.search import BOUNDARIES, Search


def _letters(text: str) -> tuple[str, list[int]]:
    """Folded text and, for each of its characters, where it stands in the original."""
    folded: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        plain = " " if char.isspace() else fold(char)
        if plain == " " and (not folded or folded[-1] == " "):
            continue
        folded += plain
        places += [place] * len(plain)
    return "".join(folded), places


def _digits(text: str) -> tuple[str, list[int]]:
    places = [place for place, char in enumerate(text) if char in "0123456789"]
    return "".join(text[place] for place in places), places


class Marker:
    """Wraps in ``<mark>`` what a search found."""

    def __init__(self, search: Search) -> None:
        self.search = search

    def text(self, text: str) -> SafeString:
        """A name or an e-mail with the words of the search marked."""
        if not self.search:
            return escape(text)
        plain, places = _letters(text)
        phrase, *words = self.search.marks
        spans = _spans(plain, phrase) or [span for word in words for span in _spans(plain, word)]
        return _wrapped(text, spans, places)

    def phone(self, text: str) -> SafeString:
        """A phone as shown with the digits of the search marked."""
        if not self.search:
            return escape(text)
        plain, places = _digits(text)
        spans = [span for mark in self.search.marks if mark.isdigit() for span in _found(plain, mark)]
        return _wrapped(text, spans, places)


def _found(plain: str, mark: str) -> list[tuple[int, int]]:
    return [(hit.start(), hit.start() + len(mark)) for hit in re.finditer(f"(?={re.escape(mark)})", plain)]


def _spans(plain: str, mark: str) -> list[tuple[int, int]]:
    """Hits where words begin, as the search prefers them; else wherever they are."""
    spans = _found(plain, mark)
    return [span for span in spans if span[0] == 0 or plain[span[0] - 1] in BOUNDARIES] or spans


def _wrapped(text: str, spans: list[tuple[int, int]], places: list[int]) -> SafeString:
    hit = {place for start, end in spans for place in range(places[start], places[end - 1] + 1)}
    if not hit:
        return escape(text)
    parts, open_mark = [], False
    for place, char in enumerate(text):
        if (place in hit) != open_mark:
            parts.append("</mark>" if open_mark else "<mark>")
            open_mark = not open_mark
        parts.append(escape(char))
    if open_mark:
        parts.append("</mark>")
    return mark_safe("".join(parts))  # noqa: S308  each character was escaped, the marks are ours
