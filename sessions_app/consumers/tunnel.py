"""What both tunnels share: hello, lease, registration, liveness and the end."""

import logging
import math
import time
from typing import ClassVar

from django.conf import settings

from omnigent.accounts.identity import Principal, is_single_user
from omnigent.api.consumer import MAX_REASON, SocketConsumer
from omnigent.protocol.frames import PROTOCOL_MAJOR, FrameError
from sessions_app.process import Process
from sessions_app.running import running_process
from sessions_app.services import presence
from sessions_app.tunnels.tunnel import Tunnel

logger = logging.getLogger(__name__)

NOT_HELLO = 4001
WRONG_PROTOCOL = 4002
REPLACED = 4000
TRY_LATER = 1013
GOING_AWAY = 1012


class TunnelConsumer(SocketConsumer):
    """A tunnel's WebSocket. Subclasses parse frames, check the hello and handle what is not an answer."""

    kind: ClassVar[str]

    tunnel: Tunnel | None = None
    close_code = 1006
    looked_at = -math.inf

    @property
    def process(self) -> Process:
        """What this server process has once."""
        return running_process()

    @property
    def caller(self) -> Principal:
        """Who dialled."""
        principal: Principal = self.principal
        return principal

    async def admit(self, name: str) -> str | None:
        """Check the credentials and accept; a reason refuses, after accepting where the contract says so."""
        raise NotImplementedError

    def may_stay(self) -> bool:
        """Whether the credentials are still good; on a database thread, outside single-user mode."""
        raise NotImplementedError

    async def greet(self, name: str, text: str) -> tuple[frozenset[str], int] | None:
        """Read and record the hello: (capabilities, protocol major), or None when it is not a hello."""
        raise NotImplementedError

    async def turn_down(self, code: int, stage: str, reason: str, *, retryable: bool = False) -> None:
        """Close for a reason; `stage` is how far it had come, `retryable` whether another try may help."""
        await self.close(code, reason[:MAX_REASON])

    async def joined(self, tunnel: Tunnel) -> None:
        """The tunnel is registered."""

    async def on_frame(self, tunnel: Tunnel, text: str) -> None:
        """Handle one message."""
        raise NotImplementedError

    async def parted(self, tunnel: Tunnel) -> None:
        """The tunnel is gone and nobody has taken its place here."""

    async def on_connect(self) -> None:
        name = str(self.kwargs["name"])
        if await self.admit(name) is not None:
            return
        text = await self.first_text(settings.OMNIGENT_HELLO_SECONDS)
        if text is None:
            await self.turn_down(TRY_LATER, "hello", "hello timeout", retryable=True)
            return
        try:
            greeting = await self.greet(name, text)
        except FrameError as error:
            logger.info("bad_hello", extra={"tunnel": name, "reason": str(error)[:200]})
            greeting = None
        if greeting is None:
            await self.turn_down(NOT_HELLO, "hello", "the first frame must be a hello")
            return
        capabilities, major = greeting
        if major != PROTOCOL_MAJOR:
            reason = f"frame protocol {PROTOCOL_MAJOR} is required, this {self.kind} speaks {major}"
            await self.turn_down(WRONG_PROTOCOL, "protocol", reason)
            return
        if not self.is_closed:
            self.looked_at = time.monotonic()
            await self._register(name, capabilities)

    async def _register(self, name: str, capabilities: frozenset[str]) -> None:
        process = self.process
        generation = await process.pool.run(
            presence.open_tunnel,
            kind=self.kind,
            name=name,
            holder=process.replica_id,
            address=process.address,
        )
        self.tunnel = Tunnel(
            kind=self.kind,
            name=name,
            generation=generation,
            capabilities=capabilities,
            send=self.send_text,
            close=self.close,
        )
        older = process.tunnels.add(self.tunnel)
        if older is not None:
            # Beside: the closing handshake of a connection that is only half there may take its time.
            older.lose()
            process.spawn(older.close(REPLACED, "tunnel replaced"))
        if older is self.tunnel:
            return
        logger.info("tunnel_open", extra={"kind": self.kind, "tunnel": name, "generation": generation})
        await self.joined(self.tunnel)

    async def on_text(self, text: str) -> None:
        if self.tunnel is None or self.tunnel.lost.is_set():
            return
        self.tunnel.hear()
        if (
            not is_single_user()
            and time.monotonic() > self.looked_at + settings.OMNIGENT_ACCESS_RECHECK_SECONDS
        ):
            self.looked_at = time.monotonic()
            self.process.spawn(self.look_again())
        try:
            await self.on_frame(self.tunnel, text)
        except FrameError as error:
            logger.info("frame_dropped", extra={"tunnel": self.tunnel.name, "reason": str(error)[:200]})

    async def look_again(self) -> None:
        """Close the tunnel of a host or runner whose credentials have ended meanwhile."""
        if not await self.process.pool.run(self.may_stay):
            await self.close(GOING_AWAY, "the credentials are no longer valid")

    async def on_disconnect(self, code: int) -> None:
        tunnel = self.tunnel
        if tunnel is None:
            return
        self.close_code = code
        tunnel.lose()
        is_current = self.process.tunnels.remove(tunnel)
        logger.info("tunnel_closed", extra={"kind": self.kind, "tunnel": tunnel.name, "code": code})
        await self.process.pool.run(
            presence.close_tunnel, kind=tunnel.kind, name=tunnel.name, generation=tunnel.generation
        )
        if is_current:
            await self.parted(tunnel)
