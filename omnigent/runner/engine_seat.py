"""Which engine a session has at the moment."""

from omnigent.runner.agents import LoadedAgent
from omnigent.runner.harnesses.engine import Engine, EngineSettings
from omnigent.runner.runtime import Runtime
from omnigent.runner.toolbox import Toolbox
from omnigent.spec.types import AgentSpec


class EngineSeat:
    """At most one engine at a time; another harness or another content of the agent gets a new one."""

    def __init__(self, session_id: str, runtime: Runtime) -> None:
        self._session_id = session_id
        self._runtime = runtime
        self._engine: Engine | None = None
        self._key: tuple[str, str] | None = None

    async def of(self, harness: str, agent: LoadedAgent, toolbox: Toolbox) -> Engine:
        """The engine for this harness and agent. Raises ModelError when it cannot be had."""
        key = (harness, agent.digest)
        if self._key != key:
            await self.close()
        if self._engine is None:
            config = self._runtime.config
            self._engine = await self._runtime.models.engine(
                harness,
                EngineSettings(
                    session_id=self._session_id,
                    state_dir=config.state_dir / self._session_id / harness,
                    workspace=toolbox.workspace,
                    environment=config.child_environment,
                    config=toolbox.spec.config,
                    own_tools=acts_freely(toolbox.spec),
                ),
            )
            self._key = key
        return self._engine

    async def close(self) -> None:
        """End the engine; its files stay."""
        engine, self._engine, self._key = self._engine, None, None
        if engine is not None:
            await engine.close()


def acts_freely(spec: AgentSpec) -> bool:
    """Whether an agent may run commands that no sandbox of ours confines."""
    return spec.os_env is not None and spec.os_env.sandbox.type == "none"
