"""Addresses of the campaign pages."""

from django.urls import path

from bot_campaigns.views import campaign_commands as give
from bot_campaigns.views import campaign_list, campaign_page, launch_preflight, launch_wizard

app_name = "bot"
urlpatterns = [
    path("campaigns/", campaign_list.CampaignList.as_page(), name="campaigns"),
    path("campaigns/<int:pk>/", campaign_page.CampaignPage.as_page(), name="campaign"),
    path("campaigns/<int:pk>/live/", campaign_page.CampaignLive.as_page(), name="campaign_live"),
    path("campaigns/<int:pk>/subscribers/", campaign_page.Subscribers.as_page(), name="campaign_subscribers"),
    path("campaigns/<int:pk>/calls/", campaign_page.Calls.as_page(), name="campaign_calls"),
    path("campaigns/<int:pk>/withdrawn/", campaign_page.Withdrawn.as_page(), name="campaign_withdrawn"),
    path("campaigns/<int:pk>/proof/", campaign_page.Proof.as_page(), name="campaign_proof"),
    path("campaigns/<int:pk>/start/", give.Start.as_page(), name="campaign_start"),
    path("campaigns/<int:pk>/pause/", give.Stop.as_page(operation="pause"), name="campaign_pause"),
    path("campaigns/<int:pk>/abort/", give.Stop.as_page(operation="abort"), name="campaign_abort"),
    path("campaigns/<int:pk>/end/", give.Stop.as_page(operation="end"), name="campaign_end"),
    path("campaigns/<int:pk>/delete/", give.Delete.as_page(), name="campaign_delete"),
    path("campaigns/<int:pk>/clone/", give.Clone.as_page(), name="campaign_clone"),
    path("campaigns/<int:pk>/unreached/", give.CallUnreached.as_page(), name="campaign_unreached"),
    path("campaigns/new/", launch_wizard.New.as_page(), name="launch_new"),
    path("campaigns/of-contacts/", launch_wizard.OfContacts.as_page(), name="launch_of_contacts"),
    path("launches/", campaign_list.LaunchList.as_page(), name="launches"),
    path("launches/<int:pk>/", launch_preflight.LaunchPage.as_page(), name="launch"),
    path("launches/<int:pk>/audience/", launch_wizard.Audience.as_page(), name="launch_audience"),
    path("launches/<int:pk>/message/", launch_wizard.Message.as_page(), name="launch_message"),
    path("launches/<int:pk>/when/", launch_wizard.Pace.as_page(), name="launch_pace"),
    path("launches/<int:pk>/check/", launch_preflight.Check.as_page(), name="launch_check"),
    path("launches/<int:pk>/numbers/", launch_preflight.Numbers.as_page(), name="launch_numbers"),
    path("launches/<int:pk>/confirm/", launch_preflight.Confirm.as_page(), name="launch_confirm"),
    path("launches/<int:pk>/progress/", launch_preflight.Progress.as_page(), name="launch_progress"),
    path("launches/<int:pk>/resume/", launch_preflight.Resume.as_page(), name="launch_resume"),
    path("launches/<int:pk>/cancel/", launch_preflight.Cancel.as_page(), name="launch_cancel"),
]
