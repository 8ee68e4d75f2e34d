"""The telephone exchange: vendor time, calls from dialling to record, reminder calls.

Nothing runs by itself: `catch_up` does everything that is due, in order of its time, whenever
somebody asks. The result is the same as if it had been running all along.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from .antbot_calls import Call, Outcome, call_id, call_records, draw, e164, scripted, through_gateway
from .antbot_clock import Schedule, wire_time
from .antbot_tables import Row, Tables
from .switches import Switches

SWEEP = timedelta(minutes=5)
ALARM_TOO_OLD = timedelta(minutes=60)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Exchange:
    """Time and calls of one account; `now` is the vendor's present while something happens."""

    def __init__(self, tables: Tables, switches: Switches, seed: int, now: datetime) -> None:
        self.now = now
        self.schedule = Schedule()
        self.ledger: list[dict[str, Any]] = []
        self.in_progress: dict[str, Call] = {}
        self.outcomes: dict[str, dict[str, Any]] = {}  # number → what a test wants
        self.seed = seed
        self.each_five_minutes: Callable[[], None] = lambda: None
        self.ended: Callable[[Call], None] = lambda call: None
        self._tables, self._switches = tables, switches
        self._placed = self._recorded = 0
        self._next_sweep = _after(now)

    # ------------------------------------------------------------------ time

    def catch_up(self, until: datetime) -> None:
        """Do all that is due until then."""
        while True:
            action, when = self._sweep, self._next_sweep
            due = self.schedule.next_time()
            if due is not None and due <= when:
                action, when = self._next_action, due
            alarm = self._next_alarm()
            if alarm is not None and max(self.now, alarm["date_start_notice"]) < when:
                action, when = self._ring(alarm), max(self.now, alarm["date_start_notice"])
            if when > until:
                break
            self.now = max(self.now, when)
            action()
        self.now = max(self.now, until)

    def jump(self, now: datetime) -> None:
        """The clock is set: what is under way moves along, nothing happens in between."""
        self.schedule.shift(now - self.now)
        self.now, self._next_sweep = now, _after(now)

    def _next_action(self) -> None:
        self.schedule.pop()()

    def _sweep(self) -> None:
        self._next_sweep += SWEEP
        self.each_five_minutes()

    # ------------------------------------------------------------------ calls

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
        self._placed += 1
        call = Call(
            callid=call_id(self.seed, self._placed),
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
        self.schedule.at(
            self.now + timedelta(seconds=outcome.ring + outcome.talk), lambda: self.hang_up(call)
        )
        return call

    def _enter(self, call: Call, subscriber: Row | None, alarm: int | None) -> None:
        self.ledger.append(
            {
                "seq": len(self.ledger) + 1,
                "time": wire_time(self.now),
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

    def hang_up(self, call: Call) -> None:
        """The call is over; scripted ones may end before their time."""
        if self.in_progress.pop(call.callid, None) is None:
            return
        if self._kept(call):
            self._record(call)
            self.ended(call)

    def _kept(self, call: Call) -> bool:
        """A campaign deleted while the call went on leaves its record nothing to hang on."""
        return call.campaign is None or self._tables["campaign"].get(call.campaign) is not None

    def _record(self, call: Call) -> None:
        """Store the call's records, late if they are to be."""
        rows = call_records(call, self._switches["raw_dispositions"] == "yes")
        self._recorded += 1
        late, share = self._switches["late_cdr_s"], self._switches["late_cdr_percent"]

        def store() -> None:
            if self._kept(call):
                for row in rows:
                    self._tables["cdr"].add(row)

        if late and self._recorded * 61 % 100 < share:
            self.schedule.at(self.now + timedelta(seconds=late), store)
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

    def _ring(self, alarm: Row) -> Callable[[], None]:
        def ring() -> None:
            event = self._tables["event"].get(alarm["event"]) or {}
            calendar = self._tables["calendar"].get(event.get("calendar")) or {}
            user = self._tables["calendar_user"].get(event.get("creator") or calendar.get("user")) or {}
            setting = self._tables["setting"].get(user.get("calendar_setting")) or {}
            timeout = min(45, setting.get("call_timeout", 45))
            call = self.place(
                kind="alarm",
                number=alarm["alarm_phonenumber"],
                outcome=draw(self.seed, -alarm["id"], 1, timeout, {"opt_out": 0, "second_leg": 0}),
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
