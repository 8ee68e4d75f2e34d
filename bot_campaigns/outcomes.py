"""How calls ended, in five groups that people can read: the vendor's set of words is open.

The groups follow what AntBOT's ancestor makes of FreeSWITCH's causes; a word nobody knows
counts as failed and is shown as it is.
"""

from collections.abc import Iterable
from typing import Any

from django.core.cache import cache
from django.db import connection as database
from django.utils.translation import gettext_lazy as _

from bot_campaigns.models import Call

ANSWERED, NO_ANSWER, BUSY, CANCELLED, FAILED = "answered", "no_answer", "busy", "cancelled", "failed"
GROUPS: dict[str, Any] = {
    ANSWERED: _("answered"),
    NO_ANSWER: _("no answer"),
    BUSY: _("busy"),
    CANCELLED: _("cancelled"),
    FAILED: _("failed"),
}
TONES = {
    ANSWERED: "ok",
    NO_ANSWER: "cancelled",
    BUSY: "open",
    CANCELLED: "cancelled",
    FAILED: "failed",
}
"""The group's tone among the states of all pages."""
_WORDS = {
    ANSWERED: ("ANSWER", "ANSWERED", "NORMAL_CLEARING", "ALLOTTED_TIMEOUT"),
    NO_ANSWER: ("NOANSWER", "NO_ANSWER", "NO ANSWER"),
    BUSY: ("BUSY", "USER_BUSY"),
    CANCELLED: ("CANCEL", "ORIGINATOR_CANCEL"),
}
_GROUP_OF = {word: group for group, words in _WORDS.items() for word in words}

CAUSES: dict[str, Any] = {
    "NORMAL_CLEARING": _("ended normally"),
    "ALLOTTED_TIMEOUT": _("ended at its longest duration"),
    "USER_BUSY": _("the line was busy"),
    "NO_ANSWER": _("nobody answered"),
    "NO_USER_RESPONSE": _("the phone did not respond"),
    "ORIGINATOR_CANCEL": _("cancelled while ringing"),
    "CALL_REJECTED": _("the call was rejected"),
    "UNALLOCATED_NUMBER": _("the number does not exist"),
    "NORMAL_CIRCUIT_CONGESTION": _("the network was congested"),
    "NORMAL_TEMPORARY_FAILURE": _("the network failed for a moment"),
    "SUBSCRIBER_ABSENT": _("the phone was off or out of reach"),
    "NUMBER_CHANGED": _("the number has changed"),
    "DESTINATION_OUT_OF_ORDER": _("the line is out of order"),
    "NO_ROUTE_DESTINATION": _("there is no route to the number"),
    "RECOVERY_ON_TIMER_EXPIRE": _("the network did not answer in time"),
}

KEEP_SECONDS = 60
MOST_VALUES = 200
LOOSE_COLUMNS = ("disposition", "hangup_cause")
_LOOSE_SCAN = """
    WITH RECURSIVE found(value) AS (
        SELECT min({column}) FROM {table} WHERE {column} > ''
        UNION ALL
        SELECT (SELECT min({column}) FROM {table} WHERE {column} > found.value)
        FROM found WHERE found.value IS NOT NULL
    )
    SELECT value FROM found WHERE value IS NOT NULL LIMIT {most}
"""


def words_of(*groups: str) -> tuple[str, ...]:
    """The report's words for these groups; not for ``FAILED``, which is everything else."""
    return tuple(word for group in groups for word in _WORDS[group])


def group_of(disposition: str) -> str:
    """Which of the five groups a call's disposition belongs to."""
    return _GROUP_OF.get(disposition.strip().upper(), FAILED)


def cause_words(cause: str) -> str:
    """A hang-up cause in words; "" for one nobody has put into words."""
    return str(CAUSES.get(cause.strip().upper(), ""))


def values_of(column: str) -> list[str]:
    """Distinct values of a column that an index begins with: one descent per value."""
    key = f"call-values:{column}"
    found: list[str] | None = cache.get(key)
    if found is None:
        found = values_now(column)
        cache.set(key, found, KEEP_SECONDS)
    return found


def values_now(column: str) -> list[str]:
    """As ``values_of``, read this very moment."""
    if column not in LOOSE_COLUMNS:
        raise ValueError(f"{column} has no index of its own")
    with database.cursor() as cursor:
        cursor.execute(_LOOSE_SCAN.format(column=column, table=Call._meta.db_table, most=MOST_VALUES))
        return [row[0] for row in cursor.fetchall()]


def dispositions_of(groups: Iterable[str]) -> list[str]:
    """The dispositions that were seen and belong to these groups."""
    wanted = set(groups)
    seen = [value for value in values_of("disposition") if group_of(value) in wanted]
    return [*seen, ""] if FAILED in wanted else seen
