"""Serving with uvicorn, on uvloop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from operator import methodcaller

import uvicorn
import uvloop

from omnigent.serving.lifecycle import Lifecycle
from omnigent.serving.limits import Application, Limits

GRACE_SECONDS = 1


class Server(uvicorn.Server):
    """uvicorn without its signal handling, which knows nothing of draining."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle) -> None:
        super().__init__(config)
        self.lifecycle = lifecycle

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        self.lifecycle.on_signals(self.leave)
        yield

    def leave(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.lifecycle.serving()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answers that are being given get most of the grace; then streams end, which never do by themselves:
        uvicorn would cancel them and report each as an error.
        """
        loop = asyncio.get_running_loop()
        timers = (
            loop.call_later(GRACE_SECONDS * 0.6, self.hang_up, methodcaller("close")),
            loop.call_later(GRACE_SECONDS * 0.8, self.hang_up, methodcaller("abort")),
        )
        await super().shutdown(sockets=sockets)
        for timer in timers:
            timer.cancel()

    def hang_up(self, end: Callable[[asyncio.Transport], None]) -> None:
        """End every connection: `close` still writes what waits, `abort` does not."""
        for connection in list(self.server_state.connections):
            end(connection.transport)


def serve(application: Application, listener: socket.socket, limits: Limits, lifecycle: Lifecycle) -> None:
    config = uvicorn.Config(
        application,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        # Forwarding headers are judged by the gate, never believed here.
        proxy_headers=False,
        backlog=limits.backlog,
        # Longer than clients keep idle connections, or they meet a close when they reuse one.
        timeout_keep_alive=75,
        ws_max_size=limits.frame_bytes,
        ws_ping_interval=limits.ping_seconds,
        ws_ping_timeout=limits.ping_timeout,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )

    async def run() -> None:
        await lifecycle.start()
        try:
            await Server(config, lifecycle).serve(sockets=[listener])
        finally:
            await lifecycle.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
