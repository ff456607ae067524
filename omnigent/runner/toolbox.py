"""Runs the tools of one session on this machine, as the server asks for them over the tunnel."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from omnigent.runner.cleantext import clean
from omnigent.runner.gate import capped
from omnigent.runner.operations import OperationCancelled, Operations
from omnigent.runner.tools.base import Tool, ToolContext, ToolError
from omnigent.spec.types import AgentSpec

METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
CANCELLED: Final = -32800


class Toolbox:
    """Executes each operation once, however often it is asked for."""

    def __init__(self, tools: Mapping[str, Tool], context: ToolContext, operations: Operations) -> None:
        self._tools = tools
        self._context = context
        self._operations = operations

    @property
    def workspace(self) -> Path:
        """Where the tools work."""
        return self._context.workspace.root

    @property
    def spec(self) -> AgentSpec:
        """The part of the agent whose tools these are."""
        return self._context.spec

    def mutates(self, name: str) -> bool:
        """Whether files may have changed after this tool ran."""
        tool = self._tools.get(name)
        return tool is not None and tool.mutates

    async def execute(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request of the server's gate."""
        method = body.get("method")
        if method == "tools/list":
            return {"result": {"schemas": [_schema(tool) for tool in self._tools.values()]}}
        if method != "tools/call":
            return _error(METHOD_NOT_FOUND, f"unknown method {method!r}")
        params = body.get("params")
        arguments = params.get("arguments") if isinstance(params, Mapping) else None
        if not isinstance(params, Mapping) or not isinstance(arguments, Mapping | None):
            return _error(INVALID_PARAMS, "params and arguments must be objects")
        tool = self._tools.get(str(params.get("name")))
        if tool is None:
            return _error(METHOD_NOT_FOUND, f"unknown tool {params.get('name')!r}")
        return await self._call(tool, arguments or {}, body.get("_omnigent_operation"))

    async def _call(self, tool: Tool, arguments: Mapping[str, Any], operation: object) -> dict[str, Any]:
        # The step is left aside: none of these tools asks back, and a call that ran before the approval of
        # its repeat must not run again after it.
        named = operation if isinstance(operation, Mapping) else {}
        operation_id = str(named.get("id") or secrets.token_hex(16))

        async def work() -> str:
            try:
                return capped(clean(await tool.run(arguments, self._context)))
            except ToolError as exc:
                return clean(f"Error: {exc}")

        try:
            return {"result": {"output": await self._operations.run(operation_id, work)}}
        except OperationCancelled:
            return _error(CANCELLED, "the call was cancelled")


def _schema(tool: Tool) -> dict[str, Any]:
    schema = tool.schema
    return {"name": schema.name, "description": schema.description, "parameters": dict(schema.parameters)}


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
