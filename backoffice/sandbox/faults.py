"""Faults on demand: rules that say which requests go wrong, how, and how often.

A rule is a JSON object: `kind`, which requests (`method`, `path` glob below the vendor's prefix,
`match` text in query or body), how often (`probability`, `after` skipped first, `times` at most)
and the kind's own parameters, listed with their defaults in KINDS. Draws are seeded.
"""

import random
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from . import spoil
from .wire import Answer, Request

# Kinds that answer instead of the vendor: nothing is applied.
INSTEAD: dict[str, dict[str, Any]] = {
    "status": {"code": 500, "retry_after": None, "body": None, "headers": {}},
    "html": {"code": 200, "body": None},
    "redirect": {"code": 302, "location": "http://127.0.0.1:9/"},
    "cut_before": {},
    "huge": {"size": 4 * 1024**3},
    "gzip_bomb": {"size": 256 * 1024**2, "layers": 1},
    "deep_json": {"depth": 100_000},
}
# Kinds that change what is asked, or let remote staff act in between: `remote_event` edits or
# trashes the very record a PUT or DELETE names, just before or just after it is applied.
ASK: dict[str, dict[str, Any]] = {
    "ignore_page": {},
    "ignore_filter": {},
    "repeat_page": {"page": None},
    "shift_page": {"records": 5, "creates": 1, "trash": 1},
    "remote_event": {"event": "edit", "changes": {}, "when": "before"},
    "lag": {"seconds": 60.0},
}
# Kinds that spoil the vendor's own answer: writes are applied.
AFTER: dict[str, dict[str, Any]] = {
    "cut_after": {},
    "status_after": {"code": 500, "retry_after": None, "body": None, "headers": {}},
    "truncate": {"bytes": 10},
    "stale": {},
    "drip": {"interval": 1.0},
    "close_after_idle": {"seconds": 0.0},
    "drop_next": {},
    "wrong_content_type": {"content_type": "text/html"},
    "success": {"value": False, "remove": False, "key": "success"},
    "empty_page": {"page": None},
    "short_page": {"page": None, "drop": None},
    "wrong_types": {"field": None, "value": None, "missing": False, "records": 1},
    "big_int": {"field": None, "digits": 5000},
    "nan": {"field": "scoreAvailable"},
    "nul": {"field": "name"},
    "lone_surrogate": {"field": "name"},
}
BOTH: dict[str, dict[str, Any]] = {
    "hang": {"seconds": 60.0, "applied": False},
    "apply_late": {"seconds": 90.0, "answer": "cut"},
}
KINDS = INSTEAD | ASK | AFTER | BOTH
COMMON: dict[str, Any] = {
    "kind": "", "method": "*", "path": "*", "match": "", "probability": 1.0, "times": None, "after": 0,
}  # fmt: skip
FREE = {"retry_after", "body", "value"}  # parameters that take anything
NULLABLE = {"times": int, "page": int, "drop": int, "field": str}  # types of parameters that default to null
FILTERS_KEPT = ("page", "limit")
SIGNATURE = ("email", "timestamp", "nonce", "sign", "sign_version")  # of requests signed in their query


class BadRule(ValueError):
    """A rule that cannot be understood; the text says why."""


@dataclass(slots=True)
class Fault:
    """One rule with the count of requests it has seen and spoiled."""

    kind: str
    method: str = "*"
    path: str = "*"
    match: str = ""
    probability: float = 1.0
    times: int | None = None
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0
    remembered: bytes | None = None  # the first answer, which `stale` gives again and again

    def wants(self, method: str, path: str, text: str, rng: random.Random) -> bool:
        """Whether this request is to be spoiled; counts it."""
        if self.method not in ("*", method) or not fnmatchcase(path, self.path) or self.match not in text:
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        if self.probability < 1.0 and rng.random() >= self.probability:
            return False
        self.fired += 1
        return True


def parse_rule(spec: Any) -> Fault:
    """A rule from its JSON object; unknown kinds and parameters are errors, so a typo shows."""
    if not isinstance(spec, dict) or spec.get("kind") not in KINDS:
        raise BadRule(f"kind must be one of {', '.join(sorted(KINDS))}")
    options, known = dict(KINDS[spec["kind"]]), COMMON | KINDS[spec["kind"]]
    for key, value in spec.items():
        if key not in known:
            raise BadRule(f"{spec['kind']} does not take {key}")
        if not _fits(key, value, known[key]):
            raise BadRule(f"{key} cannot be {value!r}")
    options.update({key: value for key, value in spec.items() if key in options})
    common = {key: spec[key] for key in COMMON if key in spec}
    return Fault(options=options, **common)


def _fits(key: str, value: Any, default: Any) -> bool:
    """Whether a value has the type of the parameter's default."""
    if key in FREE or (value is None and default is None):
        return True
    wanted = NULLABLE[key] if default is None else type(default)
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


class FaultPlan:
    """The rules of one vendor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._rng = random.Random(0)

    def replace(self, specs: list[Any], seed: int = 0) -> None:
        """Put these rules in place of the old ones; none is replaced when one is wrong."""
        rules = [parse_rule(spec) for spec in specs]
        with self._lock:
            self._rules, self._rng = rules, random.Random(seed)

    def fire(self, request: Request, path: str) -> list[Fault]:
        """The rules that spoil this request."""
        if not self._rules:
            return []
        text = "&".join(f"{k}={v}" for k, v in request.query.items())
        text += " " + request.body.decode("utf-8", "replace")
        with self._lock:
            return [rule for rule in self._rules if rule.wants(request.method, path, text, self._rng)]

    def as_list(self) -> list[dict[str, Any]]:
        """The rules with their counts."""
        return [
            {
                "kind": rule.kind,
                "method": rule.method,
                "path": rule.path,
                "seen": rule.seen,
                "fired": rule.fired,
            }
            | rule.options
            for rule in self._rules
        ]


def answer_instead(fault: Fault) -> Answer | None:
    """The answer of a fault that keeps the request from the vendor, if it is one."""
    options = fault.options
    if fault.kind == "status":
        return _status(options)
    if fault.kind == "html":
        return Answer(
            options["code"], (options["body"] or spoil.HTML).encode(), content_type="text/html; charset=utf-8"
        )
    if fault.kind == "redirect":
        return Answer(options["code"], b"", {"Location": options["location"]})
    if fault.kind == "cut_before":
        return Answer(cut=True)
    if fault.kind == "huge":
        return Answer(stream=spoil.endless(options["size"]))
    if fault.kind == "gzip_bomb":
        encoding = ", ".join(["gzip"] * options["layers"])
        bomb = spoil.gzip_bomb(options["size"], options["layers"])
        return Answer(body=bomb, headers={"Content-Encoding": encoding})
    if fault.kind == "deep_json":
        return Answer(body=b"[" * options["depth"] + b"]" * options["depth"])
    if fault.kind == "hang" and not options["applied"]:
        return Answer(hold=options["seconds"], cut=True)
    return None


def change_request(fault: Fault, request: Request) -> None:
    """Let a paging fault change what the vendor is asked."""
    query, options = request.query, fault.options
    if fault.kind == "ignore_page":
        query.pop("page", None)
    elif fault.kind == "ignore_filter":
        kept = (*FILTERS_KEPT, *SIGNATURE) if "sign" in query else FILTERS_KEPT
        request.query = {key: value for key, value in query.items() if key in kept}
    elif fault.kind == "repeat_page" and options["page"] in (None, _page(request)):
        query["page"] = str(max(1, _page(request) - 1))
    elif fault.kind == "shift_page":
        kinds = {"edits": "records", "creates": "creates", "trash": "trash"}
        request.hints["mutate"] = {name: options[option] for name, option in kinds.items()}
    elif fault.kind == "remote_event":
        request.hints["remote_event"] = options
    elif fault.kind == "lag":
        request.hints["lag"] = options["seconds"]


def change_answer(fault: Fault, request: Request, answer: Answer) -> Answer:
    """Let a fault spoil the vendor's own answer."""
    options = fault.options
    if fault.kind == "cut_after":
        answer.cut = True
    elif fault.kind == "hang" and options["applied"]:
        answer.hold, answer.cut = options["seconds"], True
    elif fault.kind == "status_after":
        return _status(options)
    elif fault.kind == "truncate":
        answer.keep_bytes = options["bytes"]
    elif fault.kind == "stale":
        fault.remembered = answer.body = fault.remembered or answer.body
    elif fault.kind == "drip":
        answer.drip = options["interval"]
    elif fault.kind == "close_after_idle":
        answer.idle_limit = options["seconds"]
    elif fault.kind == "drop_next":
        answer.drop_next = True
    elif fault.kind == "wrong_content_type":
        answer.content_type = options["content_type"]
    elif fault.kind in ("empty_page", "short_page"):
        if options["page"] in (None, _page(request)):
            answer.body = spoil.fewer_records(
                answer.body, None if fault.kind == "empty_page" else options["drop"] or 0
            )
    elif fault.kind in spoil.JSON_SPOILERS:
        answer.body = spoil.JSON_SPOILERS[fault.kind](answer.body, options, fault.fired)
    return answer


def _page(request: Request) -> int:
    text = request.query.get("page", "1")
    return int(text) if text.isdecimal() else 1


def _status(options: dict[str, Any]) -> Answer:
    headers = dict(options["headers"])
    if options["retry_after"] is not None:
        headers["Retry-After"] = str(options["retry_after"])
    body = options["body"]
    if body is None:
        body = {"success": 0, "message": "the server is busy"}
    if isinstance(body, str):
        return Answer(options["code"], body.encode(), headers, "text/plain; charset=utf-8")
    return Answer(options["code"], spoil.dump(body), headers)
