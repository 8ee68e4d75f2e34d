"""WSGI entry point: refuses an unsafe configuration, then tunes the process for serving."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")

import django

django.setup()

from backoffice.checks import START, refuse_to_start, static_files_are_collected  # noqa: E402

refuse_to_start(START, also=[static_files_are_collected])

application = get_wsgi_application()

# The cyclic collector otherwise walks every class and template of the process in the middle of a
# page: docs/adr/0009 has the figures.
gc.collect()
gc.freeze()
gc.set_threshold(200_000, 20, 20)
