"""Starts the sandbox: `python -m backoffice.sandbox --port 8901`."""

import argparse
import signal
import sys
import threading
from datetime import UTC, date, datetime

from .antcrm_switches import DEFAULT_KEY
from .journal import WriteLog
from .server import Sandbox, Server, build_vendors


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("backoffice.sandbox", description="Demo vendors over real HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8901, help="0 picks a free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--contacts", type=int, default=3000, help="live contacts; trashed and merged come on top"
    )
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every vendor request")
    parser.add_argument(
        "--today", type=date.fromisoformat, default=None, help="day the data ends (default: today)"
    )
    parser.add_argument("--antcrm-key", default=DEFAULT_KEY)
    parser.add_argument(
        "--bot-speed", type=float, default=1.0, help="how many times faster AntBOT's time runs"
    )
    parser.add_argument(
        "--bot-zone", default="UTC", help="zone in which AntBOT reads the daily hours of campaigns"
    )
    parser.add_argument(
        "--warm", action="store_true", help="serialise all records before listening, for benches"
    )
    parser.add_argument("--die-with-stdin", action="store_true", help="end when stdin closes, for tests")
    return parser.parse_args(arguments)


def stop_at_end_of_input(stop: threading.Event) -> None:
    """A test session that is killed closes the pipe: that ends the sandbox too."""
    while sys.stdin.read(1024):
        pass
    stop.set()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    options = parse()
    log = WriteLog()
    vendors = build_vendors(
        log,
        seed=options.seed,
        contacts=options.contacts,
        today=options.today or datetime.now(UTC).date(),
        keys={"antcrm": options.antcrm_key},
        bot_speed=options.bot_speed,
    )
    vendors["antbot"].switch({"window_zone": options.bot_zone})
    if options.warm:
        for vendor in vendors.values():
            vendor.warm()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.die_with_stdin:
        threading.Thread(target=stop_at_end_of_input, args=(stop,), daemon=True).start()
    with Server((options.host, options.port), Sandbox(vendors, log, options.latency_ms)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        print(f"sandbox listening on http://{options.host}:{server.server_address[1]}", flush=True)
        stop.wait()
        server.shutdown()


if __name__ == "__main__":
    main()
