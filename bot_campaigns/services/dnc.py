"""The bot's do-not-call lists. What goes on one is suppressed here in the same moment."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from bot_campaigns.models import BotChange, BotConnection, DncEntry, DncList
from bot_campaigns.services import changes, recall, suppression
from bot_campaigns.services.changes import NAME_LENGTHS, Refused
from bot_campaigns.services.handover import as_dialled


def create_list(
    *, connection: BotConnection, name: str, description: str, by: Any, nonce: str = ""
) -> BotChange:
    """A new list. AntBOT lets it neither be renamed nor deleted."""
    if not name.strip():
        raise Refused(_("The list needs a name."), "name")
    values = {**changes.coded(name, NAME_LENGTHS["dnc_lists"]), "description": description.strip()}
    row = DncList(connection=connection, name=values["name"], description=values["description"])
    return changes.create(row, values, by=by, nonce=nonce)


def add_number(dnc_list: DncList, *, number: str, by: Any, nonce: str = "") -> BotChange:
    """Put a number on a list of the bot: suppressed at once, withdrawn from what dials."""
    e164 = suppression.canonical(number)
    if not e164:
        raise Refused(_("“%s” is not a valid phone number.") % number.strip()[:40], "number")
    if dnc_list.gone_at is not None:
        raise Refused(_("AntBOT does not list this do-not-call list any more."))
    known = BotChange.objects.filter(request_id=nonce).first() if nonce else None
    if known is not None:
        return known
    if DncEntry.objects.filter(dnc_list=dnc_list, e164=e164, gone_at__isnull=True).exists():
        raise Refused(_("This number is on the list already."), "number")
    row = DncEntry(
        connection_id=dnc_list.connection_id, dnc_list=dnc_list, number=as_dialled(e164), e164=e164
    )
    with transaction.atomic():
        change = changes.create(row, {"number": row.number}, by=by, nonce=nonce)
        added = suppression.of_entry(row, by=by) if row.pk else suppression.Added()
    recall.withdraw_numbers(added.new, _("put on a do-not-call list"))
    return change
