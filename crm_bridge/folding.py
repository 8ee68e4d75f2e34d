"""Text as search sees it: lower case, no diacritics, single spaces."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from crm_bridge.phones import digits

_STROKES = str.maketrans({"đ": "d", "Đ": "d", "ð": "d", "ø": "o", "ł": "l", "ı": "i"})
_MARKS = re.compile("[\u0300-\u034e\u0350-\u036f]+")


@lru_cache(maxsize=16_384)
def fold(text: str) -> str:
    """``Nguyễn  Văn Đức`` → ``nguyen van duc``."""
    if text.isascii():
        return " ".join(text.lower().split())
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text.translate(_STROKES)))
    if not plain.isascii():  # marks of other scripts
        plain = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(plain.casefold().split())


def search_text(name: str, phones: Iterable[tuple[str, str]], emails: Iterable[str]) -> str:
    """The searchable lines of a contact: name, each phone's digits, each e-mail.

    ``phones`` are (value, e164). A valid number stands there as ``84934890883``;
    a query written ``0934…`` drops its zero first, so every way of writing finds it.
    """
    lines = [fold(name)]
    lines += [digits(e164 or value) for value, e164 in phones]
    lines += [fold(email) for email in emails]
    return "\n".join(line for line in lines if line)
