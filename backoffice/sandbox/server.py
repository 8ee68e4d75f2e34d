"""The sandbox server: one thread per connection, vendors under prefixes, faults between.

A vendor is any object with the members of `Vendor`; adding one is one line in `build_vendors`.
"""

import contextlib
import socket
import socketserver
import threading
import time
from datetime import date
from ipaddress import ip_address
from typing import Any, BinaryIO, Protocol, cast

from . import faults as fault_kinds
from .antbot import AntBot
from .antbot_seed import people_of
from .antcrm import AntCrm
from .control import Control
from .faults import Fault, FaultPlan
from .journal import Counters, WriteLog
from .switches import Switches
from .udesk import Udesk
from .udesk_seed import people_of as shared_people
from .wire import Answer, BadRequest, Request, json_answer, read_request, reset, send


class Vendor(Protocol):
    """What the server needs of a vendor."""

    name: str
    switches: Switches
    faults: FaultPlan

    def handle(self, request: Request, path: str) -> Answer: ...
    def control(self, method: str, path: str, query: dict[str, str], body: Any) -> Any: ...
    def switch(self, changes: dict[str, Any]) -> None: ...
    def reset(self, seed: int | None = None, contacts: int | None = None) -> None: ...
    def warm(self) -> None: ...


def build_vendors(
    log: WriteLog, *, seed: int, contacts: int, today: date, keys: dict[str, str], bot_speed: float = 1.0
) -> dict[str, Vendor]:
    """Every vendor the sandbox plays, by prefix."""
    crm = AntCrm(log, seed=seed, contacts=contacts, today=today, key=keys["antcrm"])
    bot = AntBot(
        log, seed=seed, today=today, speed=bot_speed, people=lambda count: people_of(crm.book.data, count)
    )
    desk = Udesk(log, seed=seed, contacts=contacts, today=today, person=shared_people(lambda: crm.book.data))
    vendors: list[Vendor] = [crm, bot, desk]
    return {vendor.name: vendor for vendor in vendors}


class Sandbox:
    """The vendors together with latency, log, counters and control."""

    def __init__(self, vendors: dict[str, Vendor], log: WriteLog, latency_ms: float = 0.0) -> None:
        self.vendors = vendors
        self.log = log
        self.latency_ms = latency_ms
        self.counters = {name: Counters() for name in vendors}
        self._late: list[threading.Timer] = []
        self._late_lock = threading.Lock()
        self._control = Control(self)

    def answer(self, request: Request, seen: set[str], local: bool) -> Answer:
        """The answer to one request; `seen` holds the vendors its connection has asked before."""
        if request.path.startswith("/_control/"):
            if not local:
                return json_answer({"error": "control calls are answered on loopback only"}, 403)
            return self._control.answer(request)
        prefix, _, rest = request.path[1:].partition("/")
        vendor = self.vendors.get(prefix)
        if vendor is None:
            return json_answer({"message": f"no vendor here; there are {', '.join(self.vendors)}"}, 404)
        counters = self.counters[prefix]
        if prefix not in seen:
            seen.add(prefix)
            counters.connected()
        request.hints["in_last_second"] = counters.begin(f"{request.method} {request.path}")
        status = "error"
        try:
            if self.latency_ms:
                time.sleep(self.latency_ms / 1000)
            answer = self._spoiled(vendor, request, "/" + rest)
            status = "cut" if answer.cut else str(answer.status)
            return answer
        finally:
            counters.end(status)

    def _spoiled(self, vendor: Vendor, request: Request, path: str) -> Answer:
        fired = vendor.faults.fire(request, path)
        for fault in fired:
            self.counters[vendor.name].fault(fault.kind)
            if instead := fault_kinds.answer_instead(fault):
                return instead
            if fault.kind == "apply_late":
                return self._apply_late(vendor, request, path, fault)
            fault_kinds.change_request(fault, request)
        answer = vendor.handle(request, path)
        for fault in fired:
            answer = fault_kinds.change_answer(fault, request, answer)
        return answer

    def _apply_late(self, vendor: Vendor, request: Request, path: str, fault: Fault) -> Answer:
        timer = threading.Timer(fault.options["seconds"], vendor.handle, (request, path))
        timer.daemon = True
        with self._late_lock:
            self._late = [old for old in self._late if old.is_alive()] + [timer]
            timer.start()
        if fault.options["answer"] == "hang":
            return Answer(hold=fault.options["seconds"], cut=True)
        return Answer(cut=True)

    def finish_late(self, apply: bool) -> int:
        """Apply all late writes now, or forget them; the number of them."""
        with self._late_lock:
            waiting = [timer for timer in self._late if timer.is_alive()]
            self._late = []
        for timer in waiting:
            timer.cancel()
            if apply:
                timer.function(*timer.args)
        return len(waiting)


class _Handler(socketserver.StreamRequestHandler):
    """One connection: requests in turn until either side has enough."""

    disable_nagle_algorithm = True
    server: "Server"

    def handle(self) -> None:
        sandbox, seen = self.server.sandbox, set[str]()
        local = ip_address(self.client_address[0]).is_loopback
        with contextlib.suppress(OSError):
            while True:
                try:
                    request = read_request(cast(BinaryIO, self.rfile))
                except BadRequest as problem:
                    send(self.connection, json_answer({"message": str(problem)}, 400), keep_alive=False)
                    return
                if request is None:
                    return
                answer = sandbox.answer(request, seen, local)
                if not send(self.connection, answer, request.keep_alive):
                    return
                if answer.drop_next:
                    self.rfile.peek(1)  # type: ignore[attr-defined]
                    reset(self.connection)
                    return
                self._limit_idling(answer.idle_limit)

    def _limit_idling(self, seconds: float | None) -> None:
        """Drop a kept connection unannounced when the next request is not there in time."""
        if seconds == 0:
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.connection.settimeout(seconds)

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()


class Server(socketserver.ThreadingTCPServer):
    """The listening socket; each connection gets a daemon thread."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256
    block_on_close = False

    def __init__(self, address: tuple[str, int], sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        super().__init__(address, _Handler)
