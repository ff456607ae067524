"""Keeps one MCP server answering: started when it is wanted, started again with longer and longer pauses."""

import asyncio
import logging
import math
import random
import time
from typing import Final

from omnigent.runner.mcp.base import Connection, Definition, McpFault, OpenerLoader
from omnigent.runner.tools.reaper import Reaper

log = logging.getLogger(__name__)

START_SECONDS: Final = 120.0
_STEADY_SECONDS: Final = 30.0
_MOST_DOUBLINGS: Final = 16


class Supervisor:
    """One server and its present connection.

    After as many failures in a row as its retry block allows it stays down until somebody wants it again.
    """

    def __init__(self, definition: Definition, reaper: Reaper, load: OpenerLoader) -> None:
        self._definition = definition
        self._reaper = reaper
        self._load = load
        self._connection: Connection | None = None
        self._fault: str | None = None
        self._down_until = 0.0
        self._failures = 0
        self._gave_up = False
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def connection(self, *, seconds: float, pause: float) -> Connection:
        """The connection, waiting so long for a start that is under way, and through a pause before the next
        one that takes no longer than `pause`. Raises McpFault.
        """
        if self._gave_up:
            self._gave_up = False
            self._down_until = 0.0
            self._wanted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=f"mcp-{self._definition.name}")
        try:
            async with asyncio.timeout(seconds):
                while self._connection is None or self._connection.is_lost:
                    if self._fault is not None and self._down_until - time.monotonic() > pause:
                        raise McpFault(self._fault)
                    changed = self._changed
                    await changed.wait()
        except TimeoutError:
            raise McpFault(self._fault or f"it has not started within {seconds:g} s") from None
        return self._connection

    async def close(self) -> None:
        """End the server."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            began = time.monotonic()
            fault = await self._run()
            if time.monotonic() - began > _STEADY_SECONDS:
                self._failures = 0
            self._failures += 1
            await self._wait_after(fault)

    async def _run(self) -> str:
        """Why the connection ended, or was not made."""
        fault: str | None = None
        try:
            opener = await self._load()
            async with (
                asyncio.timeout(START_SECONDS) as starting,
                opener(self._definition, self._reaper) as connection,
            ):
                starting.reschedule(None)
                self._tell(connection, None)
                log.info("mcp server is up", extra={"server": self._definition.name})
                fault = await connection.ended()
                self._tell(None, fault)
                return fault
        except McpFault as exc:
            return str(exc)
        except TimeoutError:
            return f"it did not start within {START_SECONDS:g} s"
        except Exception as exc:
            # The outermost loop around a server: whatever breaks in it must not end the runner's tasks.
            log.debug("mcp server broke", exc_info=exc)
            return fault or f"it broke: {type(exc).__name__}"

    async def _wait_after(self, fault: str) -> None:
        retry = self._definition.retry
        doublings = min(self._failures - 1, _MOST_DOUBLINGS)
        pause = min(retry.backoff_base_s * 2**doublings, retry.backoff_max_s)
        if retry.jitter:
            pause *= random.uniform(0.5, 1.0)
        self._gave_up = self._failures > retry.max_retries
        log.warning(
            "mcp server is down",
            extra={"server": self._definition.name, "fault": fault, "failures": self._failures},
        )
        self._down_until = math.inf if self._gave_up else time.monotonic() + pause
        self._wanted.clear()
        self._tell(None, fault)
        await (self._wanted.wait() if self._gave_up else asyncio.sleep(pause))
        self._down_until = 0.0
        self._tell(None, self._fault)

    def _tell(self, connection: Connection | None, fault: str | None) -> None:
        self._connection, self._fault = connection, fault
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
