"""Every URL of the site."""

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from backend.api import api

admin.site.site_header = admin.site.site_title = "Administration"
admin.site.index_title = "Data and people"


def missing(_request: HttpRequest) -> HttpResponse:
    """Answer 404."""
    raise Http404


urlpatterns = [
    path("api/", api.urls),
    # People have no telephone numbers here, and allauth's operations on them would be server errors.
    re_path(r"^_allauth/(?:app|browser)/v1/(?:account|auth)/phone", missing),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(url="/api/docs")),
]
