"""Every path of the server. Applications first, so that they may refine what the project answers."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from omnigent.api import views
from omnigent.api.schema.views import docs, openapi

urlpatterns = [
    path("", include("sessions_app.urls")),
    path("", include("agents_app.urls")),
    path("", include("policies_app.urls")),
    path("api/version", views.Version.as_view(), name="version"),
    path("v1/info", views.Info.as_view(), name="info"),
    path("openapi.json", openapi, name="openapi"),
    path("docs", docs, name="docs"),
    path("", include("omnigent.accounts.urls")),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    re_path(r"^(v1|api|internal)(/.*)?$", views.unknown_api_path),
]

handler400 = views.bad_request
handler403 = views.permission_denied
handler404 = views.page_not_found
handler500 = views.server_error
