"""Contacts made from a seed: the same seed, size and day always give the same data.

A record is a pure function of (seed, position), so a million contacts cost a few arrays at start
and each record is made when somebody reads it. `contacts` counts the live ones; trashed, merged
and converted records come on top.
"""

import random
import unicodedata
from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

from . import words

LEAD, CONTACT, ACCOUNT = 0, 1, 2
LIVE, TRASHED, MERGED, CONVERTED, PURGED = 0, 1, 2, 3, 4
DAY_MS = 86_400_000
HISTORY_MS = 730 * DAY_MS
T = TypeVar("T")


class Dice:
    """Cheap reproducible choices for one record; about sixty draws."""

    __slots__ = ("_bits",)

    def __init__(self, seed: int, position: int, topic: int) -> None:
        digest = blake2b(b"%d.%d.%d" % (seed, position, topic), digest_size=64).digest()
        self._bits = int.from_bytes(digest, "little")

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        self._bits, drawn = divmod(self._bits, limit)
        return drawn

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        self._bits, drawn = divmod(self._bits, len(options))
        return options[drawn]


class Identity(NamedTuple):
    """What duplicates share: made apart from the rest so that an index can be built quickly."""

    name: str
    lastname: str
    phones: tuple[str, ...]
    emails: tuple[str, ...]


def plain(text: str) -> str:
    """Lower-case ASCII words joined by hyphens, as the vendor's `normalize` field shows."""
    stripped = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in stripped
                            if not unicodedata.combining(c)).split())  # fmt: skip


_PLAIN = {word: plain(word) for word in (*words.FAMILY, *words.MIDDLE, *words.GIVEN, *words.COMPANY_NAMES)}


class SeedData:
    """Positions 0 to `size` - 1 with their kind, state and dates; fields are made on demand."""

    def __init__(self, seed: int, contacts: int, today_ms: int) -> None:
        self.seed, self.contacts, self.today_ms = seed, contacts, today_ms
        rng = random.Random(f"antcrm-{seed}")
        trashed, merged, converted = (round(contacts * share) for share in (0.015, 0.008, 0.02))
        self.size = size = contacts + trashed + merged + converted
        self.machine = blake2b(b"%d.machine" % seed, digest_size=5).hexdigest()
        self.kinds = bytearray(rng.choices((LEAD, CONTACT, ACCOUNT), (55, 35, 10), k=size))
        self.states = bytearray(size)
        self.created = self._created(rng)
        self.survivors: dict[int, int] = {}
        self.trashed_at: dict[int, int] = {}
        self.lead_of: dict[int, int] = {}
        self._choose_states(rng, trashed, merged, converted)
        self.updated = self._updated(rng)
        self.numbers = self._numbers()
        self.staff = [(self.make_oid(today_ms - HISTORY_MS, 0xF00000 + i), email, name)
                      for i, (email, name) in enumerate(words.STAFF)]  # fmt: skip
        self.definitions = [(self.make_oid(today_ms - HISTORY_MS, 0xF10000 + i), name)
                            for i, (name, _) in enumerate(words.CUSTOM_FIELDS)]  # fmt: skip
        self.org = self.make_oid(today_ms - HISTORY_MS, 0xF20000)

    def make_oid(self, at_ms: int, counter: int) -> str:
        """A 24-digit document id: second, machine, counter."""
        return f"{at_ms // 1000 & 0xFFFFFFFF:08x}{self.machine}{counter & 0xFFFFFF:06x}"

    def oid(self, position: int) -> str:
        """The document id: its first four bytes are the second of creation."""
        return self.make_oid(self.created[position], position)

    def _created(self, rng: random.Random) -> "array[int]":
        start = self.today_ms - HISTORY_MS
        step = (HISTORY_MS - DAY_MS) / max(self.size, 1)
        draw = rng.random
        return array("q", [start + int((i + draw()) * step) for i in range(self.size)])

    def _choose_states(self, rng: random.Random, trashed: int, merged: int, converted: int) -> None:
        gone = rng.sample(range(1, self.size), trashed + merged + converted) if self.size > 1 else []
        leads, losers, binned = (
            gone[:converted],
            gone[converted : converted + merged],
            gone[converted + merged :],
        )
        for state, positions in ((CONVERTED, leads), (MERGED, losers), (TRASHED, binned)):
            for position in positions:
                self.states[position] = state
        for position in losers:
            self._merge(position, self._live_near(rng, position))
        taken = set(self.survivors.values())
        for position in leads:
            customer = self._live_near(rng, position, later=True)
            self.kinds[position] = LEAD
            if customer not in self.lead_of and customer not in taken:
                self.kinds[customer] = CONTACT
            if self.kinds[customer] == CONTACT:
                self.lead_of.setdefault(customer, position)
        if len(losers) >= 4 and len(binned) >= 1:
            # A chain: the first loser's survivor was itself merged away; and one survivor was trashed later.
            self._merge(losers[0], losers[1])
            self._merge(losers[2], binned[0])
        for position in binned:
            since = self.today_ms - self.created[position]
            self.trashed_at[position] = self.created[position] + int(since * (0.3 + 0.7 * rng.random()))

    def _merge(self, loser: int, survivor: int) -> None:
        self.survivors[loser] = survivor
        self.kinds[loser] = self.kinds[survivor]

    def _live_near(self, rng: random.Random, position: int, later: bool = False) -> int:
        """A live record made around the same time, or only after it."""
        for _ in range(64):
            candidate = min(self.size - 1, max(0, position + rng.randrange(1 if later else -400, 400)))
            if self.states[candidate] == LIVE and self.kinds[candidate] != ACCOUNT:
                return candidate
        return self.states.index(LIVE)

    def _updated(self, rng: random.Random) -> "array[int]":
        draw, today = rng.random, self.today_ms
        # A fifth never changed after creation, the rest leans towards recent days.
        updated = array("q", [
            at if (share := draw()) < 0.2 else today - int((today - at) * (1.25 - share * 1.25) ** 1.5)
            for at in self.created
        ])  # fmt: skip
        for position, at in self.trashed_at.items():
            updated[position] = at + 17
        return updated

    def _numbers(self) -> "array[int]":
        """leadId and customerId come from two counters; contacts and accounts share one."""
        leads = customers = 0
        numbers = array("I", bytes(4 * self.size))
        for position, kind in enumerate(self.kinds):
            if kind == LEAD:
                leads += 1
                numbers[position] = leads
            else:
                customers += 1
                numbers[position] = customers
        return numbers

    # ------------------------------------------------------------------ one record

    def identity(self, position: int) -> Identity:
        """Name, phones and e-mails; merged losers and some others share them with another record."""
        own = self._own_identity(position)
        twin = self.survivors.get(position, position)
        shares = twin != position and position % 10 < 8
        if twin == position and position % 61 == 7:
            twin, shares = position - 5, True
        lead = self.lead_of.get(position)
        if lead is not None:
            return self._own_identity(lead)
        if not shares:
            return own
        other = self._own_identity(twin)
        return Identity(own.name, own.lastname, other.phones or own.phones, other.emails or own.emails)

    def _own_identity(self, position: int) -> Identity:
        dice = Dice(self.seed, position, 1)
        family, middle, given = dice.pick(words.FAMILY), dice.pick(words.MIDDLE), dice.pick(words.GIVEN)
        if self.kinds[position] == ACCOUNT:
            brand = dice.pick(words.COMPANY_NAMES)
            name = f"{dice.pick(words.COMPANY_FORMS)} {dice.pick(words.COMPANY_LINES)} {brand}"
            handle = _PLAIN[brand].replace("-", "")
        else:
            name = f"{family} {middle} {given}" if middle else f"{family} {given}"
            handle = f"{_PLAIN[given]}.{_PLAIN[family].replace('-', '')}"
        if position % 89 == 11:
            name = words.HOSTILE_NAMES[position // 89 % len(words.HOSTILE_NAMES)]
        phones = tuple(self._phone(dice) for _ in range((0, 1, 1, 1, 1, 1, 1, 2, 2, 3)[dice.below(10)]))
        emails: tuple[str, ...] = ()
        if dice.below(10) < 6:
            emails = (f"{handle}{position}@{dice.pick(words.MAIL_HOSTS)}",)
            if dice.below(12) == 0:
                emails += (f"{handle.upper()}.{position}@Example.COM",)
        return Identity(name, family, phones, emails)

    def _phone(self, dice: Dice) -> str:
        style = dice.below(100)
        if style < 3:
            return dice.pick(words.ODD_PHONES)
        if style < 5:
            return dice.pick(words.FOREIGN_PHONES)
        n = f"{dice.pick(words.MOBILE_PREFIXES)}{dice.below(10_000_000):07d}"
        if style < 55:
            return n
        if style < 68:
            return f"{n[:4]} {n[4:7]} {n[7:]}"
        if style < 81:
            return f"+84 {n[1:4]} {n[4:7]} {n[7:]}"
        if style < 92:
            return f"84{n[1:]}"
        return f"({n[:3]}) {n[3:6]}-{n[6:]}"

    def fields(self, position: int) -> dict[str, Any]:
        """All stored fields of a record as it was seeded."""
        identity = self.identity(position)
        dice = Dice(self.seed, position, 2)
        at = self.created[position]
        counter = position * 8
        kind = self.kinds[position]
        customer = kind != LEAD
        rank, least = dice.pick(words.RANKS) if customer else ("", 0)
        note = dice.below(8)
        if position % 97 == 13:
            bg_info: str | None = words.HOSTILE_NOTES[position // 97 % len(words.HOSTILE_NOTES)]
        else:
            bg_info = dice.pick(words.NOTES) if note < 3 else "" if note < 7 else None
        return {
            "name": identity.name,
            "lastname": identity.lastname if dice.below(3) == 0 else "",
            "dateOfBirth": self._birth(dice),
            "gender": (0, 1, 2, 2)[dice.below(4)],
            "addresses": self._addresses(dice, at, counter),
            "phones": [{"type": "Work", "_id": self.make_oid(at, counter + i), "value": value}
                       for i, value in enumerate(identity.phones)],
            "emails": [{"type": "Work", "_id": self.make_oid(at, counter + 4 + i), "value": value}
                       for i, value in enumerate(identity.emails)],
            "industry": dice.pick(words.INDUSTRIES) if dice.below(3) == 0 else dice.pick(("", None)),
            "im": self._im(dice, position),
            "bgInfo": bg_info,
            "stage": dice.pick(words.STAGES) if dice.below(5) else dice.pick(("", None)),
            "tags": sorted({dice.pick(words.TAGS) for _ in range((0, 0, 1, 1, 2, 3)[dice.below(6)])}),
            "sourceContact": dice.pick(words.SOURCES) if dice.below(4) else dice.pick(("", None)),
            "responsibleStaff": self.staff[dice.below(len(self.staff))][0] if dice.below(7) else None,
            "cusFields": self._custom(dice, at, counter),
            "scoreAvailable": least // 2 + dice.below(50) if customer else 0,
            "scoreRank": least + dice.below(50) if customer else 0,
            "rankName": rank,
            "createdByBot": dice.pick(words.BOTS),
            "sourceLead": self.lead_of.get(position),
            "historiesAds": self._ads(dice, at, counter) if dice.below(12) == 0 else [],
            "group": None,
            "contactId": [str(2_000_000_000_000_000_000 + dice.below(10**9))] if dice.below(9) == 0 else [],
        }  # fmt: skip

    def _birth(self, dice: Dice) -> str | None:
        if dice.below(10) < 6:
            return dice.pick((None, ""))
        return f"{1950 + dice.below(58)}-{1 + dice.below(12):02d}-{1 + dice.below(28):02d}"

    def _addresses(self, dice: Dice, at: int, counter: int) -> list[dict[str, Any]]:
        choice = dice.below(10)
        if choice < 2:
            return []
        address: dict[str, Any] = dict.fromkeys(ADDRESS_TEXTS, "")
        if choice > 4:
            city, code, districts = dice.pick(words.CITIES)
            address |= {
                "street": str(1 + dice.below(400)),
                "streetName": dice.pick(words.STREETS),
                "wards": dice.pick(words.WARDS),
                "state": dice.pick(districts),
                "city": city,
                "cityCode": code,
            }
        country = {"code": "VN", "name": "Vietnam"}
        return [{"type": "Work", **address, "_id": self.make_oid(at, counter + 6), "country": country}]

    def _im(self, dice: Dice, position: int) -> list[dict[str, str]]:
        if position % 101 == 17:
            protocol, value = words.HOSTILE_LINKS[position // 101 % len(words.HOSTILE_LINKS)]
            return [{"protocol": protocol, "value": value}]
        if dice.below(6):
            return []
        return [{"protocol": "Facebook", "value": f"https://social.example.com/u/{position}"}]

    def _custom(self, dice: Dice, at: int, counter: int) -> list[dict[str, str]]:
        count = (0, 0, 0, 1, 2, 3)[dice.below(6)]
        first = dice.below(len(words.CUSTOM_FIELDS))
        chosen = [(first + i) % len(words.CUSTOM_FIELDS) for i in range(count)]
        return [
            {
                "_id": self.make_oid(at, counter + 7 + i),
                "id": self.definitions[index][0],
                "value": dice.pick(words.CUSTOM_FIELDS[index][1]),
            }
            for i, index in enumerate(chosen)
        ]

    def _ads(self, dice: Dice, at: int, counter: int) -> list[dict[str, Any]]:
        return [
            {
                "_id": self.make_oid(at, counter + 5),
                "fb_ads_id": str(120_226_000_000_000_000 + dice.below(10**9)),
                "fb_post_id": str(811_000_000_000_000 + dice.below(10**6)),
                "createdAt": at,
            }
        ]


ADDRESS_TEXTS = (
    "street",
    "streetName",
    "city",
    "state",
    "wards",
    "cityCode",
    "stateCode",
    "wardsCode",
    "zip",
)
