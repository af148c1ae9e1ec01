"""The table of contents: the console here, what programs manage in `proxyapp.api.management.urls`, everything else that
they call in `proxyapp.api.urls`."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

handler400 = "proxyapp.api.management.base.bad_request"
admin.site.index_title = "Overview"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("", include("proxyapp.api.management.urls")),
    path("", include("proxyapp.api.urls")),
]
