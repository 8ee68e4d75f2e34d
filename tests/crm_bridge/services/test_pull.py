"""Pulling lists: completeness, resuming, comparing, and never concluding too much."""

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from backoffice.models import AuditEntry
from backoffice.remote.errors import BadResponse, ConnectionBroken, RetryLater
from backoffice.sync import held as held_runs
from backoffice.sync import marks as marks_module
from backoffice.sync import pull as engine
from backoffice.sync import settle
from crm_bridge.models import (
    ConnectionHealth,
    Contact,
    ContactChange,
    ContactEmail,
    ContactPhone,
    PageMark,
    Quarantine,
    Run,
    StreamState,
)  # fmt: skip
from crm_bridge.services import pull as pulling
from crm_bridge.services import schedule
from crm_bridge.services.apply import drop_marks
from tests import factories
from tests.crm_bridge.services.fake_lists import FakeConnector, Killed, TokenWalk, row, to_contact
from tests.crm_bridge.services.pulling import Account, account_fixture, remote_fixture  # noqa: F401

Status = Run.Status


@contextmanager
def written() -> Iterator[list[str]]:
    """Statements that write mirrored rows."""
    statements: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "crm_bridge_contact" in sql and sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "COPY")):
            statements.append(sql)
        return execute(sql, params, many, context)

    with database.execute_wrapper(watch):
        yield statements


# --- reading ---------------------------------------------------------------------------------


def test_first_pull_mirrors_every_field(account: Account) -> None:
    account.remote.contacts.rows[0].update(note="Ghi chú", custom={"Size": "L"}, stage="Mới")
    run = account.pull()
    assert (run.status, run.mode, run.created, run.seen) == (Status.OK, "complete", 23, 23)
    assert account.ids() == set(range(1, 24))
    contact = account.contact(23)
    assert contact.values(("name", "phones", "emails", "tags", "note", "custom_fields", "stage")) == {
        "name": "Người 23",
        "phones": [{"value": "0934000023", "type": "Work"}],
        "emails": [{"value": "n23@example.com", "type": "Work"}],
        "tags": ["một", "t2"],
        "note": "Ghi chú",
        "custom_fields": {"Size": "L"},
        "stage": "Mới",
    }
    assert contact.search_text == "nguoi 23\n84934000023\nn23@example.com"
    assert contact.phones.get().digits_reversed == "32000043948"
    assert contact.touched_at == contact.remote_updated_at


def test_bulk_and_single_writer_store_the_same(account: Account) -> None:
    account.pull()
    columns = [
        f.name for f in Contact._meta.concrete_fields if f.name not in ("id", "content_hash", "created_at")
    ]
    before = Contact.objects.values(*columns).get(remote_id="7")
    phones = ContactPhone.objects.filter(contact__remote_id="7").values("type", "value", "e164", "position")
    bulk_phones = list(phones.all())
    contact = account.contact(7)
    ContactChange.objects.create(
        connection=account.connection, contact=contact, operation="edit", new={"stage": ""}, status="waiting"
    )
    drop_marks(contact)
    account.complete()
    assert Contact.objects.values(*columns).get(remote_id="7") == before | {"base": {"stage": ""}}
    assert bulk_phones == list(phones.all())


def test_unchanged_pull_parses_nothing_and_writes_nothing(account: Account, monkeypatch: Any) -> None:
    account.pull()
    account.complete()
    reads: list[Any] = []
    monkeypatch.setattr("tests.crm_bridge.services.fake_lists.to_contact", reads.append)
    with written() as statements:
        run = account.complete()
    assert (run.status, run.unchanged, run.created, run.changed) == (Status.OK, 23, 0, 0)
    assert run.settled
    assert statements == []
    assert reads == []


def test_shifted_pages_are_compared_record_by_record(account: Account) -> None:
    account.pull()
    account.remote.contacts.rows.insert(0, row(99))
    with written() as statements:
        run = account.complete()
    assert (run.created, run.changed, run.unchanged) == (1, 0, 23)
    assert len([each for each in statements if "INTO crm_bridge_contact " in each]) == 1


def test_only_changed_records_are_written(account: Account) -> None:
    account.pull()
    before = dict(ContactEmail.objects.values_list("contact__remote_id", "id"))
    account.remote.contacts.rows[7]["name"] = "Tên mới"
    run = account.complete()
    assert (run.changed, run.unchanged) == (1, 22)
    after = dict(ContactEmail.objects.values_list("contact__remote_id", "id"))
    assert {key for key in after if after[key] != before[key]} == {"16"}
    assert account.contact(16).name == "Tên mới"


def test_a_better_mapping_reads_everything_again(account: Account) -> None:
    account.pull()
    account.remote.mapping_version = 2
    assert account.complete().changed == 23


def test_pull_twice_is_pull_once(account: Account) -> None:
    def snapshot() -> Any:
        return (
            list(Contact.objects.order_by("id").values()),
            list(ContactPhone.objects.order_by("id").values()),
            list(PageMark.objects.order_by("position").values("position", "digest", "keys")),
        )

    account.pull()
    once = snapshot()
    StreamState.objects.update(cursor={})
    PageMark.objects.update(digest="")
    account.complete()
    assert snapshot() == once


def test_token_lists_are_read_to_their_proven_end(account: Account) -> None:
    account.remote.walk_class = TokenWalk
    assert account.pull().status == Status.OK
    assert account.ids() == set(range(1, 24))


def test_total_ends_a_list_without_empty_pages(account: Account) -> None:
    account.remote.contacts.total = True
    run = account.pull()
    assert (run.status, run.pages, run.expected) == (Status.OK, 5, 23)


def test_every_page_that_was_asked_for_is_counted(account: Account) -> None:
    """Reading ahead asks for pages beyond the end: they cost the CRM a request all the same."""
    fetched = account.remote.contacts.fetched
    run = account.pull()
    assert run.requests == len(fetched) > run.pages
    fetched.clear()
    again = account.complete()
    again.refresh_from_db()
    assert again.requests == len(fetched) >= again.pages


def test_a_page_that_failed_is_counted(account: Account) -> None:
    account.connection.parallel_requests = 1

    def broken(page: int) -> None:
        if page == 3:
            raise BadResponse("not a page")

    account.remote.contacts.before_fetch = broken
    run = account.pull()
    run.refresh_from_db()
    assert (run.status, run.requests, run.pages) == (Status.INCOMPLETE, 3, 2)


# --- lists that lie --------------------------------------------------------------------------


def test_short_page_in_the_middle_is_not_the_end(account: Account, monkeypatch: Any) -> None:
    original = type(account.remote.contacts).page

    def short(self: Any, number: int, since: Any) -> bytes:
        return b'{"data": []}' if number == 3 else original(self, number, since)

    account.pull()
    monkeypatch.setattr(type(account.remote.contacts), "page", short)
    run = account.complete()
    assert run.status == Status.OK
    assert account.ids() == set(range(1, 24)), "an empty page in the middle hid five contacts"
    assert len(account.remote.gets) >= 5, "each of them is asked for singly"


def test_ignored_page_parameter_stops_the_run(account: Account) -> None:
    account.remote.contacts.ignore_page = True
    run = account.pull()
    assert run.status == Status.INCOMPLETE
    assert "repeats" in run.error
    assert account.state().last_ok_at is None


def test_list_that_ends_before_its_total_is_incomplete(account: Account, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        type(account.remote.contacts),
        "page",
        lambda self, number, since: b'{"data": [], "total": 23}',
    )
    run = account.pull()
    assert run.status == Status.INCOMPLETE
    assert "0 of 23" in run.error


def test_ignored_filter_makes_it_a_complete_pull(account: Account) -> None:
    account.pull()
    for each in account.remote.contacts.rows:
        each["name"] += "!"
    account.remote.contacts.rows[0]["updated"] = "2026-06-01T00:00:00+00:00"
    account.complete()
    account.remote.contacts.ignore_filter = True
    run = account.pull()
    assert (run.mode, run.status) == ("complete", Status.OK)
    assert "ignored" in run.details["filter_ignored"]


def test_changes_are_asked_for_with_two_days_of_overlap(account: Account) -> None:
    account.pull()
    asked: list[Any] = []
    original = account.remote.walks
    account.remote.walks = lambda stream, since=None: asked.append(since) or original(stream, since=since)  # type: ignore[method-assign, func-returns-value]
    run = account.pull()
    assert run.mode == "incremental"
    assert asked == [datetime(2025, 12, 30, tzinfo=UTC).date()]


@pytest.mark.parametrize("hours", [-26, 26])
def test_watermark_survives_a_wrong_remote_clock(account: Account, hours: int) -> None:
    now = timezone.now()
    account.remote.contacts.rows[0]["updated"] = (now + timedelta(hours=hours)).isoformat()
    account.pull()
    changed_at = timezone.now() + timedelta(hours=hours)
    account.remote.contacts.rows[5].update(updated=changed_at.isoformat(), name="Sau")
    account.pull()
    assert account.contact(18).name == "Sau"


def test_date_in_the_far_future_does_not_move_the_watermark(account: Account) -> None:
    account.remote.contacts.rows[0]["updated"] = "2999-01-01T00:00:00+00:00"
    run = account.pull()
    watermark = datetime.fromisoformat(account.state().cursor["watermark"])
    assert watermark <= run.finished_at
    assert account.contact(23).touched_at <= run.finished_at


# --- trouble and kills -----------------------------------------------------------------------


@pytest.mark.parametrize("page", range(1, 8))
def test_failing_page_leaves_the_run_incomplete_and_the_watermark_alone(account: Account, page: int) -> None:
    account.pull()
    before = account.state()
    account.remote.contacts.rows.insert(0, row(99))
    account.remote.contacts.before_fetch = lambda number: (
        _raise(RetryLater("down")) if number == page else None
    )
    run = account.complete()
    assert run.status == Status.INCOMPLETE
    after = account.state()
    assert (after.last_ok_at, after.cursor["watermark"]) == (before.last_ok_at, before.cursor["watermark"])
    assert after.lease_until is None
    assert account.ids("missing") == set()
    account.remote.contacts.before_fetch = lambda number: None
    assert account.complete().status == Status.OK
    assert account.ids() == {*range(1, 24), 99}


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("page", range(1, 8))
def test_killed_run_goes_on_from_its_checkpoint(account: Account, page: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "BATCH", 5)
    account.connection.parallel_requests = 1
    account.remote.contacts.before_fetch = lambda number: _raise(Killed()) if number == page else None
    with pytest.raises(Killed):
        account.pull()
    # what a real kill leaves behind: nobody wrote an end, nobody gave the lease back
    Run.objects.update(status=Status.RUNNING)
    StreamState.objects.update(lease_until=timezone.now() + timedelta(minutes=1), lease_token=uuid.uuid4())
    with pytest.raises(pulling.Busy):
        account.pull()
    account.lease_ends()
    account.remote.contacts.before_fetch = lambda number: None
    account.remote.contacts.fetched.clear()
    run = account.pull()
    assert run.status == Status.OK
    assert account.ids() == set(range(1, 24))
    assert Run.objects.filter(status=Status.INTERRUPTED).count() == 1
    assert min(account.remote.contacts.fetched) >= min(page, 6) - 1, "it started over"


def test_kill_between_rows_and_checkpoint_loses_neither(account: Account, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "BATCH", 5)
    original = marks_module.Marks.write
    calls: list[int] = []

    def write(self: Any, again: set[str]) -> None:
        calls.append(1)
        original(self, again)
        if len(calls) == 3:
            raise Killed

    monkeypatch.setattr(marks_module.Marks, "write", write)
    with pytest.raises(Killed):
        account.pull()
    rows = account.ids()
    marked = {
        int(key.split()[1])
        for keys in PageMark.objects.values_list("keys", flat=True)
        for key in keys.split("\n")
    }
    assert rows == marked, "rows and marks were not written together"
    run = account.pull()
    assert run.status == Status.OK
    assert account.ids() == set(range(1, 24))


def test_two_runs_at_once_are_refused(account: Account, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "BATCH", 5)
    refused: list[int] = []

    def inside(run: Run) -> None:
        if run.status == Status.RUNNING:
            with pytest.raises(pulling.Busy):
                account.pull()
            refused.append(run.seen)

    account.pull(progress=inside)
    assert refused
    assert Run.objects.count() == 1


def test_run_that_lost_its_lease_writes_nothing_more(account: Account, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "BATCH", 5)

    def steal(run: Run) -> None:
        StreamState.objects.update(lease_token=uuid.uuid4())

    run = account.pull(progress=steal)
    assert run.status == Status.INTERRUPTED
    assert account.ids() == {19, 20, 21, 22, 23}
    assert account.state().last_ok_at is None


def test_damaged_page_is_asked_for_once_more(account: Account, monkeypatch: Any) -> None:
    original = type(account.remote.contacts).page
    broken: list[int] = []

    def page(self: Any, number: int, since: Any) -> bytes:
        if number == 2 and not broken:
            broken.append(number)
            return b"<html>"
        return original(self, number, since)

    monkeypatch.setattr(type(account.remote.contacts), "page", page)
    assert account.pull().status == Status.OK
    assert account.ids() == set(range(1, 24))


def test_refused_credentials_fail_the_run_and_ask_for_attention(account: Account) -> None:
    account.remote.contacts.before_fetch = lambda number: _raise(ConnectionBroken("not accepted"))
    run = account.pull()
    assert run.status == Status.FAILED
    assert ConnectionHealth.objects.get(connection=account.connection).needs_attention
    account.remote.contacts.before_fetch = lambda number: None
    account.pull()
    assert not ConnectionHealth.objects.get(connection=account.connection).needs_attention


def test_error_of_our_own_ends_the_run_and_is_raised(account: Account, monkeypatch: Any) -> None:
    monkeypatch.setattr(marks_module.Marks, "write", lambda self, again: _raise(RuntimeError("bug")))
    with pytest.raises(RuntimeError):
        account.pull()
    assert Run.objects.get().status == Status.FAILED
    assert account.state().lease_until is None


# --- what cannot be read ---------------------------------------------------------------------


def test_unreadable_record_is_set_aside_and_the_rest_goes_on(account: Account) -> None:
    account.remote.contacts.rows[3]["broken"] = "name: not a text"
    account.remote.contacts.rows[4]["id"] = None
    account.remote.contacts.rows[5]["name"] = "x" * 6000
    account.remote.contacts.rows[6]["phones"] = None
    run = account.pull()
    assert (run.status, run.created, run.rejected) == (Status.OK, 19, 4)
    reasons = set(Quarantine.objects.values_list("reason", flat=True))
    assert "broken: name: not a text" in reasons
    assert "it has no id" in reasons
    assert any("name is longer than" in reason for reason in reasons)
    assert any("TypeError" in reason for reason in reasons)
    account.complete()
    assert Quarantine.objects.filter(resolved_at=None).count() == 4
    for each in account.remote.contacts.rows[3:7]:
        each.update(row(each["id"] or 19))
        each.pop("broken", None)
    run = account.complete()
    assert run.rejected == 0
    assert account.ids() == set(range(1, 24))
    assert not Quarantine.objects.filter(resolved_at=None).exists()


def test_unreadable_record_that_was_mirrored_keeps_its_last_values(account: Account) -> None:
    account.pull()
    account.remote.contacts.rows[0]["broken"] = "x"
    account.complete()
    assert account.contact(23).state == "live"
    assert account.contact(23).name == "Người 23"


# --- what is gone ----------------------------------------------------------------------------


def test_absent_contact_is_asked_for_and_then_missing(account: Account) -> None:
    account.pull()
    del account.remote.contacts.rows[4]
    run = account.complete()
    assert (run.status, run.absent, run.details["passes"]) == (Status.OK, 1, 2)
    assert account.ids("missing") == {19}
    account.remote.contacts.rows.insert(4, row(19))
    account.complete()
    assert account.ids() == set(range(1, 24))


def test_absent_contact_is_trashed_where_lookup_is_evidence(account: Account) -> None:
    account.remote.by_lookup()
    account.pull()
    del account.remote.contacts.rows[4]
    run = account.complete()
    assert run.trashed == 1
    assert account.contact(19).tombstones.get().evidence == "lookup"


def test_absent_contact_that_a_single_read_finds_stays(account: Account, monkeypatch: Any) -> None:
    account.pull()
    hidden = account.remote.contacts.rows.pop(4)
    known = {"19": hidden}
    monkeypatch.setattr(
        FakeConnector,
        "get",
        lambda self, identity: to_contact(known.get(identity.remote_id, row(int(identity.remote_id)))),
    )
    account.complete()
    assert account.contact(19).state == "live"


def test_single_reads_that_find_nothing_at_all_prove_nothing(account: Account) -> None:
    account.pull()
    del account.remote.contacts.rows[4]
    account.remote.get_finds = False
    run = account.complete()
    assert run.status == Status.INCOMPLETE
    assert account.ids() == set(range(1, 24))


def _many(account: Account, count: int = 60) -> None:
    account.remote.contacts.page_size = 20
    account.remote.contacts.rows = [row(number) for number in range(count, 0, -1)]
    account.pull()


def test_empty_list_removes_nothing_and_is_held(account: Account) -> None:
    _many(account)
    account.remote.contacts.rows = []
    run = account.complete()
    assert (run.status, run.absent) == (Status.HELD, 60)
    assert len(account.ids()) == 60
    assert account.remote.gets == []
    assert AuditEntry.objects.filter(action="run.held").count() == 1
    run.refresh_from_db()
    assert set(run.details["held"]["ids"]) == set(Contact.objects.values_list("pk", flat=True))


def test_a_held_run_keeps_a_bounded_number_of_ids(account: Account, monkeypatch: Any) -> None:
    monkeypatch.setattr(settle, "SHOWN", 25)
    _many(account)
    kept = {row["id"] for row in account.remote.contacts.rows[:10]}
    account.remote.contacts.rows = account.remote.contacts.rows[:10]
    run = account.complete()
    assert (run.status, run.absent) == (Status.HELD, 50)
    ids = run.details["held"]["ids"]
    assert len(ids) == 25
    assert not Contact.objects.filter(pk__in=ids, remote_id__in=[str(each) for each in kept]).exists()


def test_list_of_another_account_is_held(account: Account) -> None:
    _many(account)
    account.remote.contacts.rows = [row(number) for number in range(1060, 1000, -1)]
    run = account.complete()
    assert run.status == Status.HELD
    assert set(range(1, 61)) <= account.ids()


def test_approved_run_is_made_again_and_asks_for_each(account: Account) -> None:
    _many(account)
    account.remote.contacts.rows = account.remote.contacts.rows[:30]
    held = account.complete()
    assert held.status == Status.HELD
    manager = factories.user()
    held_runs.approve(held, by=manager)
    assert (account.connection.pk, "contacts", "complete") in schedule.due_streams(timezone.now())
    run = account.complete()
    assert (run.status, len(account.remote.gets)) == (Status.OK, 31)
    assert len(account.ids("missing")) == 30
    assert "allowed" not in account.state().cursor
    with pytest.raises(ValueError, match="not held"):
        held_runs.approve(held, by=manager)
    assert AuditEntry.objects.get(action="run.approved").actor == manager


def test_dismissed_run_changes_nothing(account: Account) -> None:
    _many(account)
    account.remote.contacts.rows = []
    held = account.complete()
    held_runs.dismiss(held, by=factories.user())
    assert account.complete().status == Status.HELD
    assert len(account.ids()) == 60


def test_guard_off_would_lose_contacts(account: Account, monkeypatch: Any) -> None:
    """The guard is what keeps them: without it, lying single reads would remove everything."""
    _many(account)
    account.remote.contacts.rows = []
    monkeypatch.setattr(settle, "hold_above", lambda live: live)
    account.complete()
    assert len(account.ids("missing")) == 60


@pytest.mark.parametrize("seed", range(6))
def test_list_that_moves_while_read_never_makes_a_false_tombstone(account: Account, seed: int) -> None:
    rng = random.Random(seed)
    rows = account.remote.contacts.rows
    _many(account, 200)
    rows = account.remote.contacts.rows
    numbers = iter(range(1000, 100_000))
    gone: set[int] = set()

    def shift(page: int) -> None:
        for _mutation in range(5):
            what = rng.random()
            position = rng.randrange(len(rows))
            if what < 0.4:
                rows.insert(rng.choice((0, position)), row(next(numbers)))
            elif what < 0.5:
                gone.add(rows.pop(position)["id"])
            else:
                each = rows.pop(position)
                each["updated"] = timezone.now().isoformat()
                rows.insert(0, each)

    account.remote.contacts.before_fetch = shift
    account.connection.parallel_requests = 1
    false: set[int] = set()
    for _run in range(3):
        run = account.complete()
        assert not run.settled or account.ids() == {each["id"] for each in rows}
        false |= account.ids("missing") - gone
    assert false == set(), "a contact that exists was taken for gone"
    account.remote.contacts.before_fetch = lambda page: None
    if account.complete().status == Status.HELD:
        held_runs.approve(Run.objects.latest("pk"), by=factories.user())
        account.complete()
    last = account.complete()
    assert (last.status, last.settled) == (Status.OK, True)
    assert account.ids() == {each["id"] for each in rows}


# --- schedule --------------------------------------------------------------------------------


def test_streams_are_due_by_their_intervals(account: Account) -> None:
    schedule.ensure_streams(account.connection)
    now = timezone.now()
    assert {each[1:] for each in schedule.due_streams(now)} == {
        ("contacts", "complete"), ("deleted", "complete"), ("merged", "complete"),
    }  # fmt: skip
    pulling.pull_connection(account.connection)
    now = timezone.now()
    StreamState.objects.update(last_settled_at=now, last_complete_at=now)
    assert schedule.due_streams(now) == []
    assert [each[1:] for each in schedule.due_streams(now + timedelta(seconds=130))] == [
        ("contacts", "incremental")
    ]
    assert len(schedule.due_streams(now + timedelta(seconds=601))) == 3
    assert ("contacts", "complete") in {
        each[1:] for each in schedule.due_streams(now + timedelta(days=1, minutes=1))
    }
    account.connection.is_active = False
    account.connection.save()
    assert schedule.due_streams(now + timedelta(days=2)) == []


def test_progress_is_told_after_every_batch(account: Account, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "BATCH", 5)
    seen: list[int] = []
    account.pull(progress=lambda run: seen.append(run.seen))
    assert seen[0] == 5
    assert seen[-1] == 23
    assert seen == sorted(seen)


def test_unknown_stream_is_named(account: Account) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        account.pull("nonsense")


def test_a_page_that_cannot_be_read_twice_makes_the_next_run_start_over(account: Account) -> None:
    account.connection.parallel_requests = 1
    account.remote.contacts.before_fetch = lambda number: _raise(BadResponse("odd")) if number == 3 else None
    assert account.pull().status == Status.INCOMPLETE
    assert account.state().cursor["places"] == {}
