"""Numbers that must not be called: looked up, added, lifted. By number, whatever happens to contacts.

Everything here is compared as E.164. ``add`` and its kin return which numbers became
suppressed; callers pass these to the recall of running campaigns, whose own regular
sweep finds them anyway.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from bot_campaigns.models import BotConnection, Call, DncEntry, Suppression
from bot_campaigns.services import number_files
from bot_campaigns.services.sets import chunks, texts
from crm_bridge.phones import to_e164

ASKS_FOR_SILENCE = frozenset({"DNC", "DO_NOT_CALL", "OPT_OUT", "OPTOUT", "UNSUBSCRIBE", "UNSUBSCRIBED"})
"""Outcomes that say "do not call again". The vendor's set is open; these are the known spellings."""


@dataclass
class Added:
    """What became of the numbers: each of them is in exactly one list."""

    new: list[str] = field(default_factory=list)
    """E.164 that could be called before and must not be now."""
    already: list[str] = field(default_factory=list)
    """E.164 that were suppressed before, by whatever source."""
    unreadable: list[str] = field(default_factory=list)
    """As written: no valid number, so nothing can be suppressed; a person has to look."""

    def __iadd__(self, other: "Added") -> "Added":
        self.new += other.new
        self.already += other.already
        self.unreadable += other.unreadable
        return self


class NotLifted(ValueError):
    """The suppression stays; the message says why."""


# --- looking up --------------------------------------------------------------------------


def suppressed(numbers: Iterable[str]) -> dict[str, Suppression]:
    """Which of these E.164 numbers must not be called, each with its oldest standing reason."""
    found: dict[str, Suppression] = {}
    for chunk in chunks(numbers):
        rows = Suppression.objects.standing().filter(e164__in=texts(set(chunk)))
        for row in rows.order_by("since", "id"):
            found.setdefault(row.e164, row)
    return found


def why(e164: str) -> list[Suppression]:
    """Every reason that stands against a number, oldest first."""
    rows = Suppression.objects.standing().filter(e164=e164).select_related("added_by")
    return list(rows.order_by("since", "id"))


# --- adding ------------------------------------------------------------------------------


def add(
    *, numbers: Iterable[str], source: Suppression.Source, reason: str, by: Any, source_key: str = ""
) -> Added:
    """Suppress numbers in any writing. A person's word stands again after an earlier lift."""
    result = Added()
    with transaction.atomic():
        for chunk in chunks(numbers):
            keys: dict[str, str] = {}
            for text in chunk:
                if e164 := canonical(text):
                    keys[e164] = source_key
                else:
                    result.unreadable.append(str(text))
            result += _store(keys, source=source, reason=reason, by=by, again=True)
        if result.new or result.already:
            _audit_added(result, source=source, source_key=source_key, reason=reason, by=by)
    return result


def add_file(*, file: BinaryIO, name: str, reason: str, by: Any, source_key: str) -> Added:
    """Suppress the numbers of a CSV or XLSX file; raises ``number_files.Unreadable`` for a bad file."""
    rows = (row.number for row in number_files.read(file, name))
    return add(
        numbers=rows, source=Suppression.Source.IMPORT, reason=reason, by=by, source_key=source_key[:80]
    )


def from_dnc_entries(connection: BotConnection) -> Added:
    """Suppress what the bot's do-not-call lists hold and we do not know yet.

    An entry that is gone remotely lifts nothing, and one that a person lifted stays
    lifted until the lists hold the number in a new entry.
    """
    entries = DncEntry.objects.filter(connection=connection)
    result = Added(unreadable=list(entries.filter(e164="").values_list("number", flat=True)))
    key = Concat(Value("entry:"), Cast("pk", CharField()))
    known = Suppression.objects.filter(
        source=Suppression.Source.DNC, source_key=OuterRef("key"), e164=OuterRef("e164")
    )
    unknown = entries.exclude(e164="").annotate(key=key).filter(~Exists(known)).order_by("pk")
    rows = list(unknown.values_list("e164", "key", "dnc_list__name"))
    for chunk in chunks(rows):
        with transaction.atomic():
            for name in {row[2] for row in chunk}:
                keys = [(e164, key) for e164, key, its_list in chunk if its_list == name]
                result += _store_pairs(
                    keys,
                    source=Suppression.Source.DNC,
                    reason=_("on the list “%s”") % name if name else _("on a do-not-call list"),
                )
    return result


def of_entry(entry: DncEntry, *, by: Any) -> Added:
    """Suppress the number of one entry that staff put on a list of the bot just now."""
    name = entry.dnc_list.name if entry.dnc_list else ""
    source, key = Suppression.Source.DNC, f"entry:{entry.pk}"
    reason = _("on the list “%s”") % name if name else _("on a do-not-call list")
    with transaction.atomic():
        result = _store({entry.e164: key}, source=source, reason=reason, by=by, again=True)
        _audit_added(result, source=source, source_key=key, reason=reason, by=by)
    return result


def from_outcomes(calls: Iterable[Call]) -> Added:
    """Suppress the numbers of calls whose outcome asks for it; each call counts once."""
    result = Added()
    for chunk in chunks(call for call in calls if asks_for_silence(call)):
        result.unreadable += [call.number for call in chunk if not call.e164]
        pairs = [(call.e164, f"call:{call.pk}") for call in chunk if call.e164]
        with transaction.atomic():
            result += _store_pairs(
                pairs, source=Suppression.Source.OUTCOME, reason=_("asked in a call not to be called")
            )
    return result


def asks_for_silence(call: Call) -> bool:
    """Whether what the report says of a call means that the number must not be called again."""
    said = (call.disposition, call.endpoint_disposition, call.hangup_cause)
    return any(word.strip().upper().replace(" ", "_").replace("-", "_") in ASKS_FOR_SILENCE for word in said)


def canonical(text: Any) -> str:
    """E.164 of a number in any writing, "" when it is none."""
    return to_e164(str(text).strip(), settings.PHONE_REGION) if text else ""


def _store_pairs(pairs: list[tuple[str, str]], *, source: Suppression.Source, reason: str) -> Added:
    """Numbers that each have a key of their own; a number listed twice is new once."""
    result = Added()
    while pairs:
        keys: dict[str, str] = {}
        later = []
        for e164, key in pairs:
            if e164 in keys:
                later.append((e164, key))
            else:
                keys[e164] = key
        result += _store(keys, source=source, reason=reason, by=None, again=False)
        pairs = later
    return result


def _store(
    keys: Mapping[str, str], *, source: Suppression.Source, reason: str, by: Any, again: bool
) -> Added:
    """Write one chunk of number → source key, and tell new numbers from known ones."""
    before = suppressed(keys)
    now = timezone.now()
    known = {
        (row.e164, row.source_key): row
        for row in Suppression.objects.filter(source=source, e164__in=texts(keys))
        if keys[row.e164] == row.source_key
    }
    Suppression.objects.bulk_create(
        [
            Suppression(e164=e164, source=source, source_key=key, reason=reason[:300], since=now, added_by=by)
            for e164, key in keys.items()
            if (e164, key) not in known
        ],
        ignore_conflicts=True,
        batch_size=1_000,
    )
    lifted = [row.pk for row in known.values() if row.lifted_at is not None]
    if again and lifted:
        Suppression.objects.filter(pk__in=lifted).update(
            lifted_at=None, lifted_by=None, since=now, reason=reason[:300], added_by=by
        )
    stays_lifted = set() if again else {row.e164 for row in known.values() if row.lifted_at is not None}
    fresh = [e164 for e164 in keys if e164 not in before and e164 not in stays_lifted]
    return Added(new=fresh, already=[e164 for e164 in keys if e164 in before])


def _audit_added(result: Added, *, source: str, source_key: str, reason: str, by: Any) -> None:
    """One entry for one deed. It names no number: the rows themselves say who and when."""
    first = (result.new or result.already)[0]
    target = Suppression.objects.get(e164=first, source=source, source_key=source_key)
    audit.record(
        "suppression.add",
        target,
        by=by,
        summary=reason,
        source=source,
        source_key=source_key,
        new=len(result.new),
        already=len(result.already),
        unreadable=len(result.unreadable),
    )


# --- lifting -----------------------------------------------------------------------------


def why_not_lifted(row: Suppression) -> str:
    """Why a person cannot lift this one here; "" when they can."""
    if row.lifted_at is not None:
        return _("It is lifted already.")
    if row.source != Suppression.Source.DNC:
        return ""
    entry_id = row.source_key.removeprefix("entry:")
    entry = DncEntry.objects.filter(pk=int(entry_id)).first() if entry_id.isdecimal() else None
    if entry is not None and entry.remote_id is None and entry.gone_at is not None:
        return ""  # it was dropped before it reached the bot
    return _(
        "It comes from a do-not-call list of the bot. AntBOT takes nothing off its lists through its"
        " interface: whoever keeps the list there decides."
    )


def lift(*, by: Any, reason: str, e164: str = "", suppression: Suppression | None = None) -> int:
    """Let a number be called again: one of its suppressions, or all. Returns how many were lifted."""
    if not reason.strip():
        raise NotLifted(_("Say why this number may be called again."))
    if suppression is None and not e164:
        raise NotLifted(_("Name the number."))
    with transaction.atomic():
        rows = Suppression.objects.standing().select_for_update()
        rows = rows.filter(pk=suppression.pk) if suppression else rows.filter(e164=e164)
        found = list(rows)
        Suppression.objects.filter(pk__in=[row.pk for row in found]).update(
            lifted_at=timezone.now(), lifted_by=by
        )
        for row in found:
            audit.record("suppression.lift", row, by=by, summary=reason, source=row.source)
    return len(found)
