"""What a session works with, loaded when it is needed: its settings, its agent, and the agent's tools."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omnigent.runner.agents import LoadedAgent
from omnigent.runner.harnesses.base import ModelError, ToolSchema
from omnigent.runner.harnesses.patience import Patience
from omnigent.runner.operations import Operations
from omnigent.runner.profile import Profile
from omnigent.runner.rooms import Rooms
from omnigent.runner.runtime import Runtime
from omnigent.runner.sandbox.bubblewrap import require_all
from omnigent.runner.toolbox import Toolbox
from omnigent.runner.tools.base import ToolContext
from omnigent.runner.tools.registry import tools_of
from omnigent.runner.turn import TurnSettings
from omnigent.runner.workspace import Workspace
from omnigent.spec.types import AgentSpec

log = logging.getLogger(__name__)


class Equipment:
    """Loads each thing once, until it is forgotten. `profile` is None before the first load."""

    def __init__(self, session_id: str, runtime: Runtime, *, operations: Operations, rooms: Rooms) -> None:
        self.profile: Profile | None = None
        self._session_id = session_id
        self._runtime = runtime
        self._operations = operations
        self._rooms = rooms
        self._agent: LoadedAgent | None = None
        self._loading = asyncio.Lock()
        self._toolbox: Toolbox | None = None
        self._warming: asyncio.Task[None] | None = None

    async def agent(self) -> LoadedAgent:
        """The session's agent, with the profile loaded too. Raises what Agents.load raises."""
        async with self._loading:
            if self.profile is None:
                self.profile = Profile.of_snapshot(await self._runtime.api.snapshot(self._session_id))
            if self._agent is None:
                agent = await self._runtime.agents.load(self._session_id)
                spec = agent.for_sub_agent(self.profile.sub_agent_name)
                await require_all(spec, self._runtime.bubblewrap)
                self._agent = await asyncio.to_thread(self._with_skills, agent)
                self._toolbox = None
            return self._agent

    def warm_up(self) -> None:
        """Load the adapter of the session's harness in the background, before the first message needs it."""
        self._warming = asyncio.create_task(self._load_model(), name=f"warm-up-{self._session_id}")

    async def _load_model(self) -> None:
        agent = await self.agent()
        assert self.profile is not None
        try:
            await self._runtime.models.get(self.profile.harness_of(agent), Patience.of(await self.spec()))
        except ModelError as exc:
            log.info("harness not ready", extra={"session": self._session_id, "error": exc.message})

    async def toolbox(self) -> Toolbox:
        agent = await self.agent()
        if self._toolbox is None:
            assert self.profile is not None
            spec = agent.for_sub_agent(self.profile.sub_agent_name)
            context = ToolContext(
                workspace=await asyncio.to_thread(self._workspace, spec.os_env.cwd if spec.os_env else None),
                environment=self._runtime.config.child_environment,
                reaper=self._runtime.reaper,
                api=self._runtime.api,
                session_id=self._session_id,
                rooms=self._rooms,
                agent=agent,
                spec=spec,
            )
            self._toolbox = Toolbox(tools_of(spec, agent.shelf), context, self._operations)
        return self._toolbox

    def _with_skills(self, agent: LoadedAgent) -> LoadedAgent:
        spec = agent.for_sub_agent(self.profile.sub_agent_name if self.profile else None)
        home = self._runtime.config.environment.get("HOME")
        return agent.with_skills(spec, [self._workspace(None).root, *([Path(home)] if home else [])])

    def _workspace(self, cwd: str | None) -> Workspace:
        named = self.profile.workspace if self.profile else None
        usable = named is not None and Path(named).is_dir()
        workspace = Workspace.at(named if named is not None and usable else self._runtime.config.workspace)
        return workspace.inside(cwd) if cwd else workspace

    async def spec(self) -> AgentSpec:
        """The part of the agent that this session runs. Raises what Agents.load raises."""
        agent = await self.agent()
        assert self.profile is not None
        return agent.for_sub_agent(self.profile.sub_agent_name)

    async def tools_here(self) -> Sequence[ToolSchema]:
        """The built-in tools, also where there is no workspace to use them in."""
        spec, agent = await self.spec(), await self.agent()
        return [tool.schema for tool in tools_of(spec, agent.shelf).values()]

    async def turn_settings(
        self, message: Mapping[str, Any], tools: Sequence[ToolSchema] = ()
    ) -> TurnSettings:
        """The settings of a turn that this message starts. Raises what Agents.load raises."""
        agent = await self.agent()
        assert self.profile is not None
        return self.profile.turn_settings(agent, message, self._runtime.models, tools)

    def mutates(self, tool: str) -> bool:
        """Whether files may have changed after this tool ran."""
        return self._toolbox is not None and self._toolbox.mutates(tool)

    def forget(self) -> None:
        """Everything is loaded again when it is needed."""
        self.profile = None
        self.forget_agent()

    def forget_agent(self) -> None:
        """The agent and its tools are loaded again when they are needed."""
        self._agent = None
        self._toolbox = None

    async def close(self) -> None:
        """Load nothing more."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
