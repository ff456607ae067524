"""Runs the tools of one session on this machine, as the server asks for them over the tunnel."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from omnigent.protocol.events import ElicitationRequest, ResponseError
from omnigent.runner.approvals import Answer
from omnigent.runner.cleantext import clean
from omnigent.runner.gate import capped
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.mcp.names import belongs
from omnigent.runner.mcp.room import McpRoom
from omnigent.runner.operations import OperationCancelled, Operations
from omnigent.runner.questions import Ask, Question
from omnigent.runner.tools.base import Tool, ToolContext, ToolError
from omnigent.runner.tools.functions import FunctionRoom, has_functions
from omnigent.spec.types import AgentSpec

log = logging.getLogger(__name__)

METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
CANCELLED: Final = -32800
FUNCTION_FAULT: Final = "function_unavailable"
MCP_FAULT: Final = "mcp_unavailable"
_PREVIEW: Final = 1024


class Toolbox:
    """Executes each operation once, however often it is asked for.

    The built-in tools are there at once; functions and MCP servers that the agent brings are found out when
    they are listed or called. A tool of theirs that has the name of a built-in one is left out.
    """

    def __init__(self, tools: Mapping[str, Tool], context: ToolContext, operations: Operations) -> None:
        self._tools = tools
        self._context = context
        self._operations = operations
        self._changing: set[str] = {name for name, tool in tools.items() if tool.mutates}
        self._told: set[tuple[str, str]] = set()

    @property
    def context(self) -> ToolContext:
        """What the tools are called with."""
        return self._context

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
        return name in self._changing

    async def schemas(self) -> Sequence[ToolSchema]:
        """Built-in tools and functions; those of MCP servers are listed through the server's gate."""
        return [tool.schema for tool in (await self._local()).values()]

    def from_servers(self, listed: Sequence[Mapping[str, Any]]) -> Sequence[ToolSchema]:
        """Of what the gate has listed, the tools of MCP servers."""
        servers = self.spec.mcp_servers
        return [
            schema
            for row in listed
            if (schema := _schema_of(row)) is not None
            and schema.name not in self._tools
            and any(belongs(schema.name, server.name) for server in servers)
        ]

    async def execute(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request of the server's gate."""
        method = body.get("method")
        if method == "tools/list":
            found = {**await self._from_mcp(), **await self._local()}
            return {"result": {"schemas": [_row(tool) for tool in _in_order(found, self._tools)]}}
        if method != "tools/call":
            return _error(METHOD_NOT_FOUND, f"unknown method {method!r}")
        params = body.get("params")
        arguments = params.get("arguments") if isinstance(params, Mapping) else None
        if not isinstance(params, Mapping) or not isinstance(arguments, Mapping | None):
            return _error(INVALID_PARAMS, "params and arguments must be objects")
        tool = await self._named(str(params.get("name")))
        if tool is None:
            return _error(METHOD_NOT_FOUND, f"unknown tool {params.get('name')!r}")
        return await self._call(tool, arguments or {}, body.get("_omnigent_operation"), params)

    async def _call(
        self, tool: Tool, arguments: Mapping[str, Any], operation: object, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        # The step is left aside: the state names the question, and a call that ran before the approval of
        # its repeat must not run again after it.
        named = operation if isinstance(operation, Mapping) else {}
        operation_id = str(named.get("id") or secrets.token_hex(16))

        async def work(ask: Ask) -> str:
            try:
                return capped(clean(await tool.run(arguments, replace(self._context, ask=ask))))
            except ToolError as exc:
                return clean(f"Error: {exc}")

        def told(question: Question) -> None:
            self._show(question, tool.schema.name)

        try:
            outcome = await self._operations.run(
                operation_id,
                work,
                told=told,
                state=params.get("requestState"),
                answers=_answers(params.get("inputResponses")),
            )
        except OperationCancelled:
            return _error(CANCELLED, "the call was cancelled")
        if isinstance(outcome, Question):
            return {"result": {"input_required": outcome.as_result()}}
        return {"result": {"output": outcome}}

    # -- what the agent brings ---------------------------------------------------------------------------

    async def _named(self, name: str) -> Tool | None:
        if name in self._tools:
            return self._tools[name]
        if name in (local := await self._local()):
            return local[name]
        if any(belongs(name, server.name) for server in self.spec.mcp_servers):
            tool = await self._context.rooms.of(McpRoom).tool(name, self._context)
            if tool is not None:
                self._changing.add(name)
            return tool
        return None

    async def _local(self) -> Mapping[str, Tool]:
        """Built-in tools and functions."""
        if not has_functions(self.spec):
            return self._tools
        found = await self._context.rooms.of(FunctionRoom).functions(self._context)
        faults = dict(found.faults)
        faults |= dict.fromkeys(found.tools.keys() & self._tools.keys(), "a built-in tool has this name")
        self._missing(FUNCTION_FAULT, "function", faults)
        self._changing |= found.tools.keys()
        return {
            **self._tools,
            **{name: tool for name, tool in found.tools.items() if name not in self._tools},
        }

    async def _from_mcp(self) -> Mapping[str, Tool]:
        if not self.spec.mcp_servers:
            return {}
        listing = await self._context.rooms.of(McpRoom).listing(self._context)
        self._missing(MCP_FAULT, "MCP server", listing.faults)
        self._changing |= listing.tools.keys()
        return listing.tools

    def _missing(self, code: str, kind: str, faults: Mapping[str, str]) -> None:
        """Tell why tools are missing: each fault once, and again when it has changed."""
        for name, fault in faults.items():
            if (name, fault) in self._told:
                continue
            self._told.add((name, fault))
            log.warning(
                "tools are missing", extra={"session": self._context.session_id, kind: name, "fault": fault}
            )
            message = clean(f"The tools of the {kind} {name!r} are not available: {fault}.")
            error = {"code": code, "message": message}
            self._context.rooms.home.uplink.put(ResponseError(source="tool", error=error))

    def _show(self, question: Question, tool: str) -> None:
        """Put a tool's question to the people of the session."""
        session_id = self._context.session_id
        for elicitation_id, form in question.forms.items():
            params = {
                **form,
                "message": clean(str(form.get("message", ""))),
                "url": f"/approve/{session_id}/{elicitation_id}",
                "phase": "tool_call",
                "policy_name": None,
                "content_preview": tool[:_PREVIEW],
                "target_session_id": None,
            }
            event = ElicitationRequest(elicitation_id=elicitation_id, params=params)
            self._context.rooms.home.uplink.put(event)


def _in_order(found: Mapping[str, Tool], first: Mapping[str, Tool]) -> list[Tool]:
    return [*first.values(), *(tool for name, tool in found.items() if name not in first)]


def _answers(given: object) -> Mapping[str, Answer] | None:
    if not isinstance(given, Mapping):
        return None
    answers = {key: Answer.of(value) for key, value in given.items() if isinstance(value, Mapping)}
    return {key: answer for key, answer in answers.items() if answer is not None}


def _row(tool: Tool) -> dict[str, Any]:
    schema = tool.schema
    return {"name": schema.name, "description": schema.description, "parameters": dict(schema.parameters)}


def _schema_of(row: Mapping[str, Any]) -> ToolSchema | None:
    name, parameters = row.get("name"), row.get("inputSchema")
    if not isinstance(name, str) or not isinstance(parameters, Mapping):
        return None
    return ToolSchema(name=name, description=str(row.get("description") or ""), parameters=parameters)


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
