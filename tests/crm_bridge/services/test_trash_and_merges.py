"""Deletions and merges: evidence in, nothing lost, nothing concluded too early."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from backoffice.models import AuditEntry
from backoffice.sync import pull as engine
from crm_bridge.models import Conflict, ContactAlias, ContactChange, Merge, Run, Tombstone
from crm_bridge.services import pull as pulling
from crm_bridge.services.apply import drop_marks
from crm_bridge.services.merges import final_survivor
from tests.crm_bridge.services.fake_lists import row
from tests.crm_bridge.services.pulling import Account, account_fixture, remote_fixture  # noqa: F401

Change = ContactChange.Status


def trash(account: Account, number: int, **values: Any) -> dict[str, Any]:
    """A remote person moves a contact to the trash."""
    gone = next(each for each in account.remote.contacts.rows if each["id"] == number)
    account.remote.contacts.rows.remove(gone)
    listed = {**gone, "trashed": timezone.now().isoformat(), **values}
    account.remote.deleted.rows.append(listed)
    return listed


def merge(account: Account, loser: int, into: dict[str, Any]) -> None:
    """A remote person merges a contact into another."""
    gone = next(each for each in account.remote.contacts.rows if each["id"] == loser)
    account.remote.contacts.rows.remove(gone)
    account.remote.merged.rows.append({**gone, "into": into, "merged": timezone.now().isoformat()})


def change(account: Account, number: int, status: str, **values: Any) -> ContactChange:
    contact = account.contact(number)
    base = {name: contact.value(name) for name in values}
    for name, value in values.items():
        setattr(contact, name, value)
    contact.base = base
    contact.save()
    return ContactChange.objects.create(
        connection=account.connection, contact=contact, operation="edit", base=base, new=values, status=status
    )


# --- trash -----------------------------------------------------------------------------------


def test_listed_deletion_puts_a_contact_into_trash_with_its_last_values(account: Account) -> None:
    account.pull()
    listed = trash(account, 9)
    run = account.pull("deleted")
    assert (run.status, run.trashed) == (Run.Status.OK, 1)
    contact, stone = account.contact(9), Tombstone.objects.get()
    assert contact.state == "trashed"
    assert (stone.evidence, stone.trashed_by) == ("listed", "lan@example.com")
    assert stone.trashed_at.isoformat() == listed["trashed"]
    assert stone.snapshot["phones"] == [{"value": "0934000009", "type": "Work"}]
    assert AuditEntry.objects.filter(action="contact.trashed", object_id=str(contact.pk)).count() == 1
    assert account.pull("deleted").unchanged == 1


def test_contact_deleted_before_we_knew_it_is_shown_in_trash(account: Account) -> None:
    account.pull()
    account.remote.deleted.rows.append(row(500, trashed="2026-02-01T00:00:00+00:00"))
    account.pull("deleted")
    assert account.contact(500).state == "trashed"
    assert account.contact(500).tombstones.get().snapshot["name"] == "Người 500"


def test_restored_contact_lives_again_and_keeps_its_history(account: Account) -> None:
    account.pull()
    before = account.contact(9).pk
    rows = list(account.remote.contacts.rows)
    trash(account, 9)
    account.pull("deleted")
    account.remote.contacts.rows, account.remote.deleted.rows = rows, []
    account.complete()
    contact = account.contact(9)
    assert (contact.state, contact.pk) == ("live", before)
    assert contact.tombstones.get().lifted_at is not None
    assert AuditEntry.objects.filter(action="contact.restored").count() == 1


def test_list_that_still_shows_a_restored_contact_does_not_bury_it_again(account: Account) -> None:
    account.pull()
    rows = list(account.remote.contacts.rows)
    trash(account, 9)
    account.pull("deleted")
    account.remote.contacts.rows = rows
    account.complete()
    for _again in range(2):
        account.pull("deleted")
        assert account.contact(9).state == "live"
        account.complete()
    assert Tombstone.objects.count() == 1


def test_page_older_than_the_tombstone_does_not_lift_it(account: Account, monkeypatch: Any) -> None:
    account.pull()
    rows = list(account.remote.contacts.rows)
    trash(account, 9)
    account.pull("deleted")
    account.remote.contacts.rows = rows
    earlier = timezone.now() - timedelta(minutes=5)
    monkeypatch.setattr(engine.timezone, "now", lambda: earlier)
    account.complete()
    assert account.contact(9).state == "trashed"
    monkeypatch.undo()


def test_edit_that_waits_for_a_trashed_contact_becomes_a_conflict(account: Account) -> None:
    account.pull()
    waiting = change(account, 9, Change.WAITING, stage="Mới")
    trash(account, 9)
    account.pull("deleted")
    waiting.refresh_from_db()
    assert waiting.status == Change.CONFLICT
    conflict = Conflict.objects.get(resolved_at=None)
    assert (conflict.field, conflict.ours, conflict.change) == ("*", {"stage": "Mới"}, waiting)


def test_change_being_sent_keeps_its_worker(account: Account) -> None:
    account.pull()
    sending = change(account, 9, Change.SENDING, stage="Mới")
    trash(account, 9)
    account.pull("deleted")
    sending.refresh_from_db()
    assert sending.status == Change.SENDING


# --- edits and pulls -------------------------------------------------------------------------


def test_pull_keeps_the_staff_value_and_remembers_the_remote_one(account: Account) -> None:
    account.pull()
    change(account, 9, Change.WAITING, stage="Ours")
    remote = next(each for each in account.remote.contacts.rows if each["id"] == 9)
    remote.update(stage="Theirs", name="Tên mới")
    account.complete()
    contact = account.contact(9)
    assert (contact.stage, contact.base, contact.name) == ("Ours", {"stage": "Theirs"}, "Tên mới")
    assert ContactChange.objects.count() == 1, "a pull never writes to the outbox"


def test_page_from_before_a_change_was_sent_does_not_undo_it(account: Account) -> None:
    account.pull()
    sent = change(account, 9, Change.DONE, stage="Ours")
    ContactChange.objects.filter(pk=sent.pk).update(finished_at=timezone.now() + timedelta(seconds=1))
    drop_marks(account.contact(9))
    remote = next(each for each in account.remote.contacts.rows if each["id"] == 9)
    remote["note"] = "changed too"
    account.complete()
    assert account.contact(9).stage == "Ours"
    ContactChange.objects.filter(pk=sent.pk).update(finished_at=timezone.now() - timedelta(hours=2))
    account.complete()
    assert (account.contact(9).stage, account.contact(9).note) == ("", "changed too")


def test_local_change_makes_an_unchanged_page_be_read_again(account: Account) -> None:
    account.pull()
    account.complete()
    contact = account.contact(9)
    contact.stage = "only here"
    contact.save()
    account.complete()
    assert account.contact(9).stage == "only here", "the page's digest hides it, as nobody said a word"
    drop_marks(contact)
    run = account.complete()
    assert (run.changed, account.contact(9).stage) == (1, "")


# --- identity --------------------------------------------------------------------------------


@pytest.mark.parametrize("hint", [{"was": [9]}, {"uid": "abc"}])
def test_converted_contact_keeps_its_row_and_history(account: Account, hint: dict[str, Any]) -> None:
    lead = next(each for each in account.remote.contacts.rows if each["id"] == 9)
    lead["uid"] = "abc"
    account.pull()
    before = account.contact(9).pk
    account.remote.contacts.rows.remove(lead)
    account.remote.contacts.rows.insert(0, row(900, name="Khách", **hint))
    account.complete()
    contact = account.contact(900)
    assert contact.pk == before
    assert ContactAlias.objects.get(contact=contact).remote_id == "9"
    assert AuditEntry.objects.filter(action="contact.converted").count() == 1
    account.remote.contacts.rows.append(lead)
    account.complete()
    assert account.contact(900).name == "Khách", "a page from before the conversion changes nothing"
    assert 9 not in account.ids()


# --- merges ----------------------------------------------------------------------------------


def test_survivor_is_proven_by_its_storage_id(account: Account) -> None:
    account.remote.contacts.rows[0]["uid"] = "u23"
    account.pull()
    merge(account, 9, {"uid": "u23", "name": "somebody"})
    run = account.pull("merged")
    assert (run.status, run.merged) == (Run.Status.OK, 1)
    found = Merge.objects.get()
    assert (found.proof, found.survivor, found.loser.state) == ("proven", account.contact(23), "merged")
    assert found.loser.survivor == account.contact(23)
    assert found.not_after is not None
    assert AuditEntry.objects.filter(action="contact.merged").count() == 1


def test_survivor_is_proven_by_phone_and_name_written_another_way(account: Account) -> None:
    account.pull()
    merge(account, 9, {"uid": "unseen", "name": "NGUOI 12", "phones": ["+84 934 000 012"]})
    account.pull("merged")
    assert Merge.objects.get().survivor == account.contact(12)


@pytest.mark.parametrize(
    ("into", "reason"),
    [
        ({"uid": "unseen", "name": "Người 12"}, "no live contact"),
        ({"name": "Ai khác", "phones": ["0934000012"]}, "no live contact"),
        ({"name": "Người 12", "phones": ["0934000012"]}, "2 live contacts"),
    ],
)
def test_survivor_that_cannot_be_proven_is_left_to_a_person(
    account: Account, into: dict[str, Any], reason: str
) -> None:
    account.remote.contacts.rows.append(row(812, name="Người 12", phones=["84934000012"]))
    account.pull()
    merge(account, 9, into)
    account.pull("merged")
    found = Merge.objects.get()
    assert (found.proof, found.survivor) == ("to_prove", None)
    assert reason in found.reason


def test_unproven_merge_is_tried_again(account: Account) -> None:
    account.pull()
    merge(account, 9, {"uid": "late", "name": "Mới", "phones": ["0934999999"]})
    account.pull("merged")
    assert Merge.objects.get().proof == "to_prove"
    account.remote.contacts.rows.insert(0, row(700, name="Mới", phones=["0934 999 999"]))
    account.complete()
    account.pull("merged")
    assert Merge.objects.get().survivor == account.contact(700)


def test_merge_says_more_than_a_deletion(account: Account) -> None:
    account.pull()
    trash(account, 9)
    account.pull("deleted")
    account.remote.merged.rows.append({**account.remote.deleted.rows[0], "into": {"uid": "x"}})
    account.pull("merged")
    account.pull("deleted")
    assert account.contact(9).state == "merged"
    assert not Tombstone.objects.filter(lifted_at=None).exists()
    assert AuditEntry.objects.filter(action="tombstone.superseded").count() == 1


def test_edit_of_a_merged_contact_becomes_a_conflict(account: Account) -> None:
    account.pull()
    waiting = change(account, 9, Change.HELD, stage="Mới")
    merge(account, 9, {"uid": "x"})
    account.pull("merged")
    waiting.refresh_from_db()
    assert waiting.status == Change.CONFLICT


def test_chain_of_merges_leads_to_the_last_survivor_and_a_circle_to_nobody(account: Account) -> None:
    account.pull()
    merge(account, 9, {"name": "Người 12", "phones": ["0934000012"]})
    account.pull("merged")
    merge(account, 12, {"name": "Người 15", "phones": ["0934000015"]})
    account.pull("merged")
    assert final_survivor(account.contact(9)) == account.contact(15)
    last = account.contact(15)
    last.state, last.survivor = "merged", account.contact(9)
    last.save()
    assert final_survivor(account.contact(9)) is None


def test_all_streams_in_one_go(account: Account) -> None:
    account.pull()
    trash(account, 9)
    merge(account, 12, {"uid": "x"})
    runs = pulling.pull_connection(account.connection)
    assert [run.status for run in runs] == [Run.Status.OK] * 3
    assert account.ids("trashed") | account.ids("merged") == {9, 12}
