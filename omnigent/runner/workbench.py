"""Where a session's turns are worked on: its settings, agent, history and tools, and who waits for whom."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from omnigent.protocol.events import ElicitationResolved, SessionChangedFilesInvalidated
from omnigent.runner.agents import LoadedAgent
from omnigent.runner.announce import Announcer
from omnigent.runner.approvals import Approvals
from omnigent.runner.attachments import with_files
from omnigent.runner.context.fitting import Fitting
from omnigent.runner.context.keeper import ContextKeeper
from omnigent.runner.engine_seat import EngineSeat
from omnigent.runner.engine_turn import EngineTurn
from omnigent.runner.gate import APPROVAL_SECONDS, ToolGate
from omnigent.runner.harnesses.base import ModelError, ToolCall, ToolSchema
from omnigent.runner.history import CANCELLED_OUTPUT, INTERRUPTED, History, loaded
from omnigent.runner.inbox import Message
from omnigent.runner.operations import Operations
from omnigent.runner.parking import Parking
from omnigent.runner.policy_gate import PolicyGate, Verdict
from omnigent.runner.profile import Profile
from omnigent.runner.rooms import Home, Rooms
from omnigent.runner.runtime import Runtime
from omnigent.runner.skills import spelled_out
from omnigent.runner.summaries import Summary, summarise
from omnigent.runner.toolbox import Toolbox
from omnigent.runner.tools.base import ToolContext
from omnigent.runner.tools.registry import tools_of
from omnigent.runner.turn import Turn, TurnSettings
from omnigent.runner.uplink import Uplink
from omnigent.runner.workspace import OutsideWorkspaceError, Workspace

log = logging.getLogger(__name__)

_CHANGED_FILES_SECONDS: Final = 0.75


class Workbench:
    """What one session has in memory besides its inbox; the world of its turns."""

    def __init__(self, session_id: str, runtime: Runtime, uplink: Uplink) -> None:
        self.profile: Profile | None = None
        self.approvals = Approvals()
        self.client_results: Parking[str] = Parking()
        self._session_id = session_id
        self._runtime = runtime
        self._uplink = uplink
        self._operations = Operations()
        self._history: History | None = None
        self._agent: LoadedAgent | None = None
        self._agent_key: tuple[object, object] | None = None
        self._loading = asyncio.Lock()
        self._toolbox: Toolbox | None = None
        self._turn: Turn | EngineTurn | None = None
        self._engine = EngineSeat(session_id, runtime)
        self._take_steers: Callable[[], Sequence[Message]] = list
        self._turns = 0
        self._warming: asyncio.Task[None] | None = None
        self._files_told = 0.0
        self._files_dirty = False
        self._gate = ToolGate(
            runtime.api, session_id=session_id, approvals=self.approvals, tunnel_up=runtime.tunnel.wait
        )
        self._policies = PolicyGate(runtime.api, session_id=session_id)
        self._keeper = ContextKeeper(session_id=session_id, api=runtime.api, uplink=uplink)
        self.rooms = Rooms(
            Home(
                session_id=session_id,
                runtime=runtime,
                uplink=uplink,
                call_tool=self.call_tool,
                cancel_tool=self.cancel_tool,
                turn=lambda: self._turns,
            )
        )

    # -- what is loaded ------------------------------------------------------------------------------

    async def agent(self) -> LoadedAgent:
        """The session's agent, with the profile loaded too. Raises what Agents.load raises."""
        async with self._loading:
            if self.profile is None:
                self.profile = Profile.of_snapshot(await self._runtime.api.snapshot(self._session_id))
            if self._agent is None:
                self._agent = await self._runtime.agents.load(self._session_id)
                self._toolbox = None
            return self._agent

    def warm_up(self) -> None:
        """Load the adapter of the session's harness in the background, before the first message needs it."""
        self._warming = asyncio.create_task(self._load_model(), name=f"warm-up-{self._session_id}")

    async def _load_model(self) -> None:
        agent = await self.agent()
        assert self.profile is not None
        try:
            await self._runtime.models.get(self.profile.harness_of(agent))
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
                rooms=self.rooms,
                agent=agent,
                spec=spec,
            )
            self._toolbox = Toolbox(tools_of(spec), context, self._operations)
        return self._toolbox

    def _workspace(self, cwd: str | None) -> Workspace:
        named = self.profile.workspace if self.profile else None
        usable = named is not None and Path(named).is_dir()
        workspace = Workspace.at(named if named is not None and usable else self._runtime.config.workspace)
        return workspace.inside(cwd) if cwd else workspace

    def forget(self) -> None:
        """Everything is loaded again when it is needed."""
        self._history = None
        self.profile = None
        self.forget_agent()

    def forget_agent(self) -> None:
        self._agent = None
        self._toolbox = None

    async def close(self) -> None:
        """End the tools that still run."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        await self._operations.cancel()
        await self.rooms.close()
        await self._engine.close()

    # -- a turn ----------------------------------------------------------------------------------------

    def admit(self, messages: Sequence[Message]) -> None:
        """Put a turn's messages into the history; one that is not loaded yet finds them when it is."""
        self._turns += 1
        if self._history is not None:
            self._history.begin_turn()
            for message in messages:
                self._history.add_message(message)

    async def prepare(
        self, messages: Sequence[Message], announcer: Announcer, take_steers: Callable[[], Sequence[Message]]
    ) -> Turn | EngineTurn:
        """Load what is missing and build the turn."""
        first = messages[0]
        if self._history is None:
            items = await self._runtime.api.items(self._session_id)
            shown = spelled_out(loaded(items, first.get("persisted_item_id")), await self.agent())
            self._history = History(await with_files(self._runtime.api, self._session_id, shown))
            self.admit(messages)
        key = (first.get("agent_id"), first.get("agent_revision"))
        if self._agent_key not in {None, key}:
            self.forget_agent()
        self._agent_key = key
        agent = await self.agent()
        assert self.profile is not None
        settings = self.profile.turn_settings(agent, first, self._runtime.models, await self._tools())
        announcer.named(settings.agent)
        self._take_steers = take_steers
        self._turn = await self._turn_of(settings, self._history, announcer)
        return self._turn

    async def _tools(self) -> Sequence[ToolSchema]:
        """The tools of a turn: those of MCP servers as the server lets them through, none if it does not."""
        try:
            toolbox = await self.toolbox()
        except OutsideWorkspaceError:
            # Each call says so; the model can still talk.
            return await self._static_tools()
        schemas = await toolbox.schemas()
        if not toolbox.spec.mcp_servers:
            return schemas
        listed = await self._gate.list_tools()
        if isinstance(listed, str):
            log.warning("tools not listed", extra={"session": self._session_id, "fault": listed})
            return schemas
        return [*schemas, *toolbox.from_servers(listed)]

    async def _static_tools(self) -> Sequence[ToolSchema]:
        agent = await self.agent()
        assert self.profile is not None
        return [tool.schema for tool in tools_of(agent.for_sub_agent(self.profile.sub_agent_name)).values()]

    async def _turn_of(
        self, settings: TurnSettings, history: History, announcer: Announcer
    ) -> Turn | EngineTurn:
        if self._runtime.models.has_engine(settings.harness):
            engine = await self._engine.of(settings.harness, await self.agent(), await self.toolbox())
            return EngineTurn(
                settings=settings, engine=engine, history=history, announcer=announcer, world=self
            )
        model = await self._runtime.models.get(settings.harness)
        agent = await self.agent()
        assert self.profile is not None
        fitting = Fitting(
            keeper=self._keeper,
            agent=agent,
            spec=agent.for_sub_agent(self.profile.sub_agent_name),
            history=history,
            summarise=partial(self.summary, model=settings.model),
        )
        return Turn(
            settings=settings,
            model=model,
            history=history,
            announcer=announcer,
            world=self,
            context=fitting,
        )

    async def summary(self, messages: Sequence[Mapping[str, Any]], model: str | None) -> Summary:
        """What the session's model answers to these messages, or the model named. Raises ModelError."""
        agent = await self.agent()
        assert self.profile is not None
        named = {"model_override": model} if model else {}
        settings = self.profile.turn_settings(agent, named, self._runtime.models)
        return await summarise(await self._runtime.models.get(settings.harness), settings, messages)

    def close_turn(self, *, note: bool) -> Sequence[ToolCall]:
        """Tidy up after a turn; with `note` the history says that it was interrupted. The open calls."""
        for elicitation_id in self.approvals.abandoned():
            self._uplink.put(ElicitationResolved(elicitation_id=elicitation_id))
        if self._files_dirty:
            self._tell_changed_files()
        unfinished = self._turn.unfinished if self._turn is not None else []
        self._turn = None
        if note and self._history is not None:
            for call in unfinished:
                self._history.add_call(
                    {"call_id": call.call_id, "name": call.name, "arguments": call.arguments}
                )
                self._history.add_output(call.call_id, CANCELLED_OUTPUT)
            self._history.add_note(INTERRUPTED)
        return unfinished

    # -- the world of a turn -----------------------------------------------------------------------------

    async def call_tool(self, name: str, arguments: Mapping[str, Any], operation_id: str) -> str:
        return await self._gate.call(name, arguments, operation_id)

    async def cancel_tool(self, operation_id: str) -> None:
        await self._operations.cancel(operation_id)

    async def client_result(self, call_id: str) -> str:
        return await self.client_results.wait(call_id, APPROVAL_SECONDS)

    async def approve(self, elicitation_id: str) -> str:
        return (await self.approvals.answer(elicitation_id, APPROVAL_SECONDS)).action

    async def evaluate(self, event: Mapping[str, Any]) -> Verdict:
        return await self._policies.ask(event)

    async def tool_ran(self, name: str) -> None:
        if self._toolbox is None or not self._toolbox.mutates(name):
            return
        if time.monotonic() - self._files_told < _CHANGED_FILES_SECONDS:
            self._files_dirty = True
        else:
            self._tell_changed_files()

    def take_steers(self) -> Sequence[Message]:
        if self._files_dirty:
            self._tell_changed_files()
        return self._take_steers()

    def _tell_changed_files(self) -> None:
        self._files_dirty = False
        self._files_told = time.monotonic()
        self._uplink.put(SessionChangedFilesInvalidated(session_id=self._session_id))
