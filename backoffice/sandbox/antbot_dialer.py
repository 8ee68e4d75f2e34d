"""The dialler: campaigns take numbers each minute, calls settle them, retries, expiry.

Times of day are compared in the zone of the vendor's server; a window across midnight never fits.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from .antbot_calls import Call, Outcome, draw
from .antbot_exchange import Exchange
from .antbot_resources import WEEKDAYS
from .antbot_tables import Row, Tables
from .switches import Switches

NEW, STARTED, PAUSED, ABORTED, ENDED, COMPLETED = "new", "started", "paused", "aborted", "ended", "completed"
COMMANDS = {1: STARTED, 2: PAUSED, 3: ABORTED, 4: ENDED}
PENDING, FAIL, SENT, IN_PROCESS, NOT_AUTHORIZED, DONE = 1, 4, 5, 6, 7, 8
MINUTE = timedelta(minutes=1)
ZONES = {"UTC": UTC, "Asia/Ho_Chi_Minh": timezone(timedelta(hours=7))}


def blank_run() -> Row:
    """What a campaign that never ran keeps for itself."""
    return {
        "_state": NEW,
        "_raw": None,  # a number remote staff made it show
        "_sealed": None,  # the sealed survey, from the first start on
        "_gathered": [],  # phonebooks copied in
        "_pending": deque[int](),  # subscribers that wait for a call
        "_total": 0,
        "_open": 0,  # calls reserved, going on or to be repeated
        "_chain": 0,  # the run of minutes that counts; an older one ends by itself
        "_last_batch": None,
    }


class Dialer:
    """Runs the campaigns of one account."""

    def __init__(self, tables: Tables, switches: Switches, exchange: Exchange) -> None:
        self._tables, self._switches, self._exchange = tables, switches, exchange
        exchange.each_five_minutes = self._end_expired
        exchange.ended = self._call_ended

    @property
    def _now(self) -> datetime:
        return self._exchange.now

    def moved(self, by: timedelta) -> None:
        """The clock was set: the minutes of running campaigns move along."""
        for campaign in self._tables["campaign"]:
            if campaign["_last_batch"]:
                campaign["_last_batch"] += by

    def _end_expired(self) -> None:
        for campaign in self._tables["campaign"]:
            if campaign["expirationdate"] <= self._now and campaign["_state"] not in (ENDED, COMPLETED):
                self.set_state(campaign, ENDED)

    # ------------------------------------------------------------------ campaigns

    def set_state(self, campaign: Row, state: str) -> None:
        """A command, or the end of the list; starting makes ready what the first start makes ready."""
        self._tables["campaign"].change(campaign, _state=state, _raw=None, updated_date=self._now)
        if state == STARTED:
            self._seal(campaign)
            self.gather(campaign)
            self._arm(campaign)

    def _arm(self, campaign: Row) -> None:
        campaign["_chain"] += 1
        chain, last = campaign["_chain"], campaign["_last_batch"]
        first = self._now if last is None else max(self._now, last + MINUTE)
        self._exchange.schedule.at(first, lambda: self._batch(campaign["id"], chain))

    def _seal(self, campaign: Row) -> None:
        """The first start copies the template; from then on the campaign uses the copy."""
        template = self._tables["template"].get(campaign["object_id"])
        if template is None:
            return
        sealed = self.seal(template, campaign["id"])
        self._tables["campaign"].change(
            campaign, object_id=sealed["id"], content_type=42, _sealed=sealed["id"]
        )

    def seal(self, template: Row, campaign: int | None) -> Row:
        """A sealed copy of a template with its sections."""
        copied = {key: template[key] for key in ("name", "tts_language", "description", "user")}
        dates = {"created_date": self._now, "updated_date": self._now}
        sealed = self._tables["survey"].add(copied | dates | {"campaign": campaign})
        for section in self._tables["section"].where("survey", template["id"]):
            own = {key: value for key, value in section.items() if key not in ("id", "_made")}
            self._tables["sealed_section"].add(own | {"survey": sealed["id"]})
        return sealed

    def gather(self, campaign: Row) -> None:
        """Copy the active contacts of each phonebook in, once per phonebook."""
        for phonebook in campaign["phonebook"]:
            if phonebook not in campaign["_gathered"]:
                campaign["_gathered"].append(phonebook)
                for contact in self._tables["contact"].where("phonebook", phonebook):
                    self._subscribe(campaign, contact)

    def _subscribe(self, campaign: Row, contact: Row) -> None:
        limit = self._switches["max_subscribers"]
        if contact["status"] != 1 or (limit and campaign["_total"] >= limit):
            return
        campaign["_total"] += 1
        subscriber = self._tables["subscriber"].add(
            {
                "contact": contact["id"],
                "campaign": campaign["id"],
                "last_attempt": None,
                "count_attempt": 0,
                "completion_count_attempt": 0,
                "status": PENDING,
                "duration": 0,
                "billsec": 0,
                "created_date": self._now,
                "updated_date": self._now,
                "_number": contact["contact"],
                "_phonebook": contact["phonebook"],
            }
        )
        campaign["_pending"].append(subscriber["id"])

    def contact_added(self, contact: Row, how: str) -> None:
        """A new contact joins campaigns that run at this moment, unless it came by a database import."""
        if how == "import" or (how == "bulk" and self._switches["bulk_joins"] == "no"):
            return
        for campaign in self._tables["campaign"]:
            if campaign["_state"] == STARTED and contact["phonebook"] in campaign["_gathered"]:
                self._subscribe(campaign, contact)

    def dials_now(self, campaign: Row) -> bool:
        """Started, between its dates, inside its daily window, on a day that is switched on."""
        local = self._now.astimezone(ZONES[self._switches["window_zone"]])
        return (
            campaign["_state"] == STARTED
            and campaign["startingdate"] <= self._now <= campaign["expirationdate"]
            and campaign["daily_start_time"] <= local.time() <= campaign["daily_stop_time"]
            and campaign[WEEKDAYS[local.weekday()]]
        )

    def _batch(self, campaign_id: int, chain: int) -> None:
        campaign = self._tables["campaign"].get(campaign_id)
        if campaign is None or campaign["_chain"] != chain or campaign["_state"] != STARTED:
            return
        campaign["_last_batch"] = self._now
        if self.dials_now(campaign):
            self._reserve(campaign)
        if not self._complete(campaign):
            self._exchange.schedule.at(self._now + MINUTE, lambda: self._batch(campaign_id, chain))

    def _reserve(self, campaign: Row) -> None:
        """Take the minute's share of numbers; their calls go out whatever happens to the campaign."""
        for turn, subscriber in enumerate(self._take(campaign)):
            if self._forbidden(campaign, subscriber["_number"]):
                self._mark(subscriber, NOT_AUTHORIZED)
                continue
            self._mark(subscriber, IN_PROCESS)
            campaign["_open"] += 1
            delay = timedelta(seconds=60 * turn / campaign["frequency"])
            self._exchange.schedule.at(self._now + delay, self._dialling(subscriber["id"], campaign["id"]))

    def _take(self, campaign: Row) -> list[Row]:
        pending: deque[int] = campaign["_pending"]
        skipped = self._switches["inactive_contact"] == "skipped"
        taken: list[Row] = []
        passed: list[int] = []
        while pending and len(taken) < campaign["frequency"]:
            subscriber = self._tables["subscriber"].get(pending.popleft())
            contact = self._tables["contact"].get(subscriber["contact"]) if subscriber else None
            if subscriber is None:
                continue
            if skipped and contact is not None and contact["status"] != 1:
                passed.append(subscriber["id"])
            else:
                taken.append(subscriber)
        pending.extendleft(reversed(passed))
        return taken

    def _forbidden(self, campaign: Row, number: str) -> bool:
        """Only the campaign's own list counts, and only the very same text."""
        if campaign["dnc"] is None:
            return False
        entries = self._tables["dnc_entry"].where("phone_number", number)
        return any(entry["dnc"] == campaign["dnc"] for entry in entries)

    def _complete(self, campaign: Row) -> bool:
        """Everything dialled and ended: the campaign is completed."""
        if campaign["_state"] != STARTED or campaign["_open"] or not campaign["_total"]:
            return False
        if any(self._callable(subscriber_id) for subscriber_id in campaign["_pending"]):
            return False
        self.set_state(campaign, COMPLETED)
        return True

    def _callable(self, subscriber_id: int) -> bool:
        subscriber = self._tables["subscriber"].get(subscriber_id)
        contact = self._tables["contact"].get(subscriber["contact"]) if subscriber else None
        if subscriber is None:
            return False
        return self._switches["inactive_contact"] == "dialled" or contact is None or contact["status"] == 1

    def _mark(self, subscriber: Row, status: int, **changes: Any) -> None:
        self._tables["subscriber"].change(subscriber, status=status, updated_date=self._now, **changes)

    # ------------------------------------------------------------------ calls

    def dial_later(self, subscriber: Row, when: datetime) -> None:
        """Queue a call of a subscriber, as the seed does for days past."""
        campaign = self._tables["campaign"].get(subscriber["campaign"])
        if campaign is not None:
            campaign["_open"] += 1
            self._exchange.schedule.at(when, self._dialling(subscriber["id"], campaign["id"]))

    def _dialling(self, subscriber_id: int, campaign_id: int) -> Callable[[], None]:
        return lambda: self._dial(subscriber_id, campaign_id)

    def _dial(self, subscriber_id: int, campaign_id: int) -> None:
        """Ring a reserved number; the campaign's state is not looked at again."""
        subscriber = self._tables["subscriber"].get(subscriber_id)
        campaign = self._tables["campaign"].get(campaign_id)
        if campaign is None:
            return
        if subscriber is None:  # its contact was removed meanwhile
            campaign["_open"] -= 1
            return
        attempt = subscriber["count_attempt"] + 1
        self._mark(subscriber, IN_PROCESS, last_attempt=self._now, count_attempt=attempt)
        sections = self._sections(campaign)
        percents = {
            "opt_out": self._switches["opt_out_percent"] if any(s["type"] == 9 for s in sections) else 0,
            "second_leg": self._switches["b_leg_percent"],
        }
        self._exchange.place(
            kind="campaign",
            number=subscriber["_number"],
            outcome=draw(self._exchange.seed, subscriber_id, attempt, campaign["calltimeout"], percents),
            gateway=self._tables["gateway"].get(campaign["aleg_gateway"]),
            callerid=campaign["callerid"],
            campaign=campaign["id"],
            subscriber=subscriber,
        )

    def _sections(self, campaign: Row) -> list[Row]:
        if campaign["_sealed"] is not None:
            return self._tables["sealed_section"].where("survey", campaign["_sealed"])
        return self._tables["section"].where("survey", campaign["object_id"])

    def _call_ended(self, call: Call) -> None:
        campaign = self._tables["campaign"].get(call.campaign)
        subscriber = self._tables["subscriber"].get(call.subscriber)
        if campaign is None:
            return
        if call.outcome.opt_out and campaign["dnc"] is not None:
            self._tables["dnc_entry"].add(
                {
                    "dnc": campaign["dnc"],
                    "phone_number": call.number,
                    "created_date": self._now,
                    "updated_date": self._now,
                }
            )
        if call.subscriber is not None:
            campaign["_open"] -= 1
        if subscriber is not None:
            self._settle(campaign, subscriber, call.outcome)
        self._complete(campaign)

    def _settle(self, campaign: Row, subscriber: Row, outcome: Outcome) -> None:
        finished = any(section["completed"] for section in self._sections(campaign))
        status = FAIL
        if outcome.cause == "NORMAL_CLEARING":
            status = DONE if finished and outcome.completed else SENT
        seconds = {"duration": outcome.ring + outcome.talk, "billsec": outcome.talk}
        self._mark(subscriber, status, **seconds)
        if status == FAIL and subscriber["count_attempt"] <= campaign["maxretry"]:
            # A queued retry looks at nothing again: it rings even after a pause.
            campaign["_open"] += 1
            when = self._now + timedelta(seconds=campaign["intervalretry"])
            self._exchange.schedule.at(when, self._dialling(subscriber["id"], campaign["id"]))
