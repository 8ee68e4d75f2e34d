"""AntBOT's account at the start: an advertising company a few days into using the bot.

Everybody in it is invented. The finished campaign was really dialled, by the simulated dialler in
the three days before the present, so its subscribers and call records agree with each other.
"""

import random
import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from . import words
from .antbot_calls import draw
from .antbot_dialer import STARTED
from .antbot_resources import EXTRAS, RESOURCES
from .antbot_tables import Row
from .seed import LIVE, SeedData

if TYPE_CHECKING:
    from .antbot import AntBot

HISTORY = timedelta(days=4)
PEOPLE = 36  # taken from the CRM, so that calls and contacts meet
MOBILE = re.compile(r"0[35789]\d{8}")
GATEWAYS = (
    ("AliceDevGateway", 1, "", "", True),
    ("AliceVoice02", 1, "84", "0", False),
    ("AliceBackup", 0, "", "", False),
)
SURVEYS: tuple[tuple[str, str, tuple[tuple[int, str, str, bool], ...]], ...] = (
    (
        "Khảo sát hài lòng", "vi",
        (
            (1, "Chào hỏi", "Xin chào {first_name}, chúng tôi gọi từ công ty Ánh Dương.", False),
            (3, "Chấm điểm", "Bấm một đến chín để chấm điểm dịch vụ.", False),
            (1, "Cảm ơn", "Cảm ơn quý khách, xin tạm biệt.", True),
        ),
    ),
    (
        "Ưu đãi cuối năm", "vi",
        (
            (1, "Giới thiệu", "Công ty Ánh Dương giảm giá hai mươi phần trăm trong tuần này.", False),
            (2, "Quan tâm", "Bấm một để gặp tư vấn viên, bấm hai để không nhận cuộc gọi nữa.", False),
            (6, "Gặp tư vấn", "Vui lòng đợi trong giây lát.", True),
            (9, "Không gọi nữa", "Chúng tôi sẽ không gọi lại số này.", False),
        ),
    ),
    ("Appointment reminder", "en", ((1, "Reminder", "This is a reminder of your appointment.", True),)),
)  # fmt: skip


class Person(NamedTuple):
    """Somebody with a number in national form."""

    first_name: str
    last_name: str
    number: str


def people_of(data: SeedData, count: int) -> list[Person]:
    """The first live contacts of the CRM with an ordinary mobile number, each number once."""
    found: dict[str, Person] = {}
    for position in range(data.size):
        if len(found) == count:
            break
        identity = data.identity(position)
        number = next((p for p in identity.phones if MOBILE.fullmatch(p)), None)
        if data.states[position] == LIVE and number and len(identity.name) < 60:
            last, _, first = identity.name.partition(" ")
            found.setdefault(number, Person(first or last, last, number))
    return list(found.values())


def fill(bot: "AntBot", seed: int, now: datetime, people: list[Person]) -> None:
    """Make the account and let its past happen."""
    rng = random.Random(f"antbot-{seed}")
    people = people + [_invented(rng) for _ in range(60 - len(people))]
    add = _adder(bot)
    gateways = [_gateway(bot, *row) for row in GATEWAYS]
    templates = [_survey(add, *survey) for survey in SURVEYS]
    hot = add("phonebook", name="Khách hàng thân thiết", description="Danh bạ mẫu")
    new = add("phonebook", name="Khách mới tháng này", description="")
    for person in people[:40]:
        _contact(add, hot["id"], person)
    for person in people[36:]:  # four people stand in both phonebooks
        _contact(add, new["id"], person)
    lists = [add("dnc_list", name="Không gọi lại", description="Khách yêu cầu"),
             add("dnc_list", name="Danh sách chặn quảng cáo", description="Nhập từ tệp")]  # fmt: skip
    spellings: tuple[Callable[[str], str], ...] = (
        str, lambda n: "+84" + n[1:], lambda n: "84" + n[1:], lambda n: f"{n[:4]} {n[4:7]} {n[7:]}",
    )  # fmt: skip
    for index, person in enumerate(people[30:34] + people[50:54]):
        add("dnc_entry", dnc=lists[index // 4]["id"], phone_number=spellings[index % 4](person.number))
    _finished_campaign(bot, rng, now, templates[1], hot, gateways[0], lists[0])
    bot.dialer.seal(templates[2], None)
    _one_time_password(bot, people[41].number, gateways[0], now)
    bot.exchange.catch_up(now)
    bot.exchange.ledger.clear()
    bot.tables.settle()


def _adder(bot: "AntBot") -> Callable[..., Row]:
    defaults = {resource.table: resource.fields for resource in RESOURCES.values()}

    def add(table: str, **values: object) -> Row:
        blank = {name: field.default for name, field in defaults[table].items()}
        dates = {"created_date": bot.exchange.now, "updated_date": bot.exchange.now}
        return bot.tables[table].add(blank | EXTRAS.get(table, {}) | values | dates)

    return add


def _invented(rng: random.Random) -> Person:
    number = rng.choice(words.MOBILE_PREFIXES) + f"{rng.randrange(10**7):07d}"
    return Person(
        f"{rng.choice(words.MIDDLE)} {rng.choice(words.GIVEN)}".strip(), rng.choice(words.FAMILY), number
    )


def _gateway(bot: "AntBot", name: str, status: int, add: str, remove: str, trial: bool) -> Row:
    return bot.tables["gateway"].add(
        {
            "name": name, "status": status, "description": name, "addprefix": add, "removeprefix": remove,
            "gateways": f"sofia/gateway/{name}/", "subdomain": "company", "gateway_codecs": "",
            "gateway_timeouts": "10", "gateway_retries": "", "originate_dial_string": "",
            "secondused": None, "created_date": bot.exchange.now, "updated_date": bot.exchange.now,
            "addparameter": "", "count_call": 0, "count_in_use": None, "maximum_call": None,
            "is_trial": trial, "failover": None,
        }
    )  # fmt: skip


def _survey(
    add: Callable[..., Row], name: str, language: str, sections: tuple[tuple[int, str, str, bool], ...]
) -> Row:
    template = add("template", name=name, tts_language=language, description="Mẫu có sẵn")
    for order, (kind, question, script, completed) in enumerate(sections, 1):
        add("section", survey=template["id"], type=kind, question=question, script=script, order=order,
            completed=completed, phonenumber="02873001234" if kind == 6 else "")  # fmt: skip
    return template


def _contact(add: Callable[..., Row], phonebook: int, person: Person) -> Row:
    return add("contact", phonebook=phonebook, contact=person.number, status=1, country="VN",
               first_name=person.first_name, last_name=person.last_name)  # fmt: skip


def _finished_campaign(
    bot: "AntBot", rng: random.Random, now: datetime, survey: Row, phonebook: Row, gateway: Row, dnc: Row
) -> None:
    """Dialled between 08:00 and 17:00 in Vietnam on the three days before today."""
    first_day = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    campaign = bot.writes.campaign(
        {
            "name": "Ưu đãi khách thân thiết", "description": "Chiến dịch mẫu", "callerid": "AnhDuong",
            "phonebook": [phonebook["id"]], "aleg_gateway": gateway["id"], "object_id": survey["id"],
            "frequency": 5, "startingdate": first_day, "expirationdate": first_day + timedelta(days=3),
            "daily_start_time": time(1), "daily_stop_time": time(10),
        },
        {},
    )  # fmt: skip
    campaign["dnc"], campaign["maxretry"], campaign["intervalretry"] = dnc["id"], 1, 5400
    bot.dialer.set_state(campaign, STARTED)
    campaign["_chain"] += 1  # the days are dealt out here, not by the minute
    campaign["_pending"].clear()
    for index, subscriber in enumerate(bot.tables["subscriber"].where("campaign", campaign["id"])):
        hour = 1 + 7.4 * rng.random()
        when = first_day + timedelta(days=index % 3, hours=hour)
        bot.dialer.dial_later(subscriber, min(when, now - timedelta(hours=2)))


def _one_time_password(bot: "AntBot", number: str, gateway: Row, now: datetime) -> None:
    """A call of the company's shop, made by another part of the vendor's system."""
    yesterday = now.replace(hour=3, minute=20, second=0, microsecond=0) - timedelta(days=1)
    bot.exchange.catch_up(yesterday)
    outcome = draw(0, 7, 1, 45, {"opt_out": 0, "second_leg": 0})
    bot.exchange.place(
        kind="scripted", number=number, outcome=outcome, gateway=gateway, callerid="OTP", otp=True
    )
