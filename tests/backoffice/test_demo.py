"""What the demo refuses, and the parts it is made of; the whole of it runs in tests/flows."""

import signal
import socket
import subprocess
import sys
import time

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

from backoffice.management.commands import demo
from backoffice.supervisor import Supervisor
from backoffice.sync import registry
from backoffice.sync.credentials import lack
from tests import factories


def test_demo_is_not_for_other_machines(settings):
    settings.LOOPBACK_ONLY = False
    with pytest.raises(CommandError, match="this machine only"):
        call_command("demo")


@pytest.mark.django_db
def test_demo_never_works_beside_real_accounts():
    factories.connection(base_url="http://127.0.0.1:8901/antcrm")
    demo.refuse_real_accounts()
    factories.connection(name="Head office", base_url="https://apiring.antbuddy.com")
    with pytest.raises(CommandError, match=r"real account \(Head office\)"):
        demo.refuse_real_accounts()


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "name"), demo.LOGINS.items())
def test_each_login_has_one_role_and_a_fresh_password(role, name, rf):
    first, second = demo.login(role, name), demo.login(role, name)
    assert first[1] != second[1]
    user = get_user_model().objects.get()
    assert user.check_password(second[1])
    assert [group.name for group in user.groups.all()] == [role]
    assert user.is_staff
    assert not user.is_superuser
    assert authenticate(rf.post("/"), username=name, password=second[1]) == user


def test_the_demo_has_an_account_of_every_vendor():
    """A vendor that is registered is shown by the demo: one line in ``DEMO_ACCOUNTS``."""
    assert {each.kind for each in demo.DEMO_ACCOUNTS} == set(registry.vendors())
    for each in demo.DEMO_ACCOUNTS:
        connector = registry.vendors()[each.kind].vendors[each.kind]()
        assert not lack(connector.credential_fields, each.credentials), each.kind


def test_a_taken_port_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert demo.free_port(port) > port


def test_a_child_that_ends_ends_all():
    lines = []
    with Supervisor() as supervisor:
        supervisor.start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], lines.append)
        supervisor.start("short", [sys.executable, "-c", "print('done')"], lines.append)
        assert supervisor.wait() == "short"
    assert all(child.poll() is not None for child in supervisor.children.values())
    assert lines == ["done"]


def test_a_child_that_ignores_the_polite_signal_is_killed(monkeypatch):
    monkeypatch.setattr("backoffice.supervisor.PATIENCE", 0.5)
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
    )
    lines = []
    with Supervisor() as supervisor:
        supervisor.start("stubborn", [sys.executable, "-uc", stubborn], lines.append)
        deadline = time.monotonic() + 10
        while not lines and time.monotonic() < deadline:
            time.sleep(0.05)
    assert supervisor.children["stubborn"].wait(5) == -signal.SIGKILL


@pytest.fixture(autouse=True)
def signals():
    """The supervisor takes the signals over for the rest of its process: give them back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_the_sandbox_command_runs_the_sandbox():
    command = [sys.executable, "manage.py", "sandbox", "--port", "0", "--contacts", "5", "--seed", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline().startswith("sandbox listening on http://127.0.0.1:")
        finally:
            process.terminate()
    assert process.returncode == 0
