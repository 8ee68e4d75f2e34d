"""Addresses of the pages that are not changelists."""

from django.urls import path

from crm_bridge.views import capability_report as report
from crm_bridge.views import conflicts, connections, merges, outgoing, runs, same_person, trash, unreadable

app_name = "crm"
urlpatterns = [
    path("trash/", trash.TrashList.as_page(), name="trash"),
    path("trash/<int:pk>/", trash.TrashSnapshot.as_page(), name="trash_snapshot"),
    path("trash/<int:pk>/recreate/", trash.Recreate.as_page(), name="trash_recreate"),
    path("same-person/", same_person.SamePerson.as_page(), name="same_person"),
    path("same-person/<int:pk>/", same_person.SamePersonGroup.as_page(), name="same_person_group"),
    path("same-person/of/<int:pk>/", same_person.SamePersonOf.as_page(), name="same_person_of"),
    path("merges/", merges.MergeList.as_page(), name="merges"),
    path("merges/<int:pk>/", merges.MergePage.as_page(), name="merge"),
    path("merges/<int:pk>/survivor/", merges.NameSurvivor.as_page(), name="merge_survivor"),
    path("outgoing/", outgoing.OutgoingList.as_page(), name="outgoing"),
    path("outgoing/retry/", outgoing.RetrySelected.as_page(), name="outgoing_retry_selected"),
    path("outgoing/<int:pk>/", outgoing.OutgoingPage.as_page(), name="outgoing_change"),
    path("outgoing/<int:pk>/retry/", outgoing.Retry.as_page(), name="outgoing_retry"),
    path("outgoing/<int:pk>/drop/", outgoing.Drop.as_page(), name="outgoing_drop"),
    path("outgoing/<int:pk>/link/", outgoing.Link.as_page(), name="outgoing_link"),
    path("outgoing/<int:pk>/resend/", outgoing.Resend.as_page(), name="outgoing_resend"),
    path("conflicts/", conflicts.ConflictList.as_page(), name="conflicts"),
    path("conflicts/<int:pk>/", conflicts.ConflictPage.as_page(), name="conflict"),
    path("conflicts/<int:pk>/settle/", conflicts.Settle.as_page(), name="conflict_settle"),
    path("runs/", runs.RunList.as_page(), name="runs"),
    path("runs/<int:pk>/", runs.RunPage.as_page(), name="run"),
    path("runs/<int:pk>/progress/", runs.RunProgress.as_page(), name="run_progress"),
    path("runs/<int:pk>/approve/", runs.Approve.as_page(), name="run_approve"),
    path("runs/<int:pk>/dismiss/", runs.Dismiss.as_page(), name="run_dismiss"),
    path("unreadable/", unreadable.UnreadableList.as_page(), name="unreadable"),
    path("unreadable/<int:pk>/", unreadable.UnreadablePage.as_page(), name="unreadable_record"),
    path("connections/<int:pk>/sync/", connections.SyncNow.as_page(), name="connection_sync"),
    path("connections/<int:pk>/progress/", connections.Progress.as_page(), name="connection_progress"),
    path("connections/<int:pk>/check/", connections.Check.as_page(), name="connection_check"),
    path("connections/<int:pk>/report/", report.CapabilityReport.as_page(), name="connection_report"),
    path(
        "connections/<int:pk>/report/progress/",
        report.ReportProgress.as_page(),
        name="connection_report_progress",
    ),
    path("connections/<int:pk>/report/start/", report.StartCheck.as_page(), name="connection_report_start"),
    path("connections/<int:pk>/feature/", report.ProveFeature.as_page(), name="connection_feature"),
    path("connections/<int:pk>/fields/", report.ReadFields.as_page(), name="connection_fields"),
]
