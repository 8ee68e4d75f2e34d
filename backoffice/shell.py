"""The admin site: the shell around every page, with our own rules on a few addresses."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.sites import UnfoldAdminSite


class BackofficeSite(UnfoldAdminSite):
    index_template = "backoffice/home.html"
    site_url = None

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> HttpResponse:
        """Lists of models are the developer's view of the product; people have Home."""
        return HttpResponseRedirect(reverse("admin:index"))
