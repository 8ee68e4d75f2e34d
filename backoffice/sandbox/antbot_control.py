"""The remote side of AntBOT under test control: clock, truth, ledger, staff at work, scripted calls."""

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .antbot_calls import draw, e164, scripted
from .antbot_clock import wire_time
from .antbot_dialer import COMMANDS, COMPLETED
from .antbot_fields import Errors, checked, moment
from .antbot_pages import show, shown_status
from .antbot_resources import CAMPAIGN_FIELDS, CONTACT_FIELDS, EXTRA_CAMPAIGN_FIELDS, RESOURCES
from .antbot_tables import TABLES, Row
from .journal import WriteLog
from .wire import NoSuchCall

if TYPE_CHECKING:
    from .antbot import AntBot

MAX_MINUTES = 366 * 24 * 60
Call = Callable[[dict[str, str], dict[str, Any]], Any]


class NotThere(ValueError):
    """A control call names a row that does not exist."""


class RemoteSide:
    """What happens on AntBOT's side without the API."""

    def __init__(self, bot: "AntBot", log: WriteLog) -> None:
        self._bot, self._log = bot, log
        self._routes: dict[tuple[str, str], Call] = {
            ("GET", "/clock"): lambda query, body: self._clock(),
            ("POST", "/clock"): self._set_clock,
            ("POST", "/advance"): self._advance,
            ("GET", "/state"): lambda query, body: self._state(),
            ("GET", "/ledger"): self._ledger,
            ("GET", "/rows"): self._rows,
            ("POST", "/dial"): self._dial,
            ("POST", "/outcomes"): self._outcomes,
            ("POST", "/edit_campaign"): self._edit_campaign,
            ("POST", "/delete_campaign"): self._delete_campaign,
            ("POST", "/edit_contact"): self._edit_contact,
            ("POST", "/import"): self._import,
            ("POST", "/dnc"): self._dnc,
            ("POST", "/expire_tokens"): lambda query, body: {"expired": self._bot.access.expire()},
            ("POST", "/mutate"): self._mutate,
        }

    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Answer one call below `/_control/antbot`."""
        route = self._routes.get((method, path))
        if route is None:
            raise NoSuchCall(f"{method} antbot{path}")
        if not isinstance(body, dict):
            raise ValueError("the body must be a JSON object")
        return route(query, body)

    def real_time(self) -> float:
        """The clock rows are stamped with when they are made."""
        return time.monotonic()

    # ------------------------------------------------------------------ time

    def _clock(self) -> dict[str, Any]:
        return {
            "now": wire_time(self._bot.clock.now()),
            "speed": self._bot.clock.speed,
            "zone": self._bot.switches["window_zone"],
        }

    def _set_clock(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        now = moment(body["now"], self._bot.tables) if "now" in body else None
        if "speed" in body:
            self._bot.clock.set_speed(body["speed"])
        if now is not None:
            self._bot.jump(now)
        return self._clock()

    def _advance(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        minutes = float(body.get("minutes", 0)) + float(body.get("seconds", 0)) / 60
        if not 0 <= minutes <= MAX_MINUTES:
            raise ValueError(f"minutes must be from 0 to {MAX_MINUTES}")
        before = len(self._bot.exchange.ledger)
        until = self._bot.exchange.now + timedelta(minutes=minutes)
        self._bot.clock.set(until)
        self._bot.exchange.catch_up(until)
        return self._clock() | {"dialled": len(self._bot.exchange.ledger) - before}

    # ------------------------------------------------------------------ truth

    def _state(self) -> dict[str, Any]:
        bot = self._bot
        return self._clock() | {
            "campaigns": [self._campaign_state(campaign) for campaign in bot.tables["campaign"]],
            "rows": bot.tables.counts(),
            "in_progress": len(bot.exchange.in_progress),
            "dialled": len(bot.exchange.ledger),
            "logins": dict(bot.access.logins),
            "tokens": bot.access.live(),
        }

    def _campaign_state(self, campaign: Row) -> dict[str, Any]:
        bot, number = self._bot, campaign["id"]
        subscribers = bot.tables["subscriber"].where("campaign", number)
        return {
            "id": number,
            "name": campaign["name"],
            "state": campaign["_state"],
            "status": shown_status(campaign, bot.switches, bot.dialer.dials_now),
            "dials_now": bot.dialer.dials_now(campaign),
            "object_id": campaign["object_id"],
            "subscribers": len(subscribers),
            "by_status": dict(sorted(Counter(str(row["status"]) for row in subscribers).items())),
            "dialled": sum(1 for entry in bot.exchange.ledger if entry["campaign"] == number),
            "in_progress": sum(1 for call in bot.exchange.in_progress.values() if call.campaign == number),
            "cdrs": len(bot.tables["cdr"].where("campaign", number)),
        }

    def _ledger(self, query: dict[str, str], body: dict[str, Any]) -> list[dict[str, Any]]:
        since, campaign = int(query.get("since", 0)), query.get("campaign", "")
        return [
            entry
            for entry in self._bot.exchange.ledger
            if entry["seq"] > since and campaign in ("", str(entry["campaign"]))
        ]

    def _rows(self, query: dict[str, str], body: dict[str, Any]) -> list[dict[str, Any]]:
        """All rows of a table as the API would show them; other parameters compare fields."""
        table = query.get("table", "")
        if table not in TABLES:
            raise ValueError(f"table must be one of {', '.join(TABLES)}")
        bot = self._bot
        for campaign in bot.tables["campaign"]:
            campaign["_shown"] = shown_status(campaign, bot.switches, bot.dialer.dials_now)
        shown = [show(table, row, bot.tables, bot.switches) for row in bot.tables[table]]
        wanted = {key: value for key, value in query.items() if key != "table"}
        return [row for row in shown if all(str(row.get(key)) == value for key, value in wanted.items())]

    # ------------------------------------------------------------------ remote staff and the exchange

    def _found(self, table: str, number: Any) -> Row:
        row = self._bot.tables[table].get(int(number))
        if row is None:
            raise NotThere(f"no {table} {number}")
        return row

    def _dial(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """A call nobody's rules allow: in the ledger and, unless `running`, at once a call record."""
        bot, number = self._bot, str(body["number"])
        campaign = self._found("campaign", body["campaign"]) if body.get("campaign") else None
        gateway = bot.tables["gateway"].get(campaign["aleg_gateway"]) if campaign else None
        drawn = draw(1, len(bot.exchange.ledger), 1, 45, {"opt_out": 0, "second_leg": 0})
        kind = "alarm" if body.get("alarm") else "scripted"
        call = bot.exchange.place(
            kind=kind,
            number=number,
            outcome=scripted(drawn, {"disposition": "ANSWER"} | body),
            gateway=gateway,
            callerid=campaign["callerid"] if campaign else "",
            campaign=campaign["id"] if campaign else None,
            otp=bool(body.get("otp")),
        )
        entry = bot.exchange.ledger[-1]
        if "at" in body:
            call.at = moment(body["at"], bot.tables)
            entry["time"] = wire_time(call.at)
        if not body.get("running"):
            bot.exchange.hang_up(call)
        return dict(entry)

    def _outcomes(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """{number: {"disposition" or "cause", "ring", "talk", "opt_out", "second_leg"}}; null forgets."""
        probe = draw(0, 0, 1, 45, {"opt_out": 0, "second_leg": 0})
        for wanted in body.values():
            scripted(probe, wanted or {})
        for number, wanted in body.items():
            self._bot.exchange.outcomes.pop(number, None)
            if wanted:
                self._bot.exchange.outcomes[number] = wanted
        return {"ok": True, "outcomes": len(self._bot.exchange.outcomes)}

    def _edit_campaign(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        campaign = self._found("campaign", body["campaign"])
        self.edit("campaign", campaign, {key: value for key, value in body.items() if key != "campaign"})
        return self._campaign_state(campaign)

    def edit(self, table: str, row: Row, changes: dict[str, Any]) -> None:
        """A change made inside AntBOT; a campaign's status 1-4 acts, any other number is only shown."""
        bot = self._bot
        fields = next(resource.fields for resource in RESOURCES.values() if resource.table == table)
        if table == "campaign":
            fields = CAMPAIGN_FIELDS | EXTRA_CAMPAIGN_FIELDS
        status = changes.get("status") if table == "campaign" else None
        plain = {key: value for key, value in changes.items() if table != "campaign" or key != "status"}
        if unknown := plain.keys() - fields.keys():
            raise ValueError(f"{table} has no {', '.join(sorted(unknown))}")
        try:
            values = checked(fields, plain, bot.tables, create=False)
        except Errors as problems:
            raise ValueError(str(problems)) from None
        if values:
            bot.writes.change(table, row, values)
        if status in COMMANDS:
            bot.dialer.set_state(row, COMMANDS[status])
        elif status == 5:
            bot.dialer.set_state(row, COMPLETED)
        elif status is not None:
            bot.tables["campaign"].change(row, _raw=int(status), updated_date=bot.exchange.now)
        bot.exchange.catch_up(bot.exchange.now)
        self._note(f"{table}.edit", row, changes)

    def _delete_campaign(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        campaign = self._found("campaign", body["campaign"])
        self._bot.tables.delete("campaign", campaign)
        self._note("campaign.delete", campaign, None)
        return {"ok": True}

    def _edit_contact(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        contact = self._found("contact", body["contact_id"])
        self.edit("contact", contact, {key: value for key, value in body.items() if key != "contact_id"})
        return show("contact", contact, self._bot.tables, self._bot.switches)

    def _import(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """A database import into a phonebook: running campaigns never see these contacts."""
        phonebook = self._found("phonebook", body["phonebook"])
        blank = {name: field.default for name, field in CONTACT_FIELDS.items()}
        made = []
        for number in body["numbers"]:
            own = {"phonebook": phonebook["id"], "contact": str(number), "status": 1}
            row = self._bot.writes.add("contact", blank | own)
            self._bot.dialer.contact_added(row, "import")
            made.append(row["id"])
        return {"ids": made}

    def _dnc(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Somebody puts a number on a list; without `dnc` on the first one."""
        lists = [row["id"] for row in self._bot.tables["dnc_list"]]
        target = self._found("dnc_list", body.get("dnc", lists[0] if lists else 0))
        entry = {"dnc": target["id"], "phone_number": str(body["number"])}
        row = self._bot.writes.add("dnc_entry", entry)
        self._note("dnc_entry.create", row, body)
        return {"id": row["id"], "dnc": target["id"], "e164": e164(str(body["number"]))}

    def _mutate(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        counts = {key: int(body.get(key, 0)) for key in ("edits", "creates", "trash")}
        self.mutate(random.Random(body.get("seed", 0)), **counts)
        return {"ok": True}

    def mutate(self, rng: random.Random, edits: int = 0, creates: int = 0, trash: int = 0) -> None:
        """Random contacts are renamed, added and removed, so that pages shift."""
        bot = self._bot
        for _ in range(edits):
            if contacts := list(bot.tables["contact"]):
                self.edit("contact", rng.choice(contacts), {"first_name": f"Đổi {rng.randrange(1000)}"})
        for _ in range(creates):
            if phonebooks := list(bot.tables["phonebook"]):
                number = f"09{rng.randrange(10**8):08d}"
                self._import({}, {"phonebook": rng.choice(phonebooks)["id"], "numbers": [number]})
        for _ in range(trash):
            if contacts := list(bot.tables["contact"]):
                bot.tables.delete("contact", rng.choice(contacts))

    def _note(self, operation: str, row: Row, changes: Any) -> None:
        self._log.add("antbot", operation, selector={"id": row["id"]}, body=changes,
                      result={"id": row["id"]}, by="staff")  # fmt: skip
