"""What an account can do, as found on it: the guided check, its progress, features, custom fields."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.pages import Page
from crm_bridge.abilities import capability_rows
from crm_bridge.models import AccountCheck, Connection, CustomField
from crm_bridge.services import custom_fields, probing
from crm_bridge.views.actions import CrmAction

Kind = AccountCheck.Kind


def connection_of(pk: int) -> Connection:
    return get_object_or_404(Connection.objects.defer("credentials"), pk=pk)


class CapabilityReport(Page):
    """Declared, found and proven side by side."""

    permission = "crm_bridge.view_connection"
    template_name = "crm_bridge/capability_report.html"
    crumbs = ((gettext_lazy("Connections"), "admin:crm_bridge_connection_changelist"),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        connection = connection_of(kwargs["pk"])
        able = connection.capabilities
        self.title = _("What %s can do") % connection.name
        return super().get_context_data(
            connection=connection,
            able=capability_rows(able, connection.measured),
            unproven=able.unproven,
            reports=_reports(connection),
            features=_features(connection),
            fields=CustomField.objects.filter(connection=connection) if able.custom_field_definitions else [],
            defines_fields=able.custom_field_definitions,
            fields_read_at=_moment(connection.measured.get(custom_fields.READ_AT)),
            can_create=able.can_create,
            can_delete=able.can_delete,
            may_check=self.request.user.has_perm("crm_bridge.change_connection"),  # type: ignore[union-attr]
            **progress_of(connection),
            **kwargs,
        )


class ReportProgress(Page):
    """The part of the report that refreshes itself while a check is under way."""

    permission = "crm_bridge.view_connection"
    template_name = "crm_bridge/capability_progress.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        connection = connection_of(kwargs["pk"])
        context = progress_of(connection)
        ended = context["check"] is not None and not context["going"]
        return {"connection": connection, "ended": ended, **context}


def progress_of(connection: Connection) -> dict[str, Any]:
    """The latest check, and whether it still goes on."""
    check = AccountCheck.objects.filter(connection=connection).select_related("asked_by").first()
    going = check is not None and check.status in AccountCheck.OPEN
    return {"check": check, "going": going and not (check and check.quiet)}


def _reports(connection: Connection) -> list[dict[str, Any]]:
    """What the last checks found: looking first, then writing."""
    titles = {
        Kind.READ: _("Found by looking"),
        Kind.WRITE: _("Found on a disposable record"),
    }
    found = []
    for kind, title in titles.items():
        report = connection.measured.get(f"report_{kind.value}")
        if report:
            found.append({"title": title, "when": _moment(report.get("at")), **report})
    return found


def _features(connection: Connection) -> list[dict[str, Any]]:
    proven = connection.measured.get("features") or {}
    return [
        {
            "key": feature.key,
            "label": feature.label,
            "help": feature.help,
            "writes": feature.writes,
            "proven": feature.key in proven,
            "words": (proven.get(feature.key) or {}).get("words", ""),
            "by": (proven.get(feature.key) or {}).get("by", ""),
            "when": _moment((proven.get(feature.key) or {}).get("at")),
        }
        for feature in connection.capabilities.features
    ]


def _moment(text: Any) -> Any:
    return parse_datetime(text) if isinstance(text, str) else None


class _OfConnection(CrmAction):
    """Back to the report."""

    permission = "crm_bridge.change_connection"

    def get_back(self, request: HttpRequest) -> str:
        return reverse("crm:connection_report", args=[self.kwargs["pk"]])


def _typed(request: HttpRequest, connection: Connection) -> None:
    """What writes there is begun only by who has typed the account's name."""
    if request.POST.get("typed", "").strip() != connection.name:
        raise ValidationError(
            _("Type the name of the connection, %s, to confirm. Nothing was done.") % connection.name
        )


class StartCheck(_OfConnection):
    """Ask a worker for a guided check."""

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        connection = connection_of(kwargs["pk"])
        kind = request.POST.get("kind", "")
        if kind not in (Kind.READ, Kind.WRITE):
            raise ValidationError(_("Choose what to check."))
        if kind == Kind.WRITE:
            _typed(request, connection)
        probing.start(connection, kind, by=request.user)
        return _("%s is being checked. You may leave this page.") % connection.name


class ProveFeature(_OfConnection):
    """Try one feature on the account, or use it no more."""

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        connection = connection_of(kwargs["pk"])
        key = request.POST.get("feature", "")
        feature = probing.feature_of(connection, key)
        if request.POST.get("off"):
            probing.switch_off(connection, key, by=request.user)
            return _("“%s” is not used any more.") % feature.label
        if feature.writes:
            _typed(request, connection)
        probing.start(connection, Kind.FEATURE, by=request.user, feature=key)
        return _("“%s” is being tried. You may leave this page.") % feature.label


class ReadFields(_OfConnection):
    """Have a worker read the custom fields anew."""

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        connection = connection_of(kwargs["pk"])
        if not connection.capabilities.custom_field_definitions:
            raise ValidationError(_("%s does not define custom fields.") % connection.vendor_label)
        custom_fields.ring(connection)
        return _("The custom fields of %s are being read.") % connection.name
