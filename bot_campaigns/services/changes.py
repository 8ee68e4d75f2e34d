"""What staff make and change at the bot: written here at once, sent by ``change_sending``.

A new row stands in its table from the start and gets its ``remote_id`` when the bot has it.
An edit is kept beside its row until then. Edits of one row join while they wait; nothing
overtakes the create of what it belongs to.
"""

import secrets
import string
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.sync import bell
from backoffice.sync.push import IN_FLIGHT, Outbox, Status, database_now
from bot_campaigns.models import (
    BotChange,
    BotContact,
    CalendarSetting,
    DncEntry,
    DncList,
    Phonebook,
    Section,
    SurveyTemplate,
)
from bot_campaigns.models.change import subject_of

SEND_TASK = "bot_campaigns.tasks.send_change"
CREATE, EDIT = BotChange.Operation.CREATE, BotChange.Operation.EDIT
_ALPHABET = string.ascii_lowercase + string.digits
_CODE_LENGTH = 6


class Refused(ValueError):
    """It cannot be done; the message says why. ``field`` is what of the form it is about."""

    def __init__(self, words: str, field: str = "") -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of row that can be written at the bot."""

    model: type[Any]
    name: str
    """Its permissions are ``bot_campaigns.<verb>_<name>``."""
    parent: str = ""
    """The foreign key to what it belongs to."""
    parent_family: str = ""

    def permission(self, verb: str) -> str:
        return f"bot_campaigns.{verb}_{self.name}"


FAMILIES = {
    "phonebooks": Family(Phonebook, "phonebook"),
    "contacts": Family(BotContact, "botcontact", "phonebook", "phonebooks"),
    "templates": Family(SurveyTemplate, "surveytemplate"),
    "sections": Family(Section, "section", "template", "templates"),
    "dnc_lists": Family(DncList, "dnclist"),
    "dnc_entries": Family(DncEntry, "dncentry", "dnc_list", "dnc_lists"),
    "calendar_settings": Family(CalendarSetting, "calendarsetting"),
}
_FAMILY_OF = {family.model: name for name, family in FAMILIES.items()}


class _Changes(Outbox[BotChange]):
    """The outbox of rows at the bot."""

    def due(self) -> QuerySet[BotChange]:
        """As everywhere, and what it belongs to has arrived."""
        arrived = self.rows.filter(pk=OuterRef("after_id"), status=Status.DONE)
        return super().due().filter(Q(after__isnull=True) | Exists(arrived))

    def joined(self) -> QuerySet[BotChange]:
        return self.rows.select_related("connection", "author")


OUTBOX = _Changes(
    model=BotChange,
    subject="subject",
    blocked_by=Q(status=Status.HELD) | Q(operation=CREATE, status__in=BotChange.OPEN),
)


def ring(pk: int) -> None:
    """Wake a worker for this change after commit."""
    bell.ring(SEND_TASK, pk, on="push")


def row_of(change: BotChange) -> Any:
    """The row a change is about; None when it is gone."""
    return FAMILIES[change.family].model._default_manager.filter(pk=change.row_id).first()


def family_of(row: Any) -> str:
    return _FAMILY_OF[type(row)]


def coded(name: str, longest: int) -> dict[str, str]:
    """A name as it goes out: with a code by which it is found again after a lost answer."""
    code = "".join(secrets.choice(_ALPHABET) for _turn in range(_CODE_LENGTH))
    return {"name": _with_code(name, code, longest), "code": code}


def _with_code(name: str, code: str, longest: int) -> str:
    suffix = f" · {code}"
    return name.strip()[: longest - len(suffix)] + suffix


# --- asking ------------------------------------------------------------------------------


def create(row: Any, values: Mapping[str, Any], *, by: Any, nonce: str = "") -> BotChange:
    """Store a new row and send it. The same ``nonce`` twice is one row."""
    request_id = _uuid(nonce)
    before = BotChange.objects.filter(request_id=request_id).first()
    if before is not None:
        return before
    family = FAMILIES[family_of(row)]
    try:
        with transaction.atomic():
            row.save()
            change = BotChange.objects.create(
                connection_id=row.connection_id,
                subject=subject_of(family_of(row), row.pk),
                operation=CREATE,
                new=dict(values),
                author=by,
                request_id=request_id,
                not_before=database_now(),
                after=_create_of_parent(row, family),
            )
            audit.record(f"bot.{family.name}.create", row, by=by, summary=str(row), change=change.pk)
            ring(change.pk)
    except IntegrityError:
        return BotChange.objects.get(request_id=request_id)  # the button was pressed twice
    return change


def _uuid(nonce: str) -> uuid.UUID:
    try:
        return uuid.UUID(nonce)
    except ValueError:
        return uuid.uuid4()


def _create_of_parent(row: Any, family: Family) -> BotChange | None:
    """The create that has to be through first."""
    if not family.parent:
        return None
    subject = subject_of(family.parent_family, getattr(row, f"{family.parent}_id"))
    open_create = BotChange.objects.filter(subject=subject, operation=CREATE, status__in=BotChange.OPEN)
    return open_create.order_by("pk").first()


def edit(row: Any, values: Mapping[str, Any], *, by: Any) -> BotChange | None:
    """Change fields of a row; None when that leaves nothing to send."""
    family = family_of(row)
    with transaction.atomic():
        row = FAMILIES[family].model._default_manager.select_for_update(of=("self",)).get(pk=row.pk)
        if row.gone_at is not None:
            raise Refused(_("The bot does not list this any more."))
        mine = of_row(row).filter(status__in=BotChange.OPEN)
        opened = list(mine.select_for_update().order_by("pk"))  # no worker takes one meanwhile
        creating = next((each for each in opened if each.operation == CREATE), None)
        if creating is not None and creating.status not in IN_FLIGHT:
            return _into_create(row, creating, dict(values), by=by)
        change = _edit(row, opened, dict(values), by=by)
        if change is not None:
            audit.record(
                f"bot.{FAMILIES[family].name}.edit", row, by=by, summary=str(row), change=change.pk,
                fields={name: [change.base.get(name), value] for name, value in change.new.items()},
            )  # fmt: skip
    return change


def _edit(row: Any, opened: list[BotChange], values: dict[str, Any], *, by: Any) -> BotChange | None:
    """One waiting edit holds everything that has not left; a refused one is corrected by it."""
    stopped = [each for each in opened if each.operation == EDIT and each.status in BotChange.FAILING]
    waiting = next((each for each in opened if each.status == Status.WAITING), None)
    joined = [*stopped, *([waiting] if waiting else [])]
    base: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for each in joined:
        base, new = {**each.base, **base}, {**new, **each.new}
    moving = next((each for each in opened if each.status in IN_FLIGHT), None)
    for name, value in values.items():
        stands = moving.new[name] if moving and name in moving.new else getattr(row, name)
        base.setdefault(name, stands)
        new[name] = value
    new = {name: value for name, value in new.items() if value != base[name]}
    for each in stopped:
        finish(each, Status.CANCELLED, _("Corrected by a later edit."))
    if waiting is not None and not new:
        finish(waiting, Status.CANCELLED, _("Taken back before it was sent."))
        return None
    if not new:
        return None
    base = {name: base[name] for name in new}
    if waiting is None:
        waiting = BotChange.objects.create(
            connection_id=row.connection_id, subject=subject_of(family_of(row), row.pk), operation=EDIT,
            base=base, new=new, author=by, not_before=database_now(),
        )  # fmt: skip
    else:
        BotChange.objects.filter(pk=waiting.pk, status=Status.WAITING).update(
            base=base, new=new, author=by, not_before=database_now(), updated_at=timezone.now()
        )
        waiting.base, waiting.new = base, new
    ring(waiting.pk)
    return waiting


def _into_create(row: Any, creating: BotChange, values: dict[str, Any], *, by: Any) -> BotChange:
    """What has not left yet is created as it is now meant to be."""
    if "name" in values and "code" in creating.new:
        longest = max(len(creating.new["name"]), row_name_length(row))
        values["name"] = _with_code(_without_code(values["name"]), creating.new["code"], longest)
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
    creating.new = {**creating.new, **values}
    creating.status, creating.not_before, creating.words = Status.WAITING, database_now(), ""
    creating.save(update_fields=["new", "status", "not_before", "words", "updated_at"])
    audit.record(
        f"bot.{FAMILIES[creating.family].name}.edit", row, by=by, summary=str(row), change=creating.pk
    )
    ring(creating.pk)
    return creating


def _without_code(name: str) -> str:
    head, mark, tail = name.rpartition(" · ")
    return head if mark and len(tail) == _CODE_LENGTH else name


NAME_LENGTHS = {"phonebooks": 90, "templates": 90, "dnc_lists": 50}
"""Of a name at the bot, the code included."""


def row_name_length(row: Any) -> int:
    return NAME_LENGTHS.get(family_of(row), 90)


# --- what is open ------------------------------------------------------------------------


def of_row(row: Any) -> QuerySet[BotChange]:
    return BotChange.objects.filter(subject=subject_of(family_of(row), row.pk))


def open_of(rows: Iterable[Any]) -> dict[int, BotChange]:
    """The oldest open change of each row, by the row's id; one query for a page."""
    subjects = {subject_of(family_of(row), row.pk): row.pk for row in rows}
    found: dict[int, BotChange] = {}
    changes = BotChange.objects.filter(subject__in=list(subjects), status__in=BotChange.OPEN)
    for change in changes.order_by("pk"):
        found.setdefault(subjects[change.subject], change)
    return found


def shown(row: Any) -> dict[str, Any]:
    """Values of a row with the edits that are on their way."""
    values: dict[str, Any] = {}
    for change in of_row(row).filter(status__in=BotChange.OPEN, operation=EDIT).order_by("pk"):
        values |= change.new
    return values


def with_edits(rows: Iterable[Any]) -> list[Any]:
    """The rows as staff left them; for showing only, never to be saved."""
    rows = list(rows)
    subjects = {subject_of(family_of(row), row.pk): row for row in rows}
    changes = BotChange.objects.filter(subject__in=list(subjects), status__in=BotChange.OPEN)
    for row in rows:
        row.change = None
    for change in changes.select_related("author").order_by("pk"):
        row = subjects[change.subject]
        row.change = row.change or change
        if change.operation == EDIT:
            for name, value in change.new.items():
                setattr(row, name, value)
    return rows


def latest(row: Any) -> BotChange | None:
    """The change a page tells of: the oldest open one, else the last one."""
    changes = of_row(row).select_related("author", "connection")
    opened = changes.filter(status__in=BotChange.OPEN).order_by("pk").first()
    return opened or changes.order_by("-pk").first()


# --- what a person decides ---------------------------------------------------------------


def retry(change: BotChange, *, by: Any) -> None:
    """Send it again: after a refusal, or knowingly after an unclear end. Raises ``Refused``."""
    with transaction.atomic():
        row = BotChange.objects.select_for_update().get(pk=change.pk)
        if row.status not in (Status.WAITING, *BotChange.FAILING):
            raise Refused(_("There is nothing to send again: this is %s.") % row.get_status_display())
        theirs = row.resolve.pop("theirs", None)
        if theirs is not None:
            row.base = {**row.base, **theirs}  # a person has seen it and wants ours
        row.resolve.pop("crashes", None)
        row.status, row.not_before, row.sent_at, row.words = Status.WAITING, database_now(), None, ""
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            raise Refused(_("A later change waits behind it; that one is sent.")) from None
        audit.record("bot.change.retry", row, by=by, summary=row.subject)
        ring(row.pk)


def drop(change: BotChange, *, by: Any) -> None:
    """Give up what has not left, and what waits for it. Raises ``Refused``."""
    with transaction.atomic():
        change = BotChange.objects.select_for_update().get(pk=change.pk)
        if change.status in IN_FLIGHT or change.status not in BotChange.OPEN:
            raise Refused(_("This is %s; it cannot be dropped.") % change.get_status_display())
        words = _("Dropped by %s.") % by
        finish(change, Status.CANCELLED, words)
        audit.record("bot.change.drop", change, by=by, summary=change.subject)
        if change.operation == CREATE:
            _bury(change, words)


def _bury(change: BotChange, words: str) -> None:
    """The row never came to be; neither does anything that belongs to it."""
    row = row_of(change)
    if row is not None:
        row.gone_at = timezone.now()
        row.save(update_fields=["gone_at"])
    opened = BotChange.objects.filter(status__in=BotChange.OPEN)
    for behind in opened.filter(Q(after=change) | Q(subject=change.subject)).exclude(pk=change.pk):
        finish(behind, Status.CANCELLED, words)
        if behind.operation == CREATE:
            _bury(behind, words)


def finish(change: BotChange, status: Status, words: str) -> None:
    """End a change that no worker holds."""
    now = timezone.now()
    BotChange.objects.filter(pk=change.pk).update(
        status=status, words=words[:500], finished_at=now, updated_at=now
    )
    change.status, change.words = status, words
