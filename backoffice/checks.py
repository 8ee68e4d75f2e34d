"""System checks that refuse to start insecurely.

They run with every management command, and by ``refuse_to_start`` when a web
process, a worker or beat starts. Those that ask the database run only where it
is named: at process start, on ``migrate`` and on ``check --database default``.
"""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections

from backoffice.remote.redact import redact

START = "start"
"""Tag of the checks that decide whether any process may start."""
WORK = "work"
"""Tag of those that only keep workers from starting: the pages still open to set things right."""
BROKERS = ("filesystem", "redis", "rediss", "amqp", "amqps")
MIN_SECRET = 50
OLDEST_POSTGRESQL = 15


def refuse_to_start(*tags: str, also: Sequence[Callable[[], list[CheckMessage]]] = ()) -> None:
    """End the process, in words, when a check with one of these tags fails."""
    found = run_checks(tags=tags, databases=["default"])
    errors = [message for message in found if message.is_serious()] + [
        error for run in also for error in run()
    ]
    if errors:
        lines = [f"- {error.msg} ({error.id})" + (f" {error.hint}" if error.hint else "") for error in errors]
        raise SystemExit("\n".join(["Not starting, the configuration is unsafe:", *lines]))


@register(START)
def secret_key_is_strong(**_kwargs: Any) -> list[CheckMessage]:
    hint = "Set SECRET_KEY to at least 50 random characters, not used anywhere else."
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:
        return [Error("SECRET_KEY is not set.", hint=hint, id="backoffice.E001")]
    if len(key) < MIN_SECRET or len(set(key)) < 10 or key.startswith("django-insecure"):
        return [Error("SECRET_KEY is weak.", hint=hint, id="backoffice.E002")]
    if key in settings.CREDENTIAL_KEYS:
        return [Error("SECRET_KEY is also a credential key.", hint=hint, id="backoffice.E003")]
    return []


@register(START)
def credential_keys_work(**_kwargs: Any) -> list[CheckMessage]:
    hint = 'Make one with "python -m backoffice.keys". Newest first, separated by commas.'
    if not settings.CREDENTIAL_KEYS:
        return [Error("CREDENTIAL_KEYS is not set.", hint=hint, id="backoffice.E004")]
    found: list[CheckMessage] = []
    for number, key in enumerate(settings.CREDENTIAL_KEYS, 1):
        try:
            Fernet(key)
        except ValueError:
            found.append(
                Error(f"Key {number} of CREDENTIAL_KEYS is no Fernet key.", hint=hint, id="backoffice.E005")
            )
    return found


@register(START)
def key_files_are_private(**_kwargs: Any) -> list[CheckMessage]:
    """Keys made in VAR_DIR belong to one account of this machine."""
    if not settings.DEVELOPMENT:
        return []
    return [
        Error(f"{path} can be read by others.", hint=f"Run: chmod 600 {path}", id="backoffice.E006")
        for path in (settings.VAR_DIR / "secret_key", settings.VAR_DIR / "credential_key")
        if path.exists() and path.stat().st_mode & 0o077
    ]


@register(START)
def hosts_are_named(**_kwargs: Any) -> list[CheckMessage]:
    hint = "Set ALLOWED_HOSTS to the names people type, separated by commas."
    if not settings.ALLOWED_HOSTS:
        return [Error("ALLOWED_HOSTS is empty.", hint=hint, id="backoffice.E007")]
    if any(host.strip() in ("*", ".") for host in settings.ALLOWED_HOSTS):
        return [Error("ALLOWED_HOSTS lets every host name in.", hint=hint, id="backoffice.E008")]
    return []


@register(START)
def debug_stays_at_home(**_kwargs: Any) -> list[CheckMessage]:
    if not settings.DEBUG:
        return []
    reachable = [host for host in settings.ALLOWED_HOSTS if host not in settings.LOOPBACK_HOSTS]
    reachable += [address for address in _bind_addresses(sys.argv) if not _is_loopback(address)]
    if not reachable:
        return []
    message = f"DEBUG is on while others can reach the server ({', '.join(reachable)})."
    return [Error(message, hint="Unset DEBUG, or use 127.0.0.1 only.", id="backoffice.E009")]


@register(START)
def traffic_is_encrypted(**_kwargs: Any) -> list[CheckMessage]:
    hint = "Leave HTTPS on outside this machine and put TLS in front (see README)."
    if settings.LOOPBACK_ONLY:
        return []
    if not settings.HTTPS:
        return [Error("HTTPS is off for hosts other than this machine.", hint=hint, id="backoffice.E010")]
    if not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE):
        return [Error("Cookies would travel over plain HTTP.", hint=hint, id="backoffice.E011")]
    return []


@register(START)
def broker_is_known(**_kwargs: Any) -> list[CheckMessage]:
    scheme = settings.CELERY_BROKER_URL.partition(":")[0]
    if scheme in BROKERS:
        return []
    message = f"CELERY_BROKER_URL begins with {scheme!r}."
    return [Error(message, hint=f"Use one of: {', '.join(BROKERS)}.", id="backoffice.E012")]


@register(START)
def messages_are_json(**_kwargs: Any) -> list[CheckMessage]:
    if settings.CELERY_ACCEPT_CONTENT == ["json"] and settings.CELERY_TASK_SERIALIZER == "json":
        return []
    return [Error("Queue messages other than JSON are accepted.", id="backoffice.E013")]


@register(START)
def files_can_be_written(**_kwargs: Any) -> list[CheckMessage]:
    if os.access(settings.VAR_DIR, os.W_OK | os.X_OK):
        return []
    return [Error(f"VAR_DIR ({settings.VAR_DIR}) cannot be written.", id="backoffice.E014")]


def static_files_are_collected() -> list[CheckMessage]:
    """For the web process only: whoever deploys checks before collecting."""
    collected = settings.STATIC_ROOT / "staticfiles.json"
    if settings.WHITENOISE_USE_FINDERS or collected.exists():
        return []
    hint = "Run: manage.py collectstatic --noinput"
    return [
        Error(f"Static files are not collected in {settings.STATIC_ROOT}.", hint=hint, id="backoffice.E020")
    ]


@register(START, Tags.database)
def database_is_set_up(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Reads back what the engine relies on; a misplaced option has no effect and says nothing."""
    try:
        return [error for alias in databases or () for error in _database_errors(alias)]
    except OperationalError as problem:
        words = redact(str(problem)).strip().partition("\n")[0]
        return [Error(f"The database cannot be reached: {words}", id="backoffice.E019")]


def _database_errors(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SHOW server_version_num")
            version = int(cursor.fetchone()[0]) // 10_000
            if version < OLDEST_POSTGRESQL:
                yield Error(
                    f"PostgreSQL {version} is too old, {OLDEST_POSTGRESQL} is needed.", id="backoffice.E016"
                )
            return
        wanted = {"journal_mode": "wal", "busy_timeout": 20_000, "synchronous": 1, "foreign_keys": 1}
        if ":memory:" in str(connection.settings_dict["NAME"]):
            del wanted["journal_mode"]
        for pragma, value in wanted.items():
            cursor.execute(f"PRAGMA {pragma}")
            actual = cursor.fetchone()[0]
            if actual != value:
                yield Error(
                    f"SQLite runs with {pragma}={actual} instead of {value}.",
                    hint="VAR_DIR must be on a local disk; leave the database options alone.",
                    id="backoffice.E017",
                )
    if connection.settings_dict["OPTIONS"].get("transaction_mode") != "IMMEDIATE":
        yield Error("SQLite transactions are not IMMEDIATE.", id="backoffice.E018")


def _bind_addresses(arguments: Sequence[str]) -> list[str]:
    """Addresses that runserver or gunicorn were told to listen on."""
    if "runserver" in arguments:
        after = [word for word in arguments[arguments.index("runserver") + 1 :] if not word.startswith("-")]
        return [word.rpartition(":")[0] for word in after if ":" in word]
    if Path(arguments[0]).name != "gunicorn":
        return []
    words = [*shlex.split(os.environ.get("GUNICORN_CMD_ARGS", "")), *arguments[1:]]
    found = []
    for number, word in enumerate(words):
        if word in ("-b", "--bind"):
            found += words[number + 1 : number + 2]
        elif word.startswith("--bind="):
            found.append(word.removeprefix("--bind="))
        elif word.startswith("-b"):
            found.append(word.removeprefix("-b"))
    return [address.rpartition(":")[0] or address for address in found]


def _is_loopback(address: str) -> bool:
    return address.strip("[]") in ("localhost", "::1", "unix") or address.startswith("127.")
