"""Which engine a session has at the moment."""

import asyncio
import logging
from typing import Final

from omnigent.runner import state
from omnigent.runner.agents import LoadedAgent
from omnigent.runner.harnesses.engine import Engine, EngineSettings
from omnigent.runner.harnesses.patience import Patience
from omnigent.runner.runtime import Runtime
from omnigent.runner.toolbox import Toolbox
from omnigent.spec.types import AgentSpec

log: Final = logging.getLogger(__name__)


class EngineSeat:
    """At most one engine at a time; another harness or another content of the agent gets a new one.

    One that has rested for long is closed, as its programs take hundreds of MiB; its files resume it.
    """

    def __init__(self, session_id: str, runtime: Runtime) -> None:
        self._session_id = session_id
        self._runtime = runtime
        self._engine: Engine | None = None
        self._key: tuple[str, str] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    async def of(self, harness: str, agent: LoadedAgent, toolbox: Toolbox) -> Engine:
        """The engine for this harness and agent. Raises ModelError when it cannot be had."""
        self._wake()
        if self._closing is not None:
            await self._closing
        key = (harness, agent.digest)
        if self._key != key:
            await self.close()
        if self._engine is None:
            config = self._runtime.config
            self._engine = await self._runtime.models.engine(
                harness,
                EngineSettings(
                    session_id=self._session_id,
                    state_dir=state.folder_of(config.state_dir, self._session_id) / harness,
                    workspace=toolbox.workspace,
                    environment=config.child_environment,
                    config=toolbox.spec.config,
                    own_tools=acts_freely(toolbox.spec),
                    patience=Patience.of(toolbox.spec),
                ),
            )
            self._key = key
        return self._engine

    def rest(self) -> None:
        """No turn needs the engine for now."""
        seconds = self._runtime.config.engine_idle_seconds
        if self._engine is not None and seconds:
            self._wake()
            self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        log.info("engine closed", extra={"session": self._session_id, "reason": "idle"})
        self._closing = asyncio.create_task(self.close(), name=f"engine-rest-{self._session_id}")

    async def close(self) -> None:
        """End the engine; its files stay."""
        self._wake()
        engine, self._engine, self._key = self._engine, None, None
        if engine is not None:
            await engine.close()


def acts_freely(spec: AgentSpec) -> bool:
    """Whether an agent may run commands that no sandbox of ours confines."""
    return spec.os_env is not None and spec.os_env.sandbox.type == "none"
