"""Staff and the CRM edit at the same time while answers fail in every way: nothing is lost or doubled."""

import random
import uuid

import pytest

from crm_bridge.models import Conflict, Contact, ContactChange
from crm_bridge.services import contacts, push
from tests import factories
from tests.flows.mirrored import connected, mirrored

pytestmark = pytest.mark.django_db
Status = ContactChange.Status
FAULTS = [
    {"kind": "status", "code": 500, "probability": 0.04},
    {"kind": "status", "code": 503, "probability": 0.03},
    {"kind": "status_after", "code": 502, "method": "P*", "probability": 0.05},
    {"kind": "cut_before", "probability": 0.05},
    {"kind": "cut_after", "probability": 0.06},
    {"kind": "truncate", "probability": 0.03},
    {"kind": "html", "probability": 0.03},
    {"kind": "wrong_content_type", "probability": 0.02},
    {"kind": "success", "remove": True, "method": "P*", "probability": 0.03},
]
FIELDS = {"stage": "stage", "note": "bgInfo", "source": "sourceContact", "industry": "industry"}


class Chaos:
    """The last value staff typed per contact and field, to be found there or in a queue."""

    def __init__(self, sandbox, connection, staff, seed: int) -> None:
        self.sandbox, self.connection, self.staff = sandbox, connection, staff
        self.rng = random.Random(seed)
        self.marker = uuid.uuid4().hex
        self.typed: dict[int, dict[str, str]] = {}
        self.created: list[Contact] = []
        self.deleted: list[Contact] = []
        self.rows = [
            mirrored(sandbox, connection, phones=[{"type": "Work", "value": f"0912{number:06}"}])
            for number in range(12)
        ]

    def act(self, number: int) -> None:
        chance = self.rng.random()
        if chance < 0.2:
            values = {"name": f"{self.marker} {number}", "phones": [{"value": f"0977{number:06}"}]}
            self.created.append(
                contacts.create(connection=self.connection, kind="lead", values=values, by=self.staff)
            )
        elif chance < 0.26 and len(self.rows) > 4:
            gone = self.rows.pop(self.rng.randrange(len(self.rows)))
            contacts.delete(contact=gone, by=self.staff)
            self.deleted.append(gone)
            self.typed.pop(gone.pk, None)
        elif chance < 0.45:
            contact, field = self.rng.choice(self.rows), self.rng.choice(list(FIELDS))
            self.sandbox.patch({"leadId": int(contact.remote_id)}, **{FIELDS[field]: f"theirs {number}"})
        else:
            contact, field = self.rng.choice(self.rows), self.rng.choice(list(FIELDS))
            value = f"ours {number}"
            contacts.edit(contact=contact, changes={field: value}, by=self.staff)
            self.typed.setdefault(contact.pk, {})[field] = value

    def check(self) -> None:
        assert not ContactChange.objects.filter(status__in=("waiting", "sending", "unknown")).exists()
        names = [each["name"] for each in self.sandbox.contacts(state="live") if self.marker in each["name"]]
        assert len(names) == len(set(names)), "a contact was created twice"
        for contact in self.created:
            contact.refresh_from_db()
            held = contact.changes.filter(status__in=("held", "rejected")).exists()
            assert contact.remote_id or held, f"{contact} was lost"
        for contact in self.deleted:
            there = self.sandbox.contact(kind="lead", id=contact.remote_id)
            asked = contact.conflicts.filter(resolved_at=None, field="*").exists()
            assert there["state"] == "trashed" or asked
        self.check_nothing_of_theirs_was_overwritten()
        writes = self.sandbox.writes()
        for contact in self.rows:
            there = self.sandbox.contact(kind="lead", id=contact.remote_id)
            for field, value in self.typed.get(contact.pk, {}).items():
                self.check_value(contact, field, value, there[FIELDS[field]], writes)

    def check_nothing_of_theirs_was_overwritten(self) -> None:
        """Nobody settled a conflict and no pull ran: we never agreed to replace a value of theirs."""
        theirs: set[tuple[str, str]] = set()
        for write in self.sandbox.writes(by="all"):
            fields = {(str(write["selector"]), field) for field in FIELDS.values() if field in write["body"]}
            if write["by"] == "staff":
                theirs |= fields
            else:
                assert not fields & theirs, f"overwritten: {write}"

    def check_value(self, contact: Contact, field: str, value: str, there: str, writes: list) -> None:
        """The value is there, or stands in a conflict, or was there until somebody else changed it."""
        if there == value:
            return
        standing = Conflict.objects.filter(contact=contact, field=field, resolved_at=None).first()
        if standing is not None:
            assert standing.ours == value
            return
        sent = [each for each in writes if value in str(each)]
        assert sent, f"{contact.pk} {field}: {value!r} is nowhere, {there!r} is there"


def run(sandbox, connection, staff, steps: int, seed: int) -> None:
    chaos = Chaos(sandbox, connection, staff, seed)
    sandbox.faults(FAULTS, seed=seed)
    for number in range(steps):
        chaos.act(number)
        if number % 7 == 0:
            push.push_due(connection, limit=10)
    sandbox.clear()
    for _round in range(15):
        ContactChange.objects.filter(status__in=("waiting", "unknown")).update(
            not_before="2026-01-01T00:00:00Z"
        )
        connection.health.__class__.objects.update(open_until=None, failures=0)
        push.push_due(connection)
    chaos.check()


@pytest.fixture
def connection(sandbox, settings, monkeypatch):
    settings.OUTBOX_SETTLE_SECONDS = 0
    monkeypatch.setattr("backoffice.sync.push.FIRST_WAIT", 0)
    return connected(sandbox)


def test_everything_typed_is_there_or_in_a_queue(sandbox, connection):
    run(sandbox, connection, factories.user(), steps=120, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 110))
def test_everything_typed_is_there_or_in_a_queue_for_long(sandbox, connection, seed):
    run(sandbox, connection, factories.user(), steps=2_000, seed=seed)
