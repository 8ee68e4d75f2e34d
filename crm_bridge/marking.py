"""Hits marked in what is shown, whatever way they were written. Output is escaped."""

from collections.abc import Callable

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from crm_bridge.folding import fold
from crm_bridge.search import Search


def _letters(text: str) -> tuple[str, list[int]]:
    """Folded text and, for each of its characters, where it stands in the original."""
    folded, places = [], []
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
        return self._marked(text, _letters) if self.search else escape(text)

    def phone(self, text: str) -> SafeString:
        """A phone as shown with the digits of the search marked."""
        return self._marked(text, _digits) if self.search else escape(text)

    def _marked(self, text: str, read: Callable[[str], tuple[str, list[int]]]) -> SafeString:
        plain, places = read(text)
        hit: set[int] = set()
        for mark in self.search.marks:
            if read is _digits and not mark.isdigit():
                continue
            start = plain.find(mark)
            while start >= 0:
                hit.update(range(places[start], places[start + len(mark) - 1] + 1))
                start = plain.find(mark, start + 1)
            if hit and mark == self.search.folded:
                break
        return _wrapped(text, hit)


def _wrapped(text: str, hit: set[int]) -> SafeString:
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
