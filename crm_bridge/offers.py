"""What other apps let people do with contacts of the list.

An app registers its offers when it is ready; this one need not know who they are.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Offer:
    """One more button of the contact list."""

    label: Any
    icon: str
    permission: str
    selected: str = ""
    """Route that is posted the chosen contacts as ``selected``, like the list's own bulk actions."""
    listed: str = ""
    """Route that gets the query of the list: all that it shows are meant."""


_offers: list[Offer] = []


def register(offer: Offer) -> None:
    """Make an offer known; called once, when the app is ready."""
    if offer not in _offers:
        _offers.append(offer)


def offers_for(user: Any) -> list[Offer]:
    """What this person may do."""
    return [offer for offer in _offers if user.has_perm(offer.permission)]
