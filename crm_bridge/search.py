"""What staff type into the search box, and how the database is asked for it.

A query has one or more *ways* to be read, narrow first: a phone that ends so,
then digits anywhere; the words as one phrase, then in any order, then inside
other words. The first way with a hit is shown, and the page offers the wider one. ``browse``
decides between walking the newest rows and the index.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import phonenumbers
from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from crm_bridge.folding import fold
from crm_bridge.models import Contact, ContactPhone
from crm_bridge.phones import digits
from crm_bridge.search_index import FTS

LONGEST_QUERY = 120
MOST_WORDS = 8
MOST_MATCHES = 50_000
TRIGRAM = 3
SHORTEST_ENDING = 4
FULL_NUMBER = 9
"""Digits after the trunk zero: from here a number beginning with 0 is complete."""

BOUNDARIES = " \n.@_+-"
"""What a word begins after. Spelled out: of a class like \\s PostgreSQL makes no trigrams."""

_BOUNDARY = r"[ \n.@_+-]"
_PHONE_LIKE = re.compile(r"[+(]*\d[\d\s().+/–‑-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Term:
    """One thing that a contact's search text must hold, in any of its writings."""

    writings: tuple[str, ...]
    at_word_start: bool = False
    """Begins a word, so that "yen" finds Yến and not every Nguyễn; below three letters it is the word."""

    @property
    def is_short(self) -> bool:
        return min(map(len, self.writings)) < TRIGRAM

    @property
    def condition(self) -> Q:
        found = Q()
        for writing in self.writings:
            holds = Q(search_text__contains=writing)  # cheaper than the expression, so it goes first
            if self.at_word_start:
                end = f"({_BOUNDARY}|$)" if self.is_short else ""
                holds &= Q(search_text__regex=f"(^|{_BOUNDARY}){re.escape(writing)}{end}")
            found |= holds
        return found

    @property
    def match(self) -> str:
        """The FTS5 expression that no matching row escapes; "" when trigrams cannot tell."""
        if not self.at_word_start:
            return "" if self.is_short else _either(self.writings)
        word = self.writings[0]
        before = [f"{sign}{word}" for sign in BOUNDARIES]
        if not self.is_short:
            return f"(^{_quoted(word)} OR {_either(before)})"
        if len(word) < TRIGRAM - 1:
            return ""
        return _either([*before, *(f"{word}{sign}" for sign in BOUNDARIES)])


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""'))


def _either(texts: Iterable[str]) -> str:
    return f"({' OR '.join(map(_quoted, texts))})"


@dataclass(frozen=True)
class Way:
    """One reading of the query."""

    name: str
    terms: tuple[Term, ...] = ()
    ending: str = ""
    """Last digits of a phone, reversed: answered by a range of the phone index."""

    @property
    def condition(self) -> Q:
        if self.ending:
            return Q(pk__in=_phones_ending(self.ending).values("contact_id"))
        found = Q()
        for term in self.terms:
            found &= term.condition
        return found

    @property
    def indexable(self) -> bool:
        return bool(self.ending) or any(term.match for term in self.terms)

    def by_index(self, contacts: "QuerySet[Contact]", vendor: str) -> "QuerySet[Contact]":
        """The contacts that match, through the index and nothing else.

        The limit inside keeps PostgreSQL from walking the whole table in list
        order when it thinks a rare word common.
        """
        if self.ending:
            return contacts.filter(self.condition)
        if vendor == "postgresql":
            hits = Contact.objects.filter(self.condition).order_by().values("pk")[:MOST_MATCHES]
            return contacts.filter(pk__in=hits)
        match = " AND ".join(term.match for term in self.terms if term.match)
        rows = RawSQL(f"SELECT rowid FROM {FTS} WHERE {FTS} MATCH %s", [match])  # noqa: S608, S611  the table's name is a constant, the text a parameter
        contacts = contacts.filter(pk__in=rows)
        for term in self.terms:
            if term.is_short:
                contacts = contacts.filter(term.condition)  # the index says "maybe"
        return contacts


def _phones_ending(reversed_digits: str) -> "QuerySet[ContactPhone]":
    """A range rather than LIKE: it uses the plain index under any collation."""
    phones = ContactPhone.objects.filter(digits_reversed__gte=reversed_digits)
    head = reversed_digits.rstrip("9")
    if head:
        phones = phones.filter(digits_reversed__lt=head[:-1] + str(int(head[-1]) + 1))
    return phones


class Search:
    """One query as typed. Falsy when there is nothing to look for."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(_CONTROL.sub(" ", text).split())[:LONGEST_QUERY].strip()
        self.folded = fold(self.text)

    def __bool__(self) -> bool:
        return bool(self.folded)

    @cached_property
    def is_phone(self) -> bool:
        return bool(_PHONE_LIKE.fullmatch(self.text)) and len(digits(self.text)) > 1

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        return _phone_ways(self.text) if self.is_phone else _text_ways(self.folded)

    def way(self, name: str) -> tuple[Way, ...]:
        """The named way alone, or all of them for "" and unknown names."""
        return tuple(way for way in self.ways if way.name == name) or self.ways

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """Folded texts to mark in what is shown."""
        if self.is_phone:
            return _shown_writings(self.text)
        words = sorted(set(self.folded.split()), key=len, reverse=True)
        return (self.folded, *words)


def _country() -> str:
    return str(phonenumbers.country_code_for_region(settings.PHONE_REGION))


def _writings(text: str) -> tuple[str, ...]:
    """Digit strings under which the index may hold what was typed.

    A valid number stands there as 84934…; one that never validated as it was
    written, so a typed 0934 is looked for in both forms.
    """
    typed = digits(text)
    country = _country()
    if text.lstrip("( ").startswith("+"):
        return (typed,)
    if typed.startswith("00"):
        return (typed[2:], typed) if len(typed) > 2 else (typed,)
    if typed.startswith("0"):
        return (country + typed[1:], typed)
    return (typed,)


def _shown_writings(text: str) -> tuple[str, ...]:
    """As ``_writings``, and as a number of the own country is shown: with its trunk zero."""
    writings, country = _writings(text), _country()
    national = [f"0{writing[len(country) :]}" for writing in writings if writing.startswith(country)]
    return tuple(dict.fromkeys((*writings, *national)))


def _phone_ways(text: str) -> tuple[Way, ...]:
    writings = _writings(text)
    anywhere = Way("digits", terms=(Term(writings),))
    number = writings[0]
    from_the_start = text.lstrip("( ").startswith(("+", "0")) or number.startswith(_country())
    complete = len(number) >= len(_country()) + FULL_NUMBER
    if complete or (len(number) >= SHORTEST_ENDING and not from_the_start):
        return (Way("ending", ending=number[::-1]), anywhere)
    return (anywhere,)


def _text_ways(folded: str) -> tuple[Way, ...]:
    ways = [Way("phrase", terms=(Term((folded,), at_word_start=True),))]
    words = folded.split()[:MOST_WORDS]
    if len(words) > 1:
        ways.append(Way("words", terms=tuple(_word(word) for word in dict.fromkeys(words))))
    if len(folded) >= TRIGRAM:
        ways.append(Way("anywhere", terms=(Term((folded,)),)))
    return tuple(ways)


def _word(word: str) -> Term:
    if _PHONE_LIKE.fullmatch(word) and len(digits(word)) >= TRIGRAM:
        return Term(_writings(word))
    return Term((word,), at_word_start=True)
