"""Every URL of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from backend.api import api

admin.site.site_header = admin.site.site_title = "Administration"
admin.site.index_title = "Data and people"

urlpatterns = [
    path("api/", api.urls),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(url="/api/docs")),
]
