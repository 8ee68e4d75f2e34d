"""Addresses of the campaign pages."""

from django.urls import path

from bot_campaigns.views import base, call_flows, calls, dnc, phonebooks, reminders

app_name = "bot"
urlpatterns = [
    path("calls/", calls.CallList.as_page(), name="calls"),
    path("calls/export/", calls.CallExport.as_page(), name="calls_export"),
    path("calls/<int:pk>/", calls.CallPage.as_page(), name="call"),
    path("phonebooks/", phonebooks.PhonebookList.as_page(), name="phonebooks"),
    path("phonebooks/new/", phonebooks.NewBook.as_page(), name="phonebook_new"),
    path("phonebooks/<int:pk>/", phonebooks.PhonebookPage.as_page(), name="phonebook"),
    path("phonebooks/<int:pk>/rename/", phonebooks.RenameBook.as_page(), name="phonebook_rename"),
    path("phonebooks/<int:pk>/numbers/new/", phonebooks.NewNumber.as_page(), name="bot_contact_new"),
    path("numbers/<int:pk>/", phonebooks.NumberPage.as_page(), name="bot_contact"),
    path("numbers/<int:pk>/edit/", phonebooks.EditNumber.as_page(), name="bot_contact_edit"),
    path("templates/", call_flows.TemplateList.as_page(), name="templates"),
    path("templates/new/", call_flows.NewSurvey.as_page(), name="template_new"),
    path("templates/<int:pk>/", call_flows.TemplatePage.as_page(), name="template"),
    path("templates/<int:pk>/sections/new/", call_flows.NewSection.as_page(), name="section_new"),
    path("sections/<int:pk>/edit/", call_flows.EditSection.as_page(), name="section_edit"),
    path("gateways/", call_flows.GatewayList.as_page(), name="gateways"),
    path("do-not-call/", dnc.SuppressionList.as_page(), name="suppressions"),
    path("do-not-call/add/", dnc.AddSuppression.as_page(), name="suppression_add"),
    path("do-not-call/import/", dnc.ImportSuppressions.as_page(), name="suppression_import"),
    path("do-not-call/import/confirm/", dnc.ConfirmSuppressions.as_page(), name="suppression_import_confirm"),
    path("do-not-call/lists/", dnc.DncLists.as_page(), name="dnc"),
    path("do-not-call/lists/new/", dnc.NewList.as_page(), name="dnc_new"),
    path("do-not-call/lists/<int:pk>/", dnc.DncListPage.as_page(), name="dnc_list"),
    path("do-not-call/lists/<int:pk>/add/", dnc.NewEntry.as_page(), name="dnc_entry_new"),
    path("do-not-call/<int:pk>/", dnc.SuppressionPage.as_page(), name="suppression"),
    path("do-not-call/<int:pk>/lift/", dnc.LiftSuppression.as_page(), name="suppression_lift"),
    path("reminders/", reminders.ReminderList.as_page(), name="reminders"),
    path("reminders/<int:pk>/", reminders.ReminderPage.as_page(), name="reminder"),
    path("reminders/<int:pk>/state/", reminders.ReminderReceipt.as_page(), name="reminder_state"),
    path("reminders/<int:pk>/drop/", reminders.DropReminder.as_page(), name="reminder_drop"),
    path("reminders/of/<int:pk>/new/", reminders.NewReminder.as_page(), name="reminder_new"),
    path("reminders/settings/<int:pk>/", reminders.ReminderSetting.as_page(), name="reminder_setting"),
    path("changes/<int:pk>/receipt/", base.Receipt.as_page(), name="change_receipt"),
    path("changes/<int:pk>/retry/", base.RetryChange.as_page(), name="change_retry"),
    path("changes/<int:pk>/drop/", base.DropChange.as_page(), name="change_drop"),
]
