"""What this server process has once, for whoever is not handed it."""

from typing import TYPE_CHECKING, cast

from django.apps import apps

if TYPE_CHECKING:
    from sessions_app.apps import SessionsConfig
    from sessions_app.process import Process


def process_or_none() -> "Process | None":
    """The process, None in a management command."""
    return cast("SessionsConfig", apps.get_app_config("sessions_app")).process


def running_process() -> "Process":
    """The process. Raises RuntimeError where no server runs."""
    process = process_or_none()
    if process is None:
        raise RuntimeError("no server process runs here")
    return process
