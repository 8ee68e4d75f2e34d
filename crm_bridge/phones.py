"""Phone numbers at the edge: the vendor's text in, E.164 and digits out."""

import re
from functools import lru_cache

import phonenumbers

# Only prefixes that are valid as a whole; the partly used ones (52, 55, 89, 99) go to the library.
_VIETNAM_MOBILE = re.compile(r"(?:\+84|0084|84|0)((?:3[2-9]|5[68]|7[06-9]|8[1-8]|9[0-8])\d{7})")
_SEPARATORS = str.maketrans("", "", " .-()/\u00a0\u2011\u2013\t")
_NOT_DIGITS = re.compile(r"\D+")


@lru_cache(maxsize=65_536)
def to_e164(text: str, region: str = "VN") -> str:
    """``+84934890883`` for a valid number written any way, else "".

    The ordinary Vietnamese mobile forms take a regular expression (20 times
    faster); everything else goes through ``phonenumbers``.
    """
    if region == "VN":
        match = _VIETNAM_MOBILE.fullmatch(text.translate(_SEPARATORS))
        if match:
            return f"+84{match[1]}"
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def digits(text: str) -> str:
    """Only the digits, as ASCII (full-width and Arabic digits included)."""
    kept = _NOT_DIGITS.sub("", text)
    return kept if kept.isascii() else "".join(str(int(char)) for char in kept)


def digits_reversed(value: str, e164: str) -> str:
    """What the "ends with" index holds for one number."""
    return digits(e164 or value)[::-1][:40]


def display(value: str, e164: str) -> str:
    """``0934 890 883`` for a valid number of the company's own country, else readable as it is."""
    if not e164:
        return value
    number = phonenumbers.parse(e164)
    if number.country_code == 84:
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
