"""The process and its sockets: start, stop, keep-alive, odd requests."""

import http.client
import os
import signal
import subprocess
import sys
import time
from datetime import date
from urllib.parse import urlsplit

from backoffice.sandbox.journal import WriteLog
from backoffice.sandbox.server import Sandbox, build_vendors
from backoffice.sandbox.wire import Request
from tests.sandbox.http import Api, raw_exchange
from tests.sandbox_fixture import ROOT, start_sandbox, stop_sandbox


def test_one_connection_carries_many_requests(sandbox):
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)
    sockets = set()
    for page in range(1, 5):
        connection.request("GET", f"/antcrm/contacts?page={page}", headers={"apikey": sandbox.key})
        connection.getresponse().read()
        sockets.add(connection.sock)
    assert len(sockets) == 1
    assert sandbox.stats()["connections"] == 1
    connection.close()


def test_http_1_0_and_close_end_the_connection(sandbox):
    answer = raw_exchange(sandbox, b"GET /_control/health HTTP/1.0\r\n\r\n")
    assert answer.endswith(b'{"ok": true}')
    answer = raw_exchange(sandbox, b"GET /_control/health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert b"Connection: close" in answer


def test_chunked_request_body_is_read(sandbox):
    body = b'{"name":"C","customerIdApiRing":"chunk"}'
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\n\r\n"
    head = (
        f"POST /antcrm/contacts HTTP/1.1\r\napikey: {sandbox.key}\r\n"
        "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert b'"success": 1' in raw_exchange(sandbox, head.encode() + chunks)
    assert sandbox.contact(code="chunk")["name"] == "C"


def test_garbage_is_answered_with_400(sandbox):
    assert raw_exchange(sandbox, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert raw_exchange(sandbox, b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n").startswith(
        b"HTTP/1.1 400"
    )


def test_latency_is_added_to_vendor_requests_only(sandbox, api):
    sandbox.latency(120)
    started = time.monotonic()
    api.page()
    assert time.monotonic() - started >= 0.12
    started = time.monotonic()
    sandbox.control("GET", "health")
    assert time.monotonic() - started < 0.1


def test_process_takes_its_options_and_ends_cleanly_on_sigterm():
    process, control = start_sandbox("--contacts", "25", "--antcrm-key", "other", "--warm")
    try:
        assert Api(control).call("GET", "/contacts").status == 401
        assert len(Api(control, key="other").everything()) == 25
        control.fault("hang", seconds=60)
        hanging = http.client.HTTPConnection(urlsplit(control.url).netloc)
        hanging.request("GET", "/antcrm/contacts", headers={"apikey": "other"})
    finally:
        started = time.monotonic()
        stop_sandbox(process)
    assert process.returncode == 0
    assert time.monotonic() - started < 3


def test_sigint_ends_it_too():
    process, _ = start_sandbox("--contacts", "5")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 0


def test_sandbox_dies_with_a_killed_parent():
    script = (
        "from tests.sandbox_fixture import start_sandbox; import os, signal\n"
        "process, control = start_sandbox('--contacts', '5')\n"
        "print(process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    pid = int(parent.stdout)
    end = time.monotonic() + 5
    while os.path.exists(f"/proc/{pid}") and not _is_zombie(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}") or _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "Z"


def test_control_is_refused_from_elsewhere():
    log = WriteLog()
    vendors = build_vendors(log, seed=1, contacts=5, today=date(2026, 1, 1), keys={"antcrm": "k"})
    request = Request("GET", "/_control/health", {}, {}, b"", keep_alive=True)
    assert Sandbox(vendors, log).answer(request, set(), local=False).status == 403
    assert Sandbox(vendors, log).answer(request, set(), local=True).status == 200


def test_only_the_standard_library_is_imported():
    script = (
        "import sys, backoffice.sandbox.__main__\n"
        "names = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(*sorted(names))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(found.stdout.split())
    assert not loaded & {"django", "requests", "urllib3", "celery", "crm_bridge", "bot_campaigns"}
