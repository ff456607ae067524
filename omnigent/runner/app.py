"""One runner process: owns the link and the sessions, and ends in good order."""

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Final

from omnigent.link import Link, LinkClock, LinkHooks, LinkRules
from omnigent.protocol import frames
from omnigent.runner.agents import Agents
from omnigent.runner.api import ServerApi
from omnigent.runner.config import RunnerConfig
from omnigent.runner.exchange import Exchange
from omnigent.runner.harnesses.registry import Models
from omnigent.runner.harnesses.rows import HARNESSES, HarnessRow
from omnigent.runner.parent import ParentNote, parent_gone
from omnigent.runner.runtime import Runtime, Tunnel
from omnigent.runner.sessions import Sessions
from omnigent.runner.tools.reaper import Reaper

log = logging.getLogger(__name__)

RUNNER_VERSION: Final = "0.1.0"
SILENCE_SECONDS: Final = 60.0
BUSY_SILENCE_SECONDS: Final = 120.0
IDLE_REASON: Final = "runner idle shutdown"
STOP_REASON: Final = "runner stopped"
_GOODBYE_SECONDS: Final = 1.0


class RunnerApp:
    """Built from a config; `run` returns the exit code. What else it takes belongs to tests."""

    def __init__(
        self,
        config: RunnerConfig,
        *,
        api: ServerApi | None = None,
        clock: LinkClock | None = None,
        rules: LinkRules | None = None,
        harnesses: Mapping[str, HarnessRow] = HARNESSES,
    ) -> None:
        self._config = config
        self._api = api or ServerApi(
            server_url=config.server_url,
            runner_id=config.runner_id,
            token=config.token,
            owner_token=config.owner_token,
        )
        self._process_id = secrets.token_hex(16)
        self._tunnel = Tunnel()
        self._reaper = Reaper()
        self._harnesses = harnesses
        self._models = Models(config.environment, harnesses)
        self.sessions = Sessions(
            Runtime(
                config=config,
                api=self._api,
                agents=Agents(self._api),
                models=self._models,
                reaper=self._reaper,
                tunnel=self._tunnel,
            )
        )
        self._exchange = Exchange(self.sessions)
        self._link = Link(
            url=config.tunnel_url,
            headers=self._headers,
            hello=self._hello,
            on_text=self._exchange.receive,
            hooks=LinkHooks(on_up=self._up, on_down=self._down),
            rules=rules or LinkRules(silence_seconds=self._silence),
            clock=clock,
        )
        self._exchange.attach(self._link)
        self._parent_note = ParentNote(config.connected_fd)
        self._stop = asyncio.Event()
        self._stop_reason = STOP_REASON

    async def run(self) -> int:
        """Serve until told to stop, idle for too long, orphaned, or refused by the server."""
        link = asyncio.create_task(self._link.run(), name="link")
        watchers: list[asyncio.Task[object]] = [asyncio.create_task(self._stopped(), name="stop")]
        if self._config.idle_timeout:
            watchers.append(asyncio.create_task(self._watch_idle(), name="idle"))
        if self._config.parent_pid is not None:
            watchers.append(asyncio.create_task(self._watch_parent(self._config.parent_pid), name="parent"))
        try:
            await asyncio.wait({link, *watchers}, return_when=asyncio.FIRST_COMPLETED)
            if not link.done():
                await self._leave()
            end = await link
            log.info("runner ends", extra={"reason": end.reason, "exit_code": end.exit_code})
            return end.exit_code
        finally:
            for task in (link, *watchers):
                task.cancel()
            await asyncio.gather(link, *watchers, return_exceptions=True)
            await self._close()

    def stop(self) -> None:
        """End in good order; also what SIGTERM does."""
        self._stop.set()

    # -- the end ---------------------------------------------------------------------------------------

    async def _leave(self) -> None:
        await self.sessions.drain(self._config.drain_seconds)
        await self._exchange.streams_ended(_GOODBYE_SECONDS)
        await self._link.stop(1000, self._stop_reason)

    async def _close(self) -> None:
        self.sessions.is_draining = True
        await self.sessions.drain(0.5)
        await self._exchange.reset()
        self._reaper.close()
        await self._models.close()
        await self._api.close()

    async def _stopped(self) -> object:
        return await self._stop.wait()

    async def _watch_idle(self) -> object:
        limit = self._config.idle_timeout
        while True:
            if self._exchange.is_busy or self.sessions.is_busy:
                self._exchange.last_active = time.monotonic()
            left = self._exchange.last_active + limit - time.monotonic()
            if left <= 0:
                self._stop_reason = IDLE_REASON
                return True
            await asyncio.sleep(min(left, 5.0))

    async def _watch_parent(self, pid: int) -> object:
        await parent_gone(pid)
        log.warning("the parent process is gone", extra={"pid": pid})
        return True

    # -- the link --------------------------------------------------------------------------------------

    async def _headers(self) -> Mapping[str, str]:
        if self._link.refused_status is not None:
            self._api.credentials.forget()
        return await self._api.credentials.headers()

    def _hello(self) -> str:
        # Before the server knows of this runner, so that the two never disagree about a death right after.
        self._parent_note.tell()
        ready = tuple(name for name, row in self._harnesses.items() if row.is_ready(self._config.environment))
        return frames.render(
            frames.Hello(
                runner_version=RUNNER_VERSION,
                frame_protocol_version=frames.PROTOCOL_MAJOR,
                harnesses=ready,
                telemetry_opt_out=True,
                capabilities=(frames.EVENT_ACK,),
                connection_id=secrets.token_hex(16),
                process_id=self._process_id,
            )
        )

    async def _up(self) -> None:
        log.info("tunnel up", extra={"runner": self._config.runner_id})
        self._tunnel.went_up()

    async def _down(self, reason: str) -> None:
        self._tunnel.went_down()
        await self._exchange.reset()

    def _silence(self) -> float:
        return BUSY_SILENCE_SECONDS if self._exchange.is_busy else SILENCE_SECONDS
