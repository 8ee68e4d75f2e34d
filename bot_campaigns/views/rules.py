"""The calling rules of each bot, and the clock on which it reads daily hours."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.models import AuditEntry
from backoffice.pages import Page
from bot_campaigns.forms.rules import RulesForm, VendorClockForm
from bot_campaigns.models import BotConnection, CallingRules
from bot_campaigns.profiles import DEFAULT, FIELDS, PROFILES
from bot_campaigns.services import calling_rules, preflight, vendor_clock

_CONNECTIONS = BotConnection.objects.defer("credentials")


def _values(rules: CallingRules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in FIELDS} | {"weekdays": list(rules.weekdays)}


class RulesList(Page):
    """Which rules hold for which bot."""

    permission = "bot_campaigns.view_callingrules"
    title = gettext_lazy("Calling rules")
    template_name = "bot_campaigns/rules_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = [(each, preflight.rules_of(each)) for each in _CONNECTIONS.select_related("rules").all()]
        return super().get_context_data(rows=rows, **kwargs)


class RulesPage(Page):
    """All rules of one bot: managers read them, admins change them."""

    permission = "bot_campaigns.view_callingrules"
    template_name = "bot_campaigns/rules.html"
    crumbs = ((gettext_lazy("Calling rules"), "bot:rules"),)
    form: RulesForm | None = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        connection = get_object_or_404(_CONNECTIONS.select_related("rules"), pk=kwargs["pk"])
        self.title = _("Calling rules of %s") % connection.name
        rules = preflight.rules_of(connection)
        offered = self.request.GET.get("profile", "")
        profile = PROFILES.get(offered)
        shown = _values(rules) | ({**profile.values} if profile else {})
        shown["weekdays"] = list(shown["weekdays"])
        form = self.form or RulesForm(initial=shown)
        may_change = self.request.user.has_perm(calling_rules.CHANGE)
        if not may_change:
            for field in form.fields.values():
                field.disabled = True
        return super().get_context_data(
            connection=connection,
            rules=rules,
            form=form,
            profiles=[
                (key, each, all(getattr(rules, name) == each.values[name] for name in FIELDS))
                for key, each in PROFILES.items()
            ],
            offered=profile,
            default=DEFAULT,
            differs={name for name in FIELDS if profile and getattr(rules, name) != profile.values[name]},
            may_change=may_change,
            changes=AuditEntry.objects.filter(
                object_type=CallingRules._meta.label_lower, object_id=str(rules.pk), action="rules.change"
            )[:10]
            if rules.pk
            else [],
            **kwargs,
        )  # fmt: skip

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not request.user.has_perm(calling_rules.CHANGE):  # type: ignore[union-attr]
            raise PermissionDenied(calling_rules.CHANGE)
        connection = get_object_or_404(_CONNECTIONS, pk=kwargs["pk"])
        form = RulesForm(request.POST)
        if form.is_valid():
            try:
                done = calling_rules.change(
                    connection, {name: form.cleaned_data[name] for name in FIELDS}, by=request.user
                )
            except ValidationError as refused:
                form.add_error(None, refused)
            else:
                self._tell(request, done)
                return HttpResponseRedirect(reverse("bot:rules_of", args=[connection.pk]))
        self.form = form
        return self.render_to_response(self.get_context_data(**kwargs), status=422)

    def _tell(self, request: HttpRequest, done: calling_rules.Change) -> None:
        if not done.changed:
            messages.info(request, _("Nothing was changed."))
            return
        count = len(done.changed)
        messages.success(
            request,
            ngettext("%d rule changed; it holds at once.", "%d rules changed; they hold at once.", count)
            % count,
        )
        if done.paused:
            names = ", ".join(f"“{campaign.name}”" for campaign in done.paused)
            messages.warning(request, _("Being paused, because the new rules do not allow it: %s.") % names)


class VendorClockPage(Page):
    """In which zone a bot reads the daily hours: explained, tested, confirmed."""

    permission = vendor_clock.CONFIRM
    template_name = "bot_campaigns/vendor_clock.html"
    form: VendorClockForm | None = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        connection = get_object_or_404(
            _CONNECTIONS.select_related("rules", "zone_confirmed_by"), pk=kwargs["pk"]
        )
        self.title = _("The clock of %s") % connection.name
        likely = vendor_clock.candidates(connection)
        form = self.form or VendorClockForm(likely=likely, initial={"zone": connection.vendor_zone})
        return super().get_context_data(
            connection=connection,
            form=form,
            readings=vendor_clock.readings(connection, likely),
            rules=preflight.rules_of(connection),
            changes=AuditEntry.objects.filter(
                object_type=BotConnection._meta.label_lower,
                object_id=str(connection.pk),
                action__startswith="connection.zone",
            )[:10],
            **kwargs,
        )

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        connection = get_object_or_404(_CONNECTIONS.select_related("rules"), pk=kwargs["pk"])
        form = VendorClockForm(request.POST, likely=vendor_clock.candidates(connection))
        if form.is_valid():
            try:
                vendor_clock.confirm(
                    connection,
                    zone=form.cleaned_data["zone"],
                    evidence=form.cleaned_data["evidence"],
                    by=request.user,
                )
            except ValidationError as refused:
                form.add_error(None, refused)
            else:
                messages.success(
                    request,
                    _("Confirmed: %(bot)s reads daily hours in %(zone)s.")
                    % {"bot": connection.name, "zone": connection.vendor_zone},
                )
                return HttpResponseRedirect(reverse("bot:vendor_clock", args=[connection.pk]))
        self.form = form
        return self.render_to_response(self.get_context_data(**kwargs), status=422)
