"""Home: what needs a person, how each connection does, what was new lately."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backoffice.charts import Chart, Series
from backoffice.connections.runs import sync_progress
from backoffice.home import Card, Notice
from backoffice.pages import link
from backoffice.templatetags.backoffice import span_words
from crm_bridge.models import (
    Connection,
    ConnectionHealth,
    Contact,
    ContactChange,
    Quarantine,
    Run,
    StreamState,
)
from crm_bridge.services import waiting

Status = ContactChange.Status
DAYS = 14
KEEP_SECONDS = 15
CONTACTS = "admin:crm_bridge_contact_changelist"
CONNECTION = "admin:crm_bridge_connection_change"


def cards(request: HttpRequest) -> Iterator[Card]:
    """The sections of Home about contacts."""
    user = request.user
    if not user.has_perm("crm_bridge.view_contact"):  # type: ignore[union-attr]
        return
    connections = [card(connection, user) for connection in _connections()]
    may_connect = user.has_perm("crm_bridge.add_connection")  # type: ignore[union-attr]
    yield Card("crm_bridge/home_connections.html", {"cards": connections, "may_connect": may_connect})
    if connections:
        yield Card("crm_bridge/home_news.html", {"chart": news()}, row=2, place=1)


def attention(user: Any) -> list[Notice]:
    """Worst first, and only what this person may open and act on."""
    found: list[Notice] = []
    if user.has_perm("crm_bridge.view_connection"):
        found += [_trouble(health) for health in waiting.troubled().select_related("connection")]
    late = waiting.late_change() if user.has_perm("crm_bridge.view_all_contactchange") else None
    if late is not None:
        found.append(
            Notice(
                _("Changes are not being sent: the oldest has been due for %s.")
                % span_words(timezone.now() - late.not_before),
                link("crm:outgoing", status=Status.WAITING),
                _("No worker takes them. They are kept; start the worker, or tell who runs the system."),
                grave=True,
            )
        )
    if user.has_perm("crm_bridge.view_conflict") and (count := waiting.conflicts(user)):
        words = ngettext("%d contact has a conflict", "%d contacts have conflicts", count) % count
        found.append(
            Notice(words, link("crm:conflicts"), _("Changed here and in the CRM. Choose a side."), grave=True)
        )
    if user.has_perm("crm_bridge.view_contactchange") and (count := waiting.stuck_changes(user)):
        words = ngettext("%d edit was not taken by the CRM", "%d edits were not taken by the CRM", count)
        found.append(
            Notice(
                words % count,
                link("crm:outgoing", status="stuck"),
                _("Read why, then correct or drop."),
                True,
            )
        )
    if user.has_perm("crm_bridge.view_run"):
        found += [
            _held(run) for run in Run.objects.filter(status=Run.Status.HELD).select_related("connection")[:5]
        ]
    if user.has_perm("crm_bridge.view_quarantine") and (count := waiting.unreadable(user)):
        words = ngettext("%d record could not be read", "%d records could not be read", count) % count
        found.append(Notice(words, link("crm:unreadable", settled="false")))
    if user.has_perm("crm_bridge.prove_merge") and (count := waiting.merges(user)):
        words = (
            ngettext("%d merge has no proven survivor", "%d merges have no proven survivor", count) % count
        )
        found.append(Notice(words, link("crm:merges", proof="to_prove")))
    return found


def _trouble(health: ConnectionHealth) -> Notice:
    if health.needs_attention:
        text = _("%s needs attention: nothing is sent to it until its settings are corrected.")
    else:
        text = _("%s does not answer well: requests to it are paused for a while.")
    return Notice(
        text % health.connection, link(CONNECTION, health.connection_id), health.last_error, grave=True
    )


def _held(run: Run) -> Notice:
    return Notice(
        _("A walk of %(crm)s (%(stream)s) is held: %(absent)s of %(live)s contacts were not there.")
        % {
            "crm": run.connection.name,
            "stream": run.stream,
            "absent": f"{run.absent:,}",
            "live": f"{run.details.get('held', {}).get('live', 0):,}",
        },
        link("crm:run", run.pk),
        _("Nothing was changed. Approve or dismiss it."),
    )


def _connections() -> list[Connection]:
    rows = Connection.objects.defer("credentials").select_related("health")
    return list(rows.prefetch_related("streams").order_by("-is_active", "name"))


def card(connection: Connection, user: Any) -> dict[str, Any]:
    """One connection's health in four numbers, each with the address of its rows."""
    numbers = _numbers(connection.pk)
    may = user.has_perm
    health = getattr(connection, "health", None)
    streams: list[StreamState] = list(connection.streams.all())
    pulled = max((row.last_ok_at for row in streams if row.last_ok_at), default=None)
    return {
        "connection": connection,
        "numbers": [
            _number(connection, _("in sync"), numbers["in_sync"], "in_sync"),
            _number(connection, _("waiting"), numbers["waiting"], "waiting"),
            _number(connection, _("failing"), numbers["failing"], "failing", "bad"),
            {
                "value": numbers["unreadable"],
                "label": _("unreadable"),
                "tone": "warn" if numbers["unreadable"] else "",
                "url": link("crm:unreadable", connection=connection.pk, settled="false")
                if may("crm_bridge.view_quarantine")
                else "",
            },
        ],
        "pulled": pulled,
        "health": health,
        "paused": bool(health and health.open_until and health.open_until > timezone.now()),
        "may_open": may("crm_bridge.view_connection"),
        "may_sync": may("crm_bridge.sync_connection"),
        "progress": sync_progress(connection),
    }


def _number(connection: Connection, label: str, value: int, sync: str, tone: str = "") -> dict[str, Any]:
    address = link(CONTACTS, connection=connection.pk, sync=sync)
    return {"value": value, "label": label, "url": address, "tone": tone if value else ""}


def _numbers(connection_id: int) -> dict[str, int]:
    """Live contacts by what has become of their edits, as the contact list filters them.

    Counted from the changes: there are few of them, and contacts may be a million.
    """
    key = f"home:numbers:{connection_id}"
    numbers = cache.get(key)
    if numbers is None:
        changes = ContactChange.objects.filter(
            contact__connection=connection_id, contact__state=Contact.State.LIVE
        )
        counts = changes.filter(status__in=ContactChange.OPEN).aggregate(
            waiting=Count("contact", filter=Q(status__in=ContactChange.MOVING), distinct=True),
            failing=Count("contact", filter=Q(status__in=ContactChange.FAILING), distinct=True),
            unfinished=Count("contact", distinct=True),
        )
        live = Contact.objects.live().filter(connection=connection_id).order_by().count()
        unreadable = Quarantine.objects.filter(connection=connection_id, resolved_at__isnull=True).count()
        numbers = {"in_sync": live - counts.pop("unfinished"), **counts, "unreadable": unreadable}
        cache.set(key, numbers, KEEP_SECONDS)
    return numbers


def news() -> Chart:
    """New and changed contacts a day, two weeks, as the runs counted them."""
    today = timezone.localdate()
    key = f"home:news:{today}"
    found = cache.get(key)
    if found is None:
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        runs = Run.objects.filter(started_at__gte=midnight - timedelta(days=DAYS - 1)).order_by()
        by_day = runs.annotate(day=TruncDate("started_at")).values_list("day")
        found = {day: sums for day, *sums in by_day.annotate(new=Sum("created"), old=Sum("changed"))}
        cache.set(key, found, 60)
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    created, changed = zip(*(found.get(day, (0, 0)) for day in days), strict=True)
    return Chart(
        _("Day"),
        [f"{day:%d/%m}" for day in days],
        [Series(_("new"), created), Series(_("changed"), changed, "soft")],
    )
