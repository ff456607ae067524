"""Sessions: their log, turns, tunnels and pages."""

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from sessions_app.process import Process


class SessionsConfig(AppConfig):
    """Sessions; `process` is what this server process has once, set by whoever starts it."""

    name = "sessions_app"
    verbose_name = "Sessions"
    default_auto_field = "django.db.models.BigAutoField"
    process: "Process | None" = None
