"""Where a session's turns are worked on: its equipment and history, and who waits for whom."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from omnigent.protocol.events import ElicitationResolved, SessionChangedFilesInvalidated
from omnigent.runner.announce import Announcer
from omnigent.runner.approvals import Approvals
from omnigent.runner.attachments import with_files
from omnigent.runner.context.fitting import Fitting
from omnigent.runner.context.keeper import ContextKeeper
from omnigent.runner.engine_seat import EngineSeat
from omnigent.runner.engine_turn import EngineTurn
from omnigent.runner.equipment import Equipment
from omnigent.runner.gate import APPROVAL_SECONDS, ToolGate
from omnigent.runner.harnesses.base import ToolCall, ToolSchema
from omnigent.runner.history import CANCELLED_OUTPUT, INTERRUPTED, History, loaded
from omnigent.runner.inbox import Message
from omnigent.runner.native.seating import Seating
from omnigent.runner.native.turn import NativeTurn
from omnigent.runner.operations import Operations
from omnigent.runner.parking import Parking
from omnigent.runner.policy_gate import PolicyGate, Verdict
from omnigent.runner.rooms import Home, Rooms
from omnigent.runner.runtime import Runtime
from omnigent.runner.skills import spelled_out
from omnigent.runner.summaries import Summary, summarise
from omnigent.runner.tools.inbox import Inbox
from omnigent.runner.turn import Turn, TurnSettings
from omnigent.runner.uplink import Uplink
from omnigent.runner.watchdog import watched
from omnigent.runner.workspace import OutsideWorkspaceError

log = logging.getLogger(__name__)

_CHANGED_FILES_SECONDS: Final = 0.75


class Workbench:
    """What one session has in memory besides its inbox; the world of its turns."""

    def __init__(self, session_id: str, runtime: Runtime, uplink: Uplink) -> None:
        self.approvals = Approvals()
        self.client_results: Parking[str] = Parking()
        self._session_id = session_id
        self._runtime = runtime
        self._uplink = uplink
        self._operations = Operations()
        self._history: History | None = None
        self._agent_key: tuple[object, object] | None = None
        self._turn: Turn | EngineTurn | NativeTurn | None = None
        self._engine = EngineSeat(session_id, runtime)
        self._take_steers: Callable[[], Sequence[Message]] = list
        self._turns = 0
        self._waits = 0
        self._files_told = 0.0
        self._files_dirty = False
        self._telling: asyncio.TimerHandle | None = None
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
        self.equipment = Equipment(session_id, runtime, operations=self._operations, rooms=self.rooms)
        self.native = Seating(session_id, runtime, self.rooms, self.approvals)

    def forget(self) -> None:
        """Everything is loaded again when it is needed."""
        self._history = None
        self.equipment.forget()

    async def close(self) -> None:
        """End the tools that still run."""
        if self._telling is not None:
            self._telling.cancel()
        await self.equipment.close()
        await self._operations.cancel()
        await self.rooms.close()
        await self._engine.close()

    def has_read(self, message: Message) -> bool:
        """Whether it only says that a sub-agent has returned whose result the model has had already."""
        returned = message.get("subagent_return_id")
        return isinstance(returned, str) and self.rooms.of(Inbox).has_given(returned)

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
    ) -> Turn | EngineTurn | NativeTurn:
        """Load what is missing and build the turn."""
        first = messages[0]
        key = (first.get("agent_id"), first.get("agent_revision"))
        if self._agent_key not in {None, key}:
            self.equipment.forget_agent()
        self._agent_key = key
        self._take_steers = take_steers
        self._turn = await self.native.turn(messages, announcer, self.equipment, self)
        if self._turn is None:
            self._turn = await self._sampled_turn(messages, announcer)
        return self._turn

    async def run(self, turn: Turn | EngineTurn | NativeTurn, announcer: Announcer) -> None:
        """Run a turn to its end. One in which nothing happens ends as failed, if not a program has it."""
        if isinstance(turn, NativeTurn):
            await turn.run()
            return
        spec = await self.equipment.spec()
        async with watched(
            spec.timeout, lambda: None if turn.unfinished or self._waits else announcer.published
        ):
            await turn.run()

    async def _sampled_turn(self, messages: Sequence[Message], announcer: Announcer) -> Turn | EngineTurn:
        first = messages[0]
        if self._history is None:
            items = await self._runtime.api.items(self._session_id)
            shown = spelled_out(loaded(items, first.get("persisted_item_id")), await self.equipment.agent())
            self._history = History(await with_files(self._runtime.api, self._session_id, shown))
            self.admit(messages)
        settings = await self.equipment.turn_settings(first, await self._tools())
        announcer.named(settings.agent)
        return await self._turn_of(settings, self._history, announcer)

    async def _tools(self) -> Sequence[ToolSchema]:
        """The tools of a turn: those of MCP servers as the server lets them through, none if it does not."""
        try:
            toolbox = await self.equipment.toolbox()
        except OutsideWorkspaceError:
            # Each call says so; the model can still talk.
            return await self.equipment.tools_here()
        schemas = await toolbox.schemas()
        if not toolbox.spec.mcp_servers:
            return schemas
        listed = await self._gate.list_tools()
        if isinstance(listed, str):
            log.warning("tools not listed", extra={"session": self._session_id, "fault": listed})
            return schemas
        return [*schemas, *toolbox.from_servers(listed)]

    async def _turn_of(
        self, settings: TurnSettings, history: History, announcer: Announcer
    ) -> Turn | EngineTurn:
        if self._runtime.models.has_engine(settings.harness):
            agent, toolbox = await self.equipment.agent(), await self.equipment.toolbox()
            engine = await self._engine.of(settings.harness, agent, toolbox)
            return EngineTurn(
                settings=settings, engine=engine, history=history, announcer=announcer, world=self
            )
        model = await self._runtime.models.get(settings.harness, settings.patience)
        fitting = Fitting(
            keeper=self._keeper,
            agent=await self.equipment.agent(),
            spec=await self.equipment.spec(),
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
        settings = await self.equipment.turn_settings({"model_override": model} if model else {})
        adapter = await self._runtime.models.get(settings.harness, settings.patience)
        return await summarise(adapter, settings, messages)

    def close_turn(self, *, note: bool) -> Sequence[ToolCall]:
        """Tidy up after a turn; with `note` the history says that it was interrupted. The open calls."""
        for elicitation_id in self.approvals.abandoned():
            self._uplink.put(ElicitationResolved(elicitation_id=elicitation_id))
        if self._files_dirty:
            self._tell_changed_files()
        unfinished = self._turn.unfinished if self._turn is not None else []
        self._turn = None
        self._engine.rest()
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
        with self._waiting():
            return (await self.approvals.answer(elicitation_id, APPROVAL_SECONDS)).action

    async def evaluate(self, event: Mapping[str, Any]) -> Verdict:
        with self._waiting():
            return await self._policies.ask(event)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """The turn waits for people, or for policies that may ask some."""
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1

    async def tool_ran(self, name: str) -> None:
        if not self.equipment.mutates(name):
            return
        if time.monotonic() - self._files_told < _CHANGED_FILES_SECONDS:
            self._files_dirty = True
        else:
            self._tell_changed_files()

    def take_steers(self) -> Sequence[Message]:
        if self._files_dirty:
            self._tell_changed_files()
        return self._take_steers()

    def files_changed(self) -> None:
        """Tell it outside of a turn too: at once, or when it has not been told for a while."""
        wait = self._files_told + _CHANGED_FILES_SECONDS - time.monotonic()
        if wait <= 0:
            self._tell_changed_files()
        elif self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(wait, self._tell_changed_files)

    def _tell_changed_files(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._files_dirty = False
        self._files_told = time.monotonic()
        self._uplink.put(SessionChangedFilesInvalidated(session_id=self._session_id))
