"""The Celery app. Messages carry ids only; the rows in the database are the truth."""

import logging.config
import os
import traceback
from typing import Any

import django
from celery import Celery, signals
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
TRANSPORT_ALIASES["filesystem"] = "backoffice.file_broker:Transport"
app = Celery("backoffice")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def use_our_logging(**_kwargs: Any) -> None:
    """Worker and beat log like the web process: masked, one object a line."""
    logging.config.dictConfig(settings.LOGGING)


@signals.celeryd_init.connect
@signals.beat_init.connect
def refuse_to_run_insecurely(**_kwargs: Any) -> None:
    """Celery swallows what a signal handler raises, except the end of the process."""
    try:
        django.setup()
        from backoffice.checks import START, WORK, refuse_to_start

        refuse_to_start(START, WORK)
    except Exception as problem:
        traceback.print_exc()
        raise SystemExit("Not starting, the configuration could not be checked.") from problem
