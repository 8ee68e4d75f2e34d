"""Campaigns and launches: the two lists, what needs a person first."""

from typing import Any

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from backoffice.pages import ListPage
from bot_campaigns.filters.campaigns import CampaignFilter, LaunchFilter
from bot_campaigns.models import Campaign, Launch
from bot_campaigns.records import ReportedStatus
from bot_campaigns.services import waiting
from bot_campaigns.tables.campaigns import CampaignTable, LaunchTable
from bot_campaigns.views import campaign_rows
from bot_campaigns.views.campaign_home import notices

TABS = (("bot:campaigns", _("Campaigns")), ("bot:launches", _("Launches")))
Status = Launch.Status
_URGENT = (Status.HELD, Status.HANDING_OVER, Status.READY, Status.CHECKED, Status.DRAFT)


class CampaignList(ListPage):
    permission = "bot_campaigns.view_campaign"
    template_name = "bot_campaigns/campaign_list.html"
    title = _("Campaigns")
    noun = _("campaigns")
    empty_text = _("No campaign yet. Pick an audience and launch the first one.")
    table_class = CampaignTable
    filterset_class = CampaignFilter

    def get_queryset(self) -> QuerySet[Campaign]:
        over = Q(reported_status__in=(ReportedStatus.ENDED, ReportedStatus.COMPLETED)) | Q(
            gone_at__isnull=False
        )
        doubtful = Q(pk__in=waiting.unconfirmed_stops().order_by().values("campaign"))
        rank = Case(
            When(doubtful, then=Value(0)),
            When(over, then=Value(3)),
            When(reported_status=ReportedStatus.STARTED, then=Value(1)),
            default=Value(2),
            output_field=IntegerField(),
        )
        return Campaign.objects.annotate(rank=rank).order_by("rank", "-pk")

    def with_related(self, rows: QuerySet[Campaign]) -> QuerySet[Campaign]:
        return rows.select_related("connection").defer("raw", "description", "connection__credentials")

    def get_table(self, shown: list[Any]) -> CampaignTable:
        found = campaign_rows.rows(shown, self.request.user, back=self.request.get_full_path())
        self.live = any(
            row["campaign"].reported_status == 1 or row["line"].not_yet_stopped for row in found.values()
        )
        return CampaignTable(shown, shown=found, request=self.request, order_by=())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user: Any = self.request.user
        context = super().get_context_data(**kwargs)
        may_launch = user.has_perm("bot_campaigns.add_launch")
        return {
            **context,
            "live": self.live,
            "tabs": TABS,
            "here": "bot:campaigns",
            "may_launch": may_launch,
            "attention": [] if self.request.GET else list(notices(user)),
            "empty_action": _new() if may_launch else None,
        }


class LaunchList(ListPage):
    permission = "bot_campaigns.view_launch"
    template_name = "bot_campaigns/campaign_list.html"
    title = _("Launches")
    noun = _("launches")
    empty_text = _("Nothing was begun yet.")
    table_class = LaunchTable
    filterset_class = LaunchFilter
    crumbs = ((_("Campaigns"), "bot:campaigns"),)

    def get_queryset(self) -> QuerySet[Launch]:
        rank = Case(
            *(When(status=status, then=Value(place)) for place, status in enumerate(_URGENT)),
            default=Value(len(_URGENT)),
            output_field=IntegerField(),
        )
        return Launch.objects.annotate(rank=rank).order_by("rank", "-created_at", "-pk")

    def with_related(self, rows: QuerySet[Launch]) -> QuerySet[Launch]:
        return rows.select_related("created_by").defer("proof", "audience_spec", "description")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        may_launch = self.request.user.has_perm("bot_campaigns.add_launch")  # type: ignore[union-attr]
        return super().get_context_data(
            tabs=TABS,
            here="bot:launches",
            may_launch=may_launch,
            empty_action=_new() if may_launch else None,
            **kwargs,
        )


def _new() -> dict[str, Any]:
    return {"url": reverse("bot:launch_new"), "label": _("New campaign")}
