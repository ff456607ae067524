"""Bells between replicas. A bus is a hint: what it loses costs a read of the log, never an event."""

from collections.abc import Callable
from typing import Protocol

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

Receive = Callable[[bytes], None]
Lost = Callable[[], None]


class Bus(Protocol):
    """Carries small messages to the other server processes. `limit` is the largest message in bytes."""

    limit: int

    async def start(self, receive: Receive, lost: Lost) -> None:
        """Begin to listen; `lost` is called whenever messages may have been missed."""
        ...

    def send(self, message: bytes) -> None:
        """Queue a message; never waits and never fails."""
        ...

    async def stop(self) -> None:
        """Stop listening."""
        ...


class NoBus:
    """One process alone: nobody to ring."""

    limit = 0

    async def start(self, receive: Receive, lost: Lost) -> None:
        """Nothing to listen to."""

    def send(self, message: bytes) -> None:
        """Nobody hears it."""

    async def stop(self) -> None:
        """Nothing to stop."""


def build_bus() -> Bus:
    """The bus that the settings name: Redis, PostgreSQL's own, or none for one process alone.

    By name, because a client library takes memory: Redis's 5 MiB are for those who use it.
    """
    if settings.REDIS_URL:
        bus: Bus = import_string("sessions_app.events.redis_bus.RedisBus")(settings.REDIS_URL)
        return bus
    if connection.vendor == "postgresql":
        bus = import_string("sessions_app.events.postgres_bus.PostgresBus")(settings.DATABASE_URL)
        return bus
    return NoBus()
