"""Phonebooks and the numbers in them, as staff keep them.

A phonebook of a launch is written once, by its hand-over. One that a campaign may still
dial takes no new number: that would be a call nobody has checked.
"""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from bot_campaigns.models import BotChange, BotConnection, BotContact, Launch, Phonebook
from bot_campaigns.services import changes, suppression
from bot_campaigns.services.changes import NAME_LENGTHS, Refused
from bot_campaigns.services.handover import as_dialled
from bot_campaigns.services.linking import owners
from bot_campaigns.services.verdicts import live_campaigns, since_words

# --- what forbids it ---------------------------------------------------------------------


def why_closed(book: Phonebook) -> str:
    """Why nothing of this phonebook can be changed here; "" when it can."""
    launch = Launch.objects.filter(phonebook=book).only("name").first()
    if launch is None and " · " in book.name:
        code = book.name.rpartition(" · ")[2]
        launch = Launch.objects.filter(connection_id=book.connection_id, code=code).only("name").first()
    if launch is not None:
        return (
            _(
                "This phonebook was written by the launch “%s”. It stays exactly as it was checked and handed"
                " over; whoever must not be called any more is withdrawn by a suppression."
            )
            % launch.name
        )
    if book.gone_at is not None:
        return _("AntBOT does not list this phonebook any more.")
    return ""


def why_no_numbers(book: Phonebook) -> str:
    """Why no number can be added or switched on; "" when it can."""
    if words := why_closed(book):
        return words
    campaign = live_campaigns(timezone.now()).filter(phonebooks=book).only("name").first()
    if campaign is not None:
        return (
            _(
                "The campaign “%s” may still dial this phonebook: a number added now would be called"
                " without a check. End the campaign first."
            )
            % campaign.name
        )
    return ""


def why_not_dialled(contact: BotContact, new: Mapping[str, Any]) -> str:
    """Why these values must not reach the bot: they would let a number be dialled that must not be."""
    enabled = new.get("is_enabled", contact.is_enabled)
    dialled_by_this = enabled and ("is_enabled" in new or "number" in new)
    book = contact.phonebook
    if not dialled_by_this:
        return why_closed(book)
    if words := why_no_numbers(book):
        return words
    e164 = suppression.canonical(new.get("number", contact.number))
    row = suppression.suppressed([e164]).get(e164) if e164 else None
    if row is not None:
        return _("This number must not be called (%s). It can only be kept as inactive.") % since_words(row)
    return ""


# --- phonebooks --------------------------------------------------------------------------


def create(*, connection: BotConnection, name: str, description: str, by: Any, nonce: str = "") -> BotChange:
    """A new phonebook; its name gets a code by which it is found again."""
    if not name.strip():
        raise Refused(_("The phonebook needs a name."), "name")
    values = {**changes.coded(name, NAME_LENGTHS["phonebooks"]), "description": description.strip()}
    row = Phonebook(connection=connection, name=values["name"], description=values["description"])
    return changes.create(row, values, by=by, nonce=nonce)


def rename(book: Phonebook, *, name: str, description: str, by: Any) -> BotChange | None:
    """Another name or description."""
    if words := why_closed(book):
        raise Refused(words)
    if not name.strip():
        raise Refused(_("The phonebook needs a name."), "name")
    return changes.edit(book, {"name": name.strip(), "description": description.strip()}, by=by)


# --- numbers -----------------------------------------------------------------------------


def add_number(book: Phonebook, *, number: str, by: Any, nonce: str = "", **fields: Any) -> BotChange:
    """A new number in a phonebook; ``fields`` are names, e-mail, description, is_enabled."""
    e164 = _number(book, number)
    row = BotContact(
        connection_id=book.connection_id, phonebook=book, number=as_dialled(e164), e164=e164,
        contact_id=owners([e164]).get(e164), **fields,
    )  # fmt: skip
    known = BotChange.objects.filter(request_id=nonce).first() if nonce else None
    if known is not None:
        return known
    new = {"number": row.number, "is_enabled": row.is_enabled, **fields}
    if words := why_not_dialled(row, new) or _twice(book, e164):
        raise Refused(words, "number")
    return changes.create(row, new, by=by, nonce=nonce)


def edit_number(contact: BotContact, *, number: str, by: Any, **fields: Any) -> BotChange | None:
    """Change a number of a phonebook, its names, or whether it is active."""
    e164 = _number(contact.phonebook, number)
    values = dict(fields)
    if e164 != contact.e164:
        values["number"] = as_dialled(e164)
        if words := _twice(contact.phonebook, e164, but=contact):
            raise Refused(words, "number")
    stands = {**{name: getattr(contact, name) for name in values}, **changes.shown(contact)}
    values = {name: value for name, value in values.items() if value != stands[name]}
    if words := why_not_dialled(contact, values):
        raise Refused(words, "is_enabled" if "is_enabled" in values else "number")
    return changes.edit(contact, values, by=by) if values else None


def _number(book: Phonebook, number: str) -> str:
    e164 = suppression.canonical(number)
    if not e164:
        raise Refused(_("“%s” is not a valid phone number.") % number.strip()[:40], "number")
    return e164


def _twice(book: Phonebook, e164: str, but: BotContact | None = None) -> str:
    """A number in one phonebook twice would be called twice."""
    there = BotContact.objects.filter(phonebook=book, e164=e164, gone_at__isnull=True)
    if but is not None:
        there = there.exclude(pk=but.pk)
    coming = Q(subject__startswith="contacts ", status__in=BotChange.OPEN, new__number=as_dialled(e164))
    ids = [change.row_id for change in BotChange.objects.filter(coming)]
    same = BotContact.objects.filter(phonebook=book, pk__in=ids)
    if but is not None:
        same = same.exclude(pk=but.pk)
    if there.exists() or same.exists():
        return _("This number is in the phonebook already.")
    return ""
