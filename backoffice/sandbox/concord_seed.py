"""Concord's account at the start: contacts of a company in São Paulo that also serves Vietnam.

Two of five contacts are people of the AntCRM account, so that both systems know the same numbers; the
others are Brazilian. As there, a record is a pure function of (seed, position), made when it is read.
"""

import random
from array import array
from typing import Any, NamedTuple

from . import words
from .seed import ACCOUNT, Dice, SeedData, plain

LIVE, TRASHED, PURGED = 0, 1, 2
DAY_US = 86_400_000_000
HISTORY_US = 730 * DAY_US

FIRST = (
    "Ana", "João", "Maria", "José", "Antônia", "Luís", "Conceição", "Paulo", "Letícia", "André", "Júlia",
    "Otávio", "Beatriz", "Gonçalo", "Íris", "Vitória", "Zé", "Maria Clara", "João Pedro", "Ana Lúcia",
)  # fmt: skip
LAST = (
    "Silva", "Souza", "Araújo", "Gonçalves", "Conceição", "de Oliveira", "dos Santos", "Magalhães", "Côrtes",
    "d'Ávila", "Brandão", "Muniz-Sodré", "Nakamura", "Albuquerque", "Simões", "da Silva e Souza",
)  # fmt: skip
JOBS = ("Diretora", "Gerente de compras", "Analista", "Sócio-proprietário", "Recepção", "Kế toán trưởng")
CITIES = (
    ("São Paulo", "SP", "01310-100"), ("Rio de Janeiro", "RJ", "20040-020"),
    ("Belo Horizonte", "MG", "30130"), ("Florianópolis", "SC", "88010-400"),
    ("Hà Nội", "Hoàn Kiếm", "100000"), ("Hồ Chí Minh", "Quận 3", "700000"),
)  # fmt: skip
STREETS = (
    "Av. Paulista, 1578", "Rua da Consolação, 21 - apto 7", "Praça XV de Novembro, s/nº", "Travessa Íris, 3",
    "12A Lê Lợi, Phường Bến Nghé", "Rua Gonçalo de Carvalho",
)  # fmt: skip
TAGS = ("VIP", "cliente", "inativo", "lead quente", "Hội thảo", "não ligar", "São Paulo", "atacado")
DDDS = ("11", "21", "31", "48", "71")
USERS = (
    (1, "Helena Brandão", "helena@equipe.example.com.br"),
    (2, "Rafael Côrtes", "rafael@equipe.example.com.br"),
    (3, "Trần Thu Hà", "ha.tran@equipe.example.com.br"),
    (4, "Íris d'Ávila", "iris@equipe.example.com.br"),
)  # fmt: skip
SOURCES = ((1, "Site"), (2, "Indicação"), (3, "Feira"), (4, "Facebook"), (5, "Zalo"))
COUNTRIES = ((30, "Brazil"), (704, "Vietnam"), (620, "Portugal"), (840, "United States"))
#: Custom fields of the account: key and type. The API tells neither; the keys simply stand among the others.
CUSTOM = {
    "contract_number": "text",
    "credit_limit": "number",
    "newsletter": "boolean",
    "interests": "many",
    "renewal_date": "date",
    "observacao": "text",
}
INTERESTS = ("vinhos", "viagens", "tecnologia", "cà phê")
NOTES = ("Prefere WhatsApp", "Gọi sau 17h", "=1+1", "<b>negrito</b>", "linha 1\nlinha 2")
COMPANIES = tuple(f"{name} {form}" for form in ("Ltda.", "S.A.", "& Filhos", "ME") for name in LAST[:10])
DEALS = ("Contrato anual", "Renovação", "Projeto piloto", "Hợp đồng khung", "Licenças", "Suporte <urgente>")
ACTIVITIES = ("Ligação", "Reunião", "E-mail", "Almoço", "Gọi lại", "Visita")
POOLS = {"companies": 40, "deals": 60, "activities": 90}


class Person(NamedTuple):
    """Name, phones and e-mail of one contact."""

    first_name: str
    last_name: str | None
    phones: tuple[str, ...]
    email: str | None


class ConcordSeed:
    """Positions 0 to `size` - 1, whose id is one more; `people` is the AntCRM account's seed."""

    def __init__(self, seed: int, contacts: int, today_ms: int, people: SeedData) -> None:
        self.seed, self.contacts, self.today_us, self.people = seed, contacts, today_ms * 1000, people
        rng = random.Random(f"concord-{seed}")
        trashed = round(contacts * 0.015)
        self.size = size = contacts + trashed
        self.states = bytearray(size)
        start, step = self.today_us - HISTORY_US, (HISTORY_US - DAY_US) / max(size, 1)
        draw = rng.random
        self.created = array("q", [start + int((i + draw()) * step) for i in range(size)])
        self.updated = array("q", [self._updated(at, draw()) for at in self.created])
        self.deleted_at: dict[int, int] = {}
        for position in rng.sample(range(1, size), trashed) if size > 1 else ():
            self.states[position] = TRASHED
            since = self.today_us - self.updated[position]
            self.deleted_at[position] = self.updated[position] + int(since * draw())

    def _updated(self, created: int, share: float) -> int:
        """A fifth never changed, the rest leans towards recent days."""
        if share < 0.2:
            return created
        return self.today_us - int((self.today_us - created) * (1.25 - share * 1.25) ** 1.5)

    def person(self, position: int) -> Person:
        """What a search looks at: made apart from the rest so that an index is built quickly."""
        dice = Dice(self.seed, position, 11)
        if position % 5 < 2 and self.people.size:
            return self._vietnamese(dice, position % self.people.size)
        first, last = dice.pick(FIRST), dice.pick(LAST)
        if position % 97 == 13:
            name = words.HOSTILE_NAMES[position // 97 % len(words.HOSTILE_NAMES)][:180]
            return Person(name, "Teste", (self._phone(dice),), None)
        phones = tuple(self._phone(dice) for _ in range((0, 1, 1, 1, 1, 2, 2, 3)[dice.below(8)]))
        email = None
        if dice.below(10) < 6:
            email = f"{plain(first)}.{plain(last)}{position}@{dice.pick(words.MAIL_HOSTS)}"
            email = email.upper() if dice.below(15) == 0 else email
        return Person(first, (last, last, last, None, "")[dice.below(5)], phones, email)

    def _vietnamese(self, dice: Dice, position: int) -> Person:
        """A person of the AntCRM account: given and family name apart, or all in the first name."""
        shared = self.people.identity(position)
        name, last = shared.name[:180], None
        if self.people.kinds[position] != ACCOUNT and dice.below(3) and " " in name.strip():
            last, _, name = name.strip().rpartition(" ")
        return Person(name.strip() or "?", last, shared.phones, next(iter(shared.emails), None))

    def _phone(self, dice: Dice) -> str:
        style = dice.below(100)
        if style < 4:
            return dice.pick(words.ODD_PHONES) or "-"
        if style < 7:
            return dice.pick(words.FOREIGN_PHONES)
        ddd, number = dice.pick(DDDS), f"9{dice.below(100_000_000):08d}"
        if style < 40:
            return f"+55 {ddd} {number[:5]}-{number[5:]}"
        if style < 60:
            return f"({ddd}) {number[:5]}-{number[5:]}"
        if style < 75:
            return f"55{ddd}{number}"
        return f"+55{ddd}{number}" if style < 90 else f"+55 ({ddd}) 3{number[2:5]}-{number[5:]}"

    def fields(self, position: int) -> dict[str, Any]:
        """All stored fields of a contact as it was seeded."""
        person, dice = self.person(position), Dice(self.seed, position, 12)
        city, state, postal_code = dice.pick(CITIES) if dice.below(3) else (None, None, None)
        blank = (None, "")
        stored: dict[str, Any] = {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "phones": [{"number": number, "type": dice.pick(("mobile", "mobile", "work", "other"))}
                       for number in person.phones],
            "user_id": dice.pick(USERS)[0] if dice.below(6) else None,
            "tags": sorted({dice.pick(TAGS) for _ in range((0, 0, 1, 1, 2, 3)[dice.below(6)])}),
            "source_id": dice.pick(SOURCES)[0] if dice.below(4) else None,
            "job_title": dice.pick(JOBS) if dice.below(2) else dice.pick(blank),
            "street": dice.pick(STREETS) if city and dice.below(4) else dice.pick(blank),
            "city": city,
            "state": state,
            "postal_code": postal_code if dice.below(2) else dice.pick(blank),
            "country_id": (704 if city in ("Hà Nội", "Hồ Chí Minh") else 30) if city else None,
            "custom": self._custom(dice),
        }  # fmt: skip
        for pool, size in POOLS.items():
            stored[pool] = sorted({1 + dice.below(size) for _ in range((0, 0, 0, 1, 1, 2)[dice.below(6)])})
        return stored

    def _custom(self, dice: Dice) -> dict[str, Any]:
        drawn = {
            "contract_number": f"BR-{dice.below(10_000):05d}",
            "credit_limit": dice.pick((0, 5000, 12500.5, 1_000_000)),
            "newsletter": bool(dice.below(2)),
            "interests": [dice.pick(INTERESTS)] if dice.below(2) else list(INTERESTS[:2]),
            "renewal_date": f"2027-{1 + dice.below(12):02d}-{1 + dice.below(28):02d}",
            "observacao": dice.pick(NOTES),
        }
        return {key: value if dice.below(3) == 0 else ([] if key == "interests" else None)
                for key, value in drawn.items()}  # fmt: skip


def names_of(pool: str) -> list[str]:
    """Titles of the companies, deals or activities, in the order of their ids from 1 on."""
    if pool == "companies":
        return list(COMPANIES)
    titles, size = (DEALS if pool == "deals" else ACTIVITIES), POOLS[pool]
    return [f"{titles[i % len(titles)]} {i + 1}" for i in range(size)]
