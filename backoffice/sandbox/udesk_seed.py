"""Customers made from a seed; a record is a pure function of (seed, position), made when it is read.

Half of them are people AntCRM knows as well, with the same name, numbers and e-mails: a company with
customers in several CRMs finds them again. The other half are of Udesk's own market.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from . import udesk_words as words
from . import words as common
from .seed import LIVE, Dice, Identity, SeedData, plain

CHINA = timezone(timedelta(hours=8))
FIRST_ID, STEP = 20_011, 7
DAY = 86_400
Customer = dict[str, Any]


def people_of(data: Callable[[], SeedData]) -> Callable[[int], Identity | None]:
    """AntCRM's person at a position, where nobody else there has the same numbers."""

    def person(position: int) -> Identity | None:
        book = data()
        if position >= book.contacts or book.states[position] != LIVE or position % 61 == 7:
            return None
        return None if position in book.lead_of else book.identity(position)

    return person


def moment(seconds: float) -> str:
    """A time as Udesk writes it: ISO 8601 with milliseconds and its own zone."""
    return datetime.fromtimestamp(seconds, CHINA).isoformat(timespec="milliseconds")


class UdeskSeed:
    """Positions 0 to `size` - 1."""

    def __init__(self, seed: int, size: int, today_ms: int, person: Callable[[int], Identity | None]) -> None:
        self.seed, self.size, self.today = seed, size, today_ms // 1000
        self._person = person

    def customer_id(self, position: int) -> int:
        """Ids rise with the position and have gaps."""
        return FIRST_ID + STEP * position

    def position(self, customer_id: int) -> int:
        """The position an id would have; it may be beyond the last."""
        position, rest = divmod(customer_id - FIRST_ID, STEP)
        return position if rest == 0 and position >= 0 else -1

    def customer(self, position: int) -> Customer:
        """The stored form of a seeded customer."""
        dice = Dice(self.seed, position, 21)
        number = self.customer_id(position)
        person = self._person(position) if position % 2 == 0 else None
        name, phones, emails = self._own(dice, position) if person is None else self._shared(person)
        if position % 53 == 11:
            name = words.HOSTILE_NAMES[position // 53 % len(words.HOSTILE_NAMES)]
        if position % 97 == 5 and position // 97 < len(words.ODD_PHONES):
            phones = [words.ODD_PHONES[position // 97], *phones]
        source, platform = dice.pick(words.SOURCES)
        seen = self.today - dice.below(400) * DAY
        agent = dice.pick((0, 1, 2, 3, 4))
        return {
            "id": number,
            "nick_name": name[:255],
            "level": "vip" if dice.below(6) == 0 else "normal",
            "description": self._note(dice, position),
            "owner_id": agent or None,
            "owner_group_id": words.AGENTS[agent][1][0] if agent else None,
            "custom_fields": self._custom(dice),
            "open_api_token": f"erp-{number}" if dice.below(5) == 0 else None,
            "organization_id": 1 + dice.below(12) if dice.below(4) == 0 else None,
            "is_blocked": dice.below(40) == 0,
            "tags": sorted({dice.pick(words.TAGS) for _ in range((0, 0, 1, 1, 2, 3)[dice.below(6)])}),
            "rich_tags": [dice.below(2)] if dice.below(9) == 0 else [],
            "email": emails[0] if emails else None,
            "other_emails": [[number * 10 + i, text] for i, text in enumerate(emails[1:])],
            "cellphones": [[number * 10 + i, text] for i, text in enumerate(phones)],
            "weixins": self._weixin(dice, "weixins", position) if dice.below(5) == 0 else [],
            "weixin_minis": self._weixin(dice, "weixin_minis", position) if dice.below(9) == 0 else [],
            "weixin_works": self._works(position) if dice.below(11) == 0 else [],
            "weixin_kfs": self._kfs(position) if dice.below(15) == 0 else [],
            "weibo_id": f"wbu{position:08d}" if dice.below(14) == 0 else "",
            "platform": platform,
            "source_channel": source,
            "web_token": f"web.{number}@{self.seed}" if dice.below(3) == 0 else None,
            "sdk_token": f"sdk-{self.seed}-{number}" if dice.below(6) == 0 else None,
            "first_contact_at": moment(seen - 90 * DAY) if dice.below(2) else None,
            "last_contact_at": moment(seen) if dice.below(2) else None,
        }

    def _shared(self, person: Identity) -> tuple[str, list[str], list[str]]:
        drawn_often = (*common.ODD_PHONES, *common.FOREIGN_PHONES)
        phones = [text for text in dict.fromkeys(person.phones) if text not in drawn_often]
        return person.name, phones, list(person.emails)

    def _own(self, dice: Dice, position: int) -> tuple[str, list[str], list[str]]:
        if position % 10 == 3:
            name = dice.pick(words.COMPANIES)
        else:
            name = dice.pick(words.FAMILY) + dice.pick(words.GIVEN)
        phones = [self._phone(dice, position, turn) for turn in range((0, 1, 1, 1, 2)[dice.below(5)])]
        handle = dice.pick(words.HANDLES)
        emails = [f"{handle}{position}.{turn}@{dice.pick(words.MAIL_HOSTS)}" for turn in range(dice.below(4))]
        return name, phones, emails

    def _phone(self, dice: Dice, position: int, turn: int) -> str:
        """A mobile number nobody else has: its last digits are the position."""
        number = f"1{dice.pick((3, 5, 8))}{turn}{position % 10**8:08d}"
        return dice.pick(words.PHONE_FORMS).format(number, number[:3], number[3:7], number[7:])

    def _note(self, dice: Dice, position: int) -> str | None:
        if position % 71 == 9:
            return words.HOSTILE_NOTES[position // 71 % len(words.HOSTILE_NOTES)]
        return dice.pick(words.NOTES) if dice.below(3) == 0 else dice.pick((None, ""))

    def _custom(self, dice: Dice) -> dict[str, Any]:
        names = list(words.FIELD_VALUES)
        first, count = dice.below(len(names)), (0, 1, 3, 6)[dice.below(4)]
        chosen = [names[(first + i) % len(names)] for i in range(count)]
        return {name: dice.pick(words.FIELD_VALUES[name]) for name in chosen}

    def _weixin(self, dice: Dice, kind: str, position: int) -> list[dict[str, str]]:
        openid = f"o{plain(kind)[:9]}{position:010d}"
        unionid = f"u{position:08d}" if dice.below(2) else ""
        return [{"appid": dice.pick(words.CHANNELS[kind]), "openid": openid, "unionid": unionid}]

    def _works(self, position: int) -> list[dict[str, str]]:
        corp = words.CHANNELS["weixin_works"][0]
        return [
            {
                "agentid": "1009117",
                "corpid": corp,
                "userid": f"LS{position:06d}",
                "open_userid": f"ow{position}",
            }
        ]

    def _kfs(self, position: int) -> list[dict[str, str]]:
        return [{"external_userid": f"wm{position}", "open_kfid": "wkSandbox", "unionid": f"u{position:08d}"}]

    def feeds(self, position: int) -> list[dict[str, Any]]:
        """The history of a seeded customer, newest first."""
        dice = Dice(self.seed, position, 22)
        count = (0, 2, 5, 9, 27)[dice.below(5)]
        now = datetime.fromtimestamp(self.today, UTC).timestamp()
        return [self._feed(position, turn, now - (turn * 3 + 1) * DAY / 2) for turn in range(count)]

    def _feed(self, position: int, turn: int, at: float) -> dict[str, Any]:
        dice = Dice(self.seed, position, 100 + turn)
        number = position * 100 + turn
        kind = (turn + position) % 5
        when = moment(at)
        if kind == 0:
            return {
                "feed_type": "Ticket", "id": number, "subject": "退货申请 <b>急</b>",
                "content": "<p>Khách muốn <b>đổi</b> hàng<br>订单 &amp; 发票</p><script>alert(1)</script>",
                "user_id": self.customer_id(position), "user_group_id": 1, "status_zh_name": "开启",
                "created_at": when,
            }  # fmt: skip
        if kind == 1:
            return {
                "feed_type": "CallLog", "id": number, "call_type": dice.pick(("呼入", "呼出")),
                "result": dice.pick(("客户接听", "未接听")), "duration": dice.below(900), "created_at": when,
            }  # fmt: skip
        if kind == 2:
            return {
                "feed_type": "ImSubSession", "id": number, "platform": "微信",
                "customer_msg_num": dice.below(20), "agent_msg_num": dice.below(20), "created_at": when,
            }  # fmt: skip
        if kind == 3:
            return {
                "feed_type": "CustomerFollowUp", "id": number, "user_id": 2, "agent_name": words.AGENTS[2][0],
                "content": dice.pick(words.NOTES), "created_at": when,
            }  # fmt: skip
        nobody = dice.below(2) == 0
        author = {"id": None, "nick_name": None} if nobody else {"id": 1, "nick_name": words.AGENTS[1][0]}
        return {
            "feed_type": "Alteration", "time": when, "author": author,
            "summary": f"负责人: [无] --> {words.AGENTS[1][0]} ({turn})",
        }  # fmt: skip
