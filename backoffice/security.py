"""Middleware and small rules that hold for every answer of the site."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpRequest], HttpResponse]
SINCE, SEEN = "_since", "_seen"
NOTE_EVERY = 60
POLL = "poll-"
"""Elements that ask by themselves have ids that start so; they keep no session alive."""


def client_address(request: HttpRequest) -> str:
    """Whom to lock out: the peer, or what the outermost trusted proxy saw.

    ``X-Forwarded-For`` is whatever the client liked to send, except for the
    last ``PROXY_COUNT`` entries, which our own proxies wrote.
    """
    if settings.PROXY_COUNT:
        hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        if len(hops) >= settings.PROXY_COUNT:
            return hops[-settings.PROXY_COUNT]
    return str(request.META.get("REMOTE_ADDR", ""))


def private_answers(get_response: Answer) -> Answer:
    """No cache keeps a page; no page may use a device of the visitor."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store, private")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()"
        )
        return response

    return middleware


def session_limits(get_response: Answer) -> Answer:
    """Ends a session that was idle too long, or that is too old however busy it is."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            _check(request, request.session, time.time())
        return get_response(request)

    return middleware


def _check(request: HttpRequest, session: Any, now: float) -> None:
    since, seen = session.get(SINCE, now), session.get(SEEN, now)
    if now - seen > settings.SESSION_IDLE_SECONDS or now - since > settings.SESSION_COOKIE_AGE:
        logout(request)
        return
    polls = request.headers.get("HX-Trigger", "").startswith(POLL)
    if SINCE not in session or (now - seen > NOTE_EVERY and not polls):
        session[SINCE], session[SEEN] = since, now
