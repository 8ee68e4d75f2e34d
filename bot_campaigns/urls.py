"""Addresses of the campaign pages."""

from django.urls import path

from bot_campaigns.views import connections, incidents, rules, runs, unreadable

app_name = "bot"
urlpatterns = [
    path("incidents/", incidents.IncidentList.as_page(), name="incidents"),
    path("incidents/<int:pk>/", incidents.IncidentPage.as_page(), name="incident"),
    path("incidents/<int:pk>/close/", incidents.CloseIncident.as_page(), name="incident_close"),
    path("calling-rules/", rules.RulesList.as_page(), name="rules"),
    path("calling-rules/<int:pk>/", rules.RulesPage.as_page(), name="rules_of"),
    path("bots/<int:pk>/clock/", rules.VendorClockPage.as_page(), name="vendor_clock"),
    path("bots/<int:pk>/sync/", connections.SyncNow.as_page(), name="connection_sync"),
    path("bots/<int:pk>/progress/", connections.Progress.as_page(), name="connection_progress"),
    path("bots/<int:pk>/check/", connections.Check.as_page(), name="connection_check"),
    path("bot-runs/", runs.RunList.as_page(), name="runs"),
    path("bot-runs/<int:pk>/", runs.RunPage.as_page(), name="run"),
    path("bot-runs/<int:pk>/progress/", runs.RunProgress.as_page(), name="run_progress"),
    path("bot-runs/<int:pk>/approve/", runs.Approve.as_page(), name="run_approve"),
    path("bot-runs/<int:pk>/dismiss/", runs.Dismiss.as_page(), name="run_dismiss"),
    path("bot-unreadable/", unreadable.UnreadableList.as_page(), name="unreadable"),
    path("bot-unreadable/<int:pk>/", unreadable.UnreadablePage.as_page(), name="unreadable_record"),
]
