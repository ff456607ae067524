"""Serving with Daphne: its server with flow control, bounded bodies and correct closes."""

import asyncio
import logging
import socket
from functools import partial
from typing import Any

# Importing it installs the Twisted reactor on the loop it makes, so this module is loaded only to use Daphne.
from daphne.server import Server, twisted_loop

from omnigent.serving.daphne_protocols import PacedRequest, PacedSocket
from omnigent.serving.lifecycle import Lifecycle
from omnigent.serving.limits import Application, Limits

logger = logging.getLogger(__name__)


class PacedServer(Server):  # type: ignore[misc]  # Daphne is untyped
    """Daphne hands what an application sends to Twisted, whose buffer has no bound. Here `send` waits while
    the client does not read, as it does on uvicorn.
    """

    def __init__(self, application: Application, *, body_seconds: float, **options: Any) -> None:
        super().__init__(application, **options)
        self.body_seconds = body_seconds
        self.http_factory: Any = None  # both are made by `run`
        self.ws_factory: Any = None

    def use_own_protocols(self) -> None:
        """Must be called when the factories exist and nothing was accepted yet."""
        build = self.http_factory.buildProtocol

        def build_protocol(address: Any) -> Any:
            protocol = build(address)
            protocol.requestFactory = PacedRequest
            return protocol

        self.http_factory.buildProtocol = build_protocol
        self.ws_factory.protocol = PacedSocket

    async def handle_reply(self, protocol: PacedRequest | PacedSocket, message: dict[str, Any]) -> None:
        await protocol.pace.wait()
        await super().handle_reply(protocol, message)

    def protocol_disconnected(self, protocol: PacedRequest | PacedSocket) -> None:
        protocol.pace.stopProducing()
        super().protocol_disconnected(protocol)

    def kill_all_applications(self) -> Any:
        """Daphne stumbles over connections whose application has ended or was never made."""
        for protocol, details in list(self.connections.items()):
            if "application_instance" not in details:
                del self.connections[protocol]
        return super().kill_all_applications() if self.connections else None


def serve(application: Application, listener: socket.socket, limits: Limits, lifecycle: Lifecycle) -> None:
    loop = twisted_loop
    asyncio.set_event_loop(loop)
    loop.run_until_complete(lifecycle.start())
    server = PacedServer(
        application,
        body_seconds=limits.body_seconds,
        endpoints=[endpoint(listener)],
        signal_handlers=False,
        request_buffer_size=64 * 1024,
        server_name="",
        # A tunnel or a terminal may stay open for as long as it is of use.
        websocket_timeout=-1,
        websocket_handshake_timeout=20,
        ping_interval=limits.ping_seconds,
        ping_timeout=limits.ping_timeout,
        websocket_max_message_size=limits.frame_bytes,
        websocket_max_frame_size=limits.frame_bytes,
    )
    server.ready_callable = partial(begin, server, lifecycle, loop)
    try:
        server.run()
    finally:
        loop.run_until_complete(lifecycle.stop())


def begin(server: PacedServer, lifecycle: Lifecycle, loop: asyncio.AbstractEventLoop) -> None:
    """Daphne's ready hook: the factories exist, the reactor is about to run."""
    server.use_own_protocols()
    lifecycle.on_signals(server.stop)
    loop.call_soon(lifecycle.serving)


def endpoint(listener: socket.socket) -> str:
    """The Twisted description of a bound socket. It can adopt IPv4 sockets only; others it binds again."""
    if listener.family == socket.AF_INET:
        # Twisted duplicates the descriptor and closes the one it was given.
        return f"fd:fileno={listener.detach()}"
    host, port = listener.getsockname()[:2]
    listener.close()
    return f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"
