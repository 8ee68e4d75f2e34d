"""The pull over real HTTP: what the sandbox holds is what the mirror shows, whatever goes wrong."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from crm_bridge.models import Connection, ConnectionHealth, Contact, Merge, Run, StreamState, Tombstone
from crm_bridge.services import pull as pulling
from crm_bridge.services import schedule
from tests import factories
from tests.sandbox_fixture import SandboxControl

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
Status = Run.Status


@pytest.fixture
def crm(sandbox: SandboxControl) -> Connection:
    return factories.connection(
        base_url=sandbox.base(), credentials={"api_key": sandbox.key}, parallel_requests=3
    )


def truth(sandbox: SandboxControl) -> set[tuple[str, str]]:
    """(family, id) of every live record there."""
    return {
        ("lead", str(each["leadId"]))
        if each["contactType"] == "lead"
        else ("customer", str(each["customerId"]))
        for each in sandbox.contacts(state="live")
    }


def mirror(state: str = "live") -> set[tuple[str, str]]:
    rows = Contact.objects.filter(state=state, remote_id__isnull=False)
    return set(rows.values_list("family", "remote_id"))


def unreadable() -> int:
    from crm_bridge.models import Quarantine

    return Quarantine.objects.filter(resolved_at=None).count()


def test_everything_arrives(sandbox: SandboxControl, crm: Connection) -> None:
    runs = pulling.pull_connection(crm)
    assert [run.status for run in runs] == [Status.OK] * 3
    assert len(truth(sandbox) - mirror()) == unreadable()
    assert mirror() <= truth(sandbox)
    counts = sandbox.counts()
    assert Tombstone.objects.count() == counts["trashed"]
    assert Merge.objects.count() == counts["merged"]


@pytest.mark.parametrize(
    "switches",
    [
        {"list_as": "envelope"},
        {"sort": "updated_desc"},
        {"sort": "random"},
        {"timestamps": "iso_naive", "numbers": "text"},
        {"list_id": "yes", "merged_in_deleted": "yes"},
    ],
)
def test_undocumented_behaviour_changes_nothing(
    sandbox: SandboxControl, crm: Connection, switches: dict[str, Any]
) -> None:
    sandbox.switches(**switches)
    for _pull in range(2):
        pulling.pull_connection(crm, full=True)
    if switches.get("sort") != "random":
        assert len(truth(sandbox) - mirror()) == unreadable()
    assert mirror() <= truth(sandbox)
    assert mirror("missing") == set()
    assert len(mirror("merged")) == sandbox.counts()["merged"]


def test_changes_of_today_arrive_by_the_day_filter(sandbox: SandboxControl, crm: Connection) -> None:
    pulling.pull(crm, "contacts")
    new = sandbox.create(name="Mới hôm nay", contactType="lead")
    other = Contact.objects.live().filter(family="lead").exclude(remote_id=str(new["leadId"])).first()
    assert other is not None
    sandbox.patch({"leadId": int(other.remote_id or 0)}, stage="Đã gọi")
    run = pulling.pull(crm, "contacts")
    assert (run.mode, run.created, run.changed) == ("incremental", 1, 1)
    other.refresh_from_db()
    assert other.stage == "Đã gọi"


def test_trash_restore_merge_and_conversion_are_followed(sandbox: SandboxControl, crm: Connection) -> None:
    pulling.pull_connection(crm)
    leads = list(Contact.objects.live().filter(family="lead").order_by("id")[:4])
    gone, loser, survivor, converted = leads
    ids = [int(lead.remote_id or 0) for lead in leads]
    sandbox.trash(leadId=ids[0])
    sandbox.merge({"leadId": ids[1]}, {"leadId": ids[2]})
    customer = sandbox.convert(ids[3])["customerId"]
    pulling.pull_connection(crm, full=True)
    for lead in leads:
        lead.refresh_from_db()
    assert (gone.state, loser.state, survivor.state) == ("trashed", "merged", "live")
    assert (converted.family, converted.remote_id, converted.state) == ("customer", str(customer), "live")
    assert converted.aliases.get().remote_id == str(ids[3])
    assert gone.tombstones.get(lifted_at=None).trashed_at is not None
    sandbox.restore(leadId=ids[0])
    pulling.pull_connection(crm, full=True)
    gone.refresh_from_db()
    assert gone.state == "live"
    assert len(truth(sandbox) - mirror()) == unreadable()


def test_missing_contact_gets_its_tombstone_when_the_trash_shows_it(
    sandbox: SandboxControl, crm: Connection
) -> None:
    pulling.pull_connection(crm)
    lead = Contact.objects.live().filter(family="lead").first()
    assert lead is not None
    sandbox.trash(leadId=int(lead.remote_id or 0))
    pulling.pull(crm, "contacts", mode="complete")
    lead.refresh_from_db()
    assert lead.state == "missing"
    pulling.pull(crm, "deleted")
    lead.refresh_from_db()
    assert lead.state == "trashed"


@pytest.mark.parametrize("seed", range(3))
def test_mirror_equals_truth_after_a_burst_of_changes(
    sandbox: SandboxControl, crm: Connection, seed: int
) -> None:
    sandbox.switches(sort="updated_desc")
    pulling.pull_connection(crm)
    pages = 0

    def change(run: Run) -> None:
        nonlocal pages
        pages += 1
        if pages < 12:
            sandbox.mutate(edits=2, creates=1, trash=1, seed=seed * 100 + pages)

    pulling.pull(crm, "contacts", mode="complete", progress=change)
    pulling.pull_connection(crm, full=True)
    last = pulling.pull(crm, "contacts", mode="complete")
    assert last.settled
    assert mirror() <= truth(sandbox)
    assert len(truth(sandbox) - mirror()) == unreadable()
    assert mirror("missing") == set()


@pytest.mark.parametrize("kind", ["status", "cut_after", "truncate", "html"])
def test_fault_of_a_list_ends_incomplete_and_heals(
    sandbox: SandboxControl, crm: Connection, kind: str
) -> None:
    sandbox.fault(kind)
    run = pulling.pull(crm, "contacts")
    assert run.status == Status.INCOMPLETE
    assert run.error
    assert mirror() == set()
    sandbox.clear()
    ConnectionHealth.objects.update(failures=0, open_until=None)
    assert pulling.pull(crm, "contacts").status == Status.OK
    assert len(truth(sandbox) - mirror()) == unreadable()


def test_ignored_page_parameter_is_noticed(sandbox: SandboxControl, crm: Connection) -> None:
    sandbox.fault("ignore_page")
    run = pulling.pull(crm, "contacts")
    assert run.status == Status.INCOMPLETE
    assert "repeats" in run.error


def test_ignored_filter_is_noticed(sandbox: SandboxControl, crm: Connection) -> None:
    pulling.pull(crm, "contacts")
    sandbox.fault("ignore_filter")
    run = pulling.pull(crm, "contacts")
    assert (run.mode, run.status) == ("complete", Status.OK)
    assert "filter_ignored" in run.details


def test_empty_page_in_the_middle_loses_nobody(sandbox: SandboxControl, crm: Connection) -> None:
    pulling.pull(crm, "contacts")
    before = mirror()
    sandbox.fault("empty_page", page=2)
    run = pulling.pull(crm, "contacts", mode="complete")
    assert run.status in (Status.OK, Status.HELD)
    assert mirror() == before


def test_wrong_key_fails_and_names_the_reason(sandbox: SandboxControl, crm: Connection) -> None:
    crm.credentials = {"api_key": "wrong"}
    crm.save()
    run = pulling.pull(crm, "contacts")
    assert run.status == Status.FAILED
    assert "credentials" in run.error
    assert ConnectionHealth.objects.get().needs_attention
    assert schedule.due_streams(timezone.now()) == []


def test_rate_limit_is_shared_by_all_requests(sandbox: SandboxControl, crm: Connection) -> None:
    crm.requests_per_second = 20
    crm.save()
    sandbox.switches(rate_limit=25)
    started = time.monotonic()
    run = pulling.pull(crm, "contacts")
    assert run.status == Status.OK
    assert run.requests / (time.monotonic() - started) <= 25


WORKER = """
import django; django.setup()
from crm_bridge.models import Connection
from crm_bridge.services.pull import pull
from backoffice.sync import pull as engine
engine.BATCH = 20
pull(Connection.objects.get(), "contacts")
"""


@pytest.mark.parametrize("after", [1, 3, 5])
def test_kill_9_in_the_middle_is_resumed(sandbox: SandboxControl, crm: Connection, after: int) -> None:
    crm.parallel_requests = 1
    crm.save()
    sandbox.latency(150)
    settings = database.settings_dict
    name = settings["NAME"]
    url = f"sqlite:///{name}"
    if database.vendor == "postgresql":
        host = settings["HOST"] or "127.0.0.1"
        url = f"postgres://{settings['USER']}:{settings['PASSWORD']}@{host}:{settings['PORT'] or 5432}/{name}"
    environment = {**os.environ, "DATABASE_URL": url}
    worker = subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=environment)
    try:
        until = time.monotonic() + 60
        while not Run.objects.filter(pages__gte=after).exists():
            assert time.monotonic() < until, "the worker did not get going"
            assert worker.poll() is None, "the worker ended too early"
            time.sleep(0.02)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    sandbox.latency(0)
    killed = Run.objects.get()
    assert killed.status == Status.RUNNING
    with pytest.raises(pulling.Busy):
        pulling.pull(crm, "contacts")
    StreamState.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sandbox.reset_stats()
    run = pulling.pull(crm, "contacts")
    killed.refresh_from_db()
    assert (killed.status, run.status) == (Status.INTERRUPTED, Status.OK)
    assert run.details.get("resumed")
    assert len(truth(sandbox) - mirror()) == unreadable()
