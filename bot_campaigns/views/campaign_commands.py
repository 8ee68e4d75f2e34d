"""Start, pause, abort, end, delete, clone, call again: each asks first and is done by POST."""

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.questions import Question
from bot_campaigns.campaign_labels import command_words
from bot_campaigns.models import Campaign, Launch
from bot_campaigns.services import commands, drafts, figures, preflight
from bot_campaigns.services.audience import Unusable
from bot_campaigns.services.preflight import Brake

CAMPAIGNS = (gettext_lazy("Campaigns"), "bot:campaigns")


def campaign_of(pk: int) -> Campaign:
    rows = Campaign.objects.select_related("connection", "gateway").defer("connection__credentials", "raw")
    return get_object_or_404(rows, pk=pk)


class OfCampaign(Question):
    """A question about the campaign of the address."""

    crumbs = (CAMPAIGNS,)

    @cached_property
    def campaign(self) -> Campaign:
        return campaign_of(self.kwargs["pk"])

    @cached_property
    def line(self) -> commands.StateLine:
        return commands.state_line(self.campaign)

    @cached_property
    def figures(self) -> figures.Figures:
        return figures.figures(self.campaign)

    def get_title(self) -> str:
        return self.campaign.name

    def default_back(self) -> str:
        return reverse("bot:campaign", args=[self.campaign.pk])

    def facts(self) -> list[tuple[str, str]]:
        numbers = self.figures
        done = numbers.total - numbers.to_dial - numbers.in_progress
        return [
            (_("Account"), self.campaign.connection.name),
            (_("AntBOT says"), self.line.reported),
            (
                _("Numbers"),
                _("%(left)s still to dial, %(done)s done, %(all)s in all")
                % {"left": f"{numbers.to_dial:,}", "done": f"{done:,}", "all": f"{numbers.total:,}"},
            ),
        ]


class Stop(OfCampaign):
    """Pause, abort or end; repeated by workers until AntBOT confirms it."""

    permission = commands.STOP
    refusals = (commands.NotCommanded,)
    operation = ""

    def ask(self) -> dict[str, Any]:
        name = self.campaign.name
        why = self.line.refused.get(self.operation)
        asked, told = {
            "pause": (
                _("Pause “%s”?"),
                _("No new calls. Calls in progress and a few that are queued still end; it can be resumed."),
            ),
            "abort": (
                _("Abort “%s”?"),
                _("It stops for good: the numbers left are not dialled. Calls in progress still end."),
            ),
            "end": (
                _("End “%s”?"),
                _("It is finished: the numbers left are not dialled. Calls in progress still end."),
            ),
        }[self.operation]
        return {
            "question": asked % name,
            "text": told,
            "facts": self.facts(),
            "inputs": [{"name": "reason", "label": _("Reason (optional)"), "value": self._reason}],
            "blocked": [why] if why else [],
            "submit": command_words(self.operation),
            "danger": self.operation != "pause",
        }

    @property
    def _reason(self) -> str:
        return self.request.POST.get("reason", "").strip()

    def act(self) -> str:
        give = {"pause": commands.pause, "abort": commands.abort, "end": commands.end}[self.operation]
        give(self.campaign, by=self.request.user, reason=self._reason)
        return _("%(what)s of “%(name)s” is asked for. This page says when AntBOT confirms it.") % {
            "what": command_words(self.operation),
            "name": self.campaign.name,
        }


class Start(OfCampaign):
    """The first start, or going on after a pause: every rule is asked again."""

    permission = commands.LAUNCH
    refusals = (commands.NotCommanded,)

    @cached_property
    def brakes(self) -> list[Brake]:
        launch = drafts.launch_of(self.campaign)
        if launch is None:
            return []
        launch.connection = self.campaign.connection
        return preflight.brakes(launch, timezone.now())

    @property
    def _reasons(self) -> dict[str, str]:
        return {
            brake.code: self.request.POST.get(f"override-{brake.code}", "").strip()
            for brake in self.brakes
            if brake.can_override
        }

    def ask(self) -> dict[str, Any]:
        name = self.campaign.name
        why = self.line.refused.get(commands.START)
        hard = [why] if why else [brake.words for brake in self.brakes if not brake.can_override]
        asked = _("Resume “%s”?") if self.line.resumes else _("Start “%s”?")
        return {
            "question": asked % name,
            "text": _("%s numbers are called. The start is sent once and never repeated by itself.")
            % f"{self.figures.to_dial:,}",
            "facts": self.facts(),
            "blocked": hard,
            "inputs": [] if hard else override_inputs(self.brakes, self._reasons, bool(self.request.POST)),
            "submit": command_words("start", self.line.resumes),
        }

    def act(self) -> str:
        hard = [brake.words for brake in self.brakes if not brake.can_override]
        hard += [brake.words for brake in self.brakes if brake.can_override and not self._reasons[brake.code]]
        if hard:
            raise commands.NotCommanded(" ".join(hard))
        commands.start(self.campaign, by=self.request.user, overrides=self._reasons)
        return _("The start of “%s” is on its way. This page says when it runs.") % self.campaign.name


def override_inputs(brakes: list[Brake], given: dict[str, str], posted: bool) -> list[dict[str, Any]]:
    """One reason to give for each brake that a person may overrule."""
    return [
        {
            "name": f"override-{brake.code}",
            "label": _("Go on all the same, because …"),
            "help": brake.words,
            "value": given.get(brake.code, ""),
            "error": _("%s Say why it may go on all the same.") % brake.words
            if posted and not given.get(brake.code)
            else "",
        }
        for brake in brakes
        if brake.can_override
    ]


class Delete(OfCampaign):
    permission = commands.REMOVE
    refusals = (commands.NotCommanded,)

    def ask(self) -> dict[str, Any]:
        why = self.line.refused.get(commands.DELETE)
        calls = self.campaign.calls.count()
        return {
            "question": _("Delete “%s” at AntBOT?") % self.campaign.name,
            "text": _(
                "All its calls are read twice first, then it is deleted there, with its calls. Nothing is"
                " deleted here: calls, numbers and this page stay."
            ),
            "facts": [*self.facts(), (_("Calls mirrored"), f"{calls:,}")],
            "blocked": [why] if why else [],
            "submit": _("Delete at AntBOT"),
            "danger": True,
        }

    def act(self) -> str:
        commands.delete(self.campaign, by=self.request.user)
        return _("“%s” will be deleted at AntBOT when all its calls are here.") % self.campaign.name


class Again(OfCampaign):
    """Makes a draft; nothing is called before its own pre-flight and launch."""

    permission = "bot_campaigns.add_launch"
    refusals = (Unusable, ValidationError)
    made: Launch | None = None

    def _nonce(self) -> uuid.UUID:
        """One press of the button is one draft."""
        try:
            return uuid.UUID(self.request.POST.get("nonce", ""))
        except ValueError:
            return uuid.uuid4()

    def after(self) -> str:
        return reverse("bot:launch_audience", args=[self.made.pk]) if self.made else self.back


class Clone(Again):
    def ask(self) -> dict[str, Any]:
        return {
            "question": _("Make a new campaign like “%s”?") % self.campaign.name,
            "text": _("A draft with the same audience, message and hours. Nothing is called yet."),
            "hidden": [("nonce", uuid.uuid4())],
            "submit": _("Make a draft"),
        }

    def act(self) -> str:
        self.made = drafts.clone(self.campaign, by=self.request.user, nonce=self._nonce())
        return _("A draft was made. Check each step, then the pre-flight.")


class CallUnreached(Again):
    def ask(self) -> dict[str, Any]:
        numbers = self.figures
        unreached = numbers.to_dial + numbers.failed + numbers.aborted
        return {
            "question": _("Call those that “%s” did not reach?") % self.campaign.name,
            "text": _(
                "A draft for everybody who did not answer or was not dialled, about %s numbers."
                " The pre-flight takes out who must not be called (again). Nothing is called yet."
            )
            % f"{unreached:,}",
            "hidden": [("nonce", uuid.uuid4())],
            "submit": _("Make a draft"),
        }

    def act(self) -> str:
        self.made = drafts.unreached(self.campaign, by=self.request.user, nonce=self._nonce())
        return _("A draft was made. Check each step, then the pre-flight.")
