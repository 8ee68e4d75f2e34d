"""Which records an AntCRM list shows and in what order, remembered until something changes."""

import random
from typing import Any, NamedTuple

from .seed import ACCOUNT, LEAD, LIVE
from .state import ContactBook, digits, values


class Chosen(NamedTuple):
    """What a list asks for; empty values do not filter."""

    states: frozenset[int] = frozenset({LIVE})
    customer: bool | None = None
    type: int | None = None
    number: int | None = None  # with `customer` telling the counter
    phone: str = ""
    phone_match: str = "exact"
    email: str = ""
    name: str = ""
    created: tuple[int, int] | None = None  # ms, from inclusive, to exclusive
    updated: tuple[int, int] | None = None


class Selector:
    """Finds the positions a list shows, in order; remembers answers until something changes."""

    def __init__(self, book: ContactBook) -> None:
        self._book = book
        self._answers: dict[Any, tuple[Any, list[int]]] = {}
        self._shuffles = 0

    def positions(self, chosen: Chosen, order: str, *, shifting: bool, first_page: bool) -> list[int]:
        """Positions in list order; `random` order is dealt anew whenever the first page is asked."""
        book = self._book
        if order == "random" and first_page:
            self._shuffles += 1
        simple = chosen._replace(customer=None, type=None) == Chosen(states=chosen.states)
        steady = simple and order in ("id", "created", "random") and not shifting
        version: Any = book.membership if steady else -1 - book.version
        key = (chosen, order, shifting)
        if order == "random":
            version = (version, self._shuffles)
        known, found = self._answers.get(key, (None, []))
        if known != version:
            if len(self._answers) >= 32:
                self._answers.clear()
            found = self._ordered(self._matching(chosen), order, shifting)
            self._answers[key] = (version, found)
        return found

    def _ordered(self, found: list[int], order: str, shifting: bool) -> list[int]:
        book = self._book
        if order == "created":
            found.sort(key=lambda position: (-book.created[position], position))
        elif order == "updated_desc":
            found.sort(key=lambda position: (-book.updated[position], position))
        elif order == "random":
            random.Random(self._shuffles).shuffle(found)
        elif shifting:
            found.sort(key=lambda position: book.moved.get(position, 0))
        return found

    def _matching(self, chosen: Chosen) -> list[int]:
        book = self._book
        kinds, states = book.kinds, book.states
        found = self._candidates(chosen)
        if chosen.states == {LIVE}:
            found = [position for position in found if not states[position]]
        else:
            found = [position for position in found if states[position] in chosen.states]
        if chosen.customer is not None:
            found = [position for position in found if (kinds[position] != LEAD) is chosen.customer]
        if chosen.type is not None:
            found = [position for position in found if (kinds[position] == ACCOUNT) is (chosen.type == 1)]
        for dates, bounds in ((book.created, chosen.created), (book.updated, chosen.updated)):
            if bounds:
                first, end = bounds
                found = [position for position in found if first <= dates[position] < end]
        return self._matching_text(found, chosen)

    def _candidates(self, chosen: Chosen) -> Any:
        book = self._book
        if chosen.number is not None:
            position = book.by_number(chosen.number, bool(chosen.customer))
            return [] if position is None else [position]
        if chosen.phone and chosen.phone_match != "contains":
            return sorted(book.with_phone(chosen.phone))
        if chosen.email:
            return sorted(book.with_email(chosen.email))
        return range(len(book.kinds))

    def _matching_text(self, found: list[int], chosen: Chosen) -> list[int]:
        if not (chosen.phone or chosen.email or chosen.name):
            return found
        wanted_name = chosen.name.casefold()
        wanted_mail = chosen.email.strip().lower()
        kept = []
        for position in found:
            fields = self._book.get(position).fields
            if chosen.phone and not _has_phone(fields, chosen):
                continue
            if wanted_mail and wanted_mail not in map(str.lower, values(fields["emails"])):
                continue
            if wanted_name and wanted_name not in fields["name"].casefold():
                continue
            kept.append(position)
        return kept


def _has_phone(fields: dict[str, Any], chosen: Chosen) -> bool:
    phones = values(fields["phones"])
    if chosen.phone_match == "exact":
        return chosen.phone in phones
    if chosen.phone_match == "digits":
        return digits(chosen.phone) in map(digits, phones)
    return any(chosen.phone in phone for phone in phones)
