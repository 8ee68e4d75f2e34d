"""Commands by their stable names: plain words, JSON shapes, exit codes."""

import csv
import io
import json
import stat

import pytest
from django.core.management import CommandError, call_command

from backoffice.management.commands import sync
from backoffice.models import AuditEntry
from crm_bridge.models import Connection, Contact, ContactChange, Run
from crm_bridge.services import contacts
from tests import factories

pytestmark = pytest.mark.django_db


def connect(*flags, name="Head office"):
    call_command("connect", "antcrm", "--name", name, *flags)


@pytest.fixture
def account(sandbox, transactional_db):
    return factories.connection(name="Head office", base_url=sandbox.base())


# --- connect -----------------------------------------------------------------------------


def test_connect_stores_what_the_crm_accepted(sandbox, capsys):
    connect("--base-url", sandbox.base(), "--set", f"api_key={sandbox.key}", "--rate", "12.5")
    stored = Connection.objects.get()
    assert (stored.name, stored.vendor, stored.base_url) == ("Head office", "antcrm", sandbox.base())
    assert stored.credentials == {"api_key": sandbox.key}
    assert (stored.requests_per_second, stored.is_active) == (12.5, True)
    said = capsys.readouterr().out
    assert "Head office is connected" in said
    assert sandbox.key not in said
    assert AuditEntry.objects.get().action == "connection.create"


def test_connect_reads_a_dash_from_standard_input(sandbox, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{sandbox.key}\n"))
    connect("--base-url", sandbox.base(), "--set", "api_key=-")
    assert Connection.objects.get().credentials == {"api_key": sandbox.key}


def test_connect_stores_nothing_when_the_crm_refuses(sandbox):
    with pytest.raises(CommandError, match="Nothing was stored") as refused:
        connect("--base-url", sandbox.base(), "--set", "api_key=wrong-key-0123456789")
    assert "wrong-key" not in str(refused.value)
    assert not Connection.objects.exists()


def test_connect_stores_nothing_when_nobody_answers():
    with pytest.raises(CommandError, match="Nothing was stored"):
        connect("--base-url", "http://127.0.0.1:1/antcrm", "--set", "api_key=k")
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--base-url", "http://crm.example.com", "--set", "api_key=k"], "must begin with https"),
        (["--base-url", "https://u:p@crm.example.com", "--set", "api_key=k"], "user name or password"),
        (["--base-url", "ftp://crm.example.com", "--set", "api_key=k"], "--base-url"),
        (["--base-url", "http://127.0.0.1:1"], "also needs --set api_key=…"),
        (["--base-url", "http://127.0.0.1:1", "--set", "api_key="], "also needs --set api_key=…"),
        (["--base-url", "http://127.0.0.1:1", "--set", "password=k"], "takes: api_key"),
        (["--base-url", "http://127.0.0.1:1", "--set", "s3cret"], "KEY=VALUE"),
        (["--base-url", "http://127.0.0.1:1", "--set", "api_key=a\tb"], "unprintable"),
        (["--base-url", "http://127.0.0.1:1", "--set", "api_key=k", "--rate", "-1"], "--rate"),
        (["--base-url", "http://127.0.0.1:1", "--set", "api_key=k", "--rate", "nan"], "--rate"),
    ],
)
def test_connect_names_what_is_wrong(flags, words):
    with pytest.raises(CommandError, match=words) as refused:
        connect(*flags)
    assert "s3cret" not in str(refused.value)


def test_connect_knows_its_vendors():
    with pytest.raises(CommandError, match=r"unknown vendor 'hubspot'; known: .*antcrm"):
        call_command("connect", "hubspot", "--name", "x", "--base-url", "https://x.example")


def test_connect_again_replaces_the_credentials_of_the_same_account(sandbox, account):
    Connection.objects.update(credentials={"api_key": "outdated"})
    connect("--base-url", sandbox.base(), "--set", f"api_key={sandbox.key}")
    assert Connection.objects.get().credentials == {"api_key": sandbox.key}


def test_a_known_name_is_never_pointed_at_another_account(sandbox):
    factories.connection(name="Head office", base_url="https://crm.example.com")
    with pytest.raises(CommandError, match="already stands for antcrm"):
        connect("--base-url", sandbox.base(), "--set", f"api_key={sandbox.key}")


# --- sync --------------------------------------------------------------------------------

SHAPE = {
    "connection": str, "stream": str, "mode": str, "seen": int, "created": int, "changed": int,
    "unchanged": int, "trashed": int, "merged": int, "rejected": int, "requests": int,
    "seconds": float, "ok": bool, "error": str,
}  # fmt: skip


def test_sync_prints_one_json_object_per_run(account, sandbox, capsys):
    call_command("sync", "--json")
    runs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [run["stream"] for run in runs] == ["contacts", "deleted", "merged"]
    for run in runs:
        assert {key: type(value) for key, value in run.items()} == SHAPE
        assert list(run) == list(SHAPE)
        assert (run["connection"], run["ok"], run["error"]) == ("Head office", True, "")
    first = runs[0]
    assert first["seen"] == first["created"] + first["rejected"] > 100
    assert Contact.objects.live().count() == first["created"]


def test_sync_takes_names_and_streams(account, capsys):
    call_command("sync", "Head office", "--stream", "deleted", "merged", "--json")
    assert [json.loads(line)["stream"] for line in capsys.readouterr().out.splitlines()] == [
        "deleted",
        "merged",
    ]


def test_sync_full_walks_everything_again(account, capsys):
    call_command("sync", "--stream", "contacts")
    call_command("sync", "--stream", "contacts", "--full", "--json")
    run = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert run["mode"] == "complete"
    assert run["unchanged"] > 100
    assert run["created"] == run["changed"] == 0


def test_sync_fails_aloud(transactional_db, capsys):
    factories.connection(name="Down", base_url="http://127.0.0.1:1/antcrm")
    with pytest.raises(CommandError, match="Not every stream was pulled"):
        call_command("sync", "--stream", "contacts", "--json")
    run = json.loads(capsys.readouterr().out)
    assert run["ok"] is False
    assert run["error"]


@pytest.mark.parametrize("command", ["sync", "push"])
def test_a_wrong_name_is_told_with_the_known_ones(command, account):
    with pytest.raises(CommandError, match=r"no connection named 'Haed office'\. Known: Head office"):
        call_command(command, "Haed office")


@pytest.mark.parametrize("command", ["sync", "push"])
def test_no_connection_at_all(command):
    with pytest.raises(CommandError, match="no active connection"):
        call_command(command)


def test_a_switched_off_connection_is_left_alone(account):
    Connection.objects.update(is_active=False)
    with pytest.raises(CommandError, match="switched off"):
        call_command("sync", "Head office")


def test_progress_is_drawn_on_terminals_only(account):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert sync.Bar.on(io.StringIO()) is None
    terminal = Terminal()
    sync.Bar.on(terminal)(Run(connection=account, stream="contacts", seen=50, expected=200))
    assert "[########......................] 50 of about 200" in terminal.getvalue()


# --- push --------------------------------------------------------------------------------


def test_push_sends_what_waits(account, sandbox, capsys):
    call_command("sync", "--stream", "contacts")
    contact = Contact.objects.live().filter(kind="lead").first()
    contacts.edit(contact=contact, changes={"stage": "Gọi lại thứ hai"}, by=factories.user())
    capsys.readouterr()
    call_command("push", "--json")
    result = json.loads(capsys.readouterr().out)
    assert (result["connection"], result["sent"], result["waiting"], result["ok"]) == (
        "Head office",
        1,
        0,
        True,
    )
    assert sandbox.contact(kind="lead", id=contact.remote_id)["stage"] == "Gọi lại thứ hai"
    call_command("push")
    assert "nothing to send" in capsys.readouterr().out


def test_push_says_what_did_not_go(account, sandbox, capsys):
    call_command("sync", "--stream", "contacts")
    contact = Contact.objects.live().filter(kind="lead").first()
    contacts.edit(contact=contact, changes={"stage": "Gọi lại thứ hai"}, by=factories.user())
    sandbox.fault("status", code=503)
    with pytest.raises(CommandError, match="Not everything was sent"):
        call_command("push", "--json")
    assert ContactChange.objects.get().status in ("waiting", "unknown")


# --- export_contacts ---------------------------------------------------------------------


@pytest.fixture
def exported(account):
    other = factories.connection(name="Branch")
    factories.contact(
        account, values={"name": "Trần Thị Bích", "phones": [{"type": "Work", "value": "0901234567"}]}
    )
    factories.contact(account, values={"name": "Gone"}, state="trashed")
    factories.contact(other, values={"name": "=HYPERLINK()"})


def standard_output(capsysbinary):
    return {json.loads(line)["name"] for line in capsysbinary.readouterr().out.splitlines()}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], {"Trần Thị Bích", "=HYPERLINK()"}),
        (["--state", "trashed"], {"Gone"}),
        (["--state", "all"], {"Trần Thị Bích", "Gone", "=HYPERLINK()"}),
        (["--connection", "Branch"], {"=HYPERLINK()"}),
        (["--state", "missing"], set()),
    ],
)
def test_export_takes_what_was_asked_for(exported, capsysbinary, flags, expected):
    call_command("export_contacts", "--format", "jsonl", *flags)
    assert standard_output(capsysbinary) == expected


def test_export_keys_are_the_documented_ones(exported, tmp_path):
    call_command("export_contacts", "--format", "jsonl", "-o", str(tmp_path / "out.jsonl"))
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert list(first) == [
        "connection", "vendor", "kind", "remote_id", "state", "name", "gender", "birth_date", "phones",
        "emails", "addresses", "tags", "stage", "source", "responsible", "industry", "note",
        "custom_fields", "remote_created_at", "remote_updated_at", "trashed_at", "trashed_by",
        "survivor_remote_id",
    ]  # fmt: skip
    assert first["phones"] == [{"type": "Work", "value": "0901234567", "e164": "+84901234567"}]


def test_an_exported_file_is_whole_private_and_harmless(exported, tmp_path, capsys):
    path = tmp_path / "out.csv"
    call_command("export_contacts", "--format", "csv", "-o", str(path))
    assert "2 contacts written" in capsys.readouterr().err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert [row["name"] for row in rows] == ["Trần Thị Bích", "'=HYPERLINK()"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


def test_an_impossible_file_is_told(exported, tmp_path):
    with pytest.raises(CommandError, match="Cannot write"):
        call_command("export_contacts", "--format", "csv", "-o", str(tmp_path / "missing" / "out.csv"))


def test_export_of_an_unknown_connection_is_told():
    with pytest.raises(CommandError, match="no connection named 'Nowhere'"):
        call_command("export_contacts", "--format", "csv", "--connection", "Nowhere")


# --- capability_table --------------------------------------------------------------------


def test_capability_table_in_the_docs_is_up_to_date():
    call_command("capability_table", "--check")


def test_an_outdated_capability_table_is_noticed(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    with pytest.raises(CommandError, match="out of date"):
        call_command("capability_table", "--check")
    call_command("capability_table")
    call_command("capability_table", "--check")
    assert (
        "| Streams | contacts, deleted, merged |" in (tmp_path / "docs/vendors/capabilities.md").read_text()
    )
