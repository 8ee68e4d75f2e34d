"""The control API under `/_control/`: switches, faults, truth, scripted events, counters.

JSON in and out, no key: the server listens on loopback only unless told otherwise.
"""

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .antcrm_writes import Refused
from .wire import Answer, BadRequest, NoSuchCall, Request, json_answer

if TYPE_CHECKING:
    from .server import Sandbox, Vendor

Call = Callable[[dict[str, str], Any], Any]


class Control:
    """Answers control calls for one sandbox."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self._sandbox = sandbox
        self._routes: dict[tuple[str, str], Call] = {
            ("GET", "health"): lambda query, body: {"ok": True},
            ("POST", "reset"): self._reset,
            ("GET", "faults"): lambda query, body: self._each(lambda vendor: vendor.faults.as_list()),
            ("POST", "faults"): self._faults,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "switches"): lambda query, body: self._each(lambda vendor: vendor.switches.as_dict()),
            ("POST", "switches"): self._switches,
            ("GET", "writes"): self._writes,
            ("GET", "stats"): self._stats,
            ("POST", "stats/reset"): self._reset_stats,
            ("POST", "latency"): self._latency,
            ("POST", "late"): lambda query, body: {"applied": sandbox.finish_late(apply=True)},
        }

    def answer(self, request: Request) -> Answer:
        """Answer one control call; mistakes come back as 400 with a sentence."""
        path = request.path.removeprefix("/_control/")
        try:
            body = request.json()
            route = self._routes.get((request.method, path))
            if route:
                return json_answer(route(request.query, body))
            name, _, rest = path.partition("/")
            vendor = self._sandbox.vendors.get(name)
            if vendor is None:
                raise NoSuchCall(f"{request.method} {request.path}")
            return json_answer(vendor.control(request.method, "/" + rest, request.query, body))
        except NoSuchCall as missing:
            return json_answer({"error": f"no such control call: {missing}"}, 404)
        except (Refused, BadRequest, ValueError, KeyError, TypeError, AttributeError) as problem:
            where = traceback.extract_tb(problem.__traceback__)[-1].name
            return json_answer({"error": str(problem), "in": where}, 400)

    def _each(self, show: Callable[["Vendor"], Any]) -> dict[str, Any]:
        return {name: show(vendor) for name, vendor in self._sandbox.vendors.items()}

    def _writes(self, query: dict[str, str], body: Any) -> list[dict[str, Any]]:
        return self._sandbox.log.since(
            int(query.get("since", 0)), query.get("by", "api"), query.get("vendor", "")
        )

    def _stats(self, query: dict[str, str], body: Any) -> dict[str, Any]:
        return {name: counters.as_dict() for name, counters in self._sandbox.counters.items()}

    def _vendor(self, body: dict[str, Any]) -> "Vendor":
        name = body.get("vendor", "antcrm")
        if name not in self._sandbox.vendors:
            raise Refused(f"no vendor {name!r}; there are {', '.join(self._sandbox.vendors)}")
        return self._sandbox.vendors[name]

    def _reset(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        self._sandbox.finish_late(apply=False)
        for vendor in self._sandbox.vendors.values():
            vendor.reset(body.get("seed"), body.get("contacts"))
        self._sandbox.log.clear()
        return self._reset_stats(query, body)

    def _faults(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        specs = body.get("faults", [])
        self._vendor(body).faults.replace(specs, body.get("seed", 0))
        return {"ok": True, "faults": len(specs)}

    def _clear_faults(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        for vendor in self._sandbox.vendors.values():
            vendor.faults.replace([])
        return {"ok": True}

    def _switches(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        vendor = self._vendor(body)
        vendor.switch({key: value for key, value in body.items() if key != "vendor"})
        return {"ok": True}

    def _reset_stats(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        for counters in self._sandbox.counters.values():
            counters.clear()
        return {"ok": True}

    def _latency(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        self._sandbox.latency_ms = float(body["ms"])
        return {"ok": True}
