"""Whose number it is: E.164 numbers tied to mirrored contacts, many at once.

Asked when a call, subscriber or bot contact is first read. What was tied then stays tied:
a later merge, deletion or new owner of the number changes no total.
"""

from collections.abc import Iterable
from datetime import datetime

from bot_campaigns.services.suppression import chunks
from crm_bridge.models import Contact, ContactPhone

_ALIVE_FIRST = (
    Contact.State.LIVE, Contact.State.MISSING, Contact.State.MERGED, Contact.State.TRASHED,
)  # fmt: skip


def owners(numbers: Iterable[str]) -> dict[str, int]:
    """E.164 → id of the contact that has it: a live one first, then the one touched last."""
    best: dict[str, tuple[int, datetime, int]] = {}
    for chunk in chunks({number for number in numbers if number}):
        phones = ContactPhone.objects.filter(e164__in=chunk).order_by()
        rows = phones.values_list("e164", "contact_id", "contact__state", "contact__touched_at")
        for e164, contact, state, touched in rows:
            rank = (-_ALIVE_FIRST.index(Contact.State(state)), touched, contact)
            if e164 not in best or rank > best[e164]:
                best[e164] = rank
    return {e164: contact for e164, (_state, _touched, contact) in best.items()}
