"""Settings. Everything specific to a deployment comes from the environment."""

import os
from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from backoffice import keys
from backoffice.site import UNFOLD  # noqa: F401  read by the admin shell

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# --- Kind of deployment ----------------------------------------------------------------------
# Reached by nothing but this machine, and nobody said DEBUG=0: development. Keys are then made
# in VAR_DIR, and plain HTTP will do. Any other host name makes it a production deployment,
# which the checks (backoffice/checks.py) let start only when it is configured like one.

LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=LOOPBACK_HOSTS)
LOOPBACK_ONLY = set(ALLOWED_HOSTS) <= set(LOOPBACK_HOSTS)
# Whether a connection may lead to this machine: the sandbox, never a real system.
ALLOW_LOOPBACK = env.bool("ALLOW_LOOPBACK", default=LOOPBACK_ONLY)
DEVELOPMENT = DEBUG or ("DEBUG" not in os.environ and LOOPBACK_ONLY)

# --- Where run-time files live, and secrets --------------------------------------------------

VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
SECRET_KEY = env.str("SECRET_KEY", default="")
CREDENTIAL_KEYS = env.list("CREDENTIAL_KEYS", default=[])
if DEVELOPMENT:
    SECRET_KEY = SECRET_KEY or keys.kept(VAR_DIR / "secret_key", keys.new_secret_key)
    CREDENTIAL_KEYS = CREDENTIAL_KEYS or [keys.kept(VAR_DIR / "credential_key", keys.new_credential_key)]

# --- Applications ----------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "backoffice.apps.ShellConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_tables2",
    "django_filters",
    "django_htmx",
    "axes",
    "csp",
    "backoffice",
    "crm_bridge",
    "bot_campaigns",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "backoffice.security.private_answers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "backoffice.security.session_limits",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "backoffice.urls"
WSGI_APPLICATION = "backoffice.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database --------------------------------------------------------------------------------

_database = env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'backoffice.sqlite3'}")
_options = _database.setdefault("OPTIONS", {})
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _options |= {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # a page cache for the indexes of a long pull, and checkpoints less often than each 4 MB
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-20000;"
        " PRAGMA wal_autocheckpoint=8000;",
    }
elif _database["ENGINE"] == "django.db.backends.postgresql":
    _seconds = {
        "statement_timeout": env.int("STATEMENT_TIMEOUT", default=60),
        "lock_timeout": env.int("LOCK_TIMEOUT", default=10),
    }
    _options.setdefault("options", " ".join(f"-c {name}={1000 * value}" for name, value in _seconds.items()))
    _options.setdefault("connect_timeout", 5)
    _database.setdefault("CONN_MAX_AGE", 60)
    _database["CONN_HEALTH_CHECKS"] = True
else:
    raise ImproperlyConfigured("DATABASE_URL must name SQLite or PostgreSQL.")
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Queue -----------------------------------------------------------------------------------
# Rows are the truth and messages carry ids only, so the broker may lose, repeat or delay what
# it likes. Publishing to a broker that is down fails at once and is not tried again.

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or "filesystem://localhost"
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker as long as it takes
CELERY_TASK_PUBLISH_RETRY = False

CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_TASK_DEFAULT_QUEUE = "push"

_queue_arguments: dict[str, object] = {}
_broker = CELERY_BROKER_URL.partition(":")[0]
if _broker == "filesystem":
    _messages, _control = VAR_DIR / "broker" / "messages", VAR_DIR / "broker" / "control"
    for _folder in (_messages, _control):
        _folder.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_messages),
        "data_folder_out": str(_messages),
        "control_folder": str(_control),
        "polling_interval": 0.1,
    }
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # its broadcasts would pile up as files
elif _broker in ("redis", "rediss"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 7200,  # above the longest pull, or it would be started twice
        "socket_connect_timeout": CELERY_BROKER_CONNECTION_TIMEOUT,
        "socket_timeout": 10,
        "socket_keepalive": True,
        "max_retries": 0,
    }
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True, "max_retries": 0}
    _queue_arguments = {"x-queue-type": "quorum"}
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name, queue_arguments=dict(_queue_arguments))
    for name in ("push", "pull", "control")
]
CELERY_TASK_ROUTES = {
    "*.tasks.pull_*": {"queue": "pull"},
    # what stops calls waits behind nothing else
    **{
        f"bot_campaigns.tasks.{name}": {"queue": "control"}
        for name in ("send_command", "control", "recall", "withdraw")
    },
}

CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    # Finds what a lost message left behind and starts the streams that are due.
    "sweep": {"task": "crm_bridge.tasks.sweep", "schedule": 30, "options": {"expires": 25}},
    # Each costs a query or two while nothing is asked for and no campaign is live.
    "control": {"task": "bot_campaigns.tasks.control", "schedule": 5, "options": {"expires": 4}},
    "recall": {"task": "bot_campaigns.tasks.recall", "schedule": 20, "options": {"expires": 15}},
    # What staff make at the bot, and reminder calls when their moment comes.
    "desk": {"task": "bot_campaigns.tasks.desk", "schedule": 10, "options": {"expires": 8}},
    # The bot's lists, and every few seconds the campaigns that dial.
    "mirror": {"task": "bot_campaigns.tasks.mirror", "schedule": 15, "options": {"expires": 12}},
    "poll": {"task": "bot_campaigns.tasks.poll", "schedule": 5, "options": {"expires": 4}},
}

# --- People ----------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

SESSION_COOKIE_AGE = 12 * 3600  # however busy; a longer shift logs in twice
SESSION_IDLE_SECONDS = 60 * env.int("SESSION_IDLE_MINUTES", default=120)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True

AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # nobody can lock out somebody else from afar
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "backoffice.security.client_address"
AXES_LOCKOUT_TEMPLATE = "backoffice/locked.html"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# --- Security --------------------------------------------------------------------------------

HTTPS = env.bool("HTTPS", default=not (DEBUG or LOOPBACK_ONLY))
PROXY_COUNT = env.int("PROXY_COUNT", default=0)
"""Trusted proxies in front of the web process: whose X-Forwarded-* headers count."""
if PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.bool("HSTS_SUBDOMAINS", default=True)
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-backoffice" if HTTPS else "backoffice"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
CSRF_COOKIE_HTTPONLY = False  # htmx reads it to send the header
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", "'unsafe-eval'"],  # the shell's Alpine compiles attribute expressions
        "style-src": ["'self'", "'unsafe-inline'"],  # its theme colours are an inline style
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
DATA_UPLOAD_MAX_NUMBER_FILES = 5
FILE_UPLOAD_TEMP_DIR = str(VAR_DIR / "uploads")
Path(FILE_UPLOAD_TEMP_DIR).mkdir(exist_ok=True)
FILE_UPLOAD_PERMISSIONS = 0o600
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"  # the product sends no mail

# --- Language and time -----------------------------------------------------------------------

LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", "English"), ("vi", "Tiếng Việt")]
LOCALE_PATHS = [BASE_DIR / "backoffice" / "locale"]
TIME_ZONE = CELERY_TIMEZONE = env.str("TIME_ZONE", default="Asia/Ho_Chi_Minh")
USE_TZ = True
PHONE_REGION = env.str("PHONE_REGION", default="VN")

# --- Static files ----------------------------------------------------------------------------
# Production: hashed names, collected once at deploy. Development: straight from the packages.

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_USE_FINDERS = DEVELOPMENT
STATIC_ROOT.mkdir(exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEVELOPMENT
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Logs ------------------------------------------------------------------------------------
# To standard error, one JSON object a line; every record passes the filter that masks secrets
# and personal data.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "backoffice.remote.redact.RedactingFilter"}},
    "formatters": {
        "json": {"()": "backoffice.logging_json.JsonFormatter"},
        "text": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["redact"],
            "formatter": env.str("LOG_FORMAT", default="text" if DEBUG else "json"),
        },
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Django's own handlers would print past the filter.
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": [], "propagate": True},
        "axes": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}
