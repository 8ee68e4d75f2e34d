"""Real processes are started with bad configurations: each must end at once, and say why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from backoffice import keys

ROOT = Path(__file__).resolve().parents[2]
WEB = ("-c", "import backoffice.wsgi")
WORKER = ("-m", "celery", "-A", "backoffice", "worker", "-P", "solo")
BEAT = ("-m", "celery", "-A", "backoffice", "beat")
GOOD = {
    "SECRET_KEY": keys.new_secret_key(),
    "CREDENTIAL_KEYS": f"{keys.new_credential_key()},{keys.new_credential_key()}",
    "ALLOWED_HOSTS": "backoffice.example.com",
    "LOG_LEVEL": "ERROR",
}
BAD = {
    "no secret key": ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
    "short secret key": ({"SECRET_KEY": "s3cret"}, "SECRET_KEY is weak"),
    "repeated secret key": ({"SECRET_KEY": "ab" * 40}, "SECRET_KEY is weak"),
    "Django's placeholder": ({"SECRET_KEY": "django-insecure-" + "0123456789" * 5}, "SECRET_KEY is weak"),
    "secret key shared": (
        {"SECRET_KEY": "Zm9v" * 9 + "0123456=", "CREDENTIAL_KEYS": "Zm9v" * 9 + "0123456="},
        "SECRET_KEY is",
    ),
    "no credential key": ({"CREDENTIAL_KEYS": None}, "CREDENTIAL_KEYS is not set"),
    "a wrong credential key": (
        {"CREDENTIAL_KEYS": GOOD["CREDENTIAL_KEYS"] + ",nonsense"},
        "Key 3 of CREDENTIAL_KEYS is no Fernet key",
    ),
    "every host": ({"ALLOWED_HOSTS": "backoffice.example.com,*"}, "lets every host name in"),
    "no host": ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is empty"),
    "DEBUG with a public name": ({"DEBUG": "1"}, "DEBUG is on while others can reach"),
    "DEBUG with a public bind": (
        {"DEBUG": "1", "ALLOWED_HOSTS": "localhost", "GUNICORN_CMD_ARGS": "--bind 0.0.0.0:8000"},
        "DEBUG is on while others can reach the server (0.0.0.0)",
    ),
    "plain HTTP": ({"HTTPS": "0"}, "HTTPS is off"),
    "unknown broker": ({"CELERY_BROKER_URL": "memory://"}, "CELERY_BROKER_URL begins with 'memory'"),
    "database down": (
        {"DATABASE_URL": "postgres://x:hunter2@127.0.0.1:1/x"},
        "The database cannot be reached",
    ),
    "production without keys on loopback": (
        {"DEBUG": "0", "ALLOWED_HOSTS": "localhost", "SECRET_KEY": None},
        "SECRET_KEY is not set",
    ),
}  # fmt: skip


def start(tmp_path, command=WEB, **changes):
    known = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), **GOOD, **changes}
    environment = {name: value for name, value in known.items() if value is not None}
    return subprocess.run(
        [sys.executable, *command], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )


def test_web_starts_with_a_good_configuration(tmp_path):
    collect_static(tmp_path)
    done = start(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_web_refuses_without_static_files(tmp_path):
    done = start(tmp_path)
    assert done.returncode == 1
    assert "Static files are not collected" in done.stderr


def test_another_database_is_refused(tmp_path):
    done = start(tmp_path, DATABASE_URL="mysql://x@127.0.0.1/x")
    assert done.returncode == 1
    assert "must name SQLite or PostgreSQL" in done.stderr


def collect_static(var):
    (var / "static").mkdir(exist_ok=True)
    (var / "static" / "staticfiles.json").write_text('{"version": "1.1", "paths": {}}')


@pytest.mark.parametrize(("changes", "words"), BAD.values(), ids=BAD)
def test_web_refuses(tmp_path, changes, words):
    command = WEB
    if "GUNICORN_CMD_ARGS" in changes:
        command = ("-c", "import sys; sys.argv = ['gunicorn', 'backoffice.wsgi']; import backoffice.wsgi")
    done = start(tmp_path, command, **changes)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("command", [WORKER, BEAT], ids=["worker", "beat"])
def test_worker_and_beat_refuse(tmp_path, command):
    done = start(tmp_path, command, CREDENTIAL_KEYS=None)
    assert done.returncode == 1
    assert "CREDENTIAL_KEYS is not set" in done.stderr


def test_key_file_that_others_can_read_is_refused(tmp_path):
    development = {"SECRET_KEY": None, "CREDENTIAL_KEYS": None, "ALLOWED_HOSTS": None}
    assert start(tmp_path, **development).returncode == 0
    (tmp_path / "credential_key").chmod(0o644)
    done = start(tmp_path, **development)
    assert done.returncode == 1
    assert "credential_key can be read by others" in done.stderr


def test_workers_refuse_credentials_they_cannot_read_but_pages_open(tmp_path):
    def manage(*command, **changes):
        return start(tmp_path, (str(ROOT / "manage.py"), *command), **changes)

    assert manage("migrate", "-v0").returncode == 0
    store = (
        "from crm_bridge.models import Connection; Connection.objects.create("
        "name='Head office', vendor='antcrm', base_url='https://x.example', credentials={'api_key': 'k'})"
    )
    assert manage("shell", "-v0", "-c", store).returncode == 0
    lost = {"CREDENTIAL_KEYS": keys.new_credential_key()}
    refused = start(tmp_path, WORKER, **lost)
    collect_static(tmp_path)
    assert refused.returncode == 1
    assert "No key of CREDENTIAL_KEYS reads the credentials of Head office" in refused.stderr
    assert start(tmp_path, **lost).returncode == 0


def test_misplaced_sqlite_options_are_noticed(tmp_path):
    lines = (
        "from django.conf import settings; settings.DATABASES['default']['OPTIONS'].clear();"
        "import backoffice.wsgi"
    )
    done = start(tmp_path, ("-c", lines), DJANGO_SETTINGS_MODULE="backoffice.settings")
    assert done.returncode == 1
    for words in ("journal_mode=delete", "busy_timeout=5000", "not IMMEDIATE"):
        assert words in done.stderr


def test_production_example_passes_the_deploy_check(tmp_path):
    example = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    changes = {**example, **GOOD, "VAR_DIR": str(tmp_path)}
    done = start(
        tmp_path, (str(ROOT / "manage.py"), "check", "--deploy", "--fail-level", "WARNING"), **changes
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_setting_of_the_tests_is_as_safe_as_the_product():
    assert settings.CELERY_ACCEPT_CONTENT == ["json"]
    assert not settings.DEBUG
