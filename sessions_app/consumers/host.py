"""The host tunnel: `WS /v1/hosts/{host_id}/tunnel`."""

import logging
import re

from omnigent.accounts.identity import recognise
from omnigent.api.asgi import DENIAL_EXTENSION
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import frames, host_frames
from sessions_app.consumers.tunnel import TunnelConsumer
from sessions_app.services import fleet, presence
from sessions_app.tunnels.tunnel import Tunnel

logger = logging.getLogger(__name__)

HOST_ID = re.compile(r"(host_)?[0-9a-f]{32}")
TAKEN = 4009
THEIRS = "This host id belongs to another user"


class HostTunnel(TunnelConsumer):
    """A host's daemon dials in; we ask it to launch and stop runners and to look at its disk."""

    kind = "host"

    async def admit(self, name: str) -> str | None:
        if not HOST_ID.fullmatch(name):
            raise OmnigentError(fleet.INVALID, "A host id is 32 hexadecimal digits")
        owner = await self.process.pool.run(presence.owner_of_host, name)
        if owner is not None and owner != self.caller.user_id:
            return await self.turn_away()
        await self.accept()
        return None

    async def turn_away(self) -> str:
        """Another user's host id: 409, or a code of its own where a server cannot answer a handshake."""
        if DENIAL_EXTENSION in (self.scope.get("extensions") or {}):
            raise OmnigentError(fleet.CONFLICT, THEIRS)
        await self.accept()
        await self.close(TAKEN, THEIRS)
        return THEIRS

    async def greet(self, name: str, text: str) -> tuple[frozenset[str], int] | None:
        hello = host_frames.parse(text)
        if not isinstance(hello, host_frames.HostHello):
            return None
        if hello.frame_protocol_version == frames.PROTOCOL_MAJOR:
            try:
                await self.process.pool.run(
                    presence.register_host, host_id=name, owner=self.caller.user_id, hello=hello
                )
            except OmnigentError as error:
                if error.code is not ErrorCode.CONFLICT:
                    raise
                await self.close(TAKEN, error.message)
        return frozenset(hello.capabilities), hello.frame_protocol_version

    def may_stay(self) -> bool:
        return recognise(self.caller) is not None

    async def joined(self, tunnel: Tunnel) -> None:
        self.process.announcer.bell("outbox")

    async def on_frame(self, tunnel: Tunnel, text: str) -> None:
        frame = host_frames.parse(text)
        match frame:
            case host_frames.RunnerExited():
                logger.info("runner_exited", extra={"runner": frame.runner_id, "host": tunnel.name})
                await self.process.pool.run(
                    fleet.runner_exited,
                    runner_id=frame.runner_id,
                    host_id=tunnel.name,
                    report=frame.error or "",
                    had_connected=frame.had_connected,
                )
            case host_frames.HarnessReadiness():
                await self.process.pool.run(
                    presence.update_readiness,
                    host_id=tunnel.name,
                    configured_harnesses=frame.configured_harnesses,
                    gateway_inference=frame.gateway_inference,
                )
            case host_frames.Result():
                tunnel.result(frame)
            case _:
                return
