"""What becomes of a call: outcomes drawn from the seed, call records in AntBOT's words."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

from .antbot_tables import Row
from .seed import Dice

# cause → (weight, Q.850 number, SIP reply, far end)
CAUSES = {
    "NORMAL_CLEARING": (54, 16, 200, "ANSWER"),
    "NO_ANSWER": (16, 19, 480, "EARLY MEDIA"),
    "USER_BUSY": (10, 17, 486, "EARLY MEDIA"),
    "UNALLOCATED_NUMBER": (5, 1, 404, ""),
    "CALL_REJECTED": (4, 21, 603, ""),
    "NO_USER_RESPONSE": (4, 18, 408, ""),
    "ORIGINATOR_CANCEL": (2, 31, 487, "EARLY MEDIA"),
    "NORMAL_CIRCUIT_CONGESTION": (2, 34, 503, ""),
    "ALLOTTED_TIMEOUT": (2, 16, 200, "ANSWER"),
    "RECOVERY_ON_TIMER_EXPIRE": (1, 102, 504, ""),
    "NETWORK_OUT_OF_ORDER": (0, 38, 502, ""),
}
DISPOSITIONS = {
    "NORMAL_CLEARING": "ANSWER",
    "ALLOTTED_TIMEOUT": "ANSWER",
    "USER_BUSY": "BUSY",
    "NO_ANSWER": "NOANSWER",
    "ORIGINATOR_CANCEL": "CANCEL",
    "NORMAL_CIRCUIT_CONGESTION": "CONGESTION",
}  # any other cause is FAILED
ANSWERED = ("NORMAL_CLEARING", "ALLOTTED_TIMEOUT")
_DEAL = [cause for cause, (weight, *_) in CAUSES.items() for _ in range(weight)]


class UnknownCause(ValueError):
    """A scripted outcome names a cause the sandbox does not play."""


@dataclass(frozen=True)
class Outcome:
    """How one call goes."""

    cause: str
    ring: int
    talk: int
    opt_out: bool = False
    second_leg: bool = False
    completed: bool = False

    @property
    def disposition(self) -> str:
        return DISPOSITIONS.get(self.cause, "FAILED")

    @property
    def answered(self) -> bool:
        return self.cause in ANSWERED


@dataclass
class Call:
    """One call from dialling to hang-up."""

    callid: str
    kind: str  # campaign, alarm, scripted
    number: str
    dialled: str
    at: datetime
    outcome: Outcome
    gateway: Row | None
    callerid: str
    campaign: int | None = None
    subscriber: int | None = None
    otp: bool = False


def draw(seed: int, key: int, attempt: int, ring_limit: int, percents: dict[str, int]) -> Outcome:
    """The outcome of an attempt; the same seed, subscriber and attempt always give the same."""
    dice = Dice(seed, key, 1000 + attempt)
    cause = dice.pick(_DEAL)
    ring = {"NO_ANSWER": ring_limit, "NO_USER_RESPONSE": ring_limit}.get(
        cause, min(ring_limit, 2 + dice.below(19))
    )
    talk = 4 + dice.below(95) if cause in ANSWERED else 0
    happy = cause == "NORMAL_CLEARING"
    return Outcome(
        cause,
        ring,
        talk,
        opt_out=happy and dice.below(100) < percents["opt_out"],
        second_leg=happy and dice.below(100) < percents["second_leg"],
        completed=happy and dice.below(100) < 60,
    )


def scripted(outcome: Outcome, wanted: dict[str, Any]) -> Outcome:
    """The drawn outcome with what a test wants instead."""
    by_disposition = {"FAILED": "UNALLOCATED_NUMBER"} | {
        disposition: cause for cause, disposition in reversed(DISPOSITIONS.items())
    }
    name = wanted.get("cause") or by_disposition.get(str(wanted.get("disposition")), outcome.cause)
    if name not in CAUSES or wanted.get("disposition") not in (None, *by_disposition):
        raise UnknownCause(f"no such outcome; there are {', '.join(by_disposition)} and {', '.join(CAUSES)}")
    talk = int(wanted.get("talk", outcome.talk or 20)) if name in ANSWERED else 0
    return replace(
        outcome,
        cause=name,
        talk=talk,
        ring=int(wanted.get("ring", outcome.ring)),
        opt_out=bool(wanted.get("opt_out", outcome.opt_out)) and name in ANSWERED,
        second_leg=bool(wanted.get("second_leg", outcome.second_leg)) and name in ANSWERED,
        completed=bool(wanted.get("completed", outcome.completed)) and name == "NORMAL_CLEARING",
    )


def call_id(seed: int, turn: int) -> str:
    """A UUID, as the telephony server makes them, but the same for the same seed."""
    return str(UUID(bytes=blake2b(b"%d.call.%d" % (seed, turn), digest_size=16).digest(), version=4))


def through_gateway(number: str, gateway: Row | None) -> str:
    """The number as the gateway dials it."""
    if gateway is None:
        return number
    for prefix in filter(None, gateway["removeprefix"].split(",")):
        if number.startswith(prefix):
            number = number[len(prefix) :]
            break
    return gateway["addprefix"] + number


def e164(number: str) -> str | None:
    """The number in international form as a Vietnamese exchange would ring it, if it can."""
    digits = re.sub(r"[^\d+]", "", number)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif digits.startswith("0"):
        digits = "+84" + digits[1:]
    elif not digits.startswith("+"):
        digits = "+" + digits if digits.startswith("84") and len(digits) >= 11 else "+84" + digits
    return digits if re.fullmatch(r"\+\d{8,15}", digits) else None


def call_records(call: Call, raw_disposition: bool) -> list[Row]:
    """The A-leg, and the B-leg of a call that was passed on."""
    _, q850, sip, far_end = CAUSES[call.outcome.cause]
    outcome = call.outcome
    first: Row = {
        "request_uuid": call.callid,
        "callid": call.callid,
        "callerid": call.callerid,
        "phone_number": call.dialled,
        "campaign": call.campaign,
        "used_gateway": call.gateway["id"] if call.gateway else None,
        "starting_date": call.at,
        "duration": outcome.ring + outcome.talk,
        "billsec": outcome.talk,
        "progresssec": min(outcome.ring, 2) if far_end else 0,
        "answersec": outcome.ring if outcome.answered else 0,
        "waitsec": outcome.ring,
        "disposition": outcome.cause if raw_disposition else outcome.disposition,
        "hangup_cause": outcome.cause,
        "hangup_cause_q850": str(q850),
        "sip_term_status": sip,
        "sip_term_cause": q850,
        "endpoint_disposition": far_end,
        "leg_type": 1,
        "amd_status": 3 if not outcome.answered else 1,
        "alarm": call.kind == "alarm",
        "otp": call.otp,
    }
    if not outcome.second_leg:
        return [first]
    talk = max(1, outcome.talk // 2)
    second = first | {
        "phone_number": "02873001234",
        "starting_date": call.at + timedelta(seconds=outcome.ring + 2),
        "duration": talk + 3,
        "billsec": talk,
        "leg_type": 2,
        "amd_status": 3,
    }
    return [first, second]
