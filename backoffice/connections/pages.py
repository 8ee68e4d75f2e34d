"""What a person asks of a connection: sync now, watch it, check it."""

import time
from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.connections.addresses import form_of
from backoffice.connections.runs import sync_progress
from backoffice.pages import Guarded, link, safe_next
from backoffice.remote.errors import RemoteError
from backoffice.sync import bell, registry
from backoffice.sync.connecting import note_trouble, note_working
from backoffice.sync.models import AbstractConnection


class _OfConnection(Guarded):
    model: ClassVar[type[AbstractConnection]]

    def connection_of(self, pk: int) -> Any:
        return get_object_or_404(self.model._default_manager.defer("credentials"), pk=pk)

    def progress(
        self, request: HttpRequest, connection: Any, since: float | None, error: str = ""
    ) -> HttpResponse:
        streams = len(registry.side_of(connection).streams(connection))
        context = {
            "connection": connection,
            "progress": sync_progress(connection, since, streams=streams),
            "error": error,
            "fresh": True,
        }
        return render(request, "backoffice/connections/progress.html", context)


class SyncNow(_OfConnection):
    """Ask the workers to pull every stream of a connection; answers at once, broker or not."""

    http_method_names = ["post"]
    task: ClassVar[str]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        connection = self.connection_of(pk)
        since, error = time.time() - 1, ""
        if not connection.is_active:
            error = _("%s is switched off, so nothing is pulled.") % connection.name
        else:
            for stream in registry.side_of(connection).streams(connection):
                bell.ring(self.task, connection.pk, str(stream), None, request.user.pk, on="pull")
        if request.htmx:  # type: ignore[attr-defined]
            return self.progress(request, connection, None if error else since, error)
        if error:
            messages.error(request, error)
        return HttpResponseRedirect(safe_next(request, request.POST.get("next", "")) or link("admin:index"))


class Progress(_OfConnection):
    """How the sync of one connection goes; asks again by itself until it is done."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        connection = self.connection_of(pk)
        try:
            since = float(request.GET.get("since", ""))
        except ValueError:
            since = None
        if since is not None and not 0 <= since <= time.time() + 60:
            since = None
        return self.progress(request, connection, since)


class Check(Guarded):
    """One harmless request with the stored credentials; says in plain words how it went."""

    http_method_names = ["post"]
    model: ClassVar[type[AbstractConnection]]
    connect: ClassVar[Callable[..., Any]]
    """From a connection's row to a connector; a ``staticmethod``."""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        connection = get_object_or_404(self.model._default_manager, pk=pk)
        fine, words = self.check(connection)
        audit.record("connection.check", connection, by=request.user, summary=words, ok=fine)
        if request.htmx:  # type: ignore[attr-defined]
            context = {"fine": fine, "words": words, "now": timezone.now()}
            return render(request, "backoffice/connections/check.html", context)
        (messages.success if fine else messages.error)(request, words)
        return HttpResponseRedirect(form_of(connection))

    def check(self, connection: AbstractConnection) -> tuple[bool, str]:
        """(it works, in words); the connection's health says the same afterwards."""
        try:
            connector = self.connect(connection)
            try:
                words = str(connector.check())
            finally:
                connector.close()
        except RemoteError as error:
            note_trouble(connection, error)
            return False, str(error)
        note_working(connection)
        return True, words
