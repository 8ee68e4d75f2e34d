"""The `sandbox` fixture: the demo vendors in their own process, and a handle to steer them.

One process per test session on a free port; each test gets it reset, with switches, faults, log
and counters at their defaults. Import through `pytest_plugins = ["tests.sandbox_fixture"]`.
"""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
SEED, CONTACTS = 7, 120
BASE_PATHS = {"udesk": "/open_api_v1"}


class SandboxError(AssertionError):
    """A control call was refused; the text is the sandbox's sentence."""


class SandboxControl:
    """Steers a running sandbox through its control API."""

    key = "sandbox-antcrm-key"

    def __init__(self, url: str) -> None:
        self.url = url
        self.bot = BotControl(self)
        self._address = urlsplit(url).netloc

    def base(self, vendor: str = "antcrm") -> str:
        """The base URL a connection to this vendor uses."""
        return f"{self.url}/{vendor}{BASE_PATHS.get(vendor, '')}"

    def control(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One control call, as `control("POST", "antcrm/trash", {"leadId": 3})`."""
        target = f"/_control/{path}" + (f"?{urlencode(query)}" if query else "")
        connection = http.client.HTTPConnection(self._address, timeout=120)
        try:
            connection.request(method, target, None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise SandboxError(f"{method} {target}: {answer.get('error', answer)}")
        return answer

    # ------------------------------------------------------------------ behaviour

    def reset(self, **options: int) -> None:
        """Fresh records (`seed=`, `contacts=`); faults, switches, log and counters at their defaults."""
        self.control("POST", "reset", options)
        self.latency(0)

    def faults(self, faults: list[dict[str, Any]], vendor: str = "antcrm", seed: int = 0) -> None:
        """Replace the vendor's fault rules."""
        self.control("POST", "faults", {"vendor": vendor, "faults": faults, "seed": seed})

    def fault(self, kind: str, vendor: str = "antcrm", **options: Any) -> None:
        """Replace the vendor's rules by a single one."""
        self.faults([{"kind": kind, **options}], vendor)

    def clear(self) -> None:
        """Drop all fault rules."""
        self.control("DELETE", "faults")

    def switches(self, vendor: str = "antcrm", **values: Any) -> dict[str, Any]:
        """Change switches when some are given; answers all of them with values and choices."""
        if values:
            self.control("POST", "switches", {"vendor": vendor, **values})
        return self.control("GET", "switches")[vendor]

    def latency(self, ms: float) -> None:
        """Delay every vendor request by so many milliseconds."""
        self.control("POST", "latency", {"ms": ms})

    # ------------------------------------------------------------------ witness

    def writes(self, since: int = 0, by: str = "api", vendor: str = "") -> list[dict[str, Any]]:
        """Writes applied through the API; `by="staff"` or `"all"` for the scripted ones too."""
        return self.control("GET", "writes", since=since, by=by, vendor=vendor)

    def stats(self, vendor: str = "antcrm") -> dict[str, Any]:
        """Request counters."""
        return self.control("GET", "stats")[vendor]

    def reset_stats(self) -> None:
        """Start counting anew."""
        self.control("POST", "stats/reset")

    def contacts(self, **filters: Any) -> list[dict[str, Any]]:
        """The truth; filters `state`, `kind`, `id`, `code`; `brief=1` for large accounts."""
        return self.control("GET", "antcrm/contacts", **filters)

    def contact(self, **filters: Any) -> dict[str, Any]:
        """The only record that fits, as `contact(kind="lead", id=7)`."""
        found = self.contacts(**filters)
        if len(found) != 1:
            raise SandboxError(f"{len(found)} records fit {filters}")
        return found[0]

    def counts(self) -> dict[str, int]:
        """How many records are live, trashed, merged, converted, purged."""
        return self.control("GET", "antcrm/counts")

    def staff(self) -> list[dict[str, str]]:
        """The employees of the account."""
        return self.control("GET", "antcrm/staff")

    # ------------------------------------------------------------------ remote staff

    def create(self, **fields: Any) -> dict[str, Any]:
        """A record made inside the CRM; answers its ids."""
        return self.control("POST", "antcrm/contacts", fields)

    def patch(self, selector: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """A remote edit."""
        return self.control("PATCH", "antcrm/contacts", selector | changes)

    def trash(self, **selector: Any) -> dict[str, Any]:
        """Move a live record to the trash."""
        return self.control("POST", "antcrm/trash", selector)

    def restore(self, **selector: Any) -> dict[str, Any]:
        """Bring a trashed record back."""
        return self.control("POST", "antcrm/restore", selector)

    def purge(self, **selector: Any) -> dict[str, Any]:
        """Remove a record for good."""
        return self.control("POST", "antcrm/purge", selector)

    def merge(self, loser: dict[str, Any], survivor: dict[str, Any]) -> dict[str, Any]:
        """Merge one live record into another."""
        return self.control("POST", "antcrm/merge", {"loser": loser, "survivor": survivor})

    def convert(self, lead_id: int) -> dict[str, Any]:
        """Convert a lead; the answer holds the new customerId."""
        return self.control("POST", "antcrm/convert", {"leadId": lead_id})

    def mutate(self, **counts: int) -> list[dict[str, Any]]:
        """Random changes: `edits=`, `creates=`, `trash=`, `merges=`, `seed=`."""
        return self.control("POST", "antcrm/mutate", counts)["done"]

    def apply_late_writes(self) -> int:
        """Apply what `apply_late` faults still hold back."""
        return self.control("POST", "late")["applied"]


class BotControl:
    """Steers the AntBOT side; its base URL is `sandbox.bot.base`."""

    username, password = "sandbox", "sandbox-antbot-password"

    def __init__(self, sandbox: SandboxControl) -> None:
        self._sandbox = sandbox
        self.base = f"{sandbox.url}/antbot/rest-api"

    def control(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One control call below `antbot/`."""
        return self._sandbox.control(method, f"antbot/{path}", body, **query)

    def switches(self, **values: Any) -> dict[str, Any]:
        """Change AntBOT's switches when some are given; answers all of them."""
        return self._sandbox.switches("antbot", **values)

    def faults(self, faults: list[dict[str, Any]], seed: int = 0) -> None:
        """Replace AntBOT's fault rules."""
        self._sandbox.faults(faults, vendor="antbot", seed=seed)

    def fault(self, kind: str, **options: Any) -> None:
        """Replace AntBOT's rules by a single one."""
        self.faults([{"kind": kind, **options}])

    def writes(self, since: int = 0, by: str = "api") -> list[dict[str, Any]]:
        """Writes AntBOT applied."""
        return self._sandbox.writes(since, by, "antbot")

    # ------------------------------------------------------------------ time

    def clock(self, **changes: Any) -> dict[str, Any]:
        """The vendor's clock; `now=` jumps without dialling in between, `speed=` 0 stands still."""
        return self.control("POST", "clock", changes) if changes else self.control("GET", "clock")

    def advance(self, minutes: float = 0, **more: float) -> dict[str, Any]:
        """Let so much time pass, with everything that is due in it; also `seconds=`."""
        return self.control("POST", "advance", {"minutes": minutes, **more})

    # ------------------------------------------------------------------ truth

    def state(self) -> dict[str, Any]:
        """Clock, campaigns with their counts, rows per table, logins."""
        return self.control("GET", "state")

    def campaign(self, number: int) -> dict[str, Any]:
        """The true state of one campaign."""
        return next(c for c in self.state()["campaigns"] if c["id"] == number)

    def ledger(self, since: int = 0, campaign: int | str = "") -> list[dict[str, Any]]:
        """Every number dialled."""
        return self.control("GET", "ledger", since=since, campaign=campaign)

    def rows(self, table: str, **fields: Any) -> list[dict[str, Any]]:
        """All rows of a table, as `rows("contact", phonebook=293)`."""
        return self.control("GET", "rows", table=table, **fields)

    # ------------------------------------------------------------------ scripted events

    def dial(self, number: str, **options: Any) -> dict[str, Any]:
        """A call outside the rules; `campaign=`, `at=`, `disposition=`, `running=`."""
        return self.control("POST", "dial", {"number": number, **options})

    def outcomes(self, wanted: dict[str, dict[str, Any] | None]) -> None:
        """How calls of these numbers go, as `{"0934…": {"disposition": "BUSY"}}`."""
        self.control("POST", "outcomes", wanted)

    def edit_campaign(self, number: int, **changes: Any) -> dict[str, Any]:
        """A campaign changed or commanded inside AntBOT; an unknown status is only shown."""
        return self.control("POST", "edit_campaign", {"campaign": number, **changes})

    def delete_campaign(self, number: int) -> None:
        """A campaign deleted inside AntBOT, with its call records."""
        self.control("POST", "delete_campaign", {"campaign": number})

    def edit_contact(self, number: int, **changes: Any) -> dict[str, Any]:
        """A bot contact changed inside AntBOT."""
        return self.control("POST", "edit_contact", {"contact_id": number, **changes})

    def import_numbers(self, phonebook: int, *numbers: str) -> list[int]:
        """Contacts imported inside AntBOT: running campaigns do not see them."""
        return self.control("POST", "import", {"phonebook": phonebook, "numbers": numbers})["ids"]

    def dnc(self, number: str, **options: int) -> dict[str, Any]:
        """A number put on a DNC list (`dnc=`, default the first) inside AntBOT."""
        return self.control("POST", "dnc", {"number": number, **options})

    def expire_tokens(self) -> int:
        """End all tokens; how many there were."""
        return self.control("POST", "expire_tokens")["expired"]


def start_sandbox(*arguments: str) -> tuple[subprocess.Popen[str], SandboxControl]:
    """A sandbox process on a free port; the caller stops it. It also ends when its parent does."""
    command = [sys.executable, "-m", "backoffice.sandbox", "--port", "0", "--die-with-stdin", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if "listening on" not in line:
        process.kill()
        raise SandboxError(f"the sandbox did not start: {line!r}")
    return process, SandboxControl(line.split()[-1])


def stop_sandbox(process: subprocess.Popen[str]) -> None:
    """End a sandbox process and wait for it."""
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxControl]:
    """The sandbox of this test session, shared and not reset."""
    process, control = start_sandbox("--seed", str(SEED), "--contacts", str(CONTACTS))
    yield control
    stop_sandbox(process)


@pytest.fixture
def sandbox(sandbox_process: SandboxControl) -> SandboxControl:
    """The sandbox with fresh records and default behaviour."""
    sandbox_process.reset(seed=SEED, contacts=CONTACTS)
    return sandbox_process
