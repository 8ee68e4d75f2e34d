"""Staff say "never call this number again": suppressed here, withdrawn from what dials."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from bot_campaigns.models import Suppression
from bot_campaigns.services import number_files, recall, suppression
from bot_campaigns.services.suppression import Added, canonical

MOST_NUMBERS = 100_000
SHOWN = 200


class Nothing(ValueError):
    """There is nothing to suppress; the message says why."""


def add(*, numbers: Iterable[str], reason: str, by: Any) -> Added:
    """Suppress what a person typed, any writing, and take it back from running campaigns."""
    numbers = [each for each in numbers if each.strip()]
    if not numbers:
        raise Nothing(_("Type at least one number."))
    if not reason.strip():
        raise Nothing(_("Say why this number must not be called."))
    if unreadable := [each for each in numbers if not canonical(each)]:
        raise Nothing(
            _("Not a valid phone number: %s. Nothing was suppressed.") % ", ".join(unreadable[:5])[:200]
        )
    source = Suppression.Source.STAFF
    return _withdrawn(suppression.add(numbers=numbers, source=source, reason=reason.strip(), by=by), reason)


def _withdrawn(added: Added, reason: str) -> Added:
    recall.withdraw_numbers(added.new, reason.strip())
    return added


# --- files -------------------------------------------------------------------------------


@dataclass
class Preview:
    """What an import of a file would do."""

    numbers: list[str] = field(default_factory=list)
    """E.164, each once, in the order of the file."""
    already: int = 0
    twice: int = 0
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    """(row of the file, as written): no valid number, so nothing can be suppressed."""
    key: str = ""
    """Of the file: importing it again adds nothing."""

    @property
    def new(self) -> int:
        return len(self.numbers) - self.already


def preview(file: BinaryIO, name: str) -> Preview:
    """Read a CSV or XLSX file of numbers. Raises ``number_files.Unreadable`` for a bad file."""
    found, seen = Preview(), dict[str, None]()
    for row in number_files.read(file, name):
        e164 = canonical(row.number)
        if not e164:
            found.unreadable.append((row.line, row.number))
        elif e164 in seen:
            found.twice += 1
        else:
            seen[e164] = None
        if len(seen) > MOST_NUMBERS:
            raise number_files.Unreadable(_("The file has more than %d numbers. Split it.") % MOST_NUMBERS)
    found.numbers = list(seen)
    found.already = len(suppression.suppressed(found.numbers))
    found.key = "file:" + hashlib.sha256("\n".join(sorted(seen)).encode()).hexdigest()[:40]
    return found


def add_file(*, numbers: Iterable[str], key: str, reason: str, by: Any) -> Added:
    """Suppress what a preview showed."""
    source = Suppression.Source.IMPORT
    added = suppression.add(
        numbers=numbers, source=source, reason=reason.strip() or str(source.label), by=by, source_key=key
    )
    return _withdrawn(added, reason or str(source.label))
