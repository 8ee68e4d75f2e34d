"""amoCRM's contacts in memory: made from the seed, changed by the API and by remote staff.

A record is made when somebody reads it, so that a large account costs a few arrays. Every second
person is one that AntCRM's seed knows too: the same number in another CRM, often spelled
differently. Times are Unix seconds.
"""

import random
import time
from array import array
from collections.abc import Callable
from typing import Any

from . import amocrm_words as words
from . import words as shared_words
from .seed import Dice, Identity

LIVE, DELETED, MERGED = 0, 1, 2
STATE_NAMES = {LIVE: "live", DELETED: "deleted", MERGED: "merged"}
DAY = 86_400
HISTORY = 730 * DAY
FIRST_ID = 7_143_599
Values = list[dict[str, Any]]


class Book:
    """The contacts of one account by position; `number` of a position is the contact's id."""

    def __init__(self, seed: int, contacts: int, today: int, people: Callable[[int], Identity]) -> None:
        self.seed, self.today, self._people = seed, today, people
        rng = random.Random(f"amocrm-{seed}")
        gone = round(contacts * 0.02)
        size = contacts + gone
        self.numbers = array("q", [FIRST_ID + 7 * p + p % 5 for p in range(size)])
        self._positions = {number: position for position, number in enumerate(self.numbers)}
        step = (HISTORY - DAY) / max(size, 1)
        start = today - HISTORY
        self.created = array("q", [start + int((p + rng.random()) * step) for p in range(size)])
        self.updated = array(
            "q",
            [at if rng.random() < 0.2 else at + int((today - 60 - at) * rng.random()) for at in self.created],
        )
        self.states = bytearray(size)
        for position in rng.sample(range(size), gone):
            self.states[position] = DELETED
        self.survivors: dict[int, int] = {}
        self.tags = dict(enumerate(words.TAGS, 25_100))
        self.version = 0
        self.skew = 0
        self.born: dict[int, float] = {}
        self.changed: Callable[[int], None] = lambda position: None
        self._kept: dict[int, dict[str, Any]] = {}
        self._seeded = size

    def __len__(self) -> int:
        return len(self.numbers)

    def now(self) -> int:
        """The account's clock."""
        return int(time.time()) + self.skew

    def at(self, number: Any) -> int | None:
        """The position of a contact by its id."""
        return self._positions.get(number) if isinstance(number, int) else None

    def get(self, position: int) -> dict[str, Any]:
        """The stored fields of a contact; treat as read only."""
        kept = self._kept.get(position)
        return self._made(position) if kept is None else kept

    def create(
        self, fields: dict[str, Any], *, created: int | None = None, updated: int | None = None
    ) -> int:
        """A new live contact; its position."""
        position = len(self.numbers)
        number = FIRST_ID + 7 * position + position % 5
        now = self.now()
        self.numbers.append(number)
        self._positions[number] = position
        self.created.append(now if created is None else created)
        self.updated.append(now if updated is None else updated)
        self.states.append(LIVE)
        self.born[position] = time.monotonic()
        self._kept[position] = blank() | fields
        self._touched(position)
        return position

    def edit(self, position: int, changes: dict[str, Any], *, updated: int | None = None) -> None:
        """Set fields of a contact; `updated_at` rises unless it is given."""
        self._kept[position] = self.get(position) | changes
        self.updated[position] = self.now() if updated is None else updated
        self._touched(position)

    def move(self, position: int, state: int) -> None:
        """Delete, restore or merge away."""
        self._kept.setdefault(position, self.get(position))
        self.states[position] = state
        self.updated[position] = self.now()
        self._touched(position)

    def set_dates(self, position: int, *, created: int | None = None, updated: int | None = None) -> None:
        """Force dates, for records from the future or the far past."""
        if created is not None:
            self.created[position] = created
        if updated is not None:
            self.updated[position] = updated
        self._touched(position)

    def tag_id(self, name: str) -> int:
        """The id of a tag; an unknown name becomes a new tag."""
        for number, known in self.tags.items():
            if known == name:
                return number
        number = max(self.tags) + 1
        self.tags[number] = name
        return number

    def younger_than(self, position: int, seconds: float) -> bool:
        """Made less than so many real seconds ago, for lists that lag behind."""
        return time.monotonic() - self.born.get(position, float("-inf")) < seconds

    def _touched(self, position: int) -> None:
        self.version += 1
        self.changed(position)

    # ------------------------------------------------------------------ the seed

    def _made(self, position: int) -> dict[str, Any]:
        dice = Dice(self.seed, position, 31)
        fields = blank() | {
            "responsible_user_id": dice.pick(words.USERS)[0],
            "created_by": dice.pick((0, words.USERS[0][0], words.USERS[1][0])),
            "updated_by": dice.pick(words.USERS)[0],
            "closest_task_at": self.today + DAY * (1 + dice.below(20)) if dice.below(9) == 0 else None,
            "tags": sorted(
                {25_100 + dice.below(len(words.TAGS)) for _ in range((0, 0, 1, 2)[dice.below(4)])}
            ),
            "company": 40_000 + dice.below(300) if dice.below(3) == 0 else None,
            "leads": [3_916_000 + position * 3 + i for i in range((0, 0, 1, 2)[dice.below(4)])],
            "customers": [134_000 + position] if dice.below(12) == 0 else [],
            "elements": [{"id": 9_000 + position, "quantity": 2, "catalog_id": 4521, "metadata": {}}]
            if dice.below(25) == 0
            else [],
        }
        fields |= self._names(position, dice)
        fields["values"] = self._values(position, dice)
        return fields

    def _names(self, position: int, dice: Dice) -> dict[str, str]:
        if position % 41 == 6:
            name = shared_words.HOSTILE_NAMES[position // 41 % len(shared_words.HOSTILE_NAMES)]
            return {"name": name, "first_name": "", "last_name": ""}
        if position % 97 == 11:
            return {"name": "", "first_name": "", "last_name": ""}
        if position % 2 == 0:
            return {"name": self._people(position).name, "first_name": "", "last_name": ""}
        first, last = dice.pick(words.RUSSIAN) if position % 4 == 1 else dice.pick(words.LATIN)
        return {"name": f"{first} {last}", "first_name": first, "last_name": last}

    def _values(self, position: int, dice: Dice) -> dict[int, Values]:
        values: dict[int, Values] = {}
        if position % 23 == 9:
            return values
        if position % 2 == 0:
            person = self._people(position)
            phones, emails = list(person.phones), list(person.emails)
        else:
            phones, emails = self._own_reach(position, dice)
        for number, texts in ((words.PHONE, phones), (words.EMAIL, emails)):
            enums = words.ENUMS[number]
            if texts:
                values[number] = [{"value": text, "enum_id": dice.pick(enums)["id"]} for text in texts]
        if dice.below(3) == 0 and (text := dice.pick(words.POSITIONS)):
            values[words.POSITION] = [{"value": text}]
        if dice.below(3):
            return values
        values |= {
            words.CONTRACT: [{"value": dice.pick(words.CONTRACTS)}],
            words.LIMIT: [{"value": str(dice.below(50) * 100_000)}],
            words.CHECKED: [{"value": dice.below(2) == 0}],
            words.RENEWAL: [{"value": self.today - 3 * 3600 + DAY * (dice.below(400) - 200)}],
            words.RANK: [self._choice(words.RANK, dice)],
            words.GENDER: [self._choice(words.GENDER, dice)],
            words.SITE: [{"value": dice.pick(words.SITES)}],
            words.REMARK: [{"value": dice.pick(shared_words.NOTES)}],
            words.LAST_CALL: [{"value": self.today - dice.below(90 * DAY)}],
            words.BIRTHDAY: [{"value": -3 * 3600 + DAY * (3650 + dice.below(12_000))}],
        }
        picked = sorted({dice.below(4) for _ in range(1 + dice.below(3))})
        values[words.CHANNELS] = [
            {"value": each["value"], "enum_id": each["id"]}
            for index, each in enumerate(words.ENUMS[words.CHANNELS]) if index in picked
        ]  # fmt: skip
        if dice.below(4) == 0:
            values[words.PLACE] = [
                {"value": "Lê Lợi 12", "enum_id": 1, "enum_code": "address_line_1"},
                {"value": "Huế", "enum_id": 3, "enum_code": "city"},
            ]
        return values

    def _own_reach(self, position: int, dice: Dice) -> tuple[list[str], list[str]]:
        digits = f"9{dice.below(10**9):09d}"
        spelled = (
            f"+7 ({digits[:3]}) {digits[3:6]}-{digits[6:8]}-{digits[8:]}",
            f"8{digits}",
            f"+55 11 9{digits[1:5]}-{digits[5:9]}",
            f"0{digits[:3]} {digits[3:6]} {digits[6:9]}",
        )
        phones = [dice.pick(spelled)] if dice.below(12) else []
        if dice.below(8) == 0:
            phones.append(dice.pick(shared_words.ODD_PHONES))
        emails = [f"contact{position}@{dice.pick(shared_words.MAIL_HOSTS)}"] if dice.below(3) else []
        return phones, emails

    @staticmethod
    def _choice(field: int, dice: Dice) -> dict[str, Any]:
        chosen = dice.pick(words.ENUMS[field])
        return {"value": chosen["value"], "enum_id": chosen["id"]}


def blank() -> dict[str, Any]:
    """A contact without anything."""
    return {
        "name": "", "first_name": "", "last_name": "", "responsible_user_id": words.USERS[0][0],
        "group_id": 0, "created_by": 0, "updated_by": 0, "closest_task_at": None, "values": {}, "tags": [],
        "company": None, "leads": [], "customers": [], "elements": [], "extra": {},
    }  # fmt: skip
