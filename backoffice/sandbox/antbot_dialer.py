"""The dialler: batches each minute, calls, hang-ups, retries, alarms, expiry, in vendor time.

Nothing runs by itself: `catch_up` does everything that is due, in order of its time, whenever
somebody asks. The result is the same as if it had been running all along.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from .antbot_calls import Call, Outcome, call_id, call_records, draw, e164, scripted, through_gateway
from .antbot_clock import Schedule
from .antbot_resources import WEEKDAYS
from .antbot_tables import Row, Tables
from .switches import Switches

NEW, STARTED, PAUSED, ABORTED, ENDED, COMPLETED = "new", "started", "paused", "aborted", "ended", "completed"
COMMANDS = {1: STARTED, 2: PAUSED, 3: ABORTED, 4: ENDED}
PENDING, FAIL, SENT, IN_PROCESS, NOT_AUTHORIZED, DONE = 1, 4, 5, 6, 7, 8
MINUTE = timedelta(minutes=1)
SWEEP = timedelta(minutes=5)
ALARM_TOO_OLD = timedelta(minutes=60)
ZONES = {"UTC": UTC, "Asia/Ho_Chi_Minh": timezone(timedelta(hours=7))}
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Dialer:
    """Plays the telephony of one account; `now` is the vendor's present while something happens."""

    def __init__(self, tables: Tables, switches: Switches, seed: int, now: datetime) -> None:
        self.now = now
        self.ledger: list[dict[str, Any]] = []
        self.in_progress: dict[str, Call] = {}
        self.outcomes: dict[str, dict[str, Any]] = {}  # number → what a test wants
        self._tables, self._switches, self._seed = tables, switches, seed
        self._schedule = Schedule()
        self._turns = 0  # calls made
        self._ended = 0  # calls that left records
        self._next_sweep = _after(now)

    # ------------------------------------------------------------------ time

    def catch_up(self, until: datetime) -> None:
        """Do all that is due until then."""
        while True:
            action, when = self._sweep, self._next_sweep
            due = self._schedule.next_time()
            if due is not None and due <= when:
                action, when = self._next_action, due
            alarm = self._next_alarm()
            if alarm is not None and max(self.now, alarm["date_start_notice"]) < when:
                action, when = self._ring_alarm(alarm), max(self.now, alarm["date_start_notice"])
            if when > until:
                break
            self.now = max(self.now, when)
            action()
        self.now = max(self.now, until)

    def jump(self, now: datetime) -> None:
        """The clock is set: what is under way moves along, nothing happens in between."""
        self._schedule.shift(now - self.now)
        for campaign in self._tables["campaign"]:
            if campaign["_last_batch"]:
                campaign["_last_batch"] += now - self.now
        self.now, self._next_sweep = now, _after(now)

    def _next_action(self) -> None:
        self._schedule.pop()()

    def _sweep(self) -> None:
        """Every five minutes: campaigns past their last day are ended."""
        self._next_sweep += SWEEP
        for campaign in self._tables["campaign"]:
            if campaign["expirationdate"] <= self.now and campaign["_state"] not in (ENDED, COMPLETED):
                self.set_state(campaign, ENDED)

    # ------------------------------------------------------------------ campaigns

    def set_state(self, campaign: Row, state: str) -> None:
        """A command, or the end of the list; starting makes ready what the first start makes ready."""
        self._tables["campaign"].change(campaign, _state=state, _raw=None, updated_date=self.now)
        if state == STARTED:
            self._seal(campaign)
            self.gather(campaign)
            self._arm(campaign)

    def _arm(self, campaign: Row) -> None:
        campaign["_chain"] += 1
        chain, last = campaign["_chain"], campaign["_last_batch"]
        first = self.now if last is None else max(self.now, last + MINUTE)
        self._schedule.at(first, lambda: self._batch(campaign["id"], chain))

    def _seal(self, campaign: Row) -> None:
        """The first start copies the template; from then on the campaign uses the copy."""
        if campaign["_sealed"] is not None:
            return
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
        dates = {"created_date": self.now, "updated_date": self.now}
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
                "created_date": self.now,
                "updated_date": self.now,
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
        local = self.now.astimezone(ZONES[self._switches["window_zone"]])
        return (
            campaign["_state"] == STARTED
            and campaign["startingdate"] <= self.now <= campaign["expirationdate"]
            and campaign["daily_start_time"] <= local.time() <= campaign["daily_stop_time"]
            and campaign[WEEKDAYS[local.weekday()]]
        )

    def _batch(self, campaign_id: int, chain: int) -> None:
        campaign = self._tables["campaign"].get(campaign_id)
        if campaign is None or campaign["_chain"] != chain or campaign["_state"] != STARTED:
            return
        campaign["_last_batch"] = self.now
        if self.dials_now(campaign):
            self._reserve(campaign)
        if not self._complete(campaign):
            self._schedule.at(self.now + MINUTE, lambda: self._batch(campaign_id, chain))

    def _reserve(self, campaign: Row) -> None:
        """Take the minute's share of numbers; their calls go out whatever happens to the campaign."""
        for turn, subscriber in enumerate(self._take(campaign)):
            if self._forbidden(campaign, subscriber["_number"]):
                self._mark(subscriber, NOT_AUTHORIZED)
                continue
            self._mark(subscriber, IN_PROCESS)
            campaign["_open"] += 1
            delay = timedelta(seconds=60 * turn / campaign["frequency"])
            self._schedule.at(self.now + delay, self._dialling(subscriber["id"]))

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
        return any(
            e["phone_number"] == number for e in self._tables["dnc_entry"].where("dnc", campaign["dnc"])
        )

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
        self._tables["subscriber"].change(subscriber, status=status, updated_date=self.now, **changes)

    # ------------------------------------------------------------------ calls

    def dial_later(self, subscriber: Row, when: datetime) -> None:
        """Queue a call of a subscriber, as the seed does for days past."""
        campaign = self._tables["campaign"].get(subscriber["campaign"])
        if campaign is not None:
            campaign["_open"] += 1
            self._schedule.at(when, self._dialling(subscriber["id"]))

    def _dialling(self, subscriber_id: int) -> Callable[[], None]:
        return lambda: self._dial(subscriber_id)

    def _dial(self, subscriber_id: int) -> None:
        """Ring a reserved number; the campaign's state is not looked at again."""
        subscriber = self._tables["subscriber"].get(subscriber_id)
        campaign = self._tables["campaign"].get(subscriber["campaign"]) if subscriber else None
        if subscriber is None or campaign is None:
            return
        attempt = subscriber["count_attempt"] + 1
        self._mark(subscriber, IN_PROCESS, last_attempt=self.now, count_attempt=attempt)
        sections = self._sections(campaign)
        percents = {
            "opt_out": self._switches["opt_out_percent"] if any(s["type"] == 9 for s in sections) else 0,
            "second_leg": self._switches["b_leg_percent"],
        }
        self.place(
            kind="campaign",
            number=subscriber["_number"],
            outcome=draw(self._seed, subscriber_id, attempt, campaign["calltimeout"], percents),
            gateway=self._tables["gateway"].get(campaign["aleg_gateway"]),
            callerid=campaign["callerid"],
            campaign=campaign["id"],
            subscriber=subscriber,
        )

    def _sections(self, campaign: Row) -> list[Row]:
        if campaign["_sealed"] is not None:
            return self._tables["sealed_section"].where("survey", campaign["_sealed"])
        return self._tables["section"].where("survey", campaign["object_id"])

    def place(
        self,
        *,
        kind: str,
        number: str,
        outcome: Outcome,
        gateway: Row | None,
        callerid: str,
        campaign: int | None = None,
        subscriber: Row | None = None,
        otp: bool = False,
        alarm: int | None = None,
    ) -> Call:
        """Make a call: it is in the ledger from this moment and ends after ring and talk."""
        if number in self.outcomes:
            outcome = scripted(outcome, self.outcomes[number])
        if gateway is not None and gateway["status"] != 1:
            outcome = Outcome("NETWORK_OUT_OF_ORDER", 0, 0)
        self._turns += 1
        call = Call(
            callid=call_id(self._seed, self._turns),
            kind=kind,
            number=number,
            dialled=through_gateway(number, gateway),
            at=self.now,
            outcome=outcome,
            gateway=gateway,
            callerid=callerid,
            campaign=campaign,
            subscriber=subscriber["id"] if subscriber else None,
            otp=otp,
        )
        self.in_progress[call.callid] = call
        self._enter(call, subscriber, alarm)
        self._schedule.at(
            self.now + timedelta(seconds=outcome.ring + outcome.talk), lambda: self._hang_up(call)
        )
        return call

    def _enter(self, call: Call, subscriber: Row | None, alarm: int | None) -> None:
        self.ledger.append(
            {
                "seq": len(self.ledger) + 1,
                "time": self.now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "kind": call.kind,
                "campaign": call.campaign,
                "phonebook": subscriber["_phonebook"] if subscriber else None,
                "contact": subscriber["contact"] if subscriber else None,
                "subscriber": call.subscriber,
                "alarm": alarm,
                "attempt": subscriber["count_attempt"] if subscriber else 1,
                "number": call.number,
                "dialled": call.dialled,
                "e164": e164(call.number),
                "callid": call.callid,
                "opt_out": call.outcome.opt_out,
                "disposition": call.outcome.disposition,
            }
        )

    def end_now(self, call: Call) -> None:
        """End a call before its time, as scripted calls do."""
        self._hang_up(call)

    def _hang_up(self, call: Call) -> None:
        if self.in_progress.pop(call.callid, None) is None:
            return
        campaign = self._tables["campaign"].get(call.campaign)
        if call.campaign is not None and campaign is None:
            return  # deleted while the call went on: its record has nothing to hang on
        self._record(call)
        subscriber = self._tables["subscriber"].get(call.subscriber)
        if campaign is None:
            return
        if call.outcome.opt_out and campaign["dnc"] is not None:
            self._tables["dnc_entry"].add(
                {
                    "dnc": campaign["dnc"],
                    "phone_number": call.number,
                    "created_date": self.now,
                    "updated_date": self.now,
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
            when = self.now + timedelta(seconds=campaign["intervalretry"])
            self._schedule.at(when, self._dialling(subscriber["id"]))

    def _record(self, call: Call) -> None:
        """Store the call's records, late if they are to be."""
        rows = call_records(call, self._switches["raw_dispositions"] == "yes")
        self._ended += 1
        late, share = self._switches["late_cdr_s"], self._switches["late_cdr_percent"]

        def store() -> None:
            if call.campaign is None or self._tables["campaign"].get(call.campaign):
                for row in rows:
                    self._tables["cdr"].add(row)

        if late and self._ended * 61 % 100 < share:
            self._schedule.at(self.now + timedelta(seconds=late), store)
        else:
            store()

    # ------------------------------------------------------------------ alarms

    def _next_alarm(self) -> Row | None:
        """The pending alarm that is due first; one dated more than an hour ago never is."""
        waiting = [
            alarm
            for alarm in self._tables["alarm"]
            if alarm["status"] == 1 and alarm["date_start_notice"] >= self.now - ALARM_TOO_OLD
        ]
        return min(waiting, key=lambda alarm: alarm["date_start_notice"], default=None)

    def _ring_alarm(self, alarm: Row) -> Callable[[], None]:
        def ring() -> None:
            event = self._tables["event"].get(alarm["event"]) or {}
            calendar = self._tables["calendar"].get(event.get("calendar")) or {}
            user = self._tables["calendar_user"].get(event.get("creator") or calendar.get("user")) or {}
            setting = self._tables["setting"].get(user.get("calendar_setting")) or {}
            timeout = min(45, setting.get("call_timeout", 45))
            call = self.place(
                kind="alarm",
                number=alarm["alarm_phonenumber"],
                outcome=draw(self._seed, -alarm["id"], 1, timeout, {"opt_out": 0, "second_leg": 0}),
                gateway=self._tables["gateway"].get(setting.get("aleg_gateway")),
                callerid=setting.get("callerid", ""),
                alarm=alarm["id"],
            )
            status, result = (5, 1) if call.outcome.answered else (3, 0)
            self._tables["alarm"].change(alarm, status=status, result=result, num_attempt=1)

        return ring


def _after(now: datetime) -> datetime:
    """The next run of the five-minute job."""
    return EPOCH + ((now - EPOCH) // SWEEP + 1) * SWEEP
