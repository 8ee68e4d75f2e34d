"""Sending rows to the bot: one attempt, the sweep, and what an answer means.

A create that may have left is looked for before it is sent once more. An edit is held
against what the bot holds at that moment: a value that somebody changed there meanwhile is
not overwritten, a person decides.
"""

import logging
from contextlib import closing
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.remote.errors import Gone, RemoteError
from backoffice.sync.push import LostLease, Status, after_failure, fairly
from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.antbot.walks import NotOffered
from bot_campaigns.models import BotChange
from bot_campaigns.models.change import subject_of
from bot_campaigns.services import changes, connecting, phonebooks
from bot_campaigns.services.change_kinds import KINDS
from bot_campaigns.services.changes import FAMILIES, OUTBOX, ring
from bot_campaigns.services.suppression import canonical
from bot_campaigns.services.targets import TARGETS

logger = logging.getLogger(__name__)

PAGE = 200


class _Stopped(Exception):
    """The change cannot go on by itself."""

    def __init__(self, status: Status, words: str, **resolve: Any) -> None:
        super().__init__(words)
        self.status, self.words, self.resolve = status, words, resolve


def send_one(pk: int) -> str:
    """Attempt one change, if it is due. Returns the state it was left in; "" when nothing was done."""
    entry = OUTBOX.claim(pk)
    if entry is None:
        return ""
    attempt = _Attempt(entry)
    try:
        attempt.run()
    except LostLease:
        logger.info("bot change %s was taken over", pk)
        return ""
    _ring_next(entry)
    return str(entry.status)


def sweep() -> dict[str, int]:
    """Ring what is due and free the rows of dead workers; one query when there is nothing."""
    if not BotChange.objects.filter(status__in=BotChange.MOVING).exists():
        return {"released": 0, "rung": 0}
    released = sum(OUTBOX.release_expired().values())
    due = list(OUTBOX.due().order_by("not_before", "pk").values_list("connection_id", "pk")[:PAGE])
    for pk in fairly(due):
        ring(pk)
    return {"released": released, "rung": len(due)}


def _ring_next(entry: BotChange) -> None:
    """What stood behind it, else what its connection has been due longest."""
    due = OUTBOX.due().filter(connection_id=entry.connection_id)
    following = due.filter(subject=entry.subject).first() or due.order_by("not_before", "pk").first()
    if following is not None:
        ring(following.pk)


class _Attempt:
    def __init__(self, entry: BotChange) -> None:
        self.entry = entry
        self.kind = KINDS[entry.family]
        self.writing = False
        """The write may have left in this attempt."""

    def run(self) -> None:
        entry = self.entry
        try:
            with closing(connecting.connect_to(entry.connection)) as bot:
                row = self._row()
                self._create(bot, row) if entry.operation == changes.CREATE else self._edit(bot, row)
            connecting.note_working(entry.connection)
        except _Stopped as stop:
            OUTBOX.settle(entry, stop.status, words=stop.words, resolve={**entry.resolve, **stop.resolve})
        except LostLease:
            raise
        except Exception as error:
            if isinstance(error, RemoteError):
                connecting.note_trouble(entry.connection, error)
            else:
                logger.exception("bot change %s", entry.pk)
            self._failed(error)

    def _row(self) -> Any:
        family = FAMILIES[self.entry.family]
        rows = family.model._default_manager.select_related(*([family.parent] if family.parent else []))
        row = rows.filter(pk=self.entry.row_id).first()
        if row is None or row.gone_at is not None:
            raise _Stopped(Status.CANCELLED, _("The bot does not list this any more."))
        return row

    # --- creates

    def _create(self, bot: AntBotConnector, row: Any) -> None:
        entry = self.entry
        found = self._look(bot, row) if entry.sent_at is not None or self.kind.look_first else []
        if len(found) > 1:
            raise _Stopped(Status.HELD, _("The bot has %d of these; a person must look there.") % len(found))
        if found:
            self._arrived(row, found[0], adopted=entry.sent_at is None)
            return
        if words := self._forbidden(row, entry.new):
            raise _Stopped(Status.REJECTED, words)
        self._mark()
        self._arrived(row, self.kind.make(bot, row, entry.new))

    def _look(self, bot: AntBotConnector, row: Any) -> list[Any]:
        try:
            return self.kind.find(bot, row, self.entry.new)
        except NotOffered:
            raise _Stopped(
                Status.HELD,
                _(
                    "The answer was lost, and this account's list of them cannot be read. Look in AntBOT:"
                    " send it again if it is not there, drop it if it is."
                ),
            ) from None

    def _arrived(self, row: Any, record: Any, *, adopted: bool = False) -> None:
        """The bot has it: the row gets its id, or gives way to the one that a pull made of it."""
        entry, new = self.entry, self.entry.new
        target = TARGETS[entry.family]
        with transaction.atomic():
            twins = target.model._default_manager.filter(
                connection_id=entry.connection_id, remote_id=record.remote_id
            )
            twin: Any = twins.exclude(pk=row.pk).select_for_update().first()
            if twin is not None:
                _give_way(row, twin, entry)
                row = twin
            else:
                row.remote_id = record.remote_id
            wanted = {name: new[name] for name in target.columns if name in new}
            _store(row, target.values(record))
            OUTBOX.settle(entry, Status.DONE, words="", resolve=entry.resolve)
            differs = {name: value for name, value in wanted.items() if getattr(row, name) != value}
            if adopted and differs and self.kind.change:
                changes.edit(row, differs, by=entry.author)  # it was there already, with other values

    # --- edits

    def _edit(self, bot: AntBotConnector, row: Any) -> None:
        entry = self.entry
        if not row.remote_id:
            raise _Stopped(Status.HELD, _("This row is not at the bot; a person must look at it."))
        if self.kind.change is None:
            raise _Stopped(Status.REJECTED, _("AntBOT does not let this be changed."))
        shown = self.kind.read(bot, row) if self.kind.read else None
        if shown is None and entry.family in ("phonebooks", "contacts"):
            raise _Stopped(Status.REJECTED, _("AntBOT has no such record any more."))
        if shown is not None:
            left = {name: value for name, value in entry.new.items() if shown[name] != value}
            theirs = {
                name: shown[name]
                for name in left
                if name in entry.base and shown[name] != entry.base[name] and not _same_number(
                    name, shown[name], entry.base[name]
                )
            }  # fmt: skip
            if theirs:
                said = ", ".join(f"{name}: {value}" for name, value in theirs.items())
                raise _Stopped(
                    Status.HELD,
                    _("Changed in AntBOT meanwhile (%s). Send again to overwrite it, or drop ours.") % said,
                    theirs=theirs,
                )
            if not left:
                self._taken(row, entry.new)
                return
        if words := self._forbidden(row, entry.new):
            raise _Stopped(Status.REJECTED, words)
        self._mark()
        record = self.kind.change(bot, row.remote_id, shown or {}, entry.new)
        values = TARGETS[entry.family].values(record)
        self._taken(row, {name: values[name] for name in (*(shown or {}), *entry.new) if name in values})

    def _taken(self, row: Any, values: dict[str, Any]) -> None:
        with transaction.atomic():
            if "number" in values and hasattr(row, "e164"):
                values = {**values, "e164": canonical(values["number"])}
            _store(row, values)
            OUTBOX.settle(self.entry, Status.DONE, words="", resolve=self.entry.resolve)

    # --- both

    def _forbidden(self, row: Any, new: dict[str, Any]) -> str:
        """What speaks against it at the last moment."""
        if self.entry.family == "contacts":
            return phonebooks.why_not_dialled(row, new)
        if self.entry.family == "phonebooks" and self.entry.operation == changes.EDIT:
            return phonebooks.why_closed(row)
        return ""

    def _mark(self) -> None:
        OUTBOX.mark_sent(self.entry)
        self.writing = True

    def _failed(self, error: Exception) -> None:
        entry = self.entry
        if isinstance(error, Gone):
            OUTBOX.settle(entry, Status.REJECTED, words=_("AntBOT has no such record any more."))
            return
        unclear_before = entry.sent_at is not None and not self.writing
        failure = after_failure(error, writing=self.writing, attempts=entry.attempts)
        status = failure.status
        values: dict[str, Any] = {}
        if not failure.spent:
            values["attempts"] = max(0, entry.attempts - 1)
        if status == Status.WAITING and unclear_before:
            status = Status.UNKNOWN  # only the look-up failed: what left before is still unclear
        elif status == Status.WAITING:
            values["sent_at"] = None
        OUTBOX.settle(entry, status, wait=failure.wait, words=failure.words, resolve=entry.resolve, **values)


def _same_number(name: str, one: Any, other: Any) -> bool:
    """A number is the same however it is written."""
    return name == "number" and bool(canonical(one)) and canonical(one) == canonical(other)


def _store(row: Any, values: dict[str, Any]) -> None:
    """Write what the bot took; the next pull reads the row afresh."""
    for name, value in values.items():
        setattr(row, name, value)
    row.content_hash, row.seen_at, row.gone_at = "", timezone.now(), None
    row.save()


def _give_way(row: Any, twin: Any, entry: BotChange) -> None:
    """A pull saw the new record before we knew its id: its row stays, ours goes."""
    family, old, new = entry.family, entry.subject, subject_of(entry.family, twin.pk)
    for name, each in FAMILIES.items():
        if each.parent_family == family:
            each.model._default_manager.filter(**{each.parent: row}).update(**{each.parent: twin})
            logger.info("rows of %s moved to the row that was read meanwhile", name)
    for change in BotChange.objects.filter(subject=old).order_by("pk"):
        try:
            with transaction.atomic():
                BotChange.objects.filter(pk=change.pk).update(subject=new)
        except IntegrityError:  # somebody edited the row that was read: both edits become one
            ahead = BotChange.objects.get(subject=new, status=Status.WAITING)
            ahead.base, ahead.new = {**change.base, **ahead.base}, {**change.new, **ahead.new}
            ahead.save(update_fields=["base", "new", "updated_at"])
            changes.finish(change, Status.CANCELLED, _("Joined to another edit."))
    entry.subject = new
    entry.resolve = {**entry.resolve, "was": old}
    row.delete()


def successor(family: str, pk: int) -> int | None:
    """The row that took the place of one that gave way; None when there is none."""
    moved = BotChange.objects.filter(resolve__was=subject_of(family, pk)).first()
    return moved.row_id if moved else None
