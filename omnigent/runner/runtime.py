"""What all sessions of one runner process share."""

import asyncio
from dataclasses import dataclass, field

from omnigent.runner.agents import Agents
from omnigent.runner.api import ServerApi
from omnigent.runner.config import RunnerConfig
from omnigent.runner.harnesses.registry import Models
from omnigent.runner.mcp.pool import McpPool
from omnigent.runner.sandbox.bubblewrap import Bubblewrap
from omnigent.runner.tools.reaper import Reaper


class Tunnel:
    """Whether the tunnel is up, for those who wait for it."""

    def __init__(self) -> None:
        self._up = asyncio.Event()

    def is_up(self) -> bool:
        return self._up.is_set()

    def went_up(self) -> None:
        self._up.set()

    def went_down(self) -> None:
        self._up.clear()

    async def wait(self, seconds: float) -> None:
        """Return when it is up, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._up.wait()
        except TimeoutError:
            return


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """Made once by the app, or by a test."""

    config: RunnerConfig
    api: ServerApi
    agents: Agents
    models: Models
    reaper: Reaper
    tunnel: Tunnel
    mcp: McpPool = field(default_factory=McpPool)
    bubblewrap: Bubblewrap = field(default_factory=Bubblewrap)
