"""What a person asks of a connection: sync now, watch it, check it."""

import time

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.pages import Guarded, link
from backoffice.remote.errors import RemoteError
from backoffice.sync import bell
from crm_bridge.models import Connection
from crm_bridge.services import connecting
from crm_bridge.views.home import CONNECTION, sync_progress

PULL = "crm_bridge.tasks.pull_stream"


class SyncNow(Guarded):
    """Ask the workers to pull every stream of a connection; answers at once, broker or not."""

    permission = "crm_bridge.sync_connection"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        connection = get_object_or_404(Connection.objects.defer("credentials"), pk=pk)
        since, error = time.time() - 1, ""
        if not connection.is_active:
            error = _("%s is switched off, so nothing is pulled.") % connection.name
        else:
            for stream in connection.capabilities.streams:
                bell.ring(PULL, connection.pk, str(stream), None, request.user.pk, on="pull")
        if request.htmx:  # type: ignore[attr-defined]
            return _progress(request, connection, None if error else since, error)
        if error:
            messages.error(request, error)
        return HttpResponseRedirect(link("admin:index"))


class Progress(Guarded):
    """How the sync of one connection goes; asks again by itself until it is done."""

    permission = "crm_bridge.view_contact"
    http_method_names = ["get"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        connection = get_object_or_404(Connection.objects.defer("credentials"), pk=pk)
        try:
            since = float(request.GET.get("since", ""))
        except ValueError:
            since = None
        if since is not None and not 0 <= since <= time.time() + 60:
            since = None
        return _progress(request, connection, since)


def _progress(
    request: HttpRequest, connection: Connection, since: float | None, error: str = ""
) -> HttpResponse:
    return render(
        request,
        "crm_bridge/connections_progress.html",
        {
            "connection": connection,
            "progress": sync_progress(connection, since),
            "error": error,
            "fresh": True,
        },
    )


class Check(Guarded):
    """One harmless request with the stored credentials; says in plain words how it went."""

    permission = "crm_bridge.change_connection"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        connection = get_object_or_404(Connection, pk=pk)
        fine, words = check(connection)
        audit.record("connection.check", connection, by=request.user, summary=words, ok=fine)
        if request.htmx:  # type: ignore[attr-defined]
            context = {"fine": fine, "words": words, "now": timezone.now()}
            return render(request, "crm_bridge/connections_check.html", context)
        (messages.success if fine else messages.error)(request, words)
        return HttpResponseRedirect(link(CONNECTION, pk))


def check(connection: Connection) -> tuple[bool, str]:
    """(it works, in words); the connection's health says the same afterwards."""
    try:
        connector = connecting.connect_to(connection)
        try:
            words = connector.check()
        finally:
            connector.close()
    except RemoteError as error:
        connecting.note_trouble(connection, error)
        return False, str(error)
    connecting.note_working(connection)
    return True, words
