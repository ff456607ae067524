"""The request's tools in the vendor's form; every call of one goes to the session's desk."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agents import FunctionTool, Tool
from agents.run_config import ToolErrorFormatterArgs
from agents.tool_context import ToolContext

from omnigent.runner.harnesses.base import ModelRequest, ToolCall, ToolSchema
from omnigent.runner.harnesses.engine import Desk
from omnigent.runner.harnesses.openai_agents.progress import Progress
from omnigent.runner.harnesses.openai_client import parameters_of


class Tools:
    """The tools of one turn, and their calls that are under way."""

    def __init__(self, request: ModelRequest, desk: Desk, progress: Progress) -> None:
        self._schemas: Sequence[ToolSchema] = request.tools
        self._desk = desk
        self._progress = progress
        self._running: set[asyncio.Task[str]] = set()
        self._asked: dict[str, ToolCall] = {}

    def offered(self) -> list[Tool]:
        return [self._function_tool(schema) for schema in self._schemas]

    def asked(self, call: ToolCall) -> None:
        """The model has asked for this call, which the loop is about to make."""
        self._asked[call.call_id] = call

    async def answer_unknown(self, problem: ToolErrorFormatterArgs[Any]) -> str | None:
        """What a call of a tool that there is not gives: the desk's answer, like that of any other call."""
        call = self._asked.get(problem.call_id)
        if problem.kind != "tool_not_found" or call is None:
            return None
        return await self._call(call)

    async def close(self) -> None:
        """End what still runs."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _function_tool(self, schema: ToolSchema) -> FunctionTool:
        return FunctionTool(
            name=schema.name,
            description=schema.description,
            params_json_schema=parameters_of(schema.parameters),
            on_invoke_tool=self._invoker(schema.name),
            strict_json_schema=False,
        )

    def _invoker(self, name: str) -> Callable[[ToolContext[Any], str], Awaitable[str]]:
        async def invoke(context: ToolContext[Any], arguments: str) -> str:
            return await self._call(
                ToolCall(call_id=context.tool_call_id, name=name, arguments=arguments or "{}")
            )

        return invoke

    async def _call(self, call: ToolCall) -> str:
        task = asyncio.create_task(self._desk.call(call), name=f"call-{call.name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await task
        except Exception as problem:
            # The loop would show the model an error and go on; this ends the turn.
            self._progress.fail(problem)
            raise
