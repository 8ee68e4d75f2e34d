"""What follows from the environment, read back in real processes; keys; log lines."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from backoffice import keys
from backoffice.logging_json import JsonFormatter
from backoffice.remote.redact import RedactingFilter

ROOT = Path(__file__).resolve().parents[2]


def settings_of(tmp_path, *names, **environment):
    """The settings a process with just this environment ends up with."""
    lines = (
        "import json; from backoffice import settings;"
        f"print(json.dumps({{name: getattr(settings, name, None) for name in {names!r}}}, default=str))"
    )
    known = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), **environment}
    done = subprocess.run(
        [sys.executable, "-c", lines], env=known, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_nothing_set_means_development_on_this_machine(tmp_path):
    found = settings_of(
        tmp_path, "DEBUG", "ALLOWED_HOSTS", "SECRET_KEY", "CREDENTIAL_KEYS", "HTTPS", "DATABASES"
    )
    assert found["DEBUG"] is False
    assert found["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert found["HTTPS"] is False
    assert found["DATABASES"]["default"]["NAME"] == str(tmp_path / "backoffice.sqlite3")
    for name, value in (
        ("secret_key", found["SECRET_KEY"]),
        ("credential_key", found["CREDENTIAL_KEYS"][0]),
    ):
        path = tmp_path / name
        assert path.read_text().strip() == value
        assert path.stat().st_mode & 0o777 == 0o600
    assert settings_of(tmp_path, "SECRET_KEY")["SECRET_KEY"] == found["SECRET_KEY"]


def test_any_other_host_means_production(tmp_path):
    names = (
        "SECRET_KEY",
        "CREDENTIAL_KEYS",
        "HTTPS",
        "SESSION_COOKIE_SECURE",
        "SECURE_HSTS_SECONDS",
        "DEVELOPMENT",
    )
    found = settings_of(tmp_path, *names, ALLOWED_HOSTS="backoffice.example.com")
    assert found == {
        "SECRET_KEY": "",
        "CREDENTIAL_KEYS": [],
        "HTTPS": True,
        "SESSION_COOKIE_SECURE": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "DEVELOPMENT": False,
    }
    assert not (tmp_path / "secret_key").exists()


def test_the_proxy_is_trusted_only_when_it_is_declared(tmp_path):
    assert settings_of(tmp_path, "SECURE_PROXY_SSL_HEADER")["SECURE_PROXY_SSL_HEADER"] is None
    found = settings_of(tmp_path, "SECURE_PROXY_SSL_HEADER", PROXY_COUNT="1")
    assert found["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]


def test_postgresql_gets_time_limits(tmp_path):
    found = settings_of(tmp_path, "DATABASES", DATABASE_URL="postgres://a@127.0.0.1/b?sslmode=require")
    options = found["DATABASES"]["default"]["OPTIONS"]
    assert options["sslmode"] == "require"
    assert "statement_timeout=60000" in options["options"]
    assert "lock_timeout=10000" in options["options"]


def test_processes_that_start_together_agree_on_a_key(tmp_path):
    lines = (
        "import sys, time; from pathlib import Path; from backoffice import keys; time.sleep(0.2);"
        "print(keys.kept(Path(sys.argv[1]), keys.new_secret_key))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", lines, tmp_path / "key"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    said = {process.communicate(timeout=30)[0] for process in started}
    assert len(said) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_fresh_production_keys_are_good_enough():
    assert len(keys.new_secret_key()) >= 50
    assert keys.new_credential_key() != keys.new_credential_key()


def logged(message, *args, **extra):
    record = logging.makeLogRecord({"name": "t", "levelname": "INFO", "msg": message, "args": args, **extra})
    RedactingFilter().filter(record)
    return JsonFormatter().format(record)


def test_a_log_line_is_one_json_object_with_its_extras():
    line = logged("pulled %s", "contacts", connection="AntCRM", operation="list", duration=0.25)
    assert "\n" not in line
    found = json.loads(line)
    assert found["message"] == "pulled contacts"
    assert (found["connection"], found["operation"], found["duration"]) == ("AntCRM", "list", 0.25)
    assert found["level"] == "info"


def test_log_lines_carry_no_secret_and_no_personal_data():
    try:
        raise ValueError("api_key=hunter2hunter2 for an.nguyen@example.com, +84 901 234 567")
    except ValueError:
        error = sys.exc_info()
    line = logged("failed for %s\nfake line", "an.nguyen@example.com", exc_info=error, phone="0901234567")
    for secret in ("hunter2", "an.nguyen", "901 234", "0901234567"):
        assert secret not in line
    assert len(line.splitlines()) == 1
    assert "Traceback" in json.loads(line)["exception"]


def test_every_handler_masks(settings):
    assert all(handler["filters"] == ["redact"] for handler in settings.LOGGING["handlers"].values())
    assert all(not logger.get("handlers") for logger in settings.LOGGING["loggers"].values())
