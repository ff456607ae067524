"""What stands between the program and its tools: the session's desk is asked before and told after each."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from claude_agent_sdk import PermissionResultAllow, PermissionResultDeny, ToolPermissionContext
from claude_agent_sdk.types import HookContext, HookInput, HookJSONOutput

from omnigent.runner.harnesses.base import ModelError, ToolCall
from omnigent.runner.harnesses.claude_sdk.offering import PREFIX
from omnigent.runner.harnesses.claude_sdk.outputs import replaced, text_of
from omnigent.runner.harnesses.engine import Desk
from omnigent.runner.harnesses.fields import json_text

Steer = Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]
Fail = Callable[[Exception], None]
Seen = Callable[[str], None]

_ANNOUNCED_SECONDS: Final = 5.0
_OVER: Final = "The turn is over."
_NO_OUTPUT: Final = "The tool gave nothing back."


class TurnOver(Exception):
    """A tool was asked for, or was running, when the turn had ended."""


class Gate:
    """Lives as long as a connection with the program; tools pass only while a turn is open.

    `is_busy` says that a tool runs or that somebody is asked, so that nothing is heard of the program.
    """

    def __init__(self, *, is_planning: bool = False) -> None:
        self.is_spoiled = False
        """The program has in its transcript what the model must not see."""
        self._is_planning = is_planning
        self._desk: Desk | None = None
        self._steer: Steer | None = None
        self._fail: Fail | None = None
        self._saw: Seen | None = None
        self._open: dict[str, ToolCall] = {}
        self._announced: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_busy(self) -> bool:
        return bool(self._open or self._tasks)

    def open(self, desk: Desk, *, steer: Steer, fail: Fail, saw: Seen) -> None:
        """A turn begins. `steer` hands messages to the program, `fail` ends the turn with an exception of the
        desk's, `saw` is told the name of each call that is in the history now."""
        self._desk, self._steer, self._fail, self._saw = desk, steer, fail, saw
        self.is_spoiled = False

    def close(self) -> None:
        """The turn has ended: nothing of it reaches the desk any more."""
        self._desk = self._steer = self._fail = self._saw = None
        self._open.clear()
        self._announced.clear()
        for task in self._tasks:
            task.cancel()

    def announced(self, call_id: str) -> None:
        """All that the program said before this call has been passed on."""
        self._announced.setdefault(call_id, asyncio.Event()).set()

    async def leftover(self, call_id: str, output: object) -> None:
        """The model has been given the result of a call; it is settled now unless it has been before."""
        if call_id in self._open and self._desk is not None:
            await self._guarded(self._settle(self._desk, call_id, text_of(output)))

    async def settle_all(self) -> None:
        """At the turn's end: calls that the program never came back to."""
        for call_id in list(self._open):
            await self.leftover(call_id, _NO_OUTPUT)

    # -- tools of ours ---------------------------------------------------------------------------------

    async def call(self, call: ToolCall) -> str:
        try:
            return await self._guarded(self._call(call))
        except TurnOver:
            return _OVER

    async def _call(self, call: ToolCall) -> str:
        desk = await self._desk_for(call.call_id)
        output = await desk.call(call)
        self._told(call)
        await self._pass_steers(desk)
        return output

    # -- tools of the program's own --------------------------------------------------------------------

    async def before(self, event: HookInput, call_id: str | None, context: HookContext) -> HookJSONOutput:
        """Runs before any tool; an empty answer leaves the rest to the program's permission mode."""
        data: Mapping[str, Any] = event
        if str(data["tool_name"]).startswith(PREFIX):
            return _decision("allow", "asked for again at the call itself")
        call = _call_of(data, call_id)
        try:
            refusal = await self._guarded(self._permit(call))
        except TurnOver:
            refusal = _OVER
        return _decision("deny", refusal) if refusal else {}

    async def after(self, event: HookInput, call_id: str | None, context: HookContext) -> HookJSONOutput:
        data: Mapping[str, Any] = event
        call = _call_of(data, call_id)
        response = data.get("tool_response")
        refusal = await self._ended(call, text_of(response))
        if not refusal:
            return {}
        output = replaced(response, refusal)
        return {"hookSpecificOutput": {"hookEventName": "PostToolUse", "updatedToolOutput": output}}

    async def failed(self, event: HookInput, call_id: str | None, context: HookContext) -> HookJSONOutput:
        data: Mapping[str, Any] = event
        refusal = await self._ended(_call_of(data, call_id), str(data.get("error") or "The tool failed."))
        if refusal and self._fail is not None:
            # The text of a failure cannot be replaced, and the model must not see it. The turn ends,
            # and the program gets no answer to go on with until it has heard of that.
            self.is_spoiled = True
            self._fail(ModelError("policy_denied", refusal))
            await asyncio.Event().wait()
        return {}

    async def may(
        self, name: str, arguments: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResultAllow | PermissionResultDeny:
        """The program's permission mode would ask a person, which the policies have done already."""
        if name.startswith(PREFIX):
            return PermissionResultAllow()
        if self._is_planning:
            return PermissionResultDeny(message="Only a plan is wanted: nothing may be changed.")
        if context.tool_use_id in self._open:
            return PermissionResultAllow()
        return PermissionResultDeny(message="Nobody has permitted this call.")

    async def _permit(self, call: ToolCall) -> str:
        """Why the tool must not run; empty when it may."""
        desk = await self._desk_for(call.call_id)
        verdict = await desk.permit(call)
        if verdict.is_allowed:
            self._open[call.call_id] = call
            return ""
        await desk.settle(call, verdict.refusal)
        self._told(call)
        return verdict.refusal

    async def _ended(self, call: ToolCall, output: str) -> str:
        """Why the model must not see the output; empty when it may."""
        if self._desk is None or call.call_id not in self._open:
            return ""
        try:
            return await self._guarded(self._settle(self._desk, call.call_id, output))
        except TurnOver:
            return _OVER

    async def _settle(self, desk: Desk, call_id: str, output: str) -> str:
        call = self._open.pop(call_id)
        verdict = await desk.settle(call, output)
        self._told(call)
        await self._pass_steers(desk)
        return "" if verdict.is_allowed else f"[Result suppressed by policy: {verdict.reason}]"

    # -- both ------------------------------------------------------------------------------------------

    async def _desk_for(self, call_id: str) -> Desk:
        """The desk, once all that was said before the call has been passed on."""
        event = self._announced.setdefault(call_id, asyncio.Event())
        try:
            async with asyncio.timeout(_ANNOUNCED_SECONDS):
                await event.wait()
        except TimeoutError:
            # The program's order of messages is not ours to rely on; a call must not hang on it.
            pass
        if self._desk is None:
            raise TurnOver
        return self._desk

    def _told(self, call: ToolCall) -> None:
        if self._saw is not None:
            self._saw(call.name)

    async def _pass_steers(self, desk: Desk) -> None:
        if self._steer is not None and (messages := desk.steers()):
            await self._steer(messages)

    async def _guarded(self, work: Coroutine[Any, Any, str]) -> str:
        """The work's result. What it raises ends the turn; when the turn ends first, raises TurnOver."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise TurnOver from None
        except TurnOver:
            raise
        except Exception as exc:
            # It ends the turn where the turn runs; the program is told no more than that.
            if self._fail is not None:
                self._fail(exc)
            raise TurnOver from exc
        finally:
            self._tasks.discard(task)


def _call_of(data: Mapping[str, Any], call_id: str | None) -> ToolCall:
    named = call_id or str(data.get("tool_use_id") or "")
    return ToolCall(call_id=named, name=str(data["tool_name"]), arguments=json_text(data.get("tool_input")))


def _decision(decision: str, reason: str) -> HookJSONOutput:
    output: Any = {
        "hookEventName": "PreToolUse",
        "permissionDecision": decision,
        "permissionDecisionReason": reason,
    }
    return {"hookSpecificOutput": output}
