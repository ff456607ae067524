"""The runner tunnel: `WS /v1/runners/{runner_id}/tunnel`."""

from omnigent.accounts.identity import is_single_user
from omnigent.accounts.rights import unauthorized
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import frames
from sessions_app.consumers.tunnel import TunnelConsumer
from sessions_app.services import fleet, presence
from sessions_app.tunnels.tunnel import Tunnel

BAD_TOKEN = 4004
MAX_PROCESS_ID = 64
IDLE_SHUTDOWN = 1000


class RunnerTunnel(TunnelConsumer):
    """A runner dials in; we call its HTTP interface through it."""

    kind = "runner"
    owner = ""
    process_id = ""

    async def admit(self, name: str) -> str | None:
        presented = self.caller.runner_id
        if presented is not None and presented != name:
            await self.accept()
            await self.close(BAD_TOKEN, "the tunnel token is not this runner's")
            return "token"
        owner = await self.process.pool.run(
            fleet.owner_of_runner, runner_id=name, principal=self.caller, has_token=presented is not None
        )
        if owner is None:
            await self.accept()
            await self.close(BAD_TOKEN, "a tunnel token is required for this runner id")
            return "token"
        self.owner = owner
        if not is_single_user() and not await self.process.pool.run(self.may_stay):
            raise unauthorized()
        await self.accept()
        return None

    def may_stay(self) -> bool:
        """Its bearer expires and is renewed; the binding token stands as long as its owner does."""
        return self.caller.user_id in ("", self.owner) and presence.is_welcome(self.owner)

    async def greet(self, name: str, text: str) -> tuple[frozenset[str], int] | None:
        # It is stored, and no database stores a NUL.
        hello = frames.parse(text.replace("\\u0000", "\\ufffd"))
        if not isinstance(hello, frames.Hello):
            return None
        if hello.frame_protocol_version == frames.PROTOCOL_MAJOR:
            self.process_id = hello.process_id or ""
            await self._record(name, hello)
        return frozenset(hello.capabilities), hello.frame_protocol_version

    async def _record(self, name: str, hello: frames.Hello) -> None:
        try:
            await self.process.pool.run(
                presence.register_runner, runner_id=name, owner=self.owner, hello=hello
            )
        except OmnigentError as error:
            if error.code is not ErrorCode.CONFLICT:
                raise
            await self.close(BAD_TOKEN, error.message)

    async def joined(self, tunnel: Tunnel) -> None:
        await self.process.pool.run(
            fleet.process_began, runner_id=tunnel.name, process_id=self.process_id[:MAX_PROCESS_ID]
        )
        for session_pk in await self.process.pool.run(fleet.come_back, tunnel.name):
            self.process.relays.ensure(session_pk, tunnel)
        self.process.announcer.bell("outbox")

    async def on_frame(self, tunnel: Tunnel, text: str) -> None:
        tunnel.answer(frames.parse(text))

    async def parted(self, tunnel: Tunnel) -> None:
        if self.close_code == IDLE_SHUTDOWN:
            await self.process.pool.run(fleet.settle_idle_shutdown, runner_id=tunnel.name)
