"""Addresses. The admin shell is the whole site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("crm_bridge.urls")),
    path("", include("bot_campaigns.urls")),
    path("", admin.site.urls),
]
