"""Defaults of ``gunicorn backoffice.wsgi``; its own flags and GUNICORN_CMD_ARGS win."""

bind = "127.0.0.1:8000"
workers = 2
threads = 4
timeout = 60
graceful_timeout = 8
max_requests = 10_000
max_requests_jitter = 1_000
# Paths without their query: a query may hold what somebody searched for.
access_log_format = "%(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"
