"""A server process around the tests' application: `python -m tests.api_plumbing.program daphne|uvicorn`.

It prints the port it listens on, and `drained` and `stopped` when it is told to end. With `--stuck` it waits
for ever then.
"""

import asyncio
import sys

import django
from django.conf import settings
from django.core.management import call_command

from omnigent.api.pool import DatabasePool
from omnigent.serving.lifecycle import Lifecycle
from omnigent.serving.listener import listen


class Process:
    """Stands in for the server's process object and tells what it is asked to do."""

    def __init__(self, pool: DatabasePool, *, is_stuck: bool) -> None:
        self.pool = pool
        self.is_stuck = is_stuck

    async def start(self) -> None:
        say("started")

    async def drain(self) -> None:
        say("drained")

    async def stop(self) -> None:
        if self.is_stuck:
            await asyncio.Event().wait()
        self.pool.close()
        say("stopped")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(name: str, *options: str) -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    from omnigent.server import limits, server_named  # noqa: PLC0415  # needs the settings
    from tests.api_plumbing.application import THREADS, build_application  # noqa: PLC0415  # needs the models

    listener = listen("127.0.0.1", 0, stall_seconds=settings.OMNIGENT_STALL_SECONDS)
    port = listener.getsockname()[1]
    pool = DatabasePool(THREADS)
    lifecycle = Lifecycle(
        process=Process(pool, is_stuck="--stuck" in options),
        announce=lambda: say(f"port {port}"),
        drain_seconds=2.0,
        end_seconds=2.0 if "--stuck" in options else 30.0,
    )
    server_named(name)(build_application(pool), listener, limits(), lifecycle)


if __name__ == "__main__":
    main(*sys.argv[1:])
