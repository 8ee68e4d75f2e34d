"""Masks secrets and personal data in texts, structures and log records.

Bodies, queries and headers are never logged on purpose; this is the second line for what
slips through in exception texts and in the words of remote systems.
"""

from __future__ import annotations

import logging
import re
from typing import Any

MASK = "***"

_TELLING = (
    r"(?:x-)?(?:api[-_]?key|apitoken|(?:access|refresh|auth|id|api|csrf)?[-_]?token|sign(?:ature)?|"
    r"passw(?:or)?d|pwd|passphrase|(?:client[-_]?)?secret|authori[sz]ation|(?:set-)?cookie|session(?:id)?)"
)
_SECRET_KEY = re.compile(rf"^{_TELLING}$", re.IGNORECASE)
_PERSONAL_KEY = re.compile(r"^(?:phones?|mobile|tel|e?mails?)$", re.IGNORECASE)
# key=value, key: value, "key": "value", also with escaped quotes as in a repr of JSON
_SECRET_PAIR = re.compile(
    rf"""(?<![A-Za-z0-9])({_TELLING})(\\?["']?\s*[=:]\s*)"""
    r"""((?:(?:Bearer|Basic|Token|Digest)\s+)?(?:\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s&;,"'}\])]+))""",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(Bearer|Basic|Digest)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_EMAIL = re.compile(r"[^\s@<>\"'(),;:=&?/\\]+(?:@|%40)[^\s@<>\"'(),;:=&?/\\]+\.[^\W\d_]{2,}")
_PHONE = re.compile(
    r"(?<![\w])(?!\d{4}-\d{2}-\d{2}(?!\d))(?:\+|%2B)?\(?\d(?:(?:[\s().\u2010-\u2015-]|%20){0,3}\d){7,}(?!\w)"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_PLAIN_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """The text with secrets, e-mail addresses and phone numbers masked."""
    text = _SECRET_PAIR.sub(lambda found: found[1] + found[2] + MASK, text)
    text = _SCHEME.sub(lambda found: f"{found[1]} {MASK}", text)
    text = _USERINFO.sub(f"{MASK}@", text)
    text = _EMAIL.sub(f"{MASK}@{MASK}", text)
    return _PHONE.sub(_mask_phone, text)


def _mask_phone(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0].replace("%20", "").replace("%2B", ""))
    return MASK + digits[-3:]


def redact_data(data: Any) -> Any:
    """The same for nested dicts and lists; values under a telling key are masked whole."""
    if isinstance(data, str):
        return redact(data)
    if isinstance(data, dict):
        return {key: _redact_member(str(key), value) for key, value in data.items()}
    if isinstance(data, list | tuple | set | frozenset):
        return [redact_data(item) for item in data]
    if isinstance(data, bytes):
        return redact(data.decode("utf-8", "replace"))
    return data


def _redact_member(key: str, value: Any) -> Any:
    if _SECRET_KEY.match(key):
        return MASK if value else value
    if _PERSONAL_KEY.match(key) and isinstance(value, str | int) and value:
        text = str(value)
        return f"{MASK}@{MASK}" if "@" in text else MASK + re.sub(r"\D", "", text)[-3:]
    return redact_data(value)


def one_line(text: str) -> str:
    """Escapes control characters, so that no value can start a line of its own in a log."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


class RedactingFilter(logging.Filter):
    """Put on every log handler: masks the message, its arguments, extras and tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record in place; always lets it pass."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # wrong number of arguments: still log, still masked
            message = f"{record.msg} {record.args}"
        record.msg, record.args = one_line(redact(message)), None
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        elif record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        for name in record.__dict__.keys() - _PLAIN_RECORD:
            record.__dict__[name] = _redact_member(name, record.__dict__[name])
        return True
