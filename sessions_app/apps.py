"""Sessions: their log, turns, tunnels and pages."""

from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.core.checks import Tags, register

if TYPE_CHECKING:
    from sessions_app.process import Process


class SessionsConfig(AppConfig):
    """Sessions; `process` is what this server process has once, set by whoever starts it."""

    name = "sessions_app"
    verbose_name = "Sessions"
    default_auto_field = "django.db.models.BigAutoField"
    process: "Process | None" = None

    def ready(self) -> None:
        """Register the checks, now that there are models."""
        from sessions_app.search.checks import check_trigrams  # noqa: PLC0415 - imports models

        register(check_trigrams, Tags.database)
