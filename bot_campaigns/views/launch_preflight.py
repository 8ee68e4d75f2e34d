"""The last step: the pre-flight, the launch, and the hand-over as it goes on."""

from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.pages import Action, ListPage, Page, link
from backoffice.questions import Question
from bot_campaigns.campaign_labels import LAUNCH_TONES
from bot_campaigns.filters.campaigns import NumberFilter
from bot_campaigns.models import Launch, LaunchNumber
from bot_campaigns.services import commands, launching, preflight
from bot_campaigns.services.audience import Unusable
from bot_campaigns.services.launching import NotLaunched
from bot_campaigns.services.preflight import Brake
from bot_campaigns.tables.campaigns import NumberTable
from bot_campaigns.views.campaign_commands import CAMPAIGNS, override_inputs
from bot_campaigns.views.launch_wizard import launch_of, steps
from bot_campaigns.views.launch_words import ages, clock, moment, plan_words, sum_of

Status = Launch.Status
LATE = timedelta(seconds=30)
"""A hand-over that is due so long without a worker is waiting for one."""
CANCELLABLE = (Status.DRAFT, Status.CHECKED, Status.HANDING_OVER, Status.READY, Status.HELD)

_STEP_OF = {
    "template": "bot:launch_message", "gateway": "bot:launch_message", "starts_at": "bot:launch_pace",
    "expires_at": "bot:launch_pace", "daily_start": "bot:launch_pace", "daily_stop": "bot:launch_pace",
    "frequency": "bot:launch_pace",
}  # fmt: skip


class OfLaunch(Page):
    permission: ClassVar[str | tuple[str, ...]] = "bot_campaigns.view_launch"
    crumbs = (CAMPAIGNS, (gettext_lazy("Launches"), "bot:launches"))

    @cached_property
    def launch(self) -> Launch:
        return launch_of(self.kwargs["pk"])

    def get_title(self) -> str:
        return self.launch.name or _("(no name)")


class LaunchPage(OfLaunch):
    """Pre-flight of a draft; after that what has become of the launch."""

    def get_template_names(self) -> list[str]:
        return ["bot_campaigns/launch_preflight.html" if self.is_draft else "bot_campaigns/launch.html"]

    @property
    def is_draft(self) -> bool:
        return self.launch.status in (Status.DRAFT, Status.CHECKED)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        launch = self.launch
        found = (
            _preflight(launch, self.request.user) if self.is_draft else progress(launch, self.request.user)
        )
        rules = preflight.rules_of(launch.connection)
        return super().get_context_data(
            **found,
            launch=launch,
            steps=steps(launch, "bot:launch"),
            facts=launch_facts(launch, rules.zone),
            sum=sum_of(launch),
            plan=plan_words(launch, rules.zone),
            can_cancel=launch.status in CANCELLABLE and self._may(commands.LAUNCH),
            may_change=self._may("bot_campaigns.change_launch"),
            **kwargs,
        )

    def _may(self, permission: str) -> bool:
        return bool(self.request.user.has_perm(permission))  # type: ignore[union-attr]


def launch_facts(launch: Launch, zone: str) -> list[tuple[str, str]]:
    """What will be called by which means."""
    return [
        (_("Audience"), f"{launch.get_audience_display()}: {launch.audience_words}".rstrip(": ")),
        (_("Message"), launch.template.name if launch.template else _("none chosen")),
        (_("Gateway"), launch.gateway.name if launch.gateway else _("none chosen")),
        (_("Caller"), launch.callerid or "–"),
        (
            _("When"),
            _("%(first)s – %(last)s, daily %(start)s–%(stop)s (%(zone)s)")
            % {
                "first": moment(launch.starts_at, zone),
                "last": moment(launch.expires_at, zone),
                "start": clock(launch.daily_start),
                "stop": clock(launch.daily_stop),
                "zone": zone,
            },
        ),
        (_("Account"), launch.connection.name),
    ]


def _preflight(launch: Launch, user: Any) -> dict[str, Any]:
    now = timezone.now()
    brakes = preflight.brakes(launch, now)
    hard = [brake for brake in brakes if not brake.can_override and brake.code != "window"]
    checking = launch.lease_until is not None and launch.lease_until > now
    may_launch = user.has_perm(commands.LAUNCH)
    why = ""
    if checking:
        why = _("It is being checked.")
    elif hard:
        why = _("Something is in the way: see below.")
    elif not may_launch:
        why = _("Launching needs a permission of its own, which you do not have.")
    return {
        "ages": ages(launch, now),
        "brakes": [_shown(brake, launch) for brake in brakes],
        "checked": launch.status == Status.CHECKED and not any(brake.code == "check" for brake in brakes),
        "checking": checking,
        "why_not": why,
        "to_dial": launch.counts.get("to_dial", 0),
    }


def _shown(brake: Brake, launch: Launch) -> dict[str, Any]:
    url, label = "", ""
    if brake.field in _STEP_OF:
        url, label = reverse(_STEP_OF[brake.field], args=[launch.pk]), _("Correct it")
    elif brake.code in ("zone", "connection"):
        url = link("admin:bot_campaigns_botconnection_change", launch.connection_id)
        label = _("Open the account")
    elif brake.code == "dnc":
        url, label = link("bot:runs"), _("Runs")
    return {"words": brake.words, "can_override": brake.can_override, "soft": brake.code == "window",
            "url": url, "label": label}  # fmt: skip


# --- what is done ------------------------------------------------------------------------


class Check(Action):
    """Pick the audience and judge every number, now."""

    permission = "bot_campaigns.change_launch"
    back_to = "bot:launches"
    refusals = (Unusable,)

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        launch = launch_of(kwargs["pk"])
        counts = preflight.check(launch, by=request.user)
        words = ngettext(
            "%(picked)s picked, %(dial)s to dial.", "%(picked)s picked, %(dial)s to dial.", counts["picked"]
        )
        return words % {"picked": f"{counts['picked']:,}", "dial": f"{counts['to_dial']:,}"}

    def get_back(self, request: HttpRequest) -> str:
        return reverse("bot:launch", args=[self.kwargs["pk"]])


class LaunchQuestion(Question, OfLaunch):
    """A question about the launch of the address."""

    permission = commands.LAUNCH
    refusals = (NotLaunched,)

    def get_title(self) -> str:
        return OfLaunch.get_title(self)

    def default_back(self) -> str:
        return reverse("bot:launch", args=[self.launch.pk])


class Confirm(LaunchQuestion):
    """Launch: who, how many, by which means; then the numbers leave the house."""

    template_name = "backoffice/question.html"

    @cached_property
    def brakes(self) -> list[Brake]:
        return preflight.brakes(self.launch, timezone.now())

    @property
    def _given(self) -> dict[str, str]:
        return {
            brake.code: self.request.POST.get(f"override-{brake.code}", "").strip()
            for brake in self.brakes
            if brake.can_override
        }

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.launch.confirmed_at is not None:
            return HttpResponseRedirect(self.default_back())
        return super().get(request, *args, **kwargs)

    def ask(self) -> dict[str, Any]:
        launch = self.launch
        to_dial = f"{launch.counts.get('to_dial', 0):,}"
        closed = [brake for brake in self.brakes if brake.code == "window"]
        hard = [brake.words for brake in self.brakes if not brake.can_override and brake.code != "window"]
        posted = bool(self.request.POST)
        inputs = [] if hard else override_inputs(self.brakes, self._given, posted)
        if not hard and launching.needs_typing(launch):
            inputs.append(
                {
                    "name": "typed",
                    "label": _("Type %s, the number of people who will be called") % to_dial,
                    "value": self.request.POST.get("typed", ""),
                    "numeric": True,
                }
            )
        if not hard and not closed:
            inputs.append(
                {
                    "name": "start",
                    "kind": "check",
                    "label": _("Start dialling as soon as the numbers are handed over"),
                    "help": _("Without it you start the campaign yourself on its page."),
                    "value": self.request.POST.get("start") if posted else True,
                }
            )
        text = _("“%s” is handed over to AntBOT and starts dialling.")
        if closed:
            text = _("“%s” is handed over to AntBOT. You start it yourself when calls are allowed.")
        zone = preflight.rules_of(launch.connection).zone
        return {
            "question": _("Launch %s calls?") % to_dial,
            "text": text % launch.name,
            "facts": [(_("To dial"), to_dial), *launch_facts(launch, zone)],
            "blocked": hard,
            "inputs": inputs,
            "notes": [brake.words for brake in closed],
            "submit": _("Launch %s calls") % to_dial,
            "danger": True,
        }

    def act(self) -> str:
        closed = any(brake.code == "window" for brake in self.brakes)
        launching.confirm(
            self.launch,
            by=self.request.user,
            typed=self.request.POST.get("typed", ""),
            overrides=self._given,
            start=bool(self.request.POST.get("start")) and not closed,
        )
        return _("“%s” is being handed over to AntBOT.") % self.launch.name


class Cancel(LaunchQuestion):
    def ask(self) -> dict[str, Any]:
        launch = self.launch
        handed = launch.handed_over
        text = _("It is given up. Nobody is called.")
        if handed:
            text = _(
                "It is given up. %s numbers stand at AntBOT already; nothing is started, so none is dialled."
            )
            text %= f"{handed:,}"
        blocked = [] if launch.status in CANCELLABLE else [_("This launch cannot be cancelled any more.")]
        return {
            "question": _("Cancel the launch “%s”?") % launch.name,
            "text": text,
            "blocked": blocked,
            "submit": _("Cancel the launch"),
            "danger": True,
        }

    def act(self) -> str:
        launching.cancel(self.launch, by=self.request.user)
        return _("“%s” was cancelled.") % self.launch.name

    def after(self) -> str:
        return reverse("bot:launches")


class Resume(LaunchQuestion):
    """Go on with a held hand-over, after a person has seen why it was held."""

    def ask(self) -> dict[str, Any]:
        launch = self.launch
        return {
            "question": _("Go on handing over “%s”?") % launch.name,
            "text": _("It was held: %s") % launch.words,
            "facts": [
                (_("Handed over"), f"{launch.handed_over:,}"),
                (_("To dial"), f"{launch.counts.get('to_dial', 0):,}"),
            ],
            "blocked": []
            if launch.status == Status.HELD
            else [_("The hand-over of this launch is not held.")],
            "submit": _("Go on"),
        }

    def act(self) -> str:
        launching.resume(self.launch, by=self.request.user)
        return _("The hand-over of “%s” goes on.") % self.launch.name


# --- how it goes on ----------------------------------------------------------------------


class Progress(OfLaunch):
    """The part of the page that refreshes itself; leads to the campaign once it stands there."""

    template_name = "bot_campaigns/launch_progress.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        launch = self.launch
        done = launch.status in (Status.READY, Status.STARTED) and launch.campaign_id and not launch.words
        if done:
            address = reverse("bot:campaign", args=[launch.campaign_id])
            return HttpResponse(headers={"HX-Redirect": address})
        return self.render_to_response(
            {**progress(launch, request.user), "launch": launch, "request": request}
        )


def progress(launch: Launch, user: Any) -> dict[str, Any]:
    """How far the hand-over is, with an estimate, and what it waits for."""
    now = timezone.now()
    total, handed = launch.counts.get("to_dial", 0), launch.handed_over
    running = launch.status == Status.HANDING_OVER
    left = None
    if running and handed and launch.confirmed_at and handed < total:
        left = (now - launch.confirmed_at).total_seconds() * (total - handed) / handed
    working = launch.lease_until is not None and launch.lease_until > now
    left_out = 0
    if not running and launch.confirmed_at:
        rows = LaunchNumber.objects.filter(launch=launch, verdict=LaunchNumber.Verdict.DIAL)
        left_out = rows.filter(handed_at__isnull=True, withdrawal=LaunchNumber.Withdrawal.DONE).count()
    return {
        "tone": LAUNCH_TONES[Status(launch.status)],
        "running": running,
        "total": total,
        "handed": handed,
        "share": min(100, handed * 100 // total) if total else 0,
        "left": left,
        "waits": running and not working and launch.not_before > now,
        "no_worker": running and not working and launch.not_before < now - LATE,
        "left_out": left_out,
        "may_launch": user.has_perm(commands.LAUNCH),
        "can_resume": launch.status == Status.HELD and launch.confirmed_at and launch.campaign_id is None,
    }


class Numbers(OfLaunch, ListPage):
    """The rows of the audience, each with its verdict and the reason."""

    noun = gettext_lazy("numbers")
    template_name = "bot_campaigns/launch_numbers.html"
    empty_text = gettext_lazy("The audience has not been checked yet.")
    table_class = NumberTable
    filterset_class = NumberFilter

    def get_queryset(self) -> QuerySet[LaunchNumber]:
        return LaunchNumber.objects.filter(launch=self.launch).order_by("pk")

    def with_related(self, rows: QuerySet[LaunchNumber]) -> QuerySet[LaunchNumber]:
        return rows.select_related("contact").defer("contact__raw", "contact__search_text", "contact__note")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(launch=self.launch, **kwargs)
