"""The tool calls of one turn: run through the server's gate, announced and kept, whoever asks for them."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from omnigent.protocol.codec import FrameError, decode
from omnigent.runner.announce import Announcer
from omnigent.runner.approvals import Declined
from omnigent.runner.cleantext import clean
from omnigent.runner.gate import capped
from omnigent.runner.harnesses.base import ToolCall, ToolSchema
from omnigent.runner.history import History
from omnigent.runner.policy_gate import Verdict


class TurnWorld(Protocol):
    """What a turn needs of its session."""

    async def call_tool(self, name: str, arguments: Mapping[str, Any], operation_id: str) -> str: ...

    async def cancel_tool(self, operation_id: str) -> None: ...

    async def client_result(self, call_id: str) -> str: ...

    async def approve(self, elicitation_id: str) -> str: ...

    async def evaluate(self, event: Mapping[str, Any]) -> Verdict: ...

    async def tool_ran(self, name: str) -> None: ...

    def take_steers(self) -> Sequence[Mapping[str, Any]]: ...


class Calls:
    """Every call is in the history and told to the server either in full or, as `unfinished`, not at all."""

    def __init__(
        self,
        *,
        client_tools: Sequence[ToolSchema],
        history: History,
        announcer: Announcer,
        world: TurnWorld,
    ) -> None:
        self._client_names = {tool.name for tool in client_tools}
        self._history = history
        self._announcer = announcer
        self._world = world
        self.unfinished: list[ToolCall] = []

    async def run_all(self, calls: Sequence[ToolCall]) -> None:
        """All at once; each is announced when it has finished, in the order in which they finish."""
        self.unfinished = list(calls)
        tasks = [asyncio.create_task(self.run(call), name=f"call-{call.name}") for call in calls]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self, call: ToolCall) -> str:
        """The output of an announced call, which is in `unfinished`. Raises Declined."""
        if call.name in self._client_names:
            await self._announcer.call(call, "action_required")
            output = await self._world.client_result(call.call_id)
        else:
            output = await self._execute(call)
        output = capped(clean(output))
        await self._world.tool_ran(call.name)
        await self._announcer.room()
        self.settle(call, output)
        return output

    def settle(self, call: ToolCall, output: str) -> None:
        """Without a pause: an interrupt finds the call either unfinished or told in full."""
        self.unfinished.remove(call)
        self._history.add_call({"call_id": call.call_id, "name": call.name, "arguments": call.arguments})
        self._history.add_output(call.call_id, output)
        self._announcer.finished(call, output)

    async def _execute(self, call: ToolCall) -> str:
        try:
            arguments = decode(call.arguments or "{}")
        except FrameError as exc:
            return f"Error: the arguments are not valid JSON: {exc}"
        if not isinstance(arguments, dict):
            return "Error: the arguments must be a JSON object"
        operation_id = f"mcpop_{secrets.token_hex(16)}"
        try:
            return await self._world.call_tool(call.name, arguments, operation_id)
        except (asyncio.CancelledError, Declined):
            await asyncio.shield(self._world.cancel_tool(operation_id))
            raise


def cleaned(call: ToolCall) -> ToolCall:
    """The call without characters that cannot be stored."""
    return ToolCall(call_id=call.call_id, name=clean(call.name), arguments=clean(call.arguments))
