"""Routes of one environment of a session; consumers answer them."""

from django.urls import path

from sessions_app.api import environments

urlpatterns = [
    path("", environments.EnvironmentItem.as_view(), name="session-environment"),
    path("/filesystem", environments.RootDirectory.as_view(), name="session-environment-root"),
    path("/filesystem/<path:path>", environments.FileOrDirectory.as_view(), name="session-environment-file"),
    path("/search", environments.FileSearch.as_view(), name="session-environment-search"),
    path(
        "/search/<path:path>", environments.FileSearchBelow.as_view(), name="session-environment-search-below"
    ),
    path("/changes", environments.ChangedFiles.as_view(), name="session-environment-changes"),
    path("/diff/<path:path>", environments.ChangedFile.as_view(), name="session-environment-diff"),
    path("/shell", environments.Shell.as_view(), name="session-environment-shell"),
]
