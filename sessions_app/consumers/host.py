"""The host tunnel: `WS /v1/hosts/{host_id}/tunnel`."""

import logging
import re

from omnigent.accounts.identity import recognise
from omnigent.api.asgi import DENIAL_EXTENSION
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import frames, host_frames
from omnigent.protocol.closing import CloseCode
from sessions_app.consumers.tunnel import TunnelConsumer
from sessions_app.services import fleet, presence
from sessions_app.tunnels.tunnel import Tunnel

logger = logging.getLogger(__name__)

HOST_ID = re.compile(r"(host_)?[0-9a-f]{32}")
NUL, UNREADABLE = "\\u0000", "\\ufffd"
TAKEN = CloseCode.HOST_OWNED_BY_ANOTHER
FAULT = CloseCode.HOST_REGISTRATION_FAILED
THEIRS = "This host id belongs to another user"


class HostTunnel(TunnelConsumer):
    """A host's daemon dials in; we ask it to launch and stop runners and to look at its disk."""

    kind = "host"
    stage = "hello"
    hello: host_frames.HostHello | None = None

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
        await self.turn_down(TAKEN, "registration", THEIRS)
        return THEIRS

    async def turn_down(self, code: int, stage: str, reason: str, *, retryable: bool = False) -> None:
        """Tell the daemon, for whoever started it, and close. It gives up unless `retryable`."""
        frame = host_frames.ConnectionError_(stage=stage, error=reason, retryable=retryable)
        await self.send_text(host_frames.render(frame))
        await super().turn_down(code, stage, reason)

    async def fail(self, exc: BaseException) -> None:
        """A fault of ours is told as well: the daemon dials again."""
        if not self.is_accepted:
            await super().fail(exc)
            return
        reason = exc.message if isinstance(exc, OmnigentError) else "internal error of the server"
        await self.turn_down(FAULT, self.stage, reason, retryable=True)

    async def greet(self, name: str, text: str) -> tuple[frozenset[str], int] | None:
        hello = parsed(text)
        if not isinstance(hello, host_frames.HostHello):
            return None
        if hello.frame_protocol_version == frames.PROTOCOL_MAJOR:
            self.stage = "registration"
            await self._register_host(name, hello)
            self.hello, self.stage = hello, "registry"
        return frozenset(hello.capabilities), hello.frame_protocol_version

    async def _register_host(self, name: str, hello: host_frames.HostHello) -> None:
        try:
            await self.process.pool.run(
                presence.register_host, host_id=name, owner=self.caller.user_id, hello=hello
            )
        except OmnigentError as error:
            if error.code is not ErrorCode.CONFLICT:
                raise
            await self.turn_down(TAKEN, "registration", error.message)

    def may_stay(self) -> bool:
        return recognise(self.caller) is not None

    async def joined(self, tunnel: Tunnel) -> None:
        self.stage = "connected"
        if self.hello is not None:
            # Again: its owner may have removed it between the first time and the opening of the tunnel.
            await self._register_host(tunnel.name, self.hello)
        self.process.announcer.bell("outbox")

    async def on_frame(self, tunnel: Tunnel, text: str) -> None:
        frame = parsed(text)
        match frame:
            case host_frames.RunnerExited():
                logger.info("runner_exited", extra={"runner": frame.runner_id, "host": tunnel.name})
                await self.process.pool.run(
                    fleet.runner_exited,
                    runner_id=frame.runner_id,
                    host_id=tunnel.name,
                    report=(frame.error or "")[: presence.MAX_REPORT],
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


def parsed(text: str) -> frames.Frame:
    """A frame without NUL characters, which no database stores; a file's content may have some."""
    frame = host_frames.parse(text)
    if NUL in text and not isinstance(frame, host_frames.FsResult):
        return host_frames.parse(text.replace(NUL, UNREADABLE))
    return frame
